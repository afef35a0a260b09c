#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/log.h"
#include "base/result.h"
#include "base/time.h"
#include "instrument/registry.h"
#include "net/event_loop.h"
#include "net/http.h"
#include "net/tls.h"

// An HTTP/1.1 server: keep-alive, pipelining, chunked bodies both ways, streaming both ways, TLS,
// limits on everything a client sends, graceful stop. Each connection is a fiber; the handler runs
// on it and may suspend.

namespace sonde::net {

struct HttpServerOptions {
  std::uint32_t max_header_bytes = 64 << 10;  ///< Beyond: 431.
  std::uint64_t max_body_bytes =
      64ULL << 20;  ///< For ReadBody; beyond: 413. Streaming handlers set their own.
  std::uint32_t max_connections = 4096;  ///< Beyond: accepted, answered 503 and closed.
  Duration header_timeout{
      10'000};  ///< From a request's first byte to the end of its header (slow loris).
  Duration body_timeout{60'000};               ///< Without a byte of an announced body.
  Duration idle_timeout{300'000};              ///< Between requests.
  Duration write_timeout{60'000};              ///< Without the client taking a byte.
  std::shared_ptr<const TlsContext> tls = {};  ///< Null: plain HTTP.
  bool compress = true;  ///< gzip/zstd of Reply bodies above 1 kB, as Accept-Encoding allows.
};

/// A request as the handler sees it. Lives on the connection's fiber; not thread-safe.
class HttpRequest {
 public:
  virtual ~HttpRequest() = default;

  virtual std::string_view method() const = 0;
  virtual std::string_view target() const = 0;  ///< As sent: path and query.
  virtual std::string_view path() const = 0;    ///< Percent-encoded, without the query.
  virtual std::string_view query() const = 0;   ///< Percent-encoded, without the '?'.
  virtual const Headers& headers() const = 0;
  virtual std::string_view remote_address() const = 0;  ///< "127.0.0.1:51234"
  /// Monotonic nanoseconds at which the last byte of the request (header and body, as far as read)
  /// arrived.
  virtual std::int64_t received_nanos() const = 0;
  /// Content-Length, or nothing if the body is chunked; 0 if there is none.
  virtual std::optional<std::uint64_t> content_length() const = 0;

  /// The whole body, decoded (Content-Encoding gzip, deflate, zstd; anything else is left as it
  /// is). kLimit above `max_bytes`, which bounds the decoded size too.
  virtual Result<std::string> ReadBody(std::uint64_t max_bytes) = 0;
  /// The next raw piece of the body, undecoded; empty at its end.
  virtual Result<std::string_view> ReadSome() = 0;
};

/// The answer. Either one Reply, or Start, Write…, Finish. Not thread-safe. Once the client is gone
/// every call returns kCancelled.
class HttpResponse {
 public:
  virtual ~HttpResponse() = default;

  virtual Headers& headers() = 0;  ///< To be filled before Reply or Start.

  /// Sends the whole answer. Adds Content-Length, Date, and Content-Encoding where it compresses.
  virtual Status Reply(int status, std::string_view content_type, std::string body) = 0;

  /// Sends the head; the body follows by Write, chunked (or until close for HTTP/1.0), unless
  /// Content-Length was set.
  virtual Status Start(int status) = 0;
  /// Sends a piece at once; returns when the operating system has taken it.
  virtual Status Write(std::string_view piece) = 0;
  virtual Status Finish() = 0;

  virtual bool started() const = 0;
  /// Calls `fn` on the loop thread if the client goes away before the answer is finished (noticed
  /// at once, also while the handler waits for something else). Replaces an earlier one; dropped
  /// when the handler returns.
  virtual void OnDisconnect(std::function<void()> fn) = 0;
  /// Monotonic nanoseconds at which the last Write or Reply was handed to the operating system.
  virtual std::int64_t written_nanos() const = 0;
};

using HttpHandler = std::function<void(Fiber&, HttpRequest&, HttpResponse&)>;

/// Accepts on one address. Start once, then Stop: no new connections, idle ones are closed, running
/// requests get `grace` to finish and are then cancelled. Thread-safe.
class HttpServer {
 public:
  /// `name` labels its metrics (`sonde_http_*`). `loops`, `registry` and the logger's sink must
  /// outlive it.
  HttpServer(LoopGroup& loops, HttpServerOptions options, HttpHandler handler, const Logger& logger,
             instrument::Registry& registry, std::string name);
  ~HttpServer();

  /// Binds and listens. kUnavailable if the address is taken.
  Status Start(const ListenAddress& address);
  /// The port it listens on, also when 0 was asked.
  std::uint16_t port() const;
  /// New connections use `tls` (the certificate was renewed); not null, and only for a server that
  /// began with TLS.
  void SetTls(std::shared_ptr<const TlsContext> tls);
  void Stop(Duration grace = Duration(5000));

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace sonde::net
