#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/http.h"

// HTTP/1.1 on the wire (RFC 9112), as pure functions of bytes: both sides' parsing, without a
// socket. The rules and their reasons are in docs/formats/http1.md. Requests are read strictly,
// because two readers that disagree about where a message ends are how requests get smuggled;
// responses as leniently as is safe, because old exporters exist. Only net/ (and its fuzz targets)
// include this file.

namespace sonde::net {

/// Why bytes are not an acceptable message: the status to answer with, and the reason.
struct HttpError {
  int status = 400;
  const char* reason = "";
};

enum class BodyKind : unsigned char {
  kNone,
  kLength,  ///< Content-Length bytes.
  kChunked,
  kUntilClose,  ///< Responses only.
};

/// Finds the blank line that ends a head, without looking at a byte twice as more of them arrive.
class HeadScanner {
 public:
  /// Lenient: lines may end with a bare LF.
  explicit HeadScanner(bool lenient) : lenient_(lenient) {}

  enum class Status : unsigned char { kIncomplete, kComplete, kBad };
  /// `buffered` holds the head's first byte and all that follows so far.
  Status Scan(std::string_view buffered);
  /// After kComplete: bytes of the head, with its blank line.
  std::size_t size() const { return scanned_; }
  void Reset() { scanned_ = line_start_ = 0; }

 private:
  const bool lenient_;
  std::size_t scanned_ = 0;
  std::size_t line_start_ = 0;
};

/// Reused from request to request, so that it keeps its memory.
struct RequestHead {
  std::string method;
  std::string target;      ///< As sent.
  std::string_view path;   ///< Of `target`, without the query.
  std::string_view query;  ///< Of `target`, without '?'.
  int minor_version = 1;
  Headers headers;
  BodyKind body = BodyKind::kNone;
  std::uint64_t content_length = 0;
  bool keep_alive = true;
  bool expects_continue = false;
};

/// `block` is a whole head as HeadScanner found it. On an error `head` holds what was understood so
/// far.
std::optional<HttpError> ParseRequestHead(std::string_view block, RequestHead& head);

struct ResponseHead {
  int status = 0;
  int minor_version = 1;
  Headers headers;
  BodyKind body = BodyKind::kNone;
  std::uint64_t content_length = 0;
  bool keep_alive = true;
};

/// `to_head_request`: the answer to HEAD has no body whatever its fields say.
std::optional<HttpError> ParseResponseHead(std::string_view block, bool to_head_request,
                                           ResponseHead& head);

/// Takes a body out of its framing.
class BodyDecoder {
 public:
  void Start(BodyKind kind, std::uint64_t length);

  struct Step {
    std::size_t consumed = 0;  ///< Of the input; framing and piece.
    std::string_view piece;  ///< A part of the input; empty if more input is needed, or at the end.
  };
  /// The next piece. If there is none and neither done nor an error, more input is needed; what was
  /// not consumed must be presented again.
  Step Next(std::string_view in);
  /// The connection was closed by the other side. False if the body is cut short.
  bool AtClose();

  bool done() const { return state_ == State::kDone; }
  const std::optional<HttpError>& error() const { return error_; }
  /// Bytes that are surely still to come; for chunked bodies those of the current chunk.
  std::uint64_t remaining() const { return remaining_; }

 private:
  enum class State : unsigned char {
    kData,
    kUntilClose,
    kChunkSize,
    kChunkData,
    kChunkEnd,
    kTrailers,
    kDone
  };

  bool ChunkSize(std::string_view in, std::size_t& used);
  bool Trailers(std::string_view in, std::size_t& used);
  bool Fail(const char* reason);

  State state_ = State::kDone;
  std::uint64_t remaining_ = 0;
  std::size_t trailer_bytes_ = 0;
  std::optional<HttpError> error_;
};

/// RFC 9110's token: what methods and field names are made of.
bool IsToken(std::string_view text);

}  // namespace sonde::net
