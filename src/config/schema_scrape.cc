#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/duration.h"
#include "base/quote.h"
#include "base/utf8.h"
#include "config/schema_blocks.h"
#include "model/names.h"

// `global` and `scrape_configs`.

namespace sonde::config {
namespace {

using enum FieldType;

constexpr Field kScrapeFields[] = {
    {"job_name", kString, nullptr, kAlways},
    {"honor_labels", kBool},
    {"honor_timestamps", kBool, "true", kAlways},
    {"track_timestamps_staleness", kBool, nullptr, kAlways},
    {"params", kParams},
    {"scrape_interval", kDuration},
    {"scrape_timeout", kDuration},
    {"scrape_protocols", kStrings},
    {"fallback_scrape_protocol", kString},
    {"scrape_native_histograms", kBool, nullptr, kIdle},
    {"always_scrape_classic_histograms", kBool, nullptr, kIdle},
    {"convert_classic_histograms_to_nhcb", kBool, nullptr, kIdle},
    {"scrape_failure_log_file", kString, nullptr, kFile | kIdle},
    {"metrics_path", kString, "/metrics"},
    {"scheme", kString, "http"},
    {"enable_compression", kBool, "true", kAlways},
    {"body_size_limit", kSize},
    {"sample_limit", kUint},
    {"target_limit", kUint},
    {"label_limit", kUint},
    {"label_name_length_limit", kUint},
    {"label_value_length_limit", kUint},
    {"native_histogram_bucket_limit", kUint, nullptr, kIdle},
    {"native_histogram_min_bucket_factor", kFloat, nullptr, kIdle},
    {"keep_dropped_targets", kUint},
    {"metric_name_validation_scheme", kString},
    {"metric_name_escaping_scheme", kString},
    {"extra_scrape_metrics", kBool},
    {nullptr, kInline, nullptr, kNone, &kHttpClientBlock},
    {"relabel_configs", kBlocks, nullptr, kNone, &kRelabelBlock,
     "empty or null target relabeling rule in scrape config"},
    {"metric_relabel_configs", kBlocks, nullptr, kNone, &kRelabelBlock,
     "empty or null metric relabeling rule in scrape config"},
    {nullptr, kInline, nullptr, kNone, &kDiscoveryBlock},
};

bool IsScheme(std::string_view scheme) {
  return IsOneOf(scheme, {"", "utf8", "legacy"});
}
bool IsEscaping(std::string_view scheme) {
  return IsOneOf(scheme, {"", "allow-utf-8", "underscores", "dots", "values"});
}

void CheckNameScheme(const BlockView& view, Diagnostics& diagnostics) {
  const std::string scheme = view.Text("metric_name_validation_scheme");
  if (!IsScheme(scheme)) {
    diagnostics.Fail(
        view.MarkOf("metric_name_validation_scheme"),
        fmt::format("unrecognized ValidationScheme: {} (utf8 or legacy)", QuoteGo(scheme)));
  }
}

constexpr const char* kProtocols =
    "[OpenMetricsText0.0.1 OpenMetricsText1.0.0 PrometheusProto PrometheusText0.0.4 "
    "PrometheusText1.0.0]";

bool IsProtocol(std::string_view name) {
  return IsOneOf(name, {"OpenMetricsText0.0.1", "OpenMetricsText1.0.0", "PrometheusProto",
                        "PrometheusText0.0.4", "PrometheusText1.0.0"});
}

std::string Lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

void CheckProtocols(const BlockView& view, std::string_view owner, Diagnostics& diagnostics) {
  const YamlNode* node = view.Raw("scrape_protocols");
  if (node == nullptr || node->is_null()) return;
  const std::vector<std::string> protocols = view.Strings("scrape_protocols");
  if (protocols.empty()) {
    diagnostics.Fail(node->mark, fmt::format("scrape_protocols cannot be empty for {}", owner));
  }
  std::set<std::string> seen;
  for (const std::string& protocol : protocols) {
    if (!seen.insert(Lower(protocol)).second) {
      diagnostics.Fail(node->mark,
                       fmt::format("duplicated protocol in scrape_protocols, got [{}] for {}",
                                   fmt::join(protocols, " "), owner));
      return;
    }
    if (!IsProtocol(protocol)) {
      diagnostics.Fail(
          node->mark,
          fmt::format("scrape_protocols: unknown scrape protocol {}, supported: {} for {}",
                      protocol, kProtocols, owner));
      return;
    }
    if (protocol == "PrometheusProto") {
      diagnostics.Warn(node->mark, "PrometheusProto is configured but not active in this version");
    }
  }
}

void CheckGlobal(const BlockView& view, Diagnostics& diagnostics) {
  CheckNameScheme(view, diagnostics);
  const bool legacy = UsesLegacyNames(view, view);
  if (const YamlNode* labels = view.Raw("external_labels")) {
    for (const YamlEntry& label : labels->entries) {
      if (!(legacy ? IsLegacyLabelName(label.key) : IsValidName(label.key))) {
        diagnostics.Fail(label.mark,
                         fmt::format("{} is not a valid label name", QuoteGo(label.key)));
      }
      if (!IsValidUtf8(label.value.text)) {
        diagnostics.Fail(label.value.mark,
                         fmt::format("{} is not a valid label value", QuoteGo(label.value.text)));
      }
    }
  }
  const Duration interval =
      view.Time("scrape_interval") == Duration(0) ? Duration(60'000) : view.Time("scrape_interval");
  if (view.Has("scrape_timeout") && view.Time("scrape_timeout") > interval) {
    diagnostics.Fail(
        view.MarkOf("scrape_timeout"),
        fmt::format("global scrape timeout greater than scrape interval ({} > {})",
                    FormatDuration(view.Time("scrape_timeout")), FormatDuration(interval)));
  }
  CheckProtocols(view, "global config", diagnostics);
  if (!IsEscaping(view.Text("metric_name_escaping_scheme"))) {
    diagnostics.Fail(
        view.MarkOf("metric_name_escaping_scheme"),
        fmt::format("unknown global name escaping method specified, must be one of 'allow-utf-8', "
                    "'underscores', 'dots', or 'values', got {}",
                    QuoteGo(view.Text("metric_name_escaping_scheme"))));
  }
}

void CheckScrape(const BlockView& view, Diagnostics& diagnostics) {
  Require(view, "job_name", "job_name is empty", diagnostics);
  CheckHttpClient(view, diagnostics);
  if (view.Children("relabel_configs").empty()) CheckStaticTargets(view, diagnostics);
  CheckNameScheme(view, diagnostics);
  // Relabelling can still mend it, so it is not an error.
  if (!IsOneOf(view.Text("scheme"), {"", "http", "https"})) {
    diagnostics.Warn(view.MarkOf("scheme"), fmt::format("scheme {} is neither http nor https",
                                                        QuoteGo(view.Text("scheme"))));
  }
}

/// utf8 names need a scheme that lets them through.
void CheckEscaping(const BlockView& scrape, const BlockView& global, Diagnostics& diagnostics) {
  std::string escaping = scrape.Text("metric_name_escaping_scheme");
  if (!IsEscaping(escaping)) {
    diagnostics.Fail(
        scrape.MarkOf("metric_name_escaping_scheme"),
        fmt::format(
            "unknown scrape config name escaping method specified, must be one of 'allow-utf-8', "
            "'underscores', 'dots', or 'values', got {}",
            QuoteGo(escaping)));
    return;
  }
  if (escaping.empty() && scrape.Text("metric_name_validation_scheme").empty()) {
    escaping = global.Text("metric_name_escaping_scheme");
  }
  if (escaping == "allow-utf-8" && UsesLegacyNames(scrape, global)) {
    diagnostics.Fail(scrape.mark(),
                     "utf8 metric names requested but validation scheme is not set to UTF8");
  }
}

}  // namespace

const Block kScrapeBlock = {"scrape_config", "config.ScrapeConfig", kScrapeFields, CheckScrape};

bool UsesLegacyNames(const BlockView& scrape_or_global, const BlockView& global) {
  const std::string own = scrape_or_global.Text("metric_name_validation_scheme");
  return (own.empty() ? global.Text("metric_name_validation_scheme") : own) == "legacy";
}

void CheckScrapeAgainstGlobal(const BlockView& scrape, const BlockView& global,
                              Diagnostics& diagnostics) {
  const std::string job = QuoteGo(scrape.Text("job_name"));
  const std::string owner = fmt::format("scrape config with job name {}", job);
  auto or_default = [](Duration value, std::int64_t fallback) {
    return value == Duration(0) ? Duration(fallback) : value;
  };
  Duration interval = scrape.Time("scrape_interval");
  if (interval == Duration(0)) interval = or_default(global.Time("scrape_interval"), 60'000);
  const Duration timeout = scrape.Time("scrape_timeout");
  if (timeout > interval) {
    diagnostics.Fail(scrape.MarkOf("scrape_timeout"),
                     fmt::format("scrape timeout greater than scrape interval for {}", owner));
  }
  CheckProtocols(scrape, owner, diagnostics);
  const std::string fallback = scrape.Text("fallback_scrape_protocol");
  if (!fallback.empty() && !IsProtocol(fallback)) {
    diagnostics.Fail(
        scrape.MarkOf("fallback_scrape_protocol"),
        fmt::format(
            "invalid fallback_scrape_protocol for {}: unknown scrape protocol {}, supported: {}",
            owner, fallback, kProtocols));
  }
  CheckEscaping(scrape, global, diagnostics);
  const bool legacy = UsesLegacyNames(scrape, global);
  CheckRelabelRules(scrape, "relabel_configs", legacy, diagnostics);
  CheckRelabelRules(scrape, "metric_relabel_configs", legacy, diagnostics);
}

namespace {

constexpr Field kGlobalFields[] = {
    {"scrape_interval", kDuration, "1m"},
    {"scrape_timeout", kDuration},
    {"scrape_protocols", kStrings},
    {"evaluation_interval", kDuration, "1m"},
    {"rule_query_offset", kDuration},
    {"query_log_file", kString, nullptr, kFile | kIdle},
    {"scrape_failure_log_file", kString, nullptr, kFile | kIdle},
    {"external_labels", kStringMap},
    {"body_size_limit", kSize},
    {"sample_limit", kUint},
    {"target_limit", kUint},
    {"label_limit", kUint},
    {"label_name_length_limit", kUint},
    {"label_value_length_limit", kUint},
    {"keep_dropped_targets", kUint},
    {"metric_name_validation_scheme", kString},
    {"metric_name_escaping_scheme", kString},
    {"scrape_native_histograms", kBool, nullptr, kIdle},
    {"convert_classic_histograms_to_nhcb", kBool, nullptr, kIdle},
    {"always_scrape_classic_histograms", kBool, nullptr, kIdle},
    {"extra_scrape_metrics", kBool},
};

}  // namespace

const Block kGlobalBlock = {"global", "config.plain", kGlobalFields, CheckGlobal};

}  // namespace sonde::config
