#include "gateway/proxy_call.h"

#include <algorithm>
#include <array>
#include <utility>

#include "gateway/hop_by_hop.h"

namespace sonde::gateway {
namespace {

/// A token is about four bytes of English, code or JSON. For other texts it is a constant factor,
/// which does not change who has the least to do; and limits are corrected when the answer is
/// there.
constexpr std::int64_t kBytesPerToken = 4;

bool IsInference(const net::HttpRequest& request) {
  static constexpr std::array<std::string_view, 5> kEnds = {
      "/chat/completions", "/completions", "/responses", "/embeddings", "/messages"};
  return request.method() == "POST" && std::ranges::any_of(kEnds, [&](std::string_view end) {
           return request.path().ends_with(end);
         });
}

bool IsRequestId(std::string_view id) {
  return !id.empty() && id.size() <= 128 &&
         std::ranges::all_of(id, [](char c) { return c > ' ' && c < 0x7F; });
}

AnswerKind KindOf(const net::Headers& headers) {
  const std::string_view encoding = headers.Get("Content-Encoding");
  if (!encoding.empty() && !net::EqualsIgnoringCase(encoding, "identity"))
    return AnswerKind::kOpaque;
  const std::string_view type = headers.Get("Content-Type");
  if (type.size() >= 17 && net::EqualsIgnoringCase(type.substr(0, 17), "text/event-stream"))
    return AnswerKind::kEvents;
  return type.find("json") == std::string_view::npos ? AnswerKind::kOpaque : AnswerKind::kJson;
}

/// The model that a path names: /v1/models/ID.
std::string ModelInPath(std::string_view path) {
  constexpr std::string_view kModels = "/v1/models/";
  if (!path.starts_with(kModels)) return {};
  return net::PercentDecode(path.substr(kModels.size()), false).value_or("");
}

}  // namespace

ProxyCall::ProxyCall(Proxy& proxy, std::shared_ptr<const Settings> settings, Identity identity,
                     net::Fiber& fiber, net::HttpRequest& request, net::HttpResponse& response)
    : proxy_(proxy),
      settings_(std::move(settings)),
      fiber_(fiber),
      request_(request),
      response_(response),
      inference_(IsInference(request)),
      identity_(std::move(identity)) {}

void ProxyCall::Run() {
  const std::string_view id = request_.headers().Get("X-Request-Id");
  request_id_ = IsRequestId(id) ? std::string(id) : proxy_.NewRequestId();
  response_.headers().Set("X-Request-Id", request_id_);
  // Whatever we wait for then, in this fiber, ends at once: the upstream's connection is closed,
  // and it stops working.
  response_.OnDisconnect([this] {
    gone_ = true;
    fiber_.Cancel();
  });
  const bool identified = Identified();
  const bool routable = identified && ReadForRouting();
  if (inference_) {
    const bool served = !model_.empty() && settings_->Serves(model_);
    metrics_ = &proxy_.metrics_.Model(model_, served, tenant_);
    metrics_->running.Add(1);
  }
  if (routable && Admitted()) Forward();
  load_.reset();
  if (metrics_ != nullptr) {
    metrics_->running.Add(-1);
    if (!rejected_.empty()) proxy_.path_metrics_.Rejected(metrics_->model(), tenant_, rejected_);
    Count();
  }
  Settle();
  response_.OnDisconnect(nullptr);
}

bool ProxyCall::Identified() {
  if (identity_.refusal != Identity::Refusal::kNone) {
    outcome_ = Outcome::kClientError;
    status_ = 401;
    rejected_ = "key";
    AnswerUnauthorized(response_, identity_.refusal);
    return false;
  }
  if (identity_.tenant.empty()) return true;
  tenant_of_ = proxy_.tenants_.Get(identity_.tenant);
  tenant_ = tenant_of_->name();
  return true;
}

bool ProxyCall::Admitted() {
  const std::uint64_t bytes = std::max(body_bytes_, request_.content_length().value_or(0));
  prompt_tokens_ = static_cast<std::int64_t>(bytes) / kBytesPerToken + 1;
  if (tenant_of_ == nullptr || !inference_) return true;
  const auto tokens = static_cast<double>(prompt_tokens_);
  const LimitState state = tenant_of_->Admit(tokens, proxy_.clock_.MonotonicNanos());
  limited_ = state.requests_limit > 0 || state.tokens_limit > 0;
  SetLimitHeaders(state, response_.headers());
  if (state.refused == LimitKind::kNone) {
    admission_.emplace(tenant_of_, tokens);
    return true;
  }
  // The tenant's doing, not a sign that the service has too much to do.
  outcome_ = Outcome::kClientError;
  rejected_ = ToString(state.refused);
  if (fiber_.cancelled()) return false;
  status_ = 429;
  AnswerError(response_, 429, ToString(state.refused), "rate_limit_exceeded",
              LimitMessage(state, tenant_));
  return false;
}

/// Corrects what the tenant was charged by what was used.
void ProxyCall::Settle() {
  const bool answered = meter_ && status_ >= 200 && status_ < 300;
  if (answered && meter_->tokens() > 0) proxy_.balancer_.NoteOutput(meter_->tokens());
  if (!admission_) return;
  // A request that got no answer has used nothing.
  double tokens = 0;
  if (answered) {
    const auto prompt = meter_->usage().prompt;
    tokens = (prompt ? static_cast<double>(*prompt) : admission_->prompt_tokens()) +
             static_cast<double>(meter_->tokens());
  }
  admission_->Settle(tokens, proxy_.clock_.MonotonicNanos());
}

bool ProxyCall::ReadForRouting() {
  const GatewayOptions& options = settings_->options;
  const auto length = request_.content_length();
  if (length.value_or(0) > options.max_body_bytes) {
    RefuseBody(Error(ErrorKind::kLimit, "announced"));
    return false;
  }
  body_complete_ = length == 0U;
  if (!inference_) {
    model_ = ModelInPath(request_.path());
    return true;
  }
  while (!body_complete_) {
    const std::uint64_t enough = scanner_.settled() ? kSmallBody : options.max_routing_bytes;
    if (body_.size() >= enough) break;
    const auto piece = MoreBody();
    if (!piece) {
      RefuseBody(piece.error());
      return false;
    }
    if (piece->empty()) {
      body_complete_ = true;
    } else {
      scanner_.Feed(*piece);
      body_ += *piece;
    }
  }
  model_ = scanner_.model();
  streaming_ = scanner_.stream();
  return true;
}

/// The next piece of the client's body, within the limit.
Result<std::string_view> ProxyCall::MoreBody() {
  auto piece = request_.ReadSome();
  if (piece) {
    body_bytes_ += piece->size();
    if (body_bytes_ > settings_->options.max_body_bytes)
      piece = Error(ErrorKind::kLimit, "request body is too large");
  }
  if (!piece) body_error_ = piece.error();
  return piece;
}

void ProxyCall::RefuseBody(const Error& error) {
  switch (error.kind()) {
    case ErrorKind::kLimit:
      rejected_ = "too_large";
      Fail(Outcome::kClientError, 413, "request_too_large",
           "the request is larger than " + std::to_string(settings_->options.max_body_bytes) +
               " bytes (sonde.gateway.max_body_size)");
      return;
    case ErrorKind::kTimeout:
      Fail(Outcome::kClientError, 408, "request_timeout", "the request's body did not come");
      return;
    case ErrorKind::kCancelled:
      outcome_ = gone_ || !fiber_.cancelled() ? Outcome::kCancelled : Outcome::kServerError;
      return;
    default:
      Fail(Outcome::kClientError, 400, "invalid_body", error.message());
  }
}

void ProxyCall::Fail(Outcome outcome, int status, std::string_view code, std::string_view message) {
  outcome_ = outcome;
  if (fiber_.cancelled()) return;  // Nobody to tell.
  status_ = status;
  AnswerError(response_, status, status < 500 ? "invalid_request_error" : "upstream_error", code,
              message);
}

void ProxyCall::CopyHeaders(const net::HttpClientResponse& answer) {
  const net::Headers& in = answer.headers();
  const bool chunked = in.Has("Transfer-Encoding");
  for (const auto& [name, value] : in) {
    if (IsHopByHop(name, in) || (chunked && net::EqualsIgnoringCase(name, "Content-Length")))
      continue;
    if (limited_ && IsLimitHeader(name)) continue;
    // The upstream may have an id of its own, which its operator will ask for.
    if (net::EqualsIgnoringCase(name, "X-Request-Id")) response_.headers().Remove(name);
    response_.headers().Add(name, value);
  }
}

void ProxyCall::Relay(Upstream& upstream, net::HttpClientResponse& answer) {
  const int status = answer.status();
  NoteStatus(upstream, status);
  CopyHeaders(answer);
  const AnswerKind kind = inference_ ? KindOf(answer.headers()) : AnswerKind::kOpaque;
  streaming_ |= kind == AnswerKind::kEvents;
  MeterSink& sink = *this;
  answering_ = &upstream;
  meter_.emplace(kind, request_.received_nanos(), sink);

  const Status relayed = RelayBody(upstream, answer);
  meter_->Finish();
  if (!relayed) return;
  // Without a length the end of the connection is taken for the end of the answer; a stream knows
  // better.
  const bool unframed =
      !answer.headers().Has("Content-Length") && !answer.headers().Has("Transfer-Encoding");
  if (kind == AnswerKind::kEvents && unframed && !meter_->ended()) {
    outcome_ = Outcome::kServerError;
    upstream.health.Failed(proxy_.clock_.MonotonicNanos(), "stream ended early");
    return;
  }
  if (!gone_ && status >= 200 && status < 300 && meter_->error() == AnswerError::kNone)
    NoteToken(upstream);
}

Status ProxyCall::RelayBody(Upstream& upstream, net::HttpClientResponse& answer) {
  const auto client_left = [&](Status status) {
    outcome_ = gone_ || !fiber_.cancelled() ? Outcome::kCancelled : Outcome::kServerError;
    return status;
  };
  Status started = response_.Start(answer.status());
  if (!started) return client_left(std::move(started));
  status_ = answer.status();
  while (true) {
    const auto piece = answer.ReadSome(fiber_);
    if (!piece) {
      BrokenAnswer(upstream, piece.error());
      return piece.error();
    }
    if (piece->empty()) break;
    // First the client, then the clockwork: what is measured costs the client nothing.
    Status written = response_.Write(*piece);
    if (!written) return client_left(std::move(written));
    if (!inference_) continue;
    meter_->OnWritten(*piece, response_.written_nanos());
    if (!token_noted_ && meter_->has_content()) NoteToken(upstream);
  }
  Status finished = response_.Finish();
  if (!finished) return client_left(std::move(finished));
  return OkStatus();
}

void ProxyCall::BrokenAnswer(Upstream& upstream, const Error& error) {
  // The answer stays unfinished, so the client sees that it is cut.
  if (fiber_.cancelled()) {
    outcome_ = gone_ ? Outcome::kCancelled : Outcome::kServerError;
    return;
  }
  upstream.health.Failed(proxy_.clock_.MonotonicNanos(), error.message());
  outcome_ = error.kind() == ErrorKind::kTimeout ? Outcome::kTimeout : Outcome::kServerError;
}

void ProxyCall::NoteToken(Upstream& upstream) {
  if (token_noted_ || !inference_) return;
  token_noted_ = true;
  const auto took =
      upstream.cold_start.SawToken(proxy_.clock_.MonotonicNanos(), request_.received_nanos());
  if (!took) return;
  metrics_->CountColdStart(upstream.name(), *took);
  proxy_.logger_.Info(
      "gateway upstream served its first token after a cold start",
      {{"upstream", upstream.name()}, {"duration", Duration(took->nanos / 1'000'000)}});
}

void ProxyCall::Count() {
  RequestEnd end;
  end.outcome = outcome_ ? *outcome_ : OutcomeOfAnswer(status_, meter_ ? &*meter_ : nullptr);
  end.code = status_ != 0 ? status_ : (end.outcome == Outcome::kCancelled ? 499 : 503);
  end.streaming = streaming_;
  if (meter_) end.finish_reason = meter_->finish_reason();
  const bool whole = end.outcome != Outcome::kCancelled && response_.written_nanos() != 0;
  const std::int64_t last = whole ? response_.written_nanos() : proxy_.clock_.MonotonicNanos();
  end.nanos = std::max<std::int64_t>(last - request_.received_nanos(), 0);
  if (meter_ && status_ >= 200 && status_ < 300) end.meter = &*meter_;
  end.request_bytes = body_bytes_;
  end.request_id = request_id_;
  end.answered_id = response_.headers().Get("X-Request-Id");
  if (answering_ != nullptr) end.upstream_url = answering_->options().url;
  proxy_.metrics_.Count(*metrics_, end);
}

void ProxyCall::OnFirstToken(std::int64_t since_request) {
  metrics_->OnFirstToken(since_request, request_id_, proxy_.clock_.Now());
  if (answering_ != nullptr)
    proxy_.path_metrics_.FirstToken(answering_->name(), metrics_->model(), since_request);
  load_->PromptDone();
  load_->Wrote(1);
}

void ProxyCall::OnTokens(std::int64_t gap, std::uint64_t count) {
  metrics_->OnTokens(gap, count);
  load_->Wrote(count);
}

}  // namespace sonde::gateway
