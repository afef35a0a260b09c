#include "remote/series_cache.h"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace sonde::remote {
namespace {

Hash128 KeyOf(std::uint64_t i) {
  return Xxh3Wide("series " + std::to_string(i));
}

TEST(SeriesCacheTest, FindsWhatWasPut) {
  SeriesCache cache;
  for (std::uint64_t i = 1; i <= 50000; ++i)
    cache.Put(KeyOf(i), {{i}, nullptr});
  EXPECT_EQ(cache.size(), 50000U);
  const auto snapshot = cache.TakeSnapshot({0});
  for (std::uint64_t i = 1; i <= 50000; ++i) {
    snapshot.Prefetch(KeyOf(i));
    const CacheHit hit = snapshot.Find(KeyOf(i));
    ASSERT_EQ(hit.ref.value, i);
    EXPECT_EQ(hit.native, nullptr);
    EXPECT_FALSE(hit.is_old);
  }
  for (std::uint64_t i = 50001; i <= 60000; ++i)
    EXPECT_EQ(snapshot.Find(KeyOf(i)).ref.value, 0U);
}

TEST(SeriesCacheTest, TheSameLowHalfIsNotTheSameKey) {
  SeriesCache cache;
  cache.Put({7, 1}, {{10}, nullptr});
  cache.Put({7, 2}, {{20}, nullptr});
  const auto snapshot = cache.TakeSnapshot({0});
  EXPECT_EQ(snapshot.Find({7, 1}).ref.value, 10U);
  EXPECT_EQ(snapshot.Find({7, 2}).ref.value, 20U);
  EXPECT_EQ(snapshot.Find({7, 3}).ref.value, 0U);
  EXPECT_EQ(snapshot.Find({0, 0}).ref.value, 0U);
}

TEST(SeriesCacheTest, APutReplaces) {
  SeriesCache cache;
  cache.Put(KeyOf(1), {{1}, nullptr});
  cache.Put(KeyOf(1), {{2}, nullptr});
  EXPECT_EQ(cache.size(), 1U);
  EXPECT_EQ(cache.TakeSnapshot({0}).Find(KeyOf(1)).ref.value, 2U);
}

TEST(SeriesCacheTest, NativeSeriesOutliveTheirSlot) {
  SeriesCache cache;
  auto native = std::make_shared<NativeSeries>();
  native->ref = 5;
  NativeSeries* raw = native.get();
  cache.Put(KeyOf(1), {{}, std::move(native)});
  const auto snapshot = cache.TakeSnapshot({0});
  cache.Put(KeyOf(1), {{6}, nullptr});  // The snapshot's holder may still use the old one.
  EXPECT_EQ(raw->ref.load(), 5U);
  EXPECT_EQ(cache.TakeSnapshot({0}).Find(KeyOf(1)).ref.value, 6U);
}

TEST(SeriesCacheTest, UnseenSeriesAreForgottenAfterTwoGenerations) {
  SeriesCache cache({.max_series = 1000, .generation_age = Duration(1000)});
  auto native = std::make_shared<NativeSeries>();
  native->ref = 3;
  cache.Put(KeyOf(1), {{1}, nullptr});
  cache.Put(KeyOf(2), {{2}, nullptr});
  cache.Put(KeyOf(3), {{}, native});
  EXPECT_FALSE(cache.TakeSnapshot({0}).Find(KeyOf(1)).is_old);
  EXPECT_FALSE(cache.TakeSnapshot({999}).Find(KeyOf(1)).is_old);
  EXPECT_TRUE(cache.TakeSnapshot({1000}).Find(KeyOf(1)).is_old);
  cache.Keep(KeyOf(1));
  cache.Keep(KeyOf(3));
  cache.Keep(KeyOf(4));
  native.reset();
  EXPECT_FALSE(cache.TakeSnapshot({1500}).Find(KeyOf(1)).is_old);
  const auto later = cache.TakeSnapshot({2000});
  EXPECT_EQ(later.Find(KeyOf(1)).ref.value, 1U);
  EXPECT_EQ(later.Find(KeyOf(2)).ref.value, 0U);
  ASSERT_NE(later.Find(KeyOf(3)).native, nullptr);
  EXPECT_EQ(later.Find(KeyOf(3)).ref.value, 3U);
}

TEST(SeriesCacheTest, IsBounded) {
  SeriesCache cache({.max_series = 20000, .generation_age = Duration(1'000'000)});
  for (std::uint64_t i = 1; i <= 500000; ++i)
    cache.Put(KeyOf(i), {{i}, nullptr});
  EXPECT_LE(cache.size(), 20000U);
  EXPECT_LT(cache.bytes(), 2'000'000U);
}

// Readers without a lock see a ref that was put for that very key, or nothing.
TEST(SeriesCacheTest, ReadersNeverSeeAnotherSeries) {
  SeriesCache cache({.max_series = 3000, .generation_age = Duration(1'000'000)});
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  constexpr std::uint64_t kKeys = 4000;
  std::vector<std::thread> readers;
  for (int r = 0; r < 2; ++r) {
    readers.emplace_back([&] {
      while (!stop.load()) {
        const auto snapshot = cache.TakeSnapshot({0});
        for (std::uint64_t i = 1; i <= kKeys; ++i) {
          const CacheHit hit = snapshot.Find(KeyOf(i));
          if (hit.ref && hit.ref.value % kKeys != i % kKeys) ++wrong;
          if (hit.is_old) cache.Keep(KeyOf(i));
        }
      }
    });
  }
  for (std::uint64_t round = 0; round < 5; ++round) {
    for (std::uint64_t i = 1; i <= kKeys; ++i) {
      CachedSeries series{{round * kKeys + i}, nullptr};
      if (i % 3 == 0) {
        series.native = std::make_shared<NativeSeries>();
        series.native->ref = series.ref.value;
      }
      cache.Put(KeyOf(i), series);
    }
  }
  stop = true;
  for (std::thread& reader : readers)
    reader.join();
  EXPECT_EQ(wrong.load(), 0);
}

}  // namespace
}  // namespace sonde::remote
