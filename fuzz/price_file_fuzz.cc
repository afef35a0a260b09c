// A file of prices: what is accepted must compile, and every price has a factor at every time.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "config/price_file.h"
#include "gateway/prices.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto prices =
      sonde::config::ParsePriceFile({reinterpret_cast<const char*>(data), size}, "fuzz");
  if (!prices) return 0;
  CHECK(sonde::gateway::PriceTable::Compile(*prices));
  for (const auto& price : *prices) {
    for (const std::int64_t ms : {std::int64_t{-1}, std::int64_t{1'790'000'000'000}}) {
      CHECK(sonde::gateway::PriceFactor(price, {ms}) >= 0);
    }
  }
  return 0;
}
