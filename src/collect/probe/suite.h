#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/regex.h"
#include "base/result.h"

// Questions with known answers, and how an answer is judged. A suite is a file of packs/probes/ or
// of the user's; its format is in docs/probes.md, config/ reads it.

namespace sonde::collect {

/// Bounds of a suite, so that a mistake in a file cannot send a million requests.
inline constexpr std::size_t kMaxQuestions = 200;
inline constexpr std::size_t kMaxPromptBytes = 256U << 10;
inline constexpr std::uint32_t kMaxAnswerTokens = 32'768;

/// The answer is this text, after blanks at both ends, a final full stop and (unless
/// `case_sensitive`) the case of ASCII letters are disregarded.
struct ExactMatch {
  std::vector<std::string> texts;  ///< Any of them.
  bool case_sensitive = false;
};

/// The expression matches somewhere in the answer. RE2 syntax.
struct RegexMatch {
  Regex regex;  ///< Already wrapped, so that it need not match the whole answer.
};

/// The last number in the answer is `value` ± `tolerance`. Thousands separators ("1,234") are read;
/// full-width digits too.
struct NumberMatch {
  double value = 0;
  double tolerance = 0;
};

/// The first JSON value in the answer (code fences around it are allowed) contains `expected`: an
/// object each of its members, recursively; an array the same elements in the same order; numbers
/// compare as numbers. With a `path` ("user.names[0]"), the value there.
struct JsonMatch {
  std::string expected;  ///< JSON text.
  std::string path;      ///< Empty: the whole value.
};

struct Question {
  std::string name;    ///< Label `probe`.
  std::string system;  ///< Empty: none.
  std::string prompt;
  std::uint32_t max_tokens = 0;     ///< 0: the canary's.
  std::optional<ExactMatch> exact;  ///< One of the four; several: all must hold.
  std::optional<RegexMatch> regex;
  std::optional<NumberMatch> number;
  std::optional<JsonMatch> json;
};

struct Suite {
  std::string name;    ///< Label `suite`.
  std::string origin;  ///< Path, for messages.
  std::vector<Question> questions;
};

/// The answer without its reasoning: `<think>…</think>` (also without the opening tag, which some
/// chat templates put into the prompt) and blanks at both ends. An opened block without an end is
/// reasoning to the last byte.
std::string_view StripReasoning(std::string_view answer);

/// Whether `answer` (reasoning is stripped here) is right. Linear in its length.
bool IsRight(const Question& question, std::string_view answer);

/// "a.b[0].c" as steps; kInvalid says what is wrong with it. Names may be quoted: a["x.y"].
struct JsonStep {
  std::string name;  ///< Empty: `index` counts.
  std::size_t index = 0;
};
Result<std::vector<JsonStep>> ParseJsonPath(std::string_view path);

/// A regex that may match anywhere.
Result<RegexMatch> CompileRegexMatch(std::string_view pattern);

}  // namespace sonde::collect
