#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "collect/engine/mapping_file.h"
#include "collect/engine/vocabulary.h"
#include "model/series_mapper.h"

namespace sonde::collect {

/// Writes the vocabulary beside native series, by the rules of mapping files (docs/mappings.md).
///
/// Immutable after Compile, so thread-safe. A series whose name no rule knows costs one hash
/// lookup. Only native names are looked up, and no rule may read a canonical name: a gateway's own
/// series, or an exporter that exposes `deepseek_inference_latency_seconds` itself, pass untouched.
class VocabularyMapper final : public SeriesMapper {
 public:
  /// Checks and compiles the files; `prefix` replaces `deepseek_` in the names written. kInvalid
  /// names file, rule and what to do.
  static Result<std::unique_ptr<VocabularyMapper>> Compile(
      std::vector<MappingFile> files, std::string_view prefix = kVocabularyPrefix);
  ~VocabularyMapper() override;

  void Map(LabelsView labels, MetricType type, std::vector<MappedSeries>& out) const override;

  /// Names that are looked up, each series of a histogram counted.
  std::size_t native_names() const;

 private:
  struct Rule;
  struct Table;

  explicit VocabularyMapper(std::unique_ptr<Table> table);

  std::unique_ptr<const Table> table_;
};

/// The files that count: a later one replaces an earlier one of the same name. In their order.
std::vector<MappingFile> InForce(std::vector<MappingFile> files);

}  // namespace sonde::collect
