#include "promql/functions.h"

#include <algorithm>
#include <array>

namespace sonde::promql {
namespace {

using Id = FunctionId;
constexpr ValueType kS = ValueType::kScalar;
constexpr ValueType kV = ValueType::kVector;
constexpr ValueType kM = ValueType::kMatrix;
constexpr ValueType kT = ValueType::kString;

template <ValueType... kTypes>
constexpr std::array<ValueType, sizeof...(kTypes)> kArguments{kTypes...};

constexpr bool kExperimental = true;

// Sorted by name.
constexpr Function kFunctions[] = {
    {Id::kAbs, "abs", kArguments<kV>, 0, kV},
    {Id::kAbsent, "absent", kArguments<kV>, 0, kV},
    {Id::kAbsentOverTime, "absent_over_time", kArguments<kM>, 0, kV},
    {Id::kAcos, "acos", kArguments<kV>, 0, kV},
    {Id::kAcosh, "acosh", kArguments<kV>, 0, kV},
    {Id::kAsin, "asin", kArguments<kV>, 0, kV},
    {Id::kAsinh, "asinh", kArguments<kV>, 0, kV},
    {Id::kAtan, "atan", kArguments<kV>, 0, kV},
    {Id::kAtanh, "atanh", kArguments<kV>, 0, kV},
    {Id::kAvgOverTime, "avg_over_time", kArguments<kM>, 0, kV},
    {Id::kCeil, "ceil", kArguments<kV>, 0, kV},
    {Id::kChanges, "changes", kArguments<kM>, 0, kV},
    {Id::kClamp, "clamp", kArguments<kV, kS, kS>, 0, kV},
    {Id::kClampMax, "clamp_max", kArguments<kV, kS>, 0, kV},
    {Id::kClampMin, "clamp_min", kArguments<kV, kS>, 0, kV},
    {Id::kCos, "cos", kArguments<kV>, 0, kV},
    {Id::kCosh, "cosh", kArguments<kV>, 0, kV},
    {Id::kCountOverTime, "count_over_time", kArguments<kM>, 0, kV},
    {Id::kDayOfMonth, "day_of_month", kArguments<kV>, 1, kV},
    {Id::kDayOfWeek, "day_of_week", kArguments<kV>, 1, kV},
    {Id::kDayOfYear, "day_of_year", kArguments<kV>, 1, kV},
    {Id::kDaysInMonth, "days_in_month", kArguments<kV>, 1, kV},
    {Id::kDeg, "deg", kArguments<kV>, 0, kV},
    {Id::kDelta, "delta", kArguments<kM>, 0, kV},
    {Id::kDeriv, "deriv", kArguments<kM>, 0, kV},
    {Id::kDoubleExponentialSmoothing, "double_exponential_smoothing", kArguments<kM, kS, kS>, 0, kV,
     kExperimental},
    {Id::kEnd, "end", kArguments<>, 0, kS, kExperimental},
    {Id::kExp, "exp", kArguments<kV>, 0, kV},
    {Id::kFirstOverTime, "first_over_time", kArguments<kM>, 0, kV},
    {Id::kFloor, "floor", kArguments<kV>, 0, kV},
    {Id::kHistogramAvg, "histogram_avg", kArguments<kV>, 0, kV},
    {Id::kHistogramCount, "histogram_count", kArguments<kV>, 0, kV},
    {Id::kHistogramFraction, "histogram_fraction", kArguments<kS, kS, kV>, 0, kV},
    {Id::kHistogramQuantile, "histogram_quantile", kArguments<kS, kV>, 0, kV},
    {Id::kHistogramQuantiles, "histogram_quantiles", kArguments<kV, kT, kS, kS>, 9, kV,
     kExperimental},
    {Id::kHistogramStddev, "histogram_stddev", kArguments<kV>, 0, kV},
    {Id::kHistogramStdvar, "histogram_stdvar", kArguments<kV>, 0, kV},
    {Id::kHistogramSum, "histogram_sum", kArguments<kV>, 0, kV},
    {Id::kHour, "hour", kArguments<kV>, 1, kV},
    {Id::kIdelta, "idelta", kArguments<kM>, 0, kV},
    {Id::kIncrease, "increase", kArguments<kM>, 0, kV},
    {Id::kInfo, "info", kArguments<kV, kV>, 1, kV, kExperimental},
    {Id::kIrate, "irate", kArguments<kM>, 0, kV},
    {Id::kLabelJoin, "label_join", kArguments<kV, kT, kT, kT>, -1, kV},
    {Id::kLabelReplace, "label_replace", kArguments<kV, kT, kT, kT, kT>, 0, kV},
    {Id::kLastOverTime, "last_over_time", kArguments<kM>, 0, kV},
    {Id::kLn, "ln", kArguments<kV>, 0, kV},
    {Id::kLog10, "log10", kArguments<kV>, 0, kV},
    {Id::kLog2, "log2", kArguments<kV>, 0, kV},
    {Id::kMadOverTime, "mad_over_time", kArguments<kM>, 0, kV, kExperimental},
    {Id::kMaxOf, "max_of", kArguments<kS, kS>, 0, kS, kExperimental},
    {Id::kMaxOverTime, "max_over_time", kArguments<kM>, 0, kV},
    {Id::kMinOf, "min_of", kArguments<kS, kS>, 0, kS, kExperimental},
    {Id::kMinOverTime, "min_over_time", kArguments<kM>, 0, kV},
    {Id::kMinute, "minute", kArguments<kV>, 1, kV},
    {Id::kMonth, "month", kArguments<kV>, 1, kV},
    {Id::kPi, "pi", kArguments<>, 0, kS},
    {Id::kPredictLinear, "predict_linear", kArguments<kM, kS>, 0, kV},
    {Id::kPresentOverTime, "present_over_time", kArguments<kM>, 0, kV},
    {Id::kQuantileOverTime, "quantile_over_time", kArguments<kS, kM>, 0, kV},
    {Id::kRad, "rad", kArguments<kV>, 0, kV},
    {Id::kRange, "range", kArguments<>, 0, kS, kExperimental},
    {Id::kRate, "rate", kArguments<kM>, 0, kV},
    {Id::kResets, "resets", kArguments<kM>, 0, kV},
    {Id::kRound, "round", kArguments<kV, kS>, 1, kV},
    {Id::kScalar, "scalar", kArguments<kV>, 0, kS},
    {Id::kSgn, "sgn", kArguments<kV>, 0, kV},
    {Id::kSin, "sin", kArguments<kV>, 0, kV},
    {Id::kSinh, "sinh", kArguments<kV>, 0, kV},
    {Id::kSort, "sort", kArguments<kV>, 0, kV},
    {Id::kSortByLabel, "sort_by_label", kArguments<kV, kT>, -1, kV, kExperimental},
    {Id::kSortByLabelDesc, "sort_by_label_desc", kArguments<kV, kT>, -1, kV, kExperimental},
    {Id::kSortDesc, "sort_desc", kArguments<kV>, 0, kV},
    {Id::kSqrt, "sqrt", kArguments<kV>, 0, kV},
    {Id::kStart, "start", kArguments<>, 0, kS, kExperimental},
    {Id::kStartTimestamp, "start_timestamp", kArguments<kV>, 0, kV, kExperimental},
    {Id::kStddevOverTime, "stddev_over_time", kArguments<kM>, 0, kV},
    {Id::kStdvarOverTime, "stdvar_over_time", kArguments<kM>, 0, kV},
    {Id::kStep, "step", kArguments<>, 0, kS, kExperimental},
    {Id::kSumOverTime, "sum_over_time", kArguments<kM>, 0, kV},
    {Id::kTan, "tan", kArguments<kV>, 0, kV},
    {Id::kTanh, "tanh", kArguments<kV>, 0, kV},
    {Id::kTime, "time", kArguments<>, 0, kS},
    {Id::kTimestamp, "timestamp", kArguments<kV>, 0, kV},
    {Id::kTsOfFirstOverTime, "ts_of_first_over_time", kArguments<kM>, 0, kV, kExperimental},
    {Id::kTsOfLastOverTime, "ts_of_last_over_time", kArguments<kM>, 0, kV, kExperimental},
    {Id::kTsOfMaxOverTime, "ts_of_max_over_time", kArguments<kM>, 0, kV, kExperimental},
    {Id::kTsOfMinOverTime, "ts_of_min_over_time", kArguments<kM>, 0, kV, kExperimental},
    {Id::kVector, "vector", kArguments<kS>, 0, kV},
    {Id::kYear, "year", kArguments<kV>, 1, kV},
};
static_assert(std::size(kFunctions) == 90);

}  // namespace

const Function* FindFunction(std::string_view name) {
  const auto* found = std::ranges::lower_bound(kFunctions, name, {}, &Function::name);
  return found != std::end(kFunctions) && found->name == name ? found : nullptr;
}

std::span<const Function> AllFunctions() {
  return kFunctions;
}

}  // namespace sonde::promql
