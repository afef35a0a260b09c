#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "collect/engine/native_name.h"
#include "collect/engine/vocabulary_mapper.h"
#include "config/mapping_file.h"
#include "model/labels.h"
#include "model/names.h"

// Reads a mapping file, compiles it, and maps the series that its own rules name. What comes out
// has to be a valid series, and never one that is mapped again.

namespace {

using sonde::collect::MappingFile;
using sonde::collect::VocabularyMapper;

// A series that the rule could be meant for: its conditions' and maps' first values.
sonde::Labels SeriesFor(const MappingFile& file, const sonde::collect::MappingRule& rule,
                        std::string_view name) {
  sonde::LabelsBuilder builder;
  builder.Set("job", "engines");
  builder.Set("le", "0.5");
  for (const auto& label : rule.require ? *rule.require : file.require)
    builder.Set(label, "x");
  for (const auto& label : rule.value_from)
    builder.Set(label, "16");
  for (const auto* labels : {&file.labels, &rule.labels}) {
    for (const auto& pair : *labels)
      builder.Set(pair.first, "y");
  }
  for (const auto& condition : rule.when) {
    if (!condition.negated) builder.Set(condition.label, condition.values.front());
  }
  for (const auto& map : rule.map) {
    if (!map.values.empty()) builder.Set(map.from, map.values.front().first);
  }
  builder.Set("__name__", name);
  return builder.Build();
}

void CheckMapped(const std::vector<sonde::MappedSeries>& mapped, const VocabularyMapper& mapper) {
  for (const sonde::MappedSeries& series : mapped) {
    for (const sonde::LabelView label : series.labels) {
      CHECK(sonde::IsValidName(label.name));
      CHECK(!label.value.empty());
    }
    CHECK(series.labels.metric_name().starts_with("sonde_"));
    std::vector<sonde::MappedSeries> again;
    mapper.Map(series.labels, series.type, again);
    CHECK(again.empty());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 1 << 14) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto file = sonde::config::ParseMappingFile(text, "f");
  if (!file) {
    CHECK(file.error().message().starts_with("f"));
    return 0;
  }
  const MappingFile copy = *file;
  const auto mapper = VocabularyMapper::Compile({*std::move(file)}, "sonde_");
  if (!mapper) {
    CHECK(!mapper.error().message().empty());
    return 0;
  }
  for (const auto& rule : copy.rules) {
    for (const auto& native : rule.native) {
      // Checked by Compile, so it can be expanded; the last name stands for the others.
      const std::string name = sonde::collect::ExpandNativeName(native)->back().name;
      for (const char* suffix : {"", "_bucket", "_sum", "_count"}) {
        const sonde::Labels labels = SeriesFor(copy, rule, name + suffix);
        for (const auto type : {sonde::MetricType::kUnknown, sonde::MetricType::kGauge,
                                sonde::MetricType::kCounter, sonde::MetricType::kHistogram}) {
          std::vector<sonde::MappedSeries> mapped;
          (*mapper)->Map(labels, type, mapped);
          CheckMapped(mapped, **mapper);
        }
      }
    }
  }
  return 0;
}
