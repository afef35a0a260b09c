#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/number.h"
#include "promql/functions.h"
#include "promql/histogram_quantile.h"
#include "promql/label_functions.h"
#include "promql/naive_query.h"
#include "promql/quantile.h"

namespace sonde::promql {
namespace {

// A classic histogram: the elements that differ in `le` only.
struct ClassicHistogram {
  Labels labels;  // Without `le`.
  std::vector<ClassicBucket> buckets;
};

// The histograms among the elements of a vector, both ways of storing them.
struct Histograms {
  NaiveVector native;
  std::vector<ClassicHistogram> classic;
};

// Where a vector has both a classic and a native histogram of the same labels, neither is used.
// `delayed`: names are still there, so that notes can tell them.
Histograms SplitHistograms(const NaiveVector& vector, bool delayed, PositionRange at,
                           AnnotationSet& notes) {
  const auto name_of = [delayed](LabelsView labels) {
    return delayed ? labels.metric_name() : std::string_view();
  };
  std::map<Labels, std::vector<ClassicBucket>> classic;
  std::vector<const std::pair<const Labels, std::vector<ClassicBucket>>*> in_order;
  for (const NaiveElement& element : vector) {
    if (element.histogram != nullptr) continue;
    const std::string_view text = element.labels.Get(kBucketLabel);
    const auto bound = ParseFloat(text);
    if (!bound) {
      notes.BadBucketLabel(name_of(element.labels), text, at);
      continue;
    }
    const auto [it, inserted] =
        classic.try_emplace(LabelsBuilder(element.labels).Delete(kBucketLabel).Build());
    it->second.push_back({*bound, element.v});
    if (inserted) in_order.push_back(&*it);
  }
  Histograms histograms;
  for (const NaiveElement& element : vector) {
    if (element.histogram == nullptr) continue;
    const auto it = classic.find(element.labels);
    if (it == classic.end()) {
      histograms.native.push_back(element);
      continue;
    }
    notes.MixedClassicNativeHistograms(name_of(element.labels), at);
    it->second.clear();
  }
  for (const auto* entry : in_order) {
    if (!entry->second.empty()) histograms.classic.push_back({entry->first, entry->second});
  }
  return histograms;
}

bool IsValidQuantile(double phi) {
  return phi >= 0 && phi <= 1;
}

}  // namespace

// histogram_quantile(φ, v) and histogram_quantiles(v, label, φ…).
NaiveVector NaiveQuery::HistogramQuantiles(const CallExpr& call,
                                           const std::vector<NaiveValue>& arguments, Timestamp t) {
  const bool many = call.function->id == FunctionId::kHistogramQuantiles;
  const std::size_t vector_at = many ? 0 : 1;
  const std::size_t first_phi = many ? 2 : 0;
  const std::size_t last_phi = many ? arguments.size() - 1 : 0;
  const PositionRange at = call.arguments[vector_at]->position;
  for (std::size_t i = first_phi; i <= last_phi; ++i) {
    const double phi = std::get<double>(arguments[i]);
    if (!IsValidQuantile(phi)) notes_.InvalidQuantile(phi, call.arguments[i]->position);
  }
  const bool delayed = options_.delayed_name_removal;
  const Histograms histograms =
      SplitHistograms(std::get<NaiveVector>(arguments[vector_at]), delayed, at, notes_);

  NaiveVector result;
  const auto add = [&](const Labels& labels, double phi, double value) {
    NaiveElement element{.labels = labels, .v = value};
    if (many) {
      std::string text;
      AppendFloatOpenMetrics(text, phi);
      const std::string& name = As<StringExpr>(Unwrap(*call.arguments[1])).value;
      element.labels = LabelsBuilder(labels).Set(name, text).Build();
    }
    MarkNameDropped(element);
    result.push_back(std::move(element));
  };
  for (std::size_t i = first_phi; i <= last_phi; ++i) {
    const double phi = std::get<double>(arguments[i]);
    for (const NaiveElement& element : histograms.native) {
      const NativeQuantile quantile = HistogramQuantile(phi, *element.histogram);
      const std::string_view name = delayed ? element.labels.metric_name() : std::string_view();
      if (quantile.is_nan_observation) notes_.QuantileOfNans(name, at);
      if (quantile.skewed_by_nans) notes_.QuantileSkewedByNans(name, at);
      add(element.labels, phi, quantile.value);
    }
    for (const ClassicHistogram& histogram : histograms.classic) {
      const ClassicQuantile quantile = BucketQuantile(phi, histogram.buckets);
      if (quantile.repair.forced && i == first_phi) {  // The note counts histograms, not quantiles.
        notes_.ForcedMonotonicity(delayed ? histogram.labels.metric_name() : "", quantile.repair, t,
                                  at);
      }
      add(histogram.labels, phi, quantile.value);
    }
  }
  return result;
}

NaiveVector NaiveQuery::HistogramFractions(const CallExpr& call,
                                           const std::vector<NaiveValue>& arguments) {
  const double lower = std::get<double>(arguments[0]);
  const double upper = std::get<double>(arguments[1]);
  const PositionRange at = call.arguments[2]->position;
  const bool delayed = options_.delayed_name_removal;
  const Histograms histograms =
      SplitHistograms(std::get<NaiveVector>(arguments[2]), delayed, at, notes_);
  NaiveVector result;
  const auto add = [&](const Labels& labels, double value) {
    NaiveElement element{.labels = labels, .v = value};
    MarkNameDropped(element);
    result.push_back(std::move(element));
  };
  for (const NaiveElement& element : histograms.native) {
    const NativeFraction fraction = HistogramFraction(lower, upper, *element.histogram);
    if (fraction.excludes_nans) {
      notes_.FractionExcludesNans(delayed ? element.labels.metric_name() : "", at);
    }
    add(element.labels, fraction.value);
  }
  for (const ClassicHistogram& histogram : histograms.classic) {
    add(histogram.labels, BucketFraction(lower, upper, histogram.buckets));
  }
  return result;
}

// The functions that read one number off each native histogram and ignore everything else.
NaiveVector NaiveQuery::MapHistograms(const CallExpr& call, const NaiveVector& vector) const {
  const FunctionId id = call.function->id;
  NaiveVector result;
  for (const NaiveElement& element : vector) {
    if (element.histogram == nullptr) continue;
    const FloatHistogram& histogram = *element.histogram;
    NaiveElement mapped{.labels = element.labels};
    switch (id) {
      case FunctionId::kHistogramCount:
        mapped.v = histogram.count;
        break;
      case FunctionId::kHistogramSum:
        mapped.v = histogram.sum;
        break;
      case FunctionId::kHistogramAvg:
        mapped.v = histogram.sum / histogram.count;
        break;
      case FunctionId::kHistogramStddev:
        mapped.v = std::sqrt(HistogramVariance(histogram));
        break;
      case FunctionId::kHistogramStdvar:
        mapped.v = HistogramVariance(histogram);
        break;
      default:
        CHECK(false);
    }
    MarkNameDropped(mapped);
    result.push_back(std::move(mapped));
  }
  return result;
}

}  // namespace sonde::promql
