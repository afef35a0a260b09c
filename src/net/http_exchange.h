#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/compress.h"
#include "net/http_metrics.h"
#include "net/http_parser.h"
#include "net/http_server.h"
#include "net/input_buffer.h"
#include "net/reactor.h"
#include "net/transport.h"

// One request and its answer on a server's connection: what a handler sees. Only net/ includes this
// file.

namespace sonde::net {

/// Memory for one request at a time; passed on from connection to connection.
struct Workspace {
  InputBuffer in;
  HeadScanner scanner{/*lenient=*/false};
  RequestHead head;
  BodyDecoder body;
  Headers response_headers;
  std::string out;
};

/// What request and response both need. Everything outlives them.
struct Exchange {
  Fiber& fiber;
  Transport& transport;
  Workspace& work;
  const HttpServerOptions& options;
  HttpServerMetrics& metrics;
  const bool& draining;  ///< The server is stopping: this is the connection's last answer.
  std::int64_t received_nanos = 0;
  bool close_after = false;   ///< The connection ends with this answer.
  bool continue_due = false;  ///< The client waits for "100 Continue".
};

class ServerRequest final : public HttpRequest {
 public:
  explicit ServerRequest(Exchange& exchange) : x_(exchange) {}

  std::string_view method() const override { return x_.work.head.method; }
  std::string_view target() const override { return x_.work.head.target; }
  std::string_view path() const override { return x_.work.head.path; }
  std::string_view query() const override { return x_.work.head.query; }
  const Headers& headers() const override { return x_.work.head.headers; }
  std::string_view remote_address() const override;
  std::int64_t received_nanos() const override { return x_.received_nanos; }
  std::optional<std::uint64_t> content_length() const override;
  Result<std::string> ReadBody(std::uint64_t max_bytes) override;
  Result<std::string_view> ReadSome() override;

  /// The status for an answer that the handler did not give: 413, 408 or 400 after a failed read,
  /// else 0.
  int failure_status() const { return failure_status_; }
  /// Gives back what the last ReadSome lent.
  void Release();

 private:
  Error Fail(ErrorKind kind, std::string message, int status, std::string_view reason);
  Result<std::size_t> Receive(char* to, std::size_t size);
  Status ReadIdentity(std::uint64_t max_bytes, std::string& out);
  Status ReadEncoded(Encoding encoding, std::uint64_t max_bytes, std::string& out);

  Exchange& x_;
  std::size_t lent_ = 0;  // Bytes at the front of the input that the last piece came from.
  int failure_status_ = 0;
  mutable std::string remote_address_;
};

class ServerResponse final : public HttpResponse {
 public:
  explicit ServerResponse(Exchange& exchange) : x_(exchange), disconnect_(*this) {
    x_.work.response_headers.clear();
  }
  ~ServerResponse() override;

  Headers& headers() override { return x_.work.response_headers; }
  Status Reply(int status, std::string_view content_type, std::string body) override;
  Status Start(int status) override;
  Status Write(std::string_view piece) override;
  Status Finish() override;
  bool started() const override { return status_ != 0; }
  void OnDisconnect(std::function<void()> fn) override;
  std::int64_t written_nanos() const override { return written_nanos_; }

  int status() const { return status_; }  ///< 0 before Reply or Start.
  bool finished() const { return finished_; }
  bool client_gone() const { return gone_ || x_.transport.source().broken(); }

 private:
  struct Disconnect final : Runnable {
    explicit Disconnect(ServerResponse& r) : response(r) {}
    void Run() override;
    ServerResponse& response;
    std::function<void()> fn;
  };

  /// The compressed body, if it pays and the client takes it.
  void Compress(std::string_view content_type, std::string& body);
  void BuildHead(int status, std::optional<std::uint64_t> length);
  Status Send(std::span<const std::string_view> pieces);

  Exchange& x_;
  Disconnect disconnect_;
  int status_ = 0;
  bool finished_ = false;
  bool gone_ = false;
  bool chunked_ = false;
  bool no_body_ = false;                    // HEAD, 204, 304.
  std::optional<std::uint64_t> body_left_;  // Of an announced Content-Length.
  std::int64_t written_nanos_ = 0;
};

}  // namespace sonde::net
