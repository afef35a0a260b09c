#include "insight/blind_spot_watch.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "base/number.h"
#include "base/thread_pool.h"
#include "insight/question.h"

namespace sonde::insight {
namespace {

using Series = promql::ResultSeries;

/// Explicit timestamps may lie so far back that an ordinary look would not see the sample …
constexpr Duration kLongLookback{3'600'000};
/// … or ahead of now.
constexpr Duration kAhead{600'000};
constexpr Duration kFreshFor{1'000};

std::string Text(const Series& series, std::string_view label) {
  return std::string(series.labels.Get(label));
}

double Value(const Series& series) {
  return series.points.empty() ? 0 : series.points.front().v;
}

/// Labels of pods as exporters spell them, with and without honor_labels.
bool HasPod(const Series& series) {
  return !series.labels.Get("pod").empty() || !series.labels.Get("exported_pod").empty();
}

}  // namespace

struct BlindSpotWatch::Questions {
  explicit Questions(std::string_view prefix)
      : targets("max by (instance) (up)", prefix),
        samples("max by (instance) (scrape_samples_scraped)", prefix),
        mapped(R"q(group by (instance, engine, model, node, pod, exported_pod, dp_rank) (
          {__name__=~"deepseek_(requests_running|generation_tokens_total|requests_total|engine_step_tokens_count)",
           source="engine"}))q",
               prefix),
        ranks(R"q(group by (instance, dp_rank) (
          last_over_time(deepseek_requests_running{source="engine", dp_rank!=""}[1h])))q",
              prefix),
        accelerators(R"q(group by (instance, node, gpu, uuid, vendor) (
          {__name__=~"deepseek_accelerator_(utilization_ratio|memory_used_bytes|temperature_celsius|power_watts)"}))q",
                     prefix),
        throttle("group by (instance) (deepseek_accelerator_throttle_seconds_total)", prefix),
        processes("group by (instance) (deepseek_accelerator_process_memory_used_bytes)", prefix),
        dcgm(R"q(group by (instance, pod, exported_pod) (
          {__name__=~"DCGM_FI_DEV_(GPU_UTIL|GPU_TEMP|POWER_USAGE|FB_USED)"}))q",
             prefix),
        profiling(R"q(group by (instance) ({__name__=~"DCGM_FI_PROF_.+"}))q", prefix),
        nvidia_smi("group by (instance) (nvidia_smi_utilization_gpu_ratio)", prefix),
        histograms(R"q(group by (__name__, source, engine, instance, model, le) (
          {__name__=~"deepseek_(inference_latency|time_to_first_token)_seconds_bucket"}))q",
                   prefix),
        engine_tokens(R"q(sum by (instance, model, engine) (
          increase(deepseek_generation_tokens_total{source="engine"}[15m])))q",
                      prefix),
        gateway_tokens(R"q(sum by (model) (
          increase(deepseek_generation_tokens_total{source="gateway"}[15m])))q",
                       prefix),
        probe_tokens(R"q(sum by (instance, model) (
          increase(deepseek_probe_tokens_total{kind="generation"}[15m])))q",
                     prefix),
        newest(R"q(max by (instance) (
          timestamp(deepseek_accelerator_temperature_celsius)
          or timestamp(deepseek_accelerator_power_watts)
          or timestamp(deepseek_accelerator_utilization_ratio)
          or timestamp(deepseek_requests_running{source="engine"})
          or timestamp(deepseek_generation_tokens_total{source="engine"})))q",
               prefix),
        scraped("max by (instance) (timestamp(up))", prefix),
        frozen(R"q((
          sum by (instance) (changes(deepseek_accelerator_power_watts[15m]))
          + sum by (instance) (changes(deepseek_accelerator_temperature_celsius[15m]))
        ) == 0
        and min by (instance) (count_over_time(deepseek_accelerator_power_watts[15m])) >= 10)q",
               prefix),
        skew("max by (instance) (node_time_seconds - timestamp(node_time_seconds))", prefix) {}

  Question targets, samples, mapped, ranks, accelerators, throttle, processes, dcgm, profiling,
      nvidia_smi, histograms, engine_tokens, gateway_tokens, probe_tokens, newest, scraped, frozen,
      skew;
};

struct BlindSpotWatch::Shared {
  Mutex mutex;
  BlindSpotReport report GUARDED_BY(mutex);
};

/// Asks the questions of one look and turns the answers into facts.
class BlindSpotWatch::Gatherer {
 public:
  Gatherer(const BlindSpotWatch& watch, Timestamp now) : watch_(watch), now_(now) {}

  BlindSpotFacts Gather() {
    const Questions& q = *watch_.questions_;
    if (watch_.sources_.engines) facts_.engines = watch_.sources_.engines();
    facts_.gateway_on = watch_.sources_.gateway_on;
    for (const Series& series : Ask(q.targets))
      facts_.targets[Text(series, "instance")].up = Value(series) == 1;
    for (const Series& series : Ask(q.samples))
      facts_.targets[Text(series, "instance")].samples = Value(series);
    ReadMapped();
    ReadAccelerators();
    ReadHistograms();
    ReadTraffic();
    ReadTimes();
    return std::move(facts_);
  }

  std::vector<std::string> failed() { return std::move(failed_); }

 private:
  std::vector<Series> Ask(const Question& question, Duration ahead = Duration(0),
                          Duration lookback = Duration(300'000)) {
    auto answer = question.Ask(watch_.evaluator_, watch_.store_, now_ + ahead, lookback);
    if (answer) return *std::move(answer);
    failed_.push_back(question.text() + ": " + answer.error().message());
    return {};
  }

  std::string NodeOf(const Series& series) const {
    const std::string node = Text(series, "node");
    return Local(node.empty() ? HostOfInstance(Text(series, "instance")) : node);
  }
  /// This machine is `localhost`, whatever its own pages call it.
  std::string Local(const std::string& node) const {
    return !watch_.sources_.host_name.empty() && node == watch_.sources_.host_name ? "localhost"
                                                                                   : node;
  }

  void ReadMapped() {
    std::set<std::string> several;
    for (const Series& series : Ask(watch_.questions_->mapped)) {
      const std::string instance = Text(series, "instance");
      const bool is_new = !facts_.mapped.contains(instance);
      BlindSpotFacts::Mapped& mapped = facts_.mapped[instance];
      const std::string model = Text(series, "model");
      if (!is_new && mapped.model != model) several.insert(instance);
      mapped.model = model;
      mapped.engine = Text(series, "engine");
      mapped.node = NodeOf(series);
      mapped.in_pod = mapped.in_pod || HasPod(series);
      if (const auto rank = ParseUint(Text(series, "dp_rank")); rank && *rank < 100'000)
        mapped.ranks_now.insert(static_cast<int>(*rank));
    }
    for (const std::string& instance : several)
      facts_.mapped[instance].model.clear();
    for (const Series& series : Ask(watch_.questions_->ranks)) {
      const auto found = facts_.mapped.find(Text(series, "instance"));
      const auto rank = ParseUint(Text(series, "dp_rank"));
      if (found != facts_.mapped.end() && rank && *rank < 100'000)
        found->second.ranks_lately.insert(static_cast<int>(*rank));
    }
  }

  void ReadAccelerators() {
    const Questions& q = *watch_.questions_;
    for (const Series& series : Ask(q.accelerators)) {
      const std::string instance = Text(series, "instance");
      BlindSpotFacts::Accelerators& exporter = facts_.accelerators[instance];
      exporter.nodes.insert(NodeOf(series));
      exporter.nodes.insert(Local(HostOfInstance(instance)));
      const std::string uuid = Text(series, "uuid");
      exporter.gpus.insert(uuid.empty() ? Text(series, "gpu") : uuid);
      if (const std::string vendor = Text(series, "vendor"); !vendor.empty())
        exporter.vendors.insert(vendor);
    }
    const auto mark = [&](const Question& question, auto set) {
      for (const Series& series : Ask(question)) {
        const auto found = facts_.accelerators.find(Text(series, "instance"));
        if (found != facts_.accelerators.end()) set(found->second, series);
      }
    };
    using Exporter = BlindSpotFacts::Accelerators;
    mark(q.throttle, [](Exporter& exporter, const Series&) { exporter.throttle = true; });
    mark(q.processes, [](Exporter& exporter, const Series&) { exporter.processes = true; });
    mark(q.profiling, [](Exporter& exporter, const Series&) { exporter.dcgm_profiling = true; });
    mark(q.nvidia_smi, [](Exporter& exporter, const Series&) { exporter.nvidia_smi = true; });
    mark(q.dcgm, [](Exporter& exporter, const Series& series) {
      exporter.dcgm = true;
      exporter.dcgm_pods = exporter.dcgm_pods || HasPod(series);
    });
  }

  void ReadHistograms() {
    std::map<std::vector<std::string>, BlindSpotFacts::Histogram> tops;
    for (const Series& series : Ask(watch_.questions_->histograms)) {
      const auto bound = ParseFloat(Text(series, "le"));
      if (!bound || !std::isfinite(*bound)) continue;
      const std::string bucket = Text(series, "__name__");
      BlindSpotFacts::Histogram histogram;
      histogram.name = bucket.substr(0, bucket.size() - std::string_view("_bucket").size());
      histogram.source = Text(series, "source");
      histogram.engine = Text(series, "engine");
      histogram.instance = Text(series, "instance");
      histogram.model = Text(series, "model");
      const bool is_ttft = bucket.find("time_to_first_token") != std::string::npos;
      const Duration objective =
          is_ttft ? watch_.options_.ttft_objective : watch_.options_.e2e_objective;
      histogram.objective = static_cast<double>(objective.count()) / 1000;
      auto& top = tops.try_emplace({histogram.name, histogram.source, histogram.instance,
                                    histogram.model, histogram.engine},
                                   histogram)
                      .first->second;
      top.top_bound = std::max(top.top_bound, *bound);
    }
    for (auto& [key, histogram] : tops)
      facts_.histograms.push_back(std::move(histogram));
  }

  void ReadTraffic() {
    const Questions& q = *watch_.questions_;
    std::map<std::string, double> gateway;
    double all = 0;
    for (const Series& series : Ask(q.gateway_tokens)) {
      gateway[Text(series, "model")] = Value(series);
      all += Value(series);
    }
    for (const Series& series : Ask(q.engine_tokens)) {
      const std::string model = Text(series, "model");
      auto& traffic = facts_.traffic[{Text(series, "instance"), model}];
      traffic.engine_tokens = Value(series);
      traffic.engine = Text(series, "engine");
      // An engine that does not name its model, or names it otherwise than the gateway's clients
      // do.
      const auto found = gateway.find(model);
      traffic.gateway_tokens = model.empty() ? all : found == gateway.end() ? 0 : found->second;
    }
    for (const Series& series : Ask(q.probe_tokens)) {
      const auto found = facts_.traffic.find({Text(series, "instance"), Text(series, "model")});
      if (found != facts_.traffic.end()) found->second.probe_tokens = Value(series);
    }
  }

  void ReadTimes() {
    const Questions& q = *watch_.questions_;
    std::map<std::string, double> scraped;
    for (const Series& series : Ask(q.scraped))
      scraped[Text(series, "instance")] = Value(series);
    for (const Series& series : Ask(q.newest, kAhead, kLongLookback + kAhead)) {
      const auto found = scraped.find(Text(series, "instance"));
      if (found != scraped.end())
        facts_.sample_age_seconds[found->first] = found->second - Value(series);
    }
    for (const Series& series : Ask(q.frozen))
      facts_.frozen.insert(Text(series, "instance"));
    for (const Series& series : Ask(q.skew))
      facts_.clock_skew_seconds[Text(series, "instance")] = Value(series);
  }

  const BlindSpotWatch& watch_;
  const Timestamp now_;
  BlindSpotFacts facts_;
  std::vector<std::string> failed_;
};

BlindSpotWatch::BlindSpotWatch(const BlindSpotOptions& options, std::string_view prefix,
                               const storage::Queryable& store, const promql::Evaluator& evaluator,
                               const Clock& clock, const Logger& logger,
                               instrument::Registry& registry, Sources sources)
    : options_(options),
      store_(store),
      evaluator_(evaluator),
      clock_(clock),
      logger_(logger.With("blindspots")),
      sources_(std::move(sources)),
      questions_(std::make_unique<const Questions>(prefix)),
      shared_(std::make_shared<Shared>()) {
  registry.AddCollector(
      "sonde_blind_spot", "1 for each thing that Sonde cannot see (docs/blind-spots.md).",
      instrument::FamilyType::kGauge, [shared = shared_](std::vector<instrument::Point>& points) {
        MutexLock lock(shared->mutex);
        std::set<std::vector<std::string>> seen;  // Two findings may differ in words only.
        for (const BlindSpot& spot : shared->report.findings) {
          const std::vector<std::pair<std::string, std::string>> all = {
              {"kind", std::string(ToString(spot.kind))},
              {"severity", std::string(ToString(spot.severity))},
              {"instance", spot.instance},
              {"node", spot.node},
              {"engine", spot.engine},
              {"model", spot.model}};
          instrument::Point point;
          point.value = 1;
          std::vector<std::string> key;
          for (const auto& [name, value] : all) {
            key.push_back(value);
            if (!value.empty()) point.labels.emplace_back(name, value);
          }
          if (seen.insert(std::move(key)).second) points.push_back(std::move(point));
        }
      });
}

BlindSpotWatch::~BlindSpotWatch() {
  Stop();
}

void BlindSpotWatch::Start() {
  thread_ = std::jthread([this] {
    SetThreadName("blindspots");
    Run();
  });
}

void BlindSpotWatch::Stop() {
  {
    MutexLock lock(stop_mutex_);
    stopping_ = true;
  }
  stop_changed_.NotifyAll();
  if (thread_.joinable()) thread_.join();
}

void BlindSpotWatch::Run() {
  while (true) {
    {
      MutexLock lock(stop_mutex_);
      if (!stopping_) stop_changed_.WaitFor(stop_mutex_, options_.interval);
      if (stopping_) return;
    }
    Look();
  }
}

BlindSpotReport BlindSpotWatch::Look() {
  MutexLock one_at_a_time(look_mutex_);
  const Timestamp now = clock_.Now();
  BlindSpotReport last = report();
  if (last.time.ms != 0 && now >= last.time && now - last.time < kFreshFor) return last;
  Gatherer gatherer(*this, now);
  BlindSpotReport next;
  next.time = now;
  const BlindSpotFacts facts = gatherer.Gather();
  next.failed = gatherer.failed();
  // What could not be read is not the same as what is not there: half a picture accuses nobody.
  next.findings = next.failed.empty() ? FindBlindSpots(facts) : std::move(last.findings);
  if (next.findings.size() > kMaxBlindSpots) {
    next.findings.resize(kMaxBlindSpots);
    next.truncated = true;
  }
  for (const std::string& failed : next.failed)
    logger_.Warn("a question of the blind-spot report was not answered", {{"err", failed}});
  MutexLock lock(shared_->mutex);
  shared_->report = next;
  return next;
}

BlindSpotReport BlindSpotWatch::report() const {
  MutexLock lock(shared_->mutex);
  return shared_->report;
}

}  // namespace sonde::insight
