#include "config/config.h"

#include <fstream>
#include <map>
#include <sstream>

#include <gtest/gtest.h>

#include "base/fault_env.h"

namespace sonde::config {
namespace {

void Write(Env& env, const std::string& path, std::string_view text) {
  ASSERT_TRUE(env.CreateDir(std::filesystem::path(path).parent_path()).ok());
  ASSERT_TRUE(WriteFileAtomically(env, path, text).ok());
}

LoadOptions WithEnvironment(std::initializer_list<std::pair<std::string, std::string>> variables) {
  std::map<std::string, std::string> map(variables.begin(), variables.end());
  return {.environment = [map](const std::string& name) -> std::optional<std::string> {
    const auto found = map.find(name);
    return found == map.end() ? std::nullopt : std::optional(found->second);
  }};
}

class ConfigTest : public testing::Test {
 protected:
  std::shared_ptr<const Config> Load(std::string_view text, const LoadOptions& options = {}) {
    auto config = Parse(env_, text, "/etc/sonde/prometheus.yml", options);
    EXPECT_TRUE(config.ok()) << config.error().message();
    return config.ok() ? *config : std::make_shared<Config>();
  }
  std::string ErrorOf(std::string_view text, const LoadOptions& options = {}) {
    auto config = Parse(env_, text, "/etc/sonde/prometheus.yml", options);
    return config.ok() ? "" : config.error().message();
  }

  FaultEnv env_;
};

TEST_F(ConfigTest, AnEmptyFileIsTheDefaults) {
  const auto config = Load("");
  EXPECT_TRUE(config->scrape.empty());
  EXPECT_EQ(config->global.scrape_interval, Duration(60'000));
  EXPECT_EQ(config->global.evaluation_interval, Duration(60'000));
  EXPECT_TRUE(config->sonde.host.enabled);
  EXPECT_TRUE(config->sonde.engines.autodetect);
  EXPECT_EQ(config->sonde.vocabulary_prefix, "deepseek_");
  EXPECT_TRUE(config->warnings.empty());
}

TEST_F(ConfigTest, ScrapeConfig) {
  const auto config = Load(R"(
global:
  scrape_interval: 15s
  sample_limit: 100
scrape_configs:
- job_name: a
  honor_labels: true
  params: {module: [x, y], one: z}
  scrape_protocols: [PrometheusText0.0.4]
  fallback_scrape_protocol: OpenMetricsText1.0.0
  static_configs:
  - targets: [h:1, h:2]
    labels: {zone: z}
  file_sd_configs:
  - files: [targets/*.json, /abs/x.yml]
  http_sd_configs:
  - url: http://x/sd
    refresh_interval: 10s
    bearer_token: t
  metric_relabel_configs:
  - {regex: go_.*, source_labels: [__name__], action: DROP}
  basic_auth: {username: u, password_file: secrets/p}
  tls_config: {ca_file: ca.pem, insecure_skip_verify: true}
  proxy_url: http://proxy:3128
  no_proxy: 10.0.0.0/8
  http_headers:
    X-Org: {values: [a], files: [org.txt]}
- job_name: b
  scrape_interval: 5s
  scrape_timeout: 3s
  sample_limit: 7
  body_size_limit: 1MB
)");
  ASSERT_EQ(config->scrape.size(), 2U);
  const scrape::ScrapeOptions& a = *config->scrape[0];
  EXPECT_EQ(a.job_name, "a");
  EXPECT_TRUE(a.honor_labels);
  EXPECT_EQ(a.interval, Duration(15'000));
  EXPECT_EQ(a.timeout, Duration(10'000));
  EXPECT_EQ(a.sample_limit, 100U);
  ASSERT_EQ(a.params.size(), 2U);
  EXPECT_EQ(a.params[0].second, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(a.params[1].second, (std::vector<std::string>{"z"}));
  EXPECT_EQ(a.protocols, (std::vector{wire::ScrapeProtocol::kPrometheusText0_0_4}));
  EXPECT_EQ(a.fallback_protocol, wire::ScrapeProtocol::kOpenMetricsText1_0_0);
  ASSERT_EQ(a.discovery.static_groups.size(), 1U);
  EXPECT_EQ(a.discovery.static_groups[0].targets[1].ToString(), R"({__address__="h:2"})");
  EXPECT_EQ(a.discovery.static_groups[0].labels.ToString(), R"({zone="z"})");
  EXPECT_EQ(a.discovery.files[0].patterns,
            (std::vector<std::string>{"/etc/sonde/targets/*.json", "/abs/x.yml"}));
  EXPECT_EQ(a.discovery.http[0].refresh_interval, Duration(10'000));
  EXPECT_EQ(a.discovery.http[0].access.authorization->credentials, "t");
  EXPECT_EQ(a.metric_relabel_rules[0].action, scrape::RelabelAction::kDrop);
  EXPECT_EQ(a.metric_relabel_rules[0].regex->pattern(), "go_.*");
  EXPECT_EQ(a.access.basic_auth->username, "u");
  EXPECT_EQ(a.access.basic_auth->password_file, "/etc/sonde/secrets/p");
  EXPECT_EQ(a.access.tls.ca_file, "/etc/sonde/ca.pem");
  EXPECT_TRUE(a.access.tls.insecure_skip_verify);
  EXPECT_EQ(a.access.https_proxy, "http://proxy:3128");
  EXPECT_EQ(a.access.no_proxy, "10.0.0.0/8");
  EXPECT_EQ(a.access.headers[0].files, (std::vector<std::string>{"/etc/sonde/org.txt"}));
  const scrape::ScrapeOptions& b = *config->scrape[1];
  EXPECT_EQ(b.interval, Duration(5'000));
  EXPECT_EQ(b.timeout, Duration(3'000));
  EXPECT_EQ(b.sample_limit, 7U);
  EXPECT_EQ(b.body_size_limit, 1U << 20);
  EXPECT_TRUE(b.relabel_rules.empty());
}

TEST_F(ConfigTest, TimeoutIsNeverLongerThanTheInterval) {
  const auto config = Load(
      "global: {scrape_interval: 5s}\nscrape_configs:\n- job_name: x\n- {job_name: y, "
      "scrape_interval: 2s}\n");
  EXPECT_EQ(config->global.scrape_timeout, Duration(5'000));
  EXPECT_EQ(config->scrape[0]->timeout, Duration(5'000));
  EXPECT_EQ(config->scrape[1]->timeout, Duration(2'000));
}

TEST_F(ConfigTest, ExternalLabelsTakeTheEnvironment) {
  const auto config =
      Load("global:\n  external_labels: {a: '${X}-b', b: $X, c: $$X, d: '${NONE}', e: 'x$'}\n",
           WithEnvironment({{"X", "val"}}));
  EXPECT_EQ(config->global.external_labels.ToString(), R"({a="val-b", b="val", c="$X", e="x$"})");
  ASSERT_EQ(config->warnings.size(), 1U);
  EXPECT_EQ(config->warnings[0],
            "/etc/sonde/prometheus.yml:2:52: environment variable NONE is empty");
}

TEST_F(ConfigTest, ProxyFromEnvironment) {
  const auto config =
      Load("scrape_configs: [{job_name: x, proxy_from_environment: true}]\n",
           WithEnvironment(
               {{"HTTP_PROXY", "http://p:1"}, {"https_proxy", "http://q:2"}, {"NO_PROXY", "x"}}));
  EXPECT_EQ(config->scrape[0]->access.http_proxy, "http://p:1");
  EXPECT_EQ(config->scrape[0]->access.https_proxy, "http://q:2");
  EXPECT_EQ(config->scrape[0]->access.no_proxy, "x");
}

TEST_F(ConfigTest, ScrapeConfigFiles) {
  Write(env_, "/etc/sonde/jobs/a.yml",
        "scrape_configs:\n- job_name: a\n  tls_config: {ca_file: ca.pem}\n");
  Write(env_, "/etc/sonde/jobs/b.yml", "scrape_configs: [{job_name: b}]\n");
  const auto config = Load("global: {scrape_interval: 7s}\nscrape_config_files: [jobs/*.yml]\n");
  ASSERT_EQ(config->scrape.size(), 2U);
  EXPECT_EQ(config->scrape[0]->interval, Duration(7'000));
  EXPECT_EQ(config->scrape[0]->access.tls.ca_file, "/etc/sonde/jobs/ca.pem");

  EXPECT_EQ(ErrorOf("scrape_config_files: [jobs/*.yml]\nscrape_configs: [{job_name: b}]\n"),
            "/etc/sonde/jobs/b.yml:1:29: found multiple scrape configs with job name \"b\", first "
            "found in "
            "/etc/sonde/prometheus.yml");
  Write(env_, "/etc/sonde/jobs/b.yml", "scrape_configs: [{job_name: b, scrape_timeout: 5m}]\n");
  EXPECT_NE(ErrorOf("scrape_config_files: [jobs/*.yml]\n")
                .find("scrape timeout greater than scrape interval"),
            std::string::npos);
  Write(env_, "/etc/sonde/jobs/b.yml", "remote_write: []\n");
  EXPECT_EQ(ErrorOf("scrape_config_files: [jobs/*.yml]\n"),
            "/etc/sonde/jobs/b.yml:1:1: field remote_write not found in type config.ScrapeConfigs");
}

TEST_F(ConfigTest, AgentMode) {
  EXPECT_EQ(ErrorOf("rule_files: [a]\n", {.environment = {}, .agent = true}),
            "/etc/sonde/prometheus.yml:1:13: field rule_files is not allowed in agent mode");
}

TEST_F(ConfigTest, FingerprintSeesSecrets) {
  auto fingerprint = [&](const char* password) {
    return Load("scrape_configs: [{job_name: x, basic_auth: {username: u, password: " +
                std::string(password) + "}}]")
        ->scrape[0]
        ->fingerprint;
  };
  EXPECT_EQ(fingerprint("a"), fingerprint("a"));
  EXPECT_NE(fingerprint("a"), fingerprint("b"));
}

TEST_F(ConfigTest, NormalisedText) {
  const auto config = Load(R"(# comment
global: {scrape_interval: 15s, external_labels: {z: "1", a: x}}
scrape_configs:
- job_name: x
  basic_auth: {username: u, password: hunter2}
  static_configs: [{targets: [h:1]}]
  relabel_configs: [{target_label: a, replacement: "b: c"}]
remote_write: [{url: "http://me:pass@host/write"}]
)");
  EXPECT_EQ(config->yaml, R"(global:
  scrape_interval: 15s
  scrape_timeout: 10s
  evaluation_interval: 1m
  external_labels:
    a: x
    z: "1"
  metric_name_validation_scheme: utf8
  metric_name_escaping_scheme: allow-utf-8
scrape_configs:
- job_name: x
  honor_timestamps: true
  track_timestamps_staleness: false
  scrape_interval: 15s
  scrape_timeout: 10s
  metrics_path: /metrics
  scheme: http
  enable_compression: true
  metric_name_validation_scheme: utf8
  metric_name_escaping_scheme: allow-utf-8
  basic_auth:
    username: u
    password: <secret>
  follow_redirects: true
  enable_http2: true
  relabel_configs:
  - separator: ;
    target_label: a
    replacement: 'b: c'
    action: replace
  static_configs:
  - targets:
    - h:1
remote_write:
- url: http://me:xxxxx@host/write
  remote_timeout: 30s
  protobuf_message: prometheus.WriteRequest
  follow_redirects: true
  enable_http2: true
)");
  // It is valid itself, and says the same.
  EXPECT_EQ(Load(config->yaml)->yaml, config->yaml);
}

TEST_F(ConfigTest, OwnPagesAreMadeAsOftenAsTargetsAreScrapedButEveryQuarterMinuteAtLeast) {
  const auto interval = [&](const char* text) { return Load(text)->sonde.self.interval; };
  EXPECT_EQ(interval(""), Duration(15'000));
  EXPECT_EQ(interval("global: {scrape_interval: 5s, scrape_timeout: 5s}"), Duration(5'000));
  EXPECT_EQ(
      interval("global: {scrape_interval: 5s, scrape_timeout: 5s}\nsonde: {self: {interval: 1m}}"),
      Duration(60'000));
}

TEST_F(ConfigTest, Sonde) {
  const auto config = Load(R"(
sonde:
  engines: {autodetect: false, targets: ["http://127.0.0.1:8000"]}
  host: {interval: 5s, disable: [hwmon], fs_types_exclude: tmpfs}
  self: {enabled: false}
  vocabulary: {prefix: llm_}
  mappings: [m.yaml]
  scraping: {max_body_size: 10MB}
)");
  EXPECT_FALSE(config->sonde.engines.autodetect);
  EXPECT_EQ(config->sonde.engines.urls, (std::vector<std::string>{"http://127.0.0.1:8000"}));
  EXPECT_EQ(config->sonde.host.interval, Duration(5'000));
  EXPECT_EQ(config->sonde.host_collector.fs_types_exclude, "tmpfs");
  EXPECT_FALSE(config->sonde.self.enabled);
  EXPECT_EQ(config->sonde.vocabulary_prefix, "llm_");
  EXPECT_EQ(config->sonde.mapping_files, (std::vector<std::string>{"/etc/sonde/m.yaml"}));
  EXPECT_EQ(config->sonde.max_body_bytes, 10U << 20);
  EXPECT_EQ(ErrorOf("sonde: {engine: {}}"),
            "/etc/sonde/prometheus.yml:1:9: field engine not found in type sonde.plain; did you "
            "mean engines?");
  EXPECT_NE(ErrorOf("sonde: {engines: {targets: [localhost]}}").find("is not an engine's URL"),
            std::string::npos);
}

TEST_F(ConfigTest, Gateway) {
  Write(env_, "/etc/sonde/key", "sk-1\n");
  const auto config = Load(R"(
sonde:
  vocabulary: {prefix: llm_}
  gateway:
    listen_address: ":9798"
    max_models: 5
    idle_timeout: 1m
    max_body_size: 1MB
    tls_server_config: {cert_file: c.pem, key_file: k.pem, client_ca_file: ca.pem,
                        client_auth_type: RequireAndVerifyClientCert}
    upstreams:
    - {name: a, url: "http://h:8000", models: [m], weight: 2.5}
    - {url: "https://api.deepseek.com", authorization: {credentials_file: key}, tls_config: {ca_file: ca.pem}}
)");
  const gateway::GatewayOptions& gateway = config->sonde.gateway;
  EXPECT_EQ(gateway.listen_address, ":9798");
  EXPECT_EQ(gateway.vocabulary_prefix, "llm_");
  EXPECT_EQ(gateway.max_models, 5U);
  EXPECT_EQ(gateway.idle_timeout, Duration(60'000));
  EXPECT_EQ(gateway.max_body_bytes, 1U << 20);
  EXPECT_EQ(gateway.tls->certificate_file, "/etc/sonde/c.pem");
  EXPECT_TRUE(gateway.tls->require_client_certificate);
  ASSERT_EQ(gateway.upstreams.size(), 2U);
  EXPECT_EQ(gateway.upstreams[0].models, (std::vector<std::string>{"m"}));
  EXPECT_EQ(gateway.upstreams[0].weight, 2.5);
  EXPECT_FALSE(gateway.upstreams[0].tls.has_value());
  EXPECT_EQ(gateway.upstreams[1].authorization, "Bearer sk-1");
  EXPECT_EQ(gateway.upstreams[1].tls->ca_file, "/etc/sonde/ca.pem");
  EXPECT_EQ(config->yaml.find("sk-1"), std::string::npos);

  EXPECT_NE(ErrorOf("sonde: {gateway: {upstreams: [{url: 'http://h'}, {url: 'http://h/x'}]}}")
                .find("two upstreams are called \"h\""),
            std::string::npos);
  EXPECT_NE(ErrorOf("sonde: {gateway: {upstreams: [{url: 'http://h', authorization: "
                    "{credentials_file: no}}]}}")
                .find("prometheus.yml:1:83: credentials_file: "),
            std::string::npos);
}

TEST_F(ConfigTest, GatewayTenants) {
  Write(env_, "/etc/sonde/keys", "# who key\nteam-a sk-secret-of-a\n");
  const auto config = Load(R"(
sonde:
  gateway:
    balance: {policy: prefix_affinity, min_load: 8}
    model_balance: [{model: m, policy: session_affinity, max_load_factor: 2}]
    session_header: X-Chat
    prefix_cache: {block_size: 512B, max_blocks: 32, entries: 1000}
    health: {failures: 3, ejection: 2s, max_ejection: 10s, slow_start: 0s}
    retry: {max: 1, statuses: [429, 503], broken: true, budget: 0.1}
    access:
      keys_file: keys
      require_key: true
      tenant_header: X-Tenant
      default_limits: {requests_per_minute: 60}
      tenants: [{name: team-a, tokens_per_minute: 1e6, concurrent_requests: 4}]
      max_tenants: 7
    upstreams: [{url: "http://h", health_path: /ping}]
)");
  const gateway::GatewayOptions& gateway = config->sonde.gateway;
  EXPECT_EQ(gateway.balance.policy, gateway::BalancePolicy::kPrefixAffinity);
  EXPECT_EQ(gateway.balance.min_load, 8U);
  ASSERT_EQ(gateway.model_balance.size(), 1U);
  EXPECT_EQ(gateway.model_balance[0].model, "m");
  EXPECT_EQ(gateway.model_balance[0].balance.policy, gateway::BalancePolicy::kSessionAffinity);
  EXPECT_EQ(gateway.model_balance[0].balance.max_load_factor, 2);
  EXPECT_EQ(gateway.session_header, "X-Chat");
  EXPECT_EQ(gateway.prefix_block_bytes, 512U);
  EXPECT_EQ(gateway.prefix_blocks, 32U);
  EXPECT_EQ(gateway.prefix_entries, 1000U);
  EXPECT_EQ(gateway.health.failures, 3U);
  EXPECT_EQ(gateway.health.ejection, Duration(2'000));
  EXPECT_EQ(gateway.health.max_ejection, Duration(10'000));
  EXPECT_EQ(gateway.health.slow_start, Duration(0));
  EXPECT_EQ(gateway.retry.max, 1U);
  EXPECT_EQ(gateway.retry.statuses, (std::vector<int>{429, 503}));
  EXPECT_TRUE(gateway.retry.broken);
  EXPECT_EQ(gateway.retry.budget, 0.1);
  ASSERT_EQ(gateway.access.keys.size(), 1U);
  EXPECT_EQ(gateway.access.keys[0].tenant, "team-a");
  EXPECT_TRUE(gateway.access.require_key);
  EXPECT_EQ(gateway.access.tenant_header, "X-Tenant");
  EXPECT_EQ(gateway.access.default_limits.requests_per_minute, 60);
  ASSERT_EQ(gateway.access.tenants.size(), 1U);
  EXPECT_EQ(gateway.access.tenants[0].limits.tokens_per_minute, 1e6);
  EXPECT_EQ(gateway.access.tenants[0].limits.concurrent_requests, 4U);
  EXPECT_EQ(gateway.access.max_tenants, 7U);
  EXPECT_EQ(gateway.upstreams[0].health_path, "/ping");
  EXPECT_EQ(config->yaml.find("sk-secret"), std::string::npos);

  const auto error = [&](const std::string& inside) {
    return ErrorOf("sonde: {gateway: {" + inside + "}}");
  };
  Write(env_, "/etc/sonde/keys", "team-a\n");
  EXPECT_NE(error("access: {keys_file: keys}").find("keys: line 1: expected a tenant and a key"),
            std::string::npos);
  EXPECT_NE(error("access: {keys_file: none}").find("keys_file /etc/sonde/none: "),
            std::string::npos);
  EXPECT_NE(error("access: {require_key: true}").find("needs a keys_file or a tenant_header"),
            std::string::npos);
  EXPECT_NE(error("access: {tenant_header: X, tenants: [{name: 'a b'}]}").find("tenant's name"),
            std::string::npos);
  EXPECT_NE(error("access: {tenant_header: X, tenants: [{name: a}, {name: a}]}").find("twice"),
            std::string::npos);
  EXPECT_NE(error("balance: {policy: best}").find("policy must be least_tokens"),
            std::string::npos);
  EXPECT_NE(error("balance: {max_load_factor: 0.9}").find("at least 1"), std::string::npos);
  EXPECT_NE(error("model_balance: [{policy: random}]").find("needs a model"), std::string::npos);
  EXPECT_NE(error("retry: {statuses: [200]}").find("statuses may be"), std::string::npos);
  EXPECT_NE(error("health: {ejection: 2m}").find("must not be shorter"), std::string::npos);
  EXPECT_NE(error("upstreams: [{url: 'http://h', health_path: x}]").find("must begin with /"),
            std::string::npos);
}

/// The defaults of the tables are those of the structs: a file that says nothing changes nothing.
TEST_F(ConfigTest, DefaultsAreTheModulesOwn) {
  const auto config = Load("");
  const gateway::GatewayOptions gateway;
  EXPECT_EQ(config->sonde.gateway.listen_address, gateway.listen_address);
  EXPECT_EQ(config->sonde.gateway.max_models, gateway.max_models);
  EXPECT_EQ(config->sonde.gateway.connect_timeout, gateway.connect_timeout);
  EXPECT_EQ(config->sonde.gateway.response_timeout, gateway.response_timeout);
  EXPECT_EQ(config->sonde.gateway.idle_timeout, gateway.idle_timeout);
  EXPECT_EQ(config->sonde.gateway.write_timeout, gateway.write_timeout);
  EXPECT_EQ(config->sonde.gateway.upstream_keep_alive, gateway.upstream_keep_alive);
  EXPECT_EQ(config->sonde.gateway.max_body_bytes, gateway.max_body_bytes);
  EXPECT_EQ(config->sonde.gateway.max_routing_bytes, gateway.max_routing_bytes);
  EXPECT_EQ(config->sonde.gateway.max_connections, gateway.max_connections);
  EXPECT_EQ(config->sonde.gateway.probe_interval, gateway.probe_interval);
  EXPECT_EQ(config->sonde.gateway.probe_timeout, gateway.probe_timeout);
  EXPECT_EQ(config->sonde.gateway.balance, gateway.balance);
  EXPECT_EQ(config->sonde.gateway.session_header, gateway.session_header);
  EXPECT_EQ(config->sonde.gateway.prefix_block_bytes, gateway.prefix_block_bytes);
  EXPECT_EQ(config->sonde.gateway.prefix_blocks, gateway.prefix_blocks);
  EXPECT_EQ(config->sonde.gateway.prefix_entries, gateway.prefix_entries);
  EXPECT_EQ(config->sonde.gateway.health, gateway.health);
  EXPECT_EQ(config->sonde.gateway.retry, gateway.retry);
  EXPECT_EQ(config->sonde.gateway.access, gateway.access);
  const collect::HostOptions host;
  EXPECT_EQ(config->sonde.host_collector.procfs, host.procfs);
  EXPECT_EQ(config->sonde.host_collector.udev, host.udev);
  EXPECT_EQ(config->sonde.host_collector.mount_points_exclude, host.mount_points_exclude);
  EXPECT_EQ(config->sonde.host_collector.fs_types_exclude, host.fs_types_exclude);
  EXPECT_EQ(config->sonde.host_collector.mount_timeout, host.mount_timeout);
  EXPECT_EQ(config->sonde.host_collector.max_cgroups, host.max_cgroups);
  EXPECT_EQ(config->sonde.host_collector.cgroup_depth, host.cgroup_depth);
  const collect::EngineFinderOptions engines;
  EXPECT_EQ(config->sonde.engines.autodetect, engines.autodetect);
  EXPECT_EQ(config->sonde.engines.interval, engines.interval);
  EXPECT_EQ(config->sonde.engines.timeout, engines.timeout);
  EXPECT_EQ(config->sonde.progress, insight::ProgressOptions{});
}

/// One row of the reference's list of configuration files.
struct Expectation {
  std::string file;
  std::string mode;
  bool ok = false;
  std::string message;
};

std::vector<Expectation> ReadExpectations(const std::string& path) {
  std::vector<Expectation> rows;
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  while (std::getline(in, line)) {
    std::istringstream columns(line);
    Expectation row;
    std::string result;
    std::getline(columns, row.file, '\t');
    std::getline(columns, row.mode, '\t');
    std::getline(columns, result, '\t');
    std::getline(columns, row.message);
    row.ok = result == "ok";
    // The reference puts the file in front of the message, we put file, line and column.
    if (row.message.starts_with("parsing YAML file "))
      row.message = row.message.substr(row.message.find(": ") + 2);
    for (std::size_t at; (at = row.message.find("\\\\")) != std::string::npos;)
      row.message.replace(at, 2, "\\");
    rows.push_back(std::move(row));
  }
  return rows;
}

/// The reference's own files: accepted or rejected as there, with its words.
TEST(ReferenceFiles, AreJudgedAlike) {
  const std::string dir = "../shared/conformance/prometheus-config/";
  const std::vector<Expectation> rows = ReadExpectations(dir + "expectations.tsv");
  if (rows.empty()) GTEST_SKIP() << dir << " is not here";
  PosixEnv env;
  for (const Expectation& row : rows) {
    const auto config =
        Load(env, dir + row.file, {.environment = {}, .agent = row.mode == "agent"});
    const std::string message = config.ok() ? "" : config.error().message();
    EXPECT_EQ(config.ok(), row.ok) << row.file << ": " << message;
    EXPECT_NE(message.find(row.message), std::string::npos)
        << row.file << "\n want: " << row.message << "\n got:  " << message;
    if (!config.ok()) continue;
    // What is shown is valid, and says the same.
    const auto again = Parse(env, (*config)->yaml, dir + row.file, {});
    ASSERT_TRUE(again.ok()) << row.file << ": " << again.error().message();
    EXPECT_EQ((*again)->yaml, (*config)->yaml) << row.file;
    EXPECT_EQ((*config)->yaml.find("mysecret"), std::string::npos) << row.file;
  }
}

/// The reference's files of target groups.
TEST(ReferenceFiles, TargetGroups) {
  const std::string dir = "../shared/conformance/sd/file/fixtures/";
  PosixEnv env;
  if (!env.Exists(dir)) GTEST_SKIP() << dir << " is not here";
  auto parse = [&](const char* file) {
    return ParseTargetGroupsYaml(*env.ReadFile(dir + file, 1 << 20), file);
  };
  for (const char* file : {"valid.yml", "valid2.yml", "valid3.yml"}) {
    const auto groups = parse(file);
    EXPECT_TRUE(groups.ok()) << file;
  }
  EXPECT_FALSE(parse("invalid_nil.yml").ok());
}

}  // namespace
}  // namespace sonde::config
