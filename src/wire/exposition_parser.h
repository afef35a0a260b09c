#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/exemplar.h"
#include "model/labels.h"
#include "model/metadata.h"
#include "wire/exposition_format.h"
#include "wire/series_syntax.h"

// Reads a scraped page in the text format (0.0.4, 1.0.0) or OpenMetrics (0.0.1, 1.0.0), as
// Prometheus' scraper does: laxer than the specifications, which wire/exposition_lint.h holds a
// page to.
//
// Format: docs/formats/exposition.md.

namespace sonde::wire {

enum class EntryKind : unsigned char {
  kHelp,
  kType,
  kUnit,
  kComment,
  kSample,
  kEnd,      ///< The page is over, and was well-formed.
  kInvalid,  ///< The page is not well-formed; error() says where and why. Every later Next says so
             ///< again.
};

struct ExpositionParserOptions {
  /// OpenMetrics: leaves out the `_created` lines of counters, histograms and summaries, for
  /// callers that take start_timestamp() instead.
  bool skip_created = false;
};

/// Walks over one page, entry by entry. Nothing is allocated per entry once its buffers have grown.
///
///   ExpositionParser parser(page, ExpositionFormat::kText);
///   for (EntryKind kind = parser.Next(); kind != EntryKind::kEnd; kind = parser.Next()) {
///     if (kind == EntryKind::kInvalid) return parser.error();
///     if (kind == EntryKind::kSample) …
///   }
///
/// A sample's series is only delimited by Next; its names and labels are parsed and checked by
/// Labels(). So a caller that knows the bytes of series() from an earlier page needs nothing else,
/// and a caller that does not must call Labels() and treat its error as the page's. Borrows the
/// page: every view that it hands out lies in the page, or lives until the next call. Not
/// thread-safe; Reset makes it usable for another page.
class ExpositionParser {
 public:
  /// `format` must be kText or kOpenMetrics.
  ExpositionParser(std::string_view page, ExpositionFormat format,
                   ExpositionParserOptions options = {});

  /// Starts over with another page, keeping the buffers.
  void Reset(std::string_view page, ExpositionFormat format);

  EntryKind Next();
  /// After kInvalid, or after Labels() failed: kInvalid, "line:column: what was expected, what was
  /// found".
  Error error() const;
  std::size_t error_line() const;    ///< From 1.
  std::size_t error_column() const;  ///< From 1, in bytes.

  // ------------------------------------------------------------------------- metadata and comments

  /// The metric family that a kHelp, kType or kUnit entry is about.
  std::string_view family() const { return family_; }
  /// kHelp: the text, unescaped. kUnit: the unit. kComment: the whole line.
  std::string_view text() const { return text_; }
  /// kType: the type. kSample: the type of the last kType entry, whatever its family (as in
  /// Prometheus).
  MetricType type() const { return type_; }

  // --------------------------------------------------------------------------------------- samples

  /// The bytes of `name{labels}` as they stand in the page: the key of a scrape cache.
  std::string_view series() const { return series_; }
  double value() const { return value_; }
  std::optional<Timestamp> timestamp() const {
    return has_timestamp_ ? std::optional<Timestamp>(timestamp_) : std::nullopt;
  }

  /// The labels with __name__, sorted, without empty values; `le` of histograms and `quantile` of
  /// summaries in OpenMetrics form ("1" becomes "1.0"). The view lives until the next call of
  /// Labels, Next or Reset.
  Result<LabelsView> Labels();
  /// The same, replacing what `builder` held.
  Status Labels(LabelsBuilder& builder);

  /// OpenMetrics only.
  bool has_exemplar() const { return has_exemplar_; }
  /// The exemplar; only if has_exemplar().
  Exemplar exemplar() const;
  /// OpenMetrics only: when the series started to count, from a `_created` line of the same metric
  /// that follows in the page or came just before. Looks ahead in the page; the answer is
  /// remembered for the metric's other samples.
  std::optional<Timestamp> start_timestamp();

 private:
  struct Failure {
    const char* at = nullptr;
    std::string message;
  };

  // The next `_created` line of the family, or its end.
  struct Ahead {
    const char* at = nullptr;
    std::string key;
    std::optional<Timestamp> created;
  };

  const SeriesDialect& dialect() const;
  EntryKind NextText();
  EntryKind NextOpenMetrics();
  EntryKind ParseTextComment(const char* hash);
  EntryKind ParseOpenMetricsComment(const char* hash);
  const char* ReadFamily(const char* p);
  EntryKind FinishHelp(std::string_view raw);
  EntryKind ParseSample(const char* line);
  const char* DelimitSeries(const char* line) const;
  EntryKind ParseSuffix(const char* p);
  EntryKind ParseTextSuffix(const char* p);
  EntryKind ParseOpenMetricsSuffix(const char* p);
  const char* ReadNumber(const char* p, double& value) const;
  const char* ReadValue(const char* p, double& value);
  const char* ReadSeconds(const char* p, Timestamp& t);
  const char* ReadExemplar(const char* hash);
  bool PackLabels();
  std::string_view Unescape(std::string_view raw);
  std::string_view NormalizeFloat(std::string_view text);
  bool TakeCreatedLine();
  void LookAhead();
  EntryKind Fail(const char* at, std::string message);

  static constexpr std::size_t kMaxFloatBytes = 32;

  ExpositionFormat format_;
  ExpositionParserOptions options_;
  const char* begin_ = nullptr;
  const char* at_ = nullptr;  // The start of the next line.
  const char* end_ = nullptr;
  const char* eol_ = nullptr;  // The end of the current line.

  std::string_view family_;
  std::string_view text_;
  MetricType type_ = MetricType::kUnknown;
  std::string_view series_;
  double value_ = 0;
  Timestamp timestamp_;
  bool has_timestamp_ = false;
  bool has_exemplar_ = false;
  double exemplar_value_ = 0;
  std::optional<Timestamp> exemplar_timestamp_;

  std::vector<LabelToken> tokens_;           // Of the series, after Labels().
  std::vector<LabelToken> exemplar_tokens_;  // Of the exemplar.
  std::vector<LabelView> labels_;
  std::string unescaped_family_;
  std::string unescaped_;
  std::string packed_;
  std::string created_key_;  // The metric whose start timestamp is known.
  std::optional<Timestamp> created_;
  Ahead ahead_;
  std::optional<Failure> failure_;
};

/// True if a sample called `name` can belong to the family `family` of type `type`:
/// `http_requests_bucket` to the histogram `http_requests`.
bool IsSampleOfFamily(std::string_view name, std::string_view family, MetricType type);

}  // namespace sonde::wire
