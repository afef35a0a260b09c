#include "tsdb/head.h"

#include <bit>
#include <cmath>

#include <gtest/gtest.h>

#include "base/fault_env.h"
#include "model/sample.h"
#include "tsdb/block.h"

namespace sonde::tsdb {
namespace {

constexpr std::uint64_t kAll = ~std::uint64_t{0};

struct ReadChunk {
  Timestamp min_time;
  Timestamp max_time;
  std::string data;
};

/// The chunks of a series that sees every commit, in memory ones only.
std::vector<ReadChunk> ChunksOf(const Head& head, SeriesId id) {
  Arena arena;
  std::vector<CopiedChunk> copied;
  head.CopyChunks(id, Timestamp::Min(), Timestamp::Max(), kAll, &arena, copied);
  std::vector<ReadChunk> chunks;
  for (const CopiedChunk& chunk : copied) {
    chunks.push_back({chunk.min_time, chunk.max_time, std::string(chunk.data)});
  }
  return chunks;
}

class HeadTest : public testing::Test {
 protected:
  SeriesId Make(const char* name) {
    return head_.registry().GetOrCreate(Labels::Of({{"__name__", name}}), 1).id;
  }
  ApplyCounts Apply(const std::vector<HeadSample>& samples) {
    const std::span<const HeadSample> group(samples);
    return head_.Apply(std::span(&group, 1), ++commit_);
  }
  static std::uint64_t Bits(double v) { return std::bit_cast<std::uint64_t>(v); }

  Head head_{ChunkRules{7'200'000, 120}, 0};
  std::uint64_t commit_ = 0;
};

// The block was made by Prometheus's own head from the samples that are in it; promtool sets its
// range to 4 hours.
TEST_F(HeadTest, CutsChunksWherePrometheusCutsThem) {
  Head head(ChunkRules{14'400'000, 120}, 0);
  PosixEnv env;
  const auto block = Block::Open(env, "src/tsdb/testdata/promtool_block");
  ASSERT_TRUE(block.ok());
  std::vector<std::uint32_t> ids;
  (*block)->index().AllIds()->AppendTo(ids);
  for (const std::uint32_t id : ids) {
    IndexSeries series;
    std::string packed;
    ASSERT_TRUE((*block)->index().ReadSeries(id, series).ok());
    ASSERT_TRUE((*block)->index().AppendPackedLabels(series, packed).ok());
    // Its chunks have 1117 bytes: the limit of 1005 is younger than the Prometheus that wrote them.
    if (LabelsView::FromPacked(packed).metric_name() == "power_watts") continue;
    const SeriesId ours = head.registry().GetOrCreate(LabelsView::FromPacked(packed), 1).id;
    std::vector<ReadChunk> want;
    IndexChunkReader chunks = series.chunks();
    IndexChunk chunk;
    while (chunks.Next(chunk)) {
      const auto view = (*block)->chunks().Read(chunk.ref);
      want.push_back({{chunk.min_time}, {chunk.max_time}, std::string(view->data)});
      std::vector<Timestamp> times(ChunkSampleCount(view->data));
      std::vector<double> values(times.size());
      ASSERT_TRUE(
          DecodeChunk(view->encoding, view->data, view->readable, times.data(), values.data())
              .ok());
      std::vector<HeadSample> samples;
      for (std::size_t i = 0; i < times.size(); ++i) {
        samples.push_back({ours, times[i], Bits(values[i])});
      }
      const std::span<const HeadSample> group(samples);
      EXPECT_EQ(head.Apply(std::span(&group, 1), ++commit_).appended, samples.size());
    }
    const std::vector<ReadChunk> got = ChunksOf(head, ours);
    ASSERT_EQ(got.size(), want.size()) << LabelsView::FromPacked(packed).ToString();
    for (std::size_t i = 0; i < got.size(); ++i) {
      EXPECT_EQ(got[i].min_time, want[i].min_time);
      EXPECT_EQ(got[i].max_time, want[i].max_time);
      // Versions before 3.0 left an empty byte behind a chunk that ends with a whole one.
      EXPECT_TRUE(got[i].data == want[i].data || got[i].data + '\0' == want[i].data);
    }
  }
}

TEST_F(HeadTest, ChunksEndAtTwiceTheTargetAndAtRangesAndAtTheirSize) {
  // A pace that quickens after the prediction: cut at 2 x 120 samples.
  const SeriesId fast = Make("fast");
  std::vector<HeadSample> samples;
  for (int i = 0; i < 30; ++i) {
    samples.push_back({fast, {i * 100'000}, Bits(1)});
  }
  for (int i = 0; i < 300; ++i) {
    samples.push_back({fast, {2'900'001 + i}, Bits(1)});
  }
  Apply(samples);
  std::vector<ReadChunk> chunks = ChunksOf(head_, fast);
  ASSERT_EQ(chunks.size(), 2U);
  EXPECT_EQ(ChunkSampleCount(chunks[0].data), 240U);

  const SeriesId slow = Make("slow");
  Apply({{slow, {7'199'999}, Bits(1)}, {slow, {7'200'000}, Bits(1)}, {slow, {7'200'001}, Bits(1)}});
  chunks = ChunksOf(head_, slow);
  ASSERT_EQ(chunks.size(), 2U) << "a new range of two hours is a new chunk";
  EXPECT_EQ(chunks[1].min_time, Timestamp{7'200'000});

  // Values without any pattern, every second: 1005 bytes are reached before 120 samples.
  const SeriesId wild = Make("wild");
  Rng rng(3);
  samples.clear();
  for (int i = 0; i < 300; ++i) {
    samples.push_back({wild, {i * 1000 + static_cast<std::int64_t>(rng.Below(900))}, rng.Next()});
  }
  Apply(samples);
  chunks = ChunksOf(head_, wild);
  ASSERT_GE(chunks.size(), 3U);
  EXPECT_GT(chunks[0].data.size(), 1005U);
  EXPECT_LE(chunks[0].data.size(), 1005U + kMaxXorSampleBytes);
}

TEST_F(HeadTest, MemoryChunksHoldEveryBitPattern) {
  const SeriesId id = Make("any");
  Rng rng(8);
  std::vector<HeadSample> samples;
  std::int64_t t = -7'000'000;
  for (int i = 0; i < 5000; ++i) {
    t += 1 + static_cast<std::int64_t>(rng.Next() >> (40 + rng.Below(24)));
    const std::uint64_t value = rng.Below(3) == 0 ? Bits(1) : rng.Next() >> rng.Below(60);
    samples.push_back({id, {t}, value});
  }
  EXPECT_EQ(Apply(samples).appended, samples.size());
  std::size_t at = 0;
  for (const ReadChunk& chunk : ChunksOf(head_, id)) {
    std::vector<Timestamp> times(ChunkSampleCount(chunk.data));
    std::vector<double> values(times.size());
    ASSERT_TRUE(
        DecodeChunk(ChunkEncoding::kXor, chunk.data, chunk.data.size(), times.data(), values.data())
            .ok());
    for (std::size_t i = 0; i < times.size(); ++i, ++at) {
      ASSERT_EQ(times[i], samples[at].t);
      ASSERT_EQ(Bits(values[i]), samples[at].value);
    }
  }
  EXPECT_EQ(at, samples.size());
}

TEST_F(HeadTest, DuplicatesAndOldSamplesAreCountedAndLeftOut) {
  const SeriesId id = Make("a");
  Apply({{id, {1000}, Bits(1)}, {id, {2000}, Bits(2)}});
  const ApplyCounts counts = Apply(
      {{id, {2000}, Bits(2)}, {id, {2000}, Bits(3)}, {id, {1500}, Bits(1)}, {id, {3000}, Bits(4)}});
  EXPECT_EQ(counts.duplicates, 1U);
  EXPECT_EQ(counts.out_of_order, 2U);
  EXPECT_EQ(counts.appended, 1U);
  EXPECT_EQ(ChunkSampleCount(ChunksOf(head_, id)[0].data), 3U);
}

TEST_F(HeadTest, ReadersSeeTheCommitsBeforeThem) {
  const SeriesId id = Make("a");
  std::vector<std::unique_ptr<Guests::Reader>> readers;
  readers.push_back(std::make_unique<Guests::Reader>(head_.guests()));
  for (int i = 1; i <= 5; ++i) {
    Apply({{id, {i * 1000}, Bits(i)}});
    readers.push_back(std::make_unique<Guests::Reader>(head_.guests()));
  }
  for (std::size_t i = 0; i < readers.size(); ++i) {
    std::vector<CopiedChunk> chunks;
    const std::size_t count = head_.CopyChunks(id, Timestamp::Min(), Timestamp::Max(),
                                               readers[i]->visible_commit(), nullptr, chunks);
    ASSERT_EQ(count, i == 0 ? 0U : 1U);
    if (i > 0) {
      EXPECT_EQ(chunks[0].max_time.ms, static_cast<std::int64_t>(i) * 1000);
    }
  }
  // Without readers no history is kept; with the next commit it goes.
  readers.clear();
  Apply({{id, {9000}, Bits(1)}});
  std::vector<CopiedChunk> chunks;
  head_.CopyChunks(id, Timestamp::Min(), Timestamp::Max(), commit_ - 1, nullptr, chunks);
  EXPECT_EQ(chunks[0].max_time, Timestamp{5000});
}

TEST_F(HeadTest, TruncationDropsChunksAndCollectsSeries) {
  const SeriesId old = Make("old");
  const SeriesId both = Make("both");
  Apply({{old, {1000}, Bits(1)}, {both, {1000}, Bits(1)}, {both, {7'300'000}, Bits(2)}});
  EXPECT_EQ(head_.chunks(), 3U);
  const Head::Truncation truncation = head_.TruncateBefore(7'200'000);
  EXPECT_EQ(truncation.chunks, 2U);
  EXPECT_EQ(truncation.series, 1U);
  EXPECT_EQ(head_.registry().size(), 1U);
  EXPECT_EQ(head_.chunks(), 1U);
  EXPECT_EQ(head_.min_time(), 7'200'000) << "samples may still come after that";
  EXPECT_EQ(head_.registry().Select(std::vector{Matcher::Equal("__name__", "old")})->size(), 0U);
  head_.ReclaimRetired();
  EXPECT_EQ(head_.registry().Find(old), nullptr);
  EXPECT_NE(Make("old"), old) << "numbers are not given twice";
}

TEST_F(HeadTest, WhatAReaderOrAppenderMayKnowIsNotReclaimed) {
  const SeriesId id = Make("a");
  Apply({{id, {1000}, Bits(1)}});
  auto reader = std::make_unique<Guests::Reader>(head_.guests());
  EXPECT_EQ(head_.TruncateBefore(5000).series, 1U);
  head_.ReclaimRetired();
  ASSERT_NE(head_.registry().Find(id), nullptr);
  std::string packed;
  head_.registry().AppendLabels(head_.registry()[id], packed);
  EXPECT_EQ(LabelsView::FromPacked(packed).metric_name(), "a");
  reader.reset();
  head_.ReclaimRetired();
  EXPECT_EQ(head_.registry().Find(id), nullptr);

  // A series that an appender inside has touched stays, with its number.
  const Guests::Appender appender(head_.guests());
  const SeriesId touched =
      head_.registry().GetOrCreate(Labels::Of({{"__name__", "b"}}), appender.epoch()).id;
  EXPECT_EQ(head_.TruncateBefore(6000).series, 0U);
  EXPECT_NE(head_.registry().Find(touched), nullptr);
}

TEST_F(HeadTest, FullChunksMoveToFilesAndStayReadable) {
  FaultEnv env;
  auto files = *HeadChunks::Open(env, "/chunks_head", 1 << 20);
  const SeriesId id = Make("a");
  std::vector<HeadSample> samples;
  for (int i = 0; i < 400; ++i) {
    samples.push_back({id, {i * 15'000}, Bits(i)});
  }
  Apply(samples);
  const auto before = ChunksOf(head_, id);
  EXPECT_EQ(head_.full_chunks_in_memory(), before.size() - 1);
  ASSERT_TRUE(head_.WriteFullChunks(*files).ok());
  EXPECT_EQ(head_.full_chunks_in_memory(), 0U);
  std::vector<CopiedChunk> chunks;
  head_.CopyChunks(id, Timestamp::Min(), Timestamp::Max(), kAll, nullptr, chunks);
  ASSERT_EQ(chunks.size(), before.size());
  for (std::size_t i = 0; i + 1 < chunks.size(); ++i) {
    EXPECT_EQ(files->files()->Read(chunks[i].ref)->data, before[i].data);
  }
}

TEST_F(HeadTest, AFullDiskKeepsFullChunksInMemory) {
  FaultEnv env;
  auto files = *HeadChunks::Open(env, "/chunks_head", 1 << 20);
  env.SetCapacity(20);
  const SeriesId id = Make("a");
  std::vector<HeadSample> samples;
  for (int i = 0; i < 400; ++i) {
    samples.push_back({id, {i * 15'000}, Bits(i)});
  }
  Apply(samples);
  const auto before = ChunksOf(head_, id);
  EXPECT_FALSE(head_.WriteFullChunks(*files).ok());
  const auto after = ChunksOf(head_, id);
  ASSERT_EQ(after.size(), before.size());
  for (std::size_t i = 0; i < after.size(); ++i) {
    EXPECT_EQ(after[i].data, before[i].data);
  }
  env.SetCapacity(kAll);
  ASSERT_TRUE(head_.WriteFullChunks(*files).ok());
  EXPECT_EQ(head_.full_chunks_in_memory(), 0U);
}

TEST(SeriesRegistryTest, ManySeriesComeAndGo) {
  SeriesRegistry registry(0);
  Rng rng(5);
  std::map<std::string, SeriesId> live;
  for (int round = 0; round < 40; ++round) {
    for (int i = 0; i < 200; ++i) {
      const std::string value = std::to_string(rng.Below(3000));
      const Labels labels = Labels::Of({{"__name__", i % 2 == 0 ? "a" : "b"}, {"v", value}});
      const auto entry = registry.GetOrCreate(labels, static_cast<std::uint32_t>(round + 1));
      const auto [it, added] = live.try_emplace(labels.ToString(), entry.id);
      ASSERT_EQ(it->second, entry.id);
      ASSERT_EQ(entry.created, added);
    }
    // Everything that was not touched in this round or the last one goes.
    std::vector<SeriesId> all = registry.All();
    const auto removed = registry.Collect(all, static_cast<std::uint32_t>(round));
    for (const SeriesId id : removed.series) {
      std::erase_if(live, [&](const auto& entry) { return entry.second == id; });
    }
    (void)registry.Reclaim(removed);
    ASSERT_EQ(registry.size(), live.size());
    all = registry.All();
    EXPECT_EQ(all.size(), live.size());
    std::string packed;
    for (const SeriesId id : all) {
      packed.clear();
      registry.AppendLabels(registry[id], packed);
      const LabelsView labels = LabelsView::FromPacked(packed);
      ASSERT_EQ(live.at(labels.ToString()), id);
      const auto found = registry.Select(
          std::vector{Matcher::Equal("v", std::string(labels.Get("v"))),
                      Matcher::Equal("__name__", std::string(labels.metric_name()))});
      ASSERT_EQ(*found, std::vector<SeriesId>{id});
    }
    const auto values = registry.LabelValues("v", {});
    std::set<std::string> want;
    for (const auto& [text, id] : live) {
      want.insert(text.substr(text.find("v=") + 3, text.rfind('"') - text.find("v=") - 3));
    }
    EXPECT_EQ(std::set<std::string>(values->begin(), values->end()), want);
  }
  EXPECT_GT(live.size(), 100U);
}

TEST(SeriesRegistryTest, MatchersFollowPrometheus) {
  SeriesRegistry registry(0);
  const auto add = [&](std::initializer_list<LabelView> labels) {
    registry.GetOrCreate(Labels::Of(labels), 1);
  };
  add({{"n", "1"}});
  add({{"n", "1"}, {"i", "a"}});
  add({{"n", "1"}, {"i", "b"}});
  add({{"n", "2"}});
  add({{"n", "2.5"}});
  const auto select = [&](std::vector<Matcher> matchers) {
    std::string text;
    const auto ids = registry.Select(matchers);
    for (const SeriesId id : *ids) {
      std::string packed;
      registry.AppendLabels(registry[id], packed);
      text += LabelsView::FromPacked(packed).ToString() + " ";
    }
    return text;
  };
  using enum Matcher::Type;
  const auto m = [](Matcher::Type type, const char* name, const char* value) {
    return *Matcher::Make(type, name, value);
  };
  const std::string one = "{n=\"1\"} ";
  const std::string one_a = "{i=\"a\", n=\"1\"} ";
  const std::string one_b = "{i=\"b\", n=\"1\"} ";
  const std::string two = "{n=\"2\"} ";
  const std::string half = "{n=\"2.5\"} ";
  EXPECT_EQ(select({m(kEqual, "n", "1")}), one + one_a + one_b);
  EXPECT_EQ(select({m(kEqual, "n", "1"), m(kEqual, "i", "a")}), one_a);
  EXPECT_EQ(select({m(kEqual, "n", "1"), m(kEqual, "i", "missing")}), "");
  EXPECT_EQ(select({m(kEqual, "missing", "")}), one + one_a + one_b + two + half);
  EXPECT_EQ(select({m(kNotEqual, "n", "1")}), two + half);
  EXPECT_EQ(select({m(kNotEqual, "i", "")}), one_a + one_b);
  EXPECT_EQ(select({m(kNotEqual, "missing", "")}), "");
  EXPECT_EQ(select({m(kEqual, "n", "1"), m(kNotEqual, "i", "a")}), one + one_b);
  EXPECT_EQ(select({m(kEqual, "n", "1"), m(kNotEqual, "i", "")}), one_a + one_b);
  EXPECT_EQ(select({m(kRegex, "n", "^1$")}), one + one_a + one_b);
  EXPECT_EQ(select({m(kEqual, "n", "1"), m(kRegex, "i", "a")}), one_a);
  EXPECT_EQ(select({m(kEqual, "n", "1"), m(kRegex, "i", "a?")}), one + one_a);
  EXPECT_EQ(select({m(kRegex, "i", "")}), one + two + half);
  EXPECT_EQ(select({m(kEqual, "n", "1"), m(kRegex, "i", "")}), one);
  EXPECT_EQ(select({m(kEqual, "n", "1"), m(kRegex, "i", ".*")}), one + one_a + one_b);
  EXPECT_EQ(select({m(kEqual, "n", "1"), m(kRegex, "i", ".+")}), one_a + one_b);
  EXPECT_EQ(select({m(kNotRegex, "n", "^1$")}), two + half);
  EXPECT_EQ(select({m(kNotRegex, "n", "1|2.5")}), two);
  EXPECT_EQ(select({m(kEqual, "n", "1"), m(kNotRegex, "i", "a?")}), one_b);
  EXPECT_EQ(select({m(kEqual, "n", "1"), m(kNotRegex, "i", "")}), one_a + one_b);
  EXPECT_EQ(select({m(kEqual, "n", "1"), m(kNotRegex, "i", ".*")}), "");
  EXPECT_EQ(select({m(kEqual, "n", "1"), m(kNotRegex, "i", ".+")}), one);
  EXPECT_EQ(select({m(kEqual, "n", "1"), m(kNotEqual, "i", "b"), m(kRegex, "i", "^(b|a).*$")}),
            one_a);
  EXPECT_EQ(select({m(kRegex, "n", "1|2")}), one + one_a + one_b + two);
  EXPECT_EQ(select({m(kRegex, "i", "(a|b|c)"), m(kNotEqual, "i", "c")}), one_a + one_b);
  EXPECT_EQ(select({m(kRegex, "n", ".*2.*")}), two + half);
}

TEST(GuestsTest, MarksEpochsAndVisibleCommits) {
  Guests guests;
  auto first = std::make_unique<Guests::Reader>(guests);
  guests.Publish(5);
  const std::uint64_t mark = guests.Mark();
  auto second = std::make_unique<Guests::Reader>(guests);
  EXPECT_EQ(first->visible_commit(), 0U);
  EXPECT_EQ(second->visible_commit(), 5U);
  EXPECT_EQ(guests.SeenByAll(), 0U);
  EXPECT_FALSE(guests.ReadersLeft(mark));
  first.reset();
  EXPECT_TRUE(guests.ReadersLeft(mark));
  EXPECT_EQ(guests.SeenByAll(), 5U);
  EXPECT_TRUE(guests.AppendersLeft(mark));

  auto appender = std::make_unique<Guests::Appender>(guests);
  const std::uint32_t epoch = appender->epoch();
  EXPECT_EQ(guests.BeginCollection(), epoch) << "what the appender touched must stay";
  appender.reset();
  EXPECT_EQ(guests.BeginCollection(), epoch + 2);
}

}  // namespace
}  // namespace sonde::tsdb
