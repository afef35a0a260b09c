#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "base/mutex.h"
#include "scrape/page_ingest.h"
#include "scrape/page_source.h"
#include "scrape/scrape_metrics.h"
#include "scrape/target.h"
#include "storage/storage.h"

namespace sonde::scrape {

/// What all loops share. References outlive them.
struct LoopContext {
  storage::Appendable& store;
  const Clock& clock;
  const SeriesMapper* mapper = nullptr;  ///< Null: no canonical series are written.
  MetadataPool& metadata;
  std::shared_ptr<ScrapeMetrics> metrics;
  Logger logger;
  /// Called when a scrape has ended (true: another one begins).
  std::function<void(bool begins)> on_scrape;
};

/// One target being scraped, over and over. The scheduler says when; the source brings the page;
/// the page is ingested on the worker that brought it. Thread-safe.
class ScrapeLoop : public std::enable_shared_from_this<ScrapeLoop> {
 public:
  ScrapeLoop(TargetSpec spec, std::shared_ptr<const ScrapeOptions> options,
             std::shared_ptr<PageSource> source, std::shared_ptr<const LoopContext> context);

  /// Starts a scrape whose samples get the time `time`. False, and nothing happens, if the previous
  /// one has not ended.
  bool Begin(Timestamp time) EXCLUDES(mutex_);
  /// Writes the markers that end the target's series at `time`, unless there never was a scrape.
  /// Runs on the caller's thread; nothing happens while a scrape is under way (false: try again
  /// later).
  bool EndOfRun(Timestamp time) EXCLUDES(mutex_);

  /// The job's options changed in a way that its series do not depend on.
  void Update(std::shared_ptr<const ScrapeOptions> options, std::shared_ptr<PageSource> source,
              Labels discovered) EXCLUDES(mutex_);
  /// Makes every scrape fail with this error, without asking the target. Nothing: no more.
  void Force(std::optional<Error> error) EXCLUDES(mutex_);
  /// Results that still come are thrown away.
  void Abandon() { abandoned_.store(true, std::memory_order_relaxed); }
  /// The scheduler does not begin another scrape.
  void Retire() { retired_.store(true, std::memory_order_relaxed); }
  bool retired() const { return retired_.load(std::memory_order_relaxed); }
  bool busy() const EXCLUDES(mutex_);

  const TargetSpec& spec() const { return spec_; }
  Labels discovered() const EXCLUDES(mutex_);
  TargetStatus status() const EXCLUDES(mutex_);
  FamilyCache::List metadata() const { return ingest_.metadata(); }

 private:
  struct Start {
    std::shared_ptr<const ScrapeOptions> options;
    std::shared_ptr<PageSource> source;
    Timestamp time;
    std::int64_t nanos = 0;
    std::size_t expected_bytes = 0;
  };

  PageRequest MakeRequest(const Start& start) const;
  void Finish(const Start& start, const FetchResult& fetched) EXCLUDES(mutex_);
  void Note(const Start& start, const ScrapeOutcome& outcome, const FetchResult& fetched)
      EXCLUDES(mutex_);
  void LogChange(const ScrapeOutcome& outcome, TargetHealth before) const;
  /// At warn level when it begins, at debug level while it goes on.
  void LogRefused(const PageOutcome& page, LogLevel level) const;

  const TargetSpec spec_;
  const std::shared_ptr<const LoopContext> context_;
  PageIngest
      ingest_;  // Touched only between Begin and Finish, or in EndOfRun: `busy_` is its lock.
  std::atomic<bool> abandoned_{false};
  std::atomic<bool> retired_{false};

  mutable Mutex mutex_;
  std::shared_ptr<const ScrapeOptions> options_ GUARDED_BY(mutex_);
  std::shared_ptr<PageSource> source_ GUARDED_BY(mutex_);
  Labels discovered_ GUARDED_BY(mutex_);
  std::optional<Error> forced_ GUARDED_BY(mutex_);
  bool busy_ GUARDED_BY(mutex_) = false;
  std::int64_t last_start_nanos_ GUARDED_BY(mutex_) = 0;
  std::size_t last_body_bytes_ GUARDED_BY(mutex_) = 0;
  bool refusing_ GUARDED_BY(mutex_) = false;  // The store refused samples of the last page.
  TargetStatus status_ GUARDED_BY(mutex_);
};

}  // namespace sonde::scrape
