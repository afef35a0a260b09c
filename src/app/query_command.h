#pragma once

#include <string>

namespace sonde::app {

/// `sonde query instant` and `sonde query range`: asks a server's API and prints as promtool does.
struct QueryCommand {
  std::string server = "http://127.0.0.1:9797";
  std::string expression;
  std::string time;   ///< instant: Unix seconds or RFC 3339; empty: now.
  std::string start;  ///< range; empty: an hour before the end.
  std::string end;
  std::string step;               ///< "15s" or seconds; empty: a 250th of the range.
  std::string format = "promql";  ///< promql (promtool's text) or json
};

/// Prints to standard output (errors and annotations to standard error) and returns the exit code.
int RunInstantQuery(const QueryCommand& command);
int RunRangeQuery(const QueryCommand& command);

}  // namespace sonde::app
