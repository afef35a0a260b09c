#include "demo/engine_model.h"

#include <cmath>
#include <numeric>

#include <gtest/gtest.h>

#include "base/random.h"

namespace sonde::demo {
namespace {

// Steps of exactly 10 ms and 1 ms for each prefilled token, so that times can be told in advance.
EngineSpec SimpleSpec() {
  EngineSpec spec;
  spec.name = "e";
  spec.model = "m";
  spec.kv_blocks = 100;
  spec.block_tokens = 10;
  spec.max_num_seqs = 4;
  spec.max_batched_tokens = 50;
  spec.max_model_len = 1000;
  spec.cost.base_us = 10'000;
  spec.cost.per_prefill_token_us = 1'000;
  spec.cost.memory_share = 0;
  return spec;
}

SimRequest Wants(std::uint32_t prompt, std::uint32_t output) {
  SimRequest request;
  request.prompt_tokens = prompt;
  request.output_tokens = output;
  return request;
}

constexpr SimTime Ms(std::int64_t ms) {
  return SimTime(ms * 1000);
}

TEST(EngineModel, OneRequestStepByStep) {
  EngineModel engine(SimpleSpec());
  EXPECT_FALSE(engine.step_end());
  const RequestId id = engine.Submit(Wants(20, 3), Ms(100));
  EXPECT_EQ(engine.step_end(), Ms(130));  // 10 ms and 20 × 1 ms.
  engine.Advance(Ms(129));
  EXPECT_EQ(engine.Progress(id)->generated, 0U);
  engine.Advance(Ms(130));
  EXPECT_EQ(engine.Progress(id)->generated, 1U);
  EXPECT_EQ(engine.step_end(), Ms(140));
  engine.Advance(Ms(145));
  EXPECT_EQ(engine.Progress(id)->generated, 2U);
  engine.Advance(Ms(1000));
  EXPECT_TRUE(engine.Progress(id)->finished);
  EXPECT_EQ(engine.Progress(id)->reason, FinishReason::kStop);
  EXPECT_FALSE(engine.step_end());
  const EngineMetrics& metrics = engine.metrics();
  EXPECT_EQ(metrics.prompt_tokens, 20U);
  EXPECT_EQ(metrics.generation_tokens, 3U);
  EXPECT_DOUBLE_EQ(metrics.time_to_first_token.sum(), 0.030);
  EXPECT_DOUBLE_EQ(metrics.inter_token_latency.sum(), 0.020);
  EXPECT_EQ(metrics.inter_token_latency.count(), 2U);
  EXPECT_DOUBLE_EQ(metrics.e2e_latency.sum(), 0.050);
  EXPECT_DOUBLE_EQ(metrics.time_per_output_token.sum(), 0.010);
  EXPECT_EQ(engine.busy(), Ms(50));
  engine.Forget(id);
  EXPECT_FALSE(engine.Progress(id));
}

TEST(EngineModel, LongPromptsAreCutIntoChunksAndShareSteps) {
  EngineModel engine(SimpleSpec());
  const RequestId talking = engine.Submit(Wants(1, 100), Ms(0));
  engine.Advance(Ms(10));  // Its first token.
  const RequestId prompt = engine.Submit(Wants(120, 1), Ms(12));
  // The step that runs goes on alone; then 49 of the prompt's tokens fit beside one for the talker.
  engine.Advance(Ms(20));
  EXPECT_EQ(engine.Progress(talking)->generated, 2U);
  EXPECT_EQ(engine.step_end(), Ms(20 + 10 + 49));
  engine.Advance(Ms(79));
  EXPECT_EQ(engine.Progress(talking)->generated, 3U);
  EXPECT_EQ(engine.Progress(prompt)->generated, 0U);
  engine.Advance(Ms(79 + 59));
  EXPECT_EQ(engine.Progress(prompt)->generated, 0U);
  engine.Advance(Ms(79 + 59 + 32));  // The last 22.
  EXPECT_EQ(engine.Progress(prompt)->generated, 1U);
  EXPECT_EQ(engine.Progress(talking)->generated, 5U);
}

TEST(EngineModel, NoMoreThanMaxNumSeqsRunTogether) {
  EngineModel engine(SimpleSpec());
  for (int i = 0; i < 6; ++i)
    engine.Submit(Wants(1, 50), Ms(0));
  engine.Advance(Ms(15));
  EXPECT_EQ(engine.metrics().running, 4U);
  EXPECT_EQ(engine.metrics().waiting, 2U);
  engine.set_max_num_seqs(2);  // Those that run may go on.
  engine.Advance(Ms(300));
  EXPECT_EQ(engine.metrics().running, 4U);
  engine.Advance(Ms(900));
  EXPECT_EQ(engine.metrics().running, 2U);
  EXPECT_EQ(engine.metrics().waiting, 0U);
}

TEST(EngineModel, APrefixSavesPrefill) {
  EngineModel engine(SimpleSpec());
  SimRequest request = Wants(45, 1);
  request.prefix_hashes = {1, 2, 3, 4};
  engine.Submit(request, Ms(0));
  engine.Advance(Ms(1000));
  const RequestId again = engine.Submit(request, Ms(1000));
  EXPECT_EQ(engine.step_end(), Ms(1000 + 10 + 5));
  engine.Advance(Ms(2000));
  EXPECT_EQ(engine.Progress(again)->cached, 40U);
  EXPECT_EQ(engine.metrics().prefix_queries, 90U);
  EXPECT_EQ(engine.metrics().prefix_hits, 40U);
  EXPECT_EQ(engine.metrics().prompt_tokens_cached, 40U);
  // A prompt that is wholly cached still computes its last block.
  request.prompt_tokens = 40;
  engine.Submit(request, Ms(2000));
  EXPECT_EQ(engine.step_end(), Ms(2000 + 10 + 10));
}

TEST(EngineModel, TheLastToComeGivesWayAndIsComputedAgain) {
  EngineSpec spec = SimpleSpec();
  spec.kv_blocks = 10;  // 100 tokens.
  EngineModel engine(spec);
  const RequestId first = engine.Submit(Wants(40, 40), Ms(0));
  const RequestId second = engine.Submit(Wants(40, 40), Ms(0));
  engine.Advance(Ms(10'000));
  EXPECT_GE(engine.metrics().preemptions, 1U);
  for (const RequestId id : {first, second}) {
    EXPECT_TRUE(engine.Progress(id)->finished);
    EXPECT_EQ(engine.Progress(id)->generated, 40U);
  }
  EXPECT_EQ(engine.metrics().generation_tokens, 80U);
  EXPECT_EQ(engine.metrics().prompt_tokens, 80U);  // Counted once, though computed twice.
  EXPECT_EQ(engine.cache().free(), 10U);
}

TEST(EngineModel, WhatDoesNotFitIsRefused) {
  const EngineModel engine(SimpleSpec());
  EXPECT_TRUE(engine.Fits(Wants(900, 100)));
  EXPECT_FALSE(engine.Fits(Wants(900, 101)));
  EXPECT_FALSE(engine.Fits(Wants(0, 5)));
}

TEST(EngineModel, AnAbortedRequestLeavesAtOnce) {
  EngineModel engine(SimpleSpec());
  const RequestId id = engine.Submit(Wants(10, 100), Ms(0));
  const RequestId waiting = engine.Submit(Wants(10, 1), Ms(1));
  engine.Advance(Ms(50));
  engine.Abort(id, Ms(51));
  EXPECT_TRUE(engine.Progress(id)->finished);
  EXPECT_EQ(engine.Progress(id)->reason, FinishReason::kAbort);
  EXPECT_EQ(engine.metrics().finished[static_cast<std::size_t>(FinishReason::kAbort)], 1U);
  engine.Abort(id, Ms(52));  // Once.
  EXPECT_EQ(engine.metrics().finished[static_cast<std::size_t>(FinishReason::kAbort)], 1U);
  engine.Advance(Ms(500));
  EXPECT_TRUE(engine.Progress(waiting)->finished);
  EXPECT_EQ(engine.cache().free(), 100U);
  EXPECT_EQ(engine.metrics().e2e_latency.count(), 1U);  // As in vLLM: not the aborted one.
}

TEST(EngineModel, ASlowClockStretchesTheStep) {
  EngineSpec spec = SimpleSpec();
  spec.cost.memory_share = 0.3;
  EngineModel engine(spec);
  engine.set_clock_slowdown(4);
  engine.Submit(Wants(10, 1), Ms(0));
  EXPECT_EQ(engine.step_end(), Ms(62));  // 20 ms × (0.3 + 0.7 × 4)
}

/// Random arrivals, aborts and cache pressure.
class Workload {
 public:
  explicit Workload(std::uint64_t seed)
      : rng_(seed), engine_([] {
          EngineSpec spec = SimpleSpec();
          spec.kv_blocks = 60;
          spec.max_num_seqs = 8;
          return spec;
        }()) {}

  void Run(
      int requests, const std::function<void()>& after_each = [] {}) {
    SimTime at{0};
    std::vector<RequestId> ids;
    for (int i = 0; i < requests; ++i) {
      at += SimTime(static_cast<std::int64_t>(rng_.Below(60'000)));
      SimRequest request = Wants(1 + static_cast<std::uint32_t>(rng_.Below(150)),
                                 1 + static_cast<std::uint32_t>(rng_.Below(40)));
      const std::uint64_t family = rng_.Below(4) * 1000;
      for (std::uint32_t b = 0; b < request.prompt_tokens / 10; ++b)
        request.prefix_hashes.push_back(family + b);
      asked_prompt_ += request.prompt_tokens;
      asked_output_ += request.output_tokens;
      ids.push_back(engine_.Submit(request, at));
      if (rng_.Below(20) == 0) {
        engine_.Abort(ids[rng_.Below(ids.size())], at);
      }
      after_each();
    }
    engine_.Advance(at + Ms(10'000'000));
    after_each();
  }

  Rng rng_;
  EngineModel engine_;
  std::uint64_t asked_prompt_ = 0;
  std::uint64_t asked_output_ = 0;
};

TEST(EngineModel, CountersOnlyGrowAndAllEndsAdd) {
  Workload workload(3);
  std::vector<std::uint64_t> last(8);
  workload.Run(3'000, [&] {
    const EngineMetrics& m = workload.engine_.metrics();
    const std::vector<std::uint64_t> now = {
        m.prompt_tokens,
        m.generation_tokens,
        m.prefix_queries,
        m.prefix_hits,
        m.preemptions,
        m.e2e_latency.count(),
        m.iteration_tokens.count(),
        static_cast<std::uint64_t>(workload.engine_.busy().count())};
    for (std::size_t i = 0; i < now.size(); ++i)
      ASSERT_GE(now[i], last[i]) << i;
    last = now;
    ASSERT_LE(m.running, 8U);
    ASSERT_LE(m.prefix_hits, m.prefix_queries);
  });
  const EngineMetrics& m = workload.engine_.metrics();
  EXPECT_EQ(std::accumulate(std::begin(m.finished), std::end(m.finished), std::uint64_t{0}),
            3'000U);
  EXPECT_GT(m.finished[static_cast<std::size_t>(FinishReason::kAbort)], 20U);
  EXPECT_GT(m.preemptions, 0U);
  EXPECT_GT(m.prefix_hits, 0U);
  EXPECT_EQ(m.running, 0U);
  EXPECT_EQ(m.waiting, 0U);
  EXPECT_EQ(workload.engine_.cache().free(), workload.engine_.cache().size());
  EXPECT_EQ(m.e2e_latency.count(), m.request_generation_tokens.count());
  EXPECT_LE(m.generation_tokens, workload.asked_output_);
  // Each token but the first of a request has a gap before it.
  EXPECT_EQ(m.generation_tokens, m.time_to_first_token.count() + m.inter_token_latency.count());
}

TEST(EngineModel, TokensOfFinishedRequestsAreThoseThatWereAsked) {
  EngineModel engine(SimpleSpec());
  std::uint64_t prompt = 0;
  std::uint64_t output = 0;
  Rng rng(8);
  for (int i = 0; i < 500; ++i) {
    const SimRequest request = Wants(1 + static_cast<std::uint32_t>(rng.Below(200)),
                                     1 + static_cast<std::uint32_t>(rng.Below(50)));
    prompt += request.prompt_tokens;
    output += request.output_tokens;
    engine.Submit(request, Ms(i * 100));
  }
  engine.Advance(Ms(10'000'000));
  EXPECT_EQ(engine.metrics().prompt_tokens, prompt);
  EXPECT_EQ(engine.metrics().generation_tokens, output);
  EXPECT_DOUBLE_EQ(engine.metrics().request_prompt_tokens.sum(), static_cast<double>(prompt));
  EXPECT_DOUBLE_EQ(engine.metrics().request_generation_tokens.sum(), static_cast<double>(output));
}

TEST(EngineModel, TheSameCallsGiveTheSameHistory) {
  const auto page = [](std::uint64_t seed) {
    Workload workload(seed);
    workload.Run(500);
    std::string text;
    WriteVllmPage(workload.engine_.spec(), workload.engine_.metrics(), {}, text);
    return text;
  };
  EXPECT_EQ(page(11), page(11));
  EXPECT_NE(page(11), page(12));
}

// How often one looks must not change what happens.
TEST(EngineModel, LookingMoreOftenChangesNothing) {
  const auto run = [](std::int64_t every_us) {
    EngineModel engine(SimpleSpec());
    Rng rng(4);
    SimTime at{0};
    for (int i = 0; i < 200; ++i) {
      const SimTime next = at + SimTime(static_cast<std::int64_t>(rng.Below(200'000)));
      for (; at < next; at += SimTime(every_us))
        engine.Advance(at);
      at = next;
      engine.Submit(Wants(1 + static_cast<std::uint32_t>(rng.Below(100)),
                          1 + static_cast<std::uint32_t>(rng.Below(30))),
                    at);
    }
    engine.Advance(Ms(1'000'000));
    return std::pair(engine.metrics().e2e_latency.sum(), engine.busy());
  };
  EXPECT_EQ(run(1'000), run(97'001));
}

// Little's law: mean number in the system = rate × mean time in it.
TEST(EngineModel, LittlesLaw) {
  EngineSpec spec = SimpleSpec();
  spec.cost.per_prefill_token_us = 100;
  spec.kv_blocks = 1000;
  EngineModel engine(spec);
  Rng rng(99);
  SimTime at{0};
  SimTime next_arrival{0};
  double area = 0;  // ∫ number dt
  const int kRequests = 5'000;
  int submitted = 0;
  const SimTime kLook{1'000};
  while (submitted < kRequests || engine.metrics().running + engine.metrics().waiting > 0) {
    while (submitted < kRequests && next_arrival <= at) {
      engine.Submit(Wants(10, 1 + static_cast<std::uint32_t>(rng.Below(20))), next_arrival);
      ++submitted;
      next_arrival += FromSeconds(-std::log(1 - rng.Uniform()) / 20.0);
    }
    at += kLook;
    engine.Advance(at);
    area += (engine.metrics().running + engine.metrics().waiting) * Seconds(kLook);
  }
  // rate × mean time = sum of times ÷ total time; both sides are divided by the same total time.
  EXPECT_NEAR(area, engine.metrics().e2e_latency.sum(), engine.metrics().e2e_latency.sum() * 0.02);
  EXPECT_EQ(engine.metrics().e2e_latency.count(), static_cast<std::uint64_t>(kRequests));
}

}  // namespace
}  // namespace sonde::demo
