// A libnvidia-ml.so.1 that says what a script says, for tests of src/collect/gpu. The file named by
// the environment variable SONDE_FAKE_NVML is read again in each call, so a test changes the
// machine by replacing the file (rename it into place).
//
// One fact a line; "#" begins a comment. N is the index of a card, F the name of a function.
//   driver TEXT                the driver's version
//   devices N                  how many cards there are
//   ! F CODE                   the function fails everywhere
//   hang F                     calls of it return when the line is gone
//   event SEQ N CODE           XID; each event set gets those with a higher SEQ than the last one
//   it saw process PID NAME N ! CODE                   every call for this card fails, its handle
//   too N ! F CODE                 one function fails for this card N uuid|name|serial|pci TEXT N
//   F[.ARGUMENT] VALUE …     what the function writes; without such a line it says "not supported"
//   N field.ID[.SCOPE] VALUE   of nvmlDeviceGetFieldValues; unsigned long long
//   fields-up-to ID            later ones make the whole call of nvmlDeviceGetFieldValues fail
//   N processes PID:BYTES[:GPU_INSTANCE] …
//   N instance I GPU_INSTANCE COMPUTE_INSTANCE TOTAL USED UUID NAME
//
// Built twice: the second time (FAKE_NVML_OLD) without the functions that old drivers lack.

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "collect/gpu/nvml_api.h"

namespace nvml = sonde::collect::nvml;

// Where the members lie in the library's binary interface.
static_assert(sizeof(nvml::Memory) == 24 && sizeof(nvml::MemoryV2) == 40);
static_assert(offsetof(nvml::MemoryV2, used) == 32 && nvml::kMemoryV2Version == 0x02000028);
static_assert(sizeof(nvml::PciInfo) == 68 && offsetof(nvml::PciInfo, bus_id) == 36);
static_assert(sizeof(nvml::FieldValue) == 40 && offsetof(nvml::FieldValue, result) == 28);
static_assert(offsetof(nvml::FieldValue, value) == 32 && sizeof(nvml::ProcessInfo) == 24);
static_assert(sizeof(nvml::EventData) == 32 && sizeof(nvml::ViolationTime) == 16);

namespace sonde::collect::nvml {
struct DeviceHandle {
  int card = 0;
  int instance = -1;  // Of a divided card.
};
struct EventSetHandle {
  long last = 0;
};
}  // namespace sonde::collect::nvml

namespace {

constexpr int kCards = 16;
constexpr int kInstances = 8;

struct Script {
  std::map<std::string, std::string> facts;      // Without the lists below.
  std::vector<std::string> events;               // "SEQ N CODE"
  std::map<std::string, std::string> instances;  // "N I" → the rest
};

Script Load() {
  Script script;
  const char* path = std::getenv("SONDE_FAKE_NVML");
  std::ifstream file(path == nullptr ? "" : path);
  for (std::string line; std::getline(file, line);) {
    line.resize(std::min(line.size(), line.find('#')));
    std::istringstream words(line);
    std::string key;
    if (!(words >> key)) continue;
    const auto append_word = [&] {
      std::string word;
      words >> word;
      key += ' ';
      key += word;
      return word;
    };
    const bool of_card = key[0] >= '0' && key[0] <= '9';
    if (key == "event") {
      std::string rest;
      std::getline(words >> std::ws, rest);
      script.events.push_back(rest);
      continue;
    }
    std::string second;
    if (of_card || key == "hang" || key == "process" || key == "!") second = append_word();
    bool is_instance = false;
    if (second == "instance") {
      append_word();
      is_instance = true;
    }
    std::string rest;
    std::getline(words >> std::ws, rest);
    while (!rest.empty() && rest.back() == ' ')
      rest.pop_back();
    if (of_card && second == "!" && rest.find(' ') != std::string::npos) {
      key += ' ';
      key += rest.substr(0, rest.find(' '));
      rest = rest.substr(rest.find(' ') + 1);
    }
    (is_instance ? script.instances : script.facts)[key] = rest;
  }
  return script;
}

const std::string* Find(const Script& script, const std::string& key) {
  const auto found = script.facts.find(key);
  return found == script.facts.end() ? nullptr : &found->second;
}

std::atomic<int> initialised{0};
nvml::DeviceHandle cards[kCards];
nvml::DeviceHandle parts[kCards][kInstances];

/// Waits while the function hangs; then the code with which it fails, or 0.
int Enter(Script& script, const std::string& function, nvml::Device device) {
  script = Load();
  while (Find(script, "hang " + function) != nullptr) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    script = Load();
  }
  if (const std::string* code = Find(script, "! " + function)) return std::atoi(code->c_str());
  if (initialised.load() <= 0 && function != "nvmlInit_v2") return nvml::kUninitialized;
  if (device == nullptr) return 0;
  const std::string card = std::to_string(device->card);
  if (const std::string* code = Find(script, card + " !")) return std::atoi(code->c_str());
  if (const std::string* code = Find(script, card + " ! " + function))
    return std::atoi(code->c_str());
  return 0;
}

template <class... T>
int Numbers(nvml::Device device, const std::string& function, const std::string& suffix,
            T*... out) {
  Script script;
  if (const int code = Enter(script, function, device)) return code;
  const std::string* text = Find(script, std::to_string(device->card) + " " + function + suffix);
  if (text == nullptr || device->instance >= 0) return nvml::kNotSupported;
  std::istringstream values(*text);
  ((values >> *out), ...);
  return nvml::kSuccess;
}

int Text(nvml::Device device, const std::string& function, const std::string& key, char* out,
         unsigned length) {
  Script script;
  if (const int code = Enter(script, function, device)) return code;
  const std::string* text = Find(script, std::to_string(device->card) + " " + key);
  if (text == nullptr) return nvml::kNotSupported;
  if (text->size() + 1 > length) return nvml::kInsufficientSize;
  std::memcpy(out, text->c_str(), text->size() + 1);
  return nvml::kSuccess;
}

struct Instance {
  unsigned gpu_instance = 0;
  unsigned compute_instance = 0;
  unsigned long long total = 0;
  unsigned long long used = 0;
  std::string uuid;
  std::string name;
};

bool FindInstance(const Script& script, int card, int index, Instance& out) {
  const auto found =
      script.instances.find(std::to_string(card) + " instance " + std::to_string(index));
  if (found == script.instances.end()) return false;
  std::istringstream words(found->second);
  words >> out.gpu_instance >> out.compute_instance >> out.total >> out.used >> out.uuid;
  std::getline(words >> std::ws, out.name);
  return true;
}

int InstanceText(nvml::Device device, bool name, char* out, unsigned length) {
  const Script script = Load();
  Instance instance;
  if (!FindInstance(script, device->card, device->instance, instance)) return nvml::kNotFound;
  const std::string& text = name ? instance.name : instance.uuid;
  if (text.size() + 1 > length) return nvml::kInsufficientSize;
  std::memcpy(out, text.c_str(), text.size() + 1);
  return nvml::kSuccess;
}

}  // namespace

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT int nvmlInit_v2() {
  Script script;
  if (const int code = Enter(script, "nvmlInit_v2", nullptr)) return code;
  for (int card = 0; card < kCards; ++card) {
    if (initialised.load() > 0) break;
    cards[card].card = card;
    for (int part = 0; part < kInstances; ++part)
      parts[card][part] = {card, part};
  }
  initialised.fetch_add(1);
  return nvml::kSuccess;
}
EXPORT int nvmlShutdown() {
  Script script;
  if (const int code = Enter(script, "nvmlShutdown", nullptr)) return code;
  initialised.fetch_sub(1);
  return nvml::kSuccess;
}
EXPORT const char* nvmlErrorString(int code) {
  switch (code) {
    case nvml::kDriverNotLoaded:
      return "Driver Not Loaded";
    case nvml::kVersionMismatch:
      return "Driver/library version mismatch";
    case nvml::kGpuIsLost:
      return "GPU is lost";
    default:
      return "Some Error";
  }
}
EXPORT int nvmlSystemGetDriverVersion(char* out, unsigned length) {
  Script script;
  if (const int code = Enter(script, "nvmlSystemGetDriverVersion", nullptr)) return code;
  const std::string* text = Find(script, "driver");
  if (text == nullptr) return nvml::kUnknown;
  std::strncpy(out, text->c_str(), length);
  return nvml::kSuccess;
}
EXPORT int nvmlSystemGetProcessName(unsigned pid, char* out, unsigned length) {
  Script script;
  if (const int code = Enter(script, "nvmlSystemGetProcessName", nullptr)) return code;
  const std::string* text = Find(script, "process " + std::to_string(pid));
  if (text == nullptr) return nvml::kNotFound;
  std::strncpy(out, text->c_str(), length);
  return nvml::kSuccess;
}
EXPORT int nvmlDeviceGetCount_v2(unsigned* count) {
  Script script;
  if (const int code = Enter(script, "nvmlDeviceGetCount_v2", nullptr)) return code;
  const std::string* text = Find(script, "devices");
  *count = text == nullptr ? 0 : static_cast<unsigned>(std::atoi(text->c_str()));
  return nvml::kSuccess;
}
EXPORT int nvmlDeviceGetHandleByIndex_v2(unsigned index, nvml::Device* device) {
  if (index >= kCards) return nvml::kInvalidArgument;
  Script script;
  if (const int code = Enter(script, "nvmlDeviceGetHandleByIndex_v2", &cards[index])) return code;
  *device = &cards[index];
  return nvml::kSuccess;
}
EXPORT int nvmlDeviceGetUUID(nvml::Device device, char* out, unsigned length) {
  if (device->instance >= 0) return InstanceText(device, false, out, length);
  return Text(device, "nvmlDeviceGetUUID", "uuid", out, length);
}
EXPORT int nvmlDeviceGetName(nvml::Device device, char* out, unsigned length) {
  if (device->instance >= 0) return InstanceText(device, true, out, length);
  return Text(device, "nvmlDeviceGetName", "name", out, length);
}
EXPORT int nvmlDeviceGetSerial(nvml::Device device, char* out, unsigned length) {
  return Text(device, "nvmlDeviceGetSerial", "serial", out, length);
}
EXPORT int nvmlDeviceGetPciInfo_v3(nvml::Device device, nvml::PciInfo* pci) {
  return Text(device, "nvmlDeviceGetPciInfo_v3", "pci", pci->bus_id, sizeof(pci->bus_id));
}
EXPORT int nvmlDeviceGetMemoryInfo(nvml::Device device, nvml::Memory* memory) {
  unsigned long long reserved = 0;
  const int code = Numbers(device, "nvmlDeviceGetMemoryInfo", "", &memory->total, &reserved,
                           &memory->free, &memory->used);
  memory->used += reserved;  // As the first version of the function counts.
  return code;
}
EXPORT int nvmlDeviceGetUtilizationRates(nvml::Device device, nvml::Utilization* out) {
  return Numbers(device, "nvmlDeviceGetUtilizationRates", "", &out->gpu, &out->memory);
}
EXPORT int nvmlDeviceGetTemperature(nvml::Device device, int sensor, unsigned* out) {
  return Numbers(device, "nvmlDeviceGetTemperature", "." + std::to_string(sensor), out);
}
EXPORT int nvmlDeviceGetTemperatureThreshold(nvml::Device device, int kind, unsigned* out) {
  return Numbers(device, "nvmlDeviceGetTemperatureThreshold", "." + std::to_string(kind), out);
}
EXPORT int nvmlDeviceGetPowerUsage(nvml::Device device, unsigned* out) {
  return Numbers(device, "nvmlDeviceGetPowerUsage", "", out);
}
EXPORT int nvmlDeviceGetEnforcedPowerLimit(nvml::Device device, unsigned* out) {
  return Numbers(device, "nvmlDeviceGetEnforcedPowerLimit", "", out);
}
EXPORT int nvmlDeviceGetClockInfo(nvml::Device device, int domain, unsigned* out) {
  return Numbers(device, "nvmlDeviceGetClockInfo", "." + std::to_string(domain), out);
}
EXPORT int nvmlDeviceGetMaxClockInfo(nvml::Device device, int domain, unsigned* out) {
  return Numbers(device, "nvmlDeviceGetMaxClockInfo", "." + std::to_string(domain), out);
}
EXPORT int nvmlDeviceGetCurrentClocksThrottleReasons(nvml::Device device, unsigned long long* out) {
  return Numbers(device, "nvmlDeviceGetCurrentClocksEventReasons", "", out);
}
EXPORT int nvmlDeviceGetViolationStatus(nvml::Device device, int policy, nvml::ViolationTime* out) {
  return Numbers(device, "nvmlDeviceGetViolationStatus", "." + std::to_string(policy),
                 &out->violation_nanoseconds);
}
EXPORT int nvmlDeviceGetTotalEccErrors(nvml::Device device, int type, int counter,
                                       unsigned long long* out) {
  return Numbers(device, "nvmlDeviceGetTotalEccErrors",
                 "." + std::to_string(type) + "." + std::to_string(counter), out);
}
EXPORT int nvmlDeviceGetMemoryErrorCounter(nvml::Device device, int type, int counter, int location,
                                           unsigned long long* out) {
  return Numbers(
      device, "nvmlDeviceGetMemoryErrorCounter",
      "." + std::to_string(type) + "." + std::to_string(counter) + "." + std::to_string(location),
      out);
}
EXPORT int nvmlDeviceGetRetiredPages(nvml::Device device, int cause, unsigned* count,
                                     unsigned long long*) {
  const int code = Numbers(device, "nvmlDeviceGetRetiredPages", "." + std::to_string(cause), count);
  return code == 0 && *count > 0 ? static_cast<int>(nvml::kInsufficientSize) : code;
}
EXPORT int nvmlDeviceGetPcieThroughput(nvml::Device device, int direction, unsigned* out) {
  return Numbers(device, "nvmlDeviceGetPcieThroughput", "." + std::to_string(direction), out);
}
EXPORT int nvmlDeviceGetPcieReplayCounter(nvml::Device device, unsigned* out) {
  return Numbers(device, "nvmlDeviceGetPcieReplayCounter", "", out);
}

EXPORT int nvmlEventSetCreate(nvml::EventSet* set) {
  Script script;
  if (const int code = Enter(script, "nvmlEventSetCreate", nullptr)) return code;
  *set = new nvml::EventSetHandle;
  for (const std::string& event : script.events)
    (*set)->last = std::max((*set)->last, std::atol(event.c_str()));
  return nvml::kSuccess;
}
EXPORT int nvmlEventSetFree(nvml::EventSet set) {
  delete set;
  return nvml::kSuccess;
}
EXPORT int nvmlDeviceRegisterEvents(nvml::Device device, unsigned long long, nvml::EventSet) {
  Script script;
  return Enter(script, "nvmlDeviceRegisterEvents", device);
}
EXPORT int nvmlEventSetWait_v2(nvml::EventSet set, nvml::EventData* out, unsigned timeout) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout);
  do {
    Script script;
    if (const int code = Enter(script, "nvmlEventSetWait_v2", nullptr)) return code;
    for (const std::string& event : script.events) {
      std::istringstream words(event);
      long number = 0;
      unsigned card = 0;
      words >> number >> card;
      if (number <= set->last || card >= kCards) continue;
      set->last = number;
      *out = {};
      out->device = &cards[card];
      out->type = nvml::kEventXid;
      words >> out->data;
      out->gpu_instance = nvml::kNone;
      out->compute_instance = nvml::kNone;
      return nvml::kSuccess;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  } while (std::chrono::steady_clock::now() < until);
  return nvml::kTimeout;
}

#ifndef FAKE_NVML_OLD

EXPORT int nvmlDeviceGetMemoryInfo_v2(nvml::Device device, nvml::MemoryV2* memory) {
  if (memory->version != nvml::kMemoryV2Version) return 25;
  if (device->instance >= 0) {
    Script script;
    if (const int code = Enter(script, "nvmlDeviceGetMemoryInfo_v2", device)) return code;
    Instance instance;
    if (!FindInstance(script, device->card, device->instance, instance)) return nvml::kNotFound;
    memory->total = instance.total;
    memory->used = instance.used;
    memory->free = instance.total - instance.used;
    memory->reserved = 0;
    return nvml::kSuccess;
  }
  return Numbers(device, "nvmlDeviceGetMemoryInfo", "", &memory->total, &memory->reserved,
                 &memory->free, &memory->used);
}
EXPORT int nvmlDeviceGetTotalEnergyConsumption(nvml::Device device, unsigned long long* out) {
  return Numbers(device, "nvmlDeviceGetTotalEnergyConsumption", "", out);
}
EXPORT int nvmlDeviceGetRemappedRows(nvml::Device device, unsigned* correctable,
                                     unsigned* uncorrectable, unsigned* pending,
                                     unsigned* failure) {
  return Numbers(device, "nvmlDeviceGetRemappedRows", "", correctable, uncorrectable, pending,
                 failure);
}
EXPORT int nvmlDeviceGetCurrPcieLinkGeneration(nvml::Device device, unsigned* out) {
  return Numbers(device, "nvmlDeviceGetCurrPcieLinkGeneration", "", out);
}
EXPORT int nvmlDeviceGetCurrPcieLinkWidth(nvml::Device device, unsigned* out) {
  return Numbers(device, "nvmlDeviceGetCurrPcieLinkWidth", "", out);
}
EXPORT int nvmlDeviceGetNvLinkState(nvml::Device device, unsigned link, int* active) {
  return Numbers(device, "nvmlDeviceGetNvLinkState", "." + std::to_string(link), active);
}
EXPORT int nvmlDeviceGetFieldValues(nvml::Device device, int count, nvml::FieldValue* values) {
  Script script;
  if (const int code = Enter(script, "nvmlDeviceGetFieldValues", device)) return code;
  if (const std::string* newest = Find(script, "fields-up-to")) {
    for (int i = 0; i < count; ++i) {
      if (values[i].field > std::strtoul(newest->c_str(), nullptr, 10))
        return nvml::kInvalidArgument;
    }
  }
  for (int i = 0; i < count; ++i) {
    nvml::FieldValue& value = values[i];
    const std::string key = std::to_string(device->card) + " field." + std::to_string(value.field);
    const std::string* text = Find(script, key + "." + std::to_string(value.scope));
    if (text == nullptr) text = Find(script, key);
    value.result = text == nullptr ? nvml::kNotSupported : nvml::kSuccess;
    if (text == nullptr) continue;
    value.value_type = nvml::kUnsignedLongLong;
    value.value.as_unsigned_long_long = std::strtoull(text->c_str(), nullptr, 10);
  }
  return nvml::kSuccess;
}
EXPORT int nvmlDeviceGetComputeRunningProcesses_v3(nvml::Device device, unsigned* count,
                                                   nvml::ProcessInfo* out) {
  Script script;
  if (const int code = Enter(script, "nvmlDeviceGetComputeRunningProcesses_v3", device))
    return code;
  const std::string* text = Find(script, std::to_string(device->card) + " processes");
  if (text == nullptr) return nvml::kNotSupported;
  std::istringstream words(*text);
  std::vector<nvml::ProcessInfo> all;
  for (std::string word; words >> word;) {
    nvml::ProcessInfo& process = all.emplace_back();
    char* end = nullptr;
    process.pid = static_cast<unsigned>(std::strtoul(word.c_str(), &end, 10));
    process.used_memory = *end == ':' && end[1] == '?' ? nvml::kNotAvailable
                          : *end == ':'                ? std::strtoull(end + 1, &end, 10)
                                                       : 0;
    process.gpu_instance = *end == ':' && end[1] != '?'
                               ? static_cast<unsigned>(std::strtoul(end + 1, nullptr, 10))
                               : nvml::kNone;
    process.compute_instance = nvml::kNone;
  }
  const bool fits = all.size() <= *count;
  *count = static_cast<unsigned>(all.size());
  if (!fits) return nvml::kInsufficientSize;
  std::copy(all.begin(), all.end(), out);
  return nvml::kSuccess;
}
EXPORT int nvmlDeviceGetMigMode(nvml::Device device, unsigned* current, unsigned* pending) {
  return Numbers(device, "nvmlDeviceGetMigMode", "", current, pending);
}
EXPORT int nvmlDeviceGetMaxMigDeviceCount(nvml::Device, unsigned* count) {
  *count = 7;
  return nvml::kSuccess;
}
EXPORT int nvmlDeviceGetMigDeviceHandleByIndex(nvml::Device device, unsigned index,
                                               nvml::Device* part) {
  Script script;
  if (const int code = Enter(script, "nvmlDeviceGetMigDeviceHandleByIndex", device)) return code;
  Instance instance;
  if (index >= kInstances || !FindInstance(script, device->card, static_cast<int>(index), instance))
    return nvml::kNotFound;
  *part = &parts[device->card][index];
  return nvml::kSuccess;
}
EXPORT int nvmlDeviceGetGpuInstanceId(nvml::Device device, unsigned* id) {
  const Script script = Load();
  Instance instance;
  if (!FindInstance(script, device->card, device->instance, instance)) return nvml::kNotFound;
  *id = instance.gpu_instance;
  return nvml::kSuccess;
}
EXPORT int nvmlDeviceGetComputeInstanceId(nvml::Device device, unsigned* id) {
  const Script script = Load();
  Instance instance;
  if (!FindInstance(script, device->card, device->instance, instance)) return nvml::kNotFound;
  *id = instance.compute_instance;
  return nvml::kSuccess;
}

#endif
