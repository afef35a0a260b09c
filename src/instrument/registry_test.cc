#include "instrument/registry.h"

#include <array>
#include <thread>

#include <gtest/gtest.h>

namespace sonde::instrument {
namespace {

TEST(RegistryTest, SameNameAndLabelsAreTheSameObject) {
  Registry registry;
  Counter& a = registry.GetCounter("requests_total", "Requests.", {{"code", "200"}});
  Counter& b = registry.GetCounter("requests_total", "Requests.", {{"code", "500"}});
  EXPECT_EQ(&a, &registry.GetCounter("requests_total", "Requests.", {{"code", "200"}}));
  EXPECT_NE(&a, &b);
  a.Add(2);
  b.Add();
  const auto families = registry.Snapshot();
  ASSERT_EQ(families.size(), 1U);
  EXPECT_EQ(families[0].type, FamilyType::kCounter);
  ASSERT_EQ(families[0].points.size(), 2U);
  EXPECT_EQ(families[0].points[0].value, 2);
  EXPECT_EQ(families[0].points[0].labels[0].second, "200");
}

TEST(RegistryTest, HistogramBucketsIncludeTheirUpperBound) {
  Registry registry;
  const std::array<double, 2> bounds{1, 2};
  Histogram& histogram = registry.GetHistogram("h", "", bounds);
  histogram.Observe(1);
  histogram.Observe(1.5, 3);
  histogram.Observe(9);
  EXPECT_EQ(histogram.counts(), (std::vector<std::uint64_t>{1, 3, 1}));
  EXPECT_EQ(histogram.sum(), 1 + 4.5 + 9);
}

TEST(RegistryTest, CallbacksAndCollectorsAreReadAtSnapshot) {
  Registry registry;
  double value = 1;
  registry.AddCallback("g", "", FamilyType::kGauge, [&] { return value; }, {{"k", "v"}});
  registry.AddCollector("c", "", FamilyType::kCounter, [](std::vector<Point>& points) {
    points.push_back({{{"x", "1"}}, 5, nullptr});
  });
  value = 7;
  const auto families = registry.Snapshot();
  ASSERT_EQ(families.size(), 2U);
  EXPECT_EQ(families[0].points[0].value, 5);
  EXPECT_EQ(families[1].points[0].value, 7);
}

TEST(RegistryTest, ThreadsLoseNothing) {
  Counter counter;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 10000; ++i) {
          counter.Add();
        }
      });
    }
  }
  EXPECT_EQ(counter.value(), 40000);
}

}  // namespace
}  // namespace sonde::instrument
