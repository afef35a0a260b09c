#pragma once

#include <string>
#include <vector>

namespace sonde::app {

struct CheckRulesCommand {
  std::vector<std::string> files;
  bool ignore_unknown_fields = false;
  std::string lint = "duplicate-rules";  ///< Or "all", "none".
  bool lint_fatal = false;
};

/// `sonde check rules FILE…`: prints what promtool prints. Returns 0, 1 if a file cannot be used,
/// or 3 for duplicates if they are fatal.
int RunCheckRules(const CheckRulesCommand& command);

struct TestRulesCommand {
  std::vector<std::string> files;
  std::vector<std::string> run;  ///< Expressions of names; none: all tests.
  bool ignore_unknown_fields = false;
};

/// `sonde test rules FILE…`: runs promtool's unit tests. Returns 0, or 1 if one fails.
int RunTestRules(const TestRulesCommand& command);

}  // namespace sonde::app
