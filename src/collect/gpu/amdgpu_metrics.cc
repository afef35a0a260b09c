#include "collect/gpu/amdgpu_metrics.h"

#include <algorithm>
#include <limits>

namespace sonde::collect {
namespace {

constexpr unsigned kLinks = 8;
constexpr double kKilobyte = 1024;
constexpr double kEnergyUnit = 1.0 / 65536;  // Joules.

/// Where a revision has its fields; 0: it has none.
struct Layout {
  unsigned revision;
  std::size_t size;
  std::size_t energy;
  std::size_t throttle_status;  // 32 bits, as the chip counts them.
  std::size_t common_status;    // 64 bits, the same for all chips.
  std::size_t residency;  // Accumulation counter, then prochot, ppt, socket, regulator, memory.
  std::size_t link_read;
  std::size_t link_written;
};
constexpr Layout kLayouts[] = {
    {3, 120, 24, 0, 112, 0, 0, 0},     {4, 288, 24, 40, 0, 0, 104, 168},
    {5, 324, 56, 72, 0, 0, 144, 208},  {6, 1660, 16, 0, 0, 32, 128, 192},
    {7, 2204, 24, 0, 0, 40, 136, 200}, {8, 3356, 24, 0, 0, 40, 136, 200},
};

// Bits of throttle_status of the chips that use revisions 1.4 and 1.5.
constexpr std::uint64_t kProchot = 1;
constexpr std::uint64_t kPower = 2;
constexpr std::uint64_t kThermal = 4 | 8 | 16;
// Bits of the status that is the same for all chips: power from 0, current from 16, temperatures
// from 32, then prochot.
constexpr std::uint64_t kCommonPower = 0xFF;
constexpr std::uint64_t kCommonCurrent = 0xFF'0000;
constexpr std::uint64_t kCommonThermal = 0x3FFFULL << 32;
constexpr std::uint64_t kCommonProchot = 3ULL << 46;

/// The little-endian number at `at`; nothing if it is all ones or beyond the end.
template <class T>
std::optional<T> NumberAt(std::string_view table, std::size_t at) {
  if (at + sizeof(T) > table.size()) return std::nullopt;
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i)
    value = static_cast<T>(value | static_cast<T>(static_cast<unsigned char>(table[at + i]))
                                       << (8 * i));
  if (value == std::numeric_limits<T>::max()) return std::nullopt;
  return value;
}

std::optional<AmdgpuMetrics::Residency> ResidencyAt(std::string_view table, std::size_t at) {
  AmdgpuMetrics::Residency residency;
  std::uint32_t* const fields[] = {
      &residency.accumulation,   &residency.prochot,           &residency.power,
      &residency.socket_thermal, &residency.regulator_thermal, &residency.memory_thermal};
  for (std::uint32_t* field : fields) {
    const auto value = NumberAt<std::uint32_t>(table, at);
    if (!value) return std::nullopt;
    *field = *value;
    at += sizeof(*field);
  }
  return residency;
}

}  // namespace

std::optional<AmdgpuMetrics> ParseAmdgpuMetrics(std::string_view table) {
  if (table.size() < 4 || table[2] != 1) return std::nullopt;
  const auto revision = static_cast<unsigned char>(table[3]);
  const auto* layout =
      std::find_if(std::begin(kLayouts), std::end(kLayouts),
                   [&](const Layout& known) { return known.revision == revision; });
  if (layout == std::end(kLayouts) || table.size() < layout->size) return std::nullopt;

  AmdgpuMetrics metrics;
  if (const auto energy = NumberAt<std::uint64_t>(table, layout->energy); energy.value_or(0) > 0)
    metrics.energy_joules = static_cast<double>(*energy) * kEnergyUnit;
  if (layout->throttle_status != 0) {
    if (const auto bits = NumberAt<std::uint32_t>(table, layout->throttle_status)) {
      metrics.limiters = {(*bits & kPower) != 0, false, (*bits & kThermal) != 0,
                          (*bits & kProchot) != 0};
    }
  }
  if (layout->common_status != 0) {
    if (const auto bits = NumberAt<std::uint64_t>(table, layout->common_status)) {
      metrics.limiters = {(*bits & kCommonPower) != 0, (*bits & kCommonCurrent) != 0,
                          (*bits & kCommonThermal) != 0, (*bits & kCommonProchot) != 0};
    }
  }
  if (layout->residency != 0) metrics.residency = ResidencyAt(table, layout->residency);
  if (layout->link_read == 0) return metrics;
  for (unsigned link = 0; link < kLinks; ++link) {
    const auto read = NumberAt<std::uint64_t>(table, layout->link_read + link * 8);
    const auto written = NumberAt<std::uint64_t>(table, layout->link_written + link * 8);
    if (!read || !written || (*read == 0 && *written == 0)) continue;
    metrics.links.push_back(
        {link, static_cast<double>(*read) * kKilobyte, static_cast<double>(*written) * kKilobyte});
  }
  return metrics;
}

std::optional<AmdgpuThrottling> ThrottlingBetween(const AmdgpuMetrics::Residency& before,
                                                  const AmdgpuMetrics::Residency& after) {
  if (after.accumulation <= before.accumulation || after.power < before.power ||
      after.prochot < before.prochot)
    return std::nullopt;
  const double time = after.accumulation - before.accumulation;
  const auto share = [&](std::uint32_t AmdgpuMetrics::Residency::*field) {
    const std::uint32_t held = after.*field < before.*field ? 0 : after.*field - before.*field;
    return std::min(1.0, held / time);
  };
  AmdgpuThrottling throttling;
  throttling.power = share(&AmdgpuMetrics::Residency::power);
  throttling.prochot = share(&AmdgpuMetrics::Residency::prochot);
  // They may have held at the same time or not; the longest is what is certain.
  throttling.thermal = std::max({share(&AmdgpuMetrics::Residency::socket_thermal),
                                 share(&AmdgpuMetrics::Residency::regulator_thermal),
                                 share(&AmdgpuMetrics::Residency::memory_thermal)});
  return throttling;
}

}  // namespace sonde::collect
