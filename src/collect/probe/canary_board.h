#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "base/mutex.h"
#include "base/time.h"
#include "collect/probe/canary.h"
#include "instrument/registry.h"

namespace sonde::collect {

/// What canaries found out, as metrics: the last run of each suite at each endpoint, and counters.
/// Names and labels: docs/probes.md. Thread-safe; a registry that reads it may outlive its maker.
class CanaryBoard {
 public:
  /// Beyond it new series are not begun; `…_probe_series_dropped_total` counts.
  static constexpr std::size_t kMaxSeries = 20'000;

  /// Makes one that `registry` shows under `prefix` ("deepseek_").
  static std::shared_ptr<CanaryBoard> Make(instrument::Registry& registry,
                                           const std::string& prefix);

  /// One suite at one endpoint.
  struct Place {
    std::string model;
    std::string instance;
    std::string suite;
    auto operator<=>(const Place&) const = default;
  };

  void Record(const Place& place, const std::string& question, const CanaryResult& result,
              Timestamp now) EXCLUDES(mutex_);
  /// The run is over: `right` of `asked` questions were answered right, `answered` at all. Without
  /// an answer there is nothing to say about accuracy, and the series ends.
  void EndRun(const Place& place, std::size_t asked, std::size_t answered, std::size_t right)
      EXCLUDES(mutex_);
  /// A run that did not take place. `reason`: "saturated".
  void Skip(const Place& place, const std::string& reason) EXCLUDES(mutex_);
  /// Forgets places that are not in `places` and belong to `owner` (a canary of the configuration),
  /// and remembers that these do.
  void Keep(std::size_t owner, const std::set<Place>& places) EXCLUDES(mutex_);

 private:
  struct Probe {
    bool success = false;
    std::optional<double> ttft;
    double seconds = 0;
    Timestamp last_run;
    std::map<std::string, double, std::less<>> failures;  // By reason.
  };
  struct State {
    std::set<std::size_t> owners;
    std::map<std::string, Probe, std::less<>> probes;
    std::optional<double> accuracy;
    std::map<std::string, double, std::less<>> skipped;
    double prompt_tokens = 0;
    double completion_tokens = 0;
  };
  using Points = std::vector<instrument::Point>;

  void ReadProbes(Points& points,
                  const std::function<void(const Probe&, Points&, instrument::Point)>& read) const
      EXCLUDES(mutex_);
  void ReadPlaces(Points& points,
                  const std::function<void(const State&, Points&, instrument::Point)>& read) const
      EXCLUDES(mutex_);

  mutable Mutex mutex_;
  std::map<Place, State> places_ GUARDED_BY(mutex_);
  std::size_t probes_ GUARDED_BY(mutex_) = 0;
  double dropped_ GUARDED_BY(mutex_) = 0;
};

}  // namespace sonde::collect
