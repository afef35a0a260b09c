#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

// Days, clocks and currencies as price tables write them. Nothing is returned for what is not one.

namespace sonde::config {

/// "2026-10-01" as days since 1970-01-01.
std::optional<std::int64_t> ParseDate(std::string_view text);
/// "2026-08-16" (midnight) or "2026-08-16T09:00", by a clock that is `offset_minutes` ahead of UTC.
std::optional<Timestamp> ParseDateTime(std::string_view text, int offset_minutes);
/// "09:00" … "24:00" as minutes of the day.
std::optional<int> ParseClock(std::string_view text);
/// "+08:00", "-05:30", "Z" as minutes ahead of UTC; at most 18 hours.
std::optional<int> ParseUtcOffset(std::string_view text);
/// "mon", "sat-sun" … from Sunday on; no words mean every day.
std::optional<std::array<bool, 7>> ParseDays(const std::vector<std::string>& words);
/// Three capital letters, as in ISO 4217.
bool IsCurrency(std::string_view text);

}  // namespace sonde::config
