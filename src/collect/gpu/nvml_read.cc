#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <vector>

#include "collect/gpu/gpu_metrics.h"
#include "collect/gpu/nvml_source.h"

// What is asked of one card. Values that it does not have are left out.

namespace sonde::collect {
namespace {

using nvml::Api;
using nvml::Device;
using nvml::kSuccess;

constexpr double kMegahertz = 1e6;
constexpr double kMilli = 1e-3;
constexpr double kNanosecond = 1e-9;
constexpr unsigned kMaxInstances = 64;
constexpr unsigned kMaxDriverProcesses = 4096;
constexpr std::size_t kMaxProcessName = 64;
constexpr int kMemoryLocationDram = 2;
constexpr int kMemoryLocationSram = 7;
constexpr unsigned kMaxPercent = 100;

/// The bits of the clocks' event reasons.
constexpr unsigned long long kSwPowerCap = 0x4;
constexpr unsigned long long kHwSlowdown = 0x8;
constexpr unsigned long long kSyncBoost = 0x10;
constexpr unsigned long long kSwThermal = 0x20;
constexpr unsigned long long kHwThermal = 0x40;
constexpr unsigned long long kHwPowerBrake = 0x80;

/// Where the time that a reason held comes from: the field, else the policy, else the bits.
struct ThrottleSource {
  ThrottleReason reason;
  unsigned field = 0;
  int policy = -1;
  unsigned long long bits = 0;
};
constexpr ThrottleSource kThrottle[] = {
    {ThrottleReason::kPower, nvml::kFieldThrottlePower, 0, kSwPowerCap},
    {ThrottleReason::kThermal, nvml::kFieldThrottleThermal, 1, kSwThermal | kHwThermal},
    {ThrottleReason::kSyncBoost, nvml::kFieldThrottleSyncBoost, 2, kSyncBoost},
    {ThrottleReason::kBoardLimit, nvml::kFieldThrottleBoardLimit, 3, 0},
    {ThrottleReason::kReliability, nvml::kFieldThrottleReliability, 5, 0},
    {ThrottleReason::kSwThermal, nvml::kFieldThrottleSwThermal, -1, kSwThermal},
    {ThrottleReason::kHwThermal, nvml::kFieldThrottleHwThermal, -1, kHwThermal},
    {ThrottleReason::kHwPowerBrake, nvml::kFieldThrottleHwPowerBrake, -1, kHwPowerBrake},
    {ThrottleReason::kHwSlowdown, 0, -1, kHwSlowdown},
};
static_assert(std::size(kThrottle) == kThrottleReasons);
constexpr std::size_t kThrottleFields = kThrottleReasons - 1;  // The last has no field.

ThrottleReading& At(GpuReading& reading, ThrottleReason reason) {
  return reading.throttle[static_cast<std::size_t>(reason)];
}

/// The number that a function writes into its last argument; nothing after an error.
template <class T, class F, class... A>
std::optional<double> Ask(F function, A... arguments) {
  T value{};
  if (function == nullptr || function(arguments..., &value) != kSuccess) return std::nullopt;
  return static_cast<double>(value);
}

std::optional<double> NumberOf(const nvml::FieldValue& field) {
  if (field.result != kSuccess) return std::nullopt;
  switch (field.value_type) {
    case nvml::kDouble:
      return field.value.as_double;
    case nvml::kUnsigned:
      return field.value.as_unsigned;
    case nvml::kUnsignedLong:
      return static_cast<double>(field.value.as_unsigned_long);
    case nvml::kUnsignedLongLong:
      return static_cast<double>(field.value.as_unsigned_long_long);
    case nvml::kLongLong:
      return static_cast<double>(field.value.as_long_long);
    case nvml::kInt:
      return field.value.as_int;
    case nvml::kUnsignedShort:
      return field.value.as_unsigned_short;
    default:
      return std::nullopt;
  }
}

/// The fields, in the order of `ids`; nothing where the card does not have one.
template <std::size_t N>
std::array<std::optional<double>, N> Fields(const Api& api, Device device,
                                            const std::array<unsigned, N>& ids, unsigned scope) {
  std::array<nvml::FieldValue, N> values{};
  std::array<std::optional<double>, N> numbers;
  for (std::size_t i = 0; i < N; ++i) {
    values[i].field = ids[i];
    values[i].scope = scope;
    values[i].result = nvml::kNotSupported;  // An old driver leaves what it does not know.
  }
  if (api.DeviceGetFieldValues == nullptr) return numbers;
  const int code = api.DeviceGetFieldValues(device, static_cast<int>(N), values.data());
  if (code == nvml::kInvalidArgument || code == nvml::kNotSupported) {
    // One field that is newer than the driver must not cost the others.
    for (nvml::FieldValue& value : values) {
      if (api.DeviceGetFieldValues(device, 1, &value) != kSuccess)
        value.result = nvml::kNotSupported;
    }
  } else if (code != kSuccess) {
    return numbers;
  }
  for (std::size_t i = 0; i < N; ++i)
    numbers[i] = NumberOf(values[i]);
  return numbers;
}

using Labels = std::vector<std::pair<std::string_view, std::string>>;

void Put(std::vector<GpuValue>& values, const GpuMetric& metric, const std::optional<double>& value,
         Labels labels = {}, double scale = 1) {
  if (value) values.push_back({&metric, *value * scale, std::move(labels)});
}

}  // namespace

int NvmlSource::ReadMemory(Device device, nvml::MemoryV2& memory) const {
  memory = {};
  memory.version = nvml::kMemoryV2Version;
  int code = nvml::kFunctionNotFound;
  if (api_->DeviceGetMemoryInfoV2 != nullptr) code = api_->DeviceGetMemoryInfoV2(device, &memory);
  const bool other_way = code == nvml::kFunctionNotFound || code == nvml::kNotSupported ||
                         code == nvml::kInvalidArgument;
  if (!other_way || api_->DeviceGetMemoryInfo == nullptr) return code;
  nvml::Memory old{};
  code = api_->DeviceGetMemoryInfo(device, &old);
  memory.total = old.total;
  memory.used = old.used;
  memory.reserved = 0;
  return code;
}

int NvmlSource::ReadFast(const Card& card, GpuReading& reading) const {
  // Memory is what every card has, so this call tells whether it can be used at all. (Cards that
  // share the CPU's memory say "not supported".)
  nvml::MemoryV2 memory{};
  const int code = ReadMemory(card.handle, memory);
  if (code == kSuccess) {
    reading.memory_total_bytes = static_cast<double>(memory.total);
    reading.memory_used_bytes = static_cast<double>(memory.used);
    if (memory.reserved > 0)
      Put(reading.values, gpu_metric::kMemoryReserved, static_cast<double>(memory.reserved));
  } else if (code != nvml::kNotSupported && code != nvml::kFunctionNotFound) {
    return code;
  }
  reading.divided = card.divided;
  nvml::Utilization utilization{};
  if (api_->DeviceGetUtilizationRates != nullptr) {
    const int answer = api_->DeviceGetUtilizationRates(card.handle, &utilization);
    if (nvml::IsDriverError(answer) || answer == nvml::kGpuIsLost || answer == nvml::kResetRequired)
      return answer;
    if (answer == kSuccess) {
      reading.busy_ratio = std::min(utilization.gpu, kMaxPercent) / 100.0;
      Put(reading.values, gpu_metric::kMemoryBandwidth,
          std::min(utilization.memory, kMaxPercent) / 100.0);
    }
  }
  if (const auto milliwatts = Ask<unsigned>(api_->DeviceGetPowerUsage, card.handle))
    reading.power_watts = *milliwatts * kMilli;
  if (const auto millijoules =
          Ask<unsigned long long>(api_->DeviceGetTotalEnergyConsumption, card.handle))
    reading.energy_joules = *millijoules * kMilli;
  unsigned long long reasons = 0;
  if (api_->DeviceGetCurrentClocksEventReasons != nullptr &&
      api_->DeviceGetCurrentClocksEventReasons(card.handle, &reasons) == kSuccess) {
    for (const ThrottleSource& source : kThrottle) {
      if (source.bits != 0)
        At(reading, source.reason).active_ratio = (reasons & source.bits) != 0 ? 1 : 0;
    }
  }
  return kSuccess;
}

void NvmlSource::ReadFields(Card& card, GpuReading& reading) const {
  std::array<unsigned, kThrottleFields> ids{};
  for (std::size_t i = 0; i < kThrottleFields; ++i)
    ids[i] = kThrottle[i].field;
  const auto nanos = Fields(*api_, card.handle, ids, 0);
  for (std::size_t i = 0; i < kThrottleFields; ++i) {
    const ThrottleSource& source = kThrottle[i];
    ThrottleReading& throttle = At(reading, source.reason);
    if (nanos[i]) {
      throttle.total_seconds = *nanos[i] * kNanosecond;
      continue;
    }
    nvml::ViolationTime time{};
    if (source.policy >= 0 && api_->DeviceGetViolationStatus != nullptr &&
        api_->DeviceGetViolationStatus(card.handle, source.policy, &time) == kSuccess)
      throttle.total_seconds = static_cast<double>(time.violation_nanoseconds) * kNanosecond;
  }
  constexpr std::array<unsigned, 7> kIds{
      nvml::kFieldMemoryTemperature, nvml::kFieldRetiredSingleBit, nvml::kFieldRetiredDoubleBit,
      nvml::kFieldRetiredPending,    nvml::kFieldRecoveryAction,   nvml::kFieldPcieSent,
      nvml::kFieldPcieReceived};
  const auto fields = Fields(*api_, card.handle, kIds, 0);
  auto& out = reading.details;
  if (fields[0] && *fields[0] > 0)
    Put(out, gpu_metric::kTemperature, fields[0], {{"sensor", "memory"}});
  Put(out, gpu_metric::kRetiredPages, fields[1], {{"cause", "corrected"}});
  Put(out, gpu_metric::kRetiredPages, fields[2], {{"cause", "uncorrected"}});
  Put(out, gpu_metric::kRetirePending, fields[3]);
  Put(out, gpu_metric::kRecoveryAction, fields[4]);
  card.counts_pcie = fields[5].has_value() && fields[6].has_value();
  Put(out, gpu_metric::kPcieBytes, fields[5], {{"direction", "tx"}});
  Put(out, gpu_metric::kPcieBytes, fields[6], {{"direction", "rx"}});
  if (!fields[1] && api_->DeviceGetRetiredPages != nullptr) {
    for (const int cause : {0, 1}) {
      unsigned count = 0;
      const int code = api_->DeviceGetRetiredPages(card.handle, cause, &count, nullptr);
      if (code == kSuccess || code == nvml::kInsufficientSize)
        Put(out, gpu_metric::kRetiredPages, count,
            {{"cause", cause == 0 ? "corrected" : "uncorrected"}});
    }
  }
}

void NvmlSource::ReadLimits(const Card& card, GpuReading& reading) const {
  auto& out = reading.details;
  Put(out, gpu_metric::kTemperature, Ask<unsigned>(api_->DeviceGetTemperature, card.handle, 0),
      {{"sensor", "core"}});
  constexpr std::pair<int, const char*> kLimits[] = {{0, "shutdown"}, {1, "slowdown"}, {3, "max"}};
  for (const auto& [kind, name] : kLimits) {
    Put(out, gpu_metric::kTemperatureLimit,
        Ask<unsigned>(api_->DeviceGetTemperatureThreshold, card.handle, kind),
        {{"sensor", "core"}, {"limit", name}});
  }
  Put(out, gpu_metric::kTemperatureLimit,
      Ask<unsigned>(api_->DeviceGetTemperatureThreshold, card.handle, 2),
      {{"sensor", "memory"}, {"limit", "max"}});
  Put(out, gpu_metric::kPowerLimit, Ask<unsigned>(api_->DeviceGetEnforcedPowerLimit, card.handle),
      {}, kMilli);
  constexpr std::pair<int, const char*> kDomains[] = {{1, "core"}, {2, "memory"}};
  for (const auto& [domain, name] : kDomains) {
    Put(out, gpu_metric::kClock, Ask<unsigned>(api_->DeviceGetClockInfo, card.handle, domain),
        {{"domain", name}}, kMegahertz);
    Put(out, gpu_metric::kClockMax, Ask<unsigned>(api_->DeviceGetMaxClockInfo, card.handle, domain),
        {{"domain", name}}, kMegahertz);
  }
  unsigned correctable = 0;
  unsigned uncorrectable = 0;
  unsigned pending = 0;
  unsigned failure = 0;
  if (api_->DeviceGetRemappedRows != nullptr &&
      api_->DeviceGetRemappedRows(card.handle, &correctable, &uncorrectable, &pending, &failure) ==
          kSuccess) {
    Put(out, gpu_metric::kRemappedRows, correctable, {{"kind", "corrected"}});
    Put(out, gpu_metric::kRemappedRows, uncorrectable, {{"kind", "uncorrected"}});
    Put(out, gpu_metric::kRemapPending, pending != 0 ? 1 : 0);
    Put(out, gpu_metric::kRemapFailure, failure != 0 ? 1 : 0);
  }
}

void NvmlSource::ReadEcc(const Card& card, GpuReading& reading) const {
  constexpr std::pair<int, const char*> kKinds[] = {{0, "corrected"}, {1, "uncorrected"}};
  constexpr std::pair<int, const char*> kLocations[] = {{kMemoryLocationDram, "dram"},
                                                        {kMemoryLocationSram, "sram"}};
  for (const auto& [type, kind] : kKinds) {
    bool by_location = false;
    for (const auto& [location, place] : kLocations) {
      const auto count = Ask<unsigned long long>(api_->DeviceGetMemoryErrorCounter, card.handle,
                                                 type, 0, location);
      by_location = by_location || count.has_value();
      Put(reading.details, gpu_metric::kEcc, count, {{"kind", kind}, {"location", place}});
    }
    if (!by_location) {
      Put(reading.details, gpu_metric::kEcc,
          Ask<unsigned long long>(api_->DeviceGetTotalEccErrors, card.handle, type, 0),
          {{"kind", kind}});
    }
    Put(reading.details, gpu_metric::kEccLifetime,
        Ask<unsigned long long>(api_->DeviceGetTotalEccErrors, card.handle, type, 1),
        {{"kind", kind}});
  }
}

void NvmlSource::ReadLinks(const Card& card, GpuReading& reading) const {
  constexpr double kKibibyte = 1024;
  constexpr std::array<unsigned, 1> kCount{nvml::kFieldLinkCount};
  const auto count = Fields(*api_, card.handle, kCount, 0)[0];
  const unsigned links = count && *count >= 0
                             ? static_cast<unsigned>(std::min<double>(*count, nvml::kMaxLinks))
                         : count ? 0
                                 : nvml::kMaxLinks;  // An old driver: ask each.
  bool any = false;
  for (unsigned link = 0; link < links; ++link) {
    int active = 0;
    if (api_->DeviceGetNvLinkState == nullptr ||
        api_->DeviceGetNvLinkState(card.handle, link, &active) != kSuccess) {
      if (!count) break;
      continue;
    }
    const std::string name = std::to_string(link);
    any = true;
    Put(reading.details, gpu_metric::kLinkUp, active != 0 ? 1 : 0, {{"link", name}});
    if (active == 0) continue;
    constexpr std::array<unsigned, 4> kIds{nvml::kFieldLinkDataSent, nvml::kFieldLinkDataReceived,
                                           nvml::kFieldLinkBytesSent,
                                           nvml::kFieldLinkBytesReceived};
    const auto bytes = Fields(*api_, card.handle, kIds, link);
    for (const std::size_t i : {0U, 1U}) {
      const Labels labels{{"link", name}, {"direction", i == 0 ? "tx" : "rx"}};
      if (bytes[i + 2]) {
        Put(reading.details, gpu_metric::kLinkBytes, bytes[i + 2], labels);
      } else {
        Put(reading.details, gpu_metric::kLinkBytes, bytes[i], labels, kKibibyte);
      }
    }
  }
  if (!any) return;
  constexpr std::array<unsigned, 4> kErrors{
      nvml::kFieldLinkCrcFlitErrors, nvml::kFieldLinkCrcDataErrors, nvml::kFieldLinkReplayErrors,
      nvml::kFieldLinkRecoveryErrors};
  constexpr const char* kNames[] = {"crc_flit", "crc_data", "replay", "recovery"};
  const auto errors = Fields(*api_, card.handle, kErrors, 0);
  for (std::size_t i = 0; i < kErrors.size(); ++i)
    Put(reading.details, gpu_metric::kLinkErrors, errors[i], {{"kind", kNames[i]}});
}

void NvmlSource::ReadPcie(const Card& card, GpuReading& reading) const {
  auto& out = reading.details;
  Put(out, gpu_metric::kPcieReplays, Ask<unsigned>(api_->DeviceGetPcieReplayCounter, card.handle));
  Put(out, gpu_metric::kPcieGeneration,
      Ask<unsigned>(api_->DeviceGetCurrPcieLinkGeneration, card.handle));
  Put(out, gpu_metric::kPcieWidth, Ask<unsigned>(api_->DeviceGetCurrPcieLinkWidth, card.handle));
  if (card.counts_pcie || !options_.pcie_estimate) return;
  for (const int direction : {0, 1}) {  // Each blocks for 20 ms, in which the driver counts.
    if (const auto kilobytes = Ask<unsigned>(api_->DeviceGetPcieThroughput, card.handle, direction))
      reading.pcie_bytes_per_second[direction] = *kilobytes * 1000;
  }
}

std::string NvmlSource::ProcessName(unsigned pid) const {
  char text[256] = {};
  if (api_->SystemGetProcessName == nullptr ||
      api_->SystemGetProcessName(pid, text, sizeof(text) - 1) != kSuccess)
    return "";
  // Without arguments, which may be secret, and without the folder.
  std::string_view name = text;
  name = name.substr(0, name.find(' '));
  if (const std::size_t slash = name.rfind('/'); slash != std::string_view::npos)
    name.remove_prefix(slash + 1);
  return std::string(name.substr(0, kMaxProcessName));
}

void NvmlSource::ReadProcesses(const Card& card, GpuReading& reading) const {
  if (!options_.processes || api_->DeviceGetComputeRunningProcesses == nullptr) return;
  std::vector<nvml::ProcessInfo> processes(64);
  unsigned count = static_cast<unsigned>(processes.size());
  int code = api_->DeviceGetComputeRunningProcesses(card.handle, &count, processes.data());
  if (code == nvml::kInsufficientSize) {
    processes.resize(std::min(count + 16, kMaxDriverProcesses));
    count = static_cast<unsigned>(processes.size());
    code = api_->DeviceGetComputeRunningProcesses(card.handle, &count, processes.data());
  }
  if (code != kSuccess) return;
  processes.resize(std::min<std::size_t>(count, processes.size()));
  Put(reading.details, gpu_metric::kProcesses, static_cast<double>(processes.size()));
  // What is not known counts as nothing here, so that those with much memory come first.
  const auto used = [](const nvml::ProcessInfo& process) {
    return process.used_memory == nvml::kNotAvailable ? 0 : process.used_memory;
  };
  std::sort(processes.begin(), processes.end(),
            [&](const nvml::ProcessInfo& a, const nvml::ProcessInfo& b) {
              return used(a) != used(b) ? used(a) > used(b) : a.pid < b.pid;
            });
  std::size_t shown = 0;
  std::set<std::pair<unsigned, unsigned>> seen;
  for (const nvml::ProcessInfo& process : processes) {
    if (process.used_memory == nvml::kNotAvailable) continue;
    if (shown == options_.max_processes) break;
    if (!seen.emplace(process.pid, process.gpu_instance).second) continue;
    ++shown;
    Labels labels{{"pid", std::to_string(process.pid)}, {"process", ProcessName(process.pid)}};
    if (process.gpu_instance != nvml::kNone)
      labels.emplace_back("gpu_instance", std::to_string(process.gpu_instance));
    Put(reading.details, gpu_metric::kProcessMemory, static_cast<double>(process.used_memory),
        std::move(labels));
  }
}

bool NvmlSource::ReadInstances(const Card& card, GpuReading& reading) const {
  unsigned current = 0;
  unsigned pending = 0;
  if (api_->DeviceGetMigMode == nullptr ||
      api_->DeviceGetMigMode(card.handle, &current, &pending) != kSuccess)
    return false;
  Put(reading.details, gpu_metric::kPartitioned, current != 0 ? 1 : 0);
  unsigned count = 0;
  if (current == 0 || api_->DeviceGetMaxMigDeviceCount == nullptr ||
      api_->DeviceGetMigDeviceHandleByIndex == nullptr ||
      api_->DeviceGetMaxMigDeviceCount(card.handle, &count) != kSuccess)
    return false;
  std::set<std::string> memory_of;
  bool any_memory = false;
  for (unsigned index = 0; index < std::min(count, kMaxInstances); ++index) {
    Device part = nullptr;
    if (api_->DeviceGetMigDeviceHandleByIndex(card.handle, index, &part) != kSuccess)
      continue;  // A free place.
    const auto gpu_instance = Ask<unsigned>(api_->DeviceGetGpuInstanceId, part);
    const auto compute = Ask<unsigned>(api_->DeviceGetComputeInstanceId, part);
    if (!gpu_instance) continue;
    const std::string id = std::to_string(static_cast<unsigned>(*gpu_instance));
    char text[128] = {};
    std::string uuid;
    std::string profile;
    if (api_->DeviceGetUuid != nullptr &&
        api_->DeviceGetUuid(part, text, sizeof(text) - 1) == kSuccess)
      uuid = text;
    if (api_->DeviceGetName != nullptr &&
        api_->DeviceGetName(part, text, sizeof(text) - 1) == kSuccess) {
      const std::string name = text;  // "NVIDIA H100 80GB HBM3 MIG 1g.10gb"
      const std::size_t at = name.rfind("MIG ");
      profile = at == std::string::npos ? name : name.substr(at + 4);
    }
    Put(reading.details, gpu_metric::kInstanceInfo, 1,
        {{"gpu_instance", id},
         {"compute_instance",
          compute ? std::to_string(static_cast<unsigned>(*compute)) : std::string()},
         {"instance_uuid", uuid},
         {"profile", profile}});
    if (!memory_of.insert(id).second) continue;  // Memory belongs to the GPU instance.
    nvml::MemoryV2 memory{};
    if (ReadMemory(part, memory) != kSuccess) continue;
    any_memory = true;
    Put(reading.details, gpu_metric::kMemoryTotal, static_cast<double>(memory.total),
        {{"gpu_instance", id}});
    Put(reading.details, gpu_metric::kMemoryUsed, static_cast<double>(memory.used),
        {{"gpu_instance", id}});
  }
  return any_memory;
}

void NvmlSource::ReadDetails(Card& card, GpuReading& reading) {
  reading.has_details = true;
  ReadFields(card, reading);
  ReadLimits(card, reading);
  ReadEcc(card, reading);
  ReadLinks(card, reading);
  ReadPcie(card, reading);
  ReadProcesses(card, reading);
  card.divided = ReadInstances(card, reading);
  reading.divided = card.divided;
}

}  // namespace sonde::collect
