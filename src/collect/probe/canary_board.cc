#include "collect/probe/canary_board.h"

#include <utility>

namespace sonde::collect {

using instrument::FamilyType;
using instrument::Point;

std::shared_ptr<CanaryBoard> CanaryBoard::Make(instrument::Registry& registry,
                                               const std::string& prefix) {
  auto board = std::make_shared<CanaryBoard>();
  const auto probes = [&](const char* name, const char* help, FamilyType type, auto read) {
    registry.AddCollector(prefix + name, help, type,
                          [board, read](Points& points) { board->ReadProbes(points, read); });
  };
  const auto places = [&](const char* name, const char* help, FamilyType type, auto read) {
    registry.AddCollector(prefix + name, help, type,
                          [board, read](Points& points) { board->ReadPlaces(points, read); });
  };
  const auto value = [](Points& points, Point point, double v) {
    point.value = v;
    points.push_back(std::move(point));
  };
  const auto labelled = [value](Points& points, Point point, const char* label,
                                const std::string& text, double v) {
    point.labels.emplace_back(label, text);
    value(points, std::move(point), v);
  };
  probes("probe_success", "1 if the canary's last answer was right.", FamilyType::kGauge,
         [value](const Probe& probe, Points& points, Point point) {
           value(points, std::move(point), probe.success ? 1 : 0);
         });
  probes("probe_ttft_seconds", "From sending the last canary to its first token.",
         FamilyType::kGauge, [value](const Probe& probe, Points& points, Point point) {
           if (probe.ttft) value(points, std::move(point), *probe.ttft);
         });
  probes("probe_duration_seconds", "From sending the last canary to its last byte or its failure.",
         FamilyType::kGauge, [value](const Probe& probe, Points& points, Point point) {
           value(points, std::move(point), probe.seconds);
         });
  probes("probe_last_run_timestamp_seconds", "When the canary was last sent.", FamilyType::kGauge,
         [value](const Probe& probe, Points& points, Point point) {
           value(points, std::move(point), probe.last_run.seconds());
         });
  probes("probe_failures_total", "Canaries whose answer was not right, by reason.",
         FamilyType::kCounter, [labelled](const Probe& probe, Points& points, const Point& point) {
           for (const auto& [reason, count] : probe.failures)
             labelled(points, point, "reason", reason, count);
         });
  places("model_accuracy_ratio", "Share of a suite's questions that the last run got right.",
         FamilyType::kGauge, [value](const State& state, Points& points, Point point) {
           if (state.accuracy) value(points, std::move(point), *state.accuracy);
         });
  places("probe_skipped_total", "Runs of a suite that did not take place, by reason.",
         FamilyType::kCounter, [labelled](const State& state, Points& points, const Point& point) {
           for (const auto& [reason, count] : state.skipped)
             labelled(points, point, "reason", reason, count);
         });
  places("probe_tokens_total", "What canaries cost, in tokens that the server reported.",
         FamilyType::kCounter, [labelled](const State& state, Points& points, const Point& point) {
           labelled(points, point, "kind", "prompt", state.prompt_tokens);
           labelled(points, point, "kind", "generation", state.completion_tokens);
         });
  registry.AddCollector(prefix + "probe_series_dropped_total",
                        "Results without a series of their own: there are too many.",
                        FamilyType::kCounter, [board, value](Points& points) {
                          MutexLock lock(board->mutex_);
                          value(points, {}, board->dropped_);
                        });
  return board;
}

void CanaryBoard::Record(const Place& place, const std::string& question,
                         const CanaryResult& result, Timestamp now) {
  MutexLock lock(mutex_);
  State& state = places_[place];
  state.prompt_tokens += static_cast<double>(result.prompt_tokens);
  state.completion_tokens += static_cast<double>(result.completion_tokens);
  auto found = state.probes.find(question);
  if (found == state.probes.end()) {
    if (probes_ >= kMaxSeries) {
      ++dropped_;
      return;
    }
    ++probes_;
    found = state.probes.emplace(question, Probe{}).first;
  }
  Probe& probe = found->second;
  probe.success = result.outcome == CanaryOutcome::kRight;
  probe.ttft = result.ttft_seconds;
  probe.seconds = result.seconds;
  probe.last_run = now;
  if (!probe.success) ++probe.failures[std::string(ToString(result.outcome))];
}

void CanaryBoard::EndRun(const Place& place, std::size_t asked, std::size_t answered,
                         std::size_t right) {
  MutexLock lock(mutex_);
  State& state = places_[place];
  if (answered == 0) {
    state.accuracy.reset();
  } else {
    state.accuracy = static_cast<double>(right) / static_cast<double>(asked);
  }
}

void CanaryBoard::Skip(const Place& place, const std::string& reason) {
  MutexLock lock(mutex_);
  ++places_[place].skipped[reason];
}

void CanaryBoard::Keep(std::size_t owner, const std::set<Place>& places) {
  MutexLock lock(mutex_);
  for (auto it = places_.begin(); it != places_.end();) {
    auto& [place, state] = *it;
    if (!places.contains(place)) {
      const bool was_last = state.owners.erase(owner) > 0 && state.owners.empty();
      if (was_last) {
        probes_ -= state.probes.size();
        it = places_.erase(it);
        continue;
      }
    }
    ++it;
  }
  for (const Place& place : places)
    places_[place].owners.insert(owner);
}

void CanaryBoard::ReadPlaces(Points& points,
                             const std::function<void(const State&, Points&, Point)>& read) const {
  MutexLock lock(mutex_);
  for (const auto& [place, state] : places_) {
    Point point;
    point.labels = {{"model", place.model}, {"instance", place.instance}, {"suite", place.suite}};
    read(state, points, std::move(point));
  }
}

void CanaryBoard::ReadProbes(Points& points,
                             const std::function<void(const Probe&, Points&, Point)>& read) const {
  ReadPlaces(points, [&](const State& state, Points& out, const Point& point) {
    for (const auto& [name, probe] : state.probes) {
      Point labelled = point;
      labelled.labels.emplace_back("probe", name);
      read(probe, out, std::move(labelled));
    }
  });
}

}  // namespace sonde::collect
