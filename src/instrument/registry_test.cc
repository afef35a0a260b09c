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

TEST(HistogramTest, RemembersTheLastExampleOfABucket) {
  const std::array<double, 2> bounds{1, 2};
  Histogram histogram(bounds);
  EXPECT_TRUE(histogram.examples().empty());
  histogram.Observe(1.5);
  EXPECT_TRUE(histogram.examples().empty());
  histogram.Observe(1.5, "request_id", "a", Timestamp{7});
  histogram.Observe(1.75, "request_id", "b", Timestamp{8});
  histogram.Observe(1.25, "request_id", "", Timestamp{9});
  histogram.Observe(1.25, "request_id", std::string(Histogram::kMaxExampleId + 1, 'x'), {});
  const auto examples = histogram.examples();
  ASSERT_EQ(examples.size(), 3U);
  EXPECT_EQ(examples[0].label, "");
  EXPECT_EQ(examples[1].label, "request_id");
  EXPECT_EQ(examples[1].id, "b");
  EXPECT_EQ(examples[1].value, 1.75);
  EXPECT_EQ(examples[1].time, Timestamp{8});
  EXPECT_EQ(histogram.counts(), (std::vector<std::uint64_t>{0, 5, 0}));
}

TEST(RegistryTest, LabelsMayBeAListThatWasPutTogether) {
  Registry registry;
  const std::vector<LabelPairs::Pair> pairs = {{"k", "v"}};
  Counter& counter = registry.GetCounter("a_total", "Counts.", LabelPairs(pairs));
  EXPECT_EQ(&counter, &registry.GetCounter("a_total", "Counts.", {{"k", "v"}}));
}

}  // namespace
}  // namespace sonde::instrument
