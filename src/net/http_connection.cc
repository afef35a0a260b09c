#include "net/http_connection.h"

#include <array>
#include <string>
#include <string_view>

#include "base/check.h"

namespace sonde::net {
namespace {

constexpr std::size_t kMaxFreeWorkspaces = 64;
constexpr std::size_t kMaxDrain = 256U << 10;
constexpr Duration kRefuseTimeout{1'000};
constexpr std::int64_t kLingerNanos = 10'000'000'000;
constexpr Duration kLingerIdle{2'000};

std::string ErrorBody(int status, std::string_view reason) {
  std::string body = std::to_string(status) + " " + std::string(StatusText(status));
  if (!reason.empty()) body.append(": ").append(reason);
  return body + "\n";
}

}  // namespace

// ----------------------------------------------------------------------------------------------
// list

ConnectionList::ConnectionList(HttpServerShared& server_shared, EventLoop::Impl& loop_impl,
                               std::function<void()> on_removed)
    : shared(server_shared), loop(loop_impl), on_removed_(std::move(on_removed)) {}

ConnectionList::~ConnectionList() {
  CHECK(connections_.empty());
}

void ConnectionList::Add(int fd, std::shared_ptr<const TlsContext> tls, bool refuse) {
  auto connection = std::make_unique<HttpConnection>(*this, fd, std::move(tls), refuse);
  HttpConnection& borrowed = *connection;
  borrowed.index = connections_.size();
  connections_.push_back(std::move(connection));
  shared.metrics.connections.Add(1);
  borrowed.Begin();
}

void ConnectionList::Remove(HttpConnection& connection) {
  const std::size_t index = connection.index;
  const std::unique_ptr<HttpConnection> owned = std::move(connections_[index]);
  if (index + 1 != connections_.size()) {
    connections_[index] = std::move(connections_.back());
    connections_[index]->index = index;
  }
  connections_.pop_back();
  shared.metrics.connections.Add(-1);
  on_removed_();
}

void ConnectionList::StartDraining() {
  draining_ = true;
  for (std::size_t i = connections_.size(); i-- > 0;) {
    if (connections_[i]->idle()) Remove(*connections_[i]);
  }
}

void ConnectionList::CancelAll() {
  for (const auto& connection : connections_) {
    connection->CancelFiber();
  }
}

void ConnectionList::Clear() {
  draining_ = true;
  while (!connections_.empty()) {
    CHECK(connections_.back()->idle());
    Remove(*connections_.back());
  }
  free_workspaces_.clear();
}

std::unique_ptr<Workspace> ConnectionList::TakeWorkspace() {
  if (free_workspaces_.empty()) return std::make_unique<Workspace>();
  std::unique_ptr<Workspace> workspace = std::move(free_workspaces_.back());
  free_workspaces_.pop_back();
  return workspace;
}

void ConnectionList::GiveWorkspace(std::unique_ptr<Workspace> workspace) {
  if (free_workspaces_.size() >= kMaxFreeWorkspaces) return;
  workspace->scanner.Reset();
  workspace->in.Recycle();
  free_workspaces_.push_back(std::move(workspace));
}

// ----------------------------------------------------------------------------------------------
// connection

HttpConnection::HttpConnection(ConnectionList& list, int fd, std::shared_ptr<const TlsContext> tls,
                               bool refuse)
    : Timer(list.loop.timers),
      list_(list),
      shared_(list.shared),
      transport_(list.loop, fd),
      tls_(std::move(tls)),
      refuse_(refuse) {}

HttpConnection::~HttpConnection() {
  transport_.source().OnReadable(nullptr);
}

void HttpConnection::Begin() {
  // If bytes are there already, epoll says so at once.
  transport_.source().ClearReadable();
  GoIdle();
}

void HttpConnection::CancelFiber() {
  if (fiber_ != nullptr) fiber_->Cancel();
}

void HttpConnection::GoIdle() {
  const Duration patience = served_ ? shared_.options.idle_timeout : shared_.options.header_timeout;
  Arm(DeadlineAfter(refuse_ ? kRefuseTimeout : patience));
  transport_.source().OnReadable(this);
}

void HttpConnection::Run() {
  Disarm();
  transport_.source().OnReadable(nullptr);
  fiber_ = list_.loop.StartFiber([this](Fiber& fiber) { Serve(fiber); });
  if (fiber_ == nullptr) {
    list_.Remove(*this);
    return;
  }
  EventLoop::Impl::RunNow(*fiber_);
}

void HttpConnection::OnTimer() {
  list_.Remove(*this);
}

void HttpConnection::Serve(Fiber& fiber) {
  work_ = list_.TakeWorkspace();
  header_deadline_ = kNever;
  const bool ready = tls_ == nullptr || Handshake(fiber);
  const Next next = ready ? ServeRequests(fiber) : Next::kClose;
  list_.GiveWorkspace(std::move(work_));
  fiber_ = nullptr;
  if (next == Next::kIdle && !list_.draining() && !fiber.cancelled()) {
    GoIdle();
  } else {
    list_.Remove(*this);  // Destroys this.
  }
}

HttpConnection::Next HttpConnection::ServeRequests(Fiber& fiber) {
  while (true) {
    const Next next = ReadHead(fiber);
    if (next != Next::kRequest) return next;
    if (!HandleRequest(fiber)) return Next::kClose;
  }
}

bool HttpConnection::Handshake(Fiber& fiber) {
  const auto context = std::move(tls_);
  tls_ = nullptr;
  const Status status =
      transport_.StartTls(fiber, *context, {}, DeadlineAfter(shared_.options.header_timeout));
  if (status) return true;
  shared_.metrics.CountRejected("tls_handshake");
  shared_.logger.Debug("TLS handshake failed", {{"err", status.error()}});
  return false;
}

HttpConnection::Next HttpConnection::ReadHead(Fiber& fiber) {
  Workspace& work = *work_;
  while (true) {
    // An empty line before a request is the end of a sloppy client's last one (RFC 9112, 2.2).
    while (work.scanner.size() == 0 && work.in.view().starts_with("\r\n")) {
      work.in.Consume(2);
    }
    switch (work.scanner.Scan(work.in.view())) {
      case HeadScanner::Status::kComplete:
        header_deadline_ = kNever;
        if (work.scanner.size() <= shared_.options.max_header_bytes) return Next::kRequest;
        return RefuseLongHead(fiber);
      case HeadScanner::Status::kBad:
        AnswerError(fiber, {400, "a line does not end with CRLF"}, "malformed");
        return Next::kClose;
      case HeadScanner::Status::kIncomplete:
        break;
    }
    if (work.in.size() > shared_.options.max_header_bytes) return RefuseLongHead(fiber);
    const Next next = ReadMoreOfHead(fiber);
    if (next != Next::kRequest) return next;
  }
}

HttpConnection::Next HttpConnection::RefuseLongHead(Fiber& fiber) {
  const std::size_t first_line = work_->in.view().find('\n');
  const int status = first_line > shared_.options.max_header_bytes ? 414 : 431;
  AnswerError(fiber, {status, "request header is too large"}, "header_too_large");
  return Next::kClose;
}

HttpConnection::Next HttpConnection::ReadMoreOfHead(Fiber& fiber) {
  Workspace& work = *work_;
  const bool between = work.in.empty() && header_deadline_ == kNever;
  std::size_t room = 0;
  char* to = work.in.Reserve(4096, room);
  if (between) {
    const IoAttempt attempt = transport_.TryRead(to, room);
    if (attempt.kind == IoAttempt::Kind::kNeedRead || attempt.kind == IoAttempt::Kind::kNeedWrite) {
      return Next::kIdle;
    }
    if (attempt.kind != IoAttempt::Kind::kMoved) return Next::kClose;
    work.in.Commit(attempt.bytes);
  } else {
    if (header_deadline_ == kNever)
      header_deadline_ = DeadlineAfter(shared_.options.header_timeout);
    const auto n = transport_.Read(fiber, to, room, header_deadline_);
    if (!n && n.error().kind() == ErrorKind::kTimeout) {
      AnswerError(fiber, {408, "the request's header took too long"}, "header_timeout");
      return Next::kClose;
    }
    if (!n || *n == 0) return Next::kClose;
    work.in.Commit(*n);
  }
  received_nanos_ = NowNanos();
  return Next::kRequest;
}

bool HttpConnection::HandleRequest(Fiber& fiber) {
  Workspace& work = *work_;
  const std::size_t head_size = work.scanner.size();
  const auto error = ParseRequestHead(work.in.view().substr(0, head_size), work.head);
  work.in.Consume(head_size);
  work.scanner.Reset();
  if (error) {
    AnswerError(fiber, *error, error->status == 400 ? "malformed" : "unsupported");
    return false;
  }
  served_ = true;
  work.body.Start(work.head.body, work.head.content_length);
  Exchange x{fiber, transport_, work, shared_.options, shared_.metrics, list_.draining()};
  x.received_nanos = received_nanos_;
  x.close_after = refuse_;
  x.continue_due = work.head.expects_continue && !work.body.done() && work.in.empty();

  const std::int64_t started = received_nanos_;
  ServerRequest request(x);
  ServerResponse response(x);
  if (refuse_) {
    shared_.metrics.CountRejected("too_many_connections");
    response.headers().Set("Retry-After", "1");
    static_cast<void>(
        response.Reply(503, "text/plain; charset=utf-8", ErrorBody(503, "too many connections"))
            .ok());
  } else {
    shared_.metrics.in_flight.Add(1);
    shared_.handler(fiber, request, response);
    shared_.metrics.in_flight.Add(-1);
  }
  CompleteAnswer(request, response);
  const int code = response.started() ? response.status() : 499;
  shared_.metrics.CountRequest(work.head.method, code, NowNanos() - started);

  if (!response.finished() || response.client_gone() || fiber.cancelled()) return false;
  request.Release();
  if (!x.close_after && Drain(request)) return true;
  if (!work.body.done()) LingeringClose(fiber);
  return false;
}

void HttpConnection::CompleteAnswer(ServerRequest& request, ServerResponse& response) {
  if (response.started() || response.client_gone()) return;
  int status = request.failure_status();
  if (status == 0) {
    status = 500;
    shared_.logger.Warn("a handler gave no answer", {{"path", request.path()}});
  }
  static_cast<void>(
      response.Reply(status, "text/plain; charset=utf-8", ErrorBody(status, "")).ok());
}

bool HttpConnection::Drain(ServerRequest& request) {
  std::size_t drained = 0;
  while (!work_->body.done()) {
    const auto piece = request.ReadSome();
    if (!piece) return false;
    drained += piece->size();
    if (drained > kMaxDrain) return false;
  }
  request.Release();
  return true;
}

void HttpConnection::AnswerError(Fiber& fiber, HttpError error, std::string_view rejected_as) {
  shared_.metrics.CountRejected(rejected_as);
  const std::string body = ErrorBody(error.status, error.reason);
  std::string head = "HTTP/1.1 " + std::to_string(error.status) + " ";
  head += StatusText(error.status);
  head += "\r\nDate: ";
  head += list_.loop.HttpDate();
  head += "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: " +
          std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n";
  const std::array<std::string_view, 2> pieces = {head, body};
  if (transport_.Write(fiber, pieces, shared_.options.write_timeout)) LingeringClose(fiber);
}

void HttpConnection::LingeringClose(Fiber& fiber) {
  transport_.ShutdownWrite();
  const std::int64_t end = NowNanos() + kLingerNanos;
  while (NowNanos() < end && !list_.draining()) {
    work_->in.Consume(work_->in.size());
    std::size_t room = 0;
    char* to = work_->in.Reserve(InputBuffer::kFirst, room);
    const auto n = transport_.Read(fiber, to, room, DeadlineAfter(kLingerIdle));
    if (!n || *n == 0) return;
  }
}

}  // namespace sonde::net
