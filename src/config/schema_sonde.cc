#include <set>

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

constexpr Field kUpstreamFields[] = {
    {"name", kString},
    {"url", kString, nullptr, kAlways},
    {"models", kStrings},
    {"weight", kFloat, "1"},
    {"authorization", kBlock, nullptr, kNone, &kAuthorizationBlock},
    {"tls_config", kBlock, nullptr, kNone, &kTlsBlock},
    {"proxy_url", kUrl},
};
void CheckUpstream(const BlockView& view, Diagnostics& diagnostics) {
  CheckHttpUrl(view, "url", diagnostics);
  const double weight = view.Float("weight");
  if (!(weight > 0 && weight <= 1e6)) {
    diagnostics.Fail(view.MarkOf("weight"), "weight must be larger than 0 and at most 1000000");
  }
  if (MoreThanOne(view.Child("authorization"), {"credentials", "credentials_file"})) {
    diagnostics.Fail(
        view.MarkOf("authorization"),
        "at most one of authorization credentials & credentials_file must be configured");
  }
}
constexpr Block kUpstreamBlock = {"gateway_upstream", "sonde.upstream", kUpstreamFields,
                                  CheckUpstream};

constexpr Field kTlsServerFields[] = {
    {"cert_file", kString, nullptr, kFile},      {"key_file", kString, nullptr, kFile},
    {"client_ca_file", kString, nullptr, kFile}, {"client_auth_type", kString, "NoClientCert"},
    {"min_version", kString, "TLS12"},           {"max_version", kString},
};
void CheckTlsServer(const BlockView& view, Diagnostics& diagnostics) {
  Require(view, "cert_file", "tls_server_config needs a cert_file", diagnostics);
  Require(view, "key_file", "tls_server_config needs a key_file", diagnostics);
  const std::string type = view.Text("client_auth_type");
  if (!IsOneOf(type, {"NoClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"})) {
    diagnostics.Fail(
        view.MarkOf("client_auth_type"),
        fmt::format("client_auth_type must be NoClientCert, VerifyClientCertIfGiven or "
                    "RequireAndVerifyClientCert, got {}",
                    QuoteGo(type)));
  }
  if (type != "NoClientCert") {
    Require(view, "client_ca_file", "client_auth_type needs a client_ca_file", diagnostics);
  }
  for (const char* key : {"min_version", "max_version"}) {
    if (!IsOneOf(view.Text(key), {"", "TLS10", "TLS11", "TLS12", "TLS13"})) {
      diagnostics.Fail(view.MarkOf(key), fmt::format("unknown TLS version: {}", view.Text(key)));
    }
  }
}
constexpr Block kTlsServerBlock = {"tls_server_config", "sonde.tls_server_config", kTlsServerFields,
                                   CheckTlsServer};

constexpr Field kGatewayFields[] = {
    {"listen_address", kString, "127.0.0.1:9798"},
    {"tls_server_config", kBlock, nullptr, kNone, &kTlsServerBlock},
    {"upstreams", kBlocks, nullptr, kNone, &kUpstreamBlock, "empty or null section in upstreams"},
    {"max_models", kUint, "100"},
    {"connect_timeout", kDuration, "5s"},
    {"response_timeout", kDuration, "15m"},
    {"idle_timeout", kDuration, "11m"},
    {"write_timeout", kDuration, "1m"},
    {"upstream_keep_alive", kDuration, "4s"},
    {"max_body_size", kSize, "256MiB"},
    {"max_routing_size", kSize, "16MiB"},
    {"max_connections", kUint, "16384"},
    {"probe_interval", kDuration, "5s"},
    {"probe_timeout", kDuration, "5s"},
};
void CheckGateway(const BlockView& view, Diagnostics& diagnostics) {
  std::set<std::string> names;
  for (const BlockView& upstream : view.Children("upstreams")) {
    std::string name = upstream.Text("name");
    if (name.empty()) {
      const auto url = ParseGoUrl(upstream.Text("url"));
      if (url) name = url->host;
    }
    if (!name.empty() && !names.insert(name).second) {
      diagnostics.Fail(upstream.MarkOf("name"),
                       fmt::format("two upstreams are called {}", QuoteGo(name)));
    }
  }
  for (const char* key : {"max_body_size", "max_routing_size"}) {
    if (view.Size(key) <= 0)
      diagnostics.Fail(view.MarkOf(key), fmt::format("{} must be larger than 0", key));
  }
  for (const char* key : {"connect_timeout", "response_timeout", "idle_timeout", "write_timeout",
                          "probe_interval", "probe_timeout"}) {
    if (view.Time(key) <= Duration(0)) {
      diagnostics.Fail(view.MarkOf(key), fmt::format("{} must be longer than 0", key));
    }
  }
}
constexpr Block kGatewayBlock = {"gateway", "sonde.gateway", kGatewayFields, CheckGateway};

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
};

}  // namespace

const Block kSondeBlock = {"sonde", "sonde.plain", kSondeFields};

}  // namespace sonde::config
