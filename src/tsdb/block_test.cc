#include "tsdb/block.h"

#include <algorithm>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "base/fault_env.h"
#include "base/hash.h"
#include "model/labels.h"
#include "model/sample.h"
#include "tsdb/block_writer.h"

namespace sonde::tsdb {
namespace {

constexpr const char* kPromtoolBlock = "src/tsdb/testdata/promtool_block";

/// One series of a block, with its chunks' bytes.
struct SeriesOfBlock {
  std::string labels;
  std::vector<IndexChunk> chunks;
  std::vector<std::string> data;
};

std::vector<SeriesOfBlock> ReadAllSeries(const Block& block) {
  std::vector<SeriesOfBlock> all;
  std::vector<std::uint32_t> ids;
  block.index().AllIds()->AppendTo(ids);
  for (const std::uint32_t id : ids) {
    IndexSeries series;
    EXPECT_TRUE(block.index().ReadSeries(id, series).ok());
    SeriesOfBlock read;
    std::string packed;
    EXPECT_TRUE(block.index().AppendPackedLabels(series, packed).ok());
    read.labels = LabelsView::FromPacked(packed).ToString();
    IndexChunkReader chunks = series.chunks();
    IndexChunk chunk;
    while (chunks.Next(chunk)) {
      read.chunks.push_back(chunk);
      const auto view = block.chunks().Read(chunk.ref);
      EXPECT_TRUE(view.ok());
      read.data.emplace_back(view->data);
    }
    EXPECT_EQ(read.chunks.size(), series.chunk_count);
    all.push_back(std::move(read));
  }
  return all;
}

std::vector<FloatSample> Samples(const SeriesOfBlock& series) {
  std::vector<FloatSample> samples;
  for (const std::string& data : series.data) {
    std::vector<Timestamp> times(ChunkSampleCount(data));
    std::vector<double> values(times.size());
    EXPECT_TRUE(
        DecodeChunk(ChunkEncoding::kXor, data, data.size(), times.data(), values.data()).ok());
    for (std::size_t i = 0; i < times.size(); ++i) {
      samples.push_back({times[i], values[i]});
    }
  }
  return samples;
}

/// Symbols of labels in sorted order, and labels as positions in them.
class SymbolTable {
 public:
  explicit SymbolTable(const std::vector<Labels>& series) {
    symbols_.emplace("");  // The key of the list of all series.
    for (const Labels& labels : series) {
      for (const LabelView label : labels) {
        symbols_.emplace(label.name);
        symbols_.emplace(label.value);
      }
    }
    views_.assign(symbols_.begin(), symbols_.end());
  }
  const std::vector<std::string_view>& views() const { return views_; }
  std::vector<SymbolPair> Pairs(LabelsView labels) const {
    std::vector<SymbolPair> pairs;
    for (const LabelView label : labels) {
      pairs.push_back({Number(label.name), Number(label.value)});
    }
    return pairs;
  }

 private:
  std::uint32_t Number(std::string_view symbol) const {
    return static_cast<std::uint32_t>(std::ranges::lower_bound(views_, symbol) - views_.begin());
  }
  std::set<std::string> symbols_;
  std::vector<std::string_view> views_;
};

TEST(BlockTest, ReadsABlockOfPromtool) {
  PosixEnv env;
  const auto block = Block::Open(env, kPromtoolBlock);
  ASSERT_TRUE(block.ok()) << block.error().message();
  EXPECT_EQ((*block)->meta().id.ToString(), "01M86BAAXYVD13EAY8MA2DY7HA");
  EXPECT_EQ((*block)->meta().stats.samples, 2658U);
  const auto all = ReadAllSeries(**block);
  std::map<std::string, std::size_t> counts;
  for (const SeriesOfBlock& series : all) {
    counts[series.labels] = Samples(series).size();
  }
  EXPECT_EQ(counts,
            (std::map<std::string, std::size_t>{
                {"dense{instance=\"b:1\"}", 1200},
                {"power_watts{gpu=\"0\", instance=\"a:1\"}", 477},
                {"single", 1},
                {"sparse{instance=\"b:1\"}", 10},
                {"special{instance=\"b:1\"}", 10},
                {"tokens_total{instance=\"a:1\", job=\"engine\", model=\"deepseek-v3\"}", 480},
                {"up{instance=\"a:1\", job=\"engine\"}", 480}}));
}

TEST(BlockTest, EncodesWhatPromtoolEncodedBitByBit) {
  PosixEnv env;
  const auto block = Block::Open(env, kPromtoolBlock);
  ASSERT_TRUE(block.ok());
  for (const SeriesOfBlock& series : ReadAllSeries(**block)) {
    for (const std::string& data : series.data) {
      SeriesOfBlock one;
      one.data = {data};
      XorChunkBuilder builder;
      for (const FloatSample& sample : Samples(one)) {
        builder.Append(sample.t, sample.v);
      }
      // Prometheus before 3.0 left an empty byte behind a chunk that ends with a whole byte.
      const std::string bytes(builder.bytes());
      EXPECT_TRUE(bytes == data || bytes + '\0' == data) << series.labels;
    }
  }
}

TEST(BlockTest, WritesTheIndexOfPromtoolByteByByte) {
  PosixEnv posix;
  const auto original = Block::Open(posix, kPromtoolBlock);
  ASSERT_TRUE(original.ok());
  std::vector<Labels> labels;
  std::vector<std::uint32_t> ids;
  (*original)->index().AllIds()->AppendTo(ids);
  for (const std::uint32_t id : ids) {
    IndexSeries series;
    std::string packed;
    ASSERT_TRUE((*original)->index().ReadSeries(id, series).ok());
    ASSERT_TRUE((*original)->index().AppendPackedLabels(series, packed).ok());
    labels.emplace_back(LabelsView::FromPacked(packed));
  }
  const SymbolTable symbols(labels);
  FaultEnv env;
  ASSERT_TRUE(env.CreateDir("/data").ok());
  auto writer =
      BlockWriter::Create(env, "/data", (*original)->meta().id, symbols.views(), 512U << 20);
  ASSERT_TRUE(writer.ok()) << writer.error().message();
  const auto all = ReadAllSeries(**original);
  for (std::size_t i = 0; i < all.size(); ++i) {
    std::vector<BlockChunk> chunks;
    for (std::size_t c = 0; c < all[i].chunks.size(); ++c) {
      chunks.push_back({{all[i].chunks[c].min_time},
                        {all[i].chunks[c].max_time},
                        ChunkSampleCount(all[i].data[c]),
                        ChunkEncoding::kXor,
                        all[i].data[c]});
    }
    ASSERT_TRUE((*writer)->AddSeries(symbols.Pairs(labels[i]), chunks).ok());
  }
  BlockMeta meta;
  meta.min_time = (*original)->meta().min_time;
  meta.max_time = (*original)->meta().max_time;
  meta = *(*writer)->Finish(meta);

  const std::string dir = "/data/01M86BAAXYVD13EAY8MA2DY7HA";
  const std::string want_chunks =
      *posix.ReadFile(std::string(kPromtoolBlock) + "/chunks/000001", 1 << 20);
  EXPECT_TRUE(*env.ReadFile(dir + "/chunks/000001", 1 << 20) == want_chunks);
  EXPECT_EQ(*env.ReadFile(dir + "/tombstones", 100),
            *posix.ReadFile(std::string(kPromtoolBlock) + "/tombstones", 100));
  // Prometheus 2.42 still wrote label indices behind the series; everything before them is the
  // same.
  const std::string want = *posix.ReadFile(std::string(kPromtoolBlock) + "/index", 1 << 20);
  const std::string got = *env.ReadFile(dir + "/index", 1 << 20);
  const std::uint64_t series_end = LoadBe64(want.data() + want.size() - kIndexTocBytes + 16);
  EXPECT_TRUE(want.substr(0, series_end) == got.substr(0, series_end));
  EXPECT_EQ(LoadBe64(got.data() + got.size() - kIndexTocBytes + 16), series_end);
  // So are the lists of postings, at another place.
  const std::uint64_t want_postings = LoadBe64(want.data() + want.size() - kIndexTocBytes + 32);
  const std::uint64_t got_postings = LoadBe64(got.data() + got.size() - kIndexTocBytes + 32);
  const std::uint64_t got_table = LoadBe64(got.data() + got.size() - kIndexTocBytes + 40);
  EXPECT_TRUE(want.substr(want_postings, got_table - got_postings) ==
              got.substr(got_postings, got_table - got_postings));

  meta.stats.float_samples = 0;  // Not known to 2.42.
  EXPECT_EQ(FormatBlockMeta(meta),
            *posix.ReadFile(std::string(kPromtoolBlock) + "/meta.json", 1 << 20));

  const auto again = Block::Open(env, dir);
  ASSERT_TRUE(again.ok()) << again.error().message();
  EXPECT_EQ(ReadAllSeries(**again).size(), all.size());
}

std::vector<std::string> Select(const Block& block, const std::vector<Matcher>& matchers) {
  std::vector<std::string> names;
  const auto ids = SelectIds(block.index(), matchers);
  EXPECT_TRUE(ids.ok());
  for (const std::uint32_t id : *ids) {
    IndexSeries series;
    std::string packed;
    EXPECT_TRUE(block.index().ReadSeries(id, series).ok());
    EXPECT_TRUE(block.index().AppendPackedLabels(series, packed).ok());
    names.emplace_back(LabelsView::FromPacked(packed).metric_name());
  }
  return names;
}

TEST(BlockTest, SelectsByMatchers) {
  PosixEnv env;
  const auto block = *Block::Open(env, kPromtoolBlock);
  using enum Matcher::Type;
  const auto make = [](Matcher::Type type, const char* name, const char* value) {
    return *Matcher::Make(type, name, value);
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(Select(*block, {make(kEqual, "__name__", "up")}), Names{"up"});
  EXPECT_EQ(Select(*block, {make(kRegex, "__name__", "s.*"), make(kEqual, "instance", "b:1")}),
            (Names{"sparse", "special"}));
  EXPECT_EQ(Select(*block, {make(kRegex, "__name__", ".+"), make(kEqual, "instance", "")}),
            Names{"single"});
  EXPECT_EQ(Select(*block, {make(kNotEqual, "instance", "b:1")}),
            (Names{"power_watts", "single", "tokens_total", "up"}));
  EXPECT_EQ(Select(*block, {make(kNotRegex, "job", ".+")}),
            (Names{"dense", "power_watts", "single", "sparse", "special"}));
  EXPECT_EQ(Select(*block, {make(kEqual, "job", "nobody")}), Names{});
  EXPECT_EQ(Select(*block, {make(kEqual, "nothing", "x")}), Names{});
  EXPECT_EQ(Select(*block, {}).size(), 7U);
}

TEST(BlockTest, ReadsIndexVersion1) {
  const std::string dir = "../shared/conformance/tsdb/index_format_v1";
  PosixEnv env;
  if (!env.Exists(dir)) GTEST_SKIP() << dir << " is not there";
  const auto block = Block::Open(env, dir);
  ASSERT_TRUE(block.ok()) << block.error().message();
  EXPECT_EQ((*block)->index().version(), 1);
  const auto all = ReadAllSeries(**block);
  EXPECT_EQ(all.size(), 102U);
  std::size_t samples = 0;
  for (const SeriesOfBlock& series : all) {
    samples += Samples(series).size();
  }
  EXPECT_EQ(samples, 102U);
  std::size_t names = 0;
  std::size_t found = 0;
  ASSERT_TRUE((*block)->index().ForEachName([&](std::string_view) { ++names; }).ok());
  EXPECT_GT(names, 0U);
  ASSERT_TRUE(
      (*block)
          ->index()
          .ForEachValue("foo", "",
                        [&](std::string_view value, std::uint64_t) {
                          EXPECT_FALSE(
                              Select(**block, {Matcher::Equal("foo", std::string(value))}).empty());
                          ++found;
                        })
          .ok());
  EXPECT_EQ(found, 2U);
}

TEST(BlockTest, ReadsBlocksWithTheBogusVersionsOfPrometheus21) {
  const std::string dir =
      "../shared/conformance/tsdb/repair_index_version/01BZJ9WJQPWHGNC2W4J9TA62KC";
  PosixEnv env;
  if (!env.Exists(dir)) GTEST_SKIP() << dir << " is not there";
  // Prometheus 2.1 wrote version 2 into meta.json and forgot it in the index. Both are read without
  // changing them.
  const auto block = Block::Open(env, dir);
  ASSERT_TRUE(block.ok()) << block.error().message();
  EXPECT_EQ((*block)->index().version(), 2);
  std::vector<std::string> found;
  const auto ids = SelectIds((*block)->index(), std::vector{Matcher::Equal("b", "1")});
  for (const std::uint32_t id : *ids) {
    IndexSeries series;
    std::string packed;
    ASSERT_TRUE((*block)->index().ReadSeries(id, series).ok());
    ASSERT_TRUE((*block)->index().AppendPackedLabels(series, packed).ok());
    found.push_back(LabelsView::FromPacked(packed).ToString());
  }
  EXPECT_EQ(found, (std::vector<std::string>{"{a=\"1\", b=\"1\"}", "{a=\"2\", b=\"1\"}"}));
}

class DamagedBlockTest : public testing::Test {
 protected:
  void SetUp() override {
    PosixEnv posix;
    ASSERT_TRUE(env_.CreateDir("/b/chunks").ok());
    for (const char* name : {"index", "meta.json", "tombstones", "chunks/000001"}) {
      files_[name] = *posix.ReadFile(std::string(kPromtoolBlock) + "/" + name, 1 << 20);
      Write(name, files_[name]);
    }
  }
  void Write(const std::string& name, std::string_view bytes) {
    ASSERT_TRUE((*env_.NewWritableFile("/b/" + name))->Append(bytes).ok());
  }
  /// Reads everything; whatever comes out is fine as long as nothing is read that is not there.
  void ReadEverything() {
    const auto block = Block::Open(env_, "/b");
    if (!block) return;
    std::vector<std::uint32_t> ids;
    if (const auto all = (*block)->index().AllIds()) all->AppendTo(ids);
    for (const std::uint32_t id : ids) {
      IndexSeries series;
      std::string packed;
      if (!(*block)->index().ReadSeries(id, series)) continue;
      (void)(*block)->index().AppendPackedLabels(series, packed).ok();
      IndexChunkReader chunks = series.chunks();
      IndexChunk chunk;
      while (chunks.Next(chunk)) {
        (void)(*block)->chunks().Read(chunk.ref).ok();
      }
    }
  }

  FaultEnv env_;
  std::map<std::string, std::string> files_;
};

TEST_F(DamagedBlockTest, AnUnknownIndexVersionIsAnErrorThatNamesIt) {
  std::string index = files_["index"];
  index[4] = 9;
  Write("index", index);
  const auto block = Block::Open(env_, "/b");
  ASSERT_FALSE(block.ok());
  EXPECT_EQ(block.error().message(), "/b/index: unknown index version 9");
}

TEST_F(DamagedBlockTest, EveryCutIsSurvived) {
  for (const auto& [name, bytes] : files_) {
    for (std::size_t size = 0; size < bytes.size(); size += (size < 300 ? 1 : 37)) {
      Write(name, std::string_view(bytes).substr(0, size));
      ReadEverything();
    }
    Write(name, bytes);
  }
}

TEST_F(DamagedBlockTest, FlippedBitsAreSurvivedAndMostlyNoticed) {
  Rng rng(5);
  for (const auto& [name, bytes] : files_) {
    for (int round = 0; round < 400; ++round) {
      std::string damaged = bytes;
      char& c = damaged[rng.Below(damaged.size())];
      c = static_cast<char>(c ^ (1 << rng.Below(8)));
      Write(name, damaged);
      ReadEverything();
    }
    Write(name, bytes);
  }
}

TEST(BlockWriterTest, AnUnfinishedBlockLeavesNothing) {
  FaultEnv env;
  ASSERT_TRUE(env.CreateDir("/data").ok());
  Rng rng(1);
  const std::vector<std::string_view> symbols{"a", "b"};
  {
    auto writer = BlockWriter::Create(env, "/data", Ulid::Make({1000}, rng), symbols, 1 << 20);
    ASSERT_TRUE(writer.ok());
    EXPECT_EQ(env.ListDir("/data")->size(), 1U);
  }
  EXPECT_TRUE(env.ListDir("/data")->empty());
}

TEST(BlockWriterTest, ChunkFilesAreCut) {
  FaultEnv env;
  ASSERT_TRUE(env.CreateDir("/c").ok());
  BlockChunkWriter writer(env, "/c", 200);
  std::vector<BlockChunkRef> refs;
  std::vector<std::string> data;
  for (int i = 0; i < 20; ++i) {
    data.push_back("\0\1" + std::string(20 + static_cast<std::size_t>(i), 'x'));
    refs.push_back(*writer.Write(ChunkEncoding::kXor, data.back()));
  }
  ASSERT_TRUE(writer.Finish().ok());
  EXPECT_EQ(refs.front(), 8U) << "file indices begin with 0";
  EXPECT_GT(refs.back() >> 32, 2U);
  const auto chunks = BlockChunks::Open(env, "/c");
  ASSERT_TRUE(chunks.ok());
  for (std::size_t i = 0; i < refs.size(); ++i) {
    EXPECT_EQ(chunks->Read(refs[i])->data, data[i]);
  }
  EXPECT_FALSE(chunks->Read(refs[3] + 1).ok());
  EXPECT_FALSE(chunks->Read(std::uint64_t{99} << 32 | 8).ok());
  EXPECT_FALSE(chunks->Read(0).ok());
}

TEST(UlidTest, RoundTripsAndSortsByTime) {
  Rng rng(9);
  const Ulid id = Ulid::Make({1'700'000'000'123}, rng);
  EXPECT_EQ(id.time(), Timestamp{1'700'000'000'123});
  EXPECT_EQ(Ulid::Parse(id.ToString()), id);
  EXPECT_LT(id.ToString(), Ulid::Make({1'700'000'000'124}, rng).ToString());
  EXPECT_EQ(Ulid::Parse("01BX5ZZKBKACTAV9WEVGEMMVRZ")->time(), Timestamp{1508808576371});
  EXPECT_FALSE(Ulid::Parse("81BX5ZZKBKACTAV9WEVGEMMVRZ"));
  EXPECT_FALSE(Ulid::Parse("01BX5ZZKBKACTAV9WEVGEMMVRU"));
  EXPECT_FALSE(Ulid::Parse("short"));
}

TEST(BlockMetaTest, ForeignMembersAreIgnoredAndMistakesAreNamed) {
  const auto meta = ParseBlockMeta(R"({"version":1,"ulid":"01BX5ZZKBKACTAV9WEVGEMMVRZ",
    "minTime":1,"maxTime":2,"thanos":{"labels":{}},"compaction":{"level":3,"deletable":true,
    "hints":["from-out-of-order"],"parents":[{"ulid":"01BX5ZZKBKACTAV9WEVGEMMVRZ","minTime":1,
    "maxTime":2}]}})");
  ASSERT_TRUE(meta.ok()) << meta.error().message();
  EXPECT_EQ(meta->level, 3);
  EXPECT_TRUE(meta->deletable);
  EXPECT_TRUE(meta->HasHint(kOutOfOrderHint));
  EXPECT_EQ(meta->parents.size(), 1U);
  EXPECT_EQ(ParseBlockMeta("{}").error().message(), "meta.json: version is not 1");
  EXPECT_EQ(ParseBlockMeta(R"({"version":1,"ulid":"x"})").error().message(),
            "meta.json: ulid is not a ULID");
  EXPECT_FALSE(ParseBlockMeta("not json").ok());
}

TEST(TombstonesTest, IntervalsMerge) {
  Intervals intervals;
  AddInterval(intervals, {{10}, {20}});
  AddInterval(intervals, {{40}, {50}});
  AddInterval(intervals, {{21}, {25}});
  EXPECT_EQ(intervals, (Intervals{{{10}, {25}}, {{40}, {50}}}));
  AddInterval(intervals, {{30}, {30}});
  EXPECT_EQ(intervals.size(), 3U);
  AddInterval(intervals, {{0}, {45}});
  EXPECT_EQ(intervals, (Intervals{{{0}, {50}}}));
  AddInterval(intervals, {Timestamp::Min(), Timestamp::Max()});
  EXPECT_EQ(intervals.size(), 1U);
  AddInterval(intervals, {{5}, {4}});
  EXPECT_TRUE(Covers(intervals, {7}));
  EXPECT_FALSE(Covers({{{10}, {25}}}, {26}));
}

TEST(TombstonesTest, FileRoundTripsAndDamageIsNoticed) {
  std::string body;
  PutUvarint(body, 300);
  PutVarint(body, -5);
  PutVarint(body, 1000);
  std::string file = EmptyTombstonesFile().substr(0, 5) + body;
  PutBe32(file, Crc32c(body));
  const auto map = ParseTombstones(file);
  ASSERT_TRUE(map.ok());
  EXPECT_EQ(map->at(300), (Intervals{{{-5}, {1000}}}));
  EXPECT_TRUE(ParseTombstones(EmptyTombstonesFile())->empty());
  EXPECT_EQ(EmptyTombstonesFile().size(), 9U);
  for (std::size_t i = 0; i < file.size(); ++i) {
    std::string damaged = file;
    damaged[i] = static_cast<char>(damaged[i] ^ 4);
    EXPECT_FALSE(ParseTombstones(damaged).ok()) << i;
  }
}

}  // namespace
}  // namespace sonde::tsdb
