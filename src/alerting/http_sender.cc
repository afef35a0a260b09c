#include "alerting/http_sender.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/quote.h"

namespace sonde::alerting {
namespace {

constexpr std::uint64_t kMaxSecretBytes = 64 << 10;
constexpr std::uint64_t kMaxAnswerBytes = 16 << 10;

SendResult Failure(const Error& error, bool retry) {
  SendResult result;
  result.retry = retry;
  result.detail = error.message();
  return result;
}

/// Everything that decides how connections are made.
std::string ClientKey(const HttpOptions& http) {
  std::string key;
  for (const std::string& part :
       {http.proxy_url, http.tls.ca_file, http.tls.ca_pem, http.tls.certificate_file,
        http.tls.key_file, http.tls.server_name, http.tls.min_version, http.tls.max_version}) {
    key += part + '\n';
  }
  return key + (http.tls.insecure_skip_verify ? "!" : "");
}

}  // namespace

HttpSender::~HttpSender() {
  std::vector<net::FiberHandle> fibers;
  {
    MutexLock lock(mutex_);
    fibers.swap(fibers_);
  }
  for (const net::FiberHandle& fiber : fibers)
    fiber.Cancel();
  for (const net::FiberHandle& fiber : fibers)
    fiber.Join();
}

void HttpSender::Send(const Notification& notification, std::function<void(SendResult)> done) {
  {
    MutexLock lock(mutex_);
    std::erase_if(fibers_, [](const net::FiberHandle& fiber) { return fiber.done(); });
    if (fibers_.size() < kMaxInFlight) {
      fibers_.push_back(context_.loops.Next().Spawn(
          [this, notification, done = std::move(done)](net::Fiber& fiber) {
            SendResult result = SendInFiber(fiber, notification);
            // Writing the log may wait for the disk, which a loop must not.
            fiber.Await(context_.pool, [&] { done(std::move(result)); });
          }));
      return;
    }
  }
  done(Failure(Error(ErrorKind::kLimit, "too many notifications are under way"), true));
}

Result<std::string> HttpSender::ReadSecret(const std::string& file) const {
  const std::string text = TRY(context_.env.ReadFile(file, kMaxSecretBytes));
  return std::string(TrimSpace(text));
}

Result<HttpSender::Prepared> HttpSender::Prepare(const Notification& notification) {
  const Integration& integration = *notification.integration;
  const HttpOptions& http = integration.http;
  Prepared out;
  out.request.method = "POST";
  std::string url = integration.url;
  if (!integration.url_file.empty()) url = TRY(ReadSecret(integration.url_file));
  auto parsed = net::Url::Parse(url);
  if (!parsed) return Error(ErrorKind::kInvalid, "the receiver's URL is not one");  // A secret.
  out.request.url = *std::move(parsed);
  net::Headers& headers = out.request.headers;
  headers.Add("Content-Type", "application/json");
  for (const auto& [name, value] : http.headers)
    headers.Add(name, value);
  std::string user = http.user;
  if (!http.user_file.empty()) user = TRY(ReadSecret(http.user_file));
  std::string password = http.password;
  if (!http.password_file.empty()) password = TRY(ReadSecret(http.password_file));
  std::string credentials = http.credentials;
  if (!http.credentials_file.empty()) credentials = TRY(ReadSecret(http.credentials_file));
  std::string token = integration.app_token;
  if (!integration.app_token_file.empty()) token = TRY(ReadSecret(integration.app_token_file));
  if (!token.empty()) {
    headers.Set("Authorization", "Bearer " + token);
  } else if (!credentials.empty()) {
    headers.Set("Authorization", http.authorization_type + " " + credentials);
  } else if (!user.empty() || !password.empty()) {
    headers.Set("Authorization", net::BasicAuthorization(user, password));
  }
  const NotificationData data = MakeNotificationData(notification, context_.external_url);
  out.request.body = integration.kind == IntegrationKind::kSlack
                         ? TRY(SlackBody(data, context_.render))
                         : WebhookBody(data);

  const std::string key = ClientKey(http);
  {
    MutexLock lock(mutex_);
    const auto found = clients_.find(key);
    if (found != clients_.end()) out.client = found->second;
  }
  if (out.client == nullptr) {
    net::HttpClientOptions options;
    options.tls = TRY(net::TlsContext::Client(http.tls));
    options.proxy_url = http.proxy_url;
    options.user_agent = context_.user_agent;
    out.client = std::make_shared<net::HttpClient>(options, context_.registry, "alerting");
    MutexLock lock(mutex_);
    clients_.emplace(key, out.client);
  }
  return out;
}

SendResult HttpSender::SendInFiber(net::Fiber& fiber, const Notification& notification) {
  auto prepared = fiber.Await(context_.pool, [&] { return Prepare(notification); });
  if (!prepared) return Failure(prepared.error(), true);
  Duration timeout = notification.deadline - context_.clock.Now();
  const Duration own = notification.integration->timeout;
  if (own.count() > 0) timeout = std::min(timeout, own);
  if (timeout.count() <= 0)
    return Failure(Error(ErrorKind::kTimeout, "the time for it is over"), true);
  auto response = prepared->client->Send(fiber, prepared->request, timeout);
  if (!response) return Failure(response.error(), true);
  const int status = (*response)->status();
  const std::string body = (*response)->ReadAll(fiber, kMaxAnswerBytes).value_or("");
  SendResult result = notification.integration->kind == IntegrationKind::kSlack
                          ? JudgeSlack(status, body)
                          : JudgeWebhook(status, body);
  const std::string_view after = (*response)->headers().Get("Retry-After");
  std::int64_t seconds = 0;
  if (result.retry &&
      std::from_chars(after.data(), after.data() + after.size(), seconds).ec == std::errc() &&
      seconds > 0 && seconds < 86'400)
    result.retry_after = Duration(seconds * 1000);
  return result;
}

}  // namespace sonde::alerting
