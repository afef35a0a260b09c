#include "collect/gpu/nvml_source.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/thread_pool.h"

namespace sonde::collect {
namespace {

constexpr unsigned kMaxCards = 64;
constexpr unsigned kEventWaitMilliseconds = 200;
constexpr std::int64_t kReopenMinNanos = 10'000'000'000;
constexpr std::int64_t kReopenMaxNanos = 300'000'000'000;

// Of the XIDs that NVIDIA documents: those that stop work or announce that hardware fails (memory
// 48, 63, 64, 92, 94, 95, 140, 171, 172; the bus 79, 149; links 74; firmware 61, 62, 119, 120;
// recovery 109, 110, 143, 154), and those of a program's own making that end it (13, 31, 32, 43,
// 45, 68, 69).
constexpr std::uint64_t kKnownXids[] = {13,  31,  32,  43,  45,  48,  61,  62,  63,
                                        64,  68,  69,  74,  79,  92,  94,  95,  109,
                                        110, 119, 120, 140, 143, 149, 154, 171, 172};

/// What a function that writes a C string says; empty after an error.
template <class F, class... A>
std::string TextOf(F function, A... arguments) {
  char text[256] = {};
  if (function == nullptr || function(arguments..., text, sizeof(text) - 1) != nvml::kSuccess)
    return "";
  return text;
}

}  // namespace

NvmlSource::NvmlSource(const GpuOptions& options) : options_(options) {}

NvmlSource::~NvmlSource() {
  Close();
}

std::span<const std::uint64_t> NvmlSource::known_faults() const {
  return kKnownXids;
}

void NvmlSource::Close() {
  stop_events_.store(true, std::memory_order_relaxed);
  if (event_thread_.joinable()) event_thread_.join();
  if (api_ == nullptr) return;
  if (events_ != nullptr && api_->EventSetFree != nullptr) api_->EventSetFree(events_);
  events_ = nullptr;
  cards_.clear();
  api_->Shutdown();
  api_.reset();
}

std::string NvmlSource::Fail(int code, std::string& detail) {
  detail = api_->Describe(code);
  Close();
  return nvml::ErrorName(code);
}

std::string NvmlSource::Open(GpuWatch& watch, std::string& detail) {
  auto api = nvml::Api::Load(options_.nvml_library);
  if (!api) {
    detail = api.error().message();
    return api.error().kind() == ErrorKind::kInvalid ? "function_not_found" : "library_not_found";
  }
  watch.Beat();
  if (const int code = (*api)->Init(); code != nvml::kSuccess) {
    detail = (*api)->Describe(code);
    return nvml::ErrorName(code);
  }
  api_ = *std::move(api);
  watch.Beat();
  driver_version_ = TextOf(api_->SystemGetDriverVersion);
  unsigned count = 0;
  if (const int code = api_->DeviceGetCount(&count); code != nvml::kSuccess)
    return Fail(code, detail);
  for (unsigned index = 0; index < std::min(count, kMaxCards); ++index) {
    watch.Beat();
    cards_.push_back(Identify(index));
    if (nvml::IsDriverError(cards_.back().failed)) return Fail(cards_.back().failed, detail);
  }
  StartEvents(watch);
  return "";
}

NvmlSource::Card NvmlSource::Identify(unsigned index) {
  Card card;
  card.id.index = std::to_string(index);
  card.id.vendor = "nvidia";
  card.failed = api_->DeviceGetHandleByIndex(index, &card.handle);
  if (card.failed == nvml::kSuccess) {
    card.id.uuid = TextOf(api_->DeviceGetUuid, card.handle);
    card.id.name = TextOf(api_->DeviceGetName, card.handle);
    card.id.serial = TextOf(api_->DeviceGetSerial, card.handle);
    nvml::PciInfo pci{};
    if (api_->DeviceGetPciInfo != nullptr &&
        api_->DeviceGetPciInfo(card.handle, &pci) == nvml::kSuccess) {
      pci.bus_id[sizeof(pci.bus_id) - 1] = '\0';
      card.id.pci_bus_id = pci.bus_id;
    }
  }
  if (!card.id.uuid.empty()) {
    seen_[index] = card.id;
  } else if (const auto known = seen_.find(index); known != seen_.end()) {
    card.id = known->second;  // It does not tell any more who it is.
  }
  return card;
}

void NvmlSource::StartEvents(GpuWatch& watch) {
  stop_events_.store(false, std::memory_order_relaxed);
  if (api_->EventSetCreate == nullptr || api_->EventSetWait == nullptr ||
      api_->DeviceRegisterEvents == nullptr || api_->EventSetCreate(&events_) != nvml::kSuccess) {
    events_ = nullptr;
    return;
  }
  std::map<nvml::Device, std::string> uuids;
  for (const Card& card : cards_) {
    if (card.failed != nvml::kSuccess || card.id.uuid.empty()) continue;
    if (api_->DeviceRegisterEvents(card.handle, nvml::kEventXid, events_) == nvml::kSuccess)
      uuids.emplace(card.handle, card.id.uuid);
  }
  if (uuids.empty()) return;
  event_thread_ = std::thread(
      [this, &watch, set = events_, wait = api_->EventSetWait, uuids = std::move(uuids)] {
        SetThreadName("collect-gpu-xid");
        const auto stopped = [this] {
          return stop_events_.load(std::memory_order_relaxed) ||
                 interrupted_.load(std::memory_order_relaxed);
        };
        while (!stopped()) {
          nvml::EventData event{};
          const int code = wait(set, &event, kEventWaitMilliseconds);
          if (code == nvml::kSuccess && event.type == nvml::kEventXid) {
            if (const auto found = uuids.find(event.device); found != uuids.end())
              watch.Fault(found->second, event.data);
          } else if (code != nvml::kSuccess && code != nvml::kTimeout) {
            // A lost device makes every wait fail at once.
            std::this_thread::sleep_for(std::chrono::milliseconds(kEventWaitMilliseconds));
          }
        }
      });
}

bool NvmlSource::WantsReopening(GpuWatch& watch) {
  if (!device_lost_) {
    reopen_at_ = 0;
    reopen_pause_ = 0;
    return false;
  }
  const std::int64_t now = watch.NowNanos();
  if (reopen_at_ != 0 && now < reopen_at_) return false;
  const bool first = reopen_at_ == 0;
  reopen_pause_ = first ? kReopenMinNanos : std::min(reopen_pause_ * 2, kReopenMaxNanos);
  reopen_at_ = now + reopen_pause_;
  return !first;
}

GpuSweep NvmlSource::Read(GpuDepth depth, GpuWatch& watch) {
  GpuSweep sweep;
  if (interrupted_.load(std::memory_order_relaxed)) {
    sweep.error = "stopping";
    return sweep;
  }
  if (api_ != nullptr && WantsReopening(watch)) Close();
  if (api_ == nullptr) {
    sweep.error = Open(watch, sweep.error_detail);
    if (!sweep.error.empty()) return sweep;
    depth = GpuDepth::kDetails;
  }
  sweep.driver_version = driver_version_;
  device_lost_ = false;
  for (Card& card : cards_) {
    watch.Beat();
    GpuReading& reading = sweep.devices.emplace_back();
    reading.id = card.id;
    int code = card.failed;
    if (code == nvml::kSuccess) code = ReadFast(card, reading);
    if (nvml::IsDriverError(code)) {
      sweep.devices.clear();
      sweep.error = Fail(code, sweep.error_detail);
      return sweep;
    }
    if (code != nvml::kSuccess) {
      reading.error = nvml::ErrorName(code);
      device_lost_ = true;
      continue;
    }
    if (depth == GpuDepth::kFast) continue;
    watch.Beat();
    ReadDetails(card, reading);
  }
  return sweep;
}

}  // namespace sonde::collect
