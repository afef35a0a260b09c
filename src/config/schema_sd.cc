#include "config/schema_sd.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/quote.h"
#include "config/scalar.h"
#include "config/schema_blocks.h"

// Service discovery in clusters and registries.

namespace sonde::config {
namespace {

using enum FieldType;

constexpr Field kHttp = {nullptr, kInline, nullptr, kNone, &kHttpClientBlock};
constexpr Field kRefresh30s = {"refresh_interval", kDuration, "30s"};
constexpr Field kRefresh60s = {"refresh_interval", kDuration, "60s"};
constexpr Field kPort80 = {"port", kInt, "80", kAlways};

void FailText(const BlockView& view, std::string_view key, std::string_view format_head,
              Diagnostics& diagnostics) {
  diagnostics.Fail(view.MarkOf(key), fmt::format("{} {}", format_head, QuoteGo(view.Text(key))));
}

constexpr Field kConsulFields[] = {
    {"server", kString, "localhost:8500"},
    {"path_prefix", kString},
    {"token", kString, nullptr, kSecret},
    {"datacenter", kString},
    {"namespace", kString},
    {"partition", kString},
    {"tag_separator", kString, ","},
    {"scheme", kString, "http"},
    {"username", kString},
    {"password", kString, nullptr, kSecret},
    {"allow_stale", kBool, "true", kAlways},
    kRefresh30s,
    {"services", kStrings},
    {"tags", kStrings},
    {"node_meta", kStringMap},
    {"filter", kString},
    {"health_filter", kString},
    kHttp,
};
void CheckConsul(const BlockView& view, Diagnostics& diagnostics) {
  if (TrimSpace(view.Text("server")).empty()) {
    diagnostics.Fail(view.MarkOf("server"), "consul SD configuration requires a server address");
  }
  if ((!view.Text("username").empty() || !view.Text("password").empty()) &&
      view.Has("basic_auth")) {
    diagnostics.Fail(view.MarkOf("basic_auth"),
                     "at most one of consul SD configuration username and password and basic auth "
                     "can be configured");
  }
  if (!view.Text("token").empty() && (view.Has("authorization") || view.Has("oauth2"))) {
    diagnostics.Fail(view.MarkOf("token"),
                     "at most one of consul SD token, authorization, or oauth2 can be configured");
  }
  CheckHttpClient(view, diagnostics);
}

constexpr Field kDnsFields[] = {
    {"names", kStrings, nullptr, kAlways},
    kRefresh30s,
    {"type", kString, "SRV"},
    {"port", kInt, nullptr, kAlways},
};
void CheckDns(const BlockView& view, Diagnostics& diagnostics) {
  if (view.Strings("names").empty()) {
    diagnostics.Fail(view.mark(), "DNS-SD config must contain at least one SRV record name");
  }
  std::string type = view.Text("type");
  for (char& c : type)
    c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  if (type == "SRV") return;
  if (!IsOneOf(type, {"A", "AAAA", "MX", "NS"})) {
    diagnostics.Fail(view.MarkOf("type"),
                     fmt::format("invalid DNS-SD records type {}", view.Text("type")));
  } else if (view.Int("port") == 0) {
    diagnostics.Fail(view.mark(),
                     "a port is required in DNS-SD configs for all record types except SRV");
  }
}

constexpr Field kFilterFields[] = {{"name", kString}, {"values", kStrings}};
constexpr Block kDockerFilterBlock = {"docker_filter", "moby.Filter", kFilterFields};

constexpr Field kDockerFields[] = {
    kHttp,
    {"host", kString, nullptr, kAlways},
    kPort80,
    {"filters", kBlocks, nullptr, kNone, &kDockerFilterBlock},
    {"host_networking_host", kString, "localhost"},
    kRefresh60s,
    {"match_first_network", kBool, "true", kAlways},
};
void CheckDockerHost(const BlockView& view, Diagnostics& diagnostics) {
  if (Require(view, "host", "host missing", diagnostics)) {
    if (const auto url = ParseGoUrl(view.Text("host")); !url) {
      diagnostics.Fail(view.MarkOf("host"), url.error().message());
    }
  }
  CheckHttpClient(view, diagnostics);
}

constexpr Field kDockerSwarmFields[] = {
    kHttp,
    {"host", kString, nullptr, kAlways},
    {"role", kString},
    kPort80,
    {"filters", kBlocks, nullptr, kNone, &kDockerFilterBlock},
    kRefresh60s,
};
void CheckDockerSwarm(const BlockView& view, Diagnostics& diagnostics) {
  const std::string role = view.Text("role");
  if (role.empty()) {
    diagnostics.Fail(view.mark(), "role missing (one of: tasks, services, nodes)");
  } else if (!IsOneOf(role, {"services", "nodes", "tasks"})) {
    diagnostics.Fail(view.MarkOf("role"),
                     fmt::format("invalid role {}, expected tasks, services, or nodes", role));
  }
  CheckDockerHost(view, diagnostics);
}

constexpr Field kEurekaFields[] = {{"server", kString}, kHttp, kRefresh30s};
void CheckEureka(const BlockView& view, Diagnostics& diagnostics) {
  if (Require(view, "server", "eureka_sd: empty or null eureka server", diagnostics)) {
    const auto url = ParseGoUrl(view.Text("server"));
    if (!url || url->scheme.empty() || url->host.empty()) {
      diagnostics.Fail(view.MarkOf("server"), "eureka_sd: invalid eureka server URL");
    }
  }
  CheckHttpClient(view, diagnostics);
}

constexpr Field kKumaFields[] = {
    kHttp,
    kRefresh30s,
    {"fetch_timeout", kDuration, "2m"},
    {"server", kString},
    {"client_id", kString},
};
void CheckKuma(const BlockView& view, Diagnostics& diagnostics) {
  const std::string server = view.Text("server");
  const auto url = ParseGoUrl(server);
  if (server.empty()) {
    diagnostics.Fail(view.mark(), "kuma SD server must not be empty: ");
  } else if (!url || url->scheme.empty() || url->host.empty()) {
    diagnostics.Fail(view.MarkOf("server"),
                     fmt::format("kuma SD server must not be empty and have a scheme: {}", server));
  }
  CheckHttpClient(view, diagnostics);
}

constexpr Field kMarathonFields[] = {
    {"servers", kStrings},
    kRefresh30s,
    {"auth_token", kString, nullptr, kSecret},
    {"auth_token_file", kString, nullptr, kFile},
    kHttp,
};
void CheckMarathon(const BlockView& view, Diagnostics& diagnostics) {
  if (view.Strings("servers").empty()) {
    diagnostics.Fail(view.mark(), "marathon_sd: must contain at least one Marathon server");
  }
  const bool has_token = !view.Text("auth_token").empty() || !view.Text("auth_token_file").empty();
  if (MoreThanOne(view, {"auth_token", "auth_token_file"})) {
    diagnostics.Fail(view.MarkOf("auth_token"),
                     "marathon_sd: at most one of auth_token & auth_token_file must be configured");
  } else if (has_token && view.Has("basic_auth")) {
    diagnostics.Fail(
        view.MarkOf("basic_auth"),
        "marathon_sd: at most one of basic_auth, auth_token & auth_token_file must be configured");
  } else if (has_token &&
             (!view.Text("bearer_token").empty() || !view.Text("bearer_token_file").empty())) {
    diagnostics.Fail(view.mark(),
                     "marathon_sd: at most one of bearer_token, bearer_token_file, auth_token & "
                     "auth_token_file must "
                     "be configured");
  } else if (has_token && view.Has("authorization")) {
    diagnostics.Fail(view.MarkOf("authorization"),
                     "marathon_sd: at most one of auth_token, auth_token_file & authorization must "
                     "be configured");
  }
  CheckHttpClient(view, diagnostics);
}

constexpr Field kNomadFields[] = {
    {"allow_stale", kBool, "true", kAlways}, kHttp,
    {"namespace", kString, "default"},       kRefresh60s,
    {"region", kString, "global"},           {"server", kString, "http://localhost:4646"},
    {"tag_separator", kString, ","},
};
void CheckNomad(const BlockView& view, Diagnostics& diagnostics) {
  if (TrimSpace(view.Text("server")).empty()) {
    diagnostics.Fail(view.MarkOf("server"), "nomad SD configuration requires a server address");
  }
  CheckHttpClient(view, diagnostics);
}

constexpr Field kPuppetDbFields[] = {
    kHttp,
    kRefresh60s,
    {"url", kString},
    {"query", kString},
    {"include_parameters", kBool, nullptr, kAlways},
    kPort80,
};
void CheckPuppetDb(const BlockView& view, Diagnostics& diagnostics) {
  CheckHttpUrl(view, "url", diagnostics);
  if (!view.Text("url").empty()) Require(view, "query", "query missing", diagnostics);
  CheckHttpClient(view, diagnostics);
}

constexpr Field kZookeeperFields[] = {
    {"servers", kStrings},
    {"paths", kStrings},
    {"timeout", kDuration, "10s"},
};
void CheckZookeeper(const BlockView& view, std::string_view kind, Diagnostics& diagnostics) {
  if (view.Strings("servers").empty()) {
    diagnostics.Fail(view.mark(),
                     fmt::format("{} SD config must contain at least one Zookeeper server", kind));
  }
  if (view.Strings("paths").empty()) {
    diagnostics.Fail(view.mark(), fmt::format("{} SD config must contain at least one path", kind));
  }
  for (const std::string& path : view.Strings("paths")) {
    if (!path.starts_with('/')) {
      diagnostics.Fail(view.MarkOf("paths"),
                       fmt::format("{} SD config paths must begin with '/': {}", kind, path));
    }
  }
}
void CheckNerve(const BlockView& view, Diagnostics& diagnostics) {
  CheckZookeeper(view, "nerve", diagnostics);
}
void CheckServerset(const BlockView& view, Diagnostics& diagnostics) {
  CheckZookeeper(view, "serverset", diagnostics);
}

// -------------------------------------------------------------------------------------------
// kubernetes

constexpr Field kNamespaceFields[] = {{"own_namespace", kBool, nullptr, kAlways},
                                      {"names", kStrings}};
constexpr Block kNamespaceBlock = {"kubernetes_namespaces", "kubernetes.plain", kNamespaceFields};
constexpr Field kSelectorFields[] = {{"role", kString}, {"label", kString}, {"field", kString}};
constexpr Block kSelectorBlock = {"kubernetes_selector", "kubernetes.SelectorConfig",
                                  kSelectorFields};
constexpr Field kAttachFields[] = {
    {"node", kBool, nullptr, kAlways},       {"namespace", kBool, nullptr, kAlways},
    {"deployment", kBool, nullptr, kAlways}, {"job", kBool, nullptr, kAlways},
    {"cronjob", kBool, nullptr, kAlways},
};
constexpr Block kAttachBlock = {"kubernetes_attach_metadata", "kubernetes.AttachMetadataConfig",
                                kAttachFields};

constexpr Field kKubernetesFields[] = {
    {"api_server", kUrl},
    {"role", kString},
    {"kubeconfig_file", kString, nullptr, kFile},
    kHttp,
    {"namespaces", kBlock, nullptr, kNone, &kNamespaceBlock},
    {"selectors", kBlocks, nullptr, kNone, &kSelectorBlock},
    {"attach_metadata", kBlock, nullptr, kNone, &kAttachBlock},
};

bool IsKubernetesRole(std::string_view role) {
  return IsOneOf(role, {"node", "pod", "service", "endpoints", "endpointslice", "ingress"});
}

/// Any key of the HTTP client that differs from its default.
bool HasCustomClient(const BlockView& view) {
  for (const char* key :
       {"basic_auth", "authorization", "oauth2", "bearer_token", "bearer_token_file", "tls_config",
        "proxy_url", "no_proxy", "proxy_connect_header", "http_headers"}) {
    if (view.Has(key)) return true;
  }
  return !view.Bool("follow_redirects") || !view.Bool("enable_http2") ||
         view.Bool("proxy_from_environment");
}

/// `a=b,c!=d`, with backslash escapes in the values.
bool IsFieldSelector(std::string_view selector, std::string& bad_term) {
  std::string term;
  auto term_ok = [&] {
    bad_term = term;
    return term.empty() || term.find('=') != std::string::npos;
  };
  for (std::size_t i = 0; i < selector.size(); ++i) {
    if (selector[i] == '\\' && i + 1 < selector.size()) {
      ++i;
      term += '.';
    } else if (selector[i] == ',') {
      if (!term_ok()) return false;
      term.clear();
    } else {
      term += selector[i];
    }
  }
  return term_ok();
}

/// Whose selectors a role may use.
std::vector<std::string_view> AllowedSelectors(std::string_view role) {
  if (role == "pod") return {"pod", "node"};
  if (role == "endpointslice") return {"pod", "service", "endpointslice"};
  if (role == "endpoints") return {"pod", "service", "endpoints"};
  return {role};
}

void CheckSelectors(const BlockView& view, Diagnostics& diagnostics) {
  const std::string role = view.Text("role");
  const std::vector<std::string_view> allowed = AllowedSelectors(role);
  std::set<std::string> seen;
  for (const BlockView& selector : view.Children("selectors")) {
    const std::string on = selector.Text("role");
    if (!IsKubernetesRole(on)) {
      FailText(selector, "role", "unknown Kubernetes SD role", diagnostics);
      continue;
    }
    if (!seen.insert(on).second) {
      diagnostics.Fail(selector.MarkOf("role"), fmt::format("duplicated selector role: {}", on));
      continue;
    }
    if (std::find(allowed.begin(), allowed.end(), on) == allowed.end()) {
      diagnostics.Fail(selector.MarkOf("role"), fmt::format("{} role supports only {} selectors",
                                                            role, fmt::join(allowed, ", ")));
      continue;
    }
    std::string bad_term;
    if (!IsFieldSelector(selector.Text("field"), bad_term)) {
      diagnostics.Fail(selector.MarkOf("field"),
                       fmt::format("invalid selector: '{}'; can't understand '{}'",
                                   selector.Text("field"), bad_term));
    }
  }
}

void CheckKubernetes(const BlockView& view, Diagnostics& diagnostics) {
  const std::string role = view.Text("role");
  if (role.empty()) {
    diagnostics.Fail(
        view.mark(),
        "role missing (one of: pod, service, endpoints, endpointslice, node, ingress)");
    return;
  }
  if (!IsKubernetesRole(role)) {
    FailText(view, "role", "unknown Kubernetes SD role", diagnostics);
    return;
  }
  CheckHttpClient(view, diagnostics);
  const bool has_server = !view.Text("api_server").empty();
  const bool has_kubeconfig = !view.Text("kubeconfig_file").empty();
  const bool own_namespace = view.Child("namespaces").Bool("own_namespace");
  if (has_server && has_kubeconfig) {
    diagnostics.Fail(view.mark(), "cannot use 'kubeconfig_file' and 'api_server' simultaneously");
  }
  if (has_kubeconfig && HasCustomClient(view)) {
    diagnostics.Fail(
        view.mark(),
        "cannot use a custom HTTP client configuration together with 'kubeconfig_file'");
  } else if (!has_server && HasCustomClient(view)) {
    diagnostics.Fail(
        view.mark(),
        "to use custom HTTP client configuration please provide the 'api_server' URL explicitly");
  }
  if (has_server && own_namespace) {
    diagnostics.Fail(view.mark(),
                     "cannot use 'api_server' and 'namespaces.own_namespace' simultaneously");
  }
  if (has_kubeconfig && own_namespace) {
    diagnostics.Fail(view.mark(),
                     "cannot use 'kubeconfig_file' and 'namespaces.own_namespace' simultaneously");
  }
  CheckSelectors(view, diagnostics);
}

}  // namespace

void CheckHttpUrl(const BlockView& view, std::string_view key, Diagnostics& diagnostics) {
  const std::string text = view.Text(key);
  if (text.empty()) {
    diagnostics.Fail(view.MarkOf(key), "URL is missing");
    return;
  }
  const auto url = ParseGoUrl(text);
  if (!url) {
    diagnostics.Fail(view.MarkOf(key), url.error().message());
  } else if (!IsOneOf(url->scheme, {"http", "https"})) {
    diagnostics.Fail(view.MarkOf(key), "URL scheme must be 'http' or 'https'");
  } else if (url->host.empty()) {
    diagnostics.Fail(view.MarkOf(key), "host is missing in URL");
  }
}

const Block kConsulBlock = {"consul_sd_config", "consul.plain", kConsulFields, CheckConsul};
const Block kDnsBlock = {"dns_sd_config", "dns.plain", kDnsFields, CheckDns};
const Block kDockerBlock = {"docker_sd_config", "moby.plain", kDockerFields, CheckDockerHost};
const Block kDockerSwarmBlock = {"dockerswarm_sd_config", "moby.plain", kDockerSwarmFields,
                                 CheckDockerSwarm};
const Block kEurekaBlock = {"eureka_sd_config", "eureka.plain", kEurekaFields, CheckEureka};
const Block kKubernetesBlock = {"kubernetes_sd_config", "kubernetes.plain", kKubernetesFields,
                                CheckKubernetes};
const Block kKumaBlock = {"kuma_sd_config", "xds.plainKumaConf", kKumaFields, CheckKuma};
const Block kMarathonBlock = {"marathon_sd_config", "marathon.plain", kMarathonFields,
                              CheckMarathon};
const Block kNerveBlock = {"nerve_sd_config", "zookeeper.plain", kZookeeperFields, CheckNerve};
const Block kNomadBlock = {"nomad_sd_config", "nomad.plain", kNomadFields, CheckNomad};
const Block kPuppetDbBlock = {"puppetdb_sd_config", "puppetdb.plain", kPuppetDbFields,
                              CheckPuppetDb};
const Block kServersetBlock = {"serverset_sd_config", "zookeeper.plain", kZookeeperFields,
                               CheckServerset};

}  // namespace sonde::config
