#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "model/labels.h"

// What rule files say (docs/rules.md), as config/rule_file.h reads them.

namespace sonde::rules {

/// Name → value as written: values may be templates, and an empty one says something.
using TextPairs = std::vector<std::pair<std::string, std::string>>;

/// One rule, recording or alerting.
struct RuleOptions {
  bool alerting = false;
  std::string name;  ///< `record` or `alert`.
  std::string expr;
  Duration hold{0};  ///< `for`.
  Duration keep_firing_for{0};
  TextPairs labels;       ///< Sorted by name; those of the group are merged in.
  TextPairs annotations;  ///< Sorted by name.

  bool operator==(const RuleOptions&) const = default;
};

/// Rules that are evaluated one after the other at the same times.
struct GroupOptions {
  std::string name;
  std::string file;                      ///< Where it stands; name and file identify it.
  Duration interval{0};                  ///< 0: RunnerOptions::interval.
  std::optional<Duration> query_offset;  ///< Absent: RunnerOptions::query_offset.
  int limit = 0;                         ///< Series or alerts that one rule may make; 0: any.
  std::vector<RuleOptions> rules;

  bool operator==(const GroupOptions&) const = default;
};

/// What holds for all groups.
struct RunnerOptions {
  Duration interval{60'000};               ///< `global.evaluation_interval`.
  Duration query_offset{0};                ///< `global.rule_query_offset`.
  Labels external_labels;                  ///< What templates see.
  std::string external_url;                ///< Without a slash at its end; may be empty.
  Duration outage_tolerance{60 * 60'000};  ///< `for` states older than this are forgotten.
  Duration grace_period{10 * 60'000};      ///< Least `for` whose state is restored.
  Duration resend_delay{60'000};           ///< Between two sends of the same alert.

  bool operator==(const RunnerOptions&) const = default;
};

/// How long a resolved alert is remembered, and sent again.
inline constexpr Duration kResolvedRetention{15 * 60'000};

}  // namespace sonde::rules
