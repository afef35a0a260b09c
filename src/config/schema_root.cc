#include <set>

#include <fmt/format.h>

#include "base/quote.h"
#include "config/schema_blocks.h"

// The file as a whole, and its sections that are neither scraping nor `sonde`: storage, tracing,
// OTLP.

namespace sonde::config {
namespace {

using enum FieldType;

/// Letters of ASCII only: header names.
std::string Lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

constexpr Field kRuntimeFields[] = {{"gogc", kInt, "75"}};
constexpr Block kRuntimeBlock = {"runtime", "config.RuntimeConfig", kRuntimeFields};

constexpr Field kRetentionFields[] = {
    {"time", kDuration},
    {"size", kSize, nullptr, kIdle},
    {"percentage", kFloat, nullptr, kIdle},
};
void CheckRetention(const BlockView& view, Diagnostics& diagnostics) {
  if (view.Size("size") < 0) {
    diagnostics.Fail(
        view.MarkOf("size"),
        fmt::format("'storage.tsdb.retention.size' must be greater than or equal to 0, got {}",
                    view.Text("size")));
  }
  const double percentage = view.Float("percentage");
  if (!(percentage >= 0 && percentage <= 100)) {
    diagnostics.Fail(
        view.MarkOf("percentage"),
        fmt::format("'storage.tsdb.retention.percentage' must be in the range [0, 100], got {}",
                    view.Text("percentage")));
  }
}
constexpr Block kRetentionBlock = {"retention", "config.plain", kRetentionFields, CheckRetention};

constexpr Field kChunkEncodingFields[] = {{"floats", kString}};
constexpr Block kChunkEncodingBlock = {"chunk_encoding", "config.ChunkEncodingConfig",
                                       kChunkEncodingFields};

constexpr Field kTsdbFields[] = {
    {"out_of_order_time_window", kDuration, nullptr, kIdle},
    {"stale_series_compaction_threshold", kFloat, nullptr, kIdle},
    {"chunk_encoding", kBlock, nullptr, kNone, &kChunkEncodingBlock},
    {"retention", kBlock, nullptr, kNone, &kRetentionBlock},
};
void CheckTsdb(const BlockView& view, Diagnostics& diagnostics) {
  const BlockView encoding = view.Child("chunk_encoding");
  const std::string floats = encoding.Text("floats");
  if (!IsOneOf(floats, {"", "xor", "xor2"})) {
    diagnostics.Fail(
        encoding.MarkOf("floats"),
        fmt::format(
            "'storage.tsdb.chunk_encoding.floats' must be 'xor' or 'xor2', or the field must be "
            "omitted entirely, got {}",
            QuoteGo(floats)));
  }
  if (floats == "xor2") {
    diagnostics.Warn(encoding.MarkOf("floats"),
                     "xor2 is configured but not active in this version: xor is written");
  }
}
constexpr Block kTsdbBlock = {"tsdb", "config.plain", kTsdbFields, CheckTsdb};

constexpr Field kExemplarFields[] = {{"max_exemplars", kInt, "100000"}};
constexpr Block kExemplarBlock = {"exemplars", "config.ExemplarsConfig", kExemplarFields};

constexpr Field kStorageFields[] = {
    {"tsdb", kBlock, nullptr, kNone, &kTsdbBlock},
    {"exemplars", kBlock, nullptr, kIdle, &kExemplarBlock},
};
constexpr Block kStorageBlock = {"storage", "config.StorageConfig", kStorageFields};

constexpr Field kTracingFields[] = {
    {"client_type", kString, "grpc"},
    {"endpoint", kString},
    {"sampling_fraction", kFloat},
    {"insecure", kBool},
    {"tls_config", kBlock, nullptr, kNone, &kTlsBlock},
    {"headers", kStringMap},
    {"compression", kString},
    {"timeout", kDuration},
};
void CheckTracing(const BlockView& view, Diagnostics& diagnostics) {
  if (!IsOneOf(view.Text("client_type"), {"http", "grpc"})) {
    diagnostics.Fail(view.MarkOf("client_type"),
                     fmt::format("expected tracing client type to be to be http or grpc, "
                                 "but got {}",
                                 view.Text("client_type")));
  }
  if (const YamlNode* headers = view.Raw("headers")) {
    for (const YamlEntry& header : headers->entries) {
      if (Lower(header.key) == "authorization") {
        diagnostics.Fail(header.mark,
                         "custom authorization header configuration is not yet supported");
      } else if (IsReservedHeader(header.key)) {
        diagnostics.Fail(header.mark, fmt::format("{} is a reserved header. It must not be changed",
                                                  header.key));
      }
    }
  }
  Require(view, "endpoint", "tracing endpoint must be set", diagnostics);
  if (!IsOneOf(view.Text("compression"), {"", "gzip"})) {
    diagnostics.Fail(view.MarkOf("compression"),
                     fmt::format("invalid compression type {} provided, valid options: gzip",
                                 view.Text("compression")));
  }
}
constexpr Block kTracingBlock = {"tracing", "config.plain", kTracingFields, CheckTracing};

constexpr Field kOtlpFields[] = {
    {"promote_all_resource_attributes", kBool},
    {"promote_resource_attributes", kStrings},
    {"ignore_resource_attributes", kStrings},
    {"translation_strategy", kString, "UnderscoreEscapingWithSuffixes"},
    {"keep_identifying_resource_attributes", kBool},
    {"convert_histograms_to_nhcb", kBool},
    {"promote_scope_metadata", kBool},
    {"label_name_underscore_sanitization", kBool, "true", kAlways},
    {"label_name_preserve_multiple_underscores", kBool, "true", kAlways},
};

void CheckAttributes(const BlockView& view, const char* key, std::string_view adjective,
                     Diagnostics& diagnostics) {
  const YamlNode* list = view.Raw(key);
  if (list == nullptr) return;
  std::set<std::string, std::less<>> seen;
  for (const YamlNode& item : list->items) {
    const std::string_view name = TrimSpace(item.text);
    if (name.empty()) {
      diagnostics.Fail(
          item.mark, fmt::format("invalid '{}': empty {} OTel resource attribute", key, adjective));
    } else if (!seen.emplace(name).second) {
      diagnostics.Fail(item.mark,
                       fmt::format("invalid '{}': duplicated {} OTel resource attribute {}", key,
                                   adjective, QuoteGo(name)));
    }
  }
}

void CheckOtlp(const BlockView& view, Diagnostics& diagnostics) {
  if (view.Bool("promote_all_resource_attributes")) {
    if (!view.Strings("promote_resource_attributes").empty()) {
      diagnostics.Fail(view.MarkOf("promote_resource_attributes"),
                       "'promote_all_resource_attributes' and 'promote_resource_attributes' cannot "
                       "be configured "
                       "simultaneously");
    }
    CheckAttributes(view, "ignore_resource_attributes", "ignored", diagnostics);
    return;
  }
  if (!view.Strings("ignore_resource_attributes").empty()) {
    diagnostics.Fail(view.MarkOf("ignore_resource_attributes"),
                     "'ignore_resource_attributes' cannot be configured unless "
                     "'promote_all_resource_attributes' is "
                     "true");
  }
  CheckAttributes(view, "promote_resource_attributes", "promoted", diagnostics);
}
constexpr Block kOtlpBlock = {"otlp", "config.plain", kOtlpFields, CheckOtlp};

constexpr Field kRootFields[] = {
    {"global", kBlock, nullptr, kAlways, &kGlobalBlock},
    {"runtime", kBlock, nullptr, kIdle, &kRuntimeBlock},
    {"alerting", kBlock, nullptr, kIdle, &kAlertingBlock},
    {"rule_files", kStrings, nullptr, kFile},
    {"scrape_config_files", kStrings, nullptr, kFile},
    {"scrape_configs", kBlocks, nullptr, kNone, &kScrapeBlock,
     "empty or null scrape config section"},
    {"storage", kBlock, nullptr, kNone, &kStorageBlock},
    {"tracing", kBlock, nullptr, kIdle, &kTracingBlock},
    {"remote_write", kBlocks, nullptr, kIdle, &kRemoteWriteBlock,
     "empty or null remote write config section"},
    {"remote_read", kBlocks, nullptr, kIdle, &kRemoteReadBlock,
     "empty or null remote read config section"},
    {"otlp", kBlock, nullptr, kIdle, &kOtlpBlock},
    {"sonde", kBlock, nullptr, kNone, &kSondeBlock},
};

/// A `*` only in the last part of a path.
void CheckPatterns(const BlockView& view, const char* key, std::string_view what,
                   Diagnostics& diagnostics) {
  const YamlNode* list = view.Raw(key);
  if (list == nullptr) return;
  auto check = [&](const YamlNode& item) {
    const std::size_t star = item.text.find('*');
    if (star != std::string::npos && item.text.find('/', star) != std::string::npos) {
      diagnostics.Fail(item.mark, fmt::format("invalid {} file path {}", what, QuoteGo(item.text)));
    }
  };
  if (list->is_scalar()) check(*list);
  for (const YamlNode& item : list->items)
    check(item);
}

void CheckUnique(const BlockView& view, const char* key, const char* name, std::string_view what,
                 Diagnostics& diagnostics) {
  std::set<std::string> seen;
  for (const BlockView& child : view.Children(key)) {
    const std::string text = child.Text(name);
    if (!text.empty() && !seen.insert(text).second) {
      diagnostics.Fail(child.MarkOf(name), fmt::format("found multiple {} configs with job name {}",
                                                       what, QuoteGo(text)));
    }
  }
}

void CheckOtlpAgainstGlobal(const BlockView& view, const BlockView& global,
                            Diagnostics& diagnostics) {
  const BlockView otlp = view.Child("otlp");
  const std::string strategy = otlp.Text("translation_strategy");
  if (IsOneOf(strategy, {"NoTranslation", "NoUTF8EscapingWithSuffixes"})) {
    if (UsesLegacyNames(global, global)) {
      diagnostics.Fail(
          otlp.MarkOf("translation_strategy"),
          fmt::format("OTLP translation strategy {} is not allowed when UTF8 is disabled",
                      QuoteGo(strategy)));
    }
  } else if (!IsOneOf(strategy, {"", "UnderscoreEscapingWithSuffixes",
                                 "UnderscoreEscapingWithoutSuffixes"})) {
    diagnostics.Fail(otlp.MarkOf("translation_strategy"),
                     fmt::format("unsupported OTLP translation strategy {}", QuoteGo(strategy)));
  }
}

void CheckRoot(const BlockView& view, Diagnostics& diagnostics) {
  CheckPatterns(view, "rule_files", "rule", diagnostics);
  CheckPatterns(view, "scrape_config_files", "scrape config", diagnostics);
  const BlockView global = view.Child("global");
  for (const BlockView& scrape : view.Children("scrape_configs")) {
    CheckScrapeAgainstGlobal(scrape, global, diagnostics);
  }
  CheckUnique(view, "scrape_configs", "job_name", "scrape", diagnostics);
  const bool legacy = UsesLegacyNames(global, global);
  const BlockView alerting = view.Child("alerting");
  CheckRelabelRules(alerting, "alert_relabel_configs", legacy, diagnostics);
  for (const BlockView& alertmanager : alerting.Children("alertmanagers")) {
    CheckRelabelRules(alertmanager, "alert_relabel_configs", legacy, diagnostics);
    CheckRelabelRules(alertmanager, "relabel_configs", legacy, diagnostics);
  }
  for (const BlockView& remote : view.Children("remote_write")) {
    CheckRelabelRules(remote, "write_relabel_configs", legacy, diagnostics);
  }
  CheckUnique(view, "remote_write", "name", "remote write", diagnostics);
  CheckUnique(view, "remote_read", "name", "remote read", diagnostics);
  CheckOtlpAgainstGlobal(view, global, diagnostics);
}

constexpr Field kScrapeFileFields[] = {
    {"scrape_configs", kBlocks, nullptr, kNone, &kScrapeBlock,
     "empty or null scrape config section"},
};

}  // namespace

const Block kRootBlock = {"configuration", "config.plain", kRootFields, CheckRoot};
const Block kScrapeFileBlock = {"scrape_config_file", "config.ScrapeConfigs", kScrapeFileFields};

}  // namespace sonde::config
