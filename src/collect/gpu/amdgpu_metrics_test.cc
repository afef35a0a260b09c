#include "collect/gpu/amdgpu_metrics.h"

#include <string>

#include <gtest/gtest.h>

namespace sonde::collect {
namespace {

/// An empty table of a revision, with its fields set by hand.
class Table {
 public:
  Table(unsigned char revision, std::size_t size) : bytes_(size, '\0') {
    Set(0, size, 2);
    Set(2, 1, 1);
    Set(3, revision, 1);
  }
  Table& Set(std::size_t at, std::uint64_t value, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i)
      bytes_[at + i] = static_cast<char>(value >> (8 * i) & 0xFF);
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

TEST(AmdgpuMetrics, LimitersOfAllChips) {
  Table table(3, 120);
  table.Set(24, 65536 * 7, 8);
  const auto limiters_with = [&](std::uint64_t status) {
    return *ParseAmdgpuMetrics(table.Set(112, status, 8).bytes())->limiters;
  };
  EXPECT_EQ(ParseAmdgpuMetrics(table.bytes())->energy_joules, 7.0);
  EXPECT_FALSE(limiters_with(0).power);
  EXPECT_TRUE(limiters_with(1).power);
  EXPECT_TRUE(limiters_with(1ULL << 17).current);
  EXPECT_TRUE(limiters_with(1ULL << 36).thermal);
  EXPECT_FALSE(limiters_with(1ULL << 36).prochot);
  EXPECT_TRUE(limiters_with(1ULL << 47).prochot);
  EXPECT_FALSE(limiters_with(1ULL << 56).thermal);
}

TEST(AmdgpuMetrics, LimitersOfMi300) {
  for (const auto& [revision, size, status] : {std::tuple{4, 288, 40}, {5, 328, 72}}) {
    Table table(static_cast<unsigned char>(revision), static_cast<std::size_t>(size));
    const auto at = static_cast<std::size_t>(status);
    EXPECT_TRUE(ParseAmdgpuMetrics(table.Set(at, 2, 4).bytes())->limiters->power);
    EXPECT_TRUE(ParseAmdgpuMetrics(table.Set(at, 16, 4).bytes())->limiters->thermal);
    EXPECT_TRUE(ParseAmdgpuMetrics(table.Set(at, 1, 4).bytes())->limiters->prochot);
    EXPECT_FALSE(ParseAmdgpuMetrics(table.Set(at, 0xFFFFFFFF, 4).bytes())->limiters);
  }
}

TEST(AmdgpuMetrics, ResidencyAndLinks) {
  for (const auto& [revision, size, at, links] :
       {std::tuple{6, 1664, 32, 128}, {7, 2208, 40, 136}, {8, 3360, 40, 136}}) {
    Table table(static_cast<unsigned char>(revision), static_cast<std::size_t>(size));
    for (unsigned i = 0; i < 6; ++i)
      table.Set(static_cast<std::size_t>(at) + 4 * i, 100 + i, 4);
    const auto link = static_cast<std::size_t>(links);
    table.Set(link, ~0ULL, 8).Set(link + 16, 3, 8).Set(link + 64 + 16, 5, 8);
    const auto metrics = ParseAmdgpuMetrics(table.bytes());
    ASSERT_TRUE(metrics && metrics->residency);
    EXPECT_EQ(metrics->residency->accumulation, 100U);
    EXPECT_EQ(metrics->residency->prochot, 101U);
    EXPECT_EQ(metrics->residency->power, 102U);
    EXPECT_EQ(metrics->residency->memory_thermal, 105U);
    ASSERT_EQ(metrics->links.size(), 1U);
    EXPECT_EQ(metrics->links[0].index, 2U);
    EXPECT_EQ(metrics->links[0].read_bytes, 3 * 1024);
    EXPECT_EQ(metrics->links[0].written_bytes, 5 * 1024);
  }
}

TEST(AmdgpuMetrics, WhatIsNotKnownIsNotRead) {
  EXPECT_FALSE(ParseAmdgpuMetrics(""));
  EXPECT_FALSE(ParseAmdgpuMetrics(Table(9, 4000).bytes()));
  EXPECT_FALSE(ParseAmdgpuMetrics(Table(6, 300).bytes()));
  EXPECT_FALSE(ParseAmdgpuMetrics(Table(3, 120).Set(2, 2, 1).bytes()));  // Of an APU.
}

TEST(AmdgpuMetrics, SharesOfTime) {
  const AmdgpuMetrics::Residency before{1000, 10, 20, 30, 40, 50};
  const AmdgpuMetrics::Residency after{2000, 260, 120, 30, 540, 50};
  const auto throttling = ThrottlingBetween(before, after);
  ASSERT_TRUE(throttling);
  EXPECT_DOUBLE_EQ(throttling->power, 0.25);
  EXPECT_DOUBLE_EQ(throttling->thermal, 0.5);
  EXPECT_DOUBLE_EQ(throttling->prochot, 0);
  EXPECT_FALSE(ThrottlingBetween(before, before));
  EXPECT_FALSE(ThrottlingBetween(after, before));  // The card was reset.
}

}  // namespace
}  // namespace sonde::collect
