#include "net/transport.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/check.h"

namespace sonde::net {
namespace {

constexpr std::size_t kMaxPieces = 8;
constexpr std::size_t kTlsRecord = 16384;

Error FromErrno(const char* what, int error) {
  return Error(ErrorKind::kUnavailable, std::string(what) + ": " + ErrnoText(error));
}

}  // namespace

std::string ErrnoText(int error) {
  char buffer[128];
  std::string text = strerror_r(error, buffer, sizeof(buffer));
  // As Go and the C library's users write it in the middle of a sentence.
  if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z') text[0] = static_cast<char>(text[0] + 32);
  return text;
}

Transport::~Transport() {
  if (tls_ != nullptr) tls_->SendClose();
}

Result<std::unique_ptr<Transport>> Transport::Connect(Fiber& fiber, const Address& address,
                                                      std::int64_t deadline) {
  const std::string what = "connect to " + address.ToString();
  const int fd = ::socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return FromErrno(what.c_str(), errno);
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  // A peer that has vanished without a word is noticed while we wait for its next token.
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
  const int idle = 30;
  const int interval = 15;
  const int probes = 4;
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));

  const int code = ::connect(fd, &address.any, address.size);
  const int connect_error = code == 0 ? 0 : errno;
  auto transport = std::make_unique<Transport>(fiber.state().loop, fd);
  transport->connected_here_ = true;
  if (connect_error != 0 && connect_error != EINPROGRESS) {
    return FromErrno(what.c_str(), connect_error);
  }
  if (connect_error == EINPROGRESS) {
    transport->source_.ClearWritable();
    switch (transport->source_.WaitWritable(fiber.state(), deadline)) {
      case IoSource::Wait::kCancelled:
        return Error(ErrorKind::kCancelled, "cancelled");
      case IoSource::Wait::kTimeout:
        return Error(ErrorKind::kTimeout, what + ": no answer in time");
      case IoSource::Wait::kReady:
        break;
    }
  }
  int error = 0;
  socklen_t size = sizeof(error);
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  if (error != 0) return FromErrno(what.c_str(), error);
  return transport;
}

Status Transport::WaitFor(Fiber& fiber, const IoAttempt& attempt, std::int64_t deadline,
                          const char* what) {
  if (attempt.kind == IoAttempt::Kind::kFailed) {
    return Error(ErrorKind::kUnavailable, std::string(what) + ": " + attempt.error);
  }
  const auto wait = attempt.kind == IoAttempt::Kind::kNeedWrite
                        ? source_.WaitWritable(fiber.state(), deadline)
                        : source_.WaitReadable(fiber.state(), deadline);
  if (wait == IoSource::Wait::kCancelled) return Error(ErrorKind::kCancelled, "cancelled");
  if (wait == IoSource::Wait::kTimeout) {
    return Error(ErrorKind::kTimeout, std::string(what) + ": timed out");
  }
  return OkStatus();
}

Status Transport::StartTls(Fiber& fiber, const TlsContext& context, std::string_view server_name,
                           std::int64_t deadline) {
  tls_ = std::make_unique<TlsSession>(context, source_, server_name);
  while (true) {
    const IoAttempt attempt = tls_->Handshake();
    if (attempt.kind == IoAttempt::Kind::kMoved) return OkStatus();
    if (attempt.kind == IoAttempt::Kind::kEnd) {
      return Error(ErrorKind::kUnavailable, "TLS handshake: connection closed by the peer");
    }
    if (attempt.kind == IoAttempt::Kind::kFailed) {
      return Error(ErrorKind::kInvalid, "TLS handshake: " + attempt.error);
    }
    TRY(WaitFor(fiber, attempt, deadline, "TLS handshake"));
  }
}

IoAttempt Transport::TryRead(char* to, std::size_t size) {
  using Kind = IoAttempt::Kind;
  if (tls_ != nullptr) return tls_->Read(to, size);
  if (!source_.readable()) return {Kind::kNeedRead, 0, {}};
  while (true) {
    const ssize_t n = ::recv(source_.fd(), to, size, 0);
    if (n > 0) {
      // Less than there was room for: the queue is empty, and a new byte will be a new event
      // (epoll(7)).
      if (static_cast<std::size_t>(n) < size) source_.ClearReadable();
      return {Kind::kMoved, static_cast<std::size_t>(n), {}};
    }
    if (n == 0) return {Kind::kEnd, 0, {}};
    if (errno == EINTR) continue;
    if (errno == EAGAIN) {
      source_.ClearReadable();
      // After a FIN, EAGAIN cannot be; were it so, waiting would never end.
      if (source_.readable()) return {Kind::kEnd, 0, {}};
      return {Kind::kNeedRead, 0, {}};
    }
    return {Kind::kFailed, 0, ErrnoText(errno)};
  }
}

bool Transport::HasNews() {
  if (!source_.readable()) return false;
  char byte = 0;
  const ssize_t n = ::recv(source_.fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (n >= 0 || errno != EAGAIN) return true;
  source_.ClearReadable();
  return false;
}

Result<std::size_t> Transport::Read(Fiber& fiber, char* to, std::size_t size,
                                    std::int64_t deadline) {
  while (true) {
    if (fiber.cancelled()) return Error(ErrorKind::kCancelled, "cancelled");
    const IoAttempt attempt = TryRead(to, size);
    if (attempt.kind == IoAttempt::Kind::kMoved) {
      if (connected_here_) quick_acks_.Received(NowNanos());
      return attempt.bytes;
    }
    if (attempt.kind == IoAttempt::Kind::kEnd) return std::size_t{0};
    if (connected_here_ && quick_acks_.Take()) {
      // What has come is acknowledged now, not in 40 ms. The option does not last.
      const int on = 1;
      setsockopt(source_.fd(), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
    }
    TRY(WaitFor(fiber, attempt, deadline, "read"));
  }
}

Status Transport::Write(Fiber& fiber, std::span<const std::string_view> pieces, Duration timeout) {
  if (fiber.cancelled()) return Error(ErrorKind::kCancelled, "cancelled");
  if (tls_ == nullptr) return WritePlain(fiber, pieces, timeout);
  // One record for small pieces (a chunk's frame and its content) instead of one each.
  std::string small;
  for (const std::string_view piece : pieces) {
    if (small.size() + piece.size() <= kTlsRecord) {
      small += piece;
      continue;
    }
    if (!small.empty()) TRY(WriteTls(fiber, small, timeout));
    small.clear();
    if (piece.size() <= kTlsRecord / 4) {
      small += piece;
    } else {
      TRY(WriteTls(fiber, piece, timeout));
    }
  }
  if (small.empty()) return OkStatus();
  return WriteTls(fiber, small, timeout);
}

Status Transport::WriteTls(Fiber& fiber, std::string_view bytes, Duration timeout) {
  while (!bytes.empty()) {
    const IoAttempt attempt = tls_->Write(bytes);
    if (attempt.kind == IoAttempt::Kind::kMoved) {
      bytes.remove_prefix(attempt.bytes);
      continue;
    }
    if (attempt.kind == IoAttempt::Kind::kEnd) {
      return Error(ErrorKind::kUnavailable, "write: connection closed by the peer");
    }
    TRY(WaitFor(fiber, attempt, DeadlineAfter(timeout), "write"));
  }
  return OkStatus();
}

Status Transport::WritePlain(Fiber& fiber, std::span<const std::string_view> pieces,
                             Duration timeout) {
  std::array<iovec, kMaxPieces> vectors;
  CHECK(pieces.size() <= vectors.size());
  std::size_t count = 0;
  for (const std::string_view piece : pieces) {
    if (piece.empty()) continue;
    // sendmsg only reads what iov_base points to.
    vectors[count++] = {
        const_cast<char*>(piece.data()),
        piece.size()};  // NOLINT(cppcoreguidelines-pro-type-const-cast): iovec's type
  }
  msghdr message{};
  message.msg_iov = vectors.data();
  message.msg_iovlen = count;
  while (message.msg_iovlen > 0) {
    const ssize_t n = ::sendmsg(source_.fd(), &message, MSG_NOSIGNAL);
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return FromErrno("write", errno);
      source_.ClearWritable();
      TRY(WaitFor(fiber, {IoAttempt::Kind::kNeedWrite, 0, {}}, DeadlineAfter(timeout), "write"));
      continue;
    }
    auto left = static_cast<std::size_t>(n);
    while (left > 0 && left >= message.msg_iov->iov_len) {
      left -= message.msg_iov->iov_len;
      ++message.msg_iov;
      --message.msg_iovlen;
    }
    if (left > 0) {
      message.msg_iov->iov_base = static_cast<char*>(message.msg_iov->iov_base) + left;
      message.msg_iov->iov_len -= left;
    }
  }
  return OkStatus();
}

void Transport::ShutdownWrite() {
  if (tls_ != nullptr) tls_->SendClose();
  ::shutdown(source_.fd(), SHUT_WR);
}

}  // namespace sonde::net
