// Random work on a store and on a std::map, compared after every step.

#include <map>
#include <vector>

#include <gtest/gtest.h>

#include "base/fault_env.h"
#include "tsdb/test_store.h"
#include "tsdb/wal_files.h"

namespace sonde::tsdb {
namespace {

constexpr std::int64_t kStart = 1'700'000'000'000 / 60'000 * 60'000;

/// What a store should hold: a sample is taken if it is newer than what its series has.
class Model {
 public:
  void Apply(
      const std::vector<std::pair<std::string, std::pair<std::int64_t, std::uint64_t>>>& batch) {
    for (const auto& [labels, sample] : batch) {
      auto& series = samples_[labels];
      if (series.empty() || sample.first > series.back().first) series.push_back(sample);
    }
  }
  StoreContents Read(std::int64_t start, std::int64_t end, std::string_view instance) const {
    StoreContents contents;
    for (const auto& [labels, series] : samples_) {
      if (!instance.empty() &&
          labels.find("instance=\"" + std::string(instance) + "\"") == std::string::npos) {
        continue;
      }
      std::vector<std::pair<std::int64_t, std::uint64_t>> in_range;
      for (const auto& sample : series) {
        if (sample.first >= start && sample.first <= end) in_range.push_back(sample);
      }
      if (!in_range.empty()) contents[labels] = std::move(in_range);
    }
    return contents;
  }

 private:
  StoreContents samples_;
};

class RandomWork {
 public:
  explicit RandomWork(std::uint64_t seed) : rng_(seed), store_(env_, MakeOptions(rng_)) {}

  void Run(int steps) {
    ASSERT_TRUE(store_.Open().ok());
    for (int i = 0; i < steps; ++i) {
      const std::uint64_t what = rng_.Below(100);
      if (what < 55) {
        AppendBatch();
      } else if (what < 80) {
        Compare();
      } else if (what < 90) {
        store_.clock().Advance(std::chrono::minutes(2));
        ASSERT_TRUE(store_->RunMaintenance().ok());
      } else if (what < 94) {
        Reopen();
      } else {
        now_ += static_cast<std::int64_t>(rng_.Below(90'000));
      }
      if (testing::Test::HasFailure()) {
        ADD_FAILURE() << "at step " << i;
        return;
      }
    }
    Reopen();
    Compare();
  }

 private:
  static Options MakeOptions(Rng& rng) {
    Options options;
    options.block_range = std::chrono::minutes(1 + static_cast<int>(rng.Below(3)));
    options.retention = Duration(0);
    options.wal_segment_bytes = kWalPageBytes;
    options.samples_per_chunk = 4 + static_cast<std::uint32_t>(rng.Below(20));
    options.wal_compression = static_cast<WalCompression>(rng.Below(3));
    options.replay_threads = 1 + static_cast<unsigned>(rng.Below(3));
    options.head_chunk_file_bytes = 2000;
    return options;
  }

  Labels RandomLabels() {
    const std::string instance = std::to_string(rng_.Below(6) + generation_);
    const std::string name = "m" + std::to_string(rng_.Below(4));
    return Labels::Of({{"__name__", name}, {"instance", instance}});
  }

  void AppendBatch() {
    std::vector<std::pair<std::string, std::pair<std::int64_t, std::uint64_t>>> batch;
    auto appender = store_->NewAppender();
    const std::uint64_t count = 1 + rng_.Below(20);
    for (std::uint64_t i = 0; i < count; ++i) {
      now_ += static_cast<std::int64_t>(rng_.Below(700));
      const std::int64_t t =
          rng_.Below(8) == 0 ? now_ - static_cast<std::int64_t>(rng_.Below(20'000)) : now_;
      const double v = rng_.Below(3) == 0 ? 1 : rng_.Uniform();
      const Labels labels = RandomLabels();
      const std::string text = labels.ToString();
      storage::AppendResult result;
      if (const auto it = refs_.find(text); it != refs_.end() && rng_.Below(4) != 0) {
        result = appender->Append(it->second, {t}, v);
        if (result.error == storage::AppendError::kUnknownSeries) {
          refs_.erase(it);
          result = appender->Append(labels, {t}, v);
        }
      } else {
        result = appender->Append(labels, {t}, v);
      }
      if (result.error != storage::AppendError::kNone) continue;
      refs_[text] = result.ref;
      batch.emplace_back(text, At(t, v));
    }
    if (rng_.Below(50) == 0) ++generation_;
    if (rng_.Below(6) == 0) {
      appender->Rollback();
      return;
    }
    ASSERT_TRUE(appender->Commit().ok());
    model_.Apply(batch);
  }

  void Compare() {
    std::int64_t start = kStart - 1000;
    std::int64_t end = now_ + 1000;
    if (rng_.Below(3) != 0) {
      start = kStart +
              static_cast<std::int64_t>(rng_.Below(static_cast<std::uint64_t>(now_ - kStart + 1)));
      end = start + static_cast<std::int64_t>(rng_.Below(300'000));
    }
    std::string instance;
    std::vector<Matcher> matchers;
    if (rng_.Below(2) == 0) {
      instance = std::to_string(rng_.Below(8) + generation_);
      matchers.push_back(Matcher::Equal("instance", instance));
    }
    const auto got = store_.Read({start}, {end}, matchers);
    ASSERT_TRUE(got.ok()) << got.error().message();
    StoreContents read = *got;
    // A series whose chunks touch the range without a sample in it may be there, empty.
    std::erase_if(read, [](const auto& series) { return series.second.empty(); });
    EXPECT_EQ(Difference(read, model_.Read(start, end, instance)), "") << start << " to " << end;
  }

  void Reopen() {
    store_.Close();
    refs_.clear();  // Numbers are those of one process.
    ASSERT_TRUE(store_.Open().ok());
  }

  Rng rng_;
  FaultEnv env_;
  TestStore store_;
  Model model_;
  std::map<std::string, storage::SeriesRef> refs_;
  std::int64_t now_ = kStart;
  std::uint64_t generation_ = 0;
};

class StoreModel : public testing::TestWithParam<std::uint64_t> {};

TEST_P(StoreModel, HoldsWhatAMapHolds) {
  RandomWork(GetParam()).Run(1500);
}
INSTANTIATE_TEST_SUITE_P(Seeds, StoreModel, testing::Range<std::uint64_t>(1, 13));

}  // namespace
}  // namespace sonde::tsdb
