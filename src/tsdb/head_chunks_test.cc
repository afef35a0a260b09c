#include "tsdb/head_chunks.h"

#include <gtest/gtest.h>

#include "base/fault_env.h"

namespace sonde::tsdb {
namespace {

std::string Hex(std::string_view bytes) {
  std::string hex;
  for (const char c : bytes) {
    hex += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4];
    hex += "0123456789abcdef"[c & 15];
  }
  return hex;
}

std::string Chunk(std::int64_t start, int samples) {
  XorChunkBuilder builder;
  for (int i = 0; i < samples; ++i) {
    builder.Append({start + i * 1000}, i);
  }
  return std::string(builder.bytes());
}

struct Loaded {
  std::vector<HeadChunkRef> refs;
  std::vector<std::uint64_t> series;
  std::string damage;
};

Loaded LoadAll(HeadChunks& chunks) {
  Loaded loaded;
  const Status status = chunks.Load(
      [&](HeadChunkRef ref, const HeadChunk& chunk) {
        loaded.refs.push_back(ref);
        loaded.series.push_back(chunk.series_ref);
      },
      loaded.damage);
  EXPECT_TRUE(status.ok());
  return loaded;
}

class HeadChunksTest : public testing::Test {
 protected:
  std::unique_ptr<HeadChunks> Open(std::uint64_t max_file_bytes = 1 << 20) {
    auto chunks = HeadChunks::Open(env_, "/chunks_head", max_file_bytes);
    EXPECT_TRUE(chunks.ok());
    return *std::move(chunks);
  }

  /// Writes `count` chunks of series 1, 2, …, one batch each.
  static std::vector<HeadChunkRef> WriteSome(HeadChunks& chunks, int count) {
    std::vector<HeadChunkRef> refs;
    for (int i = 0; i < count; ++i) {
      const std::string data = Chunk(1000, 5);
      const HeadChunk chunk{
          static_cast<std::uint64_t>(i) + 1, {1000}, {5000}, ChunkEncoding::kXor, false, data};
      EXPECT_TRUE(chunks.Write(std::span(&chunk, 1), refs).ok());
    }
    EXPECT_TRUE(chunks.Publish().ok());
    return refs;
  }

  FaultEnv env_;
};

// The worked example of docs/formats/head_chunks.md.
TEST_F(HeadChunksTest, WorkedExample) {
  auto chunks = Open();
  const HeadChunk chunk{
      7, {1000}, {2000}, ChunkEncoding::kXor, false, std::string_view("\0\1z", 3)};
  std::vector<HeadChunkRef> refs;
  ASSERT_TRUE(chunks->Write(std::span(&chunk, 1), refs).ok());
  EXPECT_EQ(refs, std::vector<HeadChunkRef>{(std::uint64_t{1} << 32) | 8});
  EXPECT_EQ(Hex(*env_.ReadFile("/chunks_head/000001", 1000)),
            "0130bc91"
            "01"
            "000000"
            "0000000000000007"
            "00000000000003e8"
            "00000000000007d0"
            "01"
            "03"
            "00017a"
            "3685450c");
}

TEST_F(HeadChunksTest, WrittenChunksCanBeReadAfterPublishAndAfterReopening) {
  auto chunks = Open();
  const auto refs = WriteSome(*chunks, 10);
  for (int round = 0; round < 2; ++round) {
    const auto files = chunks->files();
    for (const HeadChunkRef ref : refs) {
      const auto view = files->Read(ref);
      ASSERT_TRUE(view.ok()) << view.error().message();
      EXPECT_EQ(view->encoding, ChunkEncoding::kXor);
      EXPECT_EQ(view->data, Chunk(1000, 5));
      EXPECT_GE(view->readable, view->data.size());
    }
    EXPECT_FALSE(files->Read(refs[0] + 1).ok());
    EXPECT_FALSE(files->Read(std::uint64_t{9} << 32).ok());
    EXPECT_FALSE(files->Read(~std::uint64_t{0}).ok());
    chunks = Open();
    EXPECT_EQ(LoadAll(*chunks).refs, refs);
  }
}

TEST_F(HeadChunksTest, AStartWritesToANewFile) {
  WriteSome(*Open(), 1);
  auto chunks = Open();
  const auto refs = WriteSome(*chunks, 1);
  EXPECT_EQ(refs[0] >> 32, 2U);
  EXPECT_EQ(LoadAll(*Open()).refs.size(), 2U);
}

TEST_F(HeadChunksTest, FilesAreCutAndTruncatedFromTheFront) {
  auto chunks = Open(200);
  const auto refs = WriteSome(*chunks, 12);
  const auto last = static_cast<std::uint32_t>(refs.back() >> 32);
  EXPECT_GT(last, 3U);
  const auto before = chunks->files();
  ASSERT_TRUE(chunks->Truncate(3).ok());
  EXPECT_FALSE(env_.Exists("/chunks_head/000002"));
  EXPECT_TRUE(env_.Exists("/chunks_head/000003"));
  EXPECT_TRUE(before->Read(refs[0]).ok()) << "readers of the old files keep them";
  EXPECT_FALSE(chunks->files()->Read(refs[0]).ok());
  ASSERT_TRUE(chunks->Truncate(1000).ok());
  EXPECT_TRUE(chunks->files()->Read(refs.back()).ok()) << "the file being written stays";
}

TEST_F(HeadChunksTest, FilesWithOutOfOrderChunksStay) {
  auto chunks = Open(200);
  std::vector<HeadChunkRef> refs;
  const std::string data = Chunk(0, 9);
  for (int i = 0; i < 9; ++i) {
    const HeadChunk chunk{1, {0}, {8000}, ChunkEncoding::kXor, i == 4, data};
    ASSERT_TRUE(chunks->Write(std::span(&chunk, 1), refs).ok());
  }
  ASSERT_TRUE(chunks->Publish().ok());
  chunks = Open(200);
  EXPECT_EQ(LoadAll(*chunks).refs.size(), 9U);
  WriteSome(*chunks, 1);
  ASSERT_TRUE(chunks->Truncate(1000).ok());
  EXPECT_TRUE(chunks->files()->Read(refs[4]).ok());
  EXPECT_TRUE(chunks->files()->Read(refs[8]).ok());
  EXPECT_FALSE(chunks->files()->Read(refs[0]).ok());
}

TEST_F(HeadChunksTest, ATornTailIsCutOff) {
  const auto refs = WriteSome(*Open(), 5);
  const std::string whole = *env_.ReadFile("/chunks_head/000001", 1 << 20);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto file = *env_.NewWritableFile("/chunks_head/000001");
    ASSERT_TRUE(file->Append(std::string_view(whole).substr(0, size)).ok());
    auto chunks = Open();
    const Loaded loaded = LoadAll(*chunks);
    std::size_t want = 0;
    while (want < refs.size() &&
           (want + 1 < refs.size() ? refs[want + 1] & 0xFFFFFFFF : whole.size()) <= size) {
      ++want;
    }
    EXPECT_EQ(loaded.refs.size(), want) << size;
    // What is written next, and loaded again, follows the good part.
    WriteSome(*chunks, 1);
    EXPECT_EQ(LoadAll(*Open()).refs.size(), want + 1) << size;
    ASSERT_TRUE(env_.RemoveAll("/chunks_head/000002").ok());
  }
}

TEST_F(HeadChunksTest, DamageDropsEverythingBehindIt) {
  const auto refs = WriteSome(*Open(150), 6);
  ASSERT_GE(refs.back() >> 32, 3U);
  std::string bytes = *env_.ReadFile("/chunks_head/000002", 1 << 20);
  bytes[20] = static_cast<char>(bytes[20] ^ 1);
  ASSERT_TRUE((*env_.NewWritableFile("/chunks_head/000002"))->Append(bytes).ok());
  auto chunks = Open(150);
  const Loaded loaded = LoadAll(*chunks);
  EXPECT_NE(loaded.damage.find("000002 is damaged at byte 8"), std::string::npos) << loaded.damage;
  for (const HeadChunkRef ref : loaded.refs) {
    EXPECT_EQ(ref >> 32, 1U);
  }
  EXPECT_FALSE(env_.Exists("/chunks_head/000003"));
  EXPECT_EQ(LoadAll(*Open()).damage, "");
}

TEST_F(HeadChunksTest, FilesBehindAGapAreRemoved) {
  WriteSome(*Open(150), 6);
  ASSERT_TRUE(env_.RemoveFile("/chunks_head/000002").ok());
  auto chunks = Open(150);
  LoadAll(*chunks);
  EXPECT_FALSE(env_.Exists("/chunks_head/000003"));
}

TEST_F(HeadChunksTest, ZeroedTailsOfFilesAllocatedInAdvanceAreTheirEnd) {
  const auto refs = WriteSome(*Open(), 3);
  ASSERT_TRUE(
      (*env_.NewAppendableFile("/chunks_head/000001"))->Append(std::string(5000, '\0')).ok());
  const Loaded loaded = LoadAll(*Open());
  EXPECT_EQ(loaded.refs, refs);
  EXPECT_EQ(loaded.damage, "");
}

TEST_F(HeadChunksTest, AFullDiskLosesOnlyTheBatch) {
  for (std::uint64_t room = 0; room < 220; ++room) {
    FaultEnv env;
    auto chunks = *HeadChunks::Open(env, "/c", 150);
    std::vector<HeadChunkRef> refs;
    const std::string data = Chunk(1000, 5);
    const HeadChunk chunk{1, {1000}, {5000}, ChunkEncoding::kXor, false, data};
    ASSERT_TRUE(chunks->Write(std::span(&chunk, 1), refs).ok());
    env.SetCapacity(*DirectoryBytes(env, "/c") + room);
    std::size_t written = 1;
    while (chunks->Write(std::span(&chunk, 1), refs).ok()) {
      ++written;
    }
    env.SetCapacity(~std::uint64_t{0});
    ASSERT_TRUE(chunks->Write(std::span(&chunk, 1), refs).ok());
    EXPECT_EQ(refs.size(), written + 1);
    ASSERT_TRUE(chunks->Publish().ok());
    for (const HeadChunkRef ref : refs) {
      EXPECT_TRUE(chunks->files()->Read(ref).ok());
    }
    auto again = *HeadChunks::Open(env, "/c", 150);
    const Loaded loaded = LoadAll(*again);
    EXPECT_EQ(loaded.refs, refs) << room;
    EXPECT_EQ(loaded.damage, "");
  }
}

}  // namespace
}  // namespace sonde::tsdb
