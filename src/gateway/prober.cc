#include "gateway/prober.h"

#include <algorithm>
#include <string>

namespace sonde::gateway {
namespace {

constexpr std::uint64_t kMaxModelsBytes = 4U << 20;

bool IsWellAnswered(int status) {
  // Whoever asks for a key, or has no such path, is there. 501 is llama.cpp's "not switched on".
  return status < 500 || status == 501;
}

void ProbeOnce(net::Fiber& fiber, Upstream& upstream, Duration timeout, const Clock& clock,
               const Logger& logger) {
  net::HttpClientTrace trace;
  net::HttpClientRequest request{.url = upstream.UrlFor("/v1/models"), .trace = &trace};
  request.headers.Set("User-Agent", "Sonde");
  if (!upstream.options().authorization.empty()) {
    request.headers.Set("Authorization", upstream.options().authorization);
  }
  const bool was_up = upstream.health.up();
  const auto reply = upstream.client().Fetch(fiber, request, kMaxModelsBytes, timeout);
  if (fiber.cancelled()) return;
  const std::int64_t now = clock.MonotonicNanos();
  if (!reply) {
    const std::string& why = reply.error().message();
    if (trace.has_connection) {
      upstream.cold_start.SawLife(now);
      upstream.health.ProbeFailed(now, why);
    } else {
      // A connection that is refused says "absent"; one that takes too long says nothing.
      if (reply.error().kind() == ErrorKind::kUnavailable) upstream.cold_start.SawAbsence();
      upstream.health.Unreachable(now, why);
    }
    if (was_up)
      logger.Warn("gateway upstream does not answer",
                  {{"upstream", upstream.name()}, {"err", why}});
    return;
  }
  if (!IsWellAnswered(reply->status)) {
    if (reply->status == 503) {
      upstream.cold_start.SawLoading(now);
    } else {
      upstream.cold_start.SawLife(now);
    }
    const std::string why = "GET /v1/models: status " + std::to_string(reply->status);
    upstream.health.ProbeFailed(now, why);
    if (was_up)
      logger.Warn("gateway upstream is not ready", {{"upstream", upstream.name()}, {"err", why}});
    return;
  }
  upstream.cold_start.SawReady(now);
  upstream.health.ProbeSucceeded(now);
  if (!was_up) logger.Info("gateway upstream answers", {{"upstream", upstream.name()}});
  if (reply->status != 200 || upstream.models()->configured) return;
  if (auto models = ModelList::Parse(reply->body)) upstream.SetModels(*std::move(models));
}

}  // namespace

void KeepProbing(net::Fiber& fiber, Upstream& upstream, const ProbeOptions& options,
                 const Clock& clock, const Logger& logger) {
  // Often enough to notice an ejection that has just begun.
  const Duration tick = std::clamp(options.interval, Duration(1), Duration(500));
  const std::int64_t models_interval = options.models_interval.count() * 1'000'000;
  std::int64_t models_due = 0;
  do {
    const std::int64_t now = clock.MonotonicNanos();
    const bool models_are_due = !upstream.health.ejected() && now >= models_due;
    if (!models_are_due && !upstream.health.ProbeIsDue(now, options.interval.count() * 1'000'000))
      continue;
    ProbeOnce(fiber, upstream, options.timeout, clock, logger);
    // An upstream that is not known yet is asked again at the next interval, not only in a minute.
    models_due = upstream.models()->known ? now + models_interval
                                          : now + options.interval.count() * 1'000'000;
  } while (fiber.Sleep(tick));
}

}  // namespace sonde::gateway
