#include "insight/anatomy.h"

#include <cmath>
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "promql/promqltest/memory_store.h"

namespace sonde::insight {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class AnatomyTest : public ::testing::Test {
 protected:
  /// `count` observations of `mean`, evenly over the last ten minutes.
  void Add(const std::string& metric, std::initializer_list<LabelView> labels, double mean,
           double count) {
    for (int i = 0; i <= 120; ++i) {
      const Timestamp t{kNow.ms - (120 - i) * 5'000};
      const double n = count * 2 * i / 120;  // Half of it within the window of five minutes.
      Append(metric + "_count", labels, {}, t, n);
      Append(metric + "_sum", labels, {}, t, n * mean);
      for (const double bound : {0.1, 1.0, 10.0}) {
        Append(metric + "_bucket", labels,
               bound == 0.1   ? "0.1"
               : bound == 1.0 ? "1"
                              : "10",
               t, mean <= bound ? n : 0);
      }
      Append(metric + "_bucket", labels, "+Inf", t, n);
    }
  }

  void Append(const std::string& name, std::initializer_list<LabelView> labels,
              std::string_view bound, Timestamp t, double value) {
    LabelsBuilder builder;
    for (const LabelView& label : labels)
      builder.Set(label.name, label.value);
    builder.Set("__name__", name);
    if (!bound.empty()) builder.Set("le", bound);
    store_.Append(builder.Build(), t, value);
  }

  std::vector<Anatomy> Run(const std::string& model = "") {
    AnatomyOptions options;
    options.model = model;
    auto result = DissectLatency(options, *evaluator_, store_, kNow);
    EXPECT_TRUE(result) << result.error().message();
    return *result;
  }

  static std::string Names(const Anatomy& anatomy) {
    std::string names;
    for (const Phase& phase : anatomy.phases)
      names += (names.empty() ? "" : " ") + phase.name;
    return names;
  }
  static double Mean(const Anatomy& anatomy, std::string_view name) {
    for (const Phase& phase : anatomy.phases)
      if (phase.name == name) return phase.mean;
    return -1;
  }

  static constexpr Timestamp kNow{1'700'000'000'000};
  ManualClock clock_{kNow};
  promql::MemoryStore store_;
  const std::unique_ptr<promql::Evaluator> evaluator_ = promql::NewEvaluator(clock_);
};

#define ENGINE(instance)                                      \
  {"model", "m"}, {"source", "engine"}, {"engine", "vllm"}, { \
    "instance", instance                                      \
  }

TEST_F(AnatomyTest, EveryPhaseOfAnEngineThatTellsAll) {
  Add("deepseek_inference_latency_seconds", {ENGINE("a:1")}, 4.0, 100);
  Add("deepseek_time_to_first_token_seconds", {ENGINE("a:1")}, 0.9, 100);
  Add("deepseek_request_queue_seconds", {ENGINE("a:1")}, 0.3, 100);
  Add("deepseek_request_prefill_seconds", {ENGINE("a:1")}, 0.5, 100);
  Add("deepseek_request_decode_seconds", {ENGINE("a:1")}, 3.1, 100);
  Add("deepseek_time_to_first_token_seconds",
      {{"model", "m"}, {"source", "gateway"}, {"streaming", "true"}, {"instance", "sonde"}}, 0.95,
      100);
  const auto result = Run();
  ASSERT_EQ(result.size(), 1U);
  const Anatomy& a = result.front();
  EXPECT_EQ(a.instance, "a:1");
  EXPECT_EQ(a.engine, "vllm");
  EXPECT_EQ(Names(a), "client_overhead frontend queue prefill decode");
  EXPECT_NEAR(Mean(a, "client_overhead"), 0.05, 1e-9);
  EXPECT_NEAR(Mean(a, "frontend"), 0.1, 1e-9);
  EXPECT_NEAR(Mean(a, "queue"), 0.3, 1e-9);
  EXPECT_NEAR(Mean(a, "decode"), 3.1, 1e-9);
  EXPECT_NEAR(a.end_to_end, 4.0, 1e-9);
  EXPECT_NEAR(a.phases[4].share, 0.775, 1e-9);
  EXPECT_GT(a.phases[2].p95, 0.1);
  EXPECT_THAT(a.unknown, IsEmpty());
}

TEST_F(AnatomyTest, WhatCannotBeToldIsSaid) {
  Add("deepseek_inference_latency_seconds", {ENGINE("a:1")}, 4.0, 100);
  Add("deepseek_time_to_first_token_seconds", {ENGINE("a:1")}, 1.0, 100);
  const auto result = Run();
  ASSERT_EQ(result.size(), 1U);
  EXPECT_EQ(Names(result.front()), "queue_and_prefill decode");
  EXPECT_TRUE(result.front().phases[1].estimated);
  EXPECT_NEAR(Mean(result.front(), "decode"), 3.0, 1e-9);
  EXPECT_THAT(result.front().unknown, ElementsAre(HasSubstr("no streamed request came through"),
                                                  HasSubstr("only the time to first token")));
}

TEST_F(AnatomyTest, OtherTrafficMakesTheOverheadInexact) {
  Add("deepseek_time_to_first_token_seconds", {ENGINE("a:1")}, 1.0, 200);
  Add("deepseek_time_to_first_token_seconds",
      {{"model", "m"}, {"source", "gateway"}, {"streaming", "true"}}, 1.2, 100);
  EXPECT_THAT(Run().front().unknown, Contains(HasSubstr("not exact: the engine counted 200")));
}

TEST_F(AnatomyTest, InstancesAreComparedWithWhatTheGatewaySawOfThem) {
  for (const char* instance : {"a:1", "b:1"}) {
    const bool far = instance[0] == 'b';
    Add("deepseek_inference_latency_seconds", {ENGINE(instance)}, 2.0, 50);
    Add("deepseek_time_to_first_token_seconds", {ENGINE(instance)}, 0.5, 50);
    Add("sonde_gateway_upstream_first_token_seconds",
        {{"model", "m"}, {"source", "gateway"}, {"instance", instance}}, far ? 0.7 : 0.51, 50);
  }
  Add("deepseek_inference_latency_seconds",
      {{"model", "m"}, {"source", "gateway"}, {"outcome", "success"}}, 2.2, 100);
  const auto result = Run("m");
  ASSERT_EQ(result.size(), 3U);
  EXPECT_EQ(result[0].instance, "");
  EXPECT_NEAR(result[0].end_to_end, 2.2, 1e-9);
  EXPECT_NEAR(Mean(result[0], "client_overhead"), 0.105, 1e-9);
  EXPECT_NEAR(Mean(result[1], "client_overhead"), 0.01, 1e-9);
  EXPECT_NEAR(Mean(result[2], "client_overhead"), 0.2, 1e-9);
  EXPECT_THAT(Run("another"), IsEmpty());
}

}  // namespace
}  // namespace sonde::insight
