#include "gateway/prices.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/quote.h"

namespace sonde::gateway {
namespace {

constexpr std::int64_t kMinuteMs = 60'000;
constexpr std::int64_t kDayMinutes = 1'440;

/// Rounds to minus infinity, so that times before 1970 fall on the right day.
std::int64_t FloorDiv(std::int64_t a, std::int64_t b) {
  return a / b - (a % b != 0 && (a % b < 0) != (b < 0) ? 1 : 0);
}

/// 0 is Sunday; 1970-01-01 was a Thursday.
std::size_t Weekday(std::int64_t day) {
  return static_cast<std::size_t>(((day + 4) % 7 + 7) % 7);
}

Status CheckPrice(const PriceOptions& price) {
  for (const double amount :
       {price.cache_hit, price.cache_miss, price.output, price.reasoning.value_or(0)}) {
    if (!(amount >= 0 && amount <= 1e9))
      return Error(ErrorKind::kInvalid, "prices lie between 0 and 1e9 per million tokens");
  }
  if (price.currency.empty()) return Error(ErrorKind::kInvalid, "a price needs a currency");
  if (price.valid_from >= price.valid_to)
    return Error(ErrorKind::kInvalid, "valid_from must be before valid_to");
  for (const PriceWindow& window : price.windows) {
    const bool in_day = window.from_minute >= 0 && window.from_minute < kDayMinutes &&
                        window.to_minute >= 0 && window.to_minute <= kDayMinutes;
    if (!in_day) return Error(ErrorKind::kInvalid, "a window lies between 00:00 and 24:00");
    if (!(window.factor >= 0 && window.factor <= 1'000))
      return Error(ErrorKind::kInvalid, "a window's factor lies between 0 and 1000");
  }
  return OkStatus();
}

}  // namespace

std::string_view ToString(CostKind kind) {
  constexpr std::array<std::string_view, kCostKinds> kNames = {"cache_hit", "cache_miss",
                                                               "reasoning", "answer"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::optional<std::int64_t> DayNumber(int year, int month, int day) {
  static constexpr std::array<int, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (year < 1970 || year > 9999 || month < 1 || month > 12) return std::nullopt;
  const auto leap = [](int y) { return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0; };
  const int length =
      kDays[static_cast<std::size_t>(month - 1)] + (month == 2 && leap(year) ? 1 : 0);
  if (day < 1 || day > length) return std::nullopt;
  std::int64_t days = day - 1;
  for (int y = 1970; y < year; ++y) {
    days += leap(y) ? 366 : 365;
  }
  for (int m = 1; m < month; ++m) {
    days += kDays[static_cast<std::size_t>(m - 1)] + (m == 2 && leap(year) ? 1 : 0);
  }
  return days;
}

double PriceFactor(const PriceOptions& price, Timestamp time) {
  if (price.windows.empty()) return 1;
  const std::int64_t minutes = FloorDiv(time.ms, kMinuteMs) + price.utc_offset_minutes;
  const std::int64_t today = FloorDiv(minutes, kDayMinutes);
  const std::int64_t minute = minutes - today * kDayMinutes;
  for (const PriceWindow& window : price.windows) {
    const auto begins_on = [&](std::int64_t day) {
      if (!window.days[Weekday(day)]) return false;
      return window.on_holidays || std::ranges::find(price.holidays, day) == price.holidays.end();
    };
    const bool over_midnight = window.to_minute <= window.from_minute;
    const bool today_in =
        minute >= window.from_minute && (over_midnight || minute < window.to_minute);
    if (today_in && begins_on(today)) return window.factor;
    if (over_midnight && minute < window.to_minute && begins_on(today - 1)) return window.factor;
  }
  return 1;
}

Result<PriceTable> PriceTable::Compile(std::vector<PriceOptions> prices) {
  if (prices.size() > kMaxPrices) {
    return Error(ErrorKind::kLimit, "there are " + std::to_string(prices.size()) +
                                        " prices, at most " + std::to_string(kMaxPrices) +
                                        " are allowed");
  }
  PriceTable table;
  for (PriceOptions& options : prices) {
    const std::string where = "price of " + QuoteGo(options.model);
    if (Status status = CheckPrice(options); !status) return std::move(status).error().Wrap(where);
    Price price;
    if (!options.model.empty()) {
      auto regex = Regex::Compile(options.model);
      if (!regex) return std::move(regex).error().Wrap(where + ": model");
      price.model = *std::move(regex);
    }
    if (!options.upstream.empty()) {
      auto regex = Regex::Compile(options.upstream);
      if (!regex) return std::move(regex).error().Wrap(where + ": upstream");
      price.upstream = *std::move(regex);
    }
    price.options = std::move(options);
    table.prices_.push_back(std::move(price));
  }
  return table;
}

std::vector<Cost> PriceTable::CostOf(std::string_view model, std::string_view upstream_url,
                                     Timestamp time, const CostTokens& tokens) const {
  std::vector<Cost> costs;
  for (const Price& price : prices_) {
    const PriceOptions& options = price.options;
    if (time < options.valid_from || time >= options.valid_to) continue;
    if (price.model && !price.model->Matches(model)) continue;
    if (price.upstream && !price.upstream->Matches(upstream_url)) continue;
    const bool known = std::ranges::any_of(
        costs, [&](const Cost& cost) { return cost.currency == options.currency; });
    if (known) continue;
    const double factor = PriceFactor(options, time) / 1e6;
    const std::array<double, kCostKinds> per_million = {options.cache_hit, options.cache_miss,
                                                        options.reasoning.value_or(options.output),
                                                        options.output};
    Cost cost{options.currency, {}};
    for (std::size_t i = 0; i < kCostKinds; ++i) {
      cost.amounts[i] = static_cast<double>(tokens[i]) * per_million[i] * factor;
    }
    costs.push_back(cost);
  }
  return costs;
}

}  // namespace sonde::gateway
