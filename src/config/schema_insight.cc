#include <fmt/format.h>

#include "config/schema_blocks.h"

// `sonde.progress`: what insight/ is told.

namespace sonde::config {
namespace {

using enum FieldType;

constexpr Field kProgressFields[] = {
    {"enabled", kBool, "true", kAlways},    {"interval", kDuration, "5s"},
    {"patience", kDuration, "30s"},         {"max_patience", kDuration, "45s"},
    {"prefill_patience", kDuration, "10m"}, {"canary_interval", kDuration},
};
void CheckProgress(const BlockView& view, Diagnostics& diagnostics) {
  for (const char* key : {"interval", "patience"}) {
    if (view.Time(key) <= Duration(0))
      diagnostics.Fail(view.MarkOf(key), fmt::format("{} must be longer than 0", key));
  }
  const auto not_below = [&](const char* key, const char* bound) {
    if (view.Time(key) < view.Time(bound)) {
      diagnostics.Fail(view.MarkOf(key), fmt::format("{} must not be shorter than {}", key, bound));
    }
  };
  not_below("max_patience", "patience");
  not_below("prefill_patience", "max_patience");
}

}  // namespace

const Block kProgressBlock = {"progress", "sonde.progress", kProgressFields, CheckProgress};

}  // namespace sonde::config
