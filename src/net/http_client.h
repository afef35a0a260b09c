#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "instrument/registry.h"
#include "net/event_loop.h"
#include "net/http.h"
#include "net/tls.h"

// An HTTP/1.1 client for everything that Sonde asks of others: scrapes, upstream LLM engines,
// remote write, webhooks. Connections are pooled per (scheme, host, port, TLS options) and per
// loop.

namespace sonde::net {

struct HttpClientOptions {
  Duration connect_timeout{5'000};
  Duration response_timeout{30'000};  ///< From the request's last byte to the response's header.
  Duration read_timeout{60'000};      ///< Without a byte of the body. 0: none.
  std::uint32_t max_header_bytes = 64 << 10;
  std::uint32_t max_idle_per_host = 64;
  Duration idle_timeout{90'000};
  std::shared_ptr<const TlsContext> tls = {};  ///< Null: the system's roots.
  std::string proxy_url = {};                  ///< http proxy (CONNECT for https); empty: none.
  bool follow_redirects = false;               ///< Up to 10; only for GET and HEAD.
  std::string user_agent = "Sonde";
};

/// How far a request got, and when; filled in as it goes, also if it fails. Monotonic nanoseconds,
/// 0: not reached.
struct HttpClientTrace {
  std::int64_t resolved_nanos = 0;  ///< The name was looked up.
  std::int64_t connected_nanos =
      0;                        ///< The connection (and TLS) stood; not set for one from the pool.
  std::int64_t sent_nanos = 0;  ///< The last byte was handed to the operating system.
  std::int64_t header_nanos = 0;  ///< The response's header was there.
  bool has_connection =
      false;  ///< False after an error: refused, not found, no TLS. Nothing was sent.
};

struct HttpClientRequest {
  std::string method = "GET";
  Url url = {};
  Headers headers = {};  ///< Host, Content-Length, Connection are added.
  std::string body = {};
  bool decode = true;  ///< Ask for gzip/zstd and decode; false: the body passes through as it is.

  /// What follows `body`, for what is too large to be held: called for one piece after the other,
  /// until an empty one or an error (which ends the request). A request with it is sent once, never
  /// again on another connection.
  std::function<Result<std::string_view>(Fiber&)> more_body = {};
  /// Length of `body` and all that follows, if it is known; else the body is sent chunked.
  std::optional<std::uint64_t> body_length = {};
  HttpClientTrace* trace = nullptr;
};

/// A response whose body has not been read yet. Destroying it before the end closes the connection
/// (cancels the request upstream); after the end the connection goes back to the pool. Not
/// thread-safe, bound to its fiber's loop.
class HttpClientResponse {
 public:
  virtual ~HttpClientResponse() = default;

  virtual int status() const = 0;
  virtual const Headers& headers() const = 0;
  /// The next piece of the body as soon as it is there, decoded from chunks (and from gzip/zstd if
  /// `decode`); empty at the end. Borrowed until the next call.
  virtual Result<std::string_view> ReadSome(Fiber& fiber) = 0;
  /// The rest; kLimit above `max_bytes`.
  virtual Result<std::string> ReadAll(Fiber& fiber, std::uint64_t max_bytes) = 0;
  /// Ends a ReadSome that another callback on the same loop wants to interrupt (the client left):
  /// it returns kCancelled and the connection is closed.
  virtual void Abort() = 0;
  /// True if the connection was taken from the pool rather than opened.
  virtual bool reused_connection() const = 0;
};

/// Thread-safe; but a call suspends the given fiber and works on its loop's connections.
class HttpClient {
 public:
  /// `registry` (metrics `sonde_http_client_*` with label client=`name`) must outlive it.
  HttpClient(HttpClientOptions options, instrument::Registry& registry, std::string_view name);
  ~HttpClient();

  /// Sends the request and returns when the response's header is there. A pooled connection that
  /// turns out to be closed before any byte of the response is replaced once, if the request may be
  /// repeated: its method is idempotent, or not a byte of it was sent. Errors: kTimeout,
  /// kUnavailable (refused, reset, name not found), kInvalid (not HTTP), kCancelled.
  Result<std::unique_ptr<HttpClientResponse>> Send(Fiber& fiber, const HttpClientRequest& request);
  /// The same, with a bound on the whole exchange: reading the body fails with kTimeout after it,
  /// too.
  Result<std::unique_ptr<HttpClientResponse>> Send(Fiber& fiber, const HttpClientRequest& request,
                                                   Duration timeout);

  struct Reply {
    int status = 0;
    Headers headers;
    std::string body;
  };
  /// Send and read all, within `timeout` altogether.
  Result<Reply> Fetch(Fiber& fiber, const HttpClientRequest& request, std::uint64_t max_bytes,
                      Duration timeout);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

/// For programs without loops of their own (subcommands, tests): runs Fetch on a temporary loop and
/// blocks.
Result<HttpClient::Reply> FetchBlocking(const HttpClientRequest& request, std::uint64_t max_bytes,
                                        Duration timeout, const HttpClientOptions& options = {});

}  // namespace sonde::net
