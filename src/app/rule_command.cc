#include "app/rule_command.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string_view>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "app/process.h"
#include "base/clock.h"
#include "base/env.h"
#include "base/glob.h"
#include "base/log.h"
#include "base/regex_search.h"
#include "config/rule_file.h"
#include "config/rule_test_file.h"
#include "promql/engine.h"
#include "rules/unit_test.h"

namespace sonde::app {
namespace {

/// As promtool has it: everything of the language is on.
config::RuleFileOptions FileOptions(bool ignore_unknown_fields) {
  config::RuleFileOptions options;
  options.parser.experimental_functions = true;
  options.parser.extended_range_selectors = true;
  options.parser.binop_fill_modifiers = true;
  options.ignore_unknown_fields = ignore_unknown_fields;
  return options;
}

Result<config::RuleFile> ReadRuleFile(Env& env, const std::string& name,
                                      const config::RuleFileOptions& options) {
  const std::string text = TRY(env.ReadFile(name, config::kMaxRuleFileBytes));
  return config::ParseRuleFile(text, name, options);
}

/// The rules that have name and labels of one before them, as promtool tells of them; "" if none.
std::string DescribeDuplicates(const config::RuleFile& file) {
  std::vector<std::pair<std::string, rules::TextPairs>> all;
  for (const rules::GroupOptions& group : file.groups) {
    for (const rules::RuleOptions& rule : group.rules)
      all.emplace_back(rule.name, rule.labels);
  }
  std::ranges::sort(all);
  std::string text;
  std::size_t count = 0;
  for (std::size_t i = 1; i < all.size(); ++i) {
    if (all[i] != all[i - 1]) continue;
    ++count;
    text += "Metric: " + all[i].first + "\nLabel(s):\n";
    for (const auto& [name, value] : all[i].second)
      text += fmt::format("\t{}: {}\n", name, value);
  }
  if (count == 0) return {};
  return fmt::format(
      "{} duplicate rule(s) found.\n{}Might cause inconsistency while recording "
      "expressions\n",
      count, text);
}

class UnitTests {
 public:
  explicit UnitTests(const TestRulesCommand& command)
      : command_(command),
        evaluator_(promql::NewEvaluator(clock_)),
        logger_(sink_, clock_, LogLevel::kError) {}

  /// False: it failed.
  bool RunFile(const std::string& name) {
    Print(stdout, "Unit Testing:  " + name + "\n");
    const std::vector<std::string> problems = Problems(name);
    if (problems.empty()) {
      Print(stdout, "  SUCCESS\n\n");
      return true;
    }
    Print(stdout, "  FAILED:\n");
    for (const std::string& problem : problems)
      Print(stdout, problem + "\n");
    Print(stdout, "\n");
    return false;
  }

 private:
  std::vector<std::string> Problems(const std::string& name) {
    const auto text = env_.ReadFile(name, config::kMaxRuleFileBytes);
    if (!text) return {text.error().message()};
    const auto file = config::ParseRuleTestFile(*text, name, command_.ignore_unknown_fields);
    if (!file) return {file.error().message()};
    const auto groups = ReadGroups(name, file->rule_files);
    if (!groups) return {groups.error().message()};
    std::vector<std::string> problems;
    for (const rules::UnitTest& test : file->tests) {
      const auto chosen = Chosen(test.name);
      if (!chosen) return {chosen.error().message()};
      if (!*chosen) continue;
      const auto found = rules::RunUnitTest(*file, test, {*evaluator_, logger_, *groups});
      if (!found.empty() && !test.name.empty()) problems.push_back("    name: " + test.name + ",");
      problems.insert(problems.end(), found.begin(), found.end());
    }
    return problems;
  }

  Result<bool> Chosen(const std::string& name) const {
    if (command_.run.empty()) return true;
    for (const std::string& pattern : command_.run) {
      if (TRY(ContainsMatch(pattern, name))) return true;
    }
    return false;
  }

  Result<std::vector<rules::GroupOptions>> ReadGroups(const std::string& test,
                                                      const std::vector<std::string>& patterns) {
    const std::filesystem::path folder = std::filesystem::path(test).parent_path();
    std::vector<rules::GroupOptions> groups;
    for (const std::string& pattern : patterns) {
      const std::string path = (folder / pattern).string();
      const auto names = TRY(ExpandGlob(env_, path));
      if (names.empty()) Print(stderr, "  WARNING: no file match pattern " + path + "\n");
      for (const std::string& name : names) {
        auto file = TRY(ReadRuleFile(env_, name, FileOptions(command_.ignore_unknown_fields)));
        std::ranges::move(file.groups, std::back_inserter(groups));
      }
    }
    return groups;
  }

  const TestRulesCommand& command_;
  PosixEnv env_;
  const SystemClock clock_;
  const std::unique_ptr<promql::Evaluator> evaluator_;
  StderrSink sink_;
  const Logger logger_;
};

}  // namespace

int RunCheckRules(const CheckRulesCommand& command) {
  PosixEnv env;
  bool failed = false;
  bool duplicates = false;
  for (const std::string& name : command.files) {
    Print(stdout, "Checking " + name + "\n");
    const auto file = ReadRuleFile(env, name, FileOptions(command.ignore_unknown_fields));
    if (!file) {
      Print(stderr, "  FAILED:\n" + file.error().message() + "\n");
      failed = true;
      Print(stdout, "\n");
      continue;
    }
    for (const std::string& warning : file->warnings)
      Print(stderr, "  WARNING: " + warning + "\n");
    std::size_t count = 0;
    for (const rules::GroupOptions& group : file->groups)
      count += group.rules.size();
    const std::string problem = command.lint == "none" ? std::string() : DescribeDuplicates(*file);
    duplicates = duplicates || !problem.empty();
    Print(stdout, problem);
    Print(stdout, fmt::format("  SUCCESS: {} rules found\n\n", count));
  }
  if (failed) return 1;
  return duplicates && command.lint_fatal ? 3 : 0;
}

int RunTestRules(const TestRulesCommand& command) {
  UnitTests tests(command);
  bool passed = true;
  for (const std::string& file : command.files)
    passed = tests.RunFile(file) && passed;
  return passed ? 0 : 1;
}

}  // namespace sonde::app
