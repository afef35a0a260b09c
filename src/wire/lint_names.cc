#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "wire/lint_page.h"

// The naming rules, with the words that promtool uses, so that what looks for them keeps finding
// them.

namespace sonde::wire {
namespace {

using UnitRow = std::pair<std::string_view, std::string_view>;

// A unit and the base unit to use instead.
constexpr std::array<UnitRow, 24> kUnits{{
    {"amperes", "amperes"},    {"bytes", "bytes"},     {"celsius", "celsius"},
    {"grams", "grams"},        {"joules", "joules"},   {"kelvin", "kelvin"},
    {"meters", "meters"},      {"metres", "metres"},   {"seconds", "seconds"},
    {"volts", "volts"},        {"minutes", "seconds"}, {"hours", "seconds"},
    {"days", "seconds"},       {"weeks", "seconds"},   {"kelvins", "kelvin"},
    {"fahrenheit", "celsius"}, {"rankine", "celsius"}, {"inches", "meters"},
    {"yards", "meters"},       {"miles", "meters"},    {"bits", "bytes"},
    {"calories", "joules"},    {"pounds", "grams"},    {"ounces", "grams"},
}};

constexpr std::array<std::string_view, 18> kPrefixes{
    "pico", "nano", "micro", "milli", "centi", "deci", "deca", "hecto", "kilo",
    "kibi", "mega", "mibi",  "giga",  "gibi",  "tera", "tebi", "peta",  "pebi"};

constexpr std::array<std::string_view, 14> kAbbreviations{"s",  "ms", "us", "ns", "sec", "b", "kb",
                                                          "mb", "gb", "tb", "pb", "m",   "h", "d"};

std::string_view BaseOf(std::string_view unit) {
  for (const auto& [name, base] : kUnits) {
    if (name == unit) return base;
  }
  return {};
}

// The base unit that should stand in the place of `word`; empty if it is no unit, or is one
// already.
std::string_view BetterUnit(std::string_view word, bool& is_unit) {
  std::string_view base = BaseOf(word);
  is_unit = !base.empty();
  if (is_unit) return base == word ? std::string_view() : base;
  for (const std::string_view prefix : kPrefixes) {
    if (!word.starts_with(prefix)) continue;
    base = BaseOf(word.substr(prefix.size()));
    is_unit = !base.empty();
    if (is_unit) return base;
  }
  return {};
}

bool IsCamelCase(std::string_view name) {
  for (std::size_t i = 1; i < name.size(); ++i) {
    if (name[i - 1] >= 'a' && name[i - 1] <= 'z' && name[i] >= 'A' && name[i] <= 'Z') return true;
  }
  return false;
}

std::string Lower(std::string_view s) {
  std::string out(s);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return out;
}

// `word` as a part of a name: between underscores or at the end.
bool HasPart(std::string_view lower_name, std::string_view word) {
  const std::string part = "_" + std::string(word);
  return lower_name.ends_with(part) || lower_name.find(part + "_") != std::string_view::npos;
}

void LintUnits(std::string_view name, std::vector<std::string>& messages) {
  for (std::string_view rest = name; !rest.empty();) {
    const std::size_t end = std::min(rest.find('_'), rest.size());
    bool is_unit = false;
    const std::string_view word = rest.substr(0, end);
    const std::string_view better = BetterUnit(word, is_unit);
    if (!better.empty())
      messages.push_back(fmt::format("use base unit \"{}\" instead of \"{}\"", better, word));
    if (is_unit) return;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
}

void LintType(const NamedFamily& family, std::vector<std::string>& messages) {
  const std::string_view name = family.name;
  const bool counter = family.type == MetricType::kCounter;
  const bool histogram = family.type == MetricType::kHistogram;
  const bool summary = family.type == MetricType::kSummary;
  if (counter && !name.ends_with("_total"))
    messages.emplace_back("counter metrics should have \"_total\" suffix");
  if (family.type == MetricType::kUnknown) return;
  if (!counter && name.ends_with("_total")) {
    messages.emplace_back("non-counter metrics should not have \"_total\" suffix");
  }
  if (!histogram && name.ends_with("_bucket")) {
    messages.emplace_back("non-histogram metrics should not have \"_bucket\" suffix");
  }
  for (const std::string_view suffix : {"_count", "_sum"}) {
    if (histogram || summary || !name.ends_with(suffix)) continue;
    messages.push_back(
        fmt::format("non-histogram and non-summary metrics should not have \"{}\" suffix", suffix));
  }
  for (const std::string& label : family.label_names) {
    if (!histogram && label == "le")
      messages.emplace_back("non-histogram metrics should not have \"le\" label");
    if (!summary && label == "quantile") {
      messages.emplace_back("non-summary metrics should not have \"quantile\" label");
    }
  }
  if (HasPart(Lower(name), ToString(family.type))) {
    messages.push_back(
        fmt::format("metric name should not include type '{}'", ToString(family.type)));
  }
}

}  // namespace

void LintNames(const NamedFamily& family, std::vector<std::string>& messages) {
  if (!family.has_help) messages.emplace_back("no help text");
  LintUnits(family.name, messages);
  LintType(family, messages);
  if (family.name.find(':') != std::string::npos)
    messages.emplace_back("metric names should not contain ':'");
  if (IsCamelCase(family.name)) {
    messages.emplace_back("metric names should be written in 'snake_case' not 'camelCase'");
  }
  for (const std::string& label : family.label_names) {
    if (!IsCamelCase(label)) continue;
    messages.emplace_back("label names should be written in 'snake_case' not 'camelCase'");
    break;
  }
  const std::string lower = Lower(family.name);
  for (const std::string_view abbreviation : kAbbreviations) {
    if (!HasPart(lower, abbreviation)) continue;
    messages.emplace_back("metric names should not contain abbreviated units");
    break;
  }
}

}  // namespace sonde::wire
