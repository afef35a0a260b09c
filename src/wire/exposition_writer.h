#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/time.h"
#include "model/exemplar.h"
#include "model/labels.h"
#include "model/metadata.h"
#include "wire/exposition_format.h"

// Writes a page in the text format or OpenMetrics, as a target that is scraped does.
//
// Format: docs/formats/exposition.md.

namespace sonde::wire {

/// What a page says about a metric family before its samples.
struct FamilyHeader {
  /// As the text format has it: counters with `_total`. OpenMetrics' own rules (a counter's family
  /// is called without
  /// `_total`, an info's without `_info`) are the writer's business.
  std::string_view name;
  std::string_view help = {};
  MetricType type = MetricType::kUnknown;
  std::string_view unit = {};  ///< Written only if `name` ends with it, as OpenMetrics asks.
};

/// What may follow a value. Exemplars are written where OpenMetrics allows them, and left out
/// elsewhere.
struct SampleExtras {
  std::optional<Timestamp> timestamp = {};
  const Exemplar* exemplar = nullptr;
};

/// A summary's φ-quantile.
struct QuantileValue {
  double quantile = 0;
  double value = 0;
};

/// Appends a page to a string, family by family.
///
///   ExpositionWriter writer(served, page);
///   writer.BeginFamily({.name = "http_requests_total", .help = "…", .type =
///   MetricType::kCounter}); writer.Sample({{"code", "200"}}, 17); writer.Finish();
///
/// Names that the format (or what was negotiated) cannot carry are escaped; labels without a value
/// are left out. The samples of one metric must come one after the other. Not thread-safe; `out`
/// must outlive the writer.
class ExpositionWriter {
 public:
  /// `format.protocol` must not be kPrometheusProto.
  ExpositionWriter(const ServedFormat& format, std::string& out);

  void BeginFamily(const FamilyHeader& family);

  /// The sample of a counter, gauge, info, stateset or unknown metric.
  void Sample(std::span<const LabelView> labels, double value, const SampleExtras& extras = {});
  void Sample(std::initializer_list<LabelView> labels, double value,
              const SampleExtras& extras = {}) {
    Sample(std::span<const LabelView>(labels.begin(), labels.size()), value, extras);
  }

  /// A histogram or gauge histogram. `counts` has one element more than `bounds` and is not
  /// cumulative; the last one counts what is above all bounds. `exemplars` is empty or has one (or
  /// null) for each of `counts`.
  void Histogram(std::span<const LabelView> labels, std::span<const double> bounds,
                 std::span<const std::uint64_t> counts, double sum,
                 std::span<const Exemplar* const> exemplars = {});

  void Summary(std::span<const LabelView> labels, std::span<const QuantileValue> quantiles,
               double sum, std::uint64_t count);

  /// When the metric with these labels started to count: a `_created` line in OpenMetrics, nothing
  /// in text.
  void Created(std::span<const LabelView> labels, Timestamp t);

  /// A whole series as the store knows it, under its own name: for /federate. The family must be
  /// its own.
  void Series(LabelsView labels, double value, std::optional<Timestamp> t);

  /// Must be called once, at the end: OpenMetrics needs it.
  void Finish();

 private:
  void Metadata(std::string_view keyword, std::string_view text);
  void Name(std::string_view suffix);
  void OpenLabels(std::string_view suffix);
  void Label(std::string_view name, std::string_view value);
  void CloseLabels();
  void Begin(std::string_view suffix, std::span<const LabelView> labels);
  void End(const SampleExtras& extras);
  void Value(double value);
  void Seconds(Timestamp t);
  void WriteExemplar(const Exemplar& exemplar);
  void Escaped(std::string_view s, bool quotes);

  std::string& out_;
  const bool open_metrics_;
  const NameEscaping escaping_;
  std::string family_;       // Without the suffix of counters and infos; escaped, if names are.
  std::string_view suffix_;  // Of a plain sample.
  MetricType type_ = MetricType::kUnknown;
  bool quoted_name_ = false;  // The name stands inside the braces.
  bool in_braces_ = false;
};

}  // namespace sonde::wire
