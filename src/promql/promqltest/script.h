#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/regex.h"
#include "base/result.h"
#include "base/time.h"
#include "model/labels.h"
#include "promql/promqltest/series_description.h"

// A test script: what to load, what to ask, what to expect. Format: docs/formats/promqltest.md.

namespace sonde::promql {

/// A series of a `load`, with its samples' start timestamps (empty if none has one).
struct LoadedSeries {
  Labels labels;
  std::vector<DescribedValue> values;
  std::vector<std::optional<Duration>> starts;
};

struct LoadCommand {
  Duration step{0};
  bool with_custom_buckets =
      false;  ///< load_with_nhcb: classic histograms are stored as native ones as well.
  std::vector<LoadedSeries> series;
};

struct ClearCommand {};

/// What a message must look like: equal to `text`, or matched by the expression, or anything.
struct Expectation {
  bool any = false;
  std::string text;
  std::optional<Regex> regex;
  bool Matches(std::string_view message) const {
    return any || (regex ? regex->Matches(message) : message == text);
  }
};

struct ExpectedSeries {
  Labels labels;
  std::vector<DescribedValue> values;
  std::size_t position = 0;  ///< From 1, for ordered results.
};

struct EvalCommand {
  std::size_t line = 0;  ///< From 1.
  std::string query;
  bool is_range = false;
  Timestamp at;  ///< Of an instant query.
  /// Of a range query; for an instant query with `expect range vector`, the times of the expected
  /// values.
  Timestamp start;
  Timestamp end;
  Duration step{0};

  bool ordered = false;
  bool fails = false;
  std::optional<Expectation> failure;  ///< Absent: any error will do.
  bool warns = false;                  ///< eval_warn, eval_info: at least one, whatever it says.
  bool informs = false;
  std::vector<Expectation> warnings;  ///< All must occur, and nothing else.
  std::vector<Expectation> infos;
  bool no_warnings = false;
  bool no_infos = false;

  bool expects_range_vector = false;
  std::optional<std::string> expected_string;
  std::optional<double> expected_scalar;
  std::vector<ExpectedSeries> expected;
};

using Command = std::variant<ClearCommand, LoadCommand, EvalCommand>;

/// Errors are kInvalid and name the line: "line 12: …".
Result<std::vector<Command>> ParseScript(std::string_view text);

}  // namespace sonde::promql
