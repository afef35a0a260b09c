#include "config/prune.h"

namespace sonde::config {

void PruneUnknown(const Block& block, YamlNode& node) {
  if (!node.is_mapping()) return;
  std::erase_if(node.entries,
                [&](const YamlEntry& entry) { return FindField(block, entry.key) == nullptr; });
  for (YamlEntry& entry : node.entries) {
    const Field* field = FindField(block, entry.key);
    if (field->block == nullptr) continue;
    if (field->type == FieldType::kBlock) PruneUnknown(*field->block, entry.value);
    for (YamlNode& item : entry.value.items)
      PruneUnknown(*field->block, item);
  }
}

}  // namespace sonde::config
