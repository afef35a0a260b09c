#include "scrape/page_ingest.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/quote.h"
#include "base/utf8.h"
#include "model/names.h"
#include "model/sample.h"
#include "scrape/relabel.h"

namespace sonde::scrape {
namespace {

using storage::AppendError;

constexpr Duration kMaxAhead{10 * 60'000};          // Samples further in the future are refused.
constexpr std::size_t kMaxLabelSetBytes = 1 << 20;  // Of one series; nobody has a use for more.

struct ReportSeries {
  const char* name;
  const char* help;
  const char* unit;
};

constexpr std::array<ReportSeries, 8> kReportSeries = {{
    {"up", "Health of the scrape target. 1 means the target is healthy, 0 if the scrape failed.",
     "targets"},
    {"scrape_duration_seconds", "Duration of the last scrape in seconds.", "seconds"},
    {"scrape_samples_scraped", "Number of samples last scraped.", "samples"},
    {"scrape_samples_post_metric_relabeling",
     "Number of samples remaining after metric relabeling was applied.", "samples"},
    {"scrape_series_added", "Number of series in the last scrape.", "series"},
    // With extra_scrape_metrics.
    {"scrape_timeout_seconds", "The configured scrape timeout for a target.", "seconds"},
    {"scrape_sample_limit",
     "The configured sample limit for a target. Returns zero if there is no limit configured.",
     "samples"},
    {"scrape_body_size_bytes",
     "The uncompressed size of the last scrape response, if successful. Scrapes failing because "
     "body_size_limit is "
     "exceeded report -1, other scrape failures report 0.",
     "bytes"},
}};
constexpr std::size_t kPlainReports = 5;

std::size_t ReportCount(const ScrapeOptions& options) {
  return options.extra_scrape_metrics ? kReportSeries.size() : kPlainReports;
}

std::string_view Shorten(std::string_view text) {
  return text.substr(0, 50);
}

}  // namespace

/// One page on its way into one appender.
class PageIngest::Pass {
 public:
  Pass(PageIngest& ingest, const ScrapeOptions& options, storage::Appender& appender,
       Timestamp time, Timestamp now)
      : ingest_(ingest),
        options_(options),
        appender_(appender),
        time_(time),
        latest_(now + kMaxAhead) {}

  PageOutcome Run(std::string_view page, wire::ExpositionFormat format) {
    wire::ExpositionParser parser(page, format);
    for (;;) {
      switch (parser.Next()) {
        case wire::EntryKind::kSample:
          ++outcome_.scraped;
          TakeSample(parser);
          if (outcome_.error) return std::move(outcome_);
          break;
        case wire::EntryKind::kType:
          family_ = ingest_.families_.SetType(parser.family(), parser.type());
          break;
        case wire::EntryKind::kHelp:
          family_ = ingest_.families_.SetHelp(parser.family(), parser.text());
          break;
        case wire::EntryKind::kUnit:
          family_ = ingest_.families_.SetUnit(parser.family(), parser.text());
          break;
        case wire::EntryKind::kComment:
          break;
        case wire::EntryKind::kEnd:
          if (outcome_.hit_sample_limit) {
            outcome_.error =
                Error(ErrorKind::kLimit,
                      fmt::format("sample limit exceeded (samples after relabeling: {}, "
                                  "limit: {})",
                                  attempted_, options_.sample_limit));
          }
          return std::move(outcome_);
        case wire::EntryKind::kInvalid:
          outcome_.error = parser.error();
          return std::move(outcome_);
      }
    }
  }

 private:
  void TakeSample(wire::ExpositionParser& parser) {
    const Hash128 key = Xxh3Wide(parser.series());
    CachedSeries* series = ingest_.cache_.Find(key);
    std::optional<Timestamp> own_time;
    if (options_.honor_timestamps) own_time = parser.timestamp();
    const Timestamp t = own_time.value_or(time_);
    if (series == nullptr) {
      TakeNewSeries(parser, key, t, !own_time);
      return;
    }
    if (series->dropped) {
      ingest_.cache_.MarkSeen(*series);
      return;
    }
    ++outcome_.kept;
    if (ingest_.cache_.SeenInThisPass(*series) && !own_time) {
      ++outcome_.duplicates;
      return;
    }
    if (!ingest_.cache_.IsKnown(*series) && !outcome_.hit_sample_limit) ++outcome_.added;
    ingest_.cache_.MarkSeen(*series);
    AppendError error = Admit(t);
    if (error == AppendError::kNone) {
      error = appender_.Append(series->ref, t, parser.value()).error;
      if (error == AppendError::kUnknownSeries) error = Revive(parser, *series, t);
    }
    if (outcome_.error) return;
    Note(error);
    if (error != AppendError::kNone) return;
    if (!own_time || options_.track_timestamps_staleness) ingest_.cache_.MarkLive(*series);
    if (series->derived_count > 0) AppendDerived(parser, *series, t);
    if (parser.has_exemplar()) AppendExemplar(parser, series->ref, t);
    if (family_ && ingest_.families_.ChangedInThisPass(*family_)) {
      const std::string_view exposed = parser.series();
      SendMetadata(TrimSpace(exposed.substr(0, exposed.find('{'))), series->ref);
    }
  }

  /// The limits that stand before the store.
  AppendError Admit(Timestamp t) {
    ++attempted_;
    if (options_.sample_limit > 0 && attempted_ > options_.sample_limit) {
      outcome_.hit_sample_limit = true;  // Goes on, so that the report counts the whole page.
      return AppendError::kLimit;
    }
    return t > latest_ ? AppendError::kOutOfBounds : AppendError::kNone;
  }

  void Note(AppendError error) {
    switch (error) {
      case AppendError::kNone:
        return;
      case AppendError::kOutOfOrder:
        ++outcome_.out_of_order;
        return;
      case AppendError::kDuplicate:
        ++outcome_.duplicates;
        return;
      case AppendError::kOutOfBounds:
      case AppendError::kTooOld:
        ++outcome_.out_of_bounds;
        return;
      case AppendError::kLimit:
        if (!outcome_.hit_sample_limit) ++outcome_.refused;
        return;
      default:
        outcome_.error = Error(ErrorKind::kInvalid, std::string(storage::ToString(error)));
    }
  }

  void TakeNewSeries(wire::ExpositionParser& parser, const Hash128& key, Timestamp t, bool live) {
    const auto labels = FinalLabels(parser);
    if (outcome_.error) return;
    if (!labels) {
      ingest_.cache_.Add(key, {}).dropped = true;
      return;
    }
    ++outcome_.kept;
    AppendError error = Admit(t);
    storage::AppendResult result;
    if (error == AppendError::kNone) {
      result = appender_.Append(labels->view(), t, parser.value());
      error = result.error;
    }
    Note(error);
    // A series that the store refused is not remembered: no marker is due when it goes.
    if (error != AppendError::kNone) return;
    CachedSeries& series = ingest_.cache_.Add(key, result.ref);
    if (!outcome_.hit_sample_limit) ++outcome_.added;
    if (live || options_.track_timestamps_staleness) ingest_.cache_.MarkLive(series);
    AppendNewDerived(parser, *labels, series, t);
    if (parser.has_exemplar()) AppendExemplar(parser, series.ref, t);
    if (family_) SendMetadata(labels->metric_name(), series.ref);
  }

  /// The store has forgotten a series that the cache knows: found again under its labels.
  AppendError Revive(wire::ExpositionParser& parser, CachedSeries& series, Timestamp t) {
    const auto labels = FinalLabels(parser);
    if (!labels) return AppendError::kNone;  // outcome_.error says why.
    const storage::AppendResult result = appender_.Append(labels->view(), t, parser.value());
    if (result.ref) series.ref = result.ref;
    return result.error;
  }

  /// The sample's labels as they are stored; nothing if relabelling drops it, or with
  /// outcome_.error.
  std::optional<Labels> FinalLabels(wire::ExpositionParser& parser) {
    auto exposed = parser.Labels();
    if (!exposed) {
      outcome_.error = std::move(exposed).error();
      return std::nullopt;
    }
    builder_.Reset(*exposed);
    AddTargetLabels(*exposed);
    if (!Relabel(options_.metric_relabel_rules, builder_) || builder_.size() == 0)
      return std::nullopt;
    CheckLabels();
    if (outcome_.error) return std::nullopt;
    return builder_.Build();
  }

  void AddTargetLabels(LabelsView exposed) {
    if (options_.honor_labels) {
      for (const LabelView label : ingest_.labels_) {
        if (!exposed.Has(label.name)) builder_.Set(label.name, label.value);
      }
      return;
    }
    std::vector<LabelView> conflicts;
    for (const LabelView label : ingest_.labels_) {
      const std::string_view value = exposed.Get(label.name);
      if (!value.empty()) conflicts.push_back({label.name, value});
      builder_.Set(label.name, label.value);
    }
    // Shorter names first, so that `job` takes `exported_job` before an exposed `exported_job` is
    // moved.
    std::stable_sort(
        conflicts.begin(), conflicts.end(),
        [](const LabelView& a, const LabelView& b) { return a.name.size() < b.name.size(); });
    for (const LabelView& label : conflicts) {
      std::string name = "exported_" + std::string(label.name);
      while (!builder_.Get(name).empty())
        name.insert(0, "exported_");
      builder_.Set(name, label.value);
    }
  }

  void CheckLabels() {
    const std::string metric(builder_.Get(kMetricName));
    if (metric.empty()) {
      Fail(ErrorKind::kInvalid, "missing metric name (__name__ label)");
      return;
    }
    std::size_t bytes = 0;
    bool valid = options_.legacy_names ? IsLegacyMetricName(metric) : IsValidName(metric);
    builder_.ForEach([&](std::string_view name, std::string_view value) {
      bytes += name.size() + value.size() + 2;
      valid = valid && (options_.legacy_names ? IsLegacyLabelName(name) : IsValidName(name)) &&
              IsValidUtf8(value);
    });
    if (bytes > kMaxLabelSetBytes) {
      Fail(ErrorKind::kLimit, fmt::format("label set of {} bytes is larger than {} (metric: {})",
                                          bytes, kMaxLabelSetBytes, Shorten(metric)));
    } else if (!valid) {
      Fail(ErrorKind::kInvalid, fmt::format("invalid metric name or label names: {}",
                                            builder_.Build().ToString().substr(0, 1024)));
    } else {
      CheckLimits(metric);
    }
  }

  void CheckLimits(std::string_view metric) {
    if (options_.label_limit > 0 && builder_.size() > options_.label_limit) {
      FailLimit(fmt::format("label_limit exceeded (metric: {}, number of labels: {}, limit: {})",
                            Shorten(metric), builder_.size(), options_.label_limit));
      return;
    }
    if (options_.label_name_length_limit == 0 && options_.label_value_length_limit == 0) return;
    builder_.ForEach([&](std::string_view name, std::string_view value) {
      if (outcome_.error) return;
      if (options_.label_name_length_limit > 0 && name.size() > options_.label_name_length_limit) {
        FailLimit(fmt::format(
            "label_name_length_limit exceeded (metric: {}, label name: {}, length: {}, "
            "limit: {})",
            Shorten(metric), Shorten(name), name.size(), options_.label_name_length_limit));
      } else if (options_.label_value_length_limit > 0 &&
                 value.size() > options_.label_value_length_limit) {
        FailLimit(
            fmt::format("label_value_length_limit exceeded (metric: {}, label name: {}, value: {}, "
                        "length: {}, limit: {})",
                        Shorten(metric), Shorten(name), QuoteGo(Shorten(value)), value.size(),
                        options_.label_value_length_limit));
      }
    });
  }

  void FailLimit(std::string message) {
    outcome_.hit_label_limit = true;
    Fail(ErrorKind::kLimit, std::move(message));
  }

  void Fail(ErrorKind kind, std::string message) {
    outcome_.error = Error(kind, std::move(message));
  }

  /// Asks what canonical series a new one gives, and appends their first samples, which gives them
  /// refs.
  void AppendNewDerived(const wire::ExpositionParser& parser, const Labels& labels,
                        CachedSeries& series, Timestamp t) {
    if (ingest_.mapper_ == nullptr) return;
    mapped_.clear();
    ingest_.mapper_->Map(labels, TypeOf(labels.metric_name(), parser), mapped_);
    derived_.clear();
    for (const MappedSeries& mapped : mapped_) {
      const std::optional<double> v = mapped.Value(parser.value());
      storage::AppendResult result;
      if (v) result = appender_.Append(mapped.labels.view(), t, *v);
      derived_.push_back({result.ref, mapped.scale, mapped.constant, mapped.is_constant,
                          v.has_value(), mapped.rule});
      if (result.ref) SendDerivedMetadata(mapped, result.ref);
    }
    ingest_.cache_.SetDerived(series, derived_);
  }

  MetricType TypeOf(std::string_view name, const wire::ExpositionParser& parser) const {
    if (!family_) return MetricType::kUnknown;
    const FamilyMetadata& family = ingest_.families_.at(*family_);
    return wire::IsSampleOfFamily(name, family.family, parser.type()) ? parser.type()
                                                                      : MetricType::kUnknown;
  }

  void AppendDerived(wire::ExpositionParser& parser, CachedSeries& series, Timestamp t) {
    DerivedSeries* derived = ingest_.cache_.derived(series);
    bool forgotten = false;
    for (std::size_t i = 0; i < series.derived_count; ++i) {
      const std::optional<double> v = derived[i].Value(parser.value());
      if (!derived[i].ref) {
        // No measurement so far, so it has not been created; or the store refused it.
        forgotten = (v && !derived[i].live) || forgotten;
        continue;
      }
      if (!v && !derived[i].live) continue;
      derived[i].live = v.has_value();
      // Refused for the same reasons as the native sample: only that one is counted.
      forgotten = appender_.Append(derived[i].ref, t, v.value_or(StaleNan())).error ==
                      AppendError::kUnknownSeries ||
                  forgotten;
    }
    if (!forgotten) return;
    if (const auto labels = FinalLabels(parser)) AppendNewDerived(parser, *labels, series, t);
  }

  void AppendExemplar(const wire::ExpositionParser& parser, storage::SeriesRef ref, Timestamp t) {
    Exemplar exemplar = parser.exemplar();
    if (!exemplar.timestamp) exemplar.timestamp = t;
    if (appender_.AppendExemplar(ref, exemplar) == AppendError::kOutOfOrder)
      ++outcome_.exemplars_out_of_order;
  }

  void SendMetadata(std::string_view name, storage::SeriesRef ref) {
    const FamilyMetadata& family = ingest_.families_.at(*family_);
    if (!wire::IsSampleOfFamily(name, family.family, family.metadata.type)) return;
    appender_.UpdateMetadata(ref, family.metadata);
  }

  void SendDerivedMetadata(const MappedSeries& mapped, storage::SeriesRef ref) {
    appender_.UpdateMetadata(ref, {mapped.type, std::string(mapped.help), {}});
  }

  PageIngest& ingest_;
  const ScrapeOptions& options_;
  storage::Appender& appender_;
  const Timestamp time_;
  const Timestamp latest_;
  PageOutcome outcome_;
  std::uint64_t attempted_ = 0;        // Samples that were offered to the store.
  std::optional<std::size_t> family_;  // The last one that a comment line named.
  LabelsBuilder builder_;
  std::vector<MappedSeries> mapped_;
  std::vector<DerivedSeries> derived_;
};

PageIngest::PageIngest(Labels labels, const SeriesMapper* mapper, MetadataPool& pool)
    : labels_(std::move(labels)), mapper_(mapper), families_(pool) {}

PageOutcome PageIngest::AppendPage(const ScrapeOptions& options, storage::Appender& appender,
                                   std::string_view page, wire::ExpositionFormat format,
                                   Timestamp time, Timestamp now) {
  // An empty page is a failed one to the reference, too: nothing on it, everything stale, but `up`
  // stays 1.
  cache_.BeginPass();
  families_.BeginPass();
  PageOutcome outcome;
  if (!page.empty()) outcome = Pass(*this, options, appender, time, now).Run(page, format);
  auto mark_stale = [&](const CachedSeries& series) { MarkStale(appender, series, time); };
  if (outcome.error) {
    failed_pass_ = true;  // The markers wait for AppendStale: this appender is rolled back.
    return outcome;
  }
  if (page.empty()) {
    cache_.Fail(mark_stale);
    families_.EndPass(false);
  } else {
    cache_.Succeed(mark_stale);
    families_.EndPass(true);
  }
  return outcome;
}

bool PageIngest::AppendStale(storage::Appender& appender, Timestamp time) {
  if (!failed_pass_) {
    cache_.BeginPass();
    families_.BeginPass();
  }
  failed_pass_ = false;
  const bool flushed =
      cache_.Fail([&](const CachedSeries& series) { MarkStale(appender, series, time); });
  families_.EndPass(false);
  return flushed;
}

void PageIngest::MarkStale(storage::Appender& appender, const CachedSeries& series,
                           Timestamp time) {
  // Out of order if the target has come back under another loop: expected, and right.
  appender.Append(series.ref, time, StaleNan());
  const DerivedSeries* derived = cache_.derived(series);
  for (std::size_t i = 0; i < series.derived_count; ++i) {
    if (derived[i].ref && derived[i].live) appender.Append(derived[i].ref, time, StaleNan());
  }
}

storage::AppendError PageIngest::AppendReportSample(storage::Appender& appender, std::size_t index,
                                                    Timestamp time, double value) {
  storage::SeriesRef& ref = report_refs_[index];
  AppendError error = AppendError::kUnknownSeries;
  if (ref) error = appender.Append(ref, time, value).error;
  if (error != AppendError::kUnknownSeries) return error;
  LabelsBuilder builder(labels_);
  builder.Set(kMetricName, kReportSeries[index].name);
  const storage::AppendResult result = appender.Append(builder.Build().view(), time, value);
  ref = result.ref;
  if (ref) {
    appender.UpdateMetadata(
        ref, {MetricType::kGauge, kReportSeries[index].help, kReportSeries[index].unit});
  }
  return result.error;
}

Status PageIngest::AppendReport(const ScrapeOptions& options, storage::Appender& appender,
                                Timestamp time, const ScrapeReport& report) {
  const std::array<double, kReports> values = {
      report.up ? 1.0 : 0.0,
      report.duration_seconds,
      static_cast<double>(report.scraped),
      static_cast<double>(report.kept),
      static_cast<double>(report.added),
      std::chrono::duration<double>(options.timeout).count(),
      static_cast<double>(options.sample_limit),
      report.body_bytes,
  };
  for (std::size_t i = 0; i < ReportCount(options); ++i) {
    const AppendError error = AppendReportSample(appender, i, time, values[i]);
    // Expected if the target went away and came back under a new loop.
    if (error == AppendError::kNone || error == AppendError::kOutOfOrder ||
        error == AppendError::kDuplicate)
      continue;
    return Error(ErrorKind::kLimit,
                 fmt::format("{}: {}", kReportSeries[i].name, storage::ToString(error)));
  }
  return OkStatus();
}

void PageIngest::AppendStaleReport(const ScrapeOptions& options, storage::Appender& appender,
                                   Timestamp time) {
  for (std::size_t i = 0; i < ReportCount(options); ++i) {
    if (report_refs_[i]) appender.Append(report_refs_[i], time, StaleNan());
  }
}

}  // namespace sonde::scrape
