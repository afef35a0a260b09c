#include "collect/gpu/nvml_api.h"

#include <initializer_list>
#include <utility>

#include <dlfcn.h>

namespace sonde::collect::nvml {
namespace {

/// Sets `function` to the first of `names` that the library has.
template <class F>
void Find(void* library, F& function, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    function = reinterpret_cast<F>(::dlsym(library, name));
    if (function != nullptr) return;
  }
}

std::string LinkerError() {
  const char* text = ::dlerror();  // NOLINT(concurrency-mt-unsafe): thread-local in glibc.
  return text == nullptr ? "unknown error of the dynamic linker" : text;
}

}  // namespace

Result<std::unique_ptr<Api>> Api::Load(const std::string& path) {
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return Error(ErrorKind::kUnavailable, LinkerError());
  std::unique_ptr<Api> api(new Api(library));
  api->Resolve();
  if (api->Init == nullptr || api->Shutdown == nullptr || api->DeviceGetCount == nullptr ||
      api->DeviceGetHandleByIndex == nullptr) {
    return Error(ErrorKind::kInvalid,
                 path +
                     " is not NVIDIA's management library: it has no nvmlInit_v2, nvmlShutdown, "
                     "nvmlDeviceGetCount_v2 or nvmlDeviceGetHandleByIndex_v2");
  }
  return api;
}

Api::~Api() {
  ::dlclose(library_);
}

void Api::Resolve() {
  const auto find = [this](auto& function, std::initializer_list<const char*> names) {
    Find(library_, function, names);
  };
  find(Init, {"nvmlInit_v2"});
  find(Shutdown, {"nvmlShutdown"});
  find(DeviceGetCount, {"nvmlDeviceGetCount_v2"});
  find(DeviceGetHandleByIndex, {"nvmlDeviceGetHandleByIndex_v2"});
  find(SystemGetDriverVersion, {"nvmlSystemGetDriverVersion"});
  find(SystemGetProcessName, {"nvmlSystemGetProcessName"});
  find(DeviceGetUuid, {"nvmlDeviceGetUUID"});
  find(DeviceGetName, {"nvmlDeviceGetName"});
  find(DeviceGetSerial, {"nvmlDeviceGetSerial"});
  find(DeviceGetPciInfo, {"nvmlDeviceGetPciInfo_v3"});
  find(DeviceGetMemoryInfo, {"nvmlDeviceGetMemoryInfo"});
  find(DeviceGetMemoryInfoV2, {"nvmlDeviceGetMemoryInfo_v2"});
  find(DeviceGetUtilizationRates, {"nvmlDeviceGetUtilizationRates"});
  find(DeviceGetTemperature, {"nvmlDeviceGetTemperature"});
  find(DeviceGetTemperatureThreshold, {"nvmlDeviceGetTemperatureThreshold"});
  find(DeviceGetPowerUsage, {"nvmlDeviceGetPowerUsage"});
  find(DeviceGetEnforcedPowerLimit, {"nvmlDeviceGetEnforcedPowerLimit"});
  find(DeviceGetTotalEnergyConsumption, {"nvmlDeviceGetTotalEnergyConsumption"});
  find(DeviceGetClockInfo, {"nvmlDeviceGetClockInfo"});
  find(DeviceGetMaxClockInfo, {"nvmlDeviceGetMaxClockInfo"});
  find(DeviceGetCurrentClocksEventReasons,
       {"nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons"});
  find(DeviceGetViolationStatus, {"nvmlDeviceGetViolationStatus"});
  find(DeviceGetTotalEccErrors, {"nvmlDeviceGetTotalEccErrors"});
  find(DeviceGetMemoryErrorCounter, {"nvmlDeviceGetMemoryErrorCounter"});
  find(DeviceGetRemappedRows, {"nvmlDeviceGetRemappedRows"});
  find(DeviceGetRetiredPages, {"nvmlDeviceGetRetiredPages"});
  find(DeviceGetFieldValues, {"nvmlDeviceGetFieldValues"});
  find(DeviceGetNvLinkState, {"nvmlDeviceGetNvLinkState"});
  find(DeviceGetPcieThroughput, {"nvmlDeviceGetPcieThroughput"});
  find(DeviceGetPcieReplayCounter, {"nvmlDeviceGetPcieReplayCounter"});
  find(DeviceGetCurrPcieLinkGeneration, {"nvmlDeviceGetCurrPcieLinkGeneration"});
  find(DeviceGetCurrPcieLinkWidth, {"nvmlDeviceGetCurrPcieLinkWidth"});
  // _v2 has the same structure; the unversioned one has not.
  find(DeviceGetComputeRunningProcesses,
       {"nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetComputeRunningProcesses_v2"});
  find(DeviceGetMigMode, {"nvmlDeviceGetMigMode"});
  find(DeviceGetMaxMigDeviceCount, {"nvmlDeviceGetMaxMigDeviceCount"});
  find(DeviceGetMigDeviceHandleByIndex, {"nvmlDeviceGetMigDeviceHandleByIndex"});
  find(DeviceGetGpuInstanceId, {"nvmlDeviceGetGpuInstanceId"});
  find(DeviceGetComputeInstanceId, {"nvmlDeviceGetComputeInstanceId"});
  find(EventSetCreate, {"nvmlEventSetCreate"});
  find(EventSetFree, {"nvmlEventSetFree"});
  find(EventSetWait, {"nvmlEventSetWait_v2"});
  find(DeviceRegisterEvents, {"nvmlDeviceRegisterEvents"});
  find(ErrorString, {"nvmlErrorString"});
}

std::string Api::Describe(int code) const {
  const char* text = ErrorString == nullptr ? nullptr : ErrorString(code);
  return text == nullptr ? "NVML error " + std::to_string(code) : std::string(text);
}

std::string ErrorName(int code) {
  switch (code) {
    case kSuccess:
      return "";
    case kUninitialized:
      return "uninitialized";
    case kInvalidArgument:
      return "invalid_argument";
    case kNotSupported:
      return "not_supported";
    case kNoPermission:
      return "no_permission";
    case kNotFound:
      return "not_found";
    case kInsufficientSize:
      return "insufficient_size";
    case kInsufficientPower:
      return "insufficient_power";
    case kDriverNotLoaded:
      return "driver_not_loaded";
    case kTimeout:
      return "timeout";
    case kIrqIssue:
      return "irq_issue";
    case kLibraryNotFound:
      return "library_not_found";
    case kFunctionNotFound:
      return "function_not_found";
    case kCorruptedInforom:
      return "corrupted_inforom";
    case kGpuIsLost:
      return "gpu_is_lost";
    case kResetRequired:
      return "reset_required";
    case kOperatingSystem:
      return "operating_system";
    case kVersionMismatch:
      return "version_mismatch";
    case kInUse:
      return "in_use";
    case kMemory:
      return "out_of_memory";
    case kNoData:
      return "no_data";
    case kInsufficientResources:
      return "insufficient_resources";
    case kNotReady:
      return "not_ready";
    case kGpuNotFound:
      return "gpu_not_found";
    case kInvalidState:
      return "invalid_state";
    case kUnknown:
      return "unknown";
    default:
      return "error_" + std::to_string(code);
  }
}

bool IsDriverError(int code) {
  return code == kUninitialized || code == kDriverNotLoaded || code == kVersionMismatch ||
         code == kLibraryNotFound;
}

}  // namespace sonde::collect::nvml
