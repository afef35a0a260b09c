#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// The syntax of `name{label="value",…}` and of exemplars' label sets, in its dialects. Shared by
// the scraper's parser and by the lint.
//
// Format: docs/formats/exposition.md, "Series".

namespace sonde::wire {

/// What a dialect of the series syntax allows.
struct SeriesDialect {
  bool blanks = false;           ///< Spaces and tabs between tokens.
  bool commas_optional = false;  ///< `{a="1" b="2"}`.
  bool trailing_comma = false;   ///< `{a="1",}`.
  bool quoted_newlines = false;  ///< A raw line feed inside quotes.
  bool unknown_escapes = false;  ///< `\x` is a backslash and an x.
  bool quoted_names = false;     ///< `{"metric.name","label.name"="v"}`.
};

/// As Prometheus' scraper reads text 0.0.4 and 1.0.0.
inline constexpr SeriesDialect kScrapedText{.blanks = true,
                                            .commas_optional = true,
                                            .trailing_comma = true,
                                            .quoted_newlines = true,
                                            .unknown_escapes = true,
                                            .quoted_names = true};
/// As Prometheus' scraper reads OpenMetrics.
inline constexpr SeriesDialect kScrapedOpenMetrics{
    .trailing_comma = true, .unknown_escapes = true, .quoted_names = true};
/// As the documentation of the text format has it.
inline constexpr SeriesDialect kStrictText{
    .blanks = true, .trailing_comma = true, .quoted_names = true};
/// As the OpenMetrics 1.0 specification has it.
inline constexpr SeriesDialect kStrictOpenMetrics{.unknown_escapes = true};

/// One label between the braces, as it stands in the page. The metric name is one with the name
/// kMetricName.
struct LabelToken {
  std::string_view name;   ///< Without quotes.
  std::string_view value;  ///< Without quotes, escapes as they are.
  bool escaped_name = false;
  bool escaped_value = false;
};

/// Where a text stops being what was expected.
struct SyntaxError {
  const char* at = nullptr;
  std::string message;
};

/// Reads one series that starts at `begin`. Returns the end of it, and fills `tokens` with the
/// metric name and the labels in the page's order; or returns null and fills `error`. Names that
/// were not quoted are legacy names, quoted ones are not empty and valid UTF-8, values are valid
/// UTF-8. Duplicate names are the caller's to find.
const char* ReadSeries(const char* begin, const char* end, const SeriesDialect& dialect,
                       std::vector<LabelToken>& tokens, SyntaxError& error);

/// Reads `{label="value",…}` without a metric name: the labels of an exemplar. `begin` points at
/// the brace.
const char* ReadLabelSet(const char* begin, const char* end, const SeriesDialect& dialect,
                         std::vector<LabelToken>& tokens, SyntaxError& error);

/// Appends `raw` with \\, \" and \n replaced; any other backslash stays as it is.
void AppendUnescaped(std::string& out, std::string_view raw);

/// A metric name at `p`, [a-zA-Z_:][a-zA-Z0-9_:]*: returns its end, or `p` if there is none.
const char* SkipMetricName(const char* p, const char* end);

/// `text` in quotes and cut to a length that an error message can hold.
std::string Shown(std::string_view text);

/// What stands at `p`, for an error message: `"x"`, `the end of the line`, `the end of the page`,
/// `byte 0x07`.
std::string Describe(const char* p, const char* end);

}  // namespace sonde::wire
