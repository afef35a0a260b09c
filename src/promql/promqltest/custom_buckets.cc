#include "promql/promqltest/custom_buckets.h"

#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/number.h"
#include "promql/histogram_math.h"

namespace sonde::promql {
namespace {

// What one step says about a histogram.
struct ClassicHistogram {
  std::map<double, double> buckets;  // Cumulative counts by upper bound.
  std::optional<double> count;
  double sum = 0;
};

enum class Part { kNone, kBucket, kCount, kSum };

// Cuts the suffix off.
Part SplitName(std::string_view& name) {
  const auto cut = [&](std::string_view suffix) {
    if (!name.ends_with(suffix)) return false;
    name.remove_suffix(suffix.size());
    return true;
  };
  if (cut("_bucket")) return Part::kBucket;
  if (cut("_sum")) return Part::kSum;
  return cut("_count") ? Part::kCount : Part::kNone;
}

Result<FloatHistogram> Convert(ClassicHistogram classic) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (!classic.count && !classic.buckets.empty()) classic.count = classic.buckets.rbegin()->second;
  const double count = classic.count.value_or(0);
  classic.buckets.emplace(kInfinity, count);
  FloatHistogram histogram;
  histogram.schema = kCustomBucketsSchema;
  histogram.count = count;
  histogram.sum = classic.sum;
  double below = 0;
  for (const auto& [bound, cumulative] : classic.buckets) {
    if (cumulative < below) {
      return Error(ErrorKind::kInvalid, fmt::format("bucket count falls from {} to {}",
                                                    FormatFloatG(below), FormatFloatG(cumulative)));
    }
    histogram.positive_counts.push_back(cumulative - below);
    if (bound != kInfinity) histogram.custom_values.push_back(bound);
    below = cumulative;
  }
  if (below != count) {
    return Error(ErrorKind::kInvalid,
                 fmt::format("the buckets count {} observations, the histogram {}",
                             FormatFloatG(below), FormatFloatG(count)));
  }
  histogram.positive_spans = {{0, static_cast<std::uint32_t>(histogram.positive_counts.size())}};
  Compact(histogram);
  return histogram;
}

}  // namespace

Result<std::vector<LoadedSeries>> ToCustomBuckets(const std::vector<LoadedSeries>& series) {
  std::map<Labels, std::map<std::size_t, ClassicHistogram>> histograms;
  LabelsBuilder builder;
  for (const LoadedSeries& classic : series) {
    std::string_view name = classic.labels.metric_name();
    const Part part = SplitName(name);
    if (part == Part::kNone) continue;
    const auto bound = ParseFloat(classic.labels.Get("le"));
    if (part == Part::kBucket && (!bound || std::isnan(*bound))) continue;
    builder.Reset(classic.labels);
    builder.Set(kMetricName, name).Delete("le");
    auto& steps = histograms[builder.Build()];
    for (std::size_t i = 0; i < classic.values.size(); ++i) {
      const DescribedValue& value = classic.values[i];
      if (value.omitted || value.histogram) continue;
      ClassicHistogram& histogram = steps[i];
      if (part == Part::kBucket) histogram.buckets.emplace(*bound, value.v);
      if (part == Part::kCount) histogram.count = value.v;
      if (part == Part::kSum) histogram.sum = value.v;
    }
  }
  std::vector<LoadedSeries> converted;
  for (auto& [labels, steps] : histograms) {
    LoadedSeries native{labels, {}, {}};
    for (auto& [step, classic] : steps) {
      native.values.resize(step + 1, DescribedValue{.omitted = true});
      auto histogram = Convert(std::move(classic));
      if (!histogram) return std::move(histogram).error().Wrap(labels.ToString());
      native.values[step] = DescribedValue{.histogram = *std::move(histogram)};
    }
    converted.push_back(std::move(native));
  }
  return converted;
}

}  // namespace sonde::promql
