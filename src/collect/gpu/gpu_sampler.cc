#include "collect/gpu/gpu_sampler.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>
#include <utility>

#include "base/thread_pool.h"

namespace sonde::collect {
namespace {

constexpr std::size_t kMaxFaultCodes = 64;  // By device.
constexpr std::size_t kMaxFaultDevices = 256;
constexpr Duration kStopWait{2'000};

std::int64_t Nanos(Duration duration) {
  return std::chrono::nanoseconds(duration).count();
}

}  // namespace

// What the thread and the sampler share; outlives the sampler while a call hangs. Once `stopping`
// is set the thread does not touch the clock, which may be gone.
struct GpuSampler::State final : GpuWatch {
  State(std::unique_ptr<GpuSource> s, GpuSamplerOptions o, const Clock& c)
      : source(std::move(s)),
        options(o),
        clock(c),
        // Sweeps of many devices take their time; what is longer than this was a hang.
        meter(Nanos(std::max(options.hang_timeout, options.interval * 4))) {
    known.driver = source->name();
    known.absent = true;
  }
  ~State() override { source->Close(); }  // Its threads call what is below.
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  void Beat() override {
    const MutexLock lock(mutex);
    if (!stopping) busy_since = clock.MonotonicNanos();
  }
  std::int64_t NowNanos() const override {
    const MutexLock lock(mutex);
    return stopping ? 0 : clock.MonotonicNanos();
  }
  void Fault(const std::string& uuid, std::uint64_t code) override {
    const MutexLock lock(mutex);
    if (stopping) return;
    if (!known.faults.contains(uuid) && known.faults.size() >= kMaxFaultDevices) return;
    auto& codes = known.faults[uuid];
    if (!codes.contains(code) && codes.size() >= kMaxFaultCodes) return;
    GpuFaultCount& fault = codes[code];
    ++fault.count;
    fault.last = clock.Now().ms;
  }

  const std::unique_ptr<GpuSource> source;  // Used by the thread that sweeps.
  const GpuSamplerOptions options;
  const Clock& clock;
  GpuMeter meter;  // Used by the thread that sweeps.

  mutable Mutex mutex;
  mutable CondVar changed;
  bool stopping GUARDED_BY(mutex) = false;
  bool finished GUARDED_BY(mutex) = false;  // The thread is at its end and the source closed.
  std::optional<std::int64_t> busy_since GUARDED_BY(mutex);
  std::thread thread GUARDED_BY(mutex);
  GpuSnapshot known GUARDED_BY(mutex);
};

GpuSampler::GpuSampler(std::unique_ptr<GpuSource> source, GpuSamplerOptions options,
                       const Clock& clock)
    : state_(std::make_shared<State>(std::move(source), options, clock)) {}

GpuSampler::~GpuSampler() {
  Stop();
}

void GpuSampler::Start() {
  const MutexLock lock(state_->mutex);
  if (state_->stopping || state_->thread.joinable()) return;
  state_->thread = std::thread([state = state_] { Run(state); });
}

void GpuSampler::Stop() {
  std::thread thread;
  bool finished = false;
  state_->source->Interrupt();
  {
    const MutexLock lock(state_->mutex);
    state_->stopping = true;
    state_->changed.NotifyAll();
    thread.swap(state_->thread);
    if (thread.joinable()) {
      const auto deadline = std::chrono::steady_clock::now() + kStopWait;
      while (!state_->finished && std::chrono::steady_clock::now() < deadline)
        state_->changed.WaitFor(state_->mutex, Duration(100));
    }
    finished = state_->finished;
  }
  if (!thread.joinable()) return;
  if (finished) {
    thread.join();
  } else {
    thread.detach();
  }
}

void GpuSampler::SampleOnce(GpuDepth depth) {
  Sweep(*state_, depth);
}

bool GpuSampler::Sweep(State& state, GpuDepth depth) {
  {
    const MutexLock lock(state.mutex);
    if (state.stopping) return false;
    state.busy_since = state.clock.MonotonicNanos();
  }
  GpuSweep sweep = state.source->Read(depth, state);  // May take for ever.
  std::int64_t now_nanos = 0;
  std::int64_t wall_ms = 0;
  {
    const MutexLock lock(state.mutex);
    if (state.stopping) return false;
    now_nanos = state.clock.MonotonicNanos();
    wall_ms = state.clock.Now().ms;
  }
  if (sweep.error.empty()) {
    state.meter.Add(sweep, now_nanos, wall_ms);
  } else {
    state.meter.Fail(sweep.error, wall_ms);
  }
  std::vector<GpuDevice> devices = state.meter.devices();
  const MutexLock lock(state.mutex);
  state.busy_since.reset();
  GpuSnapshot& known = state.known;
  if (known.error.empty() && !sweep.error.empty()) known.error_since = wall_ms;
  known.absent = sweep.absent && devices.empty();
  known.error = sweep.error;
  known.error_detail = std::move(sweep.error_detail);
  if (!sweep.driver_version.empty()) known.driver_version = std::move(sweep.driver_version);
  known.devices = std::move(devices);
  for (const GpuDevice& device : known.devices) {
    if (device.id.uuid.empty() || known.faults.size() >= kMaxFaultDevices) continue;
    auto& codes = known.faults[device.id.uuid];
    for (const std::uint64_t code : state.source->known_faults())
      codes.try_emplace(code);
  }
  ++known.sweeps;
  state.changed.NotifyAll();
  return sweep.error.empty();
}

void GpuSampler::Run(const std::shared_ptr<State>& state) {
  SetThreadName("collect-gpu");
  const GpuSamplerOptions& options = state->options;
  Duration retry = options.retry_min;
  std::optional<std::int64_t> details_at;
  while (true) {
    const std::int64_t now = state->NowNanos();
    const bool details = !details_at || now - *details_at >= Nanos(options.detail_interval);
    const bool works = Sweep(*state, details ? GpuDepth::kDetails : GpuDepth::kFast);
    if (works && details) details_at = now;
    if (!works) details_at.reset();
    const Duration pause = works ? options.interval : retry;
    retry = works ? options.retry_min : std::min(retry * 2, options.retry_max);
    const auto until = std::chrono::steady_clock::now() + pause;
    const MutexLock lock(state->mutex);
    while (!state->stopping && std::chrono::steady_clock::now() < until) {
      const auto rest = std::chrono::ceil<Duration>(until - std::chrono::steady_clock::now());
      state->changed.WaitFor(state->mutex, std::max(rest, Duration(1)));
    }
    if (state->stopping) break;
  }
  state->source->Close();
  const MutexLock lock(state->mutex);
  state->finished = true;
  state->changed.NotifyAll();
}

GpuSnapshot GpuSampler::snapshot() const {
  const MutexLock lock(state_->mutex);
  GpuSnapshot snapshot = state_->known;
  if (state_->stopping || !state_->busy_since) return snapshot;
  const std::int64_t busy_nanos = state_->clock.MonotonicNanos() - *state_->busy_since;
  if (busy_nanos < Nanos(state_->options.hang_timeout)) return snapshot;
  snapshot.absent = false;
  snapshot.error = "hang";
  snapshot.error_detail = "a call of the driver does not return";
  snapshot.error_since = state_->clock.Now().ms - busy_nanos / 1'000'000;
  for (GpuDevice& device : snapshot.devices) {
    if (device.error.empty()) device.error_since = snapshot.error_since;
    device.error = "hang";
    device.details.clear();
    device.now.values.clear();
  }
  return snapshot;
}

void GpuSampler::AwaitFirst(Duration timeout) const {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  const MutexLock lock(state_->mutex);
  while (!state_->stopping && state_->known.sweeps == 0 &&
         std::chrono::steady_clock::now() < deadline) {
    const auto rest = std::chrono::ceil<Duration>(deadline - std::chrono::steady_clock::now());
    state_->changed.WaitFor(state_->mutex, std::max(rest, Duration(1)));
  }
}

}  // namespace sonde::collect
