#include "demo/kv_cache.h"

#include <numeric>

#include <gtest/gtest.h>

#include "base/random.h"

namespace sonde::demo {
namespace {

std::vector<std::uint64_t> Hashes(std::uint64_t first, std::size_t count) {
  std::vector<std::uint64_t> hashes(count);
  std::iota(hashes.begin(), hashes.end(), first);
  return hashes;
}

TEST(KvCache, BlocksForTokens) {
  const KvCache cache(10, 64);
  EXPECT_EQ(cache.BlocksFor(0), 0U);
  EXPECT_EQ(cache.BlocksFor(1), 1U);
  EXPECT_EQ(cache.BlocksFor(64), 1U);
  EXPECT_EQ(cache.BlocksFor(65), 2U);
}

TEST(KvCache, APrefixIsFoundAfterItsRequestEnded) {
  KvCache cache(10, 64);
  const auto prefix = Hashes(100, 3);
  BlockList first;
  ASSERT_TRUE(cache.Admit(prefix, 0, 4, first));
  EXPECT_EQ(cache.free(), 6U);
  for (std::size_t i = 0; i < 3; ++i)
    cache.Publish(first[i], prefix[i]);
  EXPECT_EQ(cache.FindPrefix(prefix), 3U);
  const BlockList held = first;
  cache.Release(first);
  EXPECT_TRUE(first.empty());
  EXPECT_EQ(cache.free(), 10U);
  EXPECT_EQ(cache.FindPrefix(prefix), 3U);
  BlockList second;
  ASSERT_TRUE(cache.Admit(prefix, 3, 1, second));
  EXPECT_TRUE(std::equal(second.begin(), second.begin() + 3, held.begin()));
  EXPECT_EQ(cache.free(), 6U);
}

TEST(KvCache, TwoRequestsShareABlock) {
  KvCache cache(4, 64);
  const auto prefix = Hashes(7, 2);
  BlockList a;
  ASSERT_TRUE(cache.Admit(prefix, 0, 2, a));
  cache.Publish(a[0], prefix[0]);
  cache.Publish(a[1], prefix[1]);
  BlockList b;
  ASSERT_TRUE(cache.Admit(prefix, 2, 1, b));
  EXPECT_EQ(cache.free(), 1U);
  cache.Release(a);
  EXPECT_EQ(cache.free(), 1U);  // b holds both.
  cache.Release(b);
  EXPECT_EQ(cache.free(), 4U);
}

TEST(KvCache, NothingIsDoneWhereThereIsNoRoom) {
  KvCache cache(4, 64);
  BlockList a;
  ASSERT_TRUE(cache.Admit({}, 0, 3, a));
  BlockList b;
  EXPECT_FALSE(cache.Admit({}, 0, 2, b));
  EXPECT_TRUE(b.empty());
  EXPECT_FALSE(cache.Grow(a, 5));
  EXPECT_EQ(a.size(), 3U);
  EXPECT_TRUE(cache.Grow(a, 4));
  EXPECT_TRUE(cache.Grow(a, 2));  // It has more already.
  EXPECT_EQ(cache.free(), 0U);
  EXPECT_DOUBLE_EQ(cache.usage(), 1);
}

TEST(KvCache, APrefixThatIsFreeCountsAsRoomOnlyOnce) {
  KvCache cache(4, 64);
  const auto prefix = Hashes(1, 2);
  BlockList a;
  ASSERT_TRUE(cache.Admit(prefix, 0, 2, a));
  cache.Publish(a[0], prefix[0]);
  cache.Publish(a[1], prefix[1]);
  cache.Release(a);
  BlockList b;  // Two of the four free blocks are the prefix itself.
  EXPECT_FALSE(cache.Admit(prefix, 2, 3, b));
  EXPECT_TRUE(cache.Admit(prefix, 2, 2, b));
}

TEST(KvCache, TheEndOfASequenceIsEvictedFirst) {
  KvCache cache(4, 64);
  const auto prefix = Hashes(1, 4);
  BlockList a;
  ASSERT_TRUE(cache.Admit(prefix, 0, 4, a));
  for (std::size_t i = 0; i < 4; ++i)
    cache.Publish(a[i], prefix[i]);
  cache.Release(a);
  BlockList b;
  ASSERT_TRUE(cache.Admit({}, 0, 1, b));
  EXPECT_EQ(cache.FindPrefix(prefix), 3U);
  ASSERT_TRUE(cache.Grow(b, 3));
  EXPECT_EQ(cache.FindPrefix(prefix), 1U);
}

TEST(KvCache, ASecondCopyOfAPrefixIsNotPublished) {
  KvCache cache(4, 64);
  BlockList a;
  BlockList b;
  ASSERT_TRUE(cache.Admit({}, 0, 1, a));
  ASSERT_TRUE(cache.Admit({}, 0, 1, b));
  cache.Publish(a[0], 5);
  cache.Publish(b[0], 5);
  cache.Release(b);
  BlockList rest;
  ASSERT_TRUE(cache.Admit({}, 0, 3, rest));  // Reuses b's block; a's stays findable.
  const auto prefix = Hashes(5, 1);
  EXPECT_EQ(cache.FindPrefix(prefix), 1U);
}

// Whatever happens, each block is free or held, never both, never neither.
TEST(KvCache, BlocksAreConserved) {
  Rng rng(42);
  KvCache cache(50, 16);
  std::vector<BlockList> live;
  for (int step = 0; step < 20'000; ++step) {
    const std::uint64_t what = rng.Below(4);
    if (what == 0 && live.size() < 20) {
      const auto prefix = Hashes(rng.Below(5) * 100, rng.Below(8));
      const std::size_t found = cache.FindPrefix(prefix);
      BlockList list;
      if (cache.Admit(prefix, found, static_cast<std::uint32_t>(rng.Below(6)), list)) {
        for (std::size_t i = 0; i < std::min(list.size(), prefix.size()); ++i)
          cache.Publish(list[i], prefix[i]);
        live.push_back(std::move(list));
      }
    } else if (what == 1 && !live.empty()) {
      BlockList& list = live[rng.Below(live.size())];
      cache.Grow(list, static_cast<std::uint32_t>(list.size() + rng.Below(3)));
    } else if (what == 2 && !live.empty()) {
      std::swap(live[rng.Below(live.size())], live.back());
      cache.Release(live.back());
      live.pop_back();
    }
    std::vector<bool> held(50);
    for (const BlockList& list : live) {
      for (const std::uint32_t id : list)
        held[id] = true;
    }
    ASSERT_EQ(cache.free(),
              50 - static_cast<std::uint32_t>(std::count(held.begin(), held.end(), true)));
  }
  for (BlockList& list : live)
    cache.Release(list);
  EXPECT_EQ(cache.free(), 50U);
}

}  // namespace
}  // namespace sonde::demo
