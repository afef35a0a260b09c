#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/log.h"
#include "net/http_exchange.h"
#include "net/http_metrics.h"
#include "net/http_parser.h"
#include "net/http_server.h"
#include "net/reactor.h"
#include "net/transport.h"

// One connection of an HTTP server. Only net/ includes this file.

namespace sonde::net {

/// What all connections of a server share.
struct HttpServerShared {
  HttpServerShared(HttpServerOptions server_options, HttpHandler server_handler,
                   const Logger& server_logger, instrument::Registry& registry, std::string name)
      : options(std::move(server_options)),
        handler(std::move(server_handler)),
        logger(server_logger),
        metrics(registry, std::move(name)) {}

  const HttpServerOptions options;
  const HttpHandler handler;
  const Logger logger;
  HttpServerMetrics metrics;
};

class HttpConnection;

/// The connections of one server on one loop. Loop thread only.
class ConnectionList {
 public:
  /// `on_removed` is called after each connection that has gone.
  ConnectionList(HttpServerShared& server_shared, EventLoop::Impl& loop_impl,
                 std::function<void()> on_removed);
  ~ConnectionList();

  /// Takes the socket. `tls` null: plain. `refuse`: answer 503 to its first request.
  void Add(int fd, std::shared_ptr<const TlsContext> tls, bool refuse);
  void Remove(HttpConnection& connection);

  /// Closes idle connections now, and the others after their current answer.
  void StartDraining();
  const bool& draining() const { return draining_; }
  /// Cancels the fibers of all that are still there.
  void CancelAll();
  /// Drops everything; no fiber may be running.
  void Clear();

  std::unique_ptr<Workspace> TakeWorkspace();
  void GiveWorkspace(std::unique_ptr<Workspace> workspace);

  HttpServerShared& shared;
  EventLoop::Impl& loop;

 private:
  const std::function<void()> on_removed_;
  std::vector<std::unique_ptr<HttpConnection>> connections_;
  std::vector<std::unique_ptr<Workspace>> free_workspaces_;
  bool draining_ = false;
};

/// While a request is there a fiber serves the connection; between requests it has neither fiber
/// nor buffers, only the socket and a timer.
class HttpConnection final : Runnable, Timer {
 public:
  HttpConnection(ConnectionList& list, int fd, std::shared_ptr<const TlsContext> tls, bool refuse);
  ~HttpConnection() override;

  /// Waits for the first byte, or serves it if it is there already.
  void Begin();
  bool idle() const { return fiber_ == nullptr; }
  void CancelFiber();

  std::size_t index = 0;  ///< In the list.

 private:
  enum class Next : unsigned char { kRequest, kIdle, kClose };

  void Run() override;      // The socket has become readable while idle.
  void OnTimer() override;  // Idle for too long.

  void GoIdle();
  void Serve(Fiber& fiber);
  Next ServeRequests(Fiber& fiber);
  bool Handshake(Fiber& fiber);
  /// Reads until a whole head is in the buffer. Answers what is wrong with it.
  Next ReadHead(Fiber& fiber);
  Next ReadMoreOfHead(Fiber& fiber);
  Next RefuseLongHead(Fiber& fiber);
  /// True if the connection can serve another request.
  bool HandleRequest(Fiber& fiber);
  void CompleteAnswer(ServerRequest& request, ServerResponse& response);
  /// Reads and drops what is left of the request's body. False: that failed, or is too much.
  bool Drain(ServerRequest& request);
  /// An error that the handler does not get to see. The connection ends with it.
  void AnswerError(Fiber& fiber, HttpError error, std::string_view rejected_as);
  /// Lets an answer arrive before the connection goes: closing with unread bytes sends a reset
  /// after it.
  void LingeringClose(Fiber& fiber);

  ConnectionList& list_;
  HttpServerShared& shared_;
  Transport transport_;
  std::shared_ptr<const TlsContext> tls_;  // Until the handshake.
  const bool refuse_;
  bool served_ = false;  // A request has been read.
  Fiber::State* fiber_ = nullptr;
  std::unique_ptr<Workspace> work_;  // While there is a fiber.
  std::int64_t header_deadline_ = kNever;
  std::int64_t received_nanos_ = 0;
};

}  // namespace sonde::net
