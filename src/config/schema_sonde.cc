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

constexpr Field kGpuFields[] = {
    {"enabled", kBool, "true", kAlways},
    {"interval", kDuration},
    {"nvidia", kBool, "true", kAlways},
    {"amd", kBool, "true", kAlways},
    {"nvml_library", kString, "libnvidia-ml.so.1"},
    {"sysfs", kString, "/sys"},
    {"sample_interval", kDuration, "500ms"},
    {"detail_interval", kDuration, "5s"},
    {"hang_timeout", kDuration, "10s"},
    {"processes", kBool, "true", kAlways},
    {"max_processes", kUint, "32"},
    {"pcie_estimate", kBool},
};
void CheckGpu(const BlockView& view, Diagnostics& diagnostics) {
  CheckInterval(view, diagnostics);
  if (view.Time("sample_interval") < Duration(10)) {
    diagnostics.Fail(view.MarkOf("sample_interval"), "sample_interval must be at least 10ms");
  }
  if (view.Time("detail_interval") < view.Time("sample_interval")) {
    diagnostics.Fail(view.MarkOf("detail_interval"),
                     "detail_interval must not be shorter than sample_interval");
  }
  if (view.Time("hang_timeout") < Duration(100)) {
    diagnostics.Fail(view.MarkOf("hang_timeout"), "hang_timeout must be at least 100ms");
  }
  if (view.Uint("max_processes") > 1000) {
    diagnostics.Fail(view.MarkOf("max_processes"), "max_processes must be at most 1000");
  }
}
constexpr Block kGpuBlock = {"gpu", "sonde.gpu", kGpuFields, CheckGpu};

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
    {"gpu", kBlock, nullptr, kNone, &kGpuBlock},
    {"self", kBlock, nullptr, kNone, &kSelfBlock},
    {"vocabulary", kBlock, nullptr, kNone, &kVocabularyBlock},
    {"mappings", kStrings, nullptr, kFile},
    {"scraping", kBlock, nullptr, kNone, &kScrapingBlock},
    {"progress", kBlock, nullptr, kNone, &kProgressBlock},
    {"probes", kBlock, nullptr, kNone, &kProbesBlock},
    {"slo", kBlock, nullptr, kNone, &kSloBlock},
    {"prices", kBlock, nullptr, kNone, &kPricesBlock},
    {"feedback", kBlock, nullptr, kNone, &kFeedbackBlock},
    {"rule_packs", kBool, "true", kAlways},
};

}  // namespace

const Block kSondeBlock = {"sonde", "sonde.plain", kSondeFields};

}  // namespace sonde::config
