#include "net/http_client.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <memory>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/mutex.h"
#include "base/number.h"
#include "net/http_client_response.h"
#include "net/http_parser.h"
#include "net/http_pool.h"
#include "net/reactor.h"
#include "net/resolver.h"
#include "net/transport.h"

namespace sonde::net {
namespace {

constexpr int kMaxRedirects = 10;
constexpr int kMaxInterim = 8;  // 1xx answers before the real one.

bool IsIdempotent(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "PUT" || method == "DELETE" ||
         method == "OPTIONS" || method == "TRACE";
}

bool IsRedirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/// Where a `Location` leads, seen from `base`.
Result<Url> ResolveLocation(const Url& base, std::string_view location) {
  if (location.starts_with("//"))
    return Url::Parse((base.tls ? "https:" : "http:") + std::string(location));
  if (location.find("://") != std::string_view::npos) return Url::Parse(location);
  location = location.substr(0, location.find('#'));
  Url url = base;
  const std::string path = base.path.substr(0, base.path.find('?'));
  if (location.starts_with('/')) {
    url.path = location;
  } else if (location.starts_with('?') || location.empty()) {
    url.path = path + std::string(location);
  } else {
    url.path = path.substr(0, path.rfind('/') + 1) + std::string(location);
  }
  return url;
}

bool SameOrigin(const Url& a, const Url& b) {
  return a.tls == b.tls && a.host == b.host && a.port == b.port;
}

/// `sonde_http_client_*` of one client.
class ClientMetrics {
 public:
  ClientMetrics(instrument::Registry& registry, std::string_view name)
      : opened(registry.GetCounter("sonde_http_client_connections_opened_total",
                                   "Connections that an HTTP client opened.", {{"client", name}})),
        in_flight(registry.GetGauge("sonde_http_client_requests_in_flight",
                                    "Requests sent by an HTTP client whose answer has not begun.",
                                    {{"client", name}})),
        registry_(registry),
        name_(name) {}

  /// `status` 0: no answer.
  void Count(int status) {
    const auto index = static_cast<std::size_t>(status >= 100 && status < 600 ? status : 0);
    instrument::Counter* counter = requests_[index].load(std::memory_order_acquire);
    if (counter == nullptr) {
      counter = &registry_.GetCounter(
          "sonde_http_client_requests_total",
          "Requests by an HTTP client; code=\"error\" where there was no answer.",
          {{"client", name_}, {"code", index == 0 ? "error" : std::to_string(status)}});
      requests_[index].store(counter, std::memory_order_release);
    }
    counter->Add();
  }

  instrument::Counter& opened;
  instrument::Gauge& in_flight;

 private:
  instrument::Registry& registry_;
  const std::string name_;
  std::array<std::atomic<instrument::Counter*>, 600> requests_{};
};

}  // namespace

struct HttpClient::Impl {
  Impl(HttpClientOptions o, instrument::Registry& registry, std::string_view name)
      : options(std::move(o)), metrics(registry, name) {}

  using Response = std::unique_ptr<HttpClientResponse>;

  /// One attempt on one connection.
  struct Attempt {
    Fiber& fiber;
    const HttpClientRequest& request;
    std::int64_t deadline;
    bool reused = false;
    bool sent_any = false;      // A byte of the request may have reached the server.
    bool received_any = false;  // A byte of the response has come.
  };

  Result<Response> Send(Fiber& fiber, const HttpClientRequest& request, std::int64_t deadline);
  Result<Response> Follow(Fiber& fiber, const HttpClientRequest& request, Response response,
                          std::int64_t deadline);
  Result<Response> SendOnce(Fiber& fiber, const HttpClientRequest& request, std::int64_t deadline);
  Result<Response> Exchange(Attempt& attempt, std::unique_ptr<ClientConnection> connection,
                            const std::shared_ptr<ConnectionPool>& pool);
  Status SendRequest(Attempt& attempt, ClientConnection& connection);
  Status SendMoreBody(Attempt& attempt, ClientConnection& connection, bool chunked);
  Status ReadHead(Attempt& attempt, ClientConnection& connection, ResponseHead& head);
  Result<std::unique_ptr<ClientConnection>> Open(Attempt& attempt, const std::string& key);
  Result<std::unique_ptr<Transport>> Connect(Fiber& fiber, const Url& url, std::int64_t deadline,
                                             HttpClientTrace* trace);
  Status ConnectThroughProxy(Fiber& fiber, Transport& transport, const Url& url,
                             std::int64_t deadline);
  std::string BuildHead(const HttpClientRequest& request) const;
  Result<std::shared_ptr<const TlsContext>> Tls();
  std::shared_ptr<ConnectionPool> PoolFor(EventLoop::Impl& loop);

  const HttpClientOptions options;
  ClientMetrics metrics;
  std::optional<Url> proxy;
  std::optional<Error> proxy_error;
  Mutex mutex;
  std::shared_ptr<const TlsContext> default_tls
      GUARDED_BY(mutex);  // The system's roots, loaded when first needed.
  std::vector<std::shared_ptr<ConnectionPool>> pools GUARDED_BY(mutex);
};

std::shared_ptr<ConnectionPool> HttpClient::Impl::PoolFor(EventLoop::Impl& loop) {
  MutexLock lock(mutex);
  for (const auto& pool : pools) {
    if (pool->mailbox == loop.mailbox) return pool;
  }
  auto pool =
      std::make_shared<ConnectionPool>(loop, options.max_idle_per_host, options.idle_timeout);
  loop.AtStop(pool, [p = pool.get()] { p->Close(); });
  pools.push_back(pool);
  return pool;
}

Result<std::shared_ptr<const TlsContext>> HttpClient::Impl::Tls() {
  if (options.tls != nullptr) return options.tls;
  MutexLock lock(mutex);
  if (default_tls == nullptr) default_tls = TRY(TlsContext::Client({}));
  return default_tls;
}

Result<HttpClient::Impl::Response> HttpClient::Impl::Send(Fiber& fiber,
                                                          const HttpClientRequest& request,
                                                          std::int64_t deadline) {
  metrics.in_flight.Add(1);
  Result<Response> response = SendOnce(fiber, request, deadline);
  metrics.in_flight.Add(-1);
  metrics.Count(response ? (*response)->status() : 0);
  if (!response || !options.follow_redirects || !IsRedirect((*response)->status())) return response;
  if (request.method != "GET" && request.method != "HEAD") return response;
  return Follow(fiber, request, *std::move(response), deadline);
}

Result<HttpClient::Impl::Response> HttpClient::Impl::Follow(Fiber& fiber,
                                                            const HttpClientRequest& request,
                                                            Response response,
                                                            std::int64_t deadline) {
  HttpClientRequest next = request;
  for (int i = 0; i < kMaxRedirects; ++i) {
    const std::string_view location = response->headers().Get("Location");
    if (!IsRedirect(response->status()) || location.empty()) return response;
    auto target = ResolveLocation(next.url, location);
    if (!target) return std::move(target).error().Wrap("redirect");
    if (!SameOrigin(next.url, *target)) {
      // Credentials are for the server that they were given for.
      next.headers.Remove("Authorization");
      next.headers.Remove("Cookie");
      next.headers.Remove("Host");
    } else if (target->user.empty()) {
      target->user = next.url.user;
      target->password = next.url.password;
    }
    next.url = *std::move(target);
    response.reset();
    response = TRY(SendOnce(fiber, next, deadline));
  }
  if (!IsRedirect(response->status())) return response;
  return Error(ErrorKind::kInvalid,
               "stopped after " + std::to_string(kMaxRedirects) + " redirects");
}

Result<HttpClient::Impl::Response> HttpClient::Impl::SendOnce(Fiber& fiber,
                                                              const HttpClientRequest& request,
                                                              std::int64_t deadline) {
  if (proxy_error) return *proxy_error;
  std::string key = request.url.tls ? "https://" : "http://";
  key.append(request.url.host).append(":");
  AppendUint(key, request.url.port);
  const auto pool = PoolFor(fiber.state().loop);
  const bool idempotent = IsIdempotent(request.method);

  if (auto connection = pool->Take(key, /*certain=*/!idempotent); connection != nullptr) {
    Attempt attempt{fiber, request, deadline, /*reused=*/true};
    Result<Response> response = Exchange(attempt, std::move(connection), pool);
    const bool stale =
        !response && response.error().kind() == ErrorKind::kUnavailable && !attempt.received_any;
    if (!stale || (!idempotent && attempt.sent_any) || request.more_body) return response;
  }
  Attempt attempt{fiber, request, deadline};
  auto connection = TRY(Open(attempt, key));
  return Exchange(attempt, std::move(connection), pool);
}

Result<HttpClient::Impl::Response> HttpClient::Impl::Exchange(
    Attempt& attempt, std::unique_ptr<ClientConnection> connection,
    const std::shared_ptr<ConnectionPool>& pool) {
  HttpClientTrace* trace = attempt.request.trace;
  if (trace != nullptr) trace->has_connection = true;
  Status sent = SendRequest(attempt, *connection);
  // A server may refuse a body before it has read it all, and close: its answer explains the broken
  // pipe.
  if (!sent && (sent.error().kind() != ErrorKind::kUnavailable || !attempt.sent_any)) {
    return std::move(sent).error();
  }
  if (trace != nullptr) trace->sent_nanos = NowNanos();
  ResponseHead head;
  Status read = ReadHead(attempt, *connection, head);
  if (!read) return std::move(sent ? read : sent).error();
  if (trace != nullptr) trace->header_nanos = NowNanos();
  if (!sent) head.keep_alive = false;
  ClientResponse::Limits limits{options.read_timeout, attempt.deadline, attempt.request.decode};
  return Response(std::make_unique<ClientResponse>(std::move(connection), pool, std::move(head),
                                                   limits, attempt.reused));
}

std::string HttpClient::Impl::BuildHead(const HttpClientRequest& request) const {
  std::string head;
  head.reserve(256);
  const Url& url = request.url;
  head.append(request.method).append(" ");
  if (proxy && !url.tls) head.append("http://").append(url.authority());
  head.append(url.path).append(" HTTP/1.1\r\n");
  const auto add = [&](std::string_view name, std::string_view value) {
    head.append(name).append(": ");
    for (const char c : value) {
      head.push_back(c == '\r' || c == '\n' || c == '\0' ? ' ' : c);
    }
    head.append("\r\n");
  };
  if (!request.headers.Has("Host")) add("Host", url.authority());
  if (!request.headers.Has("User-Agent") && !options.user_agent.empty())
    add("User-Agent", options.user_agent);
  if (request.decode && !request.headers.Has("Accept-Encoding"))
    add("Accept-Encoding", "gzip, zstd");
  if (!url.user.empty() && !request.headers.Has("Authorization"))
    add("Authorization", BasicAuthorization(url.user, url.password));
  if (proxy && !url.tls && !proxy->user.empty())
    add("Proxy-Authorization", BasicAuthorization(proxy->user, proxy->password));
  for (const auto& [name, value] : request.headers) {
    if (EqualsIgnoringCase(name, "Content-Length") ||
        EqualsIgnoringCase(name, "Transfer-Encoding") || EqualsIgnoringCase(name, "Connection") ||
        !IsToken(name)) {
      continue;
    }
    add(name, value);
  }
  if (request.more_body && !request.body_length) {
    add("Transfer-Encoding", "chunked");
  } else if (const std::uint64_t length =
                 request.more_body ? *request.body_length : request.body.size();
             length > 0 || request.method == "POST" || request.method == "PUT" ||
             request.method == "PATCH") {
    add("Content-Length", std::to_string(length));
  }
  head.append("\r\n");
  return head;
}

Status HttpClient::Impl::SendRequest(Attempt& attempt, ClientConnection& connection) {
  const HttpClientRequest& request = attempt.request;
  if (!IsToken(request.method)) return Error(ErrorKind::kInvalid, "malformed method");
  const std::string head = BuildHead(request);
  const bool chunked = request.more_body && !request.body_length;
  std::array<std::string_view, 4> pieces = {head, request.body, {}, {}};
  std::array<char, 20> size_line;
  if (chunked && !request.body.empty()) {
    char* end = std::to_chars(size_line.data(), size_line.data() + 16, request.body.size(), 16).ptr;
    *end++ = '\r';
    *end++ = '\n';
    pieces = {head,
              {size_line.data(), static_cast<std::size_t>(end - size_line.data())},
              request.body,
              "\r\n"};
  }
  // A connection that is known to be closed has not taken a byte.
  if (connection.transport->source().peer_closed()) {
    return Error(ErrorKind::kUnavailable, "connection closed by the server");
  }
  attempt.sent_any = true;
  TRY(connection.transport->Write(attempt.fiber, pieces, options.response_timeout));
  if (!request.more_body) return OkStatus();
  return SendMoreBody(attempt, connection, chunked);
}

Status HttpClient::Impl::SendMoreBody(Attempt& attempt, ClientConnection& connection,
                                      bool chunked) {
  Transport& transport = *connection.transport;
  while (true) {
    const std::string_view piece = TRY(attempt.request.more_body(attempt.fiber));
    if (piece.empty()) break;
    // An answer that comes before the end of the body is a refusal.
    if (!transport.is_tls() && transport.HasNews()) {
      return Error(ErrorKind::kUnavailable, "the server answered before the end of the request");
    }
    std::array<char, 20> size_line;
    std::array<std::string_view, 3> pieces = {piece, {}, {}};
    if (chunked) {
      char* end = std::to_chars(size_line.data(), size_line.data() + 16, piece.size(), 16).ptr;
      *end++ = '\r';
      *end++ = '\n';
      pieces = {
          std::string_view(size_line.data(), static_cast<std::size_t>(end - size_line.data())),
          piece, "\r\n"};
    }
    TRY(transport.Write(attempt.fiber, pieces, options.response_timeout));
  }
  if (!chunked) return OkStatus();
  const std::array<std::string_view, 1> last = {"0\r\n\r\n"};
  return transport.Write(attempt.fiber, last, options.response_timeout);
}

Status HttpClient::Impl::ReadHead(Attempt& attempt, ClientConnection& connection,
                                  ResponseHead& head) {
  const std::int64_t deadline = std::min(attempt.deadline, DeadlineAfter(options.response_timeout));
  InputBuffer& in = connection.in;
  HeadScanner scanner(/*lenient=*/true);
  int interim = 0;
  while (true) {
    if (scanner.Scan(in.view()) == HeadScanner::Status::kComplete) {
      const auto error = ParseResponseHead(in.view().substr(0, scanner.size()),
                                           attempt.request.method == "HEAD", head);
      if (error) return Error(ErrorKind::kInvalid, std::string("response: ") + error->reason);
      in.Consume(scanner.size());
      scanner.Reset();
      if (head.status >= 200) return OkStatus();
      if (head.status == 101)
        return Error(ErrorKind::kInvalid, "response: the server changed the protocol unasked");
      if (++interim > kMaxInterim)
        return Error(ErrorKind::kInvalid, "response: too many interim answers");
      continue;
    }
    if (in.size() > options.max_header_bytes) {
      return Error(ErrorKind::kLimit, "response: header is larger than " +
                                          std::to_string(options.max_header_bytes) + " bytes");
    }
    std::size_t room = 0;
    char* to = in.Reserve(4096, room);
    auto n = connection.transport->Read(attempt.fiber, to, room, deadline);
    if (!n && n.error().kind() == ErrorKind::kTimeout) {
      return Error(ErrorKind::kTimeout, "response: no header in time");
    }
    if (!n) return std::move(n).error();
    if (*n == 0)
      return Error(ErrorKind::kUnavailable, "connection closed by the server before it answered");
    attempt.received_any = true;
    in.Commit(*n);
  }
}

Result<std::unique_ptr<ClientConnection>> HttpClient::Impl::Open(Attempt& attempt,
                                                                 const std::string& key) {
  const Url& url = attempt.request.url;
  HttpClientTrace* trace = attempt.request.trace;
  const std::int64_t deadline = std::min(attempt.deadline, DeadlineAfter(options.connect_timeout));
  auto transport = TRY(Connect(attempt.fiber, proxy ? *proxy : url, deadline, trace));
  metrics.opened.Add();
  if (url.tls) {
    if (proxy) TRY(ConnectThroughProxy(attempt.fiber, *transport, url, deadline));
    const auto tls = TRY(Tls());
    TRY(transport->StartTls(attempt.fiber, *tls, url.host, deadline));
  }
  if (trace != nullptr) trace->connected_nanos = NowNanos();
  return std::make_unique<ClientConnection>(std::move(transport), key);
}

Result<std::unique_ptr<Transport>> HttpClient::Impl::Connect(Fiber& fiber, const Url& url,
                                                             std::int64_t deadline,
                                                             HttpClientTrace* trace) {
  const auto addresses =
      TRY(fiber.state().loop.resolver().Resolve(fiber, url.host, url.port, deadline));
  if (trace != nullptr) trace->resolved_nanos = NowNanos();
  for (std::size_t i = 0;; ++i) {
    // Each address gets its share of the time that is left: one that swallows packets must not use
    // up all of it.
    std::int64_t until = deadline;
    if (deadline != kNever) {
      const std::int64_t now = NowNanos();
      until = now + (deadline - now) / static_cast<std::int64_t>(addresses.size() - i);
    }
    auto transport = Transport::Connect(fiber, addresses[i], until);
    if (transport || i + 1 == addresses.size() ||
        transport.error().kind() == ErrorKind::kCancelled) {
      return transport;
    }
  }
}

Status HttpClient::Impl::ConnectThroughProxy(Fiber& fiber, Transport& transport, const Url& url,
                                             std::int64_t deadline) {
  const std::string host =
      url.host.find(':') == std::string::npos ? url.host : "[" + url.host + "]";
  const std::string target = host + ":" + std::to_string(url.port);
  std::string head = "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n";
  if (!proxy->user.empty())
    head += "Proxy-Authorization: " + BasicAuthorization(proxy->user, proxy->password) + "\r\n";
  head += "\r\n";
  const std::array<std::string_view, 1> pieces = {head};
  TRY(transport.Write(fiber, pieces, options.connect_timeout));
  InputBuffer in;
  HeadScanner scanner(/*lenient=*/true);
  while (scanner.Scan(in.view()) != HeadScanner::Status::kComplete) {
    if (in.size() > options.max_header_bytes)
      return Error(ErrorKind::kLimit, "proxy: header is too large");
    std::size_t room = 0;
    char* to = in.Reserve(4096, room);
    const std::size_t n = TRY(transport.Read(fiber, to, room, deadline));
    if (n == 0) return Error(ErrorKind::kUnavailable, "proxy closed the connection");
    in.Commit(n);
  }
  ResponseHead answer;
  const auto error = ParseResponseHead(in.view().substr(0, scanner.size()), true, answer);
  if (error) return Error(ErrorKind::kInvalid, std::string("proxy: ") + error->reason);
  if (answer.status < 200 || answer.status > 299) {
    return Error(ErrorKind::kUnavailable, "proxy refused CONNECT to " + target + " with status " +
                                              std::to_string(answer.status));
  }
  if (in.size() != scanner.size())
    return Error(ErrorKind::kInvalid, "proxy sent bytes before TLS began");
  return OkStatus();
}

// ----------------------------------------------------------------------------------------------
// public

HttpClient::HttpClient(HttpClientOptions options, instrument::Registry& registry,
                       std::string_view name)
    : impl_(std::make_shared<Impl>(std::move(options), registry, name)) {
  const std::string& proxy_url = impl_->options.proxy_url;
  if (proxy_url.empty()) return;
  auto url = Url::Parse(proxy_url);
  if (url && !url->tls) {
    impl_->proxy = *std::move(url);
  } else if (url) {
    impl_->proxy_error.emplace(ErrorKind::kInvalid, "proxy: only http:// proxies are supported");
  } else {
    impl_->proxy_error = std::move(url).error().Wrap("proxy");
  }
}

HttpClient::~HttpClient() {
  std::vector<std::shared_ptr<ConnectionPool>> pools;
  {
    MutexLock lock(impl_->mutex);
    pools.swap(impl_->pools);
  }
  // Sockets belong to their loops' threads. A loop that has ended has closed its pool itself.
  for (auto& pool : pools) {
    const auto mailbox = pool->mailbox;
    mailbox->Post([p = std::move(pool)] { p->Close(); });
  }
}

Result<std::unique_ptr<HttpClientResponse>> HttpClient::Send(Fiber& fiber,
                                                             const HttpClientRequest& request) {
  const auto impl = impl_;
  return impl->Send(fiber, request, kNever);
}

Result<std::unique_ptr<HttpClientResponse>> HttpClient::Send(Fiber& fiber,
                                                             const HttpClientRequest& request,
                                                             Duration timeout) {
  const auto impl = impl_;
  return impl->Send(fiber, request, DeadlineAfter(timeout));
}

Result<HttpClient::Reply> HttpClient::Fetch(Fiber& fiber, const HttpClientRequest& request,
                                            std::uint64_t max_bytes, Duration timeout) {
  const auto impl = impl_;
  const auto response = TRY(impl->Send(fiber, request, DeadlineAfter(timeout)));
  Reply reply;
  reply.status = response->status();
  reply.body = TRY(response->ReadAll(fiber, max_bytes));
  reply.headers = response->headers();
  return reply;
}

Result<HttpClient::Reply> FetchBlocking(const HttpClientRequest& request, std::uint64_t max_bytes,
                                        Duration timeout, const HttpClientOptions& options) {
  EventLoop loop("fetch");
  instrument::Registry registry;
  HttpClient client(options, registry, "fetch");
  std::optional<Result<HttpClient::Reply>> reply;
  const FiberHandle handle = loop.Spawn(
      [&](Fiber& fiber) { reply.emplace(client.Fetch(fiber, request, max_bytes, timeout)); });
  handle.Join();
  loop.Stop();
  return *std::move(reply);
}

}  // namespace sonde::net
