#include "collect/probe/canary.h"

#include <algorithm>
#include <utility>

#include "base/json.h"
#include "collect/probe/chat_answer.h"

namespace sonde::collect {
namespace {

std::string RequestBody(const CanaryEndpoint& endpoint, const Question& question,
                        std::uint32_t max_tokens) {
  std::string body;
  JsonWriter json(body);
  json.BeginObject().Key("model").String(endpoint.model).Key("messages").BeginArray();
  if (!question.system.empty()) {
    json.BeginObject().Key("role").String("system");
    json.Key("content").String(question.system).EndObject();
  }
  json.BeginObject().Key("role").String("user");
  json.Key("content").String(question.prompt).EndObject().EndArray();
  json.Key("temperature").Int(0).Key("max_tokens").Uint(max_tokens);
  json.Key("stream").Bool(true);
  json.Key("stream_options").BeginObject().Key("include_usage").Bool(true).EndObject();
  json.Key("user").String(kCanaryMark).EndObject();
  return body;
}

CanaryOutcome OfStatus(int status) {
  if (status == 401 || status == 403) return CanaryOutcome::kUnauthorized;
  if (status == 402) return CanaryOutcome::kPayment;
  if (status == 429 || status == 503) return CanaryOutcome::kOverloaded;
  return status >= 500 ? CanaryOutcome::kServerError : CanaryOutcome::kClientError;
}

CanaryOutcome OfError(const Error& error, const net::HttpClientTrace& trace) {
  if (error.kind() == ErrorKind::kTimeout) return CanaryOutcome::kTimeout;
  if (trace.has_connection)
    return error.kind() == ErrorKind::kInvalid ? CanaryOutcome::kMalformed : CanaryOutcome::kBroken;
  return error.message().find("TLS") != std::string::npos ? CanaryOutcome::kTls
                                                          : CanaryOutcome::kConnect;
}

CanaryOutcome Judge(const Question& question, const ChatAnswer& answer) {
  if (answer.failed) return CanaryOutcome::kServerError;
  if (answer.malformed) return CanaryOutcome::kMalformed;
  if (!answer.complete) return CanaryOutcome::kBroken;
  if (IsRight(question, answer.text)) return CanaryOutcome::kRight;
  if (answer.finish_reason == "length") return CanaryOutcome::kTruncated;
  return StripReasoning(answer.text).empty() ? CanaryOutcome::kEmpty : CanaryOutcome::kWrong;
}

/// Lower case, for comparing media types.
bool IsEventStream(std::string_view type) {
  return net::EqualsIgnoringCase(type.substr(0, std::min<std::size_t>(type.size(), 17)),
                                 "text/event-stream");
}

}  // namespace

std::string_view ToString(CanaryOutcome outcome) {
  switch (outcome) {
    case CanaryOutcome::kRight:
      return "right";
    case CanaryOutcome::kWrong:
      return "wrong";
    case CanaryOutcome::kTruncated:
      return "truncated";
    case CanaryOutcome::kEmpty:
      return "empty";
    case CanaryOutcome::kConnect:
      return "connect";
    case CanaryOutcome::kTls:
      return "tls";
    case CanaryOutcome::kTimeout:
      return "timeout";
    case CanaryOutcome::kUnauthorized:
      return "unauthorized";
    case CanaryOutcome::kPayment:
      return "payment_required";
    case CanaryOutcome::kOverloaded:
      return "overloaded";
    case CanaryOutcome::kClientError:
      return "client_error";
    case CanaryOutcome::kServerError:
      return "server_error";
    case CanaryOutcome::kBroken:
      return "broken_stream";
    case CanaryOutcome::kMalformed:
      return "malformed";
  }
  return "malformed";
}

bool WasAnswered(CanaryOutcome outcome) {
  return outcome <= CanaryOutcome::kEmpty;
}

std::string ApiUrl(std::string_view base, std::string_view path) {
  while (base.ends_with('/'))
    base.remove_suffix(1);
  if (base.ends_with("/v1") && path.starts_with("/v1/")) base.remove_suffix(3);
  return std::string(base) + std::string(path);
}

std::string InstanceOf(const std::string& url) {
  const auto parsed = net::Url::Parse(url);
  if (!parsed) return url;
  const bool v6 = parsed->host.find(':') != std::string::npos;
  return (v6 ? "[" + parsed->host + "]" : parsed->host) + ":" + std::to_string(parsed->port);
}

CanaryResult AskCanary(net::Fiber& fiber, net::HttpClient& client, const Clock& clock,
                       const CanaryEndpoint& endpoint, std::string_view suite,
                       const Question& question, std::uint32_t max_tokens, Duration timeout) {
  CanaryResult result;
  auto url = net::Url::Parse(ApiUrl(endpoint.url, "/v1/chat/completions"));
  if (!url) {
    result.outcome = CanaryOutcome::kClientError;
    return result;
  }
  if (question.max_tokens != 0) max_tokens = std::min(max_tokens, question.max_tokens);
  net::HttpClientTrace trace;
  net::HttpClientRequest request{.method = "POST",
                                 .url = *std::move(url),
                                 .body = RequestBody(endpoint, question, max_tokens),
                                 .trace = &trace};
  request.headers.Set("Content-Type", "application/json");
  request.headers.Set("Accept", "text/event-stream, application/json");
  request.headers.Set(kCanaryMark, std::string(suite) + "/" + question.name);
  if (!endpoint.authorization.empty()) request.headers.Set("Authorization", endpoint.authorization);

  const std::int64_t started = clock.MonotonicNanos();
  const auto seconds = [&] { return static_cast<double>(clock.MonotonicNanos() - started) / 1e9; };
  const auto end = [&](CanaryOutcome outcome) {
    result.outcome = outcome;
    result.seconds = seconds();
    return result;
  };
  auto response = client.Send(fiber, request, timeout);
  if (!response) return end(OfError(response.error(), trace));
  result.status = (*response)->status();
  if (result.status != 200) return end(OfStatus(result.status));

  const bool streaming = IsEventStream((*response)->headers().Get("Content-Type"));
  ChatReader reader(streaming);
  while (true) {
    const auto piece = (*response)->ReadSome(fiber);
    if (!piece) {
      return end(piece.error().kind() == ErrorKind::kTimeout ? CanaryOutcome::kTimeout
                                                             : CanaryOutcome::kBroken);
    }
    if (piece->empty()) break;
    reader.Feed(*piece);
    if (streaming && reader.answer().generated && !result.ttft_seconds)
      result.ttft_seconds = seconds();
    if (reader.answer().malformed || reader.answer().failed) break;
  }
  const ChatAnswer& answer = reader.Finish();
  result.prompt_tokens = std::max<std::int64_t>(0, answer.prompt_tokens.value_or(0));
  result.completion_tokens = std::max<std::int64_t>(0, answer.completion_tokens.value_or(0));
  return end(Judge(question, answer));
}

}  // namespace sonde::collect
