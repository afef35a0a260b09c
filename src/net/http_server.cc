#include "net/http_server.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mutex.h"
#include "net/http_connection.h"
#include "net/reactor.h"
#include "net/resolver.h"
#include "net/transport.h"

namespace sonde::net {
namespace {

constexpr int kBacklog = 1024;
constexpr int kAcceptsPerTurn = 64;
constexpr std::size_t kRefusedAtOnce =
    64;  // Beyond the cap: so many get a 503, the rest is just closed.
constexpr std::int64_t kAcceptBackoff = 100'000'000;
constexpr std::int64_t kLogEvery = 10'000'000'000;

/// Closes a descriptor that nobody has taken over. Shared, since std::function copies what it
/// holds.
class OwnedFd {
 public:
  explicit OwnedFd(int fd) : fd_(fd) {}
  ~OwnedFd() {
    if (fd_ >= 0) ::close(fd_);
  }
  OwnedFd(const OwnedFd&) = delete;
  OwnedFd& operator=(const OwnedFd&) = delete;
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

Result<std::vector<Address>> AddressesFor(const ListenAddress& address) {
  if (address.host.empty()) {
    // All interfaces: one socket for both families where IPv6 exists, else IPv4.
    return std::vector<Address>{Address::FromLiteral("::", address.port),
                                Address::FromLiteral("0.0.0.0", address.port)};
  }
  const std::string host =
      EqualsIgnoringCase(address.host, "localhost") ? "127.0.0.1" : address.host;
  const Address literal = Address::FromLiteral(host, address.port);
  if (literal.size == 0) {
    return Error(ErrorKind::kInvalid, "listen address: " + host + " is not an IP address");
  }
  return std::vector<Address>{literal};
}

/// A listening socket, or the reason why there is none.
Result<std::shared_ptr<OwnedFd>> Listen(const Address& address) {
  const auto failed = [&](const char* what) {
    return Error(ErrorKind::kUnavailable,
                 std::string(what) + " " + address.ToString() + ": " + ErrnoText(errno));
  };
  const int fd = ::socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return failed("socket for");
  auto owned = std::make_shared<OwnedFd>(fd);
  const int on = 1;
  const int off = 0;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (address.any.sa_family == AF_INET6)
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
  // Accepted sockets inherit these.
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
  if (::bind(fd, &address.any, address.size) != 0) return failed("listen on");
  if (::listen(fd, kBacklog) != 0) return failed("listen on");
  return owned;
}

}  // namespace

struct HttpServer::Impl : std::enable_shared_from_this<HttpServer::Impl> {
  /// The listening socket, on its loop.
  class Acceptor final : Runnable, Timer {
   public:
    Acceptor(Impl& server, EventLoop::Impl& loop, int fd)
        : Timer(loop.timers), server_(server), source_(loop, fd) {
      source_.OnReadable(this);
    }

   private:
    void Run() override;
    void OnTimer() override { source_.loop().ready.Push(*this); }
    void BackOff(int error);

    Impl& server_;
    IoSource source_;
    std::int64_t logged_ = -kLogEvery;
  };

  Impl(LoopGroup& loop_group, HttpServerOptions options, HttpHandler handler, const Logger& logger,
       instrument::Registry& registry, std::string name)
      : loops(loop_group),
        tls(options.tls),
        shared(std::move(options), std::move(handler), logger, registry, std::move(name)) {
    for (std::size_t i = 0; i < loops.size(); ++i) {
      lists.push_back(
          std::make_unique<ConnectionList>(shared, loops.at(i).impl(), [this] { Removed(); }));
    }
  }

  void Accepted(int fd) EXCLUDES(mutex);
  void Removed() EXCLUDES(mutex);
  void CloseAcceptor() EXCLUDES(mutex);
  void PostToAll(const std::function<void(ConnectionList&)>& fn);
  Status Start(const ListenAddress& address) EXCLUDES(mutex);
  void Stop(Duration grace) EXCLUDES(mutex);
  bool WaitUntilClosed(Duration timeout) EXCLUDES(mutex);

  LoopGroup& loops;
  Mutex mutex;
  CondVar changed;
  std::shared_ptr<const TlsContext> tls GUARDED_BY(mutex);
  std::size_t open GUARDED_BY(mutex) =
      0;  // Connections, from accept to removal; the acceptor counts as one.
  bool started GUARDED_BY(mutex) = false;
  bool stopped GUARDED_BY(mutex) = false;
  std::atomic<std::uint16_t> port{0};
  HttpServerShared shared;
  std::vector<std::unique_ptr<ConnectionList>> lists;  // One per loop.
  std::unique_ptr<Acceptor> acceptor;                  // On loop 0's thread only.
  std::size_t next_loop = 0;                           // Of the acceptor.
};

void HttpServer::Impl::Acceptor::Run() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    const int fd = ::accept4(source_.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      server_.Accepted(fd);
      continue;
    }
    if (errno == EAGAIN) {
      source_.ClearReadable();
      return;
    }
    // A connection that was gone before it was accepted, or an error of the network: on to the
    // next.
    if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM) continue;
    BackOff(errno);
    return;
  }
  source_.loop().ready.Push(*this);  // More are waiting; others first.
}

void HttpServer::Impl::Acceptor::BackOff(int error) {
  // Without a free descriptor every attempt fails at once, and epoll would say "readable" for ever.
  server_.shared.metrics.accept_errors.Add();
  const std::int64_t now = NowNanos();
  if (now - logged_ >= kLogEvery) {
    logged_ = now;
    server_.shared.logger.Error("cannot accept connections", {{"err", ErrnoText(error)}});
  }
  Arm(now + kAcceptBackoff);
}

void HttpServer::Impl::Accepted(int fd) {
  auto owned = std::make_shared<OwnedFd>(fd);
  bool refuse = false;
  std::shared_ptr<const TlsContext> tls_now;
  {
    MutexLock lock(mutex);
    if (open > shared.options.max_connections) {
      refuse = true;
      // A plain 503 means nothing to a client that speaks TLS.
      if (tls != nullptr || open > shared.options.max_connections + kRefusedAtOnce) {
        shared.metrics.CountRejected("too_many_connections");
        return;
      }
    }
    ++open;
    tls_now = tls;
  }
  shared.metrics.accepted.Add();
  const std::size_t index = next_loop++ % lists.size();
  const auto add = [self = shared_from_this(), owned, tls_now, refuse, index] {
    ConnectionList& list = *self->lists[index];
    if (list.draining()) {
      self->Removed();
    } else {
      list.Add(owned->Release(), tls_now, refuse);
    }
  };
  if (index == 0) {
    add();
  } else if (!lists[index]->loop.mailbox->Post(add)) {
    Removed();
  }
}

void HttpServer::Impl::Removed() {
  MutexLock lock(mutex);
  --open;
  if (stopped) changed.NotifyAll();
}

void HttpServer::Impl::PostToAll(const std::function<void(ConnectionList&)>& fn) {
  for (const auto& list : lists) {
    list->loop.mailbox->Post([self = shared_from_this(), &list = *list, fn] { fn(list); });
  }
}

Status HttpServer::Impl::Start(const ListenAddress& address) {
  {
    MutexLock lock(mutex);
    CHECK(!started);
  }
  const auto addresses = TRY(AddressesFor(address));
  std::shared_ptr<OwnedFd> listener;
  for (const Address& candidate : addresses) {
    auto result = Listen(candidate);
    if (result) {
      listener = *std::move(result);
      break;
    }
    if (&candidate == &addresses.back()) return std::move(result).error();
  }
  const int fd = listener->Release();
  Address bound;
  bound.size = sizeof(bound.v6);
  CHECK(::getsockname(fd, &bound.any, &bound.size) == 0);
  port.store(bound.port());
  {
    MutexLock lock(mutex);
    started = true;
    ++open;
  }
  // A loop that ends before the server must not leave sockets that point to it.
  for (const auto& list : lists) {
    const bool first = list == lists.front();
    const bool posted =
        list->loop.mailbox->Post([self = shared_from_this(), &list = *list, first, fd] {
          if (first) self->acceptor = std::make_unique<Acceptor>(*self, list.loop, fd);
          list.loop.AtStop(self, [server = self.get(), &list, first] {
            if (first) server->CloseAcceptor();
            list.Clear();
          });
        });
    if (!posted && first) {
      ::close(fd);
      Removed();
      return Error(ErrorKind::kCancelled, "the event loop has stopped");
    }
  }
  return OkStatus();
}

bool HttpServer::Impl::WaitUntilClosed(Duration timeout) {
  const std::int64_t end = timeout.count() <= 0 ? NowNanos() : DeadlineAfter(timeout);
  MutexLock lock(mutex);
  while (open > 0) {
    const std::int64_t left = (end - NowNanos() + 999'999) / 1'000'000;
    if (left <= 0) return false;
    changed.WaitFor(mutex, Duration(left));
  }
  return true;
}

void HttpServer::Impl::Stop(Duration grace) {
  {
    MutexLock lock(mutex);
    if (!started || stopped) return;
    stopped = true;
  }
  lists[0]->loop.mailbox->Post([self = shared_from_this()] { self->CloseAcceptor(); });
  PostToAll([](ConnectionList& list) { list.StartDraining(); });
  if (!WaitUntilClosed(grace)) {
    PostToAll([](ConnectionList& list) { list.CancelAll(); });
    // Handlers return soon after they are cancelled; that is their contract.
    WaitUntilClosed(Duration(INT64_C(1'000'000'000)));
  }
  // The last connection has gone, but the call that reported it may not have returned yet.
  for (const auto& list : lists) {
    {
      MutexLock lock(mutex);
      ++open;
    }
    if (!list->loop.mailbox->Post([self = shared_from_this()] { self->Removed(); })) Removed();
  }
  WaitUntilClosed(Duration(INT64_C(1'000'000'000)));
}

void HttpServer::Impl::CloseAcceptor() {
  if (acceptor == nullptr) return;
  acceptor.reset();
  Removed();
}

HttpServer::HttpServer(LoopGroup& loops, HttpServerOptions options, HttpHandler handler,
                       const Logger& logger, instrument::Registry& registry, std::string name)
    : impl_(std::make_shared<Impl>(loops, std::move(options), std::move(handler), logger, registry,
                                   std::move(name))) {}

HttpServer::~HttpServer() {
  Stop();
}

Status HttpServer::Start(const ListenAddress& address) {
  return impl_->Start(address);
}

std::uint16_t HttpServer::port() const {
  return impl_->port.load();
}

void HttpServer::SetTls(std::shared_ptr<const TlsContext> tls) {
  MutexLock lock(impl_->mutex);
  CHECK(impl_->tls != nullptr && tls != nullptr);
  impl_->tls = std::move(tls);
}

void HttpServer::Stop(Duration grace) {
  impl_->Stop(grace);
}

}  // namespace sonde::net
