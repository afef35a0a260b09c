#include "collect/engine/map_page.h"

#include <cmath>
#include <string>
#include <unordered_map>
#include <utility>

#include "wire/exposition_parser.h"

namespace sonde::collect {
namespace {

Labels WithTarget(LabelsView exposed, const Labels& target) {
  LabelsBuilder builder(exposed);
  for (const LabelView label : target) {
    const std::string_view value = exposed.Get(label.name);
    std::string moved = "exported_" + std::string(label.name);
    while (!value.empty() && !builder.Get(moved).empty())
      moved.insert(0, "exported_");
    if (!value.empty()) builder.Set(moved, value);
    builder.Set(label.name, label.value);
  }
  return builder.Build();
}

bool SameValue(double a, double b) {
  return a == b || (std::isnan(a) && std::isnan(b));
}

/// The canonical series of a page and their values.
class Seen {
 public:
  void Note(CanonicalSample& sample) {
    const auto [at, is_new] = values_.try_emplace(sample.labels, sample.value);
    sample.repeated = !is_new;
    sample.conflicting = !is_new && !SameValue(at->second, sample.value);
  }

 private:
  std::unordered_map<Labels, double> values_;
};

}  // namespace

wire::ExpositionFormat SniffFormat(std::string_view page) {
  while (page.ends_with('\n'))
    page.remove_suffix(1);
  return page == "# EOF" || page.ends_with("\n# EOF") ? wire::ExpositionFormat::kOpenMetrics
                                                      : wire::ExpositionFormat::kText;
}

Result<std::vector<NativeSample>> MapPage(const VocabularyMapper& mapper, std::string_view page,
                                          wire::ExpositionFormat format, const Labels& target) {
  std::vector<NativeSample> samples;
  std::vector<MappedSeries> mapped;
  Seen seen;
  std::string family;
  wire::ExpositionParser parser(page, format);
  for (wire::EntryKind kind = parser.Next(); kind != wire::EntryKind::kEnd; kind = parser.Next()) {
    if (kind == wire::EntryKind::kInvalid) return parser.error();
    if (kind == wire::EntryKind::kType) family = parser.family();
    if (kind != wire::EntryKind::kSample) continue;
    NativeSample& sample = samples.emplace_back();
    sample.labels = WithTarget(TRY(parser.Labels()), target);
    sample.value = parser.value();
    sample.timestamp = parser.timestamp();
    if (wire::IsSampleOfFamily(sample.labels.metric_name(), family, parser.type()))
      sample.type = parser.type();
    mapped.clear();
    mapper.Map(sample.labels, sample.type, mapped);
    for (MappedSeries& series : mapped) {
      const std::optional<double> value = series.Value(sample.value);
      if (!value) {
        ++sample.unknown;
        continue;
      }
      CanonicalSample& canonical = sample.canonical.emplace_back();
      canonical.labels = std::move(series.labels);
      canonical.type = series.type;
      canonical.help = series.help;
      canonical.value = *value;
      seen.Note(canonical);
    }
  }
  return samples;
}

}  // namespace sonde::collect
