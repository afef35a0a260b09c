// Files that were cut, or in which bits were flipped, cost what cannot be read, and nothing else:
// no crash, no refusal to start.

#include <algorithm>

#include <gtest/gtest.h>

#include "base/fault_env.h"
#include "tsdb/test_store.h"
#include "tsdb/wal_files.h"

namespace sonde::tsdb {
namespace {

constexpr std::int64_t kMinute = 60'000;
constexpr std::int64_t kStart = 1'700'000'040'000 / kMinute * kMinute;

Options SmallOptions() {
  Options options;
  options.block_range = std::chrono::minutes(1);
  options.wal_segment_bytes = kWalPageBytes;
  options.samples_per_chunk = 4;
  return options;
}

Labels Instance(int i) {
  return Labels::Of({{"__name__", "m"}, {"instance", std::to_string(i)}});
}

/// A store with blocks, a checkpoint, mapped chunks and a log.
void Fill(TestStore& store) {
  for (int second = 0; second < 9 * 60; second += 3) {
    auto appender = store->NewAppender();
    for (int s = 0; s < 6; ++s) {
      ASSERT_EQ(
          appender->Append(Instance(s + second / 120), {kStart + second * 1000}, second * 0.25 + s)
              .error,
          storage::AppendError::kNone);
    }
    ASSERT_TRUE(appender->Commit().ok());
    if (second % 60 == 0) {
      ASSERT_TRUE(store->RunMaintenance().ok());
    }
  }
}

std::vector<Env::Path> AllFiles(Env& env, const Env::Path& dir) {
  std::vector<Env::Path> files;
  const auto entries = env.ListDir(dir);
  for (const DirEntry& entry : *entries) {
    if (entry.is_directory) {
      const auto below = AllFiles(env, dir / entry.name);
      files.insert(files.end(), below.begin(), below.end());
    } else if (entry.name != "lock") {
      files.push_back(dir / entry.name);
    }
  }
  return files;
}

void Overwrite(Env& env, const Env::Path& path, std::string_view bytes) {
  const auto file = env.NewWritableFile(path);
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE((*file)->Append(bytes).ok());
}

class DamageTest : public testing::Test {
 protected:
  void SetUp() override {
    TestStore store(original_, SmallOptions());
    ASSERT_TRUE(store.Open().ok());
    Fill(store);
    want_ = *store.Read();
    store.Close();
    files_ = AllFiles(original_, "/data");
    ASSERT_GT(files_.size(), 20U);
    ASSERT_FALSE(ListWalCheckpoints(original_, "/data/wal")->empty());
  }
  /// Opens the damaged copy, reads what can be read, writes, and opens it again.
  void ExpectUsable(FaultEnv& env, const std::string& where) {
    TestStore store(env, SmallOptions());
    const Status status = store.Open();
    ASSERT_TRUE(status.ok()) << where << ": " << status.error().message();
    const auto contents = store.Read();
    if (contents.ok()) {
      for (const auto& [labels, samples] : *contents) {
        const auto original = want_.find(labels);
        ASSERT_NE(original, want_.end()) << where << ": invented series " << labels;
        for (const auto& sample : samples) {
          ASSERT_TRUE(std::ranges::binary_search(original->second, sample))
              << where << ": invented sample of " << labels;
        }
      }
    } else {
      EXPECT_TRUE(contents.error().kind() == ErrorKind::kCorruption ||
                  contents.error().kind() == ErrorKind::kInvalid)
          << where << contents.error().message();
    }
    const Status appended = store.Append(Instance(99), kStart + 60 * kMinute, 1);
    // meta.json has no checksum: a flipped digit can make a block end in the far future.
    if (where.find("meta.json") != std::string::npos && !appended.ok()) return;
    ASSERT_TRUE(appended.ok()) << where;
    store.Close();
    ASSERT_TRUE(store.Open().ok()) << where;
    const auto now = store.Read({kStart + 60 * kMinute}, Timestamp::Max());
    ASSERT_TRUE(now.ok()) << where;
    EXPECT_EQ(now->size(), 1U) << where;
  }

  FaultEnv original_;
  StoreContents want_;
  std::vector<Env::Path> files_;
};

TEST_F(DamageTest, FlippedBitsAnywhere) {
  Rng rng(1);
  for (int round = 0; round < 600; ++round) {
    const auto env = original_.AfterKill();
    const Env::Path& path = files_[rng.Below(files_.size())];
    std::string bytes = *env->ReadFile(path, 1 << 30);
    if (bytes.empty()) continue;
    const std::uint64_t at = rng.Below(bytes.size());
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << rng.Below(8)));
    Overwrite(*env, path, bytes);
    ExpectUsable(*env, path.string() + " byte " + std::to_string(at));
    if (HasFatalFailure()) return;
  }
}

TEST_F(DamageTest, FilesCutAnywhere) {
  Rng rng(2);
  for (int round = 0; round < 600; ++round) {
    const auto env = original_.AfterKill();
    const Env::Path& path = files_[rng.Below(files_.size())];
    const std::string bytes = *env->ReadFile(path, 1 << 30);
    const std::uint64_t size = rng.Below(bytes.size() + 1);
    Overwrite(*env, path, std::string_view(bytes).substr(0, size));
    ExpectUsable(*env, path.string() + " cut to " + std::to_string(size));
    if (HasFatalFailure()) return;
  }
}

TEST_F(DamageTest, FilesMissing) {
  for (const Env::Path& path : files_) {
    const auto env = original_.AfterKill();
    ASSERT_TRUE(env->RemoveFile(path).ok());
    ExpectUsable(*env, path.string() + " missing");
    if (HasFatalFailure()) return;
  }
}

TEST_F(DamageTest, TheLastSegmentCutAtEveryByte) {
  const auto segments = ListWalSegments(original_, "/data/wal");
  const WalSegment last = segments->back();
  const std::string bytes = *original_.ReadFile(last.path, 1 << 30);
  std::size_t newest = 0;
  std::vector<std::size_t> sizes;
  for (std::size_t size = 0; size < bytes.size(); size += (size < 400 ? 1 : 17)) {
    sizes.push_back(size);
  }
  sizes.push_back(bytes.size());
  for (const std::size_t size : sizes) {
    const auto env = original_.AfterKill();
    Overwrite(*env, last.path, std::string_view(bytes).substr(0, size));
    TestStore store(*env, SmallOptions());
    ASSERT_TRUE(store.Open().ok()) << size;
    std::size_t samples = 0;
    const auto contents = store.Read();
    ASSERT_TRUE(contents.ok());
    for (const auto& [labels, series] : *contents) {
      samples += series.size();
    }
    EXPECT_GE(samples, newest) << size;
    newest = samples;
  }
  std::size_t all = 0;
  for (const auto& [labels, series] : want_) {
    all += series.size();
  }
  EXPECT_EQ(newest, all);
}

TEST_F(DamageTest, ADamagedSegmentCostsOnlyWhatIsDamaged) {
  FaultEnv env;
  Options options;
  options.wal_compression = WalCompression::kNone;
  TestStore store(env, options);
  ASSERT_TRUE(store.Open().ok());
  for (int i = 0; i < 6000; ++i) {
    ASSERT_TRUE(store.Append(Instance(i % 3), kStart + i * 100, i).ok());
  }
  store.Close();
  std::string bytes = *env.ReadFile("/data/wal/00000000", 1 << 30);
  ASSERT_GT(bytes.size(), 6 * kWalPageBytes);
  bytes[3 * kWalPageBytes + 5000] = static_cast<char>(bytes[3 * kWalPageBytes + 5000] ^ 4);
  Overwrite(env, "/data/wal/00000000", bytes);
  ASSERT_TRUE(store.Open().ok());
  std::size_t samples = 0;
  const auto contents = store.Read();
  for (const auto& [labels, series] : *contents) {
    samples += series.size();
  }
  // Less than one page of 32 KiB, at some 36 bytes a sample; and everything after it is there.
  EXPECT_LT(samples, 6000U);
  EXPECT_GT(samples, 6000U - kWalPageBytes / 30);
  EXPECT_EQ(contents->at("m{instance=\"2\"}").back(), At(kStart + 5999 * 100, 5999));
  EXPECT_TRUE(env.Exists("/data/wal/00000000.damaged"));
  EXPECT_EQ(store.metric("prometheus_tsdb_wal_corruptions_total"), 1);
  store.Close();
  ASSERT_TRUE(store.Open().ok());
  EXPECT_EQ(Difference(*store.Read(), *contents), "");
  EXPECT_EQ(store.metric("prometheus_tsdb_wal_corruptions_total"), 0) << "it was repaired";
}

}  // namespace
}  // namespace sonde::tsdb
