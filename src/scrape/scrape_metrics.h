#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/time.h"
#include "instrument/registry.h"
#include "scrape/page_ingest.h"

namespace sonde::scrape {

/// What the scraper tells about itself, under the reference's names. Thread-safe. Shared with the
/// registry's callbacks, so it may outlive the scraper.
class ScrapeMetrics : public std::enable_shared_from_this<ScrapeMetrics> {
 public:
  /// `registry` must outlive it.
  static std::shared_ptr<ScrapeMetrics> Make(instrument::Registry& registry);

  /// The numbers of one job that come and go with it.
  struct Pool {
    double targets = 0;
    double target_limit = 0;
    double syncs = 0;
    double sync_failures = 0;
    double sync_seconds = 0;
  };

  void CountPage(const PageOutcome& page);
  /// The time between the starts of two scrapes of one target, whose interval is `interval`.
  void ObserveInterval(Duration interval, double seconds) EXCLUDES(mutex_);
  void SetPool(const std::string& job, const Pool& pool) EXCLUDES(mutex_);
  void RemovePool(const std::string& job) EXCLUDES(mutex_);

  instrument::Counter* pools = nullptr;
  instrument::Counter* reloads = nullptr;
  instrument::Counter* exceeded_target_limit = nullptr;
  instrument::Counter* exceeded_body_size = nullptr;
  instrument::Counter* exceeded_sample_limit = nullptr;
  instrument::Counter* exceeded_label_limits = nullptr;
  instrument::Counter* cache_flushes = nullptr;
  instrument::Counter* duplicates = nullptr;
  instrument::Counter* out_of_order = nullptr;
  instrument::Counter* out_of_bounds = nullptr;
  instrument::Counter* exemplars_out_of_order = nullptr;
  instrument::Counter* series_refused = nullptr;
  instrument::Counter* skipped = nullptr;
  instrument::Counter* commit_failures = nullptr;
  instrument::Counter* samples = nullptr;
  instrument::Histogram* duration = nullptr;

 private:
  /// Quantiles of the last lengths between scrapes, as the reference's summary shows them.
  struct Intervals {
    std::vector<double> last;  // A ring.
    std::size_t next = 0;
    double sum = 0;
    double count = 0;
  };

  void Register(instrument::Registry& registry);
  void RegisterPools(instrument::Registry& registry);
  void CollectQuantiles(std::vector<instrument::Point>& out) const EXCLUDES(mutex_);

  mutable Mutex mutex_;
  std::map<Duration, Intervals> intervals_ GUARDED_BY(mutex_);
  std::map<std::string, Pool> pools_ GUARDED_BY(mutex_);
};

}  // namespace sonde::scrape
