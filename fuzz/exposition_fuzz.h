#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/utf8.h"
#include "model/labels.h"
#include "wire/exposition_parser.h"
#include "wire/exposition_writer.h"

// What both exposition targets hold the parser to: what it accepts is valid, and is the same after
// it was written and read again.

namespace sonde::fuzz {

/// The input on the heap and exactly as long as it is, so that a sanitizer sees every byte read too
/// many.
inline std::vector<char> HeapCopy(const std::uint8_t* data, std::size_t size) {
  const char* bytes = reinterpret_cast<const char*>(data);
  return std::vector<char>(bytes, bytes + size);
}

struct ParsedSample {
  Labels labels;
  double value = 0;
  std::optional<Timestamp> t;
  std::optional<Exemplar> exemplar;
};

/// Nothing if the page is not well-formed.
inline std::optional<std::vector<ParsedSample>> ParsePage(std::string_view page,
                                                          wire::ExpositionFormat format) {
  std::vector<ParsedSample> samples;
  wire::ExpositionParser parser(page, format);
  while (true) {
    const wire::EntryKind kind = parser.Next();
    if (kind == wire::EntryKind::kEnd) return samples;
    if (kind == wire::EntryKind::kInvalid) {
      CHECK(parser.error_line() >= 1 && parser.error_column() >= 1);
      CHECK(!parser.error().message().empty());
      CHECK(parser.Next() == wire::EntryKind::kInvalid);
      return std::nullopt;
    }
    if (kind == wire::EntryKind::kHelp) CHECK(IsValidUtf8(parser.text()));
    if (kind != wire::EntryKind::kSample) continue;
    static_cast<void>(parser.start_timestamp());
    const auto labels = parser.Labels();
    if (!labels) return std::nullopt;
    ParsedSample& sample =
        samples.emplace_back(ParsedSample{Labels(*labels), parser.value(), parser.timestamp(), {}});
    if (parser.has_exemplar()) sample.exemplar = parser.exemplar();
  }
}

inline void CheckLabels(const Labels& labels) {
  CHECK(!labels.metric_name().empty());
  std::string_view previous;
  for (const LabelView label : labels) {
    CHECK(label.name > previous || previous.empty());
    CHECK(!label.name.empty() && !label.value.empty());
    CHECK(IsValidUtf8(label.name) && IsValidUtf8(label.value));
    previous = label.name;
  }
}

inline void CheckExposition(const std::vector<char>& input, wire::ExpositionFormat format) {
  const std::string_view page(input.data(), input.size());
  const auto samples = ParsePage(page, format);
  if (!samples) return;
  const auto protocol = format == wire::ExpositionFormat::kText
                            ? wire::ScrapeProtocol::kPrometheusText1_0_0
                            : wire::ScrapeProtocol::kOpenMetricsText1_0_0;
  std::string written;
  wire::ExpositionWriter writer({protocol, wire::NameEscaping::kAllowUtf8}, written);
  for (const ParsedSample& sample : *samples) {
    CheckLabels(sample.labels);
    writer.Series(sample.labels, sample.value, sample.t);
  }
  writer.Finish();
  const auto again = ParsePage(written, format);
  CHECK(again.has_value());
  CHECK(again->size() == samples->size());
  for (std::size_t i = 0; i < samples->size(); ++i) {
    CHECK((*again)[i].labels == (*samples)[i].labels);
    CHECK(std::bit_cast<std::uint64_t>((*again)[i].value) ==
          std::bit_cast<std::uint64_t>((*samples)[i].value));
    // Seconds beyond what a float can say exactly are not written by anybody.
    const auto t = (*samples)[i].t;
    if (t && t->ms < 900'000'000'000'000 && t->ms > -900'000'000'000'000) CHECK((*again)[i].t == t);
  }
}

}  // namespace sonde::fuzz
