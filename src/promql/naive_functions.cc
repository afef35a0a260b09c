#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/regex.h"
#include "model/names.h"
#include "promql/dates.h"
#include "promql/functions.h"
#include "promql/label_functions.h"
#include "promql/naive_query.h"
#include "promql/numerics.h"

namespace sonde::promql {
namespace {

const std::string& StringArgument(const CallExpr& call, std::size_t i) {
  return As<StringExpr>(Unwrap(*call.arguments[i])).value;
}

double Scalar(const std::vector<NaiveValue>& arguments, std::size_t i) {
  return std::get<double>(arguments[i]);
}

// The functions of one float. Null for other functions.
double (*MathFunction(FunctionId id))(double) {
  switch (id) {
    case FunctionId::kAbs:
      return [](double v) { return std::fabs(v); };
    case FunctionId::kAcos:
      return [](double v) { return std::acos(v); };
    case FunctionId::kAcosh:
      return [](double v) { return std::acosh(v); };
    case FunctionId::kAsin:
      return [](double v) { return std::asin(v); };
    case FunctionId::kAsinh:
      return [](double v) { return std::asinh(v); };
    case FunctionId::kAtan:
      return [](double v) { return std::atan(v); };
    case FunctionId::kAtanh:
      return [](double v) { return std::atanh(v); };
    case FunctionId::kCeil:
      return [](double v) { return std::ceil(v); };
    case FunctionId::kCos:
      return [](double v) { return std::cos(v); };
    case FunctionId::kCosh:
      return [](double v) { return std::cosh(v); };
    case FunctionId::kDeg:
      return [](double v) { return v * 180 / std::numbers::pi; };
    case FunctionId::kExp:
      return [](double v) { return std::exp(v); };
    case FunctionId::kFloor:
      return [](double v) { return std::floor(v); };
    case FunctionId::kLn:
      return [](double v) { return std::log(v); };
    case FunctionId::kLog10:
      return [](double v) { return std::log10(v); };
    case FunctionId::kLog2:
      return [](double v) { return std::log2(v); };
    case FunctionId::kRad:
      return [](double v) { return v * std::numbers::pi / 180; };
    case FunctionId::kSgn:
      return [](double v) { return v < 0 ? -1.0 : (v > 0 ? 1.0 : v); };
    case FunctionId::kSin:
      return [](double v) { return std::sin(v); };
    case FunctionId::kSinh:
      return [](double v) { return std::sinh(v); };
    case FunctionId::kSqrt:
      return [](double v) { return std::sqrt(v); };
    case FunctionId::kTan:
      return [](double v) { return std::tan(v); };
    case FunctionId::kTanh:
      return [](double v) { return std::tanh(v); };
    default:
      return nullptr;
  }
}

// What a date function reads off a calendar time. Null for other functions.
double (*DateFunction(FunctionId id))(const CivilTime&) {
  switch (id) {
    case FunctionId::kYear:
      return [](const CivilTime& time) { return static_cast<double>(time.year); };
    case FunctionId::kMonth:
      return [](const CivilTime& time) { return static_cast<double>(time.month); };
    case FunctionId::kDaysInMonth:
      return [](const CivilTime& time) { return static_cast<double>(time.days_in_month); };
    case FunctionId::kDayOfMonth:
      return [](const CivilTime& time) { return static_cast<double>(time.day); };
    case FunctionId::kDayOfWeek:
      return [](const CivilTime& time) { return static_cast<double>(time.weekday); };
    case FunctionId::kDayOfYear:
      return [](const CivilTime& time) { return static_cast<double>(time.day_of_year); };
    case FunctionId::kHour:
      return [](const CivilTime& time) { return static_cast<double>(time.hour); };
    case FunctionId::kMinute:
      return [](const CivilTime& time) { return static_cast<double>(time.minute); };
    default:
      return nullptr;
  }
}

// The one float of a vector; NaN if there is none or more than one.
double OnlyFloat(const NaiveVector& vector) {
  const double* found = nullptr;
  for (const NaiveElement& element : vector) {
    if (element.histogram != nullptr) continue;
    if (found != nullptr) return std::numeric_limits<double>::quiet_NaN();
    found = &element.v;
  }
  return found == nullptr ? std::numeric_limits<double>::quiet_NaN() : *found;
}

void SortByValue(NaiveVector& vector, bool descending) {
  std::erase_if(vector, [](const NaiveElement& element) { return element.histogram != nullptr; });
  std::ranges::stable_sort(vector, [descending](const NaiveElement& a, const NaiveElement& b) {
    if (std::isnan(a.v) || std::isnan(b.v)) return !std::isnan(a.v) && std::isnan(b.v);
    return descending ? a.v > b.v : a.v < b.v;
  });
}

// By the named labels in natural order; whatever they leave equal, by the whole label set.
void SortByLabels(const CallExpr& call, NaiveVector& vector, bool descending) {
  std::ranges::stable_sort(vector, [&](const NaiveElement& left, const NaiveElement& right) {
    const NaiveElement& a = descending ? right : left;
    const NaiveElement& b = descending ? left : right;
    for (std::size_t i = 1; i < call.arguments.size(); ++i) {
      const std::string& name = StringArgument(call, i);
      const std::string_view value_a = a.labels.Get(name);
      const std::string_view value_b = b.labels.Get(name);
      if (value_a != value_b) return NaturalLess(value_a, value_b);
    }
    return a.labels < b.labels;
  });
}

double ScalarFunction(FunctionId id, const std::vector<NaiveValue>& arguments, Timestamp t) {
  switch (id) {
    case FunctionId::kTime:
      return t.seconds();
    case FunctionId::kPi:
      return std::numbers::pi;
    case FunctionId::kScalar:
      return OnlyFloat(std::get<NaiveVector>(arguments[0]));
    case FunctionId::kMaxOf:
      return GoMax(Scalar(arguments, 0), Scalar(arguments, 1));
    case FunctionId::kMinOf:
      return GoMin(Scalar(arguments, 0), Scalar(arguments, 1));
    default:
      break;
  }
  CHECK(false);  // The others are constants of the query (naive_prepare.cc).
}

Status CheckLabelName(std::string_view what, std::string_view function, const std::string& name) {
  if (IsValidName(name)) return OkStatus();
  std::string message = "invalid ";
  message += what;
  message += " label name in ";
  message += function;
  message += "(): ";
  return Error(ErrorKind::kInvalid, message + name);
}

}  // namespace

Result<NaiveValue> NaiveQuery::EvalInstantCall(const CallExpr& call, Timestamp t) {
  const std::uint64_t held_before = budget_.held();
  std::uint64_t inputs = 0;
  std::vector<NaiveValue> arguments;
  for (const ExprPtr& argument : call.arguments) {
    if (TypeOf(*argument) == ValueType::kString) {
      arguments.emplace_back(0.0);  // Keeps the places; the function reads the literal.
      continue;
    }
    arguments.push_back(TRY(Eval(*argument, t)));
    const auto* vector = std::get_if<NaiveVector>(&arguments.back());
    inputs += vector == nullptr ? 1 : vector->size();
  }
  NaiveValue value = ApplyFunction(call, std::move(arguments), t);
  TRY(AccountFor(held_before, inputs, value));
  const auto* vector = std::get_if<NaiveVector>(&value);
  if (vector != nullptr && !options_.delayed_name_removal) TRY(CheckUnique(*vector));
  return value;
}

NaiveValue NaiveQuery::ApplyFunction(const CallExpr& call, std::vector<NaiveValue> arguments,
                                     Timestamp t) {
  notes_.set_source(call.position);
  const FunctionId id = call.function->id;
  if (call.function->result == ValueType::kScalar) return ScalarFunction(id, arguments, t);
  if (DateFunction(id) != nullptr) return DatesOf(call, arguments, t);
  switch (id) {
    case FunctionId::kVector:
      return NaiveVector{{.v = Scalar(arguments, 0)}};
    case FunctionId::kHistogramQuantile:
    case FunctionId::kHistogramQuantiles:
      return HistogramQuantiles(call, arguments, t);
    case FunctionId::kHistogramFraction:
      return HistogramFractions(call, arguments);
    default:
      return ApplyToVector(call, std::move(std::get<NaiveVector>(arguments[0])), arguments, t);
  }
}

// The functions whose first argument is the vector that they change.
NaiveVector NaiveQuery::ApplyToVector(const CallExpr& call, NaiveVector vector,
                                      const std::vector<NaiveValue>& arguments, Timestamp t) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (const auto f = MathFunction(call.function->id)) return MapFloats(std::move(vector), f);
  switch (call.function->id) {
    case FunctionId::kAbsent:
      if (!vector.empty()) return {};
      return {{.labels = LabelsForAbsent(*call.arguments[0]), .v = 1}};
    case FunctionId::kSort:
    case FunctionId::kSortDesc:
    case FunctionId::kSortByLabel:
    case FunctionId::kSortByLabelDesc:
      Sort(call, vector);
      return vector;
    case FunctionId::kClamp:
      return Clamp(std::move(vector), Scalar(arguments, 1), Scalar(arguments, 2));
    case FunctionId::kClampMin:
      return Clamp(std::move(vector), Scalar(arguments, 1), kInfinity);
    case FunctionId::kClampMax:
      return Clamp(std::move(vector), -kInfinity, Scalar(arguments, 1));
    case FunctionId::kRound: {
      // By the inverse: 10 is exact, 0.1 is not.
      const double inverse = 1.0 / (arguments.size() > 1 ? Scalar(arguments, 1) : 1.0);
      return MapFloats(std::move(vector),
                       [inverse](double v) { return std::floor(v * inverse + 0.5) / inverse; });
    }
    case FunctionId::kTimestamp:
      // Of anything but a selector: an element that was made at the evaluation time.
      for (NaiveElement& element : vector) {
        element.v = t.seconds();
        element.histogram = nullptr;
        MarkNameDropped(element);
      }
      return vector;
    case FunctionId::kStartTimestamp:
      return {};
    default:
      return MapHistograms(call, vector);
  }
}

NaiveVector NaiveQuery::MapFloats(NaiveVector vector,
                                  const std::function<double(double)>& f) const {
  std::erase_if(vector, [](const NaiveElement& element) { return element.histogram != nullptr; });
  for (NaiveElement& element : vector) {
    element.v = f(element.v);
    MarkNameDropped(element);
  }
  return vector;
}

NaiveVector NaiveQuery::Clamp(NaiveVector vector, double min, double max) const {
  if (max < min) return {};
  return MapFloats(std::move(vector), [min, max](double v) { return GoMax(min, GoMin(max, v)); });
}

NaiveVector NaiveQuery::DatesOf(const CallExpr& call, const std::vector<NaiveValue>& arguments,
                                Timestamp t) const {
  const auto read = DateFunction(call.function->id);
  if (arguments.empty()) {
    const auto seconds = static_cast<double>(t.ms / 1000);
    return {{.v = read(CivilFromSeconds(seconds))}};
  }
  return MapFloats(std::get<NaiveVector>(arguments[0]),
                   [read](double v) { return read(CivilFromSeconds(v)); });
}

void NaiveQuery::Sort(const CallExpr& call, NaiveVector& vector) {
  if (many_steps_) notes_.SortInRangeQuery(call.position);
  const FunctionId id = call.function->id;
  const bool descending = id == FunctionId::kSortDesc || id == FunctionId::kSortByLabelDesc;
  if (id == FunctionId::kSort || id == FunctionId::kSortDesc) {
    return SortByValue(vector, descending);
  }
  SortByLabels(call, vector, descending);
}

Result<NaiveVector> NaiveQuery::EvalLabelReplace(const CallExpr& call, Timestamp t) {
  const std::string& destination = StringArgument(call, 1);
  const std::string& replacement = StringArgument(call, 2);
  const std::string& source = StringArgument(call, 3);
  const std::string& pattern = StringArgument(call, 4);
  const Result<Regex> regex = Regex::Compile(pattern);
  if (!regex) {
    return Error(ErrorKind::kInvalid, "invalid regular expression in label_replace(): " + pattern);
  }
  TRY(CheckLabelName("destination", call.function->name, destination));
  NaiveVector vector = TRY(EvalVector(*call.arguments[0], t));
  for (NaiveElement& element : vector) {
    const auto value = regex->Expand(element.labels.Get(source), replacement);
    if (!value) continue;
    element.labels = LabelsBuilder(element.labels).Set(destination, *value).Build();
    if (destination == kMetricName) element.drop_name = false;
  }
  TRY(CheckUnique(vector));
  return vector;
}

Result<NaiveVector> NaiveQuery::EvalLabelJoin(const CallExpr& call, Timestamp t) {
  const std::string& destination = StringArgument(call, 1);
  const std::string& separator = StringArgument(call, 2);
  for (std::size_t i = 3; i < call.arguments.size(); ++i) {
    TRY(CheckLabelName("source", call.function->name, StringArgument(call, i)));
  }
  TRY(CheckLabelName("destination", call.function->name, destination));
  NaiveVector vector = TRY(EvalVector(*call.arguments[0], t));
  for (NaiveElement& element : vector) {
    std::string joined;
    for (std::size_t i = 3; i < call.arguments.size(); ++i) {
      if (i > 3) joined += separator;
      joined += element.labels.Get(StringArgument(call, i));
    }
    element.labels = LabelsBuilder(element.labels).Set(destination, joined).Build();
    if (destination == kMetricName) element.drop_name = false;
  }
  TRY(CheckUnique(vector));
  return vector;
}

}  // namespace sonde::promql
