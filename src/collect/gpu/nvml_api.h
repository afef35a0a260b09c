#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"

// The functions of NVIDIA's management library (libnvidia-ml.so.1) that Sonde uses, loaded at run
// time: no header and no library of NVIDIA's is needed to build or to start. Declarations follow
// the library's documented binary interface; a driver may be older or newer, so each function but
// the first four may be null.

namespace sonde::collect::nvml {

enum Return : int {
  kSuccess = 0,
  kUninitialized = 1,
  kInvalidArgument = 2,
  kNotSupported = 3,
  kNoPermission = 4,
  kNotFound = 6,
  kInsufficientSize = 7,
  kInsufficientPower = 8,
  kDriverNotLoaded = 9,
  kTimeout = 10,
  kIrqIssue = 11,
  kLibraryNotFound = 12,
  kFunctionNotFound = 13,
  kCorruptedInforom = 14,
  kGpuIsLost = 15,
  kResetRequired = 16,
  kOperatingSystem = 17,
  kVersionMismatch = 18,
  kInUse = 19,
  kMemory = 20,
  kNoData = 21,
  kInsufficientResources = 23,
  kNotReady = 27,
  kGpuNotFound = 28,
  kInvalidState = 29,
  kUnknown = 999,
};

struct DeviceHandle;    // Opaque.
struct EventSetHandle;  // Opaque.
using Device = DeviceHandle*;
using EventSet = EventSetHandle*;

struct Memory {
  unsigned long long total;
  unsigned long long free;
  unsigned long long used;
};
struct MemoryV2 {
  unsigned version;  // The size of the structure, and 2 in the highest byte.
  unsigned long long total;
  unsigned long long reserved;
  unsigned long long free;
  unsigned long long used;
};
inline constexpr unsigned kMemoryV2Version = sizeof(MemoryV2) | 2U << 24;

struct Utilization {  // Percent.
  unsigned gpu;
  unsigned memory;
};
struct PciInfo {
  char bus_id_legacy[16];
  unsigned domain;
  unsigned bus;
  unsigned device;
  unsigned device_id;
  unsigned subsystem_id;
  char bus_id[32];
};
union Value {
  double as_double;
  int as_int;
  unsigned as_unsigned;
  unsigned long as_unsigned_long;
  unsigned long long as_unsigned_long_long;
  long long as_long_long;
  unsigned short as_unsigned_short;
};
enum ValueType : int {
  kDouble = 0,
  kUnsigned = 1,
  kUnsignedLong = 2,
  kUnsignedLongLong = 3,
  kLongLong = 4,
  kInt = 5,
  kUnsignedShort = 6,
};
struct FieldValue {
  unsigned field;
  unsigned scope;
  long long timestamp;
  long long latency;
  int value_type;
  int result;
  Value value;
};
struct ProcessInfo {
  unsigned pid;
  unsigned long long used_memory;  // All bits: not known.
  unsigned gpu_instance;           // All bits: none.
  unsigned compute_instance;
};
struct ViolationTime {
  unsigned long long reference_microseconds;
  unsigned long long violation_nanoseconds;
};
struct EventData {
  Device device;
  unsigned long long type;
  unsigned long long data;
  unsigned gpu_instance;
  unsigned compute_instance;
};

inline constexpr unsigned long long kEventXid = 8;
inline constexpr unsigned kNone =
    0xFFFFFFFF;  // "no instance", and "all links" as the scope of a field.
inline constexpr unsigned long long kNotAvailable = ~0ULL;
inline constexpr unsigned kMaxLinks = 36;

/// Values of GetFieldValues.
enum Field : unsigned {
  kFieldRetiredSingleBit = 29,
  kFieldRetiredDoubleBit = 30,
  kFieldRetiredPending = 31,
  kFieldLinkCrcFlitErrors = 38,
  kFieldLinkCrcDataErrors = 45,
  kFieldLinkReplayErrors = 52,
  kFieldLinkRecoveryErrors = 59,
  kFieldThrottlePower = 74,  // This and what follows up to 79: nanoseconds.
  kFieldThrottleThermal = 75,
  kFieldThrottleSyncBoost = 76,
  kFieldThrottleBoardLimit = 77,
  kFieldThrottleReliability = 79,
  kFieldMemoryTemperature = 82,
  kFieldLinkCount = 91,
  kFieldLinkDataSent = 138,  // KiB.
  kFieldLinkDataReceived = 139,
  kFieldPcieSent = 197,  // Bytes.
  kFieldPcieReceived = 198,
  kFieldLinkBytesSent = 202,  // NVLink 5.
  kFieldLinkBytesReceived = 204,
  kFieldRecoveryAction = 230,
  kFieldThrottleSwThermal = 269,  // Nanoseconds.
  kFieldThrottleHwThermal = 270,
  kFieldThrottleHwPowerBrake = 271,
};

/// The loaded library. Function pointers are null where the library has no such function.
/// Unloaded by the destructor, so no call may be in flight then.
class Api {
 public:
  /// kUnavailable if there is no such library, kInvalid if it is another one; the message is the
  /// dynamic linker's.
  static Result<std::unique_ptr<Api>> Load(const std::string& path);
  ~Api();
  Api(const Api&) = delete;
  Api& operator=(const Api&) = delete;

  int (*Init)() = nullptr;
  int (*Shutdown)() = nullptr;
  int (*DeviceGetCount)(unsigned*) = nullptr;
  int (*DeviceGetHandleByIndex)(unsigned, Device*) = nullptr;

  int (*SystemGetDriverVersion)(char*, unsigned) = nullptr;
  int (*SystemGetProcessName)(unsigned, char*, unsigned) = nullptr;
  int (*DeviceGetUuid)(Device, char*, unsigned) = nullptr;
  int (*DeviceGetName)(Device, char*, unsigned) = nullptr;
  int (*DeviceGetSerial)(Device, char*, unsigned) = nullptr;
  int (*DeviceGetPciInfo)(Device, PciInfo*) = nullptr;
  int (*DeviceGetMemoryInfo)(Device, Memory*) = nullptr;
  int (*DeviceGetMemoryInfoV2)(Device, MemoryV2*) = nullptr;
  int (*DeviceGetUtilizationRates)(Device, Utilization*) = nullptr;
  int (*DeviceGetTemperature)(Device, int sensor, unsigned*) = nullptr;
  int (*DeviceGetTemperatureThreshold)(Device, int kind, unsigned*) = nullptr;
  int (*DeviceGetPowerUsage)(Device, unsigned* milliwatts) = nullptr;
  int (*DeviceGetEnforcedPowerLimit)(Device, unsigned* milliwatts) = nullptr;
  int (*DeviceGetTotalEnergyConsumption)(Device, unsigned long long* millijoules) = nullptr;
  int (*DeviceGetClockInfo)(Device, int domain, unsigned* megahertz) = nullptr;
  int (*DeviceGetMaxClockInfo)(Device, int domain, unsigned* megahertz) = nullptr;
  int (*DeviceGetCurrentClocksEventReasons)(Device, unsigned long long*) = nullptr;
  int (*DeviceGetViolationStatus)(Device, int policy, ViolationTime*) = nullptr;
  int (*DeviceGetTotalEccErrors)(Device, int type, int counter, unsigned long long*) = nullptr;
  int (*DeviceGetMemoryErrorCounter)(Device, int type, int counter, int location,
                                     unsigned long long*) = nullptr;
  int (*DeviceGetRemappedRows)(Device, unsigned* correctable, unsigned* uncorrectable,
                               unsigned* pending, unsigned* failure) = nullptr;
  int (*DeviceGetRetiredPages)(Device, int cause, unsigned* count, unsigned long long*) = nullptr;
  int (*DeviceGetFieldValues)(Device, int count, FieldValue*) = nullptr;
  int (*DeviceGetNvLinkState)(Device, unsigned link, int* active) = nullptr;
  int (*DeviceGetPcieThroughput)(Device, int direction, unsigned* kilobytes_per_second) = nullptr;
  int (*DeviceGetPcieReplayCounter)(Device, unsigned*) = nullptr;
  int (*DeviceGetCurrPcieLinkGeneration)(Device, unsigned*) = nullptr;
  int (*DeviceGetCurrPcieLinkWidth)(Device, unsigned*) = nullptr;
  int (*DeviceGetComputeRunningProcesses)(Device, unsigned* count, ProcessInfo*) = nullptr;
  int (*DeviceGetMigMode)(Device, unsigned* current, unsigned* pending) = nullptr;
  int (*DeviceGetMaxMigDeviceCount)(Device, unsigned*) = nullptr;
  int (*DeviceGetMigDeviceHandleByIndex)(Device, unsigned, Device*) = nullptr;
  int (*DeviceGetGpuInstanceId)(Device, unsigned*) = nullptr;
  int (*DeviceGetComputeInstanceId)(Device, unsigned*) = nullptr;
  int (*EventSetCreate)(EventSet*) = nullptr;
  int (*EventSetFree)(EventSet) = nullptr;
  int (*EventSetWait)(EventSet, EventData*, unsigned timeout_milliseconds) = nullptr;
  int (*DeviceRegisterEvents)(Device, unsigned long long types, EventSet) = nullptr;
  const char* (*ErrorString)(int) = nullptr;

  /// What the library says about a code; never null.
  std::string Describe(int code) const;

 private:
  explicit Api(void* library) : library_(library) {}
  void Resolve();

  void* const library_;
};

/// "gpu_is_lost", "driver_not_loaded", …: the label `error` for a code.
std::string ErrorName(int code);

/// The code concerns the driver as a whole: it must be opened anew.
bool IsDriverError(int code);

}  // namespace sonde::collect::nvml
