#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/metadata.h"
#include "wire/exposition_lint.h"
#include "wire/series_syntax.h"

// What the lints of both formats share: lines with numbers, samples with unescaped labels, the list
// of findings.

namespace sonde::wire {

/// A line without its line feed.
struct LintLine {
  std::size_t number = 0;
  const char* begin = nullptr;
  const char* end = nullptr;
  bool terminated = false;  ///< A line feed follows.

  std::string_view text() const { return {begin, static_cast<std::size_t>(end - begin)}; }
};

/// Splits a page into lines. What follows the last line feed is a line only if it is not empty.
class LintLines {
 public:
  explicit LintLines(std::string_view page) : at_(page.data()), end_(page.data() + page.size()) {}

  bool Next(LintLine& line);

 private:
  const char* at_;
  const char* end_;
  std::size_t number_ = 0;
};

/// Collects findings up to a limit.
class LintFindings {
 public:
  explicit LintFindings(std::size_t max) : max_(max) {}

  void Add(const LintLine& line, const char* at, std::string_view family, std::string message);
  bool full() const { return findings_.size() >= max_; }
  std::vector<LintFinding> Take() && { return std::move(findings_); }

 private:
  std::size_t max_;
  std::vector<LintFinding> findings_;
};

using LintLabels = std::vector<std::pair<std::string, std::string>>;

struct LintSample {
  std::string name;
  LintLabels labels;  ///< Sorted by name, without __name__.
  double value = 0;
  std::optional<double> timestamp;

  /// The label's value, or null.
  const std::string* Get(std::string_view label) const;
};

/// Reads a series into `sample`'s name and labels. Null after `error` was set: bad syntax or a
/// label twice.
const char* ReadLintSeries(const LintLine& line, const SeriesDialect& dialect, LintSample& sample,
                           SyntaxError& error);

/// Labels as one string, but for `without`: the key of a metric within its family.
std::string MetricKey(const LintLabels& labels, std::string_view without);

/// A family as the naming rules see it.
struct NamedFamily {
  std::string name;
  MetricType type = MetricType::kUnknown;
  bool has_help = false;
  const std::vector<std::string>& label_names;
};

/// Appends what promtool says about a family's names, in its words.
void LintNames(const NamedFamily& family, std::vector<std::string>& messages);

void LintText(std::string_view page, LintFindings& findings);
void LintOpenMetrics(std::string_view page, LintFindings& findings);

}  // namespace sonde::wire
