#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "config/config.h"
#include "discovery/target_group.h"
#include "model/names.h"

// Reads a file of target groups, as YAML and as JSON.

namespace {

void CheckGroups(const sonde::Result<std::vector<sonde::discovery::TargetGroup>>& groups) {
  if (!groups) {
    CHECK(groups.error().message().find("f:") == 0);
    return;
  }
  for (const auto& group : *groups) {
    for (const auto label : group.labels)
      CHECK(sonde::IsValidName(label.name));
    for (const auto& target : group.targets)
      CHECK(target.size() <= 1);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 1 << 16) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  CheckGroups(sonde::config::ParseTargetGroupsYaml(text, "f"));
  CheckGroups(sonde::discovery::ParseTargetGroupsJson(text, "f"));
  return 0;
}
