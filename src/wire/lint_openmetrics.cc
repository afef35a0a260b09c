#include <algorithm>
#include <cmath>
#include <memory>
#include <set>
#include <span>

#include <fmt/format.h>

#include "base/number.h"
#include "base/quote.h"
#include "base/utf8.h"
#include "wire/lint_page.h"

// OpenMetrics 1.0 by its specification: grammar, names that clash, grouping and order, what each
// type asks of its samples.

namespace sonde::wire {
namespace {

constexpr std::size_t kMaxExemplarRunes = 128;

// What the names of a type's samples add to the family's name.
constexpr std::string_view kCounterSuffixes[] = {"_total", "_created"};
constexpr std::string_view kSummarySuffixes[] = {"", "_count", "_sum", "_created"};
constexpr std::string_view kHistogramSuffixes[] = {"_bucket", "_count", "_sum", "_created"};
constexpr std::string_view kGaugeHistogramSuffixes[] = {"_bucket", "_gcount", "_gsum"};
constexpr std::string_view kInfoSuffixes[] = {"_info"};
constexpr std::string_view kPlainSuffixes[] = {""};

std::span<const std::string_view> SuffixesOf(MetricType type) {
  switch (type) {
    case MetricType::kCounter:
      return kCounterSuffixes;
    case MetricType::kSummary:
      return kSummarySuffixes;
    case MetricType::kHistogram:
      return kHistogramSuffixes;
    case MetricType::kGaugeHistogram:
      return kGaugeHistogramSuffixes;
    case MetricType::kInfo:
      return kInfoSuffixes;
    default:
      return kPlainSuffixes;
  }
}

bool IsHistogram(MetricType type) {
  return type == MetricType::kHistogram || type == MetricType::kGaugeHistogram;
}

// The grammar's realnumber: no infinities, no NaN, no hexadecimal, no underscores.
bool IsRealNumber(std::string_view s) {
  const auto digits = [&s] {
    std::size_t n = 0;
    while (n < s.size() && s[n] >= '0' && s[n] <= '9')
      ++n;
    s.remove_prefix(n);
    return n;
  };
  const auto sign = [&s] {
    if (!s.empty() && (s[0] == '+' || s[0] == '-')) s.remove_prefix(1);
  };
  sign();
  std::size_t count = digits();
  if (s.starts_with('.')) {
    s.remove_prefix(1);
    count += digits();
  }
  if (count == 0) return false;
  if (s.starts_with('e') || s.starts_with('E')) {
    s.remove_prefix(1);
    sign();
    if (digits() == 0) return false;
  }
  return s.empty();
}

// The grammar's number.
std::optional<double> ParseNumber(std::string_view s) {
  std::string_view word = s;
  if (word.starts_with('+') || word.starts_with('-')) word.remove_prefix(1);
  std::string lower(word.substr(0, 9));
  for (char& c : lower)
    c = static_cast<char>(c | 0x20);
  const bool special =
      lower == "inf" || lower == "infinity" || (lower == "nan" && word.size() == s.size());
  if (!special && !IsRealNumber(s)) return std::nullopt;
  return ParseFloat(s);  // Nothing if it is too large for a double.
}

std::size_t CountRunes(std::string_view s) {
  return static_cast<std::size_t>(std::ranges::count_if(
      s, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

// What the samples of one histogram with one timestamp have shown so far.
struct HistogramState {
  bool active = false;
  LintLine line;  // The last one.
  std::optional<double> bound;
  double value = 0;
  std::optional<double> count;
  bool has_sum = false;
  bool has_negative_bound = false;
  bool has_negative_sum = false;
};

struct Family {
  std::string name;
  LintLine first;
  MetricType type = MetricType::kUnknown;
  bool has_type = false;
  bool has_help = false;
  std::optional<std::string> unit;
  const char* unit_at = nullptr;
  LintLine unit_line;
  bool has_samples = false;
  std::set<std::string> groups;  // Metrics, by their labels.
  std::string group;
  std::optional<double> timestamp;
  std::set<std::string> series;  // Of the group, at the timestamp.
  HistogramState histogram;
};

class OpenMetricsLint {
 public:
  OpenMetricsLint(std::string_view page, LintFindings& findings)
      : page_(page), lines_(page), findings_(findings) {}

  void Run() {
    bool eof = false;
    while (!findings_.full() && lines_.Next(line_)) {
      if (eof) {
        Say(line_.begin, "nothing may follow \"# EOF\"");
        return;
      }
      if (!IsValidUtf8(line_.text())) {
        Say(line_.begin, "the line is not valid UTF-8");
      } else if (line_.begin == line_.end) {
        Say(line_.begin, "blank lines are not allowed");
      } else if (line_.text() == "# EOF") {
        FinishFamily();
        eof = true;
      } else if (*line_.begin == '#') {
        CheckMetadata();
      } else {
        CheckSample();
      }
    }
    if (eof) return;
    FinishFamily();
    line_.number += page_.empty() || line_.terminated ? 1 : 0;
    if (page_.empty() || line_.terminated) line_.begin = line_.end = page_.data() + page_.size();
    Say(line_.end, "the page does not end with \"# EOF\"");
  }

 private:
  void Say(const char* at, std::string message) {
    findings_.Add(line_, at, family_ == nullptr ? std::string_view() : family_->name,
                  std::move(message));
  }
  void SayPlain(const char* at, std::string message) {
    findings_.Add(line_, at, {}, std::move(message));
  }

  // -------------------------------------------------------------------------------------- metadata

  void CheckMetadata() {
    const std::string_view line = line_.text();
    const std::string_view keyword = line.substr(0, 7);
    if (keyword != "# TYPE " && keyword != "# HELP " && keyword != "# UNIT ") {
      SayPlain(line_.begin, "expected \"# TYPE \", \"# HELP \", \"# UNIT \" or \"# EOF\", got " +
                                QuoteGo(line.substr(0, 24)));
      return;
    }
    const char* name = line_.begin + 7;
    const char* after = SkipMetricName(name, line_.end);
    if (after == name) {
      SayPlain(name, "expected a metric name" + Got(name));
      return;
    }
    if (after == line_.end || *after != ' ') {
      SayPlain(after, "expected one space and a text after the metric name" + Got(after));
      return;
    }
    const std::string family(name, after);
    if (family_ != nullptr && family_->name == family && family_->has_samples) {
      Say(line_.begin, "metadata after samples of the metric");
      return;
    }
    if (family_ == nullptr || family_->name != family) StartFamily(family);
    const std::string_view text(after + 1, static_cast<std::size_t>(line_.end - after - 1));
    if (keyword == "# TYPE ") {
      TakeType(after + 1, text);
    } else if (keyword == "# UNIT ") {
      TakeUnit(after + 1, text);
    } else {
      if (family_->has_help) Say(line_.begin, "second HELP line");
      family_->has_help = true;
      const std::size_t backslashes = text.size() - (text.find_last_not_of('\\') + 1);
      if (backslashes % 2 != 0) Say(line_.end, "the help text ends in the middle of an escape");
    }
  }

  std::string Got(const char* p) const {
    return ", got " +
           (p == line_.end ? std::string("the end of the line") : Describe(p, line_.end));
  }

  void TakeType(const char* at, std::string_view word) {
    if (family_->has_type) Say(line_.begin, "second TYPE line");
    family_->has_type = true;
    const auto type = ParseMetricType(word);
    if (!type || word == "untyped") {
      Say(at,
          "expected counter, gauge, histogram, gaugehistogram, summary, info, stateset or unknown, "
          "got " +
              Shown(word));
      return;
    }
    family_->type = *type;
  }

  void TakeUnit(const char* at, std::string_view unit) {
    if (family_->unit) Say(line_.begin, "second UNIT line");
    family_->unit = unit;
    family_->unit_at = at;
    family_->unit_line = line_;
  }

  void StartFamily(const std::string& name) {
    FinishFamily();
    family_ = std::make_unique<Family>();
    family_->name = name;
    family_->first = line_;
  }

  void FinishFamily() {
    if (family_ == nullptr) return;
    FinishHistogram();
    const LintLine here = line_;
    if (family_->unit && !family_->unit->empty()) {
      line_ = family_->unit_line;
      if (!family_->name.ends_with("_" + *family_->unit)) {
        Say(family_->unit_at,
            fmt::format("the name does not end with the unit {}", Shown(*family_->unit)));
      }
      if (family_->type == MetricType::kInfo || family_->type == MetricType::kStateset) {
        Say(line_.begin, fmt::format("metrics of type {} have no unit", ToString(family_->type)));
      }
    }
    line_ = family_->first;
    // A family owns its name and those of its samples.
    std::set<std::string> names{family_->name};
    for (const std::string_view suffix : SuffixesOf(family_->type))
      names.insert(family_->name + std::string(suffix));
    for (const std::string& name : names) {
      if (names_.insert(name).second) continue;
      Say(line_.begin,
          fmt::format("the name {} belongs to another metric family, or its lines are not together",
                      Shown(name)));
      break;
    }
    line_ = here;
    family_.reset();
  }

  // --------------------------------------------------------------------------------------- samples

  void CheckSample() {
    LintSample sample;
    SyntaxError error;
    const char* p = ReadLintSeries(line_, kStrictOpenMetrics, sample, error);
    if (p == nullptr) {
      SayPlain(error.at, error.message);
      return;
    }
    EnterFamily(sample.name);
    family_->has_samples = true;
    if (p == line_.end || *p != ' ') {
      Say(p, "expected one space and a value after the series" + Got(p));
      return;
    }
    if (!ReadSuffix(p + 1, sample)) return;
    const std::string_view suffix = std::string_view(sample.name).substr(family_->name.size());
    CheckLabels(suffix, sample);
    CheckValue(suffix, sample);
    if (has_exemplar_ && !(IsHistogram(family_->type) && suffix == "_bucket") &&
        !(family_->type == MetricType::kCounter && suffix == "_total")) {
      Say(line_.begin, "only counters and buckets of histograms have exemplars");
    }
    CheckOrder(sample);
    if (IsHistogram(family_->type)) AddToHistogram(suffix, sample);
  }

  void EnterFamily(const std::string& name) {
    if (family_ != nullptr && name.starts_with(family_->name)) {
      const std::string_view suffix = std::string_view(name).substr(family_->name.size());
      const auto suffixes = SuffixesOf(family_->type);
      if (std::ranges::find(suffixes, suffix) != suffixes.end()) return;
    }
    StartFamily(name);
  }

  // A word up to the next space; false if it is empty.
  bool ReadWord(const char*& p, std::string_view& word) const {
    const char* start = p;
    while (p != line_.end && *p != ' ')
      ++p;
    word = {start, static_cast<std::size_t>(p - start)};
    return !word.empty();
  }

  bool ReadNumberWord(const char*& p, double& value, std::string_view what) {
    const char* start = p;
    std::string_view word;
    const auto number = ReadWord(p, word) ? ParseNumber(word) : std::nullopt;
    if (!number) {
      Say(start, fmt::format("expected {}{}", what, Got(start)));
      return false;
    }
    value = *number;
    return true;
  }

  bool ReadTimestamp(const char*& p, double& seconds) {
    const char* start = p;
    std::string_view word;
    const auto number = ReadWord(p, word) && IsRealNumber(word) ? ParseFloat(word) : std::nullopt;
    if (!number) {
      Say(start, "expected a timestamp in seconds" + Got(start));
      return false;
    }
    seconds = *number;
    return true;
  }

  // value [timestamp] [# {labels} value [timestamp]]; false after a finding.
  bool ReadSuffix(const char* p, LintSample& sample) {
    has_exemplar_ = false;
    if (!ReadNumberWord(p, sample.value, "a value")) return false;
    if (p == line_.end) return true;
    ++p;
    if (p == line_.end || *p != '#') {
      double seconds = 0;
      if (!ReadTimestamp(p, seconds)) return false;
      sample.timestamp = seconds;
      if (p == line_.end) return true;
      ++p;
    }
    if (!std::string_view(p, static_cast<std::size_t>(line_.end - p)).starts_with("# {")) {
      Say(p, "expected an exemplar (\"# {…} value\") or the end of the line" + Got(p));
      return false;
    }
    return ReadExemplar(p + 2);
  }

  bool ReadExemplar(const char* p) {
    has_exemplar_ = true;
    std::vector<LabelToken> tokens;
    SyntaxError error;
    const char* brace = p;
    p = ReadLabelSet(p, line_.end, kStrictOpenMetrics, tokens, error);
    if (p == nullptr) {
      Say(error.at, error.message);
      return false;
    }
    std::size_t runes = 0;
    std::set<std::string_view> names;
    for (const LabelToken& token : tokens) {
      std::string value;
      AppendUnescaped(value, token.value);
      runes += CountRunes(token.name) + CountRunes(value);
      if (!names.insert(token.name).second) Say(brace, "a label stands twice in one exemplar");
    }
    if (runes > kMaxExemplarRunes) {
      Say(brace, fmt::format("the labels of the exemplar have {} characters, more than {}", runes,
                             kMaxExemplarRunes));
    }
    double value = 0;
    if (p == line_.end || *p != ' ') {
      Say(p, "expected one space and a value after the labels of the exemplar" + Got(p));
      return false;
    }
    if (!ReadNumberWord(++p, value, "a value of the exemplar")) return false;
    if (p == line_.end) return true;
    if (!ReadTimestamp(++p, value)) return false;
    if (p != line_.end) Say(p, "expected the end of the line after the exemplar" + Got(p));
    return p == line_.end;
  }

  void CheckLabels(std::string_view suffix, const LintSample& sample) {
    if (IsHistogram(family_->type) && suffix == "_bucket")
      CheckBound(sample.Get("le"), "le", -HUGE_VAL, HUGE_VAL);
    if (family_->type == MetricType::kSummary && suffix.empty())
      CheckBound(sample.Get("quantile"), "quantile", 0, 1);
    if (family_->type == MetricType::kStateset && sample.Get(family_->name) == nullptr) {
      Say(line_.begin, fmt::format("a stateset needs the label {}", Shown(family_->name)));
    }
  }

  void CheckBound(const std::string* text, std::string_view label, double min, double max) {
    const auto value = text == nullptr ? std::nullopt : ParseNumber(*text);
    if (!value || !(*value >= min && *value <= max) ||
        (std::isinf(*value) && *text != FormatFloatG(*value))) {
      Say(line_.begin, fmt::format("expected a number{} in the label \"{}\", got {}",
                                   max == 1 ? " from 0 to 1" : " (infinity is \"+Inf\")", label,
                                   text == nullptr ? "no such label" : Shown(*text)));
    }
  }

  void CheckValue(std::string_view suffix, const LintSample& sample) {
    const double value = sample.value;
    const bool is_count = suffix == "_bucket" || suffix == "_count" || suffix == "_gcount";
    const bool plain = suffix.empty();
    switch (family_->type) {
      case MetricType::kInfo:
        if (value != 1) Say(line_.begin, "the value of an info must be 1");
        return;
      case MetricType::kStateset:
        if (value != 0 && value != 1) Say(line_.begin, "the value of a stateset must be 0 or 1");
        return;
      case MetricType::kGauge:
      case MetricType::kUnknown:
        return;
      default:
        break;
    }
    if (plain) {
      if (value < 0) Say(line_.begin, "the value of a quantile must not be negative");
      return;
    }
    if (suffix == "_created") {
      if (!std::isfinite(value)) Say(line_.begin, "_created must be a time");
      return;
    }
    if (std::isnan(value)) Say(line_.begin, fmt::format("{} must not be NaN", suffix));
    if (value < 0 && suffix != "_gsum")
      Say(line_.begin, fmt::format("{} must not be negative", suffix));
    if (is_count && std::floor(value) != value && !std::isnan(value)) {
      Say(line_.begin, fmt::format("{} must be an integer", suffix));
    }
  }

  // ------------------------------------------------------------------------------ order of samples

  void CheckOrder(const LintSample& sample) {
    Family& family = *family_;
    const std::string_view own_label = IsHistogram(family.type)              ? "le"
                                       : family.type == MetricType::kSummary ? "quantile"
                                       : family.type == MetricType::kStateset
                                           ? std::string_view(family.name)
                                           : std::string_view();
    // An info's labels are its content, so all of them are one metric.
    const std::string group =
        family.type == MetricType::kInfo ? "" : MetricKey(sample.labels, own_label);
    const bool same_group = !family.groups.empty() && group == family.group;
    if (!same_group && family.groups.contains(group))
      Say(line_.begin, "the samples of a metric must stand together");
    if (same_group && sample.timestamp.has_value() != family.timestamp.has_value()) {
      Say(line_.begin, "either all samples of a metric have timestamps or none has");
    } else if (same_group && sample.timestamp && *sample.timestamp < *family.timestamp &&
               family.type != MetricType::kInfo) {
      Say(line_.begin, "the timestamps of a metric must not go back");
    }
    if (!same_group || sample.timestamp != family.timestamp) {
      FinishHistogram();
      family.series.clear();
    }
    // With a timestamp it may be a sample whose finer digits were lost.
    const bool added =
        family.series.insert(sample.name + "\xFE" + MetricKey(sample.labels, {})).second;
    if (!added && !sample.timestamp) Say(line_.begin, "the same series twice");
    family.groups.insert(group);
    family.group = group;
    family.timestamp = sample.timestamp;
  }

  void AddToHistogram(std::string_view suffix, const LintSample& sample) {
    HistogramState& state = family_->histogram;
    state.active = true;
    state.line = line_;
    if (suffix == "_count" || suffix == "_gcount") state.count = sample.value;
    if (suffix == "_sum" || suffix == "_gsum") {
      state.has_sum = true;
      state.has_negative_sum = sample.value < 0;
    }
    const std::string* le = sample.Get("le");
    if (suffix != "_bucket" || le == nullptr) return;
    const auto bound = ParseNumber(*le);
    if (!bound) return;
    state.has_negative_bound = state.has_negative_bound || *bound < 0;
    if (state.bound && *bound <= *state.bound)
      Say(line_.begin, "buckets must stand in increasing order of \"le\"");
    if (sample.value < state.value)
      Say(line_.begin, "bucket counts are cumulative and must not fall");
    state.bound = bound;
    state.value = sample.value;
  }

  // The histogram whose samples are over: is all there that must be?
  void FinishHistogram() {
    const HistogramState state = std::exchange(family_->histogram, {});
    if (!state.active) return;
    const LintLine here = std::exchange(line_, state.line);
    const bool gauge = family_->type == MetricType::kGaugeHistogram;
    const std::string_view count = gauge ? "_gcount" : "_count";
    const std::string_view sum = gauge ? "_gsum" : "_sum";
    if (state.bound != HUGE_VAL) {
      Say(line_.begin, "histogram without a bucket le=\"+Inf\"");
    } else if (state.count && *state.count != state.value) {
      Say(line_.begin, fmt::format("{} and the bucket le=\"+Inf\" differ", count));
    }
    if (state.has_sum && !state.count) Say(line_.begin, fmt::format("{} without {}", sum, count));
    if (!state.has_sum && state.count) Say(line_.begin, fmt::format("{} without {}", count, sum));
    if (!gauge && state.has_sum && state.has_negative_bound) {
      Say(line_.begin, "a histogram with negative buckets has no _sum");
    }
    if (gauge && state.has_negative_sum && !state.has_negative_bound) {
      Say(line_.begin, "a negative _gsum without negative buckets");
    }
    line_ = here;
  }

  std::string_view page_;
  LintLines lines_;
  LintFindings& findings_;
  LintLine line_;
  std::unique_ptr<Family> family_;
  std::set<std::string> names_;  // Of the families that are over.
  bool has_exemplar_ = false;    // The current line has one.
};

}  // namespace

void LintOpenMetrics(std::string_view page, LintFindings& findings) {
  OpenMetricsLint(page, findings).Run();
}

}  // namespace sonde::wire
