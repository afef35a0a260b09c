#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/mutex.h"
#include "base/result.h"
#include "base/time.h"
#include "discovery/target_group.h"
#include "model/labels.h"
#include "scrape/options.h"

namespace sonde::scrape {

/// Everything that discovery and the job's options say about one target, after relabelling. A
/// value.
struct TargetSpec {
  Labels labels;         ///< All of them, with `__address__`, `__scheme__` … but no `__meta_*`.
  Labels public_labels;  ///< Those that go onto its series.
  Labels discovered;     ///< Before relabelling.
  std::string url;
  Duration interval{0};
  Duration timeout{0};
  std::uint64_t hash = 0;  ///< Of labels and URL: what makes it the same target after a reload.
};

/// The labels that a target starts with: its own, its group's, and the job's options as `job`,
/// `__scheme__`,
/// `__metrics_path__`, `__scrape_interval__`, `__param_*` … where neither says otherwise.
Labels DiscoveredLabels(const ScrapeOptions& options, const Labels& target, const Labels& group);

/// Relabels and checks one target. Nothing if relabelling drops it; kInvalid if what comes out
/// cannot be scraped, with the reference's text.
Result<std::optional<TargetSpec>> MakeTarget(const ScrapeOptions& options, const Labels& target,
                                             const Labels& group);

/// When a target's scrapes start, so that many targets do not all start at once: the time of day
/// modulo the interval, from the target's hash and a seed that differs between servers. In
/// nanoseconds; always less than the interval.
std::int64_t OffsetNanos(std::uint64_t target_hash, std::uint64_t seed, Duration interval);
/// The first instant after `now` that lies at this offset.
Timestamp NextScrape(Timestamp now, std::uint64_t target_hash, std::uint64_t seed,
                     Duration interval);

enum class TargetHealth : unsigned char { kUnknown, kUp, kDown };
/// "unknown", "up", "down".
std::string_view ToString(TargetHealth health);

/// How a target is doing.
struct TargetStatus {
  TargetHealth health = TargetHealth::kUnknown;
  std::string last_error;
  std::optional<Timestamp> last_scrape;
  double last_duration_seconds = 0;
};

}  // namespace sonde::scrape
