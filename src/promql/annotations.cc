#include "promql/annotations.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include <fmt/format.h>

#include "base/number.h"
#include "base/quote.h"
#include "promql/dates.h"

namespace sonde::promql {
namespace {

std::string_view ToString(HistogramOperation operation) {
  switch (operation) {
    case HistogramOperation::kAddition:
      return "addition";
    case HistogramOperation::kSubtraction:
      return "subtraction";
    case HistogramOperation::kAggregation:
      return "aggregation";
  }
  return "unknown operation";
}

// ` for metric name "m"`, or nothing where the name is not known.
std::string ForMetric(std::string_view metric) {
  return metric.empty() ? "" : fmt::format(" for metric name {}", QuoteGo(metric));
}

// True if the evaluation of the expression at `a` ends after that of the one at `b`: it stands
// further to the right, or around it.
bool EndsLater(PositionRange a, PositionRange b) {
  return a.end != b.end ? a.end > b.end : a.start < b.start;
}

// Go's %.2g: two significant digits, without trailing zeros.
std::string TwoDigits(double v) {
  std::string text = fmt::format("{:.2g}", v);
  return text == "inf" ? "+Inf" : text;
}

}  // namespace

std::string FormatPosition(std::string_view query, std::uint32_t offset) {
  const std::string_view before = query.substr(0, offset);
  const auto lines = std::ranges::count(before, '\n');
  const std::size_t line_break = before.rfind('\n');
  const std::size_t column =
      offset - (line_break == std::string_view::npos ? 0 : line_break + 1) + 1;
  return fmt::format("{}:{}", lines + 1, column);
}

void AnnotationSet::InvalidQuantile(double phi, PositionRange at) {
  Warn(fmt::format("quantile value should be between 0 and 1, got {}", FormatFloatG(phi)), at);
}

void AnnotationSet::InvalidRatio(double ratio, double capped, PositionRange at) {
  Warn(fmt::format("ratio value should be between -1 and 1, got {}, capping to {}",
                   FormatFloatG(ratio), FormatFloatG(capped)),
       at);
}

void AnnotationSet::BadBucketLabel(std::string_view metric, std::string_view le, PositionRange at) {
  Warn(fmt::format("bucket label \"le\" is missing or has a malformed value of {}{}", QuoteGo(le),
                   ForMetric(metric)),
       at);
}

void AnnotationSet::MixedFloatsHistograms(std::string_view metric, PositionRange at) {
  Warn(
      fmt::format("encountered a mix of histograms and floats for metric name {}", QuoteGo(metric)),
      at);
}

void AnnotationSet::MixedFloatsHistogramsInAggregation(PositionRange at) {
  Warn("encountered a mix of histograms and floats for aggregation", at);
}

void AnnotationSet::MixedClassicNativeHistograms(std::string_view metric, PositionRange at) {
  Warn(fmt::format("vector contains a mix of classic and native histograms{}", ForMetric(metric)),
       at);
}

void AnnotationSet::NativeHistogramNotCounter(std::string_view metric, PositionRange at) {
  Warn(fmt::format("this native histogram metric is not a counter: {}", QuoteGo(metric)), at);
}

void AnnotationSet::NativeHistogramNotGauge(std::string_view metric, PositionRange at) {
  Warn(fmt::format("this native histogram metric is not a gauge: {}", QuoteGo(metric)), at);
}

void AnnotationSet::MixedExponentialCustomHistograms(std::string_view metric, PositionRange at) {
  Warn(fmt::format("vector contains a mix of histograms with exponential and custom buckets "
                   "schemas for metric "
                   "name {}",
                   QuoteGo(metric)),
       at);
}

void AnnotationSet::IncompatibleBucketLayout(BinaryOp op, PositionRange at) {
  Warn(fmt::format("incompatible bucket layout encountered for binary operator {}",
                   promql::ToString(op)),
       at);
}

void AnnotationSet::SortInRangeQuery(PositionRange at) {
  Warn("sort is ineffective for range queries since results are always ordered by labels", at);
}

void AnnotationSet::CounterResetCollision(HistogramOperation operation, PositionRange at) {
  Warn(fmt::format("conflicting counter resets during histogram {}", ToString(operation)), at);
}

void AnnotationSet::StartTimeOverlap(std::string_view metric, PositionRange at) {
  Add(fmt::format(
          "sample has start time that overlaps with previous sample timestamp for metric {}",
          QuoteGo(metric)),
      {.at = at, .count = 1});
}

void AnnotationSet::StorageWarning(std::string_view text) {
  Add(std::string(text), {.positioned = false});
}

void AnnotationSet::PossibleNonCounter(std::string_view metric, PositionRange at) {
  Inform(fmt::format(
             "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {}",
             QuoteGo(metric)),
         at);
}

void AnnotationSet::PossibleNonCounterLabel(std::string_view metric, std::string_view type,
                                            PositionRange at) {
  Inform(fmt::format("metric might not be a counter, __type__ label is not set to \"counter\" or "
                     "\"histogram\", "
                     "got {}: {}",
                     QuoteGo(type), QuoteGo(metric)),
         at);
}

void AnnotationSet::ForcedMonotonicity(std::string_view metric, const MonotonicityRepair& repair,
                                       Timestamp t, PositionRange at) {
  Add(fmt::format(
          "input to histogram_quantile needed to be fixed for monotonicity (see "
          "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile){}",
          ForMetric(metric)),
      {.info = true, .at = at, .count = 1, .repair = repair, .first = t, .last = t});
}

void AnnotationSet::IncompatibleTypes(std::string_view lhs, BinaryOp op, std::string_view rhs,
                                      PositionRange at) {
  const std::string_view name = promql::ToString(op);
  Inform(fmt::format("incompatible sample types encountered for binary operator {}: {} {} {}",
                     QuoteGo(name), lhs, name, rhs),
         at);
}

void AnnotationSet::HistogramIgnoredInAggregation(std::string_view aggregation, PositionRange at) {
  Inform(fmt::format("ignored histogram in {} aggregation", aggregation), at);
}

void AnnotationSet::HistogramIgnoredInMixedRange(std::string_view metric, PositionRange at) {
  Inform(
      fmt::format(
          "ignored histograms in a range containing both floats and histograms for metric name {}",
          QuoteGo(metric)),
      at);
}

void AnnotationSet::QuantileOfNans(std::string_view metric, PositionRange at) {
  Inform(fmt::format("input to histogram_quantile has NaN observations, result is NaN{}",
                     ForMetric(metric)),
         at);
}

void AnnotationSet::QuantileSkewedByNans(std::string_view metric, PositionRange at) {
  Inform(fmt::format("input to histogram_quantile has NaN observations, result is skewed higher{}",
                     ForMetric(metric)),
         at);
}

void AnnotationSet::FractionExcludesNans(std::string_view metric, PositionRange at) {
  Inform(fmt::format("input to histogram_fraction has NaN observations, which are excluded from "
                     "all fractions{}",
                     ForMetric(metric)),
         at);
}

void AnnotationSet::MismatchedCustomBuckets(HistogramOperation operation, PositionRange at) {
  Inform(fmt::format("mismatched custom buckets were reconciled during {}", ToString(operation)),
         at);
}

void AnnotationSet::Warn(std::string text, PositionRange at) {
  Add(std::move(text), {.at = at});
}
void AnnotationSet::Inform(std::string text, PositionRange at) {
  Add(std::move(text), {.info = true, .at = at});
}

void AnnotationSet::Add(std::string text, Note note) {
  note.source = source_;
  Keep(std::move(text), note);
}

void AnnotationSet::Keep(std::string text, Note note) {
  const auto [it, inserted] = notes_.try_emplace(std::move(text), note);
  if (inserted) return;
  const Note& seen = it->second;
  if (EndsLater(seen.source, note.source)) {
    note.at = seen.at;
    note.source = seen.source;
  }
  note.count += seen.count;
  note.first = std::min(note.first, seen.first);
  note.last = std::max(note.last, seen.last);
  note.repair.min_bucket = std::min(note.repair.min_bucket, seen.repair.min_bucket);
  note.repair.max_bucket = std::max(note.repair.max_bucket, seen.repair.max_bucket);
  note.repair.max_difference = std::max(note.repair.max_difference, seen.repair.max_difference);
  it->second = note;
}

void AnnotationSet::Merge(const AnnotationSet& other) {
  for (const auto& [text, note] : other.notes_) {
    Keep(text, note);
  }
}

std::string AnnotationSet::Text(const std::string& text, const Note& note) {
  if (note.repair.forced) {
    return fmt::format(
        "{}, from buckets {} to {}, with a max diff of {}, over {} samples from {} to {}", text,
        FormatFloatG(note.repair.min_bucket), FormatFloatG(note.repair.max_bucket),
        TwoDigits(note.repair.max_difference), note.count, FormatRfc3339(note.first),
        FormatRfc3339(note.last));
  }
  if (note.count > 1) return fmt::format("{} ({} occurrences)", text, note.count);
  return text;
}

Annotations AnnotationSet::Render(std::string_view query) const {
  Annotations rendered;
  for (const auto& [key, note] : notes_) {
    std::string text = Text(key, note);
    if (note.positioned) text += fmt::format(" ({})", FormatPosition(query, note.at.start));
    (note.info ? rendered.infos : rendered.warnings).push_back(std::move(text));
  }
  return rendered;
}

}  // namespace sonde::promql
