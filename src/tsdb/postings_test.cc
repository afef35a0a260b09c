#include "tsdb/postings.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "base/random.h"

namespace sonde::tsdb {
namespace {

using Ids = std::vector<std::uint32_t>;

std::string BigEndian(const Ids& ids) {
  std::string bytes;
  for (const std::uint32_t id : ids) {
    PutBe32(bytes, id);
  }
  return bytes;
}

Ids RandomIds(Rng& rng, std::uint64_t count, std::uint64_t range) {
  std::set<std::uint32_t> ids;
  for (std::uint64_t i = 0; i < count; ++i) {
    ids.insert(static_cast<std::uint32_t>(rng.Below(range)));
  }
  return {ids.begin(), ids.end()};
}

TEST(PostingsTest, SetOperationsAreThoseOfTheStandardLibrary) {
  Rng rng(1);
  for (int round = 0; round < 500; ++round) {
    const std::uint64_t range = 1 + rng.Below(5000);
    const Ids a = RandomIds(rng, rng.Below(rng.Below(2) == 0 ? 5 : 400), range);
    const Ids b = RandomIds(rng, rng.Below(rng.Below(2) == 0 ? 5 : 2000), range);
    const std::string bytes = BigEndian(b);
    for (const IdList& list : {IdList(b), IdList::BigEndian(bytes)}) {
      Ids want;
      std::ranges::set_intersection(a, b, std::back_inserter(want));
      Ids got = a;
      IntersectWith(got, list);
      EXPECT_EQ(got, want);
      want.clear();
      std::ranges::set_difference(a, b, std::back_inserter(want));
      got = a;
      SubtractFrom(got, list);
      EXPECT_EQ(got, want);
      want.clear();
      std::ranges::set_union(a, b, std::back_inserter(want));
      EXPECT_EQ(UnionOf(std::vector{IdList(a), list}), want);
      got.clear();
      list.AppendTo(got);
      EXPECT_EQ(got, b);
    }
  }
}

TEST(PostingsTest, UnionsOfSparseAndOfManyLists) {
  const Ids far{1, 4'000'000'000U};
  const Ids near{2};
  EXPECT_EQ(UnionOf(std::vector{IdList(far), IdList(near)}), (Ids{1, 2, 4'000'000'000U}));
  EXPECT_TRUE(UnionOf(std::vector<IdList>()).empty());
  std::vector<Ids> lists;
  std::vector<IdList> views;
  Ids want;
  for (std::uint32_t i = 0; i < 100; ++i) {
    lists.push_back({i, i + 100, i + 200});
  }
  for (const Ids& list : lists) {
    views.emplace_back(list);
  }
  for (std::uint32_t i = 0; i < 300; ++i) {
    want.push_back(i);
  }
  EXPECT_EQ(UnionOf(views), want);
}

}  // namespace
}  // namespace sonde::tsdb
