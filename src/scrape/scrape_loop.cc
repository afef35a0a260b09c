#include "scrape/scrape_loop.h"

#include <utility>

namespace sonde::scrape {

ScrapeLoop::ScrapeLoop(TargetSpec spec, std::shared_ptr<const ScrapeOptions> options,
                       std::shared_ptr<PageSource> source,
                       std::shared_ptr<const LoopContext> context)
    : spec_(std::move(spec)),
      context_(std::move(context)),
      ingest_(spec_.public_labels, options->map_to_vocabulary ? context_->mapper : nullptr,
              context_->metadata),
      options_(std::move(options)),
      source_(std::move(source)),
      discovered_(spec_.discovered) {}

PageRequest ScrapeLoop::MakeRequest(const Start& start) const {
  const ScrapeOptions& options = *start.options;
  PageRequest request;
  request.url = spec_.url;
  request.accept = options.protocols.empty()
                       ? wire::AcceptHeader(wire::DefaultScrapeProtocols(), options.escaping)
                       : wire::AcceptHeader(options.protocols, options.escaping);
  request.compress = options.enable_compression;
  request.timeout = spec_.timeout;
  request.body_size_limit = options.body_size_limit;
  request.fallback = options.fallback_protocol;
  request.expected_bytes = start.expected_bytes;
  return request;
}

bool ScrapeLoop::Begin(Timestamp time) {
  Start start;
  std::optional<Error> forced;
  std::int64_t before = 0;
  {
    const MutexLock lock(mutex_);
    if (busy_) return false;
    busy_ = true;
    start = {options_, source_, time, context_->clock.MonotonicNanos(), last_body_bytes_};
    forced = forced_;
    before = std::exchange(last_start_nanos_, start.nanos);
  }
  if (before != 0) {
    context_->metrics->ObserveInterval(spec_.interval,
                                       static_cast<double>(start.nanos - before) / 1e9);
  }
  context_->on_scrape(true);
  if (forced) {
    Finish(start, *std::move(forced));
    return true;
  }
  start.source->Fetch(MakeRequest(start),
                      [self = shared_from_this(), start](const FetchResult& fetched) {
                        self->Finish(start, fetched);
                      });
  return true;
}

void ScrapeLoop::Finish(const Start& start, const FetchResult& fetched) {
  const bool cancelled = !fetched && fetched.error().kind() == ErrorKind::kCancelled;
  if (!cancelled && !abandoned_.load(std::memory_order_relaxed)) {
    const ScrapeOutcome outcome = IngestScrape(ingest_, *start.options, context_->store, fetched,
                                               start.time, context_->clock, start.nanos);
    Note(start, outcome, fetched);
  }
  {
    const MutexLock lock(mutex_);
    busy_ = false;
  }
  context_->on_scrape(false);
}

void ScrapeLoop::Note(const Start& start, const ScrapeOutcome& outcome,
                      const FetchResult& fetched) {
  ScrapeMetrics& metrics = *context_->metrics;
  metrics.CountPage(outcome.page);
  metrics.duration->Observe(static_cast<double>(context_->clock.MonotonicNanos() - start.nanos) /
                            1e9);
  if (outcome.flushed_cache) metrics.cache_flushes->Add();
  if (!fetched && fetched.error().kind() == ErrorKind::kLimit) metrics.exceeded_body_size->Add();
  if (outcome.commit) {
    metrics.commit_failures->Add();
    context_->logger.Error("cannot store a scrape",
                           {{"target", spec_.url}, {"err", *outcome.commit}});
  }
  const std::optional<Error>& error = outcome.error ? outcome.error : outcome.commit;
  const PageOutcome& page = outcome.page;
  const bool refused = page.out_of_order + page.duplicates + page.out_of_bounds +
                           page.exemplars_out_of_order + page.refused >
                       0;
  bool was_refusing = false;
  TargetHealth before;
  {
    const MutexLock lock(mutex_);
    before = status_.health;
    was_refusing = std::exchange(refusing_, refused);
    if (fetched) last_body_bytes_ = fetched->body.size();
    status_.health = error ? TargetHealth::kDown : TargetHealth::kUp;
    status_.last_error = error ? error->message() : "";
    status_.last_scrape = start.time;
    status_.last_duration_seconds = outcome.duration_seconds;
  }
  LogChange(outcome, before);
  if (refused) LogRefused(page, was_refusing ? LogLevel::kDebug : LogLevel::kWarn);
  if (fetched && !fetched->warning.empty()) {
    context_->logger.Debug("odd Content-Type",
                           {{"target", spec_.url}, {"warning", fetched->warning}});
  }
}

void ScrapeLoop::LogChange(const ScrapeOutcome& outcome, TargetHealth before) const {
  const Logger& log = context_->logger;
  const std::string_view job = spec_.public_labels.Get("job");
  if (outcome.error && before != TargetHealth::kDown) {
    log.Warn("target is down", {{"job", job}, {"target", spec_.url}, {"err", *outcome.error}});
  } else if (outcome.error) {
    log.Debug("target is still down",
              {{"job", job}, {"target", spec_.url}, {"err", *outcome.error}});
  } else if (before == TargetHealth::kDown) {
    log.Info("target is up again", {{"job", job}, {"target", spec_.url}});
  }
}

void ScrapeLoop::LogRefused(const PageOutcome& page, LogLevel level) const {
  const Logger& log = context_->logger;
  auto write = [&](std::uint64_t count, std::string_view message) {
    if (count == 0) return;
    if (level == LogLevel::kWarn) {
      log.Warn(message, {{"target", spec_.url}, {"num_dropped", count}});
    } else {
      log.Debug(message, {{"target", spec_.url}, {"num_dropped", count}});
    }
  };
  write(page.out_of_order, "Error on ingesting out-of-order samples");
  write(page.duplicates, "Error on ingesting samples with different value but same timestamp");
  write(page.out_of_bounds,
        "Error on ingesting samples that are too old or are too far into the future");
  write(page.exemplars_out_of_order, "Error on ingesting out-of-order exemplars");
  write(page.refused, "Samples of new series were refused: the store's series limit is reached");
}

bool ScrapeLoop::EndOfRun(Timestamp time) {
  std::shared_ptr<const ScrapeOptions> options;
  {
    const MutexLock lock(mutex_);
    if (busy_) return false;
    if (!status_.last_scrape) return true;
    busy_ = true;
    options = options_;
  }
  const Status status = IngestEndOfRun(ingest_, *options, context_->store, time);
  if (!status) {
    context_->logger.Warn("cannot mark a target's series as stale",
                          {{"target", spec_.url}, {"err", status.error()}});
  }
  const MutexLock lock(mutex_);
  busy_ = false;
  return true;
}

void ScrapeLoop::Update(std::shared_ptr<const ScrapeOptions> options,
                        std::shared_ptr<PageSource> source, Labels discovered) {
  const MutexLock lock(mutex_);
  options_ = std::move(options);
  source_ = std::move(source);
  discovered_ = std::move(discovered);
}

void ScrapeLoop::Force(std::optional<Error> error) {
  const MutexLock lock(mutex_);
  forced_ = std::move(error);
}

bool ScrapeLoop::busy() const {
  const MutexLock lock(mutex_);
  return busy_;
}

Labels ScrapeLoop::discovered() const {
  const MutexLock lock(mutex_);
  return discovered_;
}

TargetStatus ScrapeLoop::status() const {
  const MutexLock lock(mutex_);
  return status_;
}

}  // namespace sonde::scrape
