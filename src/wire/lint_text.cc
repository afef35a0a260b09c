#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <set>
#include <unordered_map>

#include <fmt/format.h>

#include "base/number.h"
#include "base/utf8.h"
#include "wire/lint_page.h"

// The text format by its documentation: syntax, one group of lines per family, whole histograms and
// summaries.

namespace sonde::wire {
namespace {

struct Bucket {
  LintLine line;
  double bound = 0;
  double count = 0;
};

// One histogram or summary: the lines that share their labels but for `le` and `quantile`.
struct Compound {
  LintLine first;
  std::vector<Bucket> buckets;
  std::vector<double> quantiles;
  std::optional<double> count;
  bool has_sum = false;
};

struct Family {
  std::string name;
  LintLine first;  // The first line that names it.
  MetricType type = MetricType::kUnknown;
  bool has_type = false;
  bool has_help = false;  // A text, not only the line.
  bool has_help_line = false;
  bool has_samples = false;
  bool split = false;  // Its lines are not all together; said once.
  std::set<std::string> label_names;
  std::set<std::string> series;
  std::map<std::string, Compound> compounds;
};

class TextLint {
 public:
  TextLint(std::string_view page, LintFindings& findings) : lines_(page), findings_(findings) {}

  void Run() {
    LintLine line;
    while (!findings_.full() && lines_.Next(line)) {
      CheckLine(line);
      last_ = line;
    }
    if (last_.begin != nullptr && !last_.terminated) {
      findings_.Add(last_, last_.end, {}, "the last line does not end with a line feed");
    }
    for (const auto& family : order_)
      FinishFamily(*family);
  }

 private:
  void CheckLine(const LintLine& whole) {
    LintLine line = whole;
    while (line.begin != line.end && (*line.begin == ' ' || *line.begin == '\t'))
      ++line.begin;
    if (line.begin == line.end) return;
    line_ = whole;
    if (*line.begin == '#') {
      CheckComment(line);
    } else {
      CheckSample(line);
    }
  }

  void Say(const char* at, std::string_view family, std::string message) {
    findings_.Add(line_, at, family, std::move(message));
  }

  static const char* SkipBlanks(const char* p, const char* end) {
    while (p != end && (*p == ' ' || *p == '\t'))
      ++p;
    return p;
  }

  void CheckComment(const LintLine& line) {
    const char* p = SkipBlanks(line.begin + 1, line.end);
    const std::string_view rest(p, static_cast<std::size_t>(line.end - p));
    const bool is_help = rest.starts_with("HELP ") || rest.starts_with("HELP\t");
    const bool is_type = rest.starts_with("TYPE ") || rest.starts_with("TYPE\t");
    if (p == line.begin + 1 || (!is_help && !is_type)) return;
    p = SkipBlanks(p + 4, line.end);
    std::string name;
    const char* after = ReadName(p, line.end, name);
    if (after == nullptr) return;
    if (after != line.end && *after != ' ' && *after != '\t') {
      Say(after, {}, "expected a space after the metric name, got " + Describe(after, line.end));
      return;
    }
    Family& family = Enter(name, true);
    const char* text = is_help             ? SkipBlanks(after, line.end)
                       : after == line.end ? after
                                           : after + 1;
    const std::string_view words(text, static_cast<std::size_t>(line.end - text));
    if (is_help) {
      CheckHelp(family, text, words);
    } else {
      CheckType(family, text, words);
    }
  }

  // A family's name, plain or quoted; null after a finding.
  const char* ReadName(const char* p, const char* end, std::string& name) {
    if (p == end || *p != '"') {
      const char* after = SkipMetricName(p, end);
      if (after == p) {
        Say(p, {},
            "expected a metric name, got " + (p == end ? "the end of the line" : Describe(p, end)));
        return nullptr;
      }
      name.assign(p, after);
      return after;
    }
    const char* close = p + 1;
    while (close != end && *close != '"')
      close += *close == '\\' && close + 1 != end ? 2 : 1;
    const std::string_view raw(p + 1, static_cast<std::size_t>(close - p - 1));
    if (close == end || raw.empty() || !IsValidUtf8(raw)) {
      Say(p, {}, "expected a name in double quotes, not empty and valid UTF-8");
      return nullptr;
    }
    AppendUnescaped(name, raw);
    return close + 1;
  }

  void CheckHelp(Family& family, const char* at, std::string_view text) {
    if (family.has_help_line) Say(line_.begin, family.name, "second HELP line");
    family.has_help_line = true;
    family.has_help = family.has_help || !text.empty();
    if (!IsValidUtf8(text)) Say(at, family.name, "the help text is not valid UTF-8");
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '\\') continue;
      ++i;
      if (i < text.size() && (text[i] == '\\' || text[i] == 'n' || text[i] == '"')) continue;
      Say(at + i - 1, family.name,
          "invalid escape sequence in the help text: only \\\\ and \\n are defined");
      return;
    }
  }

  void CheckType(Family& family, const char* at, std::string_view word) {
    const bool known = word == "counter" || word == "gauge" || word == "histogram" ||
                       word == "summary" || word == "untyped";
    if (!known) {
      Say(at, family.name,
          "expected counter, gauge, histogram, summary or untyped, got " + Shown(word));
      return;
    }
    if (family.has_type) {
      Say(line_.begin, family.name, "second TYPE line");
    } else if (family.has_samples) {
      Say(line_.begin, family.name, "TYPE line after samples of the metric");
    }
    family.has_type = true;
    family.type = *ParseMetricType(word);
  }

  // The family called `name`; notes when its lines are not together.
  Family& Enter(const std::string& name, bool metadata) {
    auto [it, added] = families_.try_emplace(name, nullptr);
    if (added) {
      order_.push_back(std::make_unique<Family>());
      it->second = order_.back().get();
      it->second->name = name;
      it->second->first = line_;
    }
    Family& family = *it->second;
    if (!added && current_ != &family && !family.split) {
      family.split = true;
      Say(line_.begin, name,
          metadata ? "HELP, TYPE and samples must stand together"
                   : "all lines of a metric must stand together");
    }
    current_ = &family;
    return family;
  }

  // The family that a sample belongs to: its own name, or that of a declared histogram or summary.
  Family& FamilyOf(const std::string& name) {
    if (families_.count(name) == 0) {
      for (const std::string_view suffix : {"_bucket", "_count", "_sum"}) {
        if (!name.ends_with(suffix)) continue;
        const auto base = families_.find(name.substr(0, name.size() - suffix.size()));
        if (base == families_.end()) continue;
        const MetricType type = base->second->type;
        if (type == MetricType::kHistogram ||
            (type == MetricType::kSummary && suffix != "_bucket")) {
          return Enter(base->first, false);
        }
      }
    }
    return Enter(name, false);
  }

  void CheckSample(const LintLine& line) {
    LintSample sample;
    SyntaxError error;
    const char* p = ReadLintSeries(line, kStrictText, sample, error);
    if (p == nullptr) {
      Say(error.at, {}, error.message);
      return;
    }
    if (p[-1] != '}' && p != line.end && *p != ' ' && *p != '\t') {
      Say(p, {}, "expected a space or \"{\" after the metric name, got " + Describe(p, line.end));
      return;
    }
    Family& family = FamilyOf(sample.name);
    family.has_samples = true;
    if (!CheckSuffix(line, p, family, sample)) return;
    for (const auto& label : sample.labels)
      family.label_names.insert(label.first);
    if (!family.series.insert(sample.name + "\xFE" + MetricKey(sample.labels, {})).second) {
      Say(line.begin, family.name, "metric not unique");
    }
    CheckValue(line, family, sample);
  }

  // Value and timestamp; false after a finding.
  bool CheckSuffix(const LintLine& line, const char* p, const Family& family, LintSample& sample) {
    p = SkipBlanks(p, line.end);
    const char* stop = p;
    while (stop != line.end && *stop != ' ' && *stop != '\t')
      ++stop;
    const std::string_view word(p, static_cast<std::size_t>(stop - p));
    const auto value =
        word.find_first_of("pP_") == std::string_view::npos ? ParseFloat(word) : std::nullopt;
    if (!value) {
      Say(p, family.name,
          "expected a number, got " + (p == line.end ? "the end of the line" : Shown(word)));
      return false;
    }
    sample.value = *value;
    p = SkipBlanks(stop, line.end);
    if (p == line.end) return true;
    stop = p;
    while (stop != line.end && *stop != ' ' && *stop != '\t')
      ++stop;
    const std::string_view time(p, static_cast<std::size_t>(stop - p));
    const auto ms = time.starts_with('+') ? std::nullopt : ParseInt(time);
    if (!ms) {
      Say(p, family.name, "expected a timestamp in milliseconds, got " + Shown(time));
      return false;
    }
    sample.timestamp = static_cast<double>(*ms);
    p = SkipBlanks(stop, line.end);
    if (p != line.end)
      Say(p, family.name,
          "expected the end of the line after the timestamp, got " + Describe(p, line.end));
    return p == line.end;
  }

  void CheckValue(const LintLine& line, Family& family, const LintSample& sample) {
    const std::string suffix = sample.name.substr(std::min(family.name.size(), sample.name.size()));
    switch (family.type) {
      case MetricType::kCounter:
        if (std::isnan(sample.value) || sample.value < 0)
          Say(line.begin, family.name, "a counter must not be negative or NaN");
        return;
      case MetricType::kHistogram:
        AddToHistogram(line, family, sample, suffix);
        return;
      case MetricType::kSummary:
        AddToSummary(line, family, sample, suffix);
        return;
      default:
        return;
    }
  }

  Compound& CompoundOf(Family& family, const LintSample& sample, std::string_view without) {
    auto [it, added] = family.compounds.try_emplace(MetricKey(sample.labels, without));
    if (added) it->second.first = line_;
    return it->second;
  }

  void AddToHistogram(const LintLine& line, Family& family, const LintSample& sample,
                      std::string_view suffix) {
    Compound& compound = CompoundOf(family, sample, "le");
    if (suffix == "_sum") {
      compound.has_sum = true;
    } else if (suffix == "_count") {
      compound.count = sample.value;
    } else if (suffix != "_bucket") {
      Say(line.begin, family.name, "a histogram has only _bucket, _sum and _count samples");
    } else {
      const std::string* le = sample.Get("le");
      const auto bound = le == nullptr ? std::nullopt : ParseFloat(*le);
      if (!bound || std::isnan(*bound)) {
        Say(line.begin, family.name, "a histogram bucket needs a number in the label \"le\"");
        return;
      }
      compound.buckets.push_back({line_, *bound, sample.value});
    }
  }

  void AddToSummary(const LintLine& line, Family& family, const LintSample& sample,
                    std::string_view suffix) {
    Compound& compound = CompoundOf(family, sample, "quantile");
    if (suffix == "_sum") {
      compound.has_sum = true;
    } else if (suffix == "_count") {
      compound.count = sample.value;
    } else {
      const std::string* quantile = sample.Get("quantile");
      const auto parsed = quantile == nullptr ? std::nullopt : ParseFloat(*quantile);
      if (!parsed || !(*parsed >= 0 && *parsed <= 1)) {
        Say(line.begin, family.name,
            "a summary sample needs a number from 0 to 1 in the label \"quantile\"");
        return;
      }
      if (!compound.quantiles.empty() && *parsed <= compound.quantiles.back()) {
        Say(line.begin, family.name, "quantiles must stand in increasing order");
      }
      compound.quantiles.push_back(*parsed);
    }
  }

  void FinishFamily(const Family& family) {
    if (!family.has_samples) return;
    for (const auto& [key, compound] : family.compounds) {
      if (family.type == MetricType::kHistogram) FinishHistogram(family, compound);
      line_ = compound.first;
      const std::string_view what = ToString(family.type);
      if (!compound.count) Say(line_.begin, family.name, fmt::format("{} without _count", what));
      if (!compound.has_sum) Say(line_.begin, family.name, fmt::format("{} without _sum", what));
    }
    line_ = family.first;
    std::vector<std::string> messages;
    const std::vector<std::string> label_names(family.label_names.begin(),
                                               family.label_names.end());
    LintNames({family.name, family.type, family.has_help, label_names}, messages);
    // `le` and `quantile` are parts of a histogram and a summary, not labels of it: LintNames
    // knows.
    for (std::string& message : messages)
      Say(line_.begin, family.name, std::move(message));
  }

  void FinishHistogram(const Family& family, const Compound& compound) {
    for (std::size_t i = 1; i < compound.buckets.size(); ++i) {
      line_ = compound.buckets[i].line;
      if (compound.buckets[i].bound <= compound.buckets[i - 1].bound) {
        Say(line_.begin, family.name, "buckets must stand in increasing order of \"le\"");
      } else if (compound.buckets[i].count < compound.buckets[i - 1].count) {
        Say(line_.begin, family.name, "bucket counts are cumulative and must not fall");
      }
    }
    line_ = compound.first;
    const bool has_inf = !compound.buckets.empty() && std::isinf(compound.buckets.back().bound) &&
                         compound.buckets.back().bound > 0;
    if (!has_inf) {
      Say(line_.begin, family.name, "histogram without a bucket le=\"+Inf\"");
    } else if (compound.count && *compound.count != compound.buckets.back().count) {
      Say(line_.begin, family.name, "_count and the bucket le=\"+Inf\" differ");
    }
  }

  LintLines lines_;
  LintFindings& findings_;
  LintLine line_;
  LintLine last_;
  Family* current_ = nullptr;
  std::vector<std::unique_ptr<Family>> order_;
  std::unordered_map<std::string, Family*> families_;
};

}  // namespace

void LintText(std::string_view page, LintFindings& findings) {
  TextLint(page, findings).Run();
}

}  // namespace sonde::wire
