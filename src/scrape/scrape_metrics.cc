#include "scrape/scrape_metrics.h"

#include <algorithm>
#include <array>
#include <functional>

#include "base/duration.h"
#include "base/number.h"

namespace sonde::scrape {
namespace {

constexpr std::size_t kRememberedIntervals = 1024;
constexpr std::array<double, 5> kQuantiles = {0.01, 0.05, 0.5, 0.9, 0.99};
constexpr std::array<double, 10> kDurationBounds = {0.005, 0.01, 0.025, 0.05, 0.1,
                                                    0.25,  0.5,  1,     2.5,  10};

}  // namespace

std::shared_ptr<ScrapeMetrics> ScrapeMetrics::Make(instrument::Registry& registry) {
  auto metrics = std::make_shared<ScrapeMetrics>();
  metrics->Register(registry);
  metrics->RegisterPools(registry);
  return metrics;
}

void ScrapeMetrics::Register(instrument::Registry& registry) {
  auto counter = [&](const char* name, const char* help) {
    return &registry.GetCounter(name, help);
  };
  pools = counter("prometheus_target_scrape_pools_total",
                  "Total number of scrape pool creation attempts.");
  reloads = counter("prometheus_target_scrape_pool_reloads_total",
                    "Total number of scrape pool reloads.");
  exceeded_target_limit = counter(
      "prometheus_target_scrape_pool_exceeded_target_limit_total",
      "Total number of times scrape pools hit the target limit, during sync or config reload.");
  exceeded_body_size = counter("prometheus_target_scrapes_exceeded_body_size_limit_total",
                               "Total number of scrapes that hit the body size limit");
  exceeded_sample_limit =
      counter("prometheus_target_scrapes_exceeded_sample_limit_total",
              "Total number of scrapes that hit the sample limit and were rejected.");
  exceeded_label_limits = counter(
      "prometheus_target_scrape_pool_exceeded_label_limits_total",
      "Total number of times scrape pools hit the label limits, during sync or config reload.");
  cache_flushes = counter(
      "prometheus_target_scrapes_cache_flush_forced_total",
      "How many times a scrape cache was flushed due to getting big while scrapes are failing.");
  duplicates =
      counter("prometheus_target_scrapes_sample_duplicate_timestamp_total",
              "Total number of samples rejected due to duplicate timestamps but different values.");
  out_of_order =
      counter("prometheus_target_scrapes_sample_out_of_order_total",
              "Total number of samples rejected due to not being out of the expected order.");
  out_of_bounds = counter(
      "prometheus_target_scrapes_sample_out_of_bounds_total",
      "Total number of samples rejected due to timestamp falling outside of the time bounds.");
  exemplars_out_of_order =
      counter("prometheus_target_scrapes_exemplar_out_of_order_total",
              "Total number of exemplar rejected due to not being out of the expected order.");
  series_refused = counter("sonde_scrape_samples_refused_total",
                           "Samples of new series that the store's series limit refused.");
  skipped =
      counter("sonde_scrapes_skipped_total",
              "Scrapes that did not start because the target's previous one was still under way.");
  commit_failures =
      counter("sonde_scrape_commit_failures_total", "Scrapes whose samples could not be stored.");
  samples = counter("sonde_scrape_samples_total", "Samples on scraped pages.");
  duration = &registry.GetHistogram(
      "prometheus_target_scrape_duration_seconds",
      "Total duration of the scrape from start to commit completion in seconds.", kDurationBounds);
}

void ScrapeMetrics::RegisterPools(instrument::Registry& registry) {
  using instrument::FamilyType;
  using instrument::Point;
  const auto self = shared_from_this();
  auto pool_family = [&](const char* name, const char* help, FamilyType type,
                         double Pool::*member) {
    registry.AddCollector(name, help, type, [self, member](std::vector<Point>& out) {
      const MutexLock lock(self->mutex_);
      for (const auto& [job, pool] : self->pools_)
        out.push_back({{{"scrape_job", job}}, pool.*member});
    });
  };
  pool_family("prometheus_target_scrape_pool_targets",
              "Current number of targets in this scrape pool.", FamilyType::kGauge, &Pool::targets);
  pool_family("prometheus_target_scrape_pool_target_limit",
              "Maximum number of targets allowed in this scrape pool.", FamilyType::kGauge,
              &Pool::target_limit);
  pool_family("prometheus_target_scrape_pool_sync_total",
              "Total number of syncs that were executed on a scrape pool.", FamilyType::kCounter,
              &Pool::syncs);
  pool_family("prometheus_target_sync_failed_total", "Total number of target sync failures.",
              FamilyType::kCounter, &Pool::sync_failures);
  pool_family("prometheus_target_sync_length_seconds_sum",
              "Time that syncs of the scrape pool took.", FamilyType::kCounter,
              &Pool::sync_seconds);
  pool_family("prometheus_target_sync_length_seconds_count", "Syncs of the scrape pool.",
              FamilyType::kCounter, &Pool::syncs);

  registry.AddCollector("prometheus_target_interval_length_seconds",
                        "Actual intervals between scrapes.", FamilyType::kGauge,
                        [self](std::vector<Point>& out) { self->CollectQuantiles(out); });
  auto interval_family = [&](const char* name, const char* help, double Intervals::*member) {
    registry.AddCollector(
        name, help, FamilyType::kCounter, [self, member](std::vector<Point>& out) {
          const MutexLock lock(self->mutex_);
          for (const auto& [interval, seen] : self->intervals_) {
            out.push_back({{{"interval", FormatDuration(interval)}}, seen.*member});
          }
        });
  };
  interval_family("prometheus_target_interval_length_seconds_sum",
                  "Actual intervals between scrapes.", &Intervals::sum);
  interval_family("prometheus_target_interval_length_seconds_count",
                  "Actual intervals between scrapes.", &Intervals::count);
}

void ScrapeMetrics::CountPage(const PageOutcome& page) {
  auto add = [](instrument::Counter* counter, std::uint64_t by) {
    if (by > 0) counter->Add(static_cast<double>(by));
  };
  add(samples, page.scraped);
  add(duplicates, page.duplicates);
  add(out_of_order, page.out_of_order);
  add(out_of_bounds, page.out_of_bounds);
  add(exemplars_out_of_order, page.exemplars_out_of_order);
  add(series_refused, page.refused);
  add(exceeded_sample_limit, page.hit_sample_limit ? 1 : 0);
  add(exceeded_label_limits, page.hit_label_limit ? 1 : 0);
}

void ScrapeMetrics::ObserveInterval(Duration interval, double seconds) {
  const MutexLock lock(mutex_);
  Intervals& seen = intervals_[interval];
  seen.sum += seconds;
  seen.count += 1;
  if (seen.last.size() < kRememberedIntervals) {
    seen.last.push_back(seconds);
  } else {
    seen.last[seen.next] = seconds;
    seen.next = (seen.next + 1) % kRememberedIntervals;
  }
}

void ScrapeMetrics::CollectQuantiles(std::vector<instrument::Point>& out) const {
  std::map<Duration, std::vector<double>> lengths;
  {
    const MutexLock lock(mutex_);
    for (const auto& [interval, seen] : intervals_)
      lengths[interval] = seen.last;
  }
  for (auto& [interval, values] : lengths) {
    std::sort(values.begin(), values.end());
    for (const double quantile : kQuantiles) {
      const auto rank = static_cast<std::size_t>(quantile * static_cast<double>(values.size()));
      out.push_back({{{"interval", FormatDuration(interval)}, {"quantile", FormatFloatG(quantile)}},
                     values[std::min(rank, values.size() - 1)]});
    }
  }
}

void ScrapeMetrics::SetPool(const std::string& job, const Pool& pool) {
  const MutexLock lock(mutex_);
  pools_[job] = pool;
}

void ScrapeMetrics::RemovePool(const std::string& job) {
  const MutexLock lock(mutex_);
  pools_.erase(job);
}

}  // namespace sonde::scrape
