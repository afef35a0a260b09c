#include "wire/exposition_lint.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "model/labels.h"
#include "wire/lint_page.h"

namespace sonde::wire {

bool LintLines::Next(LintLine& line) {
  if (at_ == end_) return false;
  const void* newline = std::memchr(at_, '\n', static_cast<std::size_t>(end_ - at_));
  line.number = ++number_;
  line.begin = at_;
  line.terminated = newline != nullptr;
  line.end = line.terminated ? static_cast<const char*>(newline) : end_;
  at_ = line.terminated ? line.end + 1 : end_;
  return true;
}

void LintFindings::Add(const LintLine& line, const char* at, std::string_view family,
                       std::string message) {
  if (full()) return;
  const auto column = static_cast<std::size_t>(at - line.begin) + 1;
  constexpr std::size_t kMaxFamily = 256;
  findings_.push_back(
      {line.number, column, std::string(family.substr(0, kMaxFamily)), std::move(message)});
}

const std::string* LintSample::Get(std::string_view label) const {
  const auto found = std::ranges::find(
      labels, label, [](const auto& pair) { return std::string_view(pair.first); });
  return found == labels.end() ? nullptr : &found->second;
}

const char* ReadLintSeries(const LintLine& line, const SeriesDialect& dialect, LintSample& sample,
                           SyntaxError& error) {
  std::vector<LabelToken> tokens;
  const char* p = ReadSeries(line.begin, line.end, dialect, tokens, error);
  if (p == nullptr) return nullptr;
  sample.labels.clear();
  bool named = false;
  for (const LabelToken& token : tokens) {
    std::string name;
    AppendUnescaped(name, token.name);
    std::string value;
    AppendUnescaped(value, token.value);
    if (name == kMetricName && !named) {
      sample.name = std::move(value);
      named = true;
      continue;
    }
    if (name == kMetricName) {
      error = {token.name.data(), "the label name \"__name__\" is reserved"};
      return nullptr;
    }
    sample.labels.emplace_back(std::move(name), std::move(value));
  }
  std::ranges::sort(sample.labels);
  const auto twice =
      std::ranges::adjacent_find(sample.labels, {}, [](const auto& label) { return label.first; });
  if (twice == sample.labels.end()) return p;
  error = {line.begin, fmt::format("the label {} stands twice in one series", Shown(twice->first))};
  return nullptr;
}

std::string MetricKey(const LintLabels& labels, std::string_view without) {
  std::string key;
  for (const auto& [name, value] : labels) {
    if (name == without || value.empty()) continue;
    key.append(name).append("\xFF").append(value).append("\xFF");
  }
  return key;
}

std::vector<LintFinding> LintExposition(std::string_view page, ExpositionFormat format,
                                        std::size_t max_findings) {
  LintFindings findings(max_findings);
  if (format == ExpositionFormat::kText) LintText(page, findings);
  if (format == ExpositionFormat::kOpenMetrics) LintOpenMetrics(page, findings);
  std::vector<LintFinding> found = std::move(findings).Take();
  std::ranges::stable_sort(found, {},
                           [](const LintFinding& f) { return std::pair(f.line, f.column); });
  return found;
}

int CheckMetrics(std::string_view page, bool openmetrics, std::string& report) {
  const auto format = openmetrics ? ExpositionFormat::kOpenMetrics : ExpositionFormat::kText;
  const auto findings = LintExposition(page, format);
  for (const LintFinding& finding : findings) {
    report += fmt::format("{}:{}: {}{}{}\n", finding.line, finding.column, finding.family,
                          finding.family.empty() ? "" : ": ", finding.message);
  }
  return findings.empty() ? 0 : 1;
}

}  // namespace sonde::wire
