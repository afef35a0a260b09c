#include "demo/simulated_node.h"

#include <algorithm>

#include "base/check.h"

namespace sonde::demo {
namespace {

constexpr SimTime kTick{100'000};  // How often GPUs and engine look at each other.

}  // namespace

SimulatedNode::SimulatedNode(const EngineSpec& spec, const Incident& incident, std::uint64_t seed)
    : spec_(spec), incident_(incident), engine_(spec), gpus_(spec, seed), next_tick_(kTick) {}

void SimulatedNode::AdvanceLocked(SimTime now) {
  now_ = std::max(now_, now);
  while (next_tick_ <= now_) {
    engine_.Advance(next_tick_);
    const SimTime busy = engine_.busy();
    const double share = std::clamp(Seconds(busy - busy_at_tick_) / Seconds(kTick), 0.0, 1.0);
    busy_at_tick_ = busy;
    gpus_.Advance(kTick, share, engine_.prefill_share(),
                  incident_.CoolingOf(spec_.node, next_tick_));
    engine_.set_clock_slowdown(gpus_.clock_slowdown());
    next_tick_ += kTick;
  }
  engine_.Advance(now_);
}

Result<RequestId> SimulatedNode::Submit(const SimRequest& request, SimTime now) {
  MutexLock lock(mutex_);
  AdvanceLocked(now);
  if (!engine_.Fits(request)) {
    return Error(ErrorKind::kInvalid,
                 "This model's maximum context length is " + std::to_string(spec_.max_model_len) +
                     " tokens. However, you requested " +
                     std::to_string(request.prompt_tokens + request.output_tokens) + " tokens (" +
                     std::to_string(request.prompt_tokens) + " in the messages, " +
                     std::to_string(request.output_tokens) + " in the completion).");
  }
  return engine_.Submit(request, now_);
}

SimulatedNode::Poll SimulatedNode::Look(RequestId id, SimTime now) {
  MutexLock lock(mutex_);
  AdvanceLocked(now);
  const auto progress = engine_.Progress(id);
  CHECK(progress);
  Poll poll;
  poll.progress = *progress;
  poll.next = engine_.step_end().value_or(now_);
  return poll;
}

void SimulatedNode::Leave(RequestId id, SimTime now) {
  MutexLock lock(mutex_);
  AdvanceLocked(now);
  engine_.Abort(id, now_);
  engine_.Forget(id);
}

void SimulatedNode::Advance(SimTime now) {
  MutexLock lock(mutex_);
  AdvanceLocked(now);
}

void SimulatedNode::CountHttp(const std::string& handler, int status) {
  MutexLock lock(mutex_);
  ++http_[{handler, std::to_string(status / 100) + "xx"}];
}

std::string SimulatedNode::EnginePage(SimTime now) {
  MutexLock lock(mutex_);
  AdvanceLocked(now);
  std::string page;
  page.reserve(96U << 10);
  WriteVllmPage(spec_, engine_.metrics(), http_, page);
  return page;
}

std::string SimulatedNode::GpuPage(SimTime now) {
  MutexLock lock(mutex_);
  AdvanceLocked(now);
  std::string page;
  page.reserve(64U << 10);
  WriteDcgmPage(spec_, gpus_.gpus(), page);
  return page;
}

void SimulatedNode::SetMaxNumSeqs(std::uint32_t count) {
  MutexLock lock(mutex_);
  engine_.set_max_num_seqs(count);
}

std::vector<GpuState> SimulatedNode::gpus() const {
  MutexLock lock(mutex_);
  return gpus_.gpus();
}

}  // namespace sonde::demo
