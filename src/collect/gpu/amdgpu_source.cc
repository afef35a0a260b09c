#include "collect/gpu/amdgpu_source.h"

#include <algorithm>
#include <utility>

#include "base/number.h"
#include "base/quote.h"
#include "collect/gpu/gpu_metrics.h"

namespace sonde::collect {
namespace {

constexpr std::size_t kMaxCards = 64;
constexpr std::size_t kMaxBlocks = 64;
constexpr double kMicro = 1e-6;
constexpr double kMilli = 1e-3;
constexpr double kMegahertz = 1e6;

HostOptions SysfsAt(const std::string& sysfs) {
  HostOptions options;
  options.sysfs = sysfs;
  return options;
}

/// "card0", but not "card0-DP-1" or "renderD128".
bool IsCard(std::string_view name) {
  return name.starts_with("card") && ParseUint(name.substr(4)).has_value();
}

void Put(std::vector<GpuValue>& values, const GpuMetric& metric, const std::optional<double>& value,
         std::vector<std::pair<std::string_view, std::string>> labels = {}, double scale = 1) {
  if (value) values.push_back({&metric, *value * scale, std::move(labels)});
}

/// "1: 2100Mhz *" → 2.1e9, and whether it is in use.
std::optional<double> ClockOf(std::string_view line, bool& active) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view text = TrimSpace(line.substr(colon + 1));
  active = text.ends_with('*');
  const std::size_t unit = text.find("Mhz");
  if (unit == std::string_view::npos) return std::nullopt;
  const auto megahertz = ToNumber(text.substr(0, unit));
  if (!megahertz || !(*megahertz >= 0)) return std::nullopt;
  return *megahertz * kMegahertz;
}

}  // namespace

RasErrors ParseRasErrors(std::string_view text) {
  RasErrors errors;
  std::string_view line;
  while (TakeLine(text, line)) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string_view name = TrimSpace(line.substr(0, colon));
    const auto count = ParseUint(TrimSpace(line.substr(colon + 1)));
    if (!count) continue;
    if (name == "ue") errors.uncorrected = static_cast<double>(*count);
    if (name == "ce") errors.corrected = static_cast<double>(*count);
  }
  return errors;
}

std::optional<double> ParseActiveClock(std::string_view text) {
  std::string_view line;
  while (TakeLine(text, line)) {
    bool active = false;
    const auto hertz = ClockOf(line, active);
    if (hertz && active) return hertz;
  }
  return std::nullopt;
}

std::optional<double> ParseHighestClock(std::string_view text) {
  std::optional<double> highest;
  std::string_view line;
  while (TakeLine(text, line)) {
    bool active = false;
    const auto hertz = ClockOf(line, active);
    if (hertz) highest = std::max(*hertz, highest.value_or(0));
  }
  return highest;
}

AmdgpuSource::AmdgpuSource(const GpuOptions& options) : source_(SysfsAt(options.sysfs)) {}

GpuSweep AmdgpuSource::Read(GpuDepth depth, GpuWatch& watch) {
  GpuSweep sweep;
  std::vector<std::pair<std::string, std::string>> cards;  // PCI address, card.
  for (const std::string& name : source_.ListSys("class/drm")) {
    if (!IsCard(name) || cards.size() >= kMaxCards) continue;
    const std::string device = "class/drm/" + name + "/device";
    if (source_.ReadSys(device + "/vendor") != "0x1002") continue;
    // Other drivers of AMD's cards, and virtual displays, have none of this.
    if (!source_.SysExists(device + "/mem_info_vram_total") &&
        !source_.SysExists(device + "/gpu_busy_percent"))
      continue;
    std::string address = source_.ResolveSys(device).value_or(name);
    address = address.substr(address.rfind('/') + 1);
    cards.emplace_back(std::move(address), name);
  }
  std::sort(cards.begin(), cards.end());
  sweep.absent = cards.empty();
  if (cards.empty()) residency_.clear();
  sweep.driver_version = source_.ReadSys("module/amdgpu/version").value_or("");
  for (std::size_t i = 0; i < cards.size(); ++i) {
    watch.Beat();
    GpuReading reading = ReadCard(cards[i].second, i, depth);
    reading.id.pci_bus_id = cards[i].first;
    if (reading.id.uuid.empty()) reading.id.uuid = cards[i].first;
    sweep.devices.push_back(std::move(reading));
  }
  return sweep;
}

void AmdgpuSource::ReadTable(const std::string& device, GpuReading& reading, GpuDepth depth) {
  const auto metrics =
      ParseAmdgpuMetrics(source_.ReadSysBytes(device + "gpu_metrics").value_or(""));
  if (!metrics) return;
  if (!reading.energy_joules) reading.energy_joules = metrics->energy_joules;
  const auto set = [&](ThrottleReason reason, double ratio) {
    reading.throttle[static_cast<std::size_t>(reason)].active_ratio = ratio;
  };
  if (const auto& limiters = metrics->limiters) {
    set(ThrottleReason::kPower, limiters->power ? 1 : 0);
    set(ThrottleReason::kBoardLimit, limiters->current ? 1 : 0);
    set(ThrottleReason::kThermal, limiters->thermal ? 1 : 0);
    set(ThrottleReason::kHwSlowdown, limiters->prochot ? 1 : 0);
  }
  if (metrics->residency) {
    const auto before = residency_.try_emplace(device, *metrics->residency).first;
    // Nothing happened before the first reading that is known.
    const auto throttling =
        ThrottlingBetween(before->second, *metrics->residency).value_or(AmdgpuThrottling{});
    before->second = *metrics->residency;
    set(ThrottleReason::kPower, throttling.power);
    set(ThrottleReason::kThermal, throttling.thermal);
    set(ThrottleReason::kHwSlowdown, throttling.prochot);
  }
  if (depth == GpuDepth::kFast) return;
  for (const AmdgpuMetrics::Link& link : metrics->links) {
    const std::string name = std::to_string(link.index);
    Put(reading.details, gpu_metric::kLinkBytes, link.written_bytes,
        {{"link", name}, {"direction", "tx"}});
    Put(reading.details, gpu_metric::kLinkBytes, link.read_bytes,
        {{"link", name}, {"direction", "rx"}});
  }
}

GpuReading AmdgpuSource::ReadCard(const std::string& card, std::size_t index, GpuDepth depth) {
  const std::string device = "class/drm/" + card + "/device/";
  const auto number = [&](std::string_view file) {
    return source_.SysNumber(device + std::string(file));
  };
  GpuReading reading;
  reading.id.index = std::to_string(index);
  reading.id.vendor = "amd";
  reading.id.uuid = source_.ReadSys(device + "unique_id").value_or("");
  reading.id.name = source_.ReadSys(device + "product_name").value_or("");
  reading.id.serial = source_.ReadSys(device + "serial_number").value_or("");
  const auto busy = number("gpu_busy_percent");
  reading.memory_used_bytes = number("mem_info_vram_used");
  reading.memory_total_bytes = number("mem_info_vram_total");
  if (!busy && !reading.memory_used_bytes && !reading.memory_total_bytes) {
    reading.error = "unreadable";
    return reading;
  }
  if (busy) reading.busy_ratio = std::clamp(*busy, 0.0, 100.0) / 100;
  if (const auto memory_busy = number("mem_busy_percent")) {
    Put(reading.values, gpu_metric::kMemoryBandwidth, std::clamp(*memory_busy, 0.0, 100.0) / 100);
  }
  ReadHwmon(device, reading, depth);
  ReadTable(device, reading, depth);
  if (depth == GpuDepth::kFast) return reading;
  reading.has_details = true;
  auto& out = reading.details;
  ReadRas(device, reading);
  for (const auto& [file, domain] : {std::pair{"pp_dpm_sclk", "core"}, {"pp_dpm_mclk", "memory"}}) {
    const std::string text = source_.ReadSys(device + file).value_or("");
    const bool known = std::any_of(out.begin(), out.end(), [&](const GpuValue& value) {
      return value.metric == &gpu_metric::kClock && value.labels.front().second == domain;
    });
    if (!known) Put(out, gpu_metric::kClock, ParseActiveClock(text), {{"domain", domain}});
    Put(out, gpu_metric::kClockMax, ParseHighestClock(text), {{"domain", domain}});
  }
  Put(out, gpu_metric::kPcieReplays, number("pcie_replay_count"));
  Put(out, gpu_metric::kPcieWidth, number("current_link_width"));
  return reading;
}

void AmdgpuSource::ReadHwmon(const std::string& device, GpuReading& reading, GpuDepth depth) const {
  const auto folders = source_.ListSys(device + "hwmon");
  if (folders.empty()) return;
  const std::string hwmon = device + "hwmon/" + folders.front() + "/";
  const auto number = [&](const std::string& file) { return source_.SysNumber(hwmon + file); };
  auto microwatts = number("power1_average");
  if (!microwatts) microwatts = number("power1_input");
  if (microwatts && *microwatts >= 0) reading.power_watts = *microwatts * kMicro;
  if (const auto microjoules = number("energy1_input")) {
    reading.energy_joules = *microjoules * kMicro;
  }
  if (depth == GpuDepth::kFast) return;
  auto& out = reading.details;
  Put(out, gpu_metric::kPowerLimit, number("power1_cap"), {}, kMicro);
  constexpr std::pair<std::string_view, const char*> kSensors[] = {
      {"edge", "core"}, {"junction", "hotspot"}, {"mem", "memory"}};
  for (const char* n : {"1", "2", "3"}) {
    const std::string base = std::string("temp") + n;
    const std::string label = source_.ReadSys(hwmon + base + "_label").value_or("edge");
    const auto* sensor = std::find_if(std::begin(kSensors), std::end(kSensors),
                                      [&](const auto& known) { return known.first == label; });
    if (sensor == std::end(kSensors)) continue;
    Put(out, gpu_metric::kTemperature, number(base + "_input"), {{"sensor", sensor->second}},
        kMilli);
    Put(out, gpu_metric::kTemperatureLimit, number(base + "_crit"),
        {{"sensor", sensor->second}, {"limit", "slowdown"}}, kMilli);
    Put(out, gpu_metric::kTemperatureLimit, number(base + "_emergency"),
        {{"sensor", sensor->second}, {"limit", "shutdown"}}, kMilli);
  }
  for (const char* n : {"1", "2"}) {
    const std::string base = std::string("freq") + n;
    const std::string label = source_.ReadSys(hwmon + base + "_label").value_or("");
    if (label != "sclk" && label != "mclk") continue;
    Put(out, gpu_metric::kClock, number(base + "_input"),
        {{"domain", label == "sclk" ? "core" : "memory"}});
  }
}

void AmdgpuSource::ReadRas(const std::string& device, GpuReading& reading) const {
  constexpr std::string_view kEnd = "_err_count";
  std::size_t blocks = 0;
  for (const std::string& file : source_.ListSys(device + "ras")) {
    if (!std::string_view(file).ends_with(kEnd) || blocks++ >= kMaxBlocks) continue;
    const RasErrors errors = ParseRasErrors(source_.ReadSys(device + "ras/" + file).value_or(""));
    // The block that the driver calls umc is the device memory.
    std::string location = file.substr(0, file.size() - kEnd.size());
    if (location == "umc") location = "dram";
    Put(reading.details, gpu_metric::kEcc, errors.corrected,
        {{"kind", "corrected"}, {"location", location}});
    Put(reading.details, gpu_metric::kEcc, errors.uncorrected,
        {{"kind", "uncorrected"}, {"location", location}});
  }
}

}  // namespace sonde::collect
