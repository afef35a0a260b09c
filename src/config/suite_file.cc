#include "config/suite_file.h"

#include <cmath>
#include <set>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/json.h"
#include "base/quote.h"
#include "config/scalar.h"
#include "config/schema.h"

namespace sonde::config {
namespace {

using enum FieldType;

constexpr std::size_t kMaxNameBytes = 64;

bool IsName(std::string_view text) {
  return !text.empty() && text.size() <= kMaxNameBytes &&
         text.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") ==
             std::string_view::npos;
}

void CheckName(const BlockView& view, Diagnostics& diagnostics) {
  const std::string name = view.Text("name");
  if (IsName(name)) return;
  diagnostics.Fail(view.MarkOf("name"),
                   name.empty() ? std::string("name is missing: it becomes a label's value")
                                : fmt::format("{} is no name: 1 to {} of A-Z a-z 0-9 _ -",
                                              QuoteGo(name), kMaxNameBytes));
}

constexpr Field kQuestionFields[] = {
    {"name", kString},     {"system", kString}, {"prompt", kString},
    {"max_tokens", kUint}, {"exact", kStrings}, {"case_sensitive", kBool},
    {"regex", kString},    {"number", kFloat},  {"tolerance", kFloat},
    {"json", kAny},        {"path", kString},
};
void CheckQuestion(const BlockView& view, Diagnostics& diagnostics) {
  CheckName(view, diagnostics);
  Require(view, "prompt", "prompt is missing", diagnostics);
  for (const char* key : {"prompt", "system"}) {
    if (view.Text(key).size() > collect::kMaxPromptBytes) {
      diagnostics.Fail(view.MarkOf(key), fmt::format("{} is longer than {} KiB", key,
                                                     collect::kMaxPromptBytes >> 10));
    }
  }
  if (view.Uint("max_tokens") > collect::kMaxAnswerTokens) {
    diagnostics.Fail(view.MarkOf("max_tokens"),
                     fmt::format("max_tokens is at most {}", collect::kMaxAnswerTokens));
  }
  const bool exact = view.Has("exact");
  const bool number = view.Has("number");
  const bool json = view.Raw("json") != nullptr;
  if (!exact && !number && !json && !view.Has("regex")) {
    diagnostics.Fail(view.mark(),
                     "nothing says which answer is right: exact, regex, number or json is needed");
  }
  if (exact && view.Strings("exact").empty()) {
    diagnostics.Fail(view.MarkOf("exact"), "exact is an empty list");
  }
  if (view.Has("regex")) {
    const auto regex = collect::CompileRegexMatch(view.Text("regex"));
    if (!regex) diagnostics.Fail(view.MarkOf("regex"), "regex: " + regex.error().message());
  }
  if (number && !std::isfinite(view.Float("number"))) {
    diagnostics.Fail(view.MarkOf("number"), "number must be finite");
  }
  if (!(view.Float("tolerance") >= 0)) {
    diagnostics.Fail(view.MarkOf("tolerance"), "tolerance cannot be negative");
  }
  for (const auto& [key, owner, has] :
       {std::tuple{"case_sensitive", "exact", exact}, std::tuple{"tolerance", "number", number},
        std::tuple{"path", "json", json}}) {
    if (view.Has(key) && !has)
      diagnostics.Fail(view.MarkOf(key), fmt::format("{} means nothing without {}", key, owner));
  }
  if (const auto path = collect::ParseJsonPath(view.Text("path")); !path) {
    diagnostics.Fail(view.MarkOf("path"), path.error().message());
  }
}
constexpr Block kQuestionBlock = {"question", "suite.question", kQuestionFields, CheckQuestion,
                                  true};

constexpr Field kFileFields[] = {
    {"name", kString},
    {"questions", kBlocks, nullptr, kNone, &kQuestionBlock, "empty or null section in questions"},
};
void CheckFile(const BlockView& view, Diagnostics& diagnostics) {
  CheckName(view, diagnostics);
  const auto questions = view.Children("questions");
  if (questions.empty()) diagnostics.Fail(view.mark(), "a suite needs at least one question");
  if (questions.size() > collect::kMaxQuestions) {
    diagnostics.Fail(view.MarkOf("questions"),
                     fmt::format("at most {} questions in a suite", collect::kMaxQuestions));
  }
  std::set<std::string> names;
  for (const BlockView& question : questions) {
    const std::string name = question.Text("name");
    if (!name.empty() && !names.insert(name).second) {
      diagnostics.Fail(question.MarkOf("name"),
                       fmt::format("two questions are called {}", QuoteGo(name)));
    }
  }
}
constexpr Block kSuiteBlock = {"suite", "suite.file", kFileFields, CheckFile, true};

/// A plain scalar is what JSON would read it as, else a string.
void WriteScalar(const YamlNode& node, JsonWriter& json) {
  if (node.plain && (node.text == "true" || node.text == "false")) {
    json.Bool(node.text == "true");
    return;
  }
  if (node.plain) {
    if (const auto number = ParseYamlFloat(node.text); number && std::isfinite(*number)) {
      json.Double(*number);
      return;
    }
  }
  json.String(node.text);
}

void WriteJson(const YamlNode& node, JsonWriter& json) {
  if (node.is_null()) json.Null();
  if (node.is_scalar()) WriteScalar(node, json);
  if (node.is_sequence()) {
    json.BeginArray();
    for (const YamlNode& item : node.items)
      WriteJson(item, json);
    json.EndArray();
  }
  if (node.is_mapping()) {
    json.BeginObject();
    for (const YamlEntry& entry : node.entries) {
      json.Key(entry.key);
      WriteJson(entry.value, json);
    }
    json.EndObject();
  }
}

collect::Question ReadQuestion(const BlockView& view) {
  collect::Question question;
  question.name = view.Text("name");
  question.system = view.Text("system");
  question.prompt = view.Text("prompt");
  question.max_tokens = static_cast<std::uint32_t>(view.Uint("max_tokens"));
  if (view.Has("exact")) question.exact = {view.Strings("exact"), view.Bool("case_sensitive")};
  if (view.Has("regex")) {
    if (auto regex = collect::CompileRegexMatch(view.Text("regex")))
      question.regex = *std::move(regex);
  }
  if (view.Has("number")) question.number = {view.Float("number"), view.Float("tolerance")};
  if (const YamlNode* expected = view.Raw("json"); expected != nullptr) {
    collect::JsonMatch match;
    JsonWriter json(match.expected);
    WriteJson(*expected, json);
    match.path = view.Text("path");
    question.json = std::move(match);
  }
  return question;
}

}  // namespace

Result<collect::Suite> ParseSuiteFile(std::string_view text, std::string_view origin) {
  const YamlDocument document =
      TRY(ParseYaml(text, origin, {.max_bytes = 1U << 20, .max_nodes = 50'000}));
  Diagnostics diagnostics{std::string(origin)};
  Validate(kSuiteBlock, document.root, document, diagnostics);
  if (!diagnostics.ok()) return diagnostics.ToError();
  const BlockView view(kSuiteBlock, &document.root);
  collect::Suite suite;
  suite.name = view.Text("name");
  suite.origin = origin;
  for (const BlockView& question : view.Children("questions"))
    suite.questions.push_back(ReadQuestion(question));
  return suite;
}

}  // namespace sonde::config
