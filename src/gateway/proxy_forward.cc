#include <algorithm>
#include <utility>

#include "gateway/hop_by_hop.h"
#include "gateway/proxy_call.h"

// The half of ProxyCall that finds an upstream for a request and sends it there.

namespace sonde::gateway {
namespace {

bool IsEmbeddings(const net::HttpRequest& request) {
  return request.path().ends_with("/embeddings");
}

}  // namespace

net::HttpClientRequest ProxyCall::BuildRequest() {
  net::HttpClientRequest out;
  out.method = request_.method();
  out.decode = false;
  const net::Headers& in = request_.headers();
  for (const auto& [name, value] : in) {
    if (IsHopByHop(name, in) || net::EqualsIgnoringCase(name, "Host") ||
        net::EqualsIgnoringCase(name, "Content-Length") ||
        net::EqualsIgnoringCase(name, "Expect") || net::EqualsIgnoringCase(name, "X-Request-Id") ||
        (inference_ && net::EqualsIgnoringCase(name, "Accept-Encoding"))) {
      continue;
    }
    // A key of ours is no business of an upstream's.
    const bool ours = identity_.gateway_key && net::EqualsIgnoringCase(name, identity_.key_header);
    if (ours && !settings_->options.access.forward_key) continue;
    if (net::EqualsIgnoringCase(name, "Authorization")) {
      client_authorization_ = value;
      continue;
    }
    out.headers.Add(name, value);
  }
  out.headers.Add("X-Request-Id", request_id_);
  // A compressed answer could not be measured, and tokens are short.
  if (inference_) out.headers.Add("Accept-Encoding", "identity");
  out.body = std::move(body_);
  if (!body_complete_) {
    out.body_length = request_.content_length();
    out.more_body = [this](net::Fiber&) {
      body_passed_on_ = true;
      return MoreBody();
    };
  }
  return out;
}

void ProxyCall::Forward() {
  net::HttpClientRequest out = BuildRequest();
  const std::string target =
      request_.target().starts_with('/')
          ? std::string(request_.target())
          : std::string(request_.path()) +
                (request_.query().empty() ? "" : "?" + std::string(request_.query()));
  if (settings_->options.retry.max > 0) proxy_.retries_.Save(settings_->options.retry.budget);
  const std::int64_t output_tokens = IsEmbeddings(request_) || !inference_
                                         ? 0
                                         : proxy_.balancer_.ExpectedOutput(scanner_.max_tokens());
  expected_tokens_ = prompt_tokens_ + output_tokens;
  std::vector<Upstream*> tried;
  Balancer::Choice choice = Choose(out.body, tried);
  while (choice.upstream != nullptr) {
    const std::shared_ptr<Upstream> upstream = choice.upstream;
    tried.push_back(upstream.get());
    load_.emplace(*upstream, prompt_tokens_, output_tokens);
    out.url = upstream->UrlFor(target);
    SetCredentials(out.headers, *upstream);
    net::HttpClientTrace trace;
    out.trace = &trace;
    const auto answer = upstream->client().Send(fiber_, out);
    if (!answer) {
      if (!SendFailed(*upstream, trace, answer.error())) return;
      choice = Choose(out.body, tried);
      continue;
    }
    const int status = (*answer)->status();
    const RetryOptions& retry = settings_->options.retry;
    if (std::ranges::find(retry.statuses, status) != retry.statuses.end()) {
      const Balancer::Choice other = Choose(out.body, tried);
      if (other.upstream != nullptr && !other.upstream->health.ejected() && MayRetry(true)) {
        NoteStatus(*upstream, status);
        proxy_.path_metrics_.Retried(upstream->name(), std::to_string(status));
        choice = other;
        continue;
      }
    }
    Relay(*upstream, **answer);
    return;
  }
  AnswerNoUpstream(choice.why);
}

Balancer::Choice ProxyCall::Choose(std::string_view body, const std::vector<Upstream*>& tried) {
  RouteRequest route;
  route.model = model_;
  route.tokens = expected_tokens_;
  const BalancePolicy policy = settings_->BalanceFor(model_).policy;
  if (policy == BalancePolicy::kSessionAffinity) {
    route.session = request_.headers().Get(settings_->options.session_header);
    if (route.session.empty()) route.session = scanner_.session();
  } else if (policy == BalancePolicy::kPrefixAffinity) {
    route.prompt = PromptOf(body, kSmallBody);
  }
  return proxy_.balancer_.Choose(*settings_, route, tried, proxy_.clock_.MonotonicNanos());
}

void ProxyCall::SetCredentials(net::Headers& headers, const Upstream& upstream) const {
  headers.Remove("Authorization");
  const std::string& own = upstream.options().authorization;
  const bool use_own = !own.empty() && (client_authorization_.empty() || identity_.gateway_key);
  const std::string& chosen = use_own ? own : client_authorization_;
  if (!chosen.empty()) headers.Add("Authorization", chosen);
  // Forwarded keys are for upstreams that have no key of their own.
  if (use_own && identity_.gateway_key &&
      !net::EqualsIgnoringCase(identity_.key_header, "Authorization")) {
    headers.Remove(identity_.key_header);
  }
}

bool ProxyCall::MayRetry(bool configured) {
  if (!configured || body_passed_on_ || retries_ >= settings_->options.retry.max) return false;
  if (!proxy_.retries_.Take()) return false;
  ++retries_;
  return true;
}

void ProxyCall::NoteStatus(Upstream& upstream, int status) {
  const std::int64_t now = proxy_.clock_.MonotonicNanos();
  upstream.cold_start.SawLife(now);
  if (status >= 500) {
    const bool was_ejected = upstream.health.ejected();
    upstream.health.Failed(now, "status " + std::to_string(status));
    if (!was_ejected && upstream.health.ejected()) NoteEjection(upstream);
  } else {
    upstream.health.RequestSucceeded(now);
  }
}

void ProxyCall::NoteEjection(const Upstream& upstream) {
  proxy_.path_metrics_.Ejected(upstream.name());
  proxy_.logger_.Warn("gateway upstream is ejected",
                      {{"upstream", upstream.name()}, {"err", upstream.health.last_error()}});
}

void ProxyCall::AnswerNoUpstream(Balancer::NoUpstream why) {
  switch (why) {
    case Balancer::NoUpstream::kNoneConfigured:
      rejected_ = "no_upstream";
      Fail(Outcome::kOverloaded, 503, "no_upstream", "the gateway has no upstream");
      return;
    case Balancer::NoUpstream::kUnknownModel:
      Fail(Outcome::kClientError, 404, "model_not_found",
           "the model `" + model_ + "` does not exist");
      return;
    case Balancer::NoUpstream::kDrained:
      rejected_ = "no_upstream";
      Fail(Outcome::kOverloaded, 503, "no_upstream",
           "every upstream of the model is drained: their weight is 0");
      return;
    case Balancer::NoUpstream::kAllTried:
      Fail(Outcome::kServerError, 502, "upstream_unavailable",
           "no upstream could be reached: " + last_error_);
      return;
  }
}

bool ProxyCall::SendFailed(Upstream& upstream, const net::HttpClientTrace& trace,
                           const Error& error) {
  if (body_error_) {
    RefuseBody(*body_error_);
    return false;
  }
  if (fiber_.cancelled()) {
    outcome_ = gone_ ? Outcome::kCancelled : Outcome::kServerError;
    return false;
  }
  const std::int64_t now = proxy_.clock_.MonotonicNanos();
  const bool was_ejected = upstream.health.ejected();
  last_error_ = error.message();
  if (!trace.has_connection) {
    if (error.kind() == ErrorKind::kUnavailable) upstream.cold_start.SawAbsence();
    upstream.health.Unreachable(now, last_error_);
  } else {
    upstream.health.Failed(now, last_error_);
  }
  if (!was_ejected && upstream.health.ejected()) NoteEjection(upstream);
  if (!trace.has_connection && !body_passed_on_) {
    proxy_.path_metrics_.Retried(upstream.name(), "unreachable");
    return true;
  }
  if (error.kind() == ErrorKind::kUnavailable && MayRetry(settings_->options.retry.broken)) {
    proxy_.path_metrics_.Retried(upstream.name(), "broken");
    return true;
  }
  if (error.kind() == ErrorKind::kTimeout) {
    Fail(Outcome::kTimeout, 504, "upstream_timeout", "the upstream did not answer in time");
  } else {
    Fail(Outcome::kServerError, 502, "upstream_error", "the upstream failed: " + last_error_);
  }
  return false;
}

}  // namespace sonde::gateway
