#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/labels.h"
#include "model/series_mapper.h"
#include "scrape/family_cache.h"
#include "scrape/options.h"
#include "scrape/series_cache.h"
#include "storage/storage.h"
#include "wire/exposition_parser.h"

// From the bytes of a target's page to samples in the store, with all that the reference does on
// the way: label conflicts, relabelling, limits, staleness, the report series. No clock, no
// network: a page and a time go in, appends come out (tests/scrape/*.scrape).

namespace sonde::scrape {

/// What became of one page.
struct PageOutcome {
  std::uint64_t scraped = 0;  ///< Samples on the page.
  std::uint64_t kept = 0;     ///< … after metric relabelling.
  std::uint64_t added = 0;    ///< Series that were not on the last page.
  // Samples that the store refused; the scrape goes on.
  std::uint64_t out_of_order = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t out_of_bounds = 0;
  std::uint64_t refused = 0;  ///< By the store's series limit.
  std::uint64_t exemplars_out_of_order = 0;
  bool hit_sample_limit = false;
  bool hit_label_limit = false;
  /// Set if the page as a whole failed; `line:column` in front if it is not well-formed. The caller
  /// rolls back.
  std::optional<Error> error;
};

/// The numbers of the report series.
struct ScrapeReport {
  bool up = false;
  double duration_seconds = 0;
  std::uint64_t scraped = 0;
  std::uint64_t kept = 0;
  std::uint64_t added = 0;
  double body_bytes = 0;  ///< -1: the body was larger than body_size_limit.
};

/// Ingests the pages of one target, one after the other. Owned by the target's loop; not
/// thread-safe, except metadata().
class PageIngest {
 public:
  /// `labels` are the target's, without those that begin with `__`. `mapper` may be null; it and
  /// `pool` outlive this.
  PageIngest(Labels labels, const SeriesMapper* mapper, MetadataPool& pool);

  /// Appends the samples of a page, and stale markers for series that are no longer on it, at
  /// `time` (or at the page's own timestamps). `now` bounds timestamps in the future. If the
  /// outcome has an error, `appender` must be rolled back, and AppendStale called with a new one.
  PageOutcome AppendPage(const ScrapeOptions& options, storage::Appender& appender,
                         std::string_view page, wire::ExpositionFormat format, Timestamp time,
                         Timestamp now);

  /// The scrape failed, or the target is gone: every series that was live is stale from `time` on.
  /// True if the cache had grown so much on bad pages that it was emptied.
  bool AppendStale(storage::Appender& appender, Timestamp time);

  /// `up`, `scrape_duration_seconds` and the others. kIo or kLimit if the store refuses them.
  Status AppendReport(const ScrapeOptions& options, storage::Appender& appender, Timestamp time,
                      const ScrapeReport& report);
  /// The report series end.
  void AppendStaleReport(const ScrapeOptions& options, storage::Appender& appender, Timestamp time);

  const Labels& labels() const { return labels_; }
  /// What the page says about its families. Thread-safe.
  FamilyCache::List metadata() const { return families_.list(); }
  std::size_t cached_series() const { return cache_.size(); }

 private:
  class Pass;

  static constexpr std::size_t kReports = 8;

  void MarkStale(storage::Appender& appender, const CachedSeries& series, Timestamp time);
  storage::AppendError AppendReportSample(storage::Appender& appender, std::size_t index,
                                          Timestamp time, double value);

  const Labels labels_;
  const SeriesMapper* mapper_;
  SeriesCache cache_;
  FamilyCache families_;
  std::array<storage::SeriesRef, kReports> report_refs_;
  bool failed_pass_ = false;  // A page failed, and AppendStale has not been called yet.
};

}  // namespace sonde::scrape
