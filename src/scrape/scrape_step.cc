#include "scrape/scrape_step.h"

#include <memory>
#include <utility>

namespace sonde::scrape {

ScrapeOutcome IngestScrape(PageIngest& ingest, const ScrapeOptions& options,
                           storage::Appendable& store, const FetchResult& fetched, Timestamp time,
                           const Clock& clock, std::int64_t started_nanos) {
  ScrapeOutcome outcome;
  std::unique_ptr<storage::Appender> appender = store.NewAppender();
  double body_bytes = 0;
  if (fetched) {
    body_bytes = static_cast<double>(fetched->body.size());
    outcome.page =
        ingest.AppendPage(options, *appender, fetched->body, fetched->format, time, clock.Now());
    outcome.error = outcome.page.error;
  } else {
    outcome.error = fetched.error();
    if (fetched.error().kind() == ErrorKind::kLimit) body_bytes = -1;
  }
  if (outcome.error) {
    if (fetched) {
      appender->Rollback();
      appender = store.NewAppender();
    }
    outcome.flushed_cache = ingest.AppendStale(*appender, time);
  }
  outcome.duration_seconds = static_cast<double>(clock.MonotonicNanos() - started_nanos) / 1e9;
  const ScrapeReport report = {!outcome.error.has_value(), outcome.duration_seconds,
                               outcome.page.scraped,       outcome.page.kept,
                               outcome.page.added,         body_bytes};
  Status status = ingest.AppendReport(options, *appender, time, report);
  if (!status) {
    appender->Rollback();
    outcome.commit = std::move(status).error();
    return outcome;
  }
  status = appender->Commit();
  if (!status) outcome.commit = std::move(status).error();
  return outcome;
}

Status IngestEndOfRun(PageIngest& ingest, const ScrapeOptions& options, storage::Appendable& store,
                      Timestamp time) {
  const std::unique_ptr<storage::Appender> appender = store.NewAppender();
  ingest.AppendStale(*appender, time);
  ingest.AppendStaleReport(options, *appender, time);
  return appender->Commit();
}

}  // namespace sonde::scrape
