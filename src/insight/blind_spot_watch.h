#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/mutex.h"
#include "insight/blind_spots.h"
#include "instrument/registry.h"
#include "promql/engine.h"
#include "storage/storage.h"

namespace sonde::insight {

struct BlindSpotOptions {
  Duration interval{60'000};        ///< Between two looks.
  Duration e2e_objective{60'000};   ///< What latency histograms have to reach.
  Duration ttft_objective{10'000};  ///< Likewise those of the first token.
};

/// What one look found.
struct BlindSpotReport {
  Timestamp time;  ///< 0: there was none yet.
  std::vector<BlindSpot> findings;
  bool truncated = false;  ///< There were more than kMaxBlindSpots.
  /// Questions that the store did not answer, with the error. Then the findings are the last ones.
  std::vector<std::string> failed;
};

/// Gathers the facts of the blind-spot report from the store, on a timer and on request, and shows
/// each finding as `sonde_blind_spot{kind,severity,…}` 1.
///
/// Thread-safe. Start once; Stop is idempotent and waits for the look under way. All references
/// must outlive it; the registry may still be read after it has gone.
class BlindSpotWatch {
 public:
  /// What only the process knows.
  struct Sources {
    std::function<std::vector<BlindSpotFacts::Engine>()> engines;
    bool gateway_on = true;
    std::string host_name;  ///< Of this machine, whose own pages say `localhost` or this name.
  };

  BlindSpotWatch(const BlindSpotOptions& options, std::string_view prefix,
                 const storage::Queryable& store, const promql::Evaluator& evaluator,
                 const Clock& clock, const Logger& logger, instrument::Registry& registry,
                 Sources sources);
  ~BlindSpotWatch();
  BlindSpotWatch(const BlindSpotWatch&) = delete;
  BlindSpotWatch& operator=(const BlindSpotWatch&) = delete;

  void Start();
  void Stop();

  /// Looks now, unless the last look is younger than a second (somebody asks in a loop); takes as
  /// long as a dozen small queries.
  BlindSpotReport Look();
  /// The last look's.
  BlindSpotReport report() const;

 private:
  struct Questions;
  struct Shared;
  class Gatherer;

  void Run();

  const BlindSpotOptions options_;
  const storage::Queryable& store_;
  const promql::Evaluator& evaluator_;
  const Clock& clock_;
  const Logger logger_;
  const Sources sources_;
  const std::unique_ptr<const Questions> questions_;
  const std::shared_ptr<Shared> shared_;  // With the registry's callback.
  Mutex look_mutex_;                      // One look at a time.
  Mutex stop_mutex_;
  CondVar stop_changed_;
  bool stopping_ GUARDED_BY(stop_mutex_) = false;
  std::jthread thread_;
};

}  // namespace sonde::insight
