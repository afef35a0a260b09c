#include "wire/exposition_writer.h"

#include <cstddef>
#include <utility>

#include "base/check.h"
#include "base/number.h"
#include "base/utf8.h"
#include "model/names.h"

namespace sonde::wire {
namespace {

// What text 0.0.4 calls a type that only OpenMetrics knows.
std::string_view TextType(MetricType type) {
  switch (type) {
    case MetricType::kUnknown:
      return "untyped";
    case MetricType::kInfo:
    case MetricType::kStateset:
      return "gauge";
    case MetricType::kGaugeHistogram:
      return "histogram";
    case MetricType::kCounter:
    case MetricType::kGauge:
    case MetricType::kHistogram:
    case MetricType::kSummary:
      break;
  }
  return ToString(type);
}

std::string_view SuffixOf(MetricType type) {
  if (type == MetricType::kCounter) return "_total";
  if (type == MetricType::kInfo) return "_info";
  return {};
}

std::size_t CountRunes(std::string_view s) {
  std::size_t count = 0;
  for (const char c : s)
    count += (static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0;
  return count;
}

// OpenMetrics: the labels of an exemplar have at most 128 code points, names and values together.
bool FitsExemplar(const Exemplar& exemplar) {
  constexpr std::size_t kMaxExemplarRunes = 128;
  std::size_t runes = 0;
  for (const LabelView label : exemplar.labels)
    runes += CountRunes(label.name) + CountRunes(label.value);
  return runes <= kMaxExemplarRunes;
}

}  // namespace

ExpositionWriter::ExpositionWriter(const ServedFormat& format, std::string& out)
    : out_(out),
      open_metrics_(FormatOf(format.protocol) == ExpositionFormat::kOpenMetrics),
      escaping_(format.protocol == ScrapeProtocol::kPrometheusText0_0_4 &&
                        format.escaping == NameEscaping::kAllowUtf8
                    ? NameEscaping::kUnderscores
                    : format.escaping) {
  CHECK(format.protocol != ScrapeProtocol::kPrometheusProto);
}

void ExpositionWriter::BeginFamily(const FamilyHeader& family) {
  type_ = family.type;
  suffix_ = SuffixOf(type_);
  std::string_view base = family.name;
  const bool has_suffix =
      !suffix_.empty() && base.size() > suffix_.size() && base.ends_with(suffix_);
  if (has_suffix) base.remove_suffix(suffix_.size());
  // A counter without `_total` keeps its name in the text format; OpenMetrics insists.
  if (!has_suffix && !open_metrics_ && type_ == MetricType::kCounter) suffix_ = {};
  family_ = EscapeName(base, escaping_);
  quoted_name_ = !IsLegacyMetricName(family_);
  if (open_metrics_) {
    Metadata("TYPE", ToString(type_));
    const std::string_view unit = family.unit;
    if (!unit.empty() && family_.size() > unit.size() && family_.ends_with(unit) &&
        family_[family_.size() - unit.size() - 1] == '_' && type_ != MetricType::kInfo &&
        type_ != MetricType::kStateset) {
      Metadata("UNIT", unit);
    }
  }
  if (!family.help.empty()) Metadata("HELP", family.help);
  if (!open_metrics_) Metadata("TYPE", TextType(type_));
}

// In the text format a family is called like its plain samples.
void ExpositionWriter::Metadata(std::string_view keyword, std::string_view text) {
  out_.append("# ").append(keyword).push_back(' ');
  if (quoted_name_) out_.push_back('"');
  Escaped(family_, true);
  if (!open_metrics_) out_ += suffix_;
  if (quoted_name_) out_.push_back('"');
  out_.push_back(' ');
  Escaped(text, open_metrics_);
  out_.push_back('\n');
}

void ExpositionWriter::Sample(std::span<const LabelView> labels, double value,
                              const SampleExtras& extras) {
  Begin(suffix_, labels);
  CloseLabels();
  Value(value);
  End(type_ == MetricType::kCounter ? extras : SampleExtras{.timestamp = extras.timestamp});
}

void ExpositionWriter::Histogram(std::span<const LabelView> labels, std::span<const double> bounds,
                                 std::span<const std::uint64_t> counts, double sum,
                                 std::span<const Exemplar* const> exemplars) {
  CHECK(counts.size() == bounds.size() + 1);
  CHECK(exemplars.empty() || exemplars.size() == counts.size());
  std::uint64_t cumulative = 0;
  std::string bound;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    cumulative += counts[i];
    bound.clear();
    if (i == bounds.size()) {
      bound = "+Inf";
    } else if (open_metrics_) {
      AppendFloatOpenMetrics(bound, bounds[i]);
    } else {
      AppendFloatG(bound, bounds[i]);
    }
    Begin("_bucket", labels);
    Label("le", bound);
    CloseLabels();
    AppendUint(out_, cumulative);
    End({.exemplar = exemplars.empty() ? nullptr : exemplars[i]});
  }
  const bool gauge = open_metrics_ && type_ == MetricType::kGaugeHistogram;
  Begin(gauge ? "_gsum" : "_sum", labels);
  CloseLabels();
  Value(sum);
  End({});
  Begin(gauge ? "_gcount" : "_count", labels);
  CloseLabels();
  AppendUint(out_, cumulative);
  End({});
}

void ExpositionWriter::Summary(std::span<const LabelView> labels,
                               std::span<const QuantileValue> quantiles, double sum,
                               std::uint64_t count) {
  std::string text;
  for (const QuantileValue& quantile : quantiles) {
    text.clear();
    if (open_metrics_) {
      AppendFloatOpenMetrics(text, quantile.quantile);
    } else {
      AppendFloatG(text, quantile.quantile);
    }
    Begin({}, labels);
    Label("quantile", text);
    CloseLabels();
    Value(quantile.value);
    End({});
  }
  Begin("_sum", labels);
  CloseLabels();
  Value(sum);
  End({});
  Begin("_count", labels);
  CloseLabels();
  AppendUint(out_, count);
  End({});
}

void ExpositionWriter::Created(std::span<const LabelView> labels, Timestamp t) {
  if (!open_metrics_) return;
  Begin("_created", labels);
  CloseLabels();
  Seconds(t);
  End({});
}

void ExpositionWriter::Series(LabelsView labels, double value, std::optional<Timestamp> t) {
  const std::string saved = std::exchange(family_, EscapeName(labels.metric_name(), escaping_));
  const bool saved_quoted = std::exchange(quoted_name_, !IsLegacyMetricName(family_));
  OpenLabels({});
  for (const LabelView label : labels) {
    if (label.name != kMetricName) Label(label.name, label.value);
  }
  CloseLabels();
  Value(value);
  End({.timestamp = t});
  family_ = saved;
  quoted_name_ = saved_quoted;
}

void ExpositionWriter::Finish() {
  if (open_metrics_) out_ += "# EOF\n";
}

void ExpositionWriter::Begin(std::string_view suffix, std::span<const LabelView> labels) {
  OpenLabels(suffix);
  for (const LabelView& label : labels)
    Label(label.name, label.value);
}

void ExpositionWriter::OpenLabels(std::string_view suffix) {
  in_braces_ = quoted_name_;
  if (quoted_name_) out_ += "{\"";
  Escaped(family_, true);
  out_ += suffix;
  if (quoted_name_) out_.push_back('"');
}

void ExpositionWriter::Label(std::string_view name, std::string_view value) {
  if (value.empty()) return;
  out_.push_back(in_braces_ ? ',' : '{');
  in_braces_ = true;
  if (IsLegacyLabelName(name)) {
    out_ += name;
  } else {
    const std::string escaped = EscapeName(name, escaping_);
    const bool quoted = !IsLegacyLabelName(escaped);
    if (quoted) out_.push_back('"');
    Escaped(escaped, true);
    if (quoted) out_.push_back('"');
  }
  out_ += "=\"";
  Escaped(value, true);
  out_.push_back('"');
}

void ExpositionWriter::CloseLabels() {
  out_ += in_braces_ ? "} " : " ";
}

void ExpositionWriter::Value(double value) {
  if (open_metrics_) {
    AppendFloatOpenMetrics(out_, value);
  } else {
    AppendFloatG(out_, value);
  }
}

void ExpositionWriter::End(const SampleExtras& extras) {
  if (extras.timestamp) {
    out_.push_back(' ');
    if (open_metrics_) {
      Seconds(*extras.timestamp);
    } else {
      AppendInt(out_, extras.timestamp->ms);
    }
  }
  if (open_metrics_ && extras.exemplar != nullptr && FitsExemplar(*extras.exemplar))
    WriteExemplar(*extras.exemplar);
  out_.push_back('\n');
}

void ExpositionWriter::WriteExemplar(const Exemplar& exemplar) {
  out_ += " # {";
  std::string_view separator;
  for (const LabelView label : exemplar.labels) {
    const std::string name = EscapeName(label.name, escaping_);
    const std::string_view quote = IsLegacyLabelName(name) ? "" : "\"";
    out_.append(separator).append(quote);
    Escaped(name, true);
    out_.append(quote).append("=\"");
    Escaped(label.value, true);
    out_.push_back('"');
    separator = ",";
  }
  out_ += "} ";
  Value(exemplar.value);
  if (exemplar.timestamp) {
    out_.push_back(' ');
    Seconds(*exemplar.timestamp);
  }
}

void ExpositionWriter::Seconds(Timestamp t) {
  auto ms = static_cast<std::uint64_t>(t.ms);
  if (t.ms < 0) {
    out_.push_back('-');
    ms = 0 - ms;
  }
  AppendUint(out_, ms / 1000);
  auto fraction = static_cast<unsigned>(ms % 1000);
  if (fraction == 0) return;
  out_.push_back('.');
  for (unsigned unit = 100; fraction != 0; unit /= 10) {
    out_.push_back(static_cast<char>('0' + fraction / unit));
    fraction %= unit;
  }
}

void ExpositionWriter::Escaped(std::string_view s, bool quotes) {
  for (const char c : s) {
    if (c == '\n') {
      out_ += "\\n";
      continue;
    }
    if (c == '\\' || (c == '"' && quotes)) out_.push_back('\\');
    out_.push_back(c);
  }
}

}  // namespace sonde::wire
