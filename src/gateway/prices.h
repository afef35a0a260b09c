#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/regex.h"
#include "base/result.h"
#include "gateway/measure_options.h"

// What a request costs: its tokens times the price that is valid when it ends. docs/cost.md.

namespace sonde::gateway {

/// What is paid for: the label `kind` of cost_total.
enum class CostKind : unsigned char { kCacheHit, kCacheMiss, kReasoning, kAnswer };
inline constexpr std::size_t kCostKinds = 4;
std::string_view ToString(CostKind kind);

/// Tokens of one request by what is paid for.
using CostTokens = std::array<std::int64_t, kCostKinds>;

/// Money for one request, in one currency, by what it is for.
struct Cost {
  std::string_view currency;  ///< Lives as long as the table.
  std::array<double, kCostKinds> amounts = {};
};

/// What the prices of `price` are multiplied by at `time`: the factor of the first window in which
/// it lies, else 1.
double PriceFactor(const PriceOptions& price, Timestamp time);

/// The days since 1970-01-01 of a date; nothing if there is no such day.
std::optional<std::int64_t> DayNumber(int year, int month, int day);

/// Prices by model, upstream and time. Immutable, thread-safe.
class PriceTable {
 public:
  static constexpr std::size_t kMaxPrices = 10'000;

  /// The first price that fits counts, in each currency. kInvalid if a pattern or number is wrong.
  static Result<PriceTable> Compile(std::vector<PriceOptions> prices);

  /// One Cost for each currency in which there is a price.
  std::vector<Cost> CostOf(std::string_view model, std::string_view upstream_url, Timestamp time,
                           const CostTokens& tokens) const;
  bool empty() const { return prices_.empty(); }

 private:
  struct Price {
    PriceOptions options;
    std::optional<Regex> model;
    std::optional<Regex> upstream;
  };

  std::vector<Price> prices_;
};

}  // namespace sonde::gateway
