#include "insight/anatomy.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/duration.h"
#include "base/number.h"
#include "base/quote.h"

namespace sonde::insight {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
/// Two counts of the same requests may differ by the ones at the window's edges.
constexpr double kSameRequests = 0.05;

/// A model and one of its instances; "" is all of them.
using Key = std::pair<std::string, std::string>;

struct Total {
  double sum = 0;
  double count = 0;
  double mean() const { return count > 0 ? sum / count : kNan; }
};
using Totals = std::map<Key, Total>;
using Buckets = std::map<double, double>;  // Upper bound → observations up to it.

/// As histogram_quantile, but honest: NaN where the answer would be drawn from the first bucket,
/// which says only "less than its bound", or from the last, which has none.
double Quantile(const Buckets& buckets, double level) {
  if (buckets.empty() || !(buckets.rbegin()->second > 0)) return kNan;
  const double rank = level * buckets.rbegin()->second;
  const auto found =
      std::ranges::find_if(buckets, [&](const auto& bucket) { return bucket.second >= rank; });
  if (found == buckets.begin() || found == buckets.end() || std::isinf(found->first)) return kNan;
  const auto below = std::prev(found);
  const double inside = found->second - below->second;
  return below->first +
         (found->first - below->first) * (inside > 0 ? (rank - below->second) / inside : 1);
}

/// What one histogram says within the window.
struct Measured {
  std::string metric;
  Totals totals;
  std::map<Key, Buckets> buckets;

  std::optional<Total> Of(const Key& key) const {
    const auto found = totals.find(key);
    if (found == totals.end() || !(found->second.count > 0)) return std::nullopt;
    return found->second;
  }
};

class Dissection {
 public:
  Dissection(const AnatomyOptions& options, const promql::Evaluator& evaluator,
             const storage::Queryable& store, Timestamp now)
      : options_(options), evaluator_(evaluator), store_(store), now_(now) {}

  Result<std::vector<Anatomy>> Run();

 private:
  using Series = std::vector<promql::ResultSeries>;

  Result<Series> Ask(const std::string& text) const {
    return Question(text, options_.prefix).Ask(evaluator_, store_, now_);
  }
  /// `selector`: `source="engine"` …; `by_instance`: else by model alone.
  Status Measure(Measured& out, const std::string& metric, const std::string& selector,
                 bool by_instance) const;
  Status FindEngines();
  Anatomy Dissect(const Key& key) const;
  Phase PhaseOf(const char* name, const Measured& measured, const Key& key,
                const Total& total) const;
  void AddOverhead(Anatomy& out, const Key& key) const;
  void AddFirstToken(Anatomy& out, const Key& key) const;
  void AddDecode(Anatomy& out, const Key& key) const;
  void AddRest(Anatomy& out) const;

  const AnatomyOptions options_;
  const promql::Evaluator& evaluator_;
  const storage::Queryable& store_;
  const Timestamp now_;

  // At the engine, by instance and in all.
  Measured e2e_, ttft_, queue_, prefill_, transfer_, decode_;
  // At the gateway: by model, and of each upstream.
  Measured gateway_e2e_, gateway_ttft_, upstream_ttft_;
  std::map<Key, std::string> engines_;
};

Status Dissection::Measure(Measured& out, const std::string& metric, const std::string& selector,
                           bool by_instance) const {
  out.metric = metric;
  const std::string window = FormatDuration(options_.window);
  std::string matchers = selector;
  if (!options_.model.empty()) matchers += ", model=" + QuoteGo(options_.model);
  const auto add = [&](const char* suffix, double Total::*member) -> Status {
    const auto series = TRY(Ask(fmt::format("sum by (model, instance) (increase({}_{}{{{}}}[{}]))",
                                            metric, suffix, matchers, window)));
    for (const auto& one : series) {
      const std::string model(one.labels.Get("model"));
      const double value = one.points.front().v;
      if (!std::isfinite(value)) continue;
      if (by_instance)
        out.totals[{model, std::string(one.labels.Get("instance"))}].*member += value;
      out.totals[{model, ""}].*member += value;
    }
    return OkStatus();
  };
  TRY(add("sum", &Total::sum));
  TRY(add("count", &Total::count));
  const auto series = TRY(Ask(fmt::format(
      "sum by (model, instance, le) (increase({}_bucket{{{}}}[{}]))", metric, matchers, window)));
  for (const auto& one : series) {
    const auto bound = ParseFloat(one.labels.Get("le"));
    if (!bound) continue;
    const std::string model(one.labels.Get("model"));
    const double count = one.points.front().v;
    if (by_instance) out.buckets[{model, std::string(one.labels.Get("instance"))}][*bound] += count;
    out.buckets[{model, ""}][*bound] += count;
  }
  return OkStatus();
}

Status Dissection::FindEngines() {
  const auto series =
      TRY(Ask(R"(group by (model, instance, engine) (deepseek_requests_running{source="engine"}
          or deepseek_time_to_first_token_seconds_count{source="engine"}
          or deepseek_inference_latency_seconds_count{source="engine"}
          or deepseek_generation_tokens_total{source="engine"}))"));
  for (const auto& one : series) {
    const std::string model(one.labels.Get("model"));
    if (!options_.model.empty() && model != options_.model) continue;
    engines_[{model, std::string(one.labels.Get("instance"))}] = one.labels.Get("engine");
  }
  return OkStatus();
}

Result<std::vector<Anatomy>> Dissection::Run() {
  const std::string engine = R"(source="engine")";
  const std::string streams = R"(source="gateway", streaming="true")";
  TRY(FindEngines());
  TRY(Measure(e2e_, "deepseek_inference_latency_seconds", engine, true));
  TRY(Measure(ttft_, "deepseek_time_to_first_token_seconds", engine, true));
  TRY(Measure(queue_, "deepseek_request_queue_seconds", engine, true));
  TRY(Measure(prefill_, "deepseek_request_prefill_seconds", engine, true));
  TRY(Measure(transfer_, "deepseek_kv_transfer_seconds", engine, true));
  TRY(Measure(decode_, "deepseek_request_decode_seconds", engine, true));
  TRY(Measure(gateway_e2e_, "deepseek_inference_latency_seconds",
              R"(source="gateway", outcome="success")", false));
  // kind: the first token of any kind, where reasoning and answer are told apart.
  TRY(Measure(gateway_ttft_, "deepseek_time_to_first_token_seconds", streams + R"(, kind=~"|any")",
              false));
  TRY(Measure(upstream_ttft_, "sonde_gateway_upstream_first_token_seconds", R"(instance!="")",
              true));

  std::map<std::string, int> instances;
  for (const auto& [key, name] : engines_)
    ++instances[key.first];
  for (const auto& [key, total] : gateway_e2e_.totals)
    instances.try_emplace(key.first, 0);
  std::vector<Anatomy> out;
  for (const auto& [model, count] : instances) {
    if (count != 1) out.push_back(Dissect({model, ""}));
    for (auto it = engines_.lower_bound({model, ""});
         it != engines_.end() && it->first.first == model; ++it) {
      out.push_back(Dissect(it->first));
    }
  }
  return out;
}

Phase Dissection::PhaseOf(const char* name, const Measured& measured, const Key& key,
                          const Total& total) const {
  Phase phase;
  phase.name = name;
  phase.mean = total.mean();
  phase.count = total.count;
  phase.source = measured.metric;
  const auto found = measured.buckets.find(key);
  const Buckets none;
  const Buckets& buckets = found == measured.buckets.end() ? none : found->second;
  phase.p50 = Quantile(buckets, 0.5);
  phase.p95 = Quantile(buckets, 0.95);
  phase.p99 = Quantile(buckets, 0.99);
  return phase;
}

Phase Estimate(const char* name, double mean, double count, std::string source) {
  return {.name = name,
          .mean = mean,
          .p50 = kNan,
          .p95 = kNan,
          .p99 = kNan,
          .count = count,
          .estimated = true,
          .source = std::move(source)};
}

void Dissection::AddOverhead(Anatomy& out, const Key& key) const {
  // An instance is compared with what the gateway saw of it; the only instance of a model with all
  // that the gateway saw of the model.
  std::optional<Total> outside = upstream_ttft_.Of(key);
  const Measured* from = &upstream_ttft_;
  const auto alone = [&] {
    auto it = engines_.lower_bound({key.first, ""});
    return it != engines_.end() && std::next(it) != engines_.end() &&
                   std::next(it)->first.first == key.first
               ? false
               : true;
  };
  if (!outside && (key.second.empty() || alone())) {
    outside = gateway_ttft_.Of({key.first, ""});
    from = &gateway_ttft_;
  }
  const auto inside = ttft_.Of(key);
  if (!outside) {
    out.unknown.emplace_back(
        "client_overhead: no streamed request came through the gateway, so the time outside the "
        "engine is not seen; send the clients to the gateway");
    return;
  }
  if (!inside) {
    out.unknown.emplace_back(
        "client_overhead: the engine exports no time to first token to compare the gateway's with");
    return;
  }
  out.phases.push_back(
      Estimate("client_overhead", outside->mean() - inside->mean(), outside->count,
               from->metric + " at the gateway − " + ttft_.metric + " at the engine"));
  if (std::abs(outside->count - inside->count) >
      kSameRequests * std::max(outside->count, inside->count)) {
    out.unknown.push_back(fmt::format(
        "client_overhead is not exact: the engine counted {:.0f} first tokens, the gateway {:.0f} "
        "streams; requests that do not stream, or do not come through the gateway, are in the "
        "engine's figure alone",
        inside->count, outside->count));
  }
}

void Dissection::AddFirstToken(Anatomy& out, const Key& key) const {
  const auto ttft = ttft_.Of(key);
  const auto queue = queue_.Of(key);
  const auto prefill = prefill_.Of(key);
  if (ttft && queue && prefill) {
    const double rest = ttft->mean() - queue->mean() - prefill->mean();
    // Below a tenth of a millisecond it is the rounding of the two windows.
    if (rest > 1e-4) {
      out.phases.push_back(Estimate("frontend", rest, ttft->count,
                                    ttft_.metric + " − queue − prefill, at the engine"));
    }
  }
  if (queue) {
    out.phases.push_back(PhaseOf("queue", queue_, key, *queue));
  }
  if (prefill) {
    out.phases.push_back(PhaseOf("prefill", prefill_, key, *prefill));
  } else if (ttft && queue) {
    out.phases.push_back(Estimate("prefill", std::max(0.0, ttft->mean() - queue->mean()),
                                  ttft->count, ttft_.metric + " − " + queue_.metric));
    out.unknown.emplace_back(
        "prefill is the time to first token less the queue: this engine has "
        "no histogram of prefill times");
  } else if (ttft) {
    Phase phase = PhaseOf("queue_and_prefill", ttft_, key, *ttft);
    out.phases.push_back(std::move(phase));
    out.unknown.emplace_back(
        "queue, prefill: this engine tells only the time to first token, which is both together");
  } else {
    out.unknown.emplace_back(
        "queue, prefill: this engine exports neither of them, nor a time to first token");
  }
  if (const auto transfer = transfer_.Of(key)) {
    out.phases.push_back(PhaseOf("kv_transfer", transfer_, key, *transfer));
  }
}

void Dissection::AddDecode(Anatomy& out, const Key& key) const {
  if (const auto decode = decode_.Of(key)) {
    out.phases.push_back(PhaseOf("decode", decode_, key, *decode));
    return;
  }
  const auto e2e = e2e_.Of(key);
  const auto ttft = ttft_.Of(key);
  if (e2e && ttft) {
    out.phases.push_back(Estimate("decode", std::max(0.0, e2e->mean() - ttft->mean()), e2e->count,
                                  e2e_.metric + " − " + ttft_.metric));
    return;
  }
  out.unknown.emplace_back(
      "decode: this engine exports no decode time, and not both of end-to-end "
      "latency and time to first token");
}

void Dissection::AddRest(Anatomy& out) const {
  if (std::isnan(out.end_to_end) || out.phases.empty()) return;
  double known = 0;
  for (const Phase& phase : out.phases)
    known += phase.mean;
  const double rest = out.end_to_end - known;
  if (rest > 0.01 * out.end_to_end) {
    out.phases.push_back(
        Estimate("other", rest, out.requests, "end-to-end latency − all of the above"));
  }
  if (out.end_to_end <= 0) return;
  for (Phase& phase : out.phases)
    phase.share = phase.mean / out.end_to_end;
}

Anatomy Dissection::Dissect(const Key& key) const {
  Anatomy out;
  out.model = key.first;
  out.instance = key.second;
  auto engine = engines_.lower_bound(key);
  if (engine != engines_.end() && engine->first.first == key.first) out.engine = engine->second;
  const auto inside = e2e_.Of(key);
  const bool whole_model = key.second.empty();
  const auto outside = whole_model ? gateway_e2e_.Of(key) : std::nullopt;
  const auto& total = outside ? outside : inside;
  out.end_to_end = total ? total->mean() : kNan;
  out.requests = total ? total->count : 0;
  const auto ttft = ttft_.Of(key);
  out.first_token = ttft ? ttft->mean() : kNan;
  AddOverhead(out, key);
  AddFirstToken(out, key);
  AddDecode(out, key);
  AddRest(out);
  if (out.requests == 0 && out.phases.empty()) {
    out.unknown = {
        fmt::format("nothing: no request ended in the last {}", FormatDuration(options_.window))};
  }
  return out;
}

}  // namespace

Result<std::vector<Anatomy>> DissectLatency(const AnatomyOptions& options,
                                            const promql::Evaluator& evaluator,
                                            const storage::Queryable& store, Timestamp now) {
  return Dissection(options, evaluator, store, now).Run();
}

}  // namespace sonde::insight
