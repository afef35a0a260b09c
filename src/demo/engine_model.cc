#include "demo/engine_model.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace sonde::demo {

EngineModel::EngineModel(const EngineSpec& spec)
    : spec_(spec), cache_(spec.kv_blocks, spec.block_tokens), max_num_seqs_(spec.max_num_seqs) {}

bool EngineModel::Fits(const SimRequest& request) const {
  const std::uint64_t tokens = static_cast<std::uint64_t>(request.prompt_tokens) +
                               std::max<std::uint32_t>(1, request.output_tokens);
  return request.prompt_tokens > 0 && tokens <= spec_.max_model_len &&
         cache_.BlocksFor(tokens) <= cache_.size();
}

RequestId EngineModel::Submit(const SimRequest& request, SimTime at) {
  CHECK(Fits(request));
  Advance(at);
  const RequestId id = next_id_++;
  Request& added = requests_[id];
  added.wanted = request;
  added.wanted.output_tokens = std::max<std::uint32_t>(1, request.output_tokens);
  added.arrival = at;
  waiting_.push_back(id);
  if (!step_) StartStep(at);
  return id;
}

void EngineModel::Abort(RequestId id, SimTime at) {
  Advance(at);
  const auto found = requests_.find(id);
  if (found == requests_.end() || found->second.progress.finished) return;
  Request& request = found->second;
  RemoveFrom(running_, id);
  RemoveFrom(waiting_, id);
  request.scheduled = 0;  // The current step goes on without it.
  Finish(request, FinishReason::kAbort);
  ++metrics_.finished[static_cast<std::size_t>(FinishReason::kAbort)];
}

void EngineModel::RemoveFrom(std::deque<RequestId>& queue, RequestId id) {
  queue.erase(std::remove(queue.begin(), queue.end(), id), queue.end());
}

void EngineModel::Advance(SimTime until) {
  while (step_ && step_->end <= until) {
    now_ = step_->end;
    CompleteStep();
    if (!running_.empty() || !waiting_.empty()) StartStep(now_);
  }
  now_ = std::max(now_, until);
}

std::optional<RequestProgress> EngineModel::Progress(RequestId id) const {
  const auto found = requests_.find(id);
  if (found == requests_.end()) return std::nullopt;
  return found->second.progress;
}

void EngineModel::Forget(RequestId id) {
  const auto found = requests_.find(id);
  if (found == requests_.end()) return;
  CHECK(found->second.progress.finished);
  requests_.erase(found);
}

std::optional<SimTime> EngineModel::step_end() const {
  if (!step_) return std::nullopt;
  return step_->end;
}

SimTime EngineModel::busy() const {
  return step_ ? busy_before_ + (std::min(now_, step_->end) - step_->begin) : busy_before_;
}

const EngineMetrics& EngineModel::metrics() {
  metrics_.running = static_cast<std::uint32_t>(running_.size());
  metrics_.waiting = static_cast<std::uint32_t>(waiting_.size());
  metrics_.kv_usage = cache_.usage();
  return metrics_;
}

void EngineModel::StartStep(SimTime at) {
  std::uint32_t budget = spec_.max_batched_tokens;
  bool preempted = false;
  ScheduleRunning(budget, preempted);
  // A request that had to give way comes back before new ones come in.
  if (!preempted) ScheduleWaiting(budget, at);
  CHECK(budget < spec_.max_batched_tokens);  // Else nobody would ever move.
  step_ = Step{at, at + StepDuration()};
}

void EngineModel::ScheduleRunning(std::uint32_t& budget, bool& preempted) {
  for (std::size_t i = 0; i < running_.size() && budget > 0; ++i) {
    Request& request = requests_.at(running_[i]);
    const std::uint32_t tokens = std::min(budget, request.total() - request.computed);
    bool room = cache_.Grow(request.blocks, cache_.BlocksFor(request.computed + tokens));
    while (!room) {
      const bool itself = i + 1 == running_.size();
      PreemptLast();
      preempted = true;
      if (itself) return;
      room = cache_.Grow(request.blocks, cache_.BlocksFor(request.computed + tokens));
    }
    request.scheduled = tokens;
    budget -= tokens;
  }
}

// The last one to come goes back to the head of the queue and will be computed again.
void EngineModel::PreemptLast() {
  const RequestId id = running_.back();
  running_.pop_back();
  Request& request = requests_.at(id);
  cache_.Release(request.blocks);
  request.computed = 0;
  request.scheduled = 0;
  waiting_.push_front(id);
  ++metrics_.preemptions;
}

void EngineModel::ScheduleWaiting(std::uint32_t& budget, SimTime at) {
  while (!waiting_.empty() && budget > 0 && running_.size() < max_num_seqs_) {
    if (!AdmitFirstWaiting(budget, at)) return;
  }
}

bool EngineModel::AdmitFirstWaiting(std::uint32_t& budget, SimTime at) {
  const RequestId id = waiting_.front();
  Request& request = requests_.at(id);
  // At least one token is computed, or there would be nothing to sample from.
  const std::size_t usable = std::min<std::size_t>(request.wanted.prefix_hashes.size(),
                                                   (request.total() - 1) / spec_.block_tokens);
  const std::size_t found =
      cache_.FindPrefix(std::span(request.wanted.prefix_hashes).first(usable));
  const auto cached = static_cast<std::uint32_t>(found) * spec_.block_tokens;
  const std::uint32_t tokens = std::min(budget, request.total() - cached);
  const std::uint32_t blocks = cache_.BlocksFor(cached + tokens);
  if (!cache_.Admit(request.wanted.prefix_hashes, found, blocks - static_cast<std::uint32_t>(found),
                    request.blocks)) {
    return false;
  }
  waiting_.pop_front();
  running_.push_back(id);
  request.computed = cached;
  request.scheduled = tokens;
  budget -= tokens;
  if (!request.was_scheduled) {
    request.was_scheduled = true;
    request.first_scheduled = at;
    request.progress.cached = cached;
    metrics_.prefix_queries += request.wanted.prompt_tokens;
    metrics_.prefix_hits += cached;
  }
  return true;
}

SimTime EngineModel::StepDuration() {
  const StepCost& cost = spec_.cost;
  double sequences = 0, kv_tokens = 0, prefill_tokens = 0, attention_pairs = 0, scheduled = 0;
  for (const RequestId id : running_) {
    const Request& request = requests_.at(id);
    if (request.scheduled == 0) continue;
    const double tokens = request.scheduled;
    ++sequences;
    scheduled += tokens;
    kv_tokens += request.computed;
    if (request.scheduled > 1) {
      prefill_tokens += tokens;
      attention_pairs += tokens * (request.computed + tokens / 2);
    }
  }
  metrics_.iteration_tokens.Observe(scheduled);
  const double prefill_us =
      cost.per_prefill_token_us * prefill_tokens + cost.per_attention_pair_us * attention_pairs;
  const double total_us =
      cost.base_us + cost.experts_us * (1 - std::exp(-sequences / cost.expert_spread)) +
      cost.per_sequence_us * sequences + cost.per_kv_token_us * kv_tokens + prefill_us;
  prefill_share_ = prefill_us / total_us;
  const double factor = cost.memory_share + (1 - cost.memory_share) * clock_slowdown_;
  return SimTime(std::max<std::int64_t>(1, std::llround(total_us * factor)));
}

void EngineModel::CompleteStep() {
  CHECK(step_);
  busy_before_ += step_->end - step_->begin;
  step_.reset();
  std::vector<RequestId> finished;
  for (const RequestId id : running_) {
    Request& request = requests_.at(id);
    if (request.scheduled == 0) continue;
    request.computed += request.scheduled;
    request.scheduled = 0;
    const std::size_t full = std::min<std::size_t>(request.computed / spec_.block_tokens,
                                                   request.wanted.prefix_hashes.size());
    for (std::size_t i = 0; i < full; ++i)
      cache_.Publish(request.blocks[i], request.wanted.prefix_hashes[i]);
    if (request.computed < request.total()) continue;  // Its prompt goes on in the next step.
    EmitToken(request);
    if (request.progress.generated == request.wanted.output_tokens) finished.push_back(id);
  }
  for (const RequestId id : finished) {
    RemoveFrom(running_, id);
    Request& request = requests_.at(id);
    Finish(request, request.wanted.ends_with);
    ObserveFinished(request);
  }
}

void EngineModel::EmitToken(Request& request) {
  if (request.progress.generated == 0) {
    request.first_token = now_;
    metrics_.time_to_first_token.Observe(Seconds(now_ - request.arrival));
    metrics_.prompt_tokens += request.wanted.prompt_tokens;
    metrics_.prompt_tokens_cached += request.progress.cached;
  } else {
    metrics_.inter_token_latency.Observe(Seconds(now_ - request.last_token));
  }
  request.last_token = now_;
  ++request.progress.generated;
  ++metrics_.generation_tokens;
}

void EngineModel::Finish(Request& request, FinishReason reason) {
  cache_.Release(request.blocks);
  request.progress.finished = true;
  request.progress.reason = reason;
}

void EngineModel::ObserveFinished(const Request& request) {
  const std::uint32_t tokens = request.progress.generated;
  const double decode = Seconds(request.last_token - request.first_token);
  ++metrics_.finished[static_cast<std::size_t>(request.progress.reason)];
  metrics_.request_prompt_tokens.Observe(request.wanted.prompt_tokens);
  metrics_.request_generation_tokens.Observe(tokens);
  metrics_.max_generation_tokens.Observe(tokens);
  metrics_.params_n.Observe(1);
  if (request.wanted.max_tokens > 0) metrics_.params_max_tokens.Observe(request.wanted.max_tokens);
  metrics_.prefill_computed_tokens.Observe(request.wanted.prompt_tokens - request.progress.cached);
  metrics_.time_per_output_token.Observe(tokens > 1 ? decode / (tokens - 1) : 0);
  metrics_.e2e_latency.Observe(Seconds(now_ - request.arrival));
  metrics_.queue_time.Observe(Seconds(request.first_scheduled - request.arrival));
  metrics_.inference_time.Observe(Seconds(request.last_token - request.first_scheduled));
  metrics_.prefill_time.Observe(Seconds(request.first_token - request.first_scheduled));
  metrics_.decode_time.Observe(decode);
}

}  // namespace sonde::demo
