#include <fmt/format.h>

#include "base/quote.h"
#include "base/regex.h"
#include "config/scalar.h"
#include "config/schema_blocks.h"
#include "config/schema_sd.h"
#include "model/names.h"

// `sonde:`, the section that the reference does not have.

namespace sonde::config {
namespace {

using enum FieldType;

constexpr Field kEnginesFields[] = {
    {"autodetect", kBool, "true", kAlways}, {"targets", kStrings},
    {"interval", kDuration, "30s"},         {"timeout", kDuration, "2s"},
    {"scrape_interval", kDuration, "5s"},
};
void CheckEngines(const BlockView& view, Diagnostics& diagnostics) {
  const YamlNode* targets = view.Raw("targets");
  if (targets == nullptr) return;
  for (const YamlNode& target : targets->items) {
    const auto url = ParseGoUrl(target.text);
    if (!url || !IsOneOf(url->scheme, {"http", "https"}) || url->host.empty()) {
      diagnostics.Fail(target.mark,
                       fmt::format("{} is not an engine's URL: it must read http://host:port",
                                   QuoteGo(target.text)));
    }
  }
}
constexpr Block kEnginesBlock = {"engines", "sonde.engines", kEnginesFields, CheckEngines};

constexpr Field kHostFields[] = {
    {"enabled", kBool, "true", kAlways},
    {"interval", kDuration},
    {"procfs", kString, "/proc"},
    {"sysfs", kString, "/sys"},
    {"rootfs", kString, "/"},
    {"udev", kString, "/run/udev/data"},
    {"disable", kStrings},
    {"enable", kStrings},
    {"mount_points_exclude", kRegex},
    {"fs_types_exclude", kRegex},
    {"disks_exclude", kRegex},
    {"network_exclude", kRegex},
    {"mount_timeout", kDuration, "5s"},
    {"mount_wait", kDuration, "200ms"},
    {"max_cgroups", kUint, "128"},
    {"cgroup_depth", kUint, "3"},
};
void CheckInterval(const BlockView& view, Diagnostics& diagnostics) {
  if (view.Raw("interval") != nullptr && view.Time("interval") <= Duration(0)) {
    diagnostics.Fail(view.MarkOf("interval"), "interval must be longer than 0");
  }
}
constexpr Block kHostBlock = {"host", "sonde.host", kHostFields, CheckInterval};

constexpr Field kSelfFields[] = {
    {"enabled", kBool, "true", kAlways},
    {"interval", kDuration},
};
constexpr Block kSelfBlock = {"self", "sonde.self", kSelfFields, CheckInterval};

constexpr Field kVocabularyFields[] = {{"prefix", kString, "deepseek_"}};
void CheckVocabulary(const BlockView& view, Diagnostics& diagnostics) {
  if (!IsLegacyMetricName(view.Text("prefix"))) {
    diagnostics.Fail(view.MarkOf("prefix"),
                     fmt::format("{} cannot begin a metric name", QuoteGo(view.Text("prefix"))));
  }
}
constexpr Block kVocabularyBlock = {"vocabulary", "sonde.vocabulary", kVocabularyFields,
                                    CheckVocabulary};

constexpr Field kScrapingFields[] = {
    {"max_body_size", kSize, "256MiB"},
    {"max_bodies_in_memory", kSize, "1GiB"},
};
void CheckScraping(const BlockView& view, Diagnostics& diagnostics) {
  for (const char* key : {"max_body_size", "max_bodies_in_memory"}) {
    if (view.Size(key) <= 0)
      diagnostics.Fail(view.MarkOf(key), fmt::format("{} must be larger than 0", key));
  }
}
constexpr Block kScrapingBlock = {"scraping", "sonde.scraping", kScrapingFields, CheckScraping};

constexpr Field kSondeFields[] = {
    {"gateway", kBlock, nullptr, kNone, &kGatewayBlock},
    {"engines", kBlock, nullptr, kNone, &kEnginesBlock},
    {"host", kBlock, nullptr, kNone, &kHostBlock},
    {"self", kBlock, nullptr, kNone, &kSelfBlock},
    {"vocabulary", kBlock, nullptr, kNone, &kVocabularyBlock},
    {"mappings", kStrings, nullptr, kFile},
    {"scraping", kBlock, nullptr, kNone, &kScrapingBlock},
    {"progress", kBlock, nullptr, kNone, &kProgressBlock},
    {"probes", kBlock, nullptr, kNone, &kProbesBlock},
};

}  // namespace

const Block kSondeBlock = {"sonde", "sonde.plain", kSondeFields};

}  // namespace sonde::config
