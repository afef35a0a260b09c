#include "promql/promqltest/generator.h"

#include <array>
#include <limits>
#include <vector>

#include <fmt/format.h>

#include "base/number.h"
#include "base/quote.h"
#include "model/sample.h"
#include "promql/functions.h"

namespace sonde::promql {
namespace {

template <std::size_t kSize>
std::string_view Pick(Choices& choices, const std::array<std::string_view, kSize>& from) {
  return from[choices.Below(kSize)];
}

constexpr int kMaxDepth = 6;

constexpr auto kMetrics =
    std::to_array<std::string_view>({"requests_total", "errors_total", "temperature", "load",
                                     "latency_bucket", "target_info", "owner"});
constexpr auto kLabelNames = std::to_array<std::string_view>(
    {"job", "instance", "le", "team", "version", "__name__", "none"});
constexpr auto kNumbers = std::to_array<std::string_view>(
    {"1", "2", "0", "-1", "0.5", "3", "0.9", "100", "1e3", "-0.25", "NaN", "Inf", "-Inf", "7.5"});
constexpr auto kPhis =
    std::to_array<std::string_view>({"0.5", "0.9", "0", "1", "0.99", "-0.1", "1.5", "NaN"});
constexpr auto kRanges = std::to_array<std::string_view>(
    {"1m", "2m", "30s", "5m", "15s", "45s", "1m30s", "10s", "(30s + 1m)", "max_of(step(), 1m)"});
constexpr auto kSubqueries = std::to_array<std::string_view>(
    {"2m:30s", "5m:1m", "1m:15s", "3m:", "90s:20s", "1m:7s", "4m:(15s * 2)"});
constexpr auto kOffsets =
    std::to_array<std::string_view>({"1m", "-1m", "30s", "7s", "-15s", "(15s + 2)", "-step()"});
constexpr auto kInstants = std::to_array<std::string_view>(
    {" @ 120", " @ start()", " @ end()", " @ 300.5", " @ 0", " @ -30"});
constexpr auto kArithmetic =
    std::to_array<std::string_view>({"+", "-", "*", "/", "%", "^", "atan2"});
constexpr auto kComparisons = std::to_array<std::string_view>({"==", "!=", "<", "<=", ">", ">="});

/// Writes one query. Each part notes whether the order of its elements at a step is that of all its
/// series.
class QueryWriter {
 public:
  explicit QueryWriter(Choices& choices) : choices_(choices) {}

  GeneratedQuery Write();

 private:
  struct Part {
    std::string text;
    bool ordered = true;
  };

  Part Vector(int depth);
  Part VectorCall(int depth);
  Part CallOf(const Function& function, int depth);
  Part RangeCallOf(const Function& function, int depth);
  Part LabelCall(int depth);
  Part HistogramCall(const Function& function, int depth);
  Part Aggregate(int depth);
  Part VectorMatching(int depth);
  Part WithScalar(int depth);
  Part Matrix(int depth, const Function& function);
  std::string Scalar(int depth);
  std::string Selector();
  std::string Modifiers();
  std::string Grouping();
  std::string Labels();
  std::string Extended(const Function& function);

  Choices& choices_;
  bool order_free_ = false;
};

GeneratedQuery QueryWriter::Write() {
  GeneratedQuery query;
  query.text = choices_.OneIn(12) ? Scalar(0) : Vector(0).text;
  query.order_free = order_free_;
  return query;
}

QueryWriter::Part QueryWriter::Vector(int depth) {
  if (depth >= kMaxDepth || choices_.used_up()) return {Selector()};
  switch (choices_.Below(8)) {
    case 0:
      return {Selector() + Modifiers()};
    case 1:
    case 2:
      return VectorCall(depth + 1);
    case 3:
    case 4:
      return Aggregate(depth + 1);
    case 5:
      return VectorMatching(depth + 1);
    case 6:
      return WithScalar(depth + 1);
    default: {
      Part inner = Vector(depth + 1);
      inner.text = (choices_.OneIn(2) ? "-(" : "(") + inner.text + ")";
      return inner;
    }
  }
}

std::string QueryWriter::Selector() {
  std::string text;
  const std::uint32_t kind = choices_.Below(8);
  if (kind < 6) text = Pick(choices_, kMetrics);
  if (kind == 6) return R"({__name__=~"requests_total|errors_total|load"})";
  if (kind == 7) return R"({__name__=~".*_total", job="api"})";
  constexpr auto kMatchers = std::to_array<std::string_view>(
      {"", "", R"({job="api"})", R"({instance=~"a|b"})", R"({job!="web",instance!~"c.*"})",
       R"({team=""})", R"({instance=~".+"})"});
  text += Pick(choices_, kMatchers);
  return text;
}

std::string QueryWriter::Modifiers() {
  std::string text;
  if (choices_.OneIn(12)) text += " smoothed";
  if (choices_.OneIn(4)) text.append(" offset ").append(Pick(choices_, kOffsets));
  if (choices_.OneIn(6)) text += Pick(choices_, kInstants);
  return text;
}

std::string QueryWriter::Labels() {
  std::string text = "(";
  const std::uint32_t count = choices_.Below(3);
  for (std::uint32_t i = 0; i < count; ++i) {
    if (i > 0) text += ", ";
    text += Pick(choices_, kLabelNames);
  }
  return text + ")";
}

std::string QueryWriter::Grouping() {
  switch (choices_.Below(4)) {
    case 0:
      return "";
    case 1:
      return " without " + Labels() + " ";
    default:
      return " by " + Labels() + " ";
  }
}

// ----------------------------------------------------------------------------------------------
// calls

QueryWriter::Part QueryWriter::VectorCall(int depth) {
  const auto functions = AllFunctions();
  while (true) {
    const Function& function =
        functions[choices_.Below(static_cast<std::uint32_t>(functions.size()))];
    if (function.result == ValueType::kVector) return CallOf(function, depth);
    if (choices_.used_up()) return {Selector()};
  }
}

QueryWriter::Part QueryWriter::CallOf(const Function& function, int depth) {
  for (const ValueType type : function.arguments) {
    if (type == ValueType::kMatrix) return RangeCallOf(function, depth);
  }
  const std::string name(function.name);
  switch (function.id) {
    case FunctionId::kLabelReplace:
    case FunctionId::kLabelJoin:
      return LabelCall(depth);
    case FunctionId::kSortByLabel:
    case FunctionId::kSortByLabelDesc:
      return {fmt::format("{}({}, \"{}\")", name, Vector(depth).text, Pick(choices_, kLabelNames)),
              false};
    case FunctionId::kSort:
    case FunctionId::kSortDesc:
      return {fmt::format("{}({})", name, Vector(depth).text), false};
    case FunctionId::kInfo:
      return {fmt::format("info({}{})", Vector(depth).text,
                          choices_.OneIn(3) ? R"(, {version=~".+"})" : ""),
              false};
    case FunctionId::kHistogramQuantile:
    case FunctionId::kHistogramQuantiles:
    case FunctionId::kHistogramFraction:
      return HistogramCall(function, depth);
    default:
      break;
  }
  if (function.arguments[0] == ValueType::kScalar)
    return {fmt::format("{}({})", name, Scalar(depth))};
  if (function.variadic != 0 && function.arguments.size() == 1 && choices_.OneIn(4))
    return {name + "()"};
  Part part = Vector(depth);
  part.text = name + "(" + part.text;
  const std::size_t optional = function.variadic != 0 && choices_.OneIn(2) ? 1 : 0;
  for (std::size_t i = 1; i + optional < function.arguments.size(); ++i) {
    part.text += ", " + Scalar(depth);
  }
  part.text += ")";
  if (function.id == FunctionId::kAbsent) part.ordered = true;
  return part;
}

QueryWriter::Part QueryWriter::RangeCallOf(const Function& function, int depth) {
  Part part = Matrix(depth, function);
  std::string text(function.name);
  text += "(";
  for (std::size_t i = 0; i < function.arguments.size(); ++i) {
    if (i > 0) text += ", ";
    if (function.arguments[i] == ValueType::kMatrix) {
      text += part.text;
    } else if (function.id == FunctionId::kDoubleExponentialSmoothing) {
      text += choices_.OneIn(8) ? "1" : "0.3";
    } else if (function.id == FunctionId::kQuantileOverTime) {
      text += Pick(choices_, kPhis);
    } else {
      text += Scalar(depth);
    }
  }
  return {text + ")", part.ordered};
}

QueryWriter::Part QueryWriter::Matrix(int depth, const Function& function) {
  if (depth < kMaxDepth && choices_.OneIn(4)) {
    const std::string inner = Vector(depth).text;
    std::string text = fmt::format("({})[{}]", inner, Pick(choices_, kSubqueries));
    if (choices_.OneIn(4)) text.append(" offset ").append(Pick(choices_, kOffsets));
    if (choices_.OneIn(6)) text += Pick(choices_, kInstants);
    return {text, false};
  }
  std::string text = fmt::format("{}[{}]", Selector(), Pick(choices_, kRanges));
  text += Extended(function);
  if (choices_.OneIn(4)) text.append(" offset ").append(Pick(choices_, kOffsets));
  if (choices_.OneIn(8)) text += Pick(choices_, kInstants);
  return {text, true};
}

std::string QueryWriter::Extended(const Function& function) {
  if (!choices_.OneIn(5)) return "";
  const FunctionId id = function.id;
  const bool rate =
      id == FunctionId::kRate || id == FunctionId::kIncrease || id == FunctionId::kDelta;
  const bool count = id == FunctionId::kResets || id == FunctionId::kChanges;
  if (rate && choices_.OneIn(2)) return " smoothed";
  // Elsewhere an error, which must be the same.
  return rate || count || choices_.OneIn(10) ? " anchored" : "";
}

QueryWriter::Part QueryWriter::LabelCall(int depth) {
  Part part = Vector(depth);
  if (choices_.OneIn(2)) {
    constexpr auto kArguments = std::to_array<std::string_view>(
        {"'copy', '$1', 'job', '(.*)'", "'job', 'all', 'job', '.*'",
         "'instance', 'x-${1}', 'instance', '(a|b)'", "'__name__', 'renamed_$1', 'job', '(.+)'",
         "'instance', '', '', ''", "'none', 'v', 'le', '(0.+)'", "'bad', '$1', 'job', '('"});
    part.text = fmt::format("label_replace({}, {})", part.text, Pick(choices_, kArguments));
    return part;
  }
  constexpr auto kArguments = std::to_array<std::string_view>(
      {R"("both", "-", "job", "instance")", R"("instance", "")",
       R"("__name__", "_", "__name__", "job")", R"("x", ",", "none")"});
  part.text = fmt::format("label_join({}, {})", part.text, Pick(choices_, kArguments));
  return part;
}

QueryWriter::Part QueryWriter::HistogramCall(const Function& function, int depth) {
  constexpr auto kBuckets = std::to_array<std::string_view>(
      {"latency_bucket", "rate(latency_bucket[2m])", "sum by (le) (rate(latency_bucket[2m]))",
       "sum by (le, job) (latency_bucket)"});
  std::string input(Pick(choices_, kBuckets));
  if (choices_.OneIn(4)) input = Vector(depth).text;
  if (input.find("sum") != std::string::npos) order_free_ = true;
  switch (function.id) {
    case FunctionId::kHistogramQuantile:
      return {fmt::format("histogram_quantile({}, {})", Pick(choices_, kPhis), input), false};
    case FunctionId::kHistogramQuantiles:
      return {fmt::format("histogram_quantiles({}, \"q\", {}, {})", input, Pick(choices_, kPhis),
                          Pick(choices_, kPhis)),
              false};
    default:
      return {fmt::format("histogram_fraction({}, {}, {})", Pick(choices_, kNumbers),
                          Pick(choices_, kNumbers), input),
              false};
  }
}

// --------------------------------------------------------------------------------- aggregations,
// operators

QueryWriter::Part QueryWriter::Aggregate(int depth) {
  const auto op = static_cast<AggregateOp>(choices_.Below(14));
  const std::string name(ToString(op));
  const std::string grouping = Grouping();
  Part input = Vector(depth);
  switch (op) {
    case AggregateOp::kTopk:
    case AggregateOp::kBottomk:
    case AggregateOp::kLimitk:
      // Which of equal elements are taken depends on their order.
      if (!input.ordered) input.text = Selector();
      return {fmt::format("{}{}({}, {})", name, grouping, choices_.OneIn(10) ? Scalar(depth) : "2",
                          input.text),
              false};
    case AggregateOp::kLimitRatio:
      return {fmt::format("{}{}({}, {})", name, grouping, Pick(choices_, kNumbers), input.text),
              false};
    case AggregateOp::kQuantile:
      return {fmt::format("{}{}({}, {})", name, grouping, Pick(choices_, kPhis), input.text),
              false};
    case AggregateOp::kCountValues:
      // A value that differs in its last bit is another value.
      if (!input.ordered) input.text = Selector();
      return {fmt::format("{}{}(\"{}\", {})", name, grouping,
                          choices_.OneIn(4) ? Pick(choices_, kLabelNames) : "value", input.text),
              false};
    default:
      break;
  }
  const bool adds = op == AggregateOp::kSum || op == AggregateOp::kAvg ||
                    op == AggregateOp::kStddev || op == AggregateOp::kStdvar;
  if (adds && !input.ordered) order_free_ = true;
  return {fmt::format("{}{}({})", name, grouping, input.text), false};
}

QueryWriter::Part QueryWriter::WithScalar(int depth) {
  Part part = Vector(depth);
  const std::string scalar = Scalar(depth);
  std::string op(choices_.OneIn(3) ? Pick(choices_, kComparisons) : Pick(choices_, kArithmetic));
  const bool comparison = std::string_view("=!<>").find(op[0]) != std::string_view::npos;
  if (comparison && choices_.OneIn(2)) op += " bool";
  if (choices_.OneIn(30)) op = "</";
  part.text = choices_.OneIn(2) ? fmt::format("({}) {} ({})", scalar, op, part.text)
                                : fmt::format("({}) {} ({})", part.text, op, scalar);
  return part;
}

QueryWriter::Part QueryWriter::VectorMatching(int depth) {
  const Part left = Vector(depth);
  // An operand that is its own partner finds matches.
  const Part right = choices_.OneIn(3) ? left : Vector(depth);
  if (choices_.OneIn(4)) {
    constexpr auto kSets = std::to_array<std::string_view>({"and", "or", "unless"});
    const std::string op(Pick(choices_, kSets));
    const std::string on = choices_.OneIn(2) ? " on " + Labels() : "";
    return {fmt::format("({}) {}{} ({})", left.text, op, on, right.text),
            left.ordered && right.ordered};
  }
  std::string op(choices_.OneIn(3) ? Pick(choices_, kComparisons) : Pick(choices_, kArithmetic));
  const bool comparison = std::string_view("=!<>").find(op[0]) != std::string_view::npos;
  if (comparison && choices_.OneIn(3)) op += " bool";
  if (choices_.OneIn(30)) op = ">/";
  constexpr auto kMatchings = std::to_array<std::string_view>(
      {"", " on (job, instance)", " on (job)", " on (instance) group_left ()",
       " on (job) group_left (team)", " on (job) group_right ()",
       " ignoring (instance, le) group_left (version)", " ignoring (le)", " on ()",
       " on (job, instance) group_right (team)"});
  std::string matching(Pick(choices_, kMatchings));
  if (choices_.OneIn(6)) {
    constexpr auto kFills = std::to_array<std::string_view>(
        {" fill (0)", " fill_left (1)", " fill_right (-1)", " fill (NaN)"});
    matching += Pick(choices_, kFills);
  }
  return {fmt::format("({}) {}{} ({})", left.text, op, matching, right.text),
          left.ordered && right.ordered};
}

std::string QueryWriter::Scalar(int depth) {
  if (depth >= kMaxDepth || choices_.used_up()) return std::string(Pick(choices_, kNumbers));
  switch (choices_.Below(10)) {
    case 5:
      return "time()";
    case 6:
      return fmt::format("scalar({})", Vector(depth + 1).text);
    case 7:
      return fmt::format("({} {} {})", Scalar(depth + 1), Pick(choices_, kArithmetic),
                         Scalar(depth + 1));
    case 8:
      return fmt::format("({} {} bool {})", Scalar(depth + 1), Pick(choices_, kComparisons),
                         Scalar(depth + 1));
    case 9: {
      constexpr auto kCalls =
          std::to_array<std::string_view>({"pi()", "start()", "end()", "step()", "range()",
                                           "max_of(1, time())", "min_of(time(), 100)"});
      return std::string(Pick(choices_, kCalls));
    }
    default:
      return std::string(Pick(choices_, kNumbers));
  }
}

// -----------------------------------------------------------------------------------------------
// data

enum class Shape : std::uint8_t { kCounter, kGauge, kBucket, kInfo };

/// Writes the samples of one series.
class SeriesWriter {
 public:
  SeriesWriter(Choices& choices, bool calm, MemoryStore& store)
      : choices_(choices), calm_(calm), store_(store) {}

  void Write(const sonde::Labels& labels, Shape shape, double scale) {
    constexpr std::int64_t kEnd = 720'000;
    const std::int64_t interval = choices_.OneIn(4) ? 20'000 : 15'000;
    std::int64_t t = choices_.OneIn(3) ? static_cast<std::int64_t>(choices_.Below(300)) * 1000 : 0;
    const std::int64_t end = choices_.OneIn(4) ? kEnd / 2 : kEnd;
    // Scraped off the beat.
    if (choices_.OneIn(3)) t += choices_.Below(5000);
    double value = shape == Shape::kInfo ? 1 : static_cast<double>(choices_.Below(50)) * scale;
    start_ = {choices_.OneIn(3) ? t + 1 : 0};
    for (; t <= end; t += interval) {
      value = Next(shape, value, scale, {t});
      if (choices_.OneIn(20)) {
        t += interval * choices_.Below(25);  // A gap.
        continue;
      }
      const double stored = choices_.OneIn(40) ? StaleNan() : value;
      store_.Append(labels, {t}, stored, start_.ms < t ? start_ : Timestamp{});
    }
  }

 private:
  double Next(Shape shape, double value, double scale, Timestamp t) {
    switch (shape) {
      case Shape::kInfo:
        return 1;
      case Shape::kGauge:
        if (!calm_ && choices_.OneIn(40)) {
          constexpr auto kOdd = std::to_array<double>(
              {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
               -std::numeric_limits<double>::infinity(), 1e308, -1e308, 5e-324, -0.0});
          return kOdd[choices_.Below(kOdd.size())];
        }
        return (static_cast<double>(choices_.Below(200)) - 100) * scale;
      default:
        if (choices_.OneIn(25)) {  // A restart.
          if (start_.ms != 0) start_ = t - Duration(choices_.Below(4) * 5000);
          return choices_.Below(5);
        }
        return value + static_cast<double>(choices_.Below(12)) * scale;
    }
  }

  Choices& choices_;
  bool calm_;
  MemoryStore& store_;
  Timestamp start_{};
};

}  // namespace

std::uint32_t Choices::Below(std::uint32_t bound) {
  std::uint32_t value = 0;
  const int bytes = bound > 256 ? 2 : 1;
  for (int i = 0; i < bytes; ++i) {
    value = value * 256 + (used_up() ? 0 : bytes_[at_++]);
  }
  return value % bound;
}

GeneratedQuery GenerateQuery(Choices& choices) {
  return QueryWriter(choices).Write();
}

void GenerateData(Choices& choices, bool calm, MemoryStore& store) {
  SeriesWriter writer(choices, calm, store);
  for (const std::string_view job : {"api", "web"}) {
    for (const std::string_view instance : {"a", "b", "c"}) {
      if (choices.OneIn(8)) continue;
      const auto labels = [&](std::string_view name) {
        return Labels::Of({{"__name__", name}, {"instance", instance}, {"job", job}});
      };
      writer.Write(labels("requests_total"), Shape::kCounter, 1);
      writer.Write(labels("errors_total"), Shape::kCounter, 0.1);
      writer.Write(labels("temperature"), Shape::kGauge, 0.37);
      writer.Write(labels("load"), Shape::kGauge, 1);
      const std::string_view version = choices.OneIn(3) ? "2" : "1";
      writer.Write(Labels::Of({{"__name__", "target_info"},
                               {"instance", instance},
                               {"job", job},
                               {"version", version}}),
                   Shape::kInfo, 1);
    }
    for (const std::string_view le : {"0.1", "0.5", "1", "+Inf"}) {
      if (choices.OneIn(12)) continue;
      writer.Write(Labels::Of({{"__name__", "latency_bucket"}, {"job", job}, {"le", le}}),
                   Shape::kBucket, 1);
    }
    writer.Write(
        Labels::Of({{"__name__", "owner"}, {"job", job}, {"team", job == "api" ? "red" : "blue"}}),
        Shape::kInfo, 1);
  }
}

GeneratedSetting GenerateSetting(Choices& choices) {
  GeneratedSetting setting;
  EvalOptions& options = setting.options;
  constexpr auto kLookbacks = std::to_array<std::int64_t>({300'000, 60'000, 20'000});
  options.lookback = Duration(kLookbacks[choices.Below(kLookbacks.size())]);
  options.default_subquery_step = Duration(choices.OneIn(2) ? 15'000 : 60'000);
  options.delayed_name_removal = choices.OneIn(2);
  options.use_start_timestamps = choices.OneIn(3);
  options.type_and_unit_labels = choices.OneIn(8);
  options.timeout = Duration(1'000'000'000);
  const auto start = static_cast<std::int64_t>(choices.Below(700)) * 1000;
  setting.range.start = {start + (choices.OneIn(3) ? 500 : 0)};
  setting.range.end = setting.range.start;
  if (choices.OneIn(3)) return setting;
  constexpr auto kSteps =
      std::to_array<std::int64_t>({15'000, 30'000, 60'000, 7'000, 120'000, 1'000});
  setting.range.step = Duration(kSteps[choices.Below(kSteps.size())]);
  const std::uint32_t steps = choices.Below(12);
  setting.range.end = setting.range.start + setting.range.step * steps + Duration(choices.Below(3));
  return setting;
}

}  // namespace sonde::promql
