#include "promql/promqltest/series_description.h"

#include <algorithm>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/duration.h"
#include "base/number.h"
#include "base/quote.h"
#include "model/sample.h"
#include "promql/histogram_math.h"
#include "promql/lexer.h"
#include "promql/parser.h"

namespace sonde::promql {
namespace {

constexpr std::string_view kSpace = " \t";

bool IsLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

// Where the metric ends and the values begin: the first space outside of braces and quotes.
std::size_t MetricEnd(std::string_view line) {
  bool in_braces = false;
  char quote = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote != 0) {
      if (c == '\\' && quote != '`') {
        ++i;
      } else if (c == quote) {
        quote = 0;
      }
    } else if (c == '"' || c == '\'' || c == '`') {
      quote = c;
    } else if (c == '{') {
      in_braces = true;
    } else if (c == '}') {
      in_braces = false;
    } else if (!in_braces && kSpace.find(c) != std::string_view::npos) {
      return i;
    }
  }
  return line.size();
}

// `schema`, `sum` … of one histogram literal.
struct HistogramFields {
  FloatHistogram histogram;
  std::int32_t offset = 0;
  std::int32_t negative_offset = 0;
  bool has_hint = false;
  std::vector<std::string_view> seen;
};

class DescriptionParser {
 public:
  explicit DescriptionParser(std::string_view line) : line_(line) {}

  Result<SeriesDescription> Parse();

 private:
  Error Fail(std::string_view message) const {
    return Error(ErrorKind::kInvalid, fmt::format("1:{}: parse error: {}", at_ + 1, message));
  }
  Error Unexpected() const;

  bool AtEnd() const { return at_ >= line_.size(); }
  char Peek() const { return AtEnd() ? '\0' : line_[at_]; }
  bool Take(std::string_view text);
  bool SkipSpace();

  Status ParseItem();
  Status ParseNumbers();
  Status ParseHistograms();
  Result<std::size_t> ParseRepetition();
  Result<double> ParseUnsigned();
  Result<double> ParseSigned();
  Result<std::int32_t> ParseInteger();
  Result<DescribedValue> ParseHistogram();
  Status ParseField(HistogramFields& fields);
  Result<std::vector<double>> ParseBucketList();
  Result<ResetHint> ParseHint();
  std::string_view Word();
  Status Reserve(std::size_t more) const;

  std::string_view line_;
  std::size_t at_ = 0;
  std::vector<DescribedValue> values_;
};

Error DescriptionParser::Unexpected() const {
  if (AtEnd()) return Fail("unexpected end of input in series values");
  return Fail(fmt::format("unexpected character in series sequence: '{}'", line_.substr(at_, 1)));
}

bool DescriptionParser::Take(std::string_view text) {
  if (!line_.substr(at_).starts_with(text)) return false;
  at_ += text.size();
  return true;
}

bool DescriptionParser::SkipSpace() {
  const std::size_t before = at_;
  at_ = std::min(line_.find_first_not_of(kSpace, at_), line_.size());
  return at_ > before;
}

std::string_view DescriptionParser::Word() {
  const std::size_t begin = at_;
  while (IsLetter(Peek())) {
    ++at_;
  }
  return line_.substr(begin, at_ - begin);
}

Status DescriptionParser::Reserve(std::size_t more) const {
  if (more <= kMaxDescribedValues - values_.size()) return OkStatus();
  return Fail(fmt::format("more than {} values", kMaxDescribedValues));
}

Result<SeriesDescription> DescriptionParser::Parse() {
  SeriesDescription description;
  at_ = MetricEnd(line_);
  description.labels = TRY(ParseMetric(line_.substr(0, at_)));
  while (SkipSpace() && !AtEnd()) {
    TRY(ParseItem());
  }
  if (!AtEnd()) return Unexpected();
  description.values = std::move(values_);
  return description;
}

Status DescriptionParser::ParseItem() {
  if (line_.substr(at_).starts_with("{{")) return ParseHistograms();
  if (Peek() != '_') return ParseNumbers();
  ++at_;
  std::size_t count = 1;
  if (Take("x")) count = TRY(ParseRepetition());
  TRY(Reserve(count));
  values_.resize(values_.size() + count, DescribedValue{.omitted = true});
  return OkStatus();
}

// The number behind an `x`.
Result<std::size_t> DescriptionParser::ParseRepetition() {
  const std::size_t begin = at_;
  while (IsDigit(Peek())) {
    ++at_;
  }
  const auto count = ParseUint(line_.substr(begin, at_ - begin));
  if (!count) return Fail("invalid repetition in series values");
  TRY(Reserve(*count));
  return static_cast<std::size_t>(*count);
}

// `v`, `axN`, `a+bxN`, `a-bxN`, `stale`.
Status DescriptionParser::ParseNumbers() {
  double value = 0;
  const std::size_t begin = at_;
  if (IsLetter(Peek()) && Word() == "stale") {
    value = StaleNan();
  } else {
    at_ = begin;
    value = TRY(ParseSigned());
  }
  double step = 0;
  const bool has_step = Peek() == '+' || Peek() == '-';
  if (has_step) step = TRY(ParseSigned());
  std::size_t more = 0;
  if (Take("x")) {
    more = TRY(ParseRepetition());
  } else if (has_step) {
    return Unexpected();
  }
  TRY(Reserve(more + 1));
  for (std::size_t i = 0; i <= more; ++i) {
    values_.push_back({.v = value});
    value += step;
  }
  return OkStatus();
}

Result<double> DescriptionParser::ParseSigned() {
  const bool negative = Peek() == '-';
  if (negative || Peek() == '+') ++at_;
  const double value = TRY(ParseUnsigned());
  return negative ? -value : value;
}

Result<double> DescriptionParser::ParseUnsigned() {
  const std::size_t begin = at_;
  if (IsLetter(Peek())) {
    std::string word(Word());
    std::ranges::transform(word, word.begin(), [](char c) { return static_cast<char>(c | 0x20); });
    if (word == "inf" || word == "nan") return *ParseFloat(word);
    at_ = begin;
    return Unexpected();
  }
  while (IsDigit(Peek()) || Peek() == '.' || Peek() == '_' || Peek() == 'e' || Peek() == 'E') {
    const bool exponent = Peek() == 'e' || Peek() == 'E';
    ++at_;
    if (exponent && (Peek() == '+' || Peek() == '-')) ++at_;
  }
  if (at_ == begin) return Unexpected();
  const std::string_view text = line_.substr(begin, at_ - begin);
  if (const auto value = ParseNumberLiteral(text)) return *value;
  return Fail("bad number syntax: " + QuoteGo(text));
}

Result<std::int32_t> DescriptionParser::ParseInteger() {
  const std::size_t begin = at_;
  if (Peek() == '-') ++at_;
  while (IsDigit(Peek())) {
    ++at_;
  }
  const auto value = ParseInt(line_.substr(begin, at_ - begin));
  if (!value || *value > INT32_MAX || *value < INT32_MIN) return Unexpected();
  return static_cast<std::int32_t>(*value);
}

// -------------------------------------------------------------------------------------------
// histograms

// `{{…}}`, `{{…}}xN`, `{{…}}+{{…}}xN`, `{{…}}-{{…}}xN`.
Status DescriptionParser::ParseHistograms() {
  DescribedValue value = TRY(ParseHistogram());
  const char operation = Peek();
  std::optional<FloatHistogram> step;
  if (operation == '+' || operation == '-') {
    ++at_;
    DescribedValue described = TRY(ParseHistogram());
    if (value.histogram->schema > described.histogram->schema) {
      return Fail(fmt::format("error combining histograms: cannot merge from schema {} to {}",
                              described.histogram->schema, value.histogram->schema));
    }
    step = *std::move(described.histogram);
    value.has_reset_hint = described.has_reset_hint;
  }
  std::size_t more = 0;
  if (Take("x")) {
    more = TRY(ParseRepetition());
  } else if (step) {
    return Unexpected();
  }
  TRY(Reserve(more + 1));
  for (std::size_t i = 0; i < more; ++i) {
    values_.push_back(value);
    if (!step) continue;
    const bool compatible =
        (operation == '+' ? Add(*value.histogram, *step) : Subtract(*value.histogram, *step))
            .compatible;
    if (!compatible) return Fail("the operation on histograms with different bucket schemas");
  }
  values_.push_back(std::move(value));
  return OkStatus();
}

Result<DescribedValue> DescriptionParser::ParseHistogram() {
  if (!Take("{{")) return Unexpected();
  HistogramFields fields;
  SkipSpace();
  while (!Take("}}")) {
    TRY(ParseField(fields));
    if (!SkipSpace() && !line_.substr(at_).starts_with("}}")) return Unexpected();
  }
  FloatHistogram& histogram = fields.histogram;
  const auto span = [](std::int32_t offset, const std::vector<double>& counts) {
    std::vector<HistogramSpan> spans;
    if (!counts.empty()) spans.push_back({offset, static_cast<std::uint32_t>(counts.size())});
    return spans;
  };
  histogram.positive_spans = span(fields.offset, histogram.positive_counts);
  histogram.negative_spans = span(fields.negative_offset, histogram.negative_counts);
  return DescribedValue{.histogram = std::move(histogram), .has_reset_hint = fields.has_hint};
}

Status DescriptionParser::ParseField(HistogramFields& fields) {
  const std::string_view key = Word();
  if (key.empty()) return Unexpected();
  if (!Take(":")) return Fail("missing `:` for histogram descriptor");
  if (std::ranges::find(fields.seen, key) != fields.seen.end()) {
    return Fail(fmt::format("duplicate key \"{}\" in histogram", key));
  }
  fields.seen.push_back(key);
  FloatHistogram& histogram = fields.histogram;
  if (key == "schema") {
    histogram.schema = TRY(ParseInteger());
  } else if (key == "sum") {
    histogram.sum = TRY(ParseSigned());
  } else if (key == "count") {
    histogram.count = TRY(ParseSigned());
  } else if (key == "z_bucket") {
    histogram.zero_count = TRY(ParseSigned());
  } else if (key == "z_bucket_w") {
    histogram.zero_threshold = TRY(ParseUnsigned());
  } else if (key == "offset") {
    fields.offset = TRY(ParseInteger());
  } else if (key == "n_offset") {
    fields.negative_offset = TRY(ParseInteger());
  } else if (key == "buckets") {
    histogram.positive_counts = TRY(ParseBucketList());
  } else if (key == "n_buckets") {
    histogram.negative_counts = TRY(ParseBucketList());
  } else if (key == "custom_values") {
    histogram.custom_values = TRY(ParseBucketList());
  } else if (key == "counter_reset_hint") {
    histogram.reset_hint = TRY(ParseHint());
    fields.has_hint = true;
  } else {
    return Fail(fmt::format("bad histogram descriptor found: {}", QuoteGo(key)));
  }
  return OkStatus();
}

Result<std::vector<double>> DescriptionParser::ParseBucketList() {
  if (!Take("[")) return Unexpected();
  std::vector<double> counts;
  SkipSpace();
  while (!Take("]")) {
    counts.push_back(TRY(ParseSigned()));
    if (!SkipSpace() && Peek() != ']') return Unexpected();
  }
  return counts;
}

Result<ResetHint> DescriptionParser::ParseHint() {
  const std::string_view word = Word();
  if (word == "unknown") return ResetHint::kUnknown;
  if (word == "reset") return ResetHint::kReset;
  if (word == "not_reset") return ResetHint::kNotReset;
  if (word == "gauge") return ResetHint::kGauge;
  return Fail(fmt::format("error parsing counter_reset_hint: unknown value {}", QuoteGo(word)));
}

// ------------------------------------------------------------------------------------- start
// timestamps

// A duration with a sign at the front of `text`, which is cut off.
std::optional<Duration> TakeDuration(std::string_view& text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  std::size_t size = 0;
  while (size < text.size() && IsDigit(text[size])) {
    ++size;
  }
  while (size < text.size() && IsLetter(text[size]) && text[size] != 'x') {
    ++size;
  }
  const auto duration = ParseDuration(text.substr(0, size));
  if (!duration) return std::nullopt;
  text.remove_prefix(size);
  return negative ? -*duration : *duration;
}

Status AppendOffsets(std::string_view item, std::vector<std::optional<Duration>>& offsets) {
  const auto fail = [&] {
    return Error(ErrorKind::kInvalid, "invalid start timestamp " + QuoteGo(item));
  };
  std::string_view rest = item;
  if (rest.starts_with('_')) {
    rest.remove_prefix(1);
    std::optional<std::uint64_t> count = 1;
    if (rest.starts_with('x')) count = ParseUint(rest.substr(1));
    if (!count || *count == 0 || *count > kMaxDescribedValues || (rest.size() == 1)) return fail();
    if (!rest.empty() && rest[0] != 'x') return fail();
    offsets.resize(offsets.size() + *count);
    return OkStatus();
  }
  const std::optional<Duration> first = TakeDuration(rest);
  if (!first) return fail();
  std::optional<Duration> step = Duration(0);
  if (rest.starts_with('+') || rest.starts_with('-')) {
    step = TakeDuration(rest);
    if (!step || rest.empty()) return fail();
  }
  std::optional<std::uint64_t> more = 0;
  if (!rest.empty()) more = rest[0] == 'x' ? ParseUint(rest.substr(1)) : std::nullopt;
  if (!more || *more > kMaxDescribedValues) return fail();
  Duration offset = *first;
  for (std::uint64_t i = 0; i <= *more; ++i) {
    offsets.emplace_back(offset);
    offset += *step;
  }
  return OkStatus();
}

}  // namespace

Result<SeriesDescription> ParseSeriesDescription(std::string_view line) {
  return DescriptionParser(line).Parse();
}

Result<std::vector<std::optional<Duration>>> ParseStartOffsets(std::string_view items) {
  std::vector<std::optional<Duration>> offsets;
  while (true) {
    const std::size_t begin = items.find_first_not_of(kSpace);
    if (begin == std::string_view::npos) return offsets;
    items.remove_prefix(begin);
    const std::string_view item = items.substr(0, items.find_first_of(kSpace));
    TRY(AppendOffsets(item, offsets));
    items.remove_prefix(item.size());
  }
}

}  // namespace sonde::promql
