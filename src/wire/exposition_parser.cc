#include "wire/exposition_parser.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"
#include "base/number.h"
#include "base/quote.h"
#include "base/utf8.h"
#include "model/sample.h"
#include "wire/number_text.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace sonde::wire {
namespace {

const char* FindNewline(const char* p, const char* end) {
  const void* found = std::memchr(p, '\n', static_cast<std::size_t>(end - p));
  return found == nullptr ? end : static_cast<const char*>(found);
}

const char* SkipBlanks(const char* p, const char* end) {
  while (p != end && (*p == ' ' || *p == '\t'))
    ++p;
  return p;
}

// Values stand at the end of a line, so the closing brace is found fastest from there.
const char* FindLastBrace(const char* begin, const char* end) {
#if defined(__SSE2__)
  const __m128i brace = _mm_set1_epi8('}');
  while (end - begin >= 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(end - 16));
    const auto mask = static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, brace)));
    if (mask != 0) return end - 16 + (31 - std::countl_zero(mask));
    end -= 16;
  }
#endif
  while (end != begin) {
    if (*--end == '}') return end;
  }
  return nullptr;
}

// Bytes after which a quote may open a string, or that may make it a part of one.
bool IsAmbiguousBeforeQuote(char c) {
  return c == '=' || c == ',' || c == '{' || c == '"' || c == '\\' || c == ' ' || c == '\t';
}

}  // namespace

bool IsSampleOfFamily(std::string_view name, std::string_view family, MetricType type) {
  if (!name.starts_with(family)) return false;
  const std::string_view suffix = name.substr(family.size());
  switch (type) {
    case MetricType::kCounter:
      return suffix.empty() || suffix == "_total" || suffix == "_created";
    case MetricType::kHistogram:
      return suffix == "_bucket" || suffix == "_sum" || suffix == "_count" || suffix == "_created";
    case MetricType::kGaugeHistogram:
      return suffix == "_bucket" || suffix == "_gsum" || suffix == "_gcount";
    case MetricType::kSummary:
      return suffix.empty() || suffix == "_sum" || suffix == "_count" || suffix == "_created";
    case MetricType::kInfo:
      return suffix.empty() || suffix == "_info";
    case MetricType::kUnknown:
    case MetricType::kGauge:
    case MetricType::kStateset:
      return suffix.empty();
  }
  return false;
}

ExpositionParser::ExpositionParser(std::string_view page, ExpositionFormat format,
                                   ExpositionParserOptions options)
    : format_(format), options_(options) {
  Reset(page, format);
}

void ExpositionParser::Reset(std::string_view page, ExpositionFormat format) {
  CHECK(format != ExpositionFormat::kProtobuf);
  format_ = format;
  begin_ = at_ = eol_ = page.data();
  end_ = page.data() + page.size();
  type_ = MetricType::kUnknown;
  series_ = {};
  has_timestamp_ = has_exemplar_ = false;
  created_key_.clear();
  created_.reset();
  ahead_ = {};
  failure_.reset();
}

EntryKind ExpositionParser::Next() {
  if (failure_) return EntryKind::kInvalid;
  return format_ == ExpositionFormat::kText ? NextText() : NextOpenMetrics();
}

EntryKind ExpositionParser::NextText() {
  while (at_ != end_) {
    eol_ = FindNewline(at_, end_);
    const char* p = SkipBlanks(at_, eol_);
    at_ = eol_ == end_ ? end_ : eol_ + 1;
    if (p == eol_) continue;
    if (*p == '#') return ParseTextComment(p);
    return ParseSample(p);
  }
  return EntryKind::kEnd;
}

EntryKind ExpositionParser::NextOpenMetrics() {
  while (at_ != end_) {
    const char* p = at_;
    eol_ = FindNewline(p, end_);
    at_ = eol_ == end_ ? end_ : eol_ + 1;
    if (*p == '#') return ParseOpenMetricsComment(p);
    const EntryKind kind = ParseSample(p);
    if (kind == EntryKind::kSample && options_.skip_created && TakeCreatedLine()) continue;
    return kind;
  }
  return Fail(end_, "expected \"# EOF\" before the end of the page");
}

// ---------------------------------------------------------------------------------------- metadata

EntryKind ExpositionParser::ParseTextComment(const char* hash) {
  const char* word = SkipBlanks(hash + 1, eol_);
  const std::string_view rest(word, static_cast<std::size_t>(eol_ - word));
  const bool is_help = rest.starts_with("HELP ") || rest.starts_with("HELP\t");
  const bool is_type = rest.starts_with("TYPE ") || rest.starts_with("TYPE\t");
  text_ = {hash, static_cast<std::size_t>(eol_ - hash)};
  if (word == hash + 1 || (!is_help && !is_type)) return EntryKind::kComment;
  const char* p = ReadFamily(SkipBlanks(word + 4, eol_));
  if (p == nullptr) return EntryKind::kInvalid;
  if (p != eol_ && *p != ' ' && *p != '\t') {
    if (is_help) return EntryKind::kComment;  // About no name that a sample could have.
    return Fail(p, "expected a space after the metric name, got " + Describe(p, end_));
  }
  const char* text = p == eol_ ? p : p + 1;
  const std::string_view words(text, static_cast<std::size_t>(eol_ - text));
  if (is_help) return FinishHelp(words);
  if (words == "counter" || words == "gauge" || words == "histogram" || words == "summary" ||
      words == "untyped") {
    type_ = *ParseMetricType(words);
    return EntryKind::kType;
  }
  return Fail(text, "expected counter, gauge, histogram, summary or untyped, got " + Shown(words));
}

EntryKind ExpositionParser::ParseOpenMetricsComment(const char* hash) {
  const std::string_view line(hash, static_cast<std::size_t>(eol_ - hash));
  if (line == "# EOF") {
    if (at_ == end_) return EntryKind::kEnd;
    return Fail(at_, "expected nothing after \"# EOF\", got " + Describe(at_, end_));
  }
  const bool is_help = line.starts_with("# HELP ");
  const bool is_type = line.starts_with("# TYPE ");
  const bool is_unit = line.starts_with("# UNIT ");
  if (!is_help && !is_type && !is_unit) {
    return Fail(hash, "expected \"# HELP \", \"# TYPE \", \"# UNIT \" or \"# EOF\", got " +
                          QuoteGo(line.substr(0, 24)));
  }
  const char* p = ReadFamily(hash + 7);
  if (p == nullptr) return EntryKind::kInvalid;
  if (p == eol_ || *p != ' ') {
    return Fail(p, "expected one space and a text after the metric name, got " + Describe(p, end_));
  }
  if (eol_ == end_) return Fail(end_, "expected \"# EOF\" before the end of the page");
  const std::string_view words(p + 1, static_cast<std::size_t>(eol_ - p - 1));
  if (is_help) return FinishHelp(words);
  if (is_type) {
    const auto type = ParseMetricType(words);
    if (!type || words == "untyped") {
      return Fail(p + 1,
                  "expected counter, gauge, histogram, gaugehistogram, summary, info, stateset or "
                  "unknown, got " +
                      Shown(words));
    }
    type_ = *type;
    return EntryKind::kType;
  }
  text_ = words;
  const bool is_suffix = family_.size() > words.size() && family_.ends_with(words) &&
                         family_[family_.size() - words.size() - 1] == '_';
  if (!words.empty() && !is_suffix) {
    return Fail(p + 1, fmt::format("expected a unit that {} ends with, got {}", Shown(family_),
                                   Shown(words)));
  }
  return EntryKind::kUnit;
}

// Reads a family's name, plain or in quotes; returns its end, or null after Fail.
const char* ExpositionParser::ReadFamily(const char* p) {
  if (p == eol_ || *p != '"') {
    const char* name_end = SkipMetricName(p, eol_);
    if (name_end == p) {
      Fail(p, "expected a metric name, got " + Describe(p, end_));
      return nullptr;
    }
    family_ = {p, static_cast<std::size_t>(name_end - p)};
    return name_end;
  }
  const char* close = p + 1;
  while (close != eol_ && *close != '"')
    close += *close == '\\' && close + 1 != eol_ ? 2 : 1;
  if (close == eol_) {
    Fail(p, "the name that begins here is not closed before the end of the line");
    return nullptr;
  }
  family_ = {p + 1, static_cast<std::size_t>(close - p - 1)};
  if (!IsValidUtf8(family_) || family_.empty()) {
    Fail(p, "the name must be valid UTF-8 and not empty");
    return nullptr;
  }
  if (family_.find('\\') != std::string_view::npos) {
    unescaped_family_.clear();
    AppendUnescaped(unescaped_family_, family_);
    family_ = unescaped_family_;
  }
  return close + 1;
}

EntryKind ExpositionParser::FinishHelp(std::string_view raw) {
  if (!IsValidUtf8(raw)) return Fail(raw.data(), "the help text is not valid UTF-8");
  text_ = raw;
  if (raw.find('\\') == std::string_view::npos) return EntryKind::kHelp;
  unescaped_.clear();
  if (format_ == ExpositionFormat::kOpenMetrics) {
    AppendUnescaped(unescaped_, raw);
  } else {
    // The text format knows \\ and \n here, and leaves \" as it is.
    for (std::size_t i = 0; i < raw.size(); ++i) {
      const char next = raw[i] == '\\' && i + 1 < raw.size() ? raw[i + 1] : '\0';
      if (next == '\\' || next == 'n') ++i;
      unescaped_.push_back(next == '\\' ? '\\' : next == 'n' ? '\n' : raw[i]);
    }
  }
  text_ = unescaped_;
  return EntryKind::kHelp;
}

// ----------------------------------------------------------------------------------------- samples

// The end of the series that begins at `line`, if that can be told without reading it; else null.
// In a well-formed line no brace follows the one that closes the labels (an OpenMetrics exemplar
// apart, so a line with a '#' is left to ReadSeries). A quote before it that follows an ordinary
// byte can only close a string, so the brace is outside of one.
const char* ExpositionParser::DelimitSeries(const char* line) const {
  const char* brace = FindLastBrace(line, eol_);
  if (brace == nullptr) {
    const char* name_end = SkipMetricName(line, eol_);
    const char* next = SkipBlanks(name_end, eol_);
    if (name_end == line || next == name_end || next == eol_ || *next == '{') return nullptr;
    return name_end;
  }
  if (brace - line < 3 || brace[-1] != '"' || IsAmbiguousBeforeQuote(brace[-2])) return nullptr;
  if (format_ == ExpositionFormat::kOpenMetrics &&
      std::memchr(line, '#', static_cast<std::size_t>(eol_ - line)) != nullptr) {
    return nullptr;
  }
  return brace + 1;
}

const SeriesDialect& ExpositionParser::dialect() const {
  return format_ == ExpositionFormat::kText ? kScrapedText : kScrapedOpenMetrics;
}

EntryKind ExpositionParser::ParseSample(const char* line) {
  if (const char* p = DelimitSeries(line)) {
    series_ = {line, static_cast<std::size_t>(p - line)};
    if (ParseSuffix(p) == EntryKind::kSample) return EntryKind::kSample;
    failure_.reset();  // What is wrong may have begun earlier.
  }
  SyntaxError error;
  const char* p = ReadSeries(line, end_, dialect(), tokens_, error);
  if (p == nullptr) return Fail(error.at, std::move(error.message));
  if (p > eol_) {  // A label value with a line feed in it.
    eol_ = FindNewline(p, end_);
    at_ = eol_ == end_ ? end_ : eol_ + 1;
  }
  if (p[-1] != '}' && p != eol_ && *p != ' ' && *p != '\t') {
    return Fail(p, "expected a space or \"{\" after the metric name, got " + Describe(p, end_));
  }
  series_ = {line, static_cast<std::size_t>(p - line)};
  return ParseSuffix(p);
}

EntryKind ExpositionParser::ParseSuffix(const char* p) {
  return format_ == ExpositionFormat::kText ? ParseTextSuffix(p) : ParseOpenMetricsSuffix(p);
}

EntryKind ExpositionParser::ParseTextSuffix(const char* p) {
  p = ReadValue(SkipBlanks(p, eol_), value_);
  if (p == nullptr) return EntryKind::kInvalid;
  p = SkipBlanks(p, eol_);
  has_timestamp_ = p != eol_;
  if (!has_timestamp_) return EntryKind::kSample;
  const auto [stop, ec] = std::from_chars(p, eol_, timestamp_.ms);
  const bool delimited = stop == eol_ || *stop == ' ' || *stop == '\t';
  if (ec != std::errc() || !delimited) {
    return Fail(
        p, "expected a timestamp in milliseconds or the end of the line after the value, got " +
               Describe(p, end_));
  }
  p = SkipBlanks(stop, eol_);
  if (p == eol_) return EntryKind::kSample;
  return Fail(p, "expected the end of the line after the timestamp, got " + Describe(p, end_));
}

EntryKind ExpositionParser::ParseOpenMetricsSuffix(const char* p) {
  has_timestamp_ = has_exemplar_ = false;
  if (p == eol_ || *p != ' ') {
    return Fail(p, "expected one space and a value after the series, got " + Describe(p, end_));
  }
  p = ReadValue(p + 1, value_);
  if (p == nullptr) return EntryKind::kInvalid;
  if (p != eol_ && *p == ' ' && p + 1 != eol_ && p[1] != '#') {
    p = ReadSeconds(p + 1, timestamp_);
    if (p == nullptr) return EntryKind::kInvalid;
    has_timestamp_ = true;
  }
  if (p != eol_ && *p == ' ' && p + 1 != eol_ && p[1] == '#') {
    p = ReadExemplar(p + 1);
    if (p == nullptr) return EntryKind::kInvalid;
    has_exemplar_ = true;
  }
  if (p != eol_) {
    return Fail(p, fmt::format("expected {}the end of the line, got {}",
                               has_exemplar_    ? ""
                               : has_timestamp_ ? "an exemplar (\" # {…} value\") or "
                                                : "a timestamp, an exemplar (\" # {…} value\") or ",
                               Describe(p, end_)));
  }
  if (eol_ == end_) return Fail(end_, "expected \"# EOF\" before the end of the page");
  return EntryKind::kSample;
}

// A number: whatever Go's ParseFloat takes but hexadecimal floats and underscores. Returns its end,
// or null.
const char* ExpositionParser::ReadNumber(const char* p, double& value) const {
  if (const char* stop = ReadPlainDecimal(p, eol_, value)) return stop;
  const char* stop = p;
  while (stop != eol_ && *stop != ' ' && *stop != '\t')
    ++stop;
  const std::string_view word(p, static_cast<std::size_t>(stop - p));
  if (word.find_first_of("pP_") != std::string_view::npos) return nullptr;
  const auto parsed = ParseFloat(word);
  if (!parsed) return nullptr;
  value = std::isnan(*parsed) ? std::bit_cast<double>(kNormalNanBits) : *parsed;
  return stop;
}

// The same, or null after Fail.
const char* ExpositionParser::ReadValue(const char* p, double& value) {
  const char* stop = ReadNumber(p, value);
  if (stop == nullptr) Fail(p, "expected a number, got " + Describe(p, end_));
  return stop;
}

// Seconds as a float, to milliseconds: cut, not rounded, but exact where the digits are written
// out.
const char* ExpositionParser::ReadSeconds(const char* p, Timestamp& t) {
  const char* q = p != eol_ && *p == '-' ? p + 1 : p;
  const char* first = q;
  std::int64_t ms = 0;
  while (q != eol_ && *q >= '0' && *q <= '9' && q - first < 15)
    ms = ms * 10 + (*q++ - '0');
  if (q != first) {
    ms *= 1000;
    if (q != eol_ && *q == '.') {
      ++q;
      for (std::int64_t unit = 100; q != eol_ && *q >= '0' && *q <= '9'; ++q, unit /= 10) {
        ms += unit * (*q - '0');
      }
    }
    if (q == eol_ || *q == ' ') {
      t.ms = *p == '-' ? -ms : ms;
      return q;
    }
  }
  double seconds = 0;
  q = ReadNumber(p, seconds);
  if (q == nullptr || !std::isfinite(seconds)) {
    Fail(p, "expected a timestamp in seconds, got " + Describe(p, end_));
    return nullptr;
  }
  t = TimestampOfSeconds(seconds);
  return q;
}

// `# {labels} value [seconds]`; returns its end, or null after Fail.
const char* ExpositionParser::ReadExemplar(const char* hash) {
  const std::string_view rest(hash, static_cast<std::size_t>(eol_ - hash));
  if (!rest.starts_with("# {")) {
    Fail(hash, "expected \"# {\" and the labels of an exemplar, got " + Describe(hash, end_));
    return nullptr;
  }
  SyntaxError error;
  const char* p = ReadLabelSet(hash + 2, end_, kScrapedOpenMetrics, exemplar_tokens_, error);
  if (p == nullptr) {
    Fail(error.at, std::move(error.message));
    return nullptr;
  }
  if (p == eol_ || *p != ' ') {
    Fail(p, "expected one space and a value after the labels of the exemplar, got " +
                Describe(p, end_));
    return nullptr;
  }
  p = ReadValue(p + 1, exemplar_value_);
  exemplar_timestamp_.reset();
  if (p == nullptr || p == eol_ || *p != ' ') return p;
  Timestamp t;
  p = ReadSeconds(p + 1, t);
  if (p != nullptr) exemplar_timestamp_ = t;
  return p;
}

// ------------------------------------------------------------------------------------------ errors

EntryKind ExpositionParser::Fail(const char* at, std::string message) {
  if (!failure_) failure_ = Failure{at, std::move(message)};
  return EntryKind::kInvalid;
}

std::size_t ExpositionParser::error_line() const {
  CHECK(failure_.has_value());
  return static_cast<std::size_t>(std::count(begin_, failure_->at, '\n')) + 1;
}

std::size_t ExpositionParser::error_column() const {
  CHECK(failure_.has_value());
  const char* line = failure_->at;
  while (line != begin_ && line[-1] != '\n')
    --line;
  return static_cast<std::size_t>(failure_->at - line) + 1;
}

Error ExpositionParser::error() const {
  return {ErrorKind::kInvalid,
          fmt::format("{}:{}: {}", error_line(), error_column(), failure_->message)};
}

}  // namespace sonde::wire
