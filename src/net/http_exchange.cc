#include "net/http_exchange.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <utility>

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/check.h"
#include "base/compress.h"
#include "base/number.h"
#include "base/quote.h"

namespace sonde::net {
namespace {

constexpr std::size_t kReadStep = 65536;
constexpr std::size_t kMinCompress = 1024;
constexpr std::size_t kMaxUnreadBody =
    256U << 10;  // What is left of a request's body may be this long to be skipped.
constexpr std::size_t kCompressStep = 32768;  // Between two of them other fibers run.

std::optional<Encoding> EncodingOf(std::string_view name) {
  if (EqualsIgnoringCase(name, "gzip") || EqualsIgnoringCase(name, "x-gzip"))
    return Encoding::kGzip;
  if (EqualsIgnoringCase(name, "deflate")) return Encoding::kDeflate;
  if (EqualsIgnoringCase(name, "zstd")) return Encoding::kZstd;
  return std::nullopt;
}

/// Quality of `coding` in an Accept-Encoding field, 0 if it is not acceptable.
double Quality(std::string_view accept, std::string_view coding) {
  double any = 0;
  while (!accept.empty()) {
    const std::size_t comma = accept.find(',');
    const std::string_view item = accept.substr(0, comma);
    accept = comma == std::string_view::npos ? "" : accept.substr(comma + 1);
    const std::size_t semicolon = item.find(';');
    const std::string_view name = TrimSpace(item.substr(0, semicolon));
    double q = 1;
    if (semicolon != std::string_view::npos) {
      const std::string_view parameter = TrimSpace(item.substr(semicolon + 1));
      if (parameter.starts_with("q=")) q = ParseFloat(parameter.substr(2)).value_or(0);
    }
    if (EqualsIgnoringCase(name, coding)) return q;
    if (name == "*") any = q;
  }
  return any;
}

bool IsCompressible(std::string_view content_type) {
  if (content_type.starts_with("text/")) return !content_type.starts_with("text/event-stream");
  static constexpr std::array<std::string_view, 7> kWords = {
      "json", "javascript", "xml", "openmetrics", "protobuf", "yaml", "wasm"};
  return std::ranges::any_of(kWords, [&](std::string_view word) {
    return content_type.find(word) != std::string_view::npos;
  });
}

bool HasNoBody(int status) {
  return status < 200 || status == 204 || status == 304;
}

/// Line ends in a value would be header injection; they cannot be sent.
void AppendFieldValue(std::string& out, std::string_view value) {
  for (const char c : value) {
    out.push_back(c == '\r' || c == '\n' || c == '\0' ? ' ' : c);
  }
}

}  // namespace

// ----------------------------------------------------------------------------------------------
// request

std::string_view ServerRequest::remote_address() const {
  if (remote_address_.empty()) {
    Address address;
    address.size = sizeof(address.v6);
    const int code = ::getpeername(x_.transport.source().fd(), &address.any, &address.size);
    remote_address_ = code == 0 ? address.ToString() : "unknown";
  }
  return remote_address_;
}

std::optional<std::uint64_t> ServerRequest::content_length() const {
  if (x_.work.head.body == BodyKind::kChunked) return std::nullopt;
  return x_.work.head.content_length;
}

void ServerRequest::Release() {
  x_.work.in.Consume(std::exchange(lent_, 0));
}

Error ServerRequest::Fail(ErrorKind kind, std::string message, int status,
                          std::string_view reason) {
  if (failure_status_ == 0) {
    failure_status_ = status;
    if (!reason.empty()) x_.metrics.CountRejected(reason);
  }
  x_.close_after = true;
  return Error(kind, std::move(message));
}

Result<std::size_t> ServerRequest::Receive(char* to, std::size_t size) {
  if (std::exchange(x_.continue_due, false)) {
    const std::array<std::string_view, 1> pieces = {"HTTP/1.1 100 Continue\r\n\r\n"};
    const Status sent = x_.transport.Write(x_.fiber, pieces, x_.options.write_timeout);
    if (!sent)
      return Fail(ErrorKind::kCancelled, "client is gone: " + sent.error().message(), 400, "");
  }
  auto n = x_.transport.Read(x_.fiber, to, size, DeadlineAfter(x_.options.body_timeout));
  if (!n) {
    if (n.error().kind() == ErrorKind::kTimeout) {
      return Fail(
          ErrorKind::kTimeout,
          "request body: no byte for " + std::to_string(x_.options.body_timeout.count()) + " ms",
          408, "body_timeout");
    }
    return Fail(ErrorKind::kCancelled, "client is gone: " + n.error().message(), 400, "");
  }
  if (*n == 0)
    return Fail(ErrorKind::kCancelled, "client closed within its request's body", 400, "");
  x_.received_nanos = NowNanos();
  return n;
}

Result<std::string_view> ServerRequest::ReadSome() {
  Workspace& work = x_.work;
  if (failure_status_ != 0)
    return Error(ErrorKind::kInvalid, "request body: an earlier read failed");
  Release();
  while (true) {
    const BodyDecoder::Step step = work.body.Next(work.in.view());
    if (work.body.error()) {
      return Fail(ErrorKind::kInvalid, std::string("request body: ") + work.body.error()->reason,
                  400, "malformed");
    }
    if (!step.piece.empty()) {
      lent_ = step.consumed;
      return step.piece;
    }
    work.in.Consume(step.consumed);
    if (work.body.done()) return std::string_view();
    std::size_t room = 0;
    const auto want =
        static_cast<std::size_t>(std::clamp<std::uint64_t>(work.body.remaining(), 4096, kReadStep));
    char* to = work.in.Reserve(want, room);
    const std::size_t n = TRY(Receive(to, room));
    work.in.Commit(n);
  }
}

Result<std::string> ServerRequest::ReadBody(std::uint64_t max_bytes) {
  const auto too_large = [&] {
    return Fail(ErrorKind::kLimit,
                "request body is larger than " + std::to_string(max_bytes) + " bytes", 413,
                "body_too_large");
  };
  if (x_.work.head.content_length > max_bytes) return too_large();
  std::string body;
  const auto encoding = EncodingOf(headers().Get("Content-Encoding"));
  Status status =
      encoding ? ReadEncoded(*encoding, max_bytes, body) : ReadIdentity(max_bytes, body);
  if (!status && status.error().kind() == ErrorKind::kLimit) return too_large();
  if (!status) return std::move(status).error();
  return body;
}

Status ServerRequest::ReadIdentity(std::uint64_t max_bytes, std::string& out) {
  Workspace& work = x_.work;
  while (true) {
    const std::string_view piece = TRY(ReadSome());
    if (piece.empty()) return OkStatus();
    if (piece.size() > max_bytes - out.size()) return Error(ErrorKind::kLimit, "too large");
    out += piece;
    // A long body of known length is read where it shall lie. The string grows with what has
    // arrived, never with what was merely announced.
    while (work.head.body == BodyKind::kLength && work.body.remaining() >= kReadStep) {
      Release();
      const std::size_t old = out.size();
      const auto step = static_cast<std::size_t>(
          std::min<std::uint64_t>(work.body.remaining(), std::max(old, kReadStep)));
      out.resize(old + step);
      auto n = Receive(out.data() + old, step);
      out.resize(old + (n ? *n : 0));
      if (!n) return std::move(n).error();
      work.body.Next(std::string_view(out).substr(old));
    }
  }
}

Status ServerRequest::ReadEncoded(Encoding encoding, std::uint64_t max_bytes, std::string& out) {
  const auto codec = NewDecompressor(encoding, max_bytes);
  while (true) {
    const std::string_view piece = TRY(ReadSome());
    const bool end = piece.empty();
    if (end && x_.work.head.body == BodyKind::kNone) return OkStatus();
    Status status = codec->Push(piece, end, out);
    if (!status) {
      if (status.error().kind() == ErrorKind::kLimit) return status;
      return Fail(ErrorKind::kInvalid, "request body: " + status.error().message(), 400,
                  "malformed");
    }
    if (end) return OkStatus();
  }
}

// ----------------------------------------------------------------------------------------------
// response

ServerResponse::~ServerResponse() {
  x_.transport.source().OnPeerClosed(nullptr);
}

void ServerResponse::Disconnect::Run() {
  if (fn) std::exchange(fn, nullptr)();
}

void ServerResponse::OnDisconnect(std::function<void()> fn) {
  disconnect_.fn = std::move(fn);
  IoSource& source = x_.transport.source();
  source.OnPeerClosed(disconnect_.fn ? &disconnect_ : nullptr);
  if (disconnect_.fn && source.peer_closed()) source.loop().ready.Push(disconnect_);
}

void ServerResponse::Compress(std::string_view content_type, std::string& body) {
  if (!x_.options.compress || body.size() <= kMinCompress || !IsCompressible(content_type)) return;
  if (headers().Has("Content-Encoding")) return;
  headers().Add("Vary", "Accept-Encoding");
  if (x_.work.head.method == "HEAD") return;
  const std::string_view accept = x_.work.head.headers.Get("Accept-Encoding");
  const double gzip = Quality(accept, "gzip");
  const double zstd = Quality(accept, "zstd");
  if (gzip <= 0 && zstd <= 0) return;
  const Encoding encoding = zstd >= gzip ? Encoding::kZstd : Encoding::kGzip;
  const auto codec = NewCompressor(encoding, encoding == Encoding::kZstd ? 1 : 4);
  std::string small;
  std::string_view rest = body;
  while (!rest.empty()) {
    const std::string_view piece = rest.substr(0, kCompressStep);
    rest.remove_prefix(piece.size());
    if (!codec->Push(piece, rest.empty(), small)) return;
    // The loop has other connections; a body of many megabytes must not keep them waiting.
    if (!rest.empty() && !x_.fiber.Sleep(Duration(0))) return;
  }
  headers().Set("Content-Encoding", encoding == Encoding::kZstd ? "zstd" : "gzip");
  body = std::move(small);
}

void ServerResponse::BuildHead(int status, std::optional<std::uint64_t> length) {
  const RequestHead& request = x_.work.head;
  // What is left of the body would have to be read before the next request can be; if that is too
  // much, or the client has not been told to send it, the connection ends here.
  const BodyDecoder& body = x_.work.body;
  if (!body.done() && (x_.continue_due || body.remaining() > kMaxUnreadBody)) x_.close_after = true;
  if (!request.keep_alive || x_.draining) x_.close_after = true;
  if (!length && request.minor_version == 0) x_.close_after = true;

  std::string& out = x_.work.out;
  out.assign("HTTP/1.1 ");
  AppendInt(out, status);
  out.push_back(' ');
  out += StatusText(status);
  out += "\r\n";
  if (!headers().Has("Date")) {  // A proxy passes on the origin's.
    out += "Date: ";
    out += x_.transport.source().loop().HttpDate();
    out += "\r\n";
  }
  for (const auto& [name, value] : headers()) {
    if (EqualsIgnoringCase(name, "Content-Length") || EqualsIgnoringCase(name, "Connection") ||
        EqualsIgnoringCase(name, "Transfer-Encoding") || !IsToken(name)) {
      continue;  // The framing is decided here.
    }
    out += name;
    out += ": ";
    AppendFieldValue(out, value);
    out += "\r\n";
  }
  chunked_ = !length && request.minor_version >= 1 && !HasNoBody(status);
  if (length && !HasNoBody(status)) {
    out += "Content-Length: ";
    AppendUint(out, *length);
    out += "\r\n";
  } else if (chunked_) {
    out += "Transfer-Encoding: chunked\r\n";
  }
  if (x_.close_after) {
    out += "Connection: close\r\n";
  } else if (request.minor_version == 0) {
    out += "Connection: keep-alive\r\n";
  }
  out += "\r\n";
  no_body_ = HasNoBody(status) || request.method == "HEAD";
  status_ = status;
}

Status ServerResponse::Send(std::span<const std::string_view> pieces) {
  const Status sent = x_.transport.Write(x_.fiber, pieces, x_.options.write_timeout);
  if (!sent) {
    gone_ = true;
    return Error(ErrorKind::kCancelled, "client is gone: " + sent.error().message());
  }
  written_nanos_ = NowNanos();
  return OkStatus();
}

Status ServerResponse::Reply(int status, std::string_view content_type, std::string body) {
  CHECK(!started());
  if (gone_) return Error(ErrorKind::kCancelled, "client is gone");
  if (!content_type.empty()) headers().Set("Content-Type", content_type);
  Compress(headers().Get("Content-Type"), body);
  BuildHead(status, body.size());
  std::array<std::string_view, 2> pieces = {x_.work.out, body};
  if (no_body_) pieces[1] = {};
  TRY(Send(pieces));
  finished_ = true;
  return OkStatus();
}

Status ServerResponse::Start(int status) {
  CHECK(!started());
  if (gone_) return Error(ErrorKind::kCancelled, "client is gone");
  std::optional<std::uint64_t> length;
  if (headers().Has("Content-Length")) length = ParseUint(headers().Get("Content-Length"));
  BuildHead(status, length);
  body_left_ = length;
  const std::array<std::string_view, 1> pieces = {x_.work.out};
  return Send(pieces);
}

Status ServerResponse::Write(std::string_view piece) {
  CHECK(started() && !finished_);
  if (gone_) return Error(ErrorKind::kCancelled, "client is gone");
  if (piece.empty() || no_body_) return OkStatus();  // An empty chunk would end the body.
  if (body_left_) {
    // More than was announced would be read as the next answer.
    piece = piece.substr(
        0, static_cast<std::size_t>(std::min<std::uint64_t>(*body_left_, piece.size())));
    *body_left_ -= piece.size();
  }
  if (!chunked_) {
    const std::array<std::string_view, 1> pieces = {piece};
    return Send(pieces);
  }
  std::array<char, 20> size_line;
  char* end = std::to_chars(size_line.data(), size_line.data() + 16, piece.size(), 16).ptr;
  *end++ = '\r';
  *end++ = '\n';
  const std::array<std::string_view, 3> pieces = {
      std::string_view(size_line.data(), static_cast<std::size_t>(end - size_line.data())), piece,
      "\r\n"};
  return Send(pieces);
}

Status ServerResponse::Finish() {
  CHECK(started() && !finished_);
  if (gone_) return Error(ErrorKind::kCancelled, "client is gone");
  if (!no_body_ && body_left_.value_or(0) > 0) {
    // The client waits for bytes that will not come: only closing tells it.
    x_.close_after = true;
    finished_ = true;
    return Error(ErrorKind::kInvalid, "answer is shorter than its Content-Length");
  }
  if (chunked_ && !no_body_) {
    const std::array<std::string_view, 1> pieces = {"0\r\n\r\n"};
    TRY(Send(pieces));
  }
  finished_ = true;
  return OkStatus();
}

}  // namespace sonde::net
