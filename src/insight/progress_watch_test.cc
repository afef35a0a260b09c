#include "insight/progress_watch.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "promql/promqltest/memory_store.h"

// The way from the store to the verdict: which series are read, how ranks and instances are told
// apart, what is shown.

namespace sonde::insight {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ProgressWatchTest : public ::testing::Test {
 protected:
  ProgressWatchTest() { MakeWatch({}); }

  void MakeWatch(ProgressHooks hooks) {
    ProgressOptions options;
    options.canary_interval = Duration(120'000);
    registry_ = std::make_unique<instrument::Registry>();
    watch_ = std::make_unique<ProgressWatch>(options, "llm_", store_, *evaluator_, clock_,
                                             Logger(sink_, clock_), *registry_, std::move(hooks));
  }

  void Add(std::initializer_list<LabelView> labels, double value) {
    ASSERT_EQ(store_.Append(Labels::Of(labels), clock_.Now(), value), storage::AppendError::kNone);
  }

  /// A scrape of a vLLM rank.
  void AddPage(const char* instance, const char* rank, double running, double tokens) {
    for (const auto& [name, value] : std::initializer_list<std::pair<const char*, double>>{
             {"llm_requests_running", running},
             {"llm_requests_waiting", 0},
             {"llm_engine_step_tokens_count", tokens},
             {"llm_generation_tokens_total", tokens},
             {"llm_kv_cache_usage_ratio", 0.4}}) {
      Add({{"__name__", name},
           {"instance", instance},
           {"dp_rank", rank},
           {"model", "m"},
           {"engine", "vllm"},
           {"source", "engine"}},
          value);
    }
  }

  /// Looks every 5 s for `seconds`; `page` writes what a scrape would.
  void Run(int seconds, const std::function<void()>& page) {
    for (int t = 0; t < seconds; t += 5) {
      clock_.Advance(Duration(5'000));
      page();
      watch_->Look();
    }
  }

  std::vector<std::string> States() const {
    std::vector<std::string> states;
    for (const EngineProgress& engine : watch_->engines()) {
      states.push_back(engine.instance + "/" + engine.dp_rank + " " +
                       std::string(ToString(engine.verdict.state)));
    }
    return states;
  }

  ManualClock clock_{Timestamp{1'700'000'000'000}};
  MemorySink sink_;
  promql::MemoryStore store_;
  const std::unique_ptr<promql::Evaluator> evaluator_ = promql::NewEvaluator(clock_);
  std::unique_ptr<instrument::Registry> registry_;
  std::unique_ptr<ProgressWatch> watch_;
};

TEST_F(ProgressWatchTest, OneRankOfTwoHangs) {
  double tokens = 0;
  bool hangs = false;
  const auto page = [&] {
    AddPage("a:8000", "0", 3, tokens += 100);
    AddPage("a:8000", "1", 2, hangs ? 1000 : 1000 + tokens);
  };
  Run(60, page);
  EXPECT_THAT(States(), ElementsAre("a:8000/0 progressing", "a:8000/1 progressing"));
  hangs = true;
  Run(10, page);  // Its counters fall once, as after a restart …
  Run(60, page);
  EXPECT_THAT(States(), ElementsAre("a:8000/0 progressing", "a:8000/1 stuck_running"));
  EXPECT_THAT(sink_.text(), HasSubstr("an engine is stuck"));

  double stuck = 0, states = 0;
  for (const auto& family : registry_->Snapshot()) {
    for (const auto& point : family.points) {
      if (family.name == "llm_engine_stuck") stuck += point.value;
      if (family.name == "llm_engine_state_info") states += point.value;
    }
  }
  EXPECT_EQ(stuck, 1);
  EXPECT_EQ(states, 2);
}

TEST_F(ProgressWatchTest, APageThatTimesOutIsSilenceARefusedOneIsNot) {
  Run(30, [&] {
    AddPage("silent:1", "", 1, static_cast<double>(clock_.Now().ms));
    AddPage("refused:1", "", 1, static_cast<double>(clock_.Now().ms));
    for (const char* instance : {"silent:1", "refused:1"}) {
      Add({{"__name__", "up"}, {"instance", instance}}, 1);
      Add({{"__name__", "scrape_duration_seconds"}, {"instance", instance}}, 0.01);
    }
  });
  clock_.Advance(Duration(300'001));  // As a staleness marker would: the old samples are not seen.
  Run(120, [&] {
    for (const char* instance : {"silent:1", "refused:1"}) {
      Add({{"__name__", "up"}, {"instance", instance}}, 0);
      Add({{"__name__", "scrape_duration_seconds"}, {"instance", instance}},
          instance[0] == 's' ? 5 : 0.001);
    }
  });
  EXPECT_THAT(States(), ElementsAre("refused:1/ down", "silent:1/ stuck_silent"));
}

TEST_F(ProgressWatchTest, ASilentUpstreamWithoutMetrics) {
  Run(60, [&] {
    Add({{"__name__", "sonde_gateway_upstream_silent"}, {"instance", "b:1"}}, 1);
    Add({{"__name__", "sonde_gateway_upstream_running"}, {"instance", "b:1"}}, 2);
    Add({{"__name__", "sonde_gateway_upstream_tokens_total"}, {"instance", "b:1"}}, 7);
  });
  EXPECT_THAT(States(), ElementsAre("b:1/ stuck_silent"));
}

// A page that is scraped every minute is judged by the time of its samples.
TEST_F(ProgressWatchTest, SlowScrapesAreNotPauses) {
  double tokens = 0;
  int n = 0;
  Run(1800, [&] {
    if (n++ % 12 == 0) AddPage("a:8000", "", 1, tokens += 100);
    for (const std::string& state : States())
      EXPECT_THAT(state, Not(HasSubstr("stuck")));
  });
}

TEST_F(ProgressWatchTest, PowerIsTakenFromTheHostsAccelerators) {
  double tokens = 0;
  double watts = 600;
  const auto page = [&] {
    AddPage("10.0.0.1:8000", "", 1, tokens);
    Add({{"__name__", "llm_accelerator_power_watts"}, {"instance", "10.0.0.1:9400"}}, watts);
  };
  for (int i = 0; i < 12; ++i) {
    tokens += 100;
    Run(5, page);
  }
  Run(100, page);
  EXPECT_THAT(States(), ElementsAre("10.0.0.1:8000/ prefilling"));
  watts = 200;
  Run(10, page);
  EXPECT_THAT(States(), ElementsAre("10.0.0.1:8000/ stuck_running"));
}

TEST_F(ProgressWatchTest, AnIdleEngineGetsACanary) {
  std::vector<std::string> sent;
  MakeWatch({.canary = [&](const std::string& instance, const std::string& model,
                           const std::function<void(bool)>& done) {
    sent.push_back(instance + " " + model);
    done(true);
  }});
  Run(150, [&] { AddPage("a:8000", "", 0, 5); });
  EXPECT_THAT(sent, ElementsAre("a:8000 m"));
}

TEST_F(ProgressWatchTest, RestartsAndSleepAreTold) {
  std::vector<std::string> told;
  MakeWatch(
      {.restarted = [&](const std::string& instance,
                        Timestamp) { told.push_back("restart " + instance); },
       .sleeps = [&](const std::string& instance,
                     bool asleep) { told.push_back((asleep ? "asleep " : "awake ") + instance); }});
  double asleep = 0;
  const auto page = [&](double tokens) {
    return [&, tokens] {
      AddPage("a:8000", "", 0, tokens);
      Add({{"__name__", "llm_engine_sleep_state"},
           {"instance", "a:8000"},
           {"source", "engine"},
           {"state", "weights_offloaded"}},
          asleep);
    };
  };
  Run(10, page(100));
  Run(10, page(5));
  asleep = 1;
  Run(10, page(5));
  asleep = 0;
  Run(10, page(5));
  EXPECT_THAT(told, ElementsAre("restart a:8000", "asleep a:8000", "awake a:8000"));
}

TEST_F(ProgressWatchTest, StartAndStop) {
  watch_->Start();
  watch_->Stop();
  watch_->Stop();
  EXPECT_THAT(watch_->engines(), IsEmpty());
}

}  // namespace
}  // namespace sonde::insight
