#include "insight/progress_watch.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "base/thread_pool.h"
#include "insight/question.h"

namespace sonde::insight {
namespace {

/// Engines beyond are not watched; a log line says so.
constexpr std::size_t kMaxEngines = 4'096;
/// An engine that is gone for so long is forgotten.
constexpr std::int64_t kForgetMs = 3'600'000;
/// A page that did not come took at least so long to fail; a refused connection fails at once.
constexpr double kSilentSeconds = 0.8;

using Key = std::pair<std::string, std::string>;

Key KeyOf(const promql::ResultSeries& series) {
  return {std::string(series.labels.Get("instance")), std::string(series.labels.Get("dp_rank"))};
}

/// "10.0.0.5:8000" → "10.0.0.5"; all of loopback is one host.
std::string HostOf(std::string_view instance) {
  std::string host(instance.substr(0, instance.rfind(':')));
  if (host == "127.0.0.1" || host == "[::1]") host = "localhost";
  return host;
}
std::string HostOf(const promql::ResultSeries& series) {
  const std::string_view node = series.labels.Get("node");
  return node.empty() ? HostOf(series.labels.Get("instance")) : std::string(node);
}

}  // namespace

struct ProgressWatch::Questions {
  explicit Questions(std::string_view prefix)
      : engines(R"(max by (instance, dp_rank, model, engine, node) (
          timestamp(deepseek_requests_running{source="engine"})
          or timestamp(deepseek_generation_tokens_total{source="engine"})
          or timestamp(deepseek_engine_step_tokens_count{source="engine"})))",
                prefix),
        running(Sum("deepseek_requests_running"), prefix),
        waiting(Sum("deepseek_requests_waiting"), prefix),
        steps(Sum("deepseek_engine_step_tokens_count"), prefix),
        generated(Sum("deepseek_generation_tokens_total"), prefix),
        prompt(Sum("deepseek_prompt_tokens_total"), prefix),
        succeeded(R"(sum by (instance, dp_rank) (
          deepseek_requests_total{source="engine", outcome="success"}))",
                  prefix),
        kv(R"(max by (instance, dp_rank) (
          deepseek_kv_cache_usage_ratio{source="engine", tier=~"|device"}))",
           prefix),
        asleep(R"(max by (instance) (
          deepseek_engine_sleep_state{source="engine", state!~"|awake"}) > 0)",
               prefix),
        gateway_outstanding("sum by (instance) (sonde_gateway_upstream_running)", prefix),
        gateway_tokens("sum by (instance) (sonde_gateway_upstream_tokens_total)", prefix),
        gateway_silent("max by (instance) (sonde_gateway_upstream_silent)", prefix),
        power("avg by (instance, node) (deepseek_accelerator_power_watts)", prefix),
        utilization("avg by (instance, node) (deepseek_accelerator_utilization_ratio)", prefix),
        up("max by (instance) (up)", prefix),
        duration("max by (instance) (scrape_duration_seconds)", prefix) {}

  static std::string Sum(const char* name) {
    return std::string("sum by (instance, dp_rank) (") + name + R"({source="engine"}))";
  }

  Question engines, running, waiting, steps, generated, prompt, succeeded, kv, asleep,
      gateway_outstanding, gateway_tokens, gateway_silent, power, utilization, up, duration;
};

struct ProgressWatch::Engine {
  explicit Engine(const ProgressOptions& options) : detector(options) {}
  ProgressDetector detector;
  std::string model, engine, host;
  bool asleep = false;
  std::int64_t sample_ms = 0;  // Of the newest sample that was looked at.
  std::int64_t seen_ms = 0;    // When there last was something to look at.
};

struct ProgressWatch::Shared {
  Mutex mutex;
  std::map<Key, Engine> engines GUARDED_BY(mutex);

  template <class F>
  void ForEach(F visit) EXCLUDES(mutex) {
    MutexLock lock(mutex);
    for (const auto& [key, engine] : engines) {
      std::vector<std::pair<std::string, std::string>> labels = {{"instance", key.first}};
      if (!key.second.empty()) labels.emplace_back("dp_rank", key.second);
      if (!engine.model.empty()) labels.emplace_back("model", engine.model);
      if (!engine.engine.empty()) labels.emplace_back("engine", engine.engine);
      visit(engine.detector.verdict(), std::move(labels));
    }
  }
};

/// What one look at the store found.
struct ProgressWatch::Facts {
  using Values = std::map<Key, double>;
  std::vector<promql::ResultSeries> engines;  // The time of each one's newest sample.
  Values running, waiting, steps, generated, prompt, succeeded, kv, asleep;
  Values gateway_outstanding, gateway_tokens, gateway_silent, up, duration;
  std::map<std::string, double> power, utilization;  // By host.

  static std::optional<double> Find(const Values& values, const Key& key) {
    const auto found = values.find(key);
    return found == values.end() ? std::optional<double>() : found->second;
  }

  /// Of an engine whose page came.
  ProgressReading ReadPage(const Key& key, const Engine& engine, bool alone_on_host) const {
    ProgressReading reading;
    reading.time = {engine.sample_ms};
    reading.running = Find(running, key);
    reading.waiting = Find(waiting, key);
    reading.steps = Find(steps, key);
    reading.generated_tokens = Find(generated, key);
    reading.prompt_tokens = Find(prompt, key);
    reading.succeeded = Find(succeeded, key);
    reading.kv_usage = Find(kv, key);
    reading.asleep = asleep.contains({key.first, ""});
    if (alone_on_host) {  // Else: whose power is it?
      const auto watts = power.find(engine.host);
      const auto use = utilization.find(engine.host);
      if (watts != power.end()) reading.gpu_power_watts = watts->second;
      if (use != utilization.end()) reading.gpu_utilization = use->second;
    }
    return reading;
  }

  /// Of an engine without a page now. Nothing if it is no longer a target of ours.
  std::optional<ProgressReading> ReadSilence(const Key& key, Timestamp now) const {
    const Key instance = {key.first, ""};
    const bool page_failed = Find(up, instance).value_or(1) == 0;
    const auto silent = Find(gateway_silent, instance);
    if (!page_failed && !silent) return std::nullopt;
    ProgressReading reading;
    reading.time = now;
    reading.reachable = !page_failed && silent.value_or(0) == 0;
    reading.silent = (page_failed && Find(duration, instance).value_or(0) >= kSilentSeconds) ||
                     silent.value_or(0) > 0;
    return reading;
  }
};

ProgressWatch::ProgressWatch(const ProgressOptions& options, std::string_view prefix,
                             const storage::Queryable& store, const promql::Evaluator& evaluator,
                             const Clock& clock, const Logger& logger,
                             instrument::Registry& registry, ProgressHooks hooks)
    : options_(options),
      store_(store),
      evaluator_(evaluator),
      clock_(clock),
      logger_(logger.With("progress")),
      hooks_(std::move(hooks)),
      questions_(std::make_unique<Questions>(prefix)),
      shared_(std::make_shared<Shared>()) {
  const std::string p(prefix);
  registry.AddCollector(
      p + "engine_stuck",
      "1 while the engine has work and makes no progress, although it looks "
      "alive; engine_state_info says how.",
      instrument::FamilyType::kGauge, [shared = shared_](std::vector<instrument::Point>& points) {
        shared->ForEach([&](const ProgressVerdict& verdict, auto labels) {
          points.push_back({std::move(labels), IsStuck(verdict.state) ? 1.0 : 0.0, nullptr});
        });
      });
  registry.AddCollector(p + "engine_state_info", "What the engine is doing, as `state`.",
                        instrument::FamilyType::kGauge,
                        [shared = shared_](std::vector<instrument::Point>& points) {
                          shared->ForEach([&](const ProgressVerdict& verdict, auto labels) {
                            labels.emplace_back("state", ToString(verdict.state));
                            points.push_back({std::move(labels), 1.0, nullptr});
                          });
                        });
  registry.AddCollector(
      p + "engine_last_progress_timestamp_seconds",
      "When the engine was last seen to get on with its work; absent before the first time.",
      instrument::FamilyType::kGauge, [shared = shared_](std::vector<instrument::Point>& points) {
        shared->ForEach([&](const ProgressVerdict& verdict, auto labels) {
          if (verdict.last_progress.ms == 0) return;
          points.push_back(
              {std::move(labels), static_cast<double>(verdict.last_progress.ms) / 1000, nullptr});
        });
      });
}

ProgressWatch::~ProgressWatch() {
  Stop();
}

void ProgressWatch::Start() {
  thread_ = std::jthread([this] {
    SetThreadName("progress");
    Run();
  });
}

void ProgressWatch::Stop() {
  {
    MutexLock lock(stop_mutex_);
    stopping_ = true;
    stop_changed_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

void ProgressWatch::Run() {
  MutexLock lock(stop_mutex_);
  while (!stopping_) {
    stop_changed_.WaitFor(stop_mutex_, options_.interval);
    if (stopping_) return;
    stop_mutex_.Unlock();
    Look();
    stop_mutex_.Lock();
  }
}

std::optional<ProgressWatch::Facts> ProgressWatch::Gather(Timestamp now) const {
  std::optional<Error> error;
  const auto ask = [&](const Question& question) {
    auto answer = question.Ask(evaluator_, store_, now);
    if (answer) return *std::move(answer);
    error = answer.error();
    return std::vector<promql::ResultSeries>{};
  };
  const auto by_key = [&](const Question& question) {
    Facts::Values values;
    for (const auto& series : ask(question))
      values[KeyOf(series)] = series.points.front().v;
    return values;
  };
  const auto by_host = [&](const Question& question) {
    std::map<std::string, std::pair<double, int>> sums;
    for (const auto& series : ask(question)) {
      auto& [sum, count] = sums[HostOf(series)];
      sum += series.points.front().v;
      ++count;
    }
    std::map<std::string, double> means;
    for (const auto& [host, sum] : sums)
      means[host] = sum.first / sum.second;
    return means;
  };
  const Questions& q = *questions_;
  Facts facts{.engines = ask(q.engines),
              .running = by_key(q.running),
              .waiting = by_key(q.waiting),
              .steps = by_key(q.steps),
              .generated = by_key(q.generated),
              .prompt = by_key(q.prompt),
              .succeeded = by_key(q.succeeded),
              .kv = by_key(q.kv),
              .asleep = by_key(q.asleep),
              .gateway_outstanding = by_key(q.gateway_outstanding),
              .gateway_tokens = by_key(q.gateway_tokens),
              .gateway_silent = by_key(q.gateway_silent),
              .up = by_key(q.up),
              .duration = by_key(q.duration),
              .power = by_host(q.power),
              .utilization = by_host(q.utilization)};
  if (!error) return facts;
  logger_.Warn("cannot look at the engines", {{"err", *error}});
  return std::nullopt;  // Half a picture would accuse the wrong one.
}

ProgressWatch::Engine* ProgressWatch::FindOrAdd(const Key& key,
                                                std::map<Key, Engine>& engines) const {
  const auto found = engines.find(key);
  if (found != engines.end()) return &found->second;
  if (engines.size() >= kMaxEngines) return nullptr;
  logger_.Info("watching an engine's progress", {{"instance", key.first}, {"dp_rank", key.second}});
  return &engines.emplace(key, Engine(options_)).first->second;
}

std::map<Key, std::int64_t> ProgressWatch::UpdateRoster(const Facts& facts,
                                                        std::map<Key, Engine>& engines) {
  std::map<Key, std::int64_t> samples;
  std::set<Key> several;
  for (const auto& series : facts.engines) {
    const Key key = KeyOf(series);
    Engine* engine = FindOrAdd(key, engines);
    if (engine == nullptr) continue;
    const std::string_view model = series.labels.Get("model");
    if (samples.contains(key) && model != engine->model) several.insert(key);
    engine->model = model;
    engine->engine = series.labels.Get("engine");
    engine->host = HostOf(series);
    std::int64_t& sample = samples[key];
    sample = std::max(sample, static_cast<std::int64_t>(series.points.front().v * 1000));
  }
  for (const Key& key : several)
    engines.find(key)->second.model.clear();
  // An upstream of the gateway that has no metrics can still be silent.
  for (const auto& [key, silent] : facts.gateway_silent) {
    const auto ranks = engines.lower_bound({key.first, ""});
    if (ranks != engines.end() && ranks->first.first == key.first) continue;
    Engine* engine = FindOrAdd(key, engines);
    if (engine != nullptr) engine->host = HostOf(key.first);
  }
  return samples;
}

void ProgressWatch::Note(const Key& key, const Engine& engine, ProgressState before) const {
  const ProgressVerdict& verdict = engine.detector.verdict();
  if (IsStuck(verdict.state) == IsStuck(before)) return;
  const std::initializer_list<LogField> fields = {{"instance", key.first},
                                                  {"dp_rank", key.second},
                                                  {"model", engine.model},
                                                  {"state", ToString(verdict.state)},
                                                  {"evidence", verdict.evidence}};
  if (IsStuck(verdict.state)) {
    logger_.Error("an engine is stuck", fields);
  } else {
    logger_.Info("an engine is no longer stuck", fields);
  }
}

void ProgressWatch::Look() {
  const Timestamp now = clock_.Now();
  const auto facts = Gather(now);
  if (!facts) return;
  std::vector<std::function<void()>> calls;  // Made once the lock is gone.
  {
    MutexLock lock(shared_->mutex);
    const auto samples = UpdateRoster(*facts, shared_->engines);
    std::map<std::string, std::set<std::string>> instances_on;
    for (const auto& [key, engine] : shared_->engines)
      instances_on[engine.host].insert(key.first);
    for (auto it = shared_->engines.begin(); it != shared_->engines.end();) {
      auto& [key, engine] = *it;
      std::optional<ProgressReading> reading;
      const auto sample = samples.find(key);
      if (sample == samples.end()) {
        reading = facts->ReadSilence(key, now);
      } else if (sample->second != engine.sample_ms) {  // Else: nothing new since the last look.
        engine.sample_ms = sample->second;
        reading = facts->ReadPage(key, engine, instances_on[engine.host].size() == 1);
      }
      if (reading || sample != samples.end()) engine.seen_ms = now.ms;
      if (reading) {
        const Key instance = {key.first, ""};
        reading->gateway_outstanding = Facts::Find(facts->gateway_outstanding, instance);
        reading->gateway_tokens = Facts::Find(facts->gateway_tokens, instance);
        const ProgressState before = engine.detector.verdict().state;
        const ProgressVerdict& verdict = engine.detector.Observe(*reading);
        Note(key, engine, before);
        if (verdict.canary_due && hooks_.canary && !engine.model.empty()) {
          calls.emplace_back([this, key = key, model = engine.model] { SendCanary(key, model); });
        }
        if (verdict.restarted && hooks_.restarted) {
          calls.emplace_back([this, instance = key.first, began = reading->time] {
            hooks_.restarted(instance, began);
          });
        }
        if (reading->reachable && reading->asleep != engine.asleep && hooks_.sleeps) {
          calls.emplace_back([this, instance = key.first, asleep = reading->asleep] {
            hooks_.sleeps(instance, asleep);
          });
        }
        if (reading->reachable) engine.asleep = reading->asleep;
      }
      if (now.ms - engine.seen_ms > kForgetMs) {
        it = shared_->engines.erase(it);
      } else {
        ++it;
      }
    }
  }
  for (const auto& call : calls)
    call();
}

void ProgressWatch::SendCanary(const Key& key, const std::string& model) const {
  hooks_.canary(key.first, model, [shared = shared_, key, &clock = clock_](bool got_token) {
    MutexLock lock(shared->mutex);
    const auto found = shared->engines.find(key);
    if (found != shared->engines.end())
      found->second.detector.CanaryReturned(clock.Now(), got_token);
  });
}

std::vector<EngineProgress> ProgressWatch::engines() const {
  std::vector<EngineProgress> out;
  MutexLock lock(shared_->mutex);
  for (const auto& [key, engine] : shared_->engines) {
    out.push_back({key.first, key.second, engine.model, engine.engine, engine.detector.verdict()});
  }
  return out;
}

}  // namespace sonde::insight
