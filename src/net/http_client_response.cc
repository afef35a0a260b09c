#include "net/http_client_response.h"

#include <algorithm>
#include <utility>

namespace sonde::net {
namespace {

constexpr std::size_t kReadStep = 65536;
constexpr std::size_t kDecodeStep = 4096;  // Bounds what a hostile body can become in one call.

std::optional<Encoding> EncodingOf(std::string_view name) {
  if (EqualsIgnoringCase(name, "gzip") || EqualsIgnoringCase(name, "x-gzip"))
    return Encoding::kGzip;
  if (EqualsIgnoringCase(name, "deflate")) return Encoding::kDeflate;
  if (EqualsIgnoringCase(name, "zstd")) return Encoding::kZstd;
  return std::nullopt;
}

Error TooLarge(std::uint64_t max_bytes) {
  return Error(ErrorKind::kLimit,
               "response body is larger than " + std::to_string(max_bytes) + " bytes");
}

}  // namespace

ClientResponse::ClientResponse(std::unique_ptr<ClientConnection> connection,
                               std::shared_ptr<ConnectionPool> pool, ResponseHead head,
                               Limits limits, bool reused)
    : connection_(std::move(connection)),
      pool_(std::move(pool)),
      head_(std::move(head)),
      limits_(limits),
      reused_(reused) {
  body_.Start(head_.body, head_.content_length);
  if (limits_.decode && !body_.done())
    encoding_ = EncodingOf(head_.headers.Get("Content-Encoding"));
}

ClientResponse::~ClientResponse() {
  LetGo();
}

void ClientResponse::Release() {
  if (connection_ != nullptr) connection_->in.Consume(std::exchange(lent_, 0));
}

void ClientResponse::LetGo() {
  if (connection_ == nullptr) return;
  Release();
  if (body_.done() && head_.keep_alive && !aborted_ && !error_) pool_->Give(std::move(connection_));
  connection_.reset();
}

void ClientResponse::Abort() {
  aborted_ = true;
  if (connection_ != nullptr) connection_->transport->source().Interrupt();
}

Error ClientResponse::Broken(ErrorKind kind, std::string message) {
  error_.emplace(kind, std::move(message));
  connection_.reset();
  return *error_;
}

Result<std::size_t> ClientResponse::Receive(Fiber& fiber, char* to, std::size_t size) {
  const std::int64_t deadline = std::min(limits_.deadline, DeadlineAfter(limits_.read_timeout));
  auto n = connection_->transport->Read(fiber, to, size, deadline);
  if (n) return n;
  if (n.error().kind() == ErrorKind::kTimeout) {
    return Broken(ErrorKind::kTimeout, "response body: no byte in time");
  }
  return Broken(n.error().kind(), "response body: " + n.error().message());
}

Result<std::string_view> ClientResponse::ReadRaw(Fiber& fiber) {
  if (error_) return *error_;
  if (aborted_) return Broken(ErrorKind::kCancelled, "aborted");
  if (connection_ == nullptr) return std::string_view();  // The end was reached before.
  Release();
  InputBuffer& in = connection_->in;
  while (true) {
    const BodyDecoder::Step step = body_.Next(in.view());
    if (body_.error()) {
      return Broken(ErrorKind::kInvalid, std::string("response body: ") + body_.error()->reason);
    }
    if (!step.piece.empty()) {
      lent_ = step.consumed;
      return step.piece;
    }
    in.Consume(step.consumed);
    if (body_.done()) {
      LetGo();
      return std::string_view();
    }
    std::size_t room = 0;
    // A long body is read in long pieces; a stream of events comes in short ones anyway.
    const auto want =
        static_cast<std::size_t>(std::clamp<std::uint64_t>(body_.remaining(), 4096, kReadStep));
    char* to = in.Reserve(want, room);
    const std::size_t n = TRY(Receive(fiber, to, room));
    if (n == 0) {
      if (!body_.AtClose()) {
        return Broken(ErrorKind::kUnavailable, "response body: the server closed before its end");
      }
      continue;
    }
    in.Commit(n);
  }
}

Result<std::string_view> ClientResponse::ReadDecoded(Fiber& fiber) {
  if (codec_ == nullptr) codec_ = NewDecompressor(*encoding_, max_decoded_);
  decoded_.clear();
  while (decoded_.empty() && !decoder_finished_) {
    if (undecoded_.empty()) undecoded_ = TRY(ReadRaw(fiber));
    const std::string_view piece = undecoded_.substr(0, kDecodeStep);
    undecoded_.remove_prefix(piece.size());
    decoder_finished_ = piece.empty();
    Status status = codec_->Push(piece, decoder_finished_, decoded_);
    if (!status && status.error().kind() == ErrorKind::kLimit) {
      return Broken(ErrorKind::kLimit, TooLarge(max_decoded_).message());
    }
    if (!status) return Broken(ErrorKind::kInvalid, "response body: " + status.error().message());
  }
  return std::string_view(decoded_);
}

Result<std::string_view> ClientResponse::ReadSome(Fiber& fiber) {
  return encoding_ ? ReadDecoded(fiber) : ReadRaw(fiber);
}

Result<std::string> ClientResponse::ReadAll(Fiber& fiber, std::uint64_t max_bytes) {
  if (!encoding_ && head_.content_length > max_bytes)
    return Broken(ErrorKind::kLimit, TooLarge(max_bytes).message());
  if (codec_ == nullptr) max_decoded_ = max_bytes;
  std::string body;
  TRY(ReadRest(fiber, max_bytes, body));
  return body;
}

Status ClientResponse::ReadRest(Fiber& fiber, std::uint64_t max_bytes, std::string& out) {
  while (true) {
    const std::string_view piece = TRY(ReadSome(fiber));
    if (piece.empty()) return OkStatus();
    if (piece.size() > max_bytes - out.size())
      return Broken(ErrorKind::kLimit, TooLarge(max_bytes).message());
    out += piece;
    // A long body of known length is read where it shall lie.
    while (!encoding_ && head_.body == BodyKind::kLength && body_.remaining() >= 4096) {
      Release();
      const std::size_t old = out.size();
      const auto step = static_cast<std::size_t>(
          std::min<std::uint64_t>(body_.remaining(), std::max(4 * old, kReadStep)));
      out.resize(old + step);
      auto n = Receive(fiber, out.data() + old, step);
      out.resize(old + (n ? *n : 0));
      if (!n) return std::move(n).error();
      if (*n == 0)
        return Broken(ErrorKind::kUnavailable, "response body: the server closed before its end");
      body_.Next(std::string_view(out).substr(old));
    }
  }
}

}  // namespace sonde::net
