#include "promql/label_functions.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "base/number.h"
#include "base/quote.h"
#include "model/names.h"

namespace sonde::promql {
namespace {

const VectorSelector* SelectorOf(const Expr& expr) {
  if (const auto* matrix = If<MatrixSelector>(expr)) return matrix->selector.get();
  return If<VectorSelector>(expr);
}

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

// Cuts the longest prefix of digits, or of other characters, off `text`.
std::string_view NextChunk(std::string_view& text) {
  std::size_t end = 1;
  while (end < text.size() && IsDigit(text[end]) == IsDigit(text[0])) {
    ++end;
  }
  const std::string_view chunk = text.substr(0, end);
  text.remove_prefix(end);
  return chunk;
}

// Of digits only, and within 64 bits; longer runs compare as text.
std::optional<std::int64_t> AsNumber(std::string_view chunk) {
  return IsDigit(chunk[0]) ? ParseInt(chunk) : std::nullopt;
}

}  // namespace

Labels WithoutMetadata(LabelsView labels) {
  LabelsBuilder builder(labels);
  builder.Delete(kMetricName).Delete(kTypeLabel).Delete(kUnitLabel);
  return builder.Build();
}

Labels MatchingLabels(LabelsView labels, bool on, std::span<const std::string> names) {
  LabelsBuilder builder(labels);
  if (on) return builder.Keep(names).Build();
  builder.Delete(kMetricName);
  for (const std::string& name : names) {
    builder.Delete(name);
  }
  return builder.Build();
}

Labels GroupingLabels(LabelsView labels, bool without, std::span<const std::string> names) {
  return MatchingLabels(labels, !without, names);
}

std::string FormatLabelSet(LabelsView labels) {
  std::string out = "{";
  for (const LabelView label : labels) {
    if (out.size() > 1) out += ", ";
    if (IsLegacyLabelName(label.name)) {
      out += label.name;
    } else {
      AppendQuoteGo(out, label.name);
    }
    out.push_back('=');
    AppendQuoteGo(out, label.value);
  }
  out.push_back('}');
  return out;
}

Labels LabelsForAbsent(const Expr& expr) {
  const VectorSelector* selector = SelectorOf(expr);
  if (selector == nullptr) return {};
  LabelsBuilder builder;
  std::vector<std::string_view> seen;
  for (const Matcher& matcher : selector->matchers) {
    if (matcher.name() == kMetricName) continue;
    if (matcher.type() == Matcher::Type::kEqual &&
        std::ranges::find(seen, matcher.name()) == seen.end()) {
      builder.Set(matcher.name(), matcher.value());
      seen.push_back(matcher.name());
    } else {
      builder.Delete(matcher.name());
    }
  }
  return builder.Build();
}

bool NaturalLess(std::string_view a, std::string_view b) {
  while (!a.empty()) {
    if (b.empty()) return false;
    const std::string_view chunk_a = NextChunk(a);
    const std::string_view chunk_b = NextChunk(b);
    const auto number_a = AsNumber(chunk_a);
    const auto number_b = AsNumber(chunk_b);
    if (number_a && number_b) {
      if (*number_a != *number_b) return *number_a < *number_b;
    } else if (chunk_a != chunk_b) {
      return chunk_a < chunk_b;
    }
    // Alike so far: the one that ends first comes first.
    if (a.empty()) return true;
  }
  return false;
}

}  // namespace sonde::promql
