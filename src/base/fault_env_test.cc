#include "base/fault_env.h"

#include <unistd.h>

#include <gtest/gtest.h>

namespace sonde {
namespace {

void Write(Env& env, const Env::Path& path, std::string_view bytes, bool sync) {
  auto file = env.NewWritableFile(path);
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE((*file)->Append(bytes).ok());
  if (sync) {
    ASSERT_TRUE((*file)->Sync().ok());
  }
}

std::string Read(Env& env, const Env::Path& path) {
  auto bytes = env.ReadFile(path, 1000);
  return bytes.ok() ? *bytes : "<" + std::string(ToString(bytes.error().kind())) + ">";
}

// The same contract for the real file system and the one in memory.
class EnvTest : public testing::TestWithParam<bool> {
 protected:
  EnvTest() {
    if (GetParam()) {
      env_ = std::make_unique<PosixEnv>();
      root_ = std::filesystem::temp_directory_path() / ("sonde-env-" + std::to_string(::getpid()));
    } else {
      env_ = std::make_unique<FaultEnv>();
      root_ = "/data";
    }
    EXPECT_TRUE(env_->RemoveAll(root_).ok());
    EXPECT_TRUE(env_->CreateDir(root_ / "a" / "b").ok());
  }
  ~EnvTest() override { EXPECT_TRUE(env_->RemoveAll(root_).ok()); }

  std::unique_ptr<Env> env_;
  Env::Path root_;
};

TEST_P(EnvTest, FilesAndDirectories) {
  Write(*env_, root_ / "a/f", "hello", true);
  EXPECT_EQ(Read(*env_, root_ / "a/f"), "hello");
  {
    auto file = env_->NewAppendableFile(root_ / "a/f");
    ASSERT_TRUE(file.ok());
    EXPECT_EQ((*file)->size(), 5U);
    ASSERT_TRUE((*file)->Append(" world").ok());
    EXPECT_EQ((*file)->size(), 11U);
  }
  auto mapped = env_->MapFile(root_ / "a/f");
  ASSERT_TRUE(mapped.ok());
  EXPECT_EQ((*mapped)->bytes(), "hello world");
  EXPECT_EQ(env_->ReadFile(root_ / "a/f", 10).error().kind(), ErrorKind::kLimit);
  ASSERT_TRUE(env_->Rename(root_ / "a/f", root_ / "a/g").ok());
  EXPECT_EQ(Read(*env_, root_ / "a/f"), "<not_found>");
  ASSERT_TRUE(env_->TruncateFile(root_ / "a/g", 4).ok());
  EXPECT_EQ(Read(*env_, root_ / "a/g"), "hell");
  const auto entries = env_->ListDir(root_ / "a");
  ASSERT_TRUE(entries.ok());
  ASSERT_EQ(entries->size(), 2U);
  EXPECT_EQ((*entries)[0].name, "b");
  EXPECT_TRUE((*entries)[0].is_directory);
  EXPECT_EQ((*entries)[1].name, "g");
  EXPECT_EQ((*entries)[1].size, 4U);
  EXPECT_EQ(*DirectoryBytes(*env_, root_), 4U);
  ASSERT_TRUE(env_->Rename(root_ / "a", root_ / "c").ok());
  EXPECT_EQ(Read(*env_, root_ / "c/g"), "hell");
  ASSERT_TRUE(env_->RemoveFile(root_ / "c/g").ok());
  EXPECT_EQ(env_->RemoveFile(root_ / "c/g").error().kind(), ErrorKind::kNotFound);
  EXPECT_EQ(env_->NewWritableFile(root_ / "no/f").error().kind(), ErrorKind::kNotFound);
  EXPECT_FALSE(env_->Exists(root_ / "a"));
}

TEST_P(EnvTest, LockIsExclusive) {
  auto lock = env_->LockFile(root_ / "lock");
  ASSERT_TRUE(lock.ok());
  EXPECT_EQ(env_->LockFile(root_ / "lock").error().kind(), ErrorKind::kUnavailable);
  *lock = nullptr;
  EXPECT_TRUE(env_->LockFile(root_ / "lock").ok());
}

INSTANTIATE_TEST_SUITE_P(Envs, EnvTest, testing::Bool());

TEST(FaultEnvTest, PowerCutForgetsWhatWasNotSynced) {
  FaultEnv env;
  ASSERT_TRUE(env.CreateDir("/d").ok());
  Write(env, "/d/synced", "12345", true);
  ASSERT_TRUE(env.SyncDir("/d").ok());
  {
    auto file = env.NewAppendableFile("/d/synced");
    ASSERT_TRUE((*file)->Append("67890").ok());
  }
  Write(env, "/d/new", "x", false);
  EXPECT_EQ(Read(*env.AfterKill(), "/d/synced"), "1234567890");
  EXPECT_EQ(Read(*env.AfterKill(), "/d/new"), "x");
  bool lost = false;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Rng rng(seed);
    const auto after = env.AfterPowerCut(rng);
    const std::string bytes = Read(*after, "/d/synced");
    EXPECT_TRUE(bytes.starts_with("12345")) << bytes;
    lost |= bytes.size() < 10 && !after->Exists("/d/new");
  }
  EXPECT_TRUE(lost);
}

TEST(FaultEnvTest, AtomicWriteSurvivesAStopAtEveryOperation) {
  for (std::uint64_t stop = 0; stop < 10; ++stop) {
    FaultEnv env;
    ASSERT_TRUE(env.CreateDir("/d").ok());
    ASSERT_TRUE(WriteFileAtomically(env, "/d/f", "old").ok());
    env.StopAt(env.operations() + stop);
    const bool done = WriteFileAtomically(env, "/d/f", "new contents").ok();
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      Rng rng(seed);
      const std::string bytes = Read(*env.AfterPowerCut(rng), "/d/f");
      EXPECT_TRUE(bytes == "new contents" || (!done && bytes == "old")) << stop << ": " << bytes;
    }
  }
}

TEST(FaultEnvTest, FullDiskTakesWhatFits) {
  FaultEnv env;
  env.SetCapacity(8);
  auto file = env.NewWritableFile("/f");
  ASSERT_TRUE((*file)->Append("12345").ok());
  const Status full = (*file)->Append("67890");
  ASSERT_FALSE(full.ok());
  EXPECT_NE(full.error().message().find("No space left"), std::string::npos);
  EXPECT_EQ(Read(env, "/f"), "12345678");
  EXPECT_EQ(*env.FreeBytes("/"), 0U);
}

}  // namespace
}  // namespace sonde
