#include "collect/probe/suite.h"

#include <cctype>
#include <cmath>
#include <functional>

#include "base/json.h"
#include "base/number.h"
#include "base/quote.h"

namespace sonde::collect {
namespace {

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

/// Without blanks, and one full stop at the end (also the ideographic one).
std::string_view Bare(std::string_view text) {
  text = TrimSpace(text);
  for (const std::string_view stop : {".", "\xE3\x80\x82"}) {
    if (text.ends_with(stop)) return TrimSpace(text.substr(0, text.size() - stop.size()));
  }
  return text;
}

bool Holds(const ExactMatch& match, std::string_view answer) {
  for (const std::string& text : match.texts) {
    const bool same = match.case_sensitive ? Bare(answer) == Bare(text)
                                           : Lower(Bare(answer)) == Lower(Bare(text));
    if (same) return true;
  }
  return false;
}

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

/// Full-width digits, signs and points (U+FF0B…U+FF19) and the minus sign U+2212 as ASCII.
std::string Narrow(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i).starts_with("\xEF\xBC")) {
      const auto last = i + 2 < text.size() ? static_cast<unsigned char>(text[i + 2]) : 0U;
      if (last >= 0x8B && last <= 0x99) {
        out += static_cast<char>(last - 0x8B + '+');
        i += 2;
        continue;
      }
    }
    if (text.substr(i).starts_with("\xE2\x88\x92")) {
      out += '-';
      i += 2;
      continue;
    }
    out += text[i];
  }
  return out;
}

/// The number that begins at `begin` (a digit), and where it ends. A comma counts as a thousands
/// separator if exactly three digits follow.
std::size_t ReadNumber(std::string_view text, std::size_t begin, std::string& digits) {
  std::size_t at = begin;
  const auto group_follows = [&](std::size_t i) {
    return i + 3 < text.size() && IsDigit(text[i + 1]) && IsDigit(text[i + 2]) &&
           IsDigit(text[i + 3]) && (i + 4 >= text.size() || !IsDigit(text[i + 4]));
  };
  while (at < text.size() && (IsDigit(text[at]) || (text[at] == ',' && group_follows(at)))) {
    if (text[at] != ',') digits += text[at];
    ++at;
  }
  if (at + 1 < text.size() && text[at] == '.' && IsDigit(text[at + 1])) {
    digits += text[at++];
    while (at < text.size() && IsDigit(text[at]))
      digits += text[at++];
  }
  if (at + 1 < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    std::size_t exponent = at + 1;
    if (text[exponent] == '-' || text[exponent] == '+') ++exponent;
    if (exponent < text.size() && IsDigit(text[exponent])) {
      digits.append(text.substr(at, exponent - at));
      at = exponent;
      while (at < text.size() && IsDigit(text[at]))
        digits += text[at++];
    }
  }
  return at;
}

std::optional<double> LastNumber(std::string_view answer) {
  const std::string text = Narrow(answer);
  std::optional<double> last;
  for (std::size_t i = 0; i < text.size();) {
    if (!IsDigit(text[i])) {
      ++i;
      continue;
    }
    // "-3" is negative, "5-3" and "a-3" are not.
    const bool negative = i > 0 && text[i - 1] == '-' &&
                          (i == 1 || std::isalnum(static_cast<unsigned char>(text[i - 2])) == 0);
    std::string digits = negative ? "-" : "";
    if (i > 0 && text[i - 1] == '.' && (i == 1 || !IsDigit(text[i - 2]))) digits += "0.";
    i = ReadNumber(text, i, digits);
    if (const auto number = ParseFloat(digits)) last = number;
  }
  return last;
}

bool Holds(const NumberMatch& match, std::string_view answer) {
  const auto number = LastNumber(answer);
  if (!number) return false;
  // A rounding error of the comparison itself is not the model's fault.
  return std::abs(*number - match.value) <= match.tolerance + 1e-9 * std::abs(match.value);
}

/// Where the JSON value that begins at `begin` ends, by counting brackets outside strings; npos if
/// it does not.
std::size_t EndOfJson(std::string_view text, std::size_t begin) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = begin; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
      continue;
    }
    if (c == '"') in_string = true;
    if (c == '{' || c == '[') ++depth;
    if ((c == '}' || c == ']') && --depth == 0) return i + 1;
  }
  return std::string_view::npos;
}

/// The first object or array in the text that is valid JSON; else the whole text, if it is a
/// scalar. Each byte is looked at a bounded number of times.
std::optional<JsonDocument> FirstJson(std::string_view text) {
  constexpr int kMaxTries = 16;
  int tries = 0;
  for (std::size_t at = text.find_first_of("{["); at != std::string_view::npos && tries < kMaxTries;
       at = text.find_first_of("{[", at + 1)) {
    ++tries;
    const std::size_t end = EndOfJson(text, at);
    if (end == std::string_view::npos) continue;
    auto document = JsonDocument::Parse(text.substr(at, end - at));
    if (document) return *std::move(document);
  }
  if (auto document = JsonDocument::Parse(TrimSpace(text))) return *std::move(document);
  return std::nullopt;
}

bool Contains(JsonView actual, JsonView expected) {
  if (!actual.exists()) return false;
  if (expected.is_object()) {
    if (!actual.is_object()) return false;
    bool all = true;
    expected.ForEach(
        [&](std::string_view key, JsonView value) { all = all && Contains(actual[key], value); });
    return all;
  }
  if (expected.is_array()) {
    if (!actual.is_array() || actual.size() != expected.size()) return false;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      if (!Contains(actual.at(i), expected.at(i))) return false;
    }
    return true;
  }
  if (expected.is_null()) return actual.is_null();
  if (expected.string()) return actual.string() == expected.string();
  if (expected.boolean()) return actual.boolean() == expected.boolean();
  if (expected.number()) return actual.number() == expected.number();
  return false;
}

bool Holds(const JsonMatch& match, std::string_view answer) {
  const auto expected = JsonDocument::Parse(match.expected);
  const auto actual = FirstJson(answer);
  const auto path = ParseJsonPath(match.path);
  if (!expected || !actual || !path) return false;
  JsonView at = actual->root();
  for (const JsonStep& step : *path)
    at = step.name.empty() ? at.at(step.index) : at[step.name];
  return Contains(at, expected->root());
}

Error BadPath(std::string_view path, std::string_view what) {
  return {ErrorKind::kInvalid, "path \"" + std::string(path) + "\": " + std::string(what)};
}

/// `[0]` or `["name"]` at the beginning of `rest`, which it shortens.
Result<JsonStep> ParseBracket(std::string_view path, std::string_view& rest) {
  const std::size_t close = rest.starts_with("[\"") ? rest.find("\"]", 2) : rest.find(']');
  if (close == std::string_view::npos) return BadPath(path, "a bracket is not closed");
  JsonStep step;
  if (rest.starts_with("[\"")) {
    step.name = rest.substr(2, close - 2);
    rest.remove_prefix(close + 2);
    if (step.name.empty()) return BadPath(path, "a name is empty");
    return step;
  }
  const auto index = ParseUint(rest.substr(1, close - 1));
  if (!index || *index > 1'000'000) {
    return BadPath(path, "between brackets stands an index, or a name in quotes");
  }
  step.index = static_cast<std::size_t>(*index);
  rest.remove_prefix(close + 1);
  return step;
}

}  // namespace

std::string_view StripReasoning(std::string_view answer) {
  constexpr std::string_view kOpen = "<think>";
  constexpr std::string_view kClose = "</think>";
  const std::size_t close = answer.rfind(kClose);
  if (close != std::string_view::npos) return TrimSpace(answer.substr(close + kClose.size()));
  const std::size_t open = answer.find(kOpen);
  if (open != std::string_view::npos) return TrimSpace(answer.substr(0, open));
  return TrimSpace(answer);
}

bool IsRight(const Question& question, std::string_view answer) {
  answer = StripReasoning(answer);
  if (answer.empty()) return false;
  if (question.exact && !Holds(*question.exact, answer)) return false;
  if (question.regex && !question.regex->regex.Matches(answer)) return false;
  if (question.number && !Holds(*question.number, answer)) return false;
  if (question.json && !Holds(*question.json, answer)) return false;
  return question.exact || question.regex || question.number || question.json;
}

Result<std::vector<JsonStep>> ParseJsonPath(std::string_view path) {
  constexpr std::size_t kMaxSteps = 32;
  std::vector<JsonStep> steps;
  std::string_view rest = path;
  while (!rest.empty()) {
    if (steps.size() == kMaxSteps) return BadPath(path, "more than 32 steps");
    if (rest.front() == '[') {
      steps.push_back(TRY(ParseBracket(path, rest)));
      continue;
    }
    if (rest.front() == '.') {
      if (steps.empty()) return BadPath(path, "it begins with a dot");
      rest.remove_prefix(1);
    } else if (!steps.empty()) {
      return BadPath(path, "a dot is missing after a bracket");
    }
    const std::string_view name = rest.substr(0, rest.find_first_of(".["));
    if (name.empty()) return BadPath(path, "a name is empty");
    steps.push_back({std::string(name), 0});
    rest.remove_prefix(name.size());
  }
  return steps;
}

Result<RegexMatch> CompileRegexMatch(std::string_view pattern) {
  TRY(Regex::Compile(pattern));  // So that the message shows the pattern as it was written.
  return RegexMatch{TRY(Regex::Compile("(?s:.*)(?:" + std::string(pattern) + ")(?s:.*)"))};
}

}  // namespace sonde::collect
