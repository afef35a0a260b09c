#include "insight/progress_detector.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"

// An engine in the seven modes of docs/progress.md, seen as a scrape every 5 s sees it, for each
// set of signals that engines have. Time is made up, chance is seeded.

namespace sonde::insight {
namespace {

constexpr std::int64_t kScrapeMs = 5'000;
constexpr std::int64_t kHourMs = 3'600'000;

/// What an engine exports, and what else is there to see.
struct Signals {
  const char* name;
  bool steps, prompt_tokens, kv, gateway, power;
};
constexpr Signals kSignals[] = {
    {"vllm with all", true, true, true, true, true},
    {"vllm alone", true, true, true, false, false},
    {"vllm with power", true, true, true, false, true},
    {"no heartbeat (lmdeploy, TGI)", false, true, true, false, false},
    {"llama.cpp", true, true, false, false, false},
    {"llama.cpp behind the gateway", true, true, false, true, false},
};

/// A batch of requests with random prompts and answers, in steps of a second. Not vLLM, but it
/// counts as vLLM does: prompt tokens when a prompt has been read, blocks chunk by chunk.
class FakeEngine {
 public:
  FakeEngine(const Signals& signals, std::uint64_t seed) : signals_(signals), rng_(seed) {}

  double arrivals_per_second = 0.2;
  std::size_t batch = 8;
  double prompt_tokens_mean = 2'000;
  double step_seconds = 0.25;
  bool frozen = false;        // Nothing moves any more.
  bool empty_steps = false;   // Steps go on, requests get nothing.
  bool no_admission = false;  // The batch drains, nothing comes in.

  void RunSecond() {
    if (rng_.Uniform() < arrivals_per_second) {
      const double prompt = prompt_tokens_mean * (0.1 + 1.8 * rng_.Uniform());
      waiting_.push_back({prompt, 20 + 400 * rng_.Uniform()});
      ++outstanding_;
    }
    if (frozen) return;
    if (empty_steps) {
      steps_ += 4;
      return;
    }
    while (!no_admission && !waiting_.empty() && running_.size() < batch) {
      running_.push_back(waiting_.front());
      waiting_.erase(waiting_.begin());
    }
    if (running_.empty()) return;
    budget_ += 1 / step_seconds;
    while (budget_ >= 1) {
      budget_ -= 1;
      Step();
    }
  }

  void Restart() {
    running_.clear();
    waiting_.clear();
    outstanding_ = 0;
    steps_ = generated_ = prompt_ = succeeded_ = kv_ = 0;
  }

  ProgressReading Read(Timestamp now) const {
    ProgressReading r;
    r.time = now;
    r.running = static_cast<double>(running_.size());
    r.waiting = static_cast<double>(waiting_.size());
    r.generated_tokens = generated_;
    r.succeeded = succeeded_;
    if (signals_.steps) r.steps = steps_;
    if (signals_.prompt_tokens) r.prompt_tokens = prompt_;
    if (signals_.kv) r.kv_usage = kv_ / 1e6;
    if (signals_.gateway) {
      r.gateway_outstanding = outstanding_;
      r.gateway_tokens = generated_;
    }
    if (signals_.power) {
      const bool works = !running_.empty() && !frozen && !empty_steps;
      r.gpu_power_watts = works ? 600 : frozen && !running_.empty() ? 220 : 120;
      r.gpu_utilization = running_.empty() ? 0 : 1;  // Spinning counts as use.
    }
    return r;
  }

 private:
  struct Request {
    double prompt, answer;
    double read = 0, written = 0;
  };

  void Step() {
    steps_ += 1;
    double chunk = 2'048;
    for (Request& request : running_) {
      if (request.read < request.prompt) {
        const double part = std::min(chunk, request.prompt - request.read);
        chunk -= part;
        request.read += part;
        kv_ += part;
        if (request.read >= request.prompt) prompt_ += request.prompt;
      } else {
        request.written += 1;
        generated_ += 1;
        kv_ += 1;
      }
    }
    std::erase_if(running_, [&](const Request& request) {
      if (request.written < request.answer) return false;
      kv_ -= request.read + request.written;
      succeeded_ += 1;
      outstanding_ -= 1;
      return true;
    });
  }

  const Signals signals_;
  Rng rng_;
  double budget_ = 0;
  std::vector<Request> waiting_, running_;
  double outstanding_ = 0, steps_ = 0, generated_ = 0, prompt_ = 0, succeeded_ = 0, kv_ = 0;
};

/// Runs `seconds` and calls `look` at every scrape; false ends it.
template <class Look>
void Run(FakeEngine& engine, Timestamp& now, std::int64_t seconds, Look look) {
  for (std::int64_t i = 0; i < seconds; ++i) {
    engine.RunSecond();
    now.ms += 1'000;
    if (now.ms % kScrapeMs == 0 && !look(engine.Read(now))) return;
  }
}

struct Accusations {
  int count = 0;
  std::string first;
};

/// A day of `engine`; `every_minute` may change it.
template <class Change>
Accusations HealthyDay(FakeEngine& engine, Change every_minute) {
  ProgressDetector detector{ProgressOptions{}};
  Timestamp now{kHourMs};
  Accusations accusations;
  for (int minute = 0; minute < 24 * 60; ++minute) {
    every_minute(minute);
    Run(engine, now, 60, [&](const ProgressReading& reading) {
      const ProgressVerdict& verdict = detector.Observe(reading);
      if (IsStuck(verdict.state) && accusations.count++ == 0) {
        accusations.first = std::string(ToString(verdict.state)) + ": " + verdict.evidence;
      }
      return true;
    });
  }
  return accusations;
}

class ProgressSignals : public ::testing::TestWithParam<Signals> {};
INSTANTIATE_TEST_SUITE_P(Engines, ProgressSignals, ::testing::ValuesIn(kSignals),
                         [](const auto& instance) {
                           std::string name = instance.param.name;
                           std::erase_if(name, [](char c) { return !std::isalnum(c); });
                           return name;
                         });

TEST_P(ProgressSignals, SaturatedButAliveIsNeverAccused) {
  FakeEngine engine(GetParam(), 1);
  engine.arrivals_per_second = 0.9;
  engine.step_seconds = 4;  // Crawling: a token of each request every 4 s.
  const Accusations day = HealthyDay(engine, [](int) {});
  EXPECT_EQ(day.count, 0) << day.first;
}

TEST_P(ProgressSignals, LongPrefillIsNeverAccused) {
  FakeEngine engine(GetParam(), 2);
  engine.arrivals_per_second = 0.002;
  engine.prompt_tokens_mean = 120'000;
  engine.step_seconds = 3;  // 2048 tokens of the prompt in 3 s: minutes until the first token.
  const Accusations day = HealthyDay(engine, [](int) {});
  EXPECT_EQ(day.count, 0) << day.first;
}

TEST_P(ProgressSignals, IdleIsNeverAccused) {
  FakeEngine engine(GetParam(), 3);
  engine.arrivals_per_second = 0.0003;
  const Accusations day = HealthyDay(engine, [](int) {});
  EXPECT_EQ(day.count, 0) << day.first;
}

TEST_P(ProgressSignals, RestartsAreNeverAccused) {
  FakeEngine engine(GetParam(), 4);
  const Accusations day = HealthyDay(engine, [&](int minute) {
    if (minute % 20 == 7) engine.Restart();
  });
  EXPECT_EQ(day.count, 0) << day.first;
}

/// How long it takes until `state` is said, for many onsets of what `breaks` does; -1: never.
template <class Break>
std::vector<double> Delays(const Signals& signals, Break breaks, ProgressState state) {
  std::vector<double> delays;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    FakeEngine engine(signals, seed);
    ProgressDetector detector{ProgressOptions{}};
    Timestamp now{kHourMs};
    Rng rng(seed * 77);
    Run(engine, now, static_cast<std::int64_t>(600 + rng.Below(300)),
        [&](const ProgressReading& reading) {
          EXPECT_FALSE(IsStuck(detector.Observe(reading).state)) << detector.verdict().evidence;
          return true;
        });
    // The mode begins once there is the work that it is about.
    while (!breaks(engine, engine.Read(now))) {
      Run(engine, now, 1, [&](const ProgressReading& reading) {
        detector.Observe(reading);
        return true;
      });
    }
    const Timestamp broken = now;
    double delay = -1;
    Run(engine, now, 600, [&](const ProgressReading& reading) {
      if (detector.Observe(reading).state == state) {
        delay = static_cast<double>(now.ms - broken.ms) / 1000;
      }
      return delay < 0;
    });
    delays.push_back(delay);
  }
  std::ranges::sort(delays);
  return delays;
}

void ExpectFoundWithinAMinute(const std::vector<double>& delays) {
  EXPECT_GE(delays.front(), 0) << "not found";
  EXPECT_LE(delays[delays.size() * 95 / 100], 60) << "p95";
  ::testing::Test::RecordProperty("p95_seconds",
                                  static_cast<int>(delays[delays.size() * 95 / 100]));
}

TEST_P(ProgressSignals, FrozenCountersWithRequestsRunning) {
  ExpectFoundWithinAMinute(Delays(
      GetParam(),
      [](FakeEngine& engine, const ProgressReading& now) {
        engine.frozen = now.running.value_or(0) > 0;
        return engine.frozen;
      },
      ProgressState::kStuckRunning));
}

TEST_P(ProgressSignals, NothingRunningAndRequestsWaiting) {
  ExpectFoundWithinAMinute(Delays(
      GetParam(),
      [](FakeEngine& engine, const ProgressReading& now) {
        engine.no_admission = true;
        engine.arrivals_per_second = 0.5;
        return now.running.value_or(0) == 0 && now.waiting.value_or(0) > 0;
      },
      ProgressState::kStuckWaiting));
}

TEST_P(ProgressSignals, StepsThatReachNoRequest) {
  const auto breaks = [](FakeEngine& engine, const ProgressReading& now) {
    engine.empty_steps = now.running.value_or(0) > 0;
    return engine.empty_steps;
  };
  if (!GetParam().kv) {
    // Only engines with data parallelism make empty steps, and those tell how full their KV cache
    // is. The steps of others are taken as work.
    const auto delays = Delays(GetParam(), breaks, ProgressState::kStuckEmptySteps);
    EXPECT_EQ(delays.back(), -1);
    return;
  }
  ExpectFoundWithinAMinute(
      Delays(GetParam(), breaks,
             // Without a heartbeat there are no steps to be seen.
             GetParam().steps ? ProgressState::kStuckEmptySteps : ProgressState::kStuckRunning));
}

// ---- single rules

ProgressReading Working(std::int64_t seconds, double tokens) {
  ProgressReading r;
  r.time = {kHourMs + seconds * 1000};
  r.running = 2;
  r.waiting = 0;
  r.steps = tokens;
  r.generated_tokens = tokens;
  r.kv_usage = 0.5;
  return r;
}

TEST(ProgressDetector, SilenceIsAnAccusationRefusalIsNot) {
  for (const bool silent : {true, false}) {
    ProgressDetector detector{ProgressOptions{}};
    detector.Observe(Working(0, 10));
    detector.Observe(Working(5, 20));
    ProgressReading gone;
    gone.reachable = false;
    gone.silent = silent;
    for (int t = 10; t <= 60; t += 5) {
      gone.time = {kHourMs + t * 1000};
      detector.Observe(gone);
    }
    EXPECT_EQ(ToString(detector.verdict().state), silent ? "stuck_silent" : "down");
  }
}

TEST(ProgressDetector, ATargetThatWasSilentFromTheFirstLook) {
  ProgressDetector detector{ProgressOptions{}};
  ProgressReading gone;
  gone.reachable = false;
  gone.silent = true;
  for (int t = 0; t <= 60; t += 5) {
    gone.time = {kHourMs + t * 1000};
    detector.Observe(gone);
  }
  EXPECT_EQ(ToString(detector.verdict().state), "stuck_silent");
}

// A saturated web server does not answer a scrape in time, while tokens flow through the gateway.
TEST(ProgressDetector, ASilentPageWithFlowingTokensIsNoAccusation) {
  ProgressDetector detector{ProgressOptions{}};
  detector.Observe(Working(0, 10));
  for (int t = 5; t <= 600; t += 5) {
    ProgressReading gone;
    gone.time = {kHourMs + t * 1000};
    gone.reachable = false;
    gone.silent = true;
    gone.gateway_outstanding = 3;
    gone.gateway_tokens = t * 10;
    EXPECT_FALSE(IsStuck(detector.Observe(gone).state)) << t;
  }
}

TEST(ProgressDetector, PowerTellsAPrefillFromALostPartner) {
  for (const double watts : {590.0, 250.0}) {
    ProgressDetector detector{ProgressOptions{}};
    for (int t = 0; t <= 60; t += 5) {
      ProgressReading r = Working(t, t * 10);
      r.gpu_power_watts = 600;
      detector.Observe(r);
    }
    for (int t = 65; t <= 120; t += 5) {
      ProgressReading r = Working(t, 600);
      r.gpu_power_watts = watts;
      r.gpu_utilization = 1;
      detector.Observe(r);
    }
    EXPECT_EQ(ToString(detector.verdict().state), watts > 400 ? "prefilling" : "stuck_running");
    EXPECT_THAT(detector.verdict().evidence, ::testing::HasSubstr("W when it works"));
  }
}

TEST(ProgressDetector, WorkThatTheEngineDoesNotKnowOf) {
  ProgressDetector detector{ProgressOptions{}};
  for (int t = 0; t <= 60; t += 5) {
    ProgressReading r = Working(t, 600);
    r.running = 0;
    r.gateway_outstanding = 2;
    r.gateway_tokens = 100;
    detector.Observe(r);
  }
  EXPECT_EQ(ToString(detector.verdict().state), "stuck_lost");
}

TEST(ProgressDetector, AFalseAlarmTeaches) {
  ProgressDetector detector{ProgressOptions{}};
  double tokens = 0;
  int accusations = 0;
  bool stuck = false;
  for (int t = 0; t < 3600; t += 5) {
    if (t % 60 == 0) tokens += 100;  // A burst every minute, nothing in between.
    const bool now = IsStuck(detector.Observe(Working(t, tokens)).state);
    accusations += now && !stuck ? 1 : 0;
    stuck = now;
  }
  EXPECT_EQ(accusations, 1);
}

TEST(ProgressDetector, CanariesAreSentWhenIdleAndTwoFailuresAccuse) {
  ProgressOptions options;
  options.canary_interval = Duration(300'000);
  ProgressDetector detector(options);
  std::vector<int> due;
  for (int t = 0; t <= 900; t += 5) {
    ProgressReading r = Working(t, 600);
    r.running = 0;
    if (detector.Observe(r).canary_due) {
      due.push_back(t);
      detector.CanaryReturned(r.time, t < 600);
    }
  }
  EXPECT_THAT(due, ::testing::ElementsAre(300, 600, 610, 620, 630, 640, 650, 660, 670, 680, 690,
                                          700, 710, 720, 730, 740, 750, 760, 770, 780, 790, 800,
                                          810, 820, 830, 840, 850, 860, 870, 880, 890, 900));
  EXPECT_EQ(ToString(detector.verdict().state), "stuck_silent");
  // It comes back: a canary gets its token.
  ProgressReading r = Working(910, 600);
  r.running = 0;
  detector.CanaryReturned(r.time, true);
  EXPECT_EQ(ToString(detector.Observe(r).state), "idle");
}

TEST(ProgressDetector, NothingIsSaidOfAnEngineWithoutCounters) {
  ProgressDetector detector{ProgressOptions{}};
  ProgressReading r;
  for (int t = 0; t <= 600; t += 5) {
    r.time = {kHourMs + t * 1000};
    r.running = 1;
    detector.Observe(r);
  }
  EXPECT_EQ(ToString(detector.verdict().state), "unknown");
}

}  // namespace
}  // namespace sonde::insight
