#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "base/time.h"
#include "scrape/body_budget.h"
#include "scrape/options.h"
#include "scrape/page_ingest.h"
#include "storage/storage.h"
#include "wire/exposition_format.h"

namespace sonde::scrape {

/// A target's answer.
struct FetchedPage {
  std::string body;  ///< Uncompressed.
  wire::ExpositionFormat format = wire::ExpositionFormat::kText;
  std::string warning;  ///< About the Content-Type; empty: none.
  BodyLease lease;      ///< The body's share of the memory for bodies.
};

/// Why there is no page: kLimit stands for a body larger than body_size_limit, kTimeout,
/// kUnavailable …
using FetchResult = Result<FetchedPage>;

/// What one scrape did.
struct ScrapeOutcome {
  PageOutcome page;
  std::optional<Error> error;   ///< Why the target is down.
  std::optional<Error> commit;  ///< Why nothing was stored: the store's fault, not the target's.
  double duration_seconds = 0;
  bool flushed_cache = false;
};

/// One scrape, from the target's answer to the commit: the samples or the stale markers, and the
/// report series, in one batch. `started_nanos` is the monotonic time at which the scrape began.
ScrapeOutcome IngestScrape(PageIngest& ingest, const ScrapeOptions& options,
                           storage::Appendable& store, const FetchResult& fetched, Timestamp time,
                           const Clock& clock, std::int64_t started_nanos);

/// The target is gone for good: its series and report series end at `time`.
Status IngestEndOfRun(PageIngest& ingest, const ScrapeOptions& options, storage::Appendable& store,
                      Timestamp time);

}  // namespace sonde::scrape
