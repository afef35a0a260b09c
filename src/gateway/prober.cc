#include "gateway/prober.h"

#include <algorithm>
#include <string>

namespace sonde::gateway {
namespace {

constexpr const char* kModelsPath = "/v1/models";
constexpr std::uint64_t kMaxModelsBytes = 4U << 20;

bool IsWellAnswered(int status) {
  // Whoever asks for a key, or has no such path, is there. 501 is llama.cpp's "not switched on".
  return status < 500 || status == 501;
}

/// Asks for `path`. False if there is no such path, which says nothing.
bool ProbeOnce(net::Fiber& fiber, Upstream& upstream, const std::string& path, Duration timeout,
               const Clock& clock, const Logger& logger) {
  net::HttpClientTrace trace;
  net::HttpClientRequest request{.url = upstream.UrlFor(path), .trace = &trace};
  request.headers.Set("User-Agent", "Sonde");
  if (!upstream.options().authorization.empty()) {
    request.headers.Set("Authorization", upstream.options().authorization);
  }
  const bool was_up = upstream.health.up();
  const auto reply = upstream.client().Fetch(fiber, request, kMaxModelsBytes, timeout);
  if (fiber.cancelled()) return true;
  const std::int64_t now = clock.MonotonicNanos();
  if (!reply) {
    const std::string& why = reply.error().message();
    if (trace.has_connection) {
      upstream.cold_start.SawLife(now);
      upstream.health.ProbeFailed(now, why, reply.error().kind() == ErrorKind::kTimeout);
    } else {
      // A connection that is refused says "absent"; one that takes too long says nothing.
      if (reply.error().kind() == ErrorKind::kUnavailable) upstream.cold_start.SawAbsence();
      upstream.health.Unreachable(now, why);
    }
    if (was_up)
      logger.Warn("gateway upstream does not answer",
                  {{"upstream", upstream.name()}, {"err", why}});
    return true;
  }
  if (path != kModelsPath && reply->status == 404) return false;
  if (!IsWellAnswered(reply->status)) {
    if (reply->status == 503) {
      upstream.cold_start.SawLoading(now);
    } else {
      upstream.cold_start.SawLife(now);
    }
    const std::string why = "GET " + path + ": status " + std::to_string(reply->status);
    upstream.health.ProbeFailed(now, why);
    if (was_up)
      logger.Warn("gateway upstream is not ready", {{"upstream", upstream.name()}, {"err", why}});
    return true;
  }
  upstream.cold_start.SawReady(now);
  upstream.health.ProbeSucceeded(now);
  if (!was_up) logger.Info("gateway upstream answers", {{"upstream", upstream.name()}});
  if (path != kModelsPath || reply->status != 200 || upstream.models()->configured) return true;
  if (auto models = ModelList::Parse(reply->body)) upstream.SetModels(*std::move(models));
  return true;
}

}  // namespace

void KeepProbing(net::Fiber& fiber, Upstream& upstream, const ProbeOptions& options,
                 const Clock& clock, const Logger& logger) {
  // Often enough to notice an ejection that has just begun.
  const Duration tick = std::clamp(options.interval, Duration(1), Duration(500));
  const std::int64_t models_interval = options.models_interval.count() * 1'000'000;
  std::int64_t models_due = 0;
  const std::string health_path =
      upstream.options().health_path.empty() ? "/health" : upstream.options().health_path;
  do {
    const std::int64_t now = clock.MonotonicNanos();
    // llama-cpp-python's server breaks off the answer that it is streaming when somebody asks for
    // its models, so a busy upstream is asked for its health only.
    const bool busy = upstream.models()->known && upstream.outstanding() > 0;
    const bool models_are_due = !busy && !upstream.health.ejected() && now >= models_due;
    if (!models_are_due && !upstream.health.ProbeIsDue(now, options.interval.count() * 1'000'000))
      continue;
    if (!models_are_due && upstream.models()->known &&
        (ProbeOnce(fiber, upstream, health_path, options.timeout, clock, logger) || busy)) {
      continue;
    }
    ProbeOnce(fiber, upstream, kModelsPath, options.timeout, clock, logger);
    // An upstream that is not known yet is asked again at the next interval, not only in a minute.
    models_due = upstream.models()->known ? now + models_interval
                                          : now + options.interval.count() * 1'000'000;
  } while (fiber.Sleep(tick));
}

}  // namespace sonde::gateway
