#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/number.h"
#include "base/quote.h"
#include "model/names.h"
#include "promql/histogram_math.h"
#include "promql/histogram_sum.h"
#include "promql/label_functions.h"
#include "promql/naive_query.h"
#include "promql/numerics.h"
#include "promql/top_k.h"

namespace sonde::promql {
namespace {

// The elements that an aggregation takes together, in the order of their first element.
struct Group {
  Labels labels;
  std::vector<std::size_t> members{};  // Indices of the input.
};

std::vector<Group> GroupBy(const AggregateExpr& aggregate, const NaiveVector& input) {
  std::vector<Group> groups;
  std::map<Labels, std::size_t> index;
  for (std::size_t i = 0; i < input.size(); ++i) {
    Labels labels = GroupingLabels(input[i].labels, aggregate.without, aggregate.grouping);
    const auto [it, inserted] = index.try_emplace(labels, groups.size());
    if (inserted) groups.push_back({.labels = std::move(labels)});
    groups[it->second].members.push_back(i);
  }
  return groups;
}

bool IsSelection(AggregateOp op) {
  return op == AggregateOp::kTopk || op == AggregateOp::kBottomk || op == AggregateOp::kLimitk ||
         op == AggregateOp::kLimitRatio;
}

// The floats of a group; histograms among them are ignored with a note.
std::vector<double> FloatsOf(const Group& group, const NaiveVector& input,
                             const AggregateExpr& aggregate, AnnotationSet& notes) {
  std::vector<double> floats;
  for (const std::size_t i : group.members) {
    if (input[i].histogram == nullptr) {
      floats.push_back(input[i].v);
    } else {
      notes.HistogramIgnoredInAggregation(ToString(aggregate.op), aggregate.expr->position);
    }
  }
  return floats;
}

// NaN gives way to any number.
double ExtremeOf(const std::vector<double>& floats, bool max) {
  double extreme = floats.front();
  for (const double v : floats) {
    if (std::isnan(extreme) || (max ? extreme < v : extreme > v)) extreme = v;
  }
  return extreme;
}

double VarianceOfGroup(const std::vector<double>& floats) {
  AggregateVariance variance;
  for (const double v : floats) {
    variance.Add(v);
  }
  return variance.Value();
}

double SumOf(const std::vector<double>& floats) {
  KahanSum sum(floats.front());
  for (std::size_t i = 1; i < floats.size(); ++i) {
    sum.Add(floats[i]);
  }
  return sum.Total();
}

double MeanOf(const std::vector<double>& floats) {
  RunningMean mean;
  for (const double v : floats) {
    mean.Add(v);
  }
  return mean.Value();
}

// The histograms of a group, summed or averaged. Once one does not fit, the rest of the group is
// not looked at.
class HistogramReduction {
 public:
  HistogramReduction(const AggregateExpr& aggregate, const FloatHistogram& first,
                     AnnotationSet& notes)
      : average_(aggregate.op == AggregateOp::kAvg),
        at_(aggregate.expr->position),
        notes_(notes),
        sum_(first),
        mean_(first) {
    hints_.Add(first);
  }

  /// False if it does not fit.
  bool Add(const NaiveElement& element) {
    hints_.Add(*element.histogram);
    const Combination combination =
        average_ ? mean_.Add(*element.histogram) : sum_.Add(*element.histogram);
    if (!combination.compatible) {
      notes_.MixedExponentialCustomHistograms(element.labels.metric_name(), at_);
      return false;
    }
    if (combination.bounds_reconciled) {
      notes_.MismatchedCustomBuckets(HistogramOperation::kAggregation, at_);
    }
    return true;
  }

  FloatHistogram Value() const {
    if (hints_.collide()) notes_.CounterResetCollision(HistogramOperation::kAggregation, at_);
    return average_ ? mean_.Value() : sum_.Total();
  }

 private:
  bool average_;
  PositionRange at_;
  AnnotationSet& notes_;
  HistogramSum sum_;
  HistogramAverage mean_;
  HintsSeen hints_;
};

// sum and avg take floats or histograms, but not both.
std::optional<NaivePoint> SumOrAverage(const Group& group, const NaiveVector& input,
                                       const AggregateExpr& aggregate, AnnotationSet& notes) {
  std::vector<double> floats;
  std::optional<HistogramReduction> histograms;
  bool has_histogram = false;
  bool incompatible = false;
  for (const std::size_t i : group.members) {
    const NaiveElement& element = input[i];
    if (incompatible) break;
    if (element.histogram == nullptr) {
      floats.push_back(element.v);
      continue;
    }
    // Behind floats the group is lost anyway.
    const bool first = !has_histogram && floats.empty();
    has_histogram = true;
    if (first) {
      histograms.emplace(aggregate, *element.histogram, notes);
    } else if (histograms) {
      incompatible = !histograms->Add(element);
    }
  }
  if (has_histogram && !floats.empty()) {
    notes.MixedFloatsHistogramsInAggregation(aggregate.expr->position);
    return std::nullopt;
  }
  if (incompatible) return std::nullopt;
  if (histograms) return NaivePoint{0, std::make_shared<const FloatHistogram>(histograms->Value())};
  return NaivePoint{aggregate.op == AggregateOp::kSum ? SumOf(floats) : MeanOf(floats)};
}

std::optional<NaivePoint> ReduceGroup(const Group& group, const NaiveVector& input,
                                      const AggregateExpr& aggregate, double parameter,
                                      AnnotationSet& notes) {
  switch (aggregate.op) {
    case AggregateOp::kCount:
      return NaivePoint{static_cast<double>(group.members.size())};
    case AggregateOp::kGroup:
      return NaivePoint{1};
    case AggregateOp::kSum:
    case AggregateOp::kAvg:
      return SumOrAverage(group, input, aggregate, notes);
    default:
      break;
  }
  std::vector<double> floats = FloatsOf(group, input, aggregate, notes);
  if (floats.empty()) return std::nullopt;
  switch (aggregate.op) {
    case AggregateOp::kMin:
      return NaivePoint{ExtremeOf(floats, false)};
    case AggregateOp::kMax:
      return NaivePoint{ExtremeOf(floats, true)};
    case AggregateOp::kStdvar:
      return NaivePoint{VarianceOfGroup(floats)};
    case AggregateOp::kStddev:
      return NaivePoint{std::sqrt(VarianceOfGroup(floats))};
    case AggregateOp::kQuantile:
      return NaivePoint{Quantile(parameter, std::move(floats))};
    default:
      break;
  }
  CHECK(false);
}

// topk, bottomk and limitk: how many elements `parameter` allows. Nothing is selected below 1.
Result<std::size_t> SelectionSize(double parameter, std::size_t elements) {
  if (parameter < 1) return std::size_t{0};
  if (std::isnan(parameter)) return Error(ErrorKind::kInvalid, "Parameter value is NaN");
  constexpr double kMaxInt64 = 9223372036854774784.0;  // The largest double that fits.
  if (parameter >= kMaxInt64) {
    return Error(ErrorKind::kInvalid,
                 "Scalar value " + FormatFloatG(parameter) + " overflows int64");
  }
  return std::min(static_cast<std::size_t>(parameter), elements);
}

// A series' place in [0, 1] by the hash of its labels; limit_ratio takes those from the lower end
// for a positive ratio and from the upper end for a negative one, so that r and r-1 complement each
// other.
bool IsInRatio(const Labels& labels, double ratio) {
  constexpr double kMaxHash = 18446744073709551615.0;
  const double place = static_cast<double>(labels.Hash()) / kMaxHash;
  return ratio >= 0 ? place < ratio : place >= 1.0 + ratio;
}

std::vector<std::size_t> SelectExtreme(const Group& group, const NaiveVector& input,
                                       const AggregateExpr& aggregate, std::size_t k,
                                       AnnotationSet& notes) {
  const bool top = aggregate.op == AggregateOp::kTopk;
  TopK selection(k, top ? TopK::Order::kLargest : TopK::Order::kSmallest);
  for (const std::size_t i : group.members) {
    if (input[i].histogram == nullptr) {
      selection.Offer(input[i].v, i);
    } else {
      notes.HistogramIgnoredInAggregation(ToString(aggregate.op), aggregate.position);
    }
  }
  return selection.Take();
}

}  // namespace

Result<NaiveVector> NaiveQuery::EvalAggregate(const AggregateExpr& aggregate, Timestamp t) {
  if (aggregate.op == AggregateOp::kCountValues) return CountValues(aggregate, t);
  const std::uint64_t held_before = budget_.held();
  double parameter = 0;
  if (aggregate.parameter != nullptr) parameter = TRY(EvalScalar(*aggregate.parameter, t));
  NaiveVector input = TRY(EvalVector(*aggregate.expr, t));
  notes_.set_source(aggregate.position);
  NaiveVector result = IsSelection(aggregate.op)
                           ? TRY(SelectElements(aggregate, std::move(input), parameter))
                           : Reduce(aggregate, input, parameter);
  budget_.ReleaseTo(held_before);
  TRY(budget_.Add(SampleCount(result)));
  return result;
}

void NaiveQuery::NoteParameter(const AggregateExpr& aggregate, double parameter) {
  const auto [it, inserted] =
      parameters_.try_emplace(&aggregate, ParameterExtremes{parameter, parameter});
  ParameterExtremes& extremes = it->second;
  extremes.max = std::max(extremes.max, parameter);
  extremes.min = std::min(extremes.min, parameter);
  extremes.nan = extremes.nan || std::isnan(parameter);
}

NaiveVector NaiveQuery::Reduce(const AggregateExpr& aggregate, const NaiveVector& input,
                               double parameter) {
  if (aggregate.op == AggregateOp::kQuantile) NoteParameter(aggregate, parameter);
  NaiveVector result;
  for (const Group& group : GroupBy(aggregate, input)) {
    std::optional<NaivePoint> point = ReduceGroup(group, input, aggregate, parameter, notes_);
    if (!point) continue;
    const bool drop_name =
        std::ranges::any_of(group.members, [&](std::size_t i) { return input[i].drop_name; });
    result.push_back({.labels = group.labels,
                      .v = point->v,
                      .histogram = std::move(point->histogram),
                      .drop_name = drop_name});
  }
  return result;
}

Result<NaiveVector> NaiveQuery::SelectElements(const AggregateExpr& aggregate, NaiveVector input,
                                               double parameter) {
  std::size_t k = 0;
  double ratio = 0;
  if (aggregate.op == AggregateOp::kLimitRatio) {
    if (std::isnan(parameter)) return Error(ErrorKind::kInvalid, "Ratio value is NaN");
    NoteParameter(aggregate, parameter);
    ratio = std::clamp(parameter, -1.0, 1.0);
    if (ratio == 0) return NaiveVector();
  } else {
    k = TRY(SelectionSize(parameter, input.size()));
    if (k == 0) return NaiveVector();
  }
  std::vector<std::size_t> selected;
  for (const Group& group : GroupBy(aggregate, input)) {
    switch (aggregate.op) {
      case AggregateOp::kLimitRatio:
        std::ranges::copy_if(group.members, std::back_inserter(selected),
                             [&](std::size_t i) { return IsInRatio(input[i].labels, ratio); });
        break;
      case AggregateOp::kLimitk:
        std::ranges::copy_n(group.members.begin(),
                            static_cast<std::ptrdiff_t>(std::min(k, group.members.size())),
                            std::back_inserter(selected));
        break;
      default:
        std::ranges::copy(SelectExtreme(group, input, aggregate, k, notes_),
                          std::back_inserter(selected));
        break;
    }
  }
  NaiveVector result;
  result.reserve(selected.size());
  for (const std::size_t i : selected) {
    result.push_back(std::move(input[i]));
  }
  return result;
}

Result<NaiveVector> NaiveQuery::CountValues(const AggregateExpr& aggregate, Timestamp t) {
  const std::string& label = As<StringExpr>(Unwrap(*aggregate.parameter)).value;
  if (!IsValidName(label)) {
    return Error(ErrorKind::kInvalid, "invalid label name " + QuoteGo(label));
  }
  const std::uint64_t held_before = budget_.held();
  NaiveVector input = TRY(EvalVector(*aggregate.expr, t));
  std::vector<std::string> grouping = aggregate.grouping;
  if (!aggregate.without) grouping.push_back(label);

  NaiveVector result;
  std::map<Labels, std::size_t> index;
  for (const NaiveElement& element : input) {
    const std::string value = element.histogram == nullptr ? FormatFloatF(element.v)
                                                           : FormatHistogram(*element.histogram);
    const Labels labeled = LabelsBuilder(element.labels).Set(label, value).Build();
    Labels labels = GroupingLabels(labeled, aggregate.without, grouping);
    const auto [it, inserted] = index.try_emplace(labels, result.size());
    if (inserted) result.push_back({.labels = std::move(labels)});
    result[it->second].v += 1;
  }
  TRY(AccountFor(held_before, input.size(), result));
  return result;
}

}  // namespace sonde::promql
