#include "scrape/series_cache.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"

namespace sonde::scrape {
namespace {

/// Plays pages (lists of series numbers) and says which series became stale.
class Player {
 public:
  std::vector<std::uint64_t> Good(const std::vector<std::uint64_t>& page) {
    Play(page);
    std::vector<std::uint64_t> stale;
    cache_.Succeed([&](const CachedSeries& series) { stale.push_back(series.ref.value); });
    std::sort(stale.begin(), stale.end());
    return stale;
  }
  std::vector<std::uint64_t> Bad(const std::vector<std::uint64_t>& page) {
    Play(page);
    std::vector<std::uint64_t> stale;
    cache_.Fail([&](const CachedSeries& series) { stale.push_back(series.ref.value); });
    std::sort(stale.begin(), stale.end());
    return stale;
  }
  SeriesCache& cache() { return cache_; }

 private:
  void Play(const std::vector<std::uint64_t>& page) {
    cache_.BeginPass();
    for (const std::uint64_t number : page) {
      const Hash128 key = Xxh3Wide(std::to_string(number));
      CachedSeries* series = cache_.Find(key);
      if (series == nullptr) {
        series = &cache_.Add(key, {number});
      } else {
        ASSERT_EQ(series->ref.value, number);
        cache_.MarkSeen(*series);
      }
      cache_.MarkLive(*series);
    }
  }

  SeriesCache cache_;
};

using Numbers = std::vector<std::uint64_t>;

TEST(SeriesCache, WhatIsMissingIsStaleOnce) {
  Player player;
  EXPECT_EQ(player.Good({1, 2, 3}), Numbers{});
  EXPECT_EQ(player.Good({1, 3}), Numbers{2});
  EXPECT_EQ(player.Good({1, 3}), Numbers{});
  EXPECT_EQ(player.Good({3, 1, 2}), Numbers{});
  EXPECT_EQ(player.Good({}), (Numbers{1, 2, 3}));
  EXPECT_EQ(player.Good({2}), Numbers{});
}

TEST(SeriesCache, ABadPageEndsWhatWasLiveBeforeIt) {
  Player player;
  player.Good({1, 2, 3});
  EXPECT_EQ(player.Bad({1, 9}), (Numbers{1, 2, 3}));
  EXPECT_EQ(player.Bad({1}), Numbers{});
  EXPECT_EQ(player.Good({1, 2}), Numbers{});
  EXPECT_EQ(player.Bad({}), (Numbers{1, 2}));
}

TEST(SeriesCache, ForgetsWhatIsGone) {
  Player player;
  Numbers page;
  for (std::uint64_t i = 1; i <= 1000; ++i)
    page.push_back(i);
  player.Good(page);
  EXPECT_EQ(player.Good({5}).size(), 999U);
  EXPECT_EQ(player.cache().size(), 1U);
  // Bad pages do not make it grow for ever.
  for (std::uint64_t round = 1; round < 20; ++round) {
    Numbers junk;
    for (std::uint64_t i = 0; i < 300; ++i)
      junk.push_back(round * 1'000'000 + i);
    player.Bad(junk);
  }
  EXPECT_LT(player.cache().size(), 2'000U);
}

/// Against sets: random pages, good and bad.
TEST(SeriesCache, AgreesWithSets) {
  Rng rng(7);
  Player player;
  std::vector<bool> live(200, false);
  for (int round = 0; round < 2000; ++round) {
    Numbers page;
    std::vector<bool> on_page(200, false);
    for (std::uint64_t i = 1; i < 200; ++i) {
      if (rng.Below(10) < 8) page.push_back(i);
    }
    if (rng.Below(4) == 0) std::reverse(page.begin(), page.end());
    if (rng.Below(20) == 0) page.clear();
    for (const std::uint64_t i : page)
      on_page[i] = true;
    const bool good = rng.Below(5) != 0;
    Numbers want;
    for (std::uint64_t i = 1; i < 200; ++i) {
      if (live[i] && !(good && on_page[i])) want.push_back(i);
      live[i] = good && on_page[i];
    }
    ASSERT_EQ(good ? player.Good(page) : player.Bad(page), want) << round;
  }
}

}  // namespace
}  // namespace sonde::scrape
