#include "promql/promqltest/script.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/duration.h"
#include "base/number.h"
#include "base/quote.h"
#include "promql/lexer.h"
#include "promql/parser.h"
#include "promql/promqltest/runner.h"

namespace sonde::promql {
namespace {

constexpr std::string_view kSpace = " \t";
constexpr std::string_view kRangeVector = "expect range vector";
constexpr std::string_view kString = "expect string";

std::vector<std::string_view> SplitLines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (true) {
    const std::size_t end = text.find('\n');
    std::string_view line = TrimSpace(text.substr(0, end));
    if (line.starts_with('#')) line = {};  // A comment ends a block, as an empty line does.
    lines.push_back(line);
    if (end == std::string_view::npos) return lines;
    text.remove_prefix(end + 1);
  }
}

// Cuts the first word off and the space behind it.
std::string_view TakeWord(std::string_view& rest) {
  const std::size_t end = std::min(rest.find_first_of(kSpace), rest.size());
  const std::string_view word = rest.substr(0, end);
  rest.remove_prefix(std::min(rest.find_first_not_of(kSpace, end), rest.size()));
  return word;
}

bool TakePrefix(std::string_view& rest, std::string_view prefix) {
  if (!rest.starts_with(prefix)) return false;
  rest.remove_prefix(prefix.size());
  return true;
}

// `from A to B step S`, and whatever follows the step.
struct RangeText {
  std::string_view from;
  std::string_view to;
  std::string_view step;
  std::string_view rest;
};

std::optional<RangeText> SplitRange(std::string_view text) {
  RangeText range;
  if (TakeWord(text) != "from") return std::nullopt;
  range.from = TakeWord(text);
  if (TakeWord(text) != "to") return std::nullopt;
  range.to = TakeWord(text);
  if (TakeWord(text) != "step") return std::nullopt;
  range.step = TakeWord(text);
  range.rest = text;
  return range;
}

// A regular expression that matches anywhere in a message, unlike those of matchers.
Result<Regex> CompileUnanchored(std::string_view pattern) {
  return Regex::Compile("(?s:.*)(?-s:" + std::string(pattern) + ")(?s:.*)");
}

std::optional<double> ParseLoneNumber(std::string_view line) {
  std::string_view digits = line;
  const bool negative = TakePrefix(digits, "-");
  if (!negative) TakePrefix(digits, "+");
  if (digits.empty() || digits[0] == '-' || digits[0] == '+') return std::nullopt;
  const auto value = ParseNumberLiteral(digits);
  if (!value) return std::nullopt;
  return negative ? -*value : *value;
}

class ScriptParser {
 public:
  explicit ScriptParser(std::string_view text) : lines_(SplitLines(text)) {}

  Result<std::vector<Command>> Parse();

 private:
  Error Fail(std::string_view message) const {
    return Error(ErrorKind::kInvalid, fmt::format("line {}: {}", at_ + 1, message));
  }
  // True if the block goes on, with at_ on its next line.
  bool NextLine() {
    if (at_ + 1 >= lines_.size() || lines_[at_ + 1].empty()) return false;
    ++at_;
    return true;
  }
  Result<Duration> ReadDuration(std::string_view text, std::string_view what) const;

  Result<LoadCommand> ParseLoad(std::string_view keyword, std::string_view rest);
  Result<LoadedSeries> ParseStarts(std::string_view line) const;
  Result<EvalCommand> ParseEval(std::string_view keyword, std::string_view rest);
  Status ParseMode(std::string_view keyword, EvalCommand& eval) const;
  Status ParseInstant(std::string_view rest, EvalCommand& eval) const;
  Status ParseRange(const RangeText& range, EvalCommand& eval) const;
  Status ParseExpectations(EvalCommand& eval);
  Result<bool> ParseLegacyFailure(std::string_view line, EvalCommand& eval) const;
  Result<bool> ParseDirective(std::string_view line, EvalCommand& eval) const;
  Status ParseExpect(std::string_view rest, EvalCommand& eval) const;
  Status ParseExpectedSeries(std::string_view line, EvalCommand& eval) const;

  std::vector<std::string_view> lines_;
  std::size_t at_ = 0;
};

Result<std::vector<Command>> ScriptParser::Parse() {
  std::vector<Command> commands;
  for (at_ = 0; at_ < lines_.size(); ++at_) {
    std::string_view rest = lines_[at_];
    if (rest.empty()) continue;
    const std::string_view keyword = TakeWord(rest);
    if (keyword == "clear") {
      commands.emplace_back(ClearCommand{});
    } else if (keyword.starts_with("load")) {
      commands.emplace_back(TRY(ParseLoad(keyword, rest)));
    } else if (keyword.starts_with("eval")) {
      commands.emplace_back(TRY(ParseEval(keyword, rest)));
    } else {
      return Fail("invalid command " + QuoteGo(lines_[at_]));
    }
  }
  return commands;
}

Result<Duration> ScriptParser::ReadDuration(std::string_view text, std::string_view what) const {
  const auto duration = ParseDuration(text);
  if (duration) return *duration;
  return Fail(
      fmt::format("invalid {} definition {}: {}", what, QuoteGo(text), duration.error().message()));
}

// -------------------------------------------------------------------------------------------------
// load

Result<LoadCommand> ScriptParser::ParseLoad(std::string_view keyword, std::string_view rest) {
  LoadCommand load;
  load.with_custom_buckets = keyword == "load_with_nhcb";
  if ((keyword != "load" && !load.with_custom_buckets) || rest.empty()) {
    return Fail("invalid load command. (load[_with_nhcb] <step:duration>)");
  }
  load.step = TRY(ReadDuration(rest, "step"));
  std::optional<LoadedSeries> pending;
  while (NextLine()) {
    const std::string_view line = lines_[at_];
    if (line.substr(0, line.find_first_of(kSpace)).ends_with("@st")) {
      if (pending) return Fail("the @st line before has no sample line");
      pending = TRY(ParseStarts(line));
      continue;
    }
    auto description = ParseSeriesDescription(line);
    if (!description) return Fail(description.error().message());
    LoadedSeries series{std::move(description->labels), std::move(description->values), {}};
    if (pending) {
      if (pending->labels != series.labels) {
        return Fail("the @st line before is about another series");
      }
      if (pending->starts.size() != series.values.size()) {
        return Fail(fmt::format("the @st line before has {} values but the sample line has {}",
                                pending->starts.size(), series.values.size()));
      }
      series.starts = std::move(pending->starts);
      pending.reset();
    }
    load.series.push_back(std::move(series));
  }
  if (pending) return Fail("the @st line has no sample line");
  return load;
}

Result<LoadedSeries> ScriptParser::ParseStarts(std::string_view line) const {
  const std::size_t end = line.find_first_of(kSpace);
  LoadedSeries series;
  auto labels = ParseMetric(line.substr(0, end - std::string_view("@st").size()));
  if (!labels) return Fail(labels.error().message());
  series.labels = *std::move(labels);
  auto starts = ParseStartOffsets(line.substr(end));
  if (!starts) return Fail(starts.error().message());
  series.starts = *std::move(starts);
  return series;
}

// -------------------------------------------------------------------------------------------------
// eval

Result<EvalCommand> ScriptParser::ParseEval(std::string_view keyword, std::string_view rest) {
  EvalCommand eval;
  eval.line = at_ + 1;
  TRY(ParseMode(keyword, eval));
  const std::string_view kind = TakeWord(rest);
  const auto range = SplitRange(rest);
  if (kind == "instant") {
    TRY(ParseInstant(rest, eval));
  } else if (kind == "range" && range) {
    TRY(ParseRange(*range, eval));
  } else {
    return Fail(
        "invalid evaluation command. Must be either 'eval[_fail|_warn|_ordered|_info] instant at "
        "<time> <query>' or 'eval[_fail|_warn|_info] range from <time> to <time> step <step> "
        "<query>'");
  }
  const auto expr = ParseExpr(eval.query, ScriptParserOptions());
  if (!expr) return Fail(expr.error().message());
  TRY(ParseExpectations(eval));
  return eval;
}

Status ScriptParser::ParseMode(std::string_view keyword, EvalCommand& eval) const {
  keyword.remove_prefix(std::string_view("eval").size());
  eval.fails = keyword == "_fail";
  eval.warns = keyword == "_warn";
  eval.informs = keyword == "_info";
  eval.ordered = keyword == "_ordered";
  const bool known = keyword.empty() || eval.fails || eval.warns || eval.informs || eval.ordered;
  return known ? OkStatus() : Fail(fmt::format("invalid command \"eval{}\"", keyword));
}

Status ScriptParser::ParseInstant(std::string_view rest, EvalCommand& eval) const {
  std::string_view at;
  if (rest.starts_with("at ") || rest.starts_with("at\t")) {
    TakeWord(rest);
    at = TakeWord(rest);
  }
  eval.at = Timestamp{} + TRY(ReadDuration(at, "timestamp"));
  eval.start = eval.at;
  eval.query = rest;
  return rest.empty() ? Fail("the query is missing") : OkStatus();
}

Status ScriptParser::ParseRange(const RangeText& range, EvalCommand& eval) const {
  eval.is_range = true;
  eval.query = range.rest;
  eval.start = Timestamp{} + TRY(ReadDuration(range.from, "start timestamp"));
  eval.end = Timestamp{} + TRY(ReadDuration(range.to, "end timestamp"));
  eval.step = TRY(ReadDuration(range.step, "step"));
  if (eval.end < eval.start) {
    return Fail(
        fmt::format("invalid test definition, end timestamp ({}) is before start timestamp ({})",
                    range.to, range.from));
  }
  if (eval.step.count() <= 0) return Fail("the step must be greater than 0");
  return eval.query.empty() ? Fail("the query is missing") : OkStatus();
}

// ---------------------------------------------------------------------------------------
// expectations

Status ScriptParser::ParseExpectations(EvalCommand& eval) {
  while (NextLine()) {
    const std::string_view line = lines_[at_];
    const bool legacy = TRY(ParseLegacyFailure(line, eval));
    if (legacy) return OkStatus();  // Ends the block.
    const bool directive = TRY(ParseDirective(line, eval));
    if (directive) continue;
    eval.expected_scalar = ParseLoneNumber(line);
    if (eval.expected_scalar) return OkStatus();  // Ends the block.
    TRY(ParseExpectedSeries(line, eval));
  }
  return OkStatus();
}

Result<bool> ScriptParser::ParseLegacyFailure(std::string_view line, EvalCommand& eval) const {
  if (!eval.fails) return false;
  if (TakePrefix(line, "expected_fail_message")) {
    eval.failure = Expectation{false, std::string(TrimSpace(line)), std::nullopt};
    return true;
  }
  if (!TakePrefix(line, "expected_fail_regexp")) return false;
  auto regex = CompileUnanchored(TrimSpace(line));
  if (!regex) return Fail(regex.error().message());
  eval.failure = Expectation{false, std::string(TrimSpace(line)), *std::move(regex)};
  return true;
}

// `expect …`. A metric of that name is written `expect{}`.
Result<bool> ScriptParser::ParseDirective(std::string_view line, EvalCommand& eval) const {
  std::string_view rest = line;
  if (TakePrefix(rest, kRangeVector)) {
    rest = TrimSpace(rest);
    const auto range = SplitRange(rest);
    if (!range || !range->rest.empty()) {
      return Fail("invalid range vector definition " + QuoteGo(line));
    }
    eval.start = Timestamp{} + TRY(ReadDuration(range->from, "start timestamp"));
    eval.end = Timestamp{} + TRY(ReadDuration(range->to, "end timestamp"));
    eval.step = TRY(ReadDuration(range->step, "step"));
    if (eval.end < eval.start) return Fail("the end of the range vector is before its start");
    eval.at = eval.end;
    eval.expects_range_vector = true;
    return true;
  }
  if (TakePrefix(rest, kString)) {
    rest = TrimSpace(rest);
    const bool quoted = rest.size() >= 2 && rest.front() == rest.back() &&
                        (rest.front() == '"' || rest.front() == '`');
    if (!quoted) return Fail("a quoted string is expected behind \"expect string\"");
    const std::string_view body = rest.substr(1, rest.size() - 2);
    eval.expected_string =
        rest.front() == '`' ? std::optional(std::string(body)) : UnescapeGo(body, '"');
    if (!eval.expected_string) return Fail("the string is not quoted correctly");
    return true;
  }
  if (rest.substr(0, rest.find(' ')) != "expect") return false;
  TakeWord(rest);
  TRY(ParseExpect(rest, eval));
  return true;
}

Status ScriptParser::ParseExpect(std::string_view rest, EvalCommand& eval) const {
  const std::string_view type = TakeWord(rest);
  Expectation expectation;
  if (TakePrefix(rest, "msg:")) {
    expectation.text = TrimSpace(rest);
  } else if (rest.empty()) {
    expectation.any = true;
  } else if (TakePrefix(rest, "regex:")) {
    auto regex = CompileUnanchored(TrimSpace(rest));
    if (!regex) return Fail(regex.error().message());
    expectation = {false, std::string(TrimSpace(rest)), *std::move(regex)};
  } else {
    return Fail(
        "invalid expect statement, must match `expect <type> <match_type>: <string>` format");
  }
  if (type == "ordered") {
    eval.ordered = true;
  } else if (type == "fail") {
    if (eval.failure) return Fail("multiple expect fail lines are not allowed");
    eval.fails = true;
    eval.failure = std::move(expectation);
  } else if (type == "warn") {
    eval.warnings.push_back(std::move(expectation));
  } else if (type == "info") {
    eval.infos.push_back(std::move(expectation));
  } else if (type == "no_warn") {
    eval.no_warnings = true;
  } else if (type == "no_info") {
    eval.no_infos = true;
  } else {
    return Fail("invalid expected error/annotation type " + QuoteGo(type));
  }
  if (eval.no_warnings && !eval.warnings.empty()) {
    return Fail("expect warn and no_warn cannot be used together");
  }
  if (eval.no_infos && !eval.infos.empty()) {
    return Fail("expect info and no_info cannot be used together");
  }
  return OkStatus();
}

Status ScriptParser::ParseExpectedSeries(std::string_view line, EvalCommand& eval) const {
  auto description = ParseSeriesDescription(line);
  if (!description) return Fail(description.error().message());
  if (description->values.empty()) return Fail("a value is expected behind the series");
  if (description->values.size() > 1 && !eval.is_range && !eval.expects_range_vector) {
    return Fail(
        "expecting multiple values in instant evaluation not allowed. consider using 'expect range "
        "vector' directive to enable a range vector result for an instant query");
  }
  ExpectedSeries series{std::move(description->labels), std::move(description->values),
                        eval.expected.size() + 1};
  // The same series twice: the later line counts.
  const auto same = std::ranges::find(eval.expected, series.labels, &ExpectedSeries::labels);
  if (same != eval.expected.end()) eval.expected.erase(same);
  eval.expected.push_back(std::move(series));
  return OkStatus();
}

}  // namespace

Result<std::vector<Command>> ParseScript(std::string_view text) {
  return ScriptParser(text).Parse();
}

}  // namespace sonde::promql
