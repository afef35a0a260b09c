#include "config/fill.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include <fmt/format.h>

#include "base/duration.h"
#include "base/hash.h"
#include "base/quote.h"
#include "config/emit.h"
#include "config/price_file.h"
#include "config/schema_blocks.h"

namespace sonde::config {
namespace {

constexpr std::int64_t kDefaultInterval = 60'000;
constexpr std::int64_t kDefaultTimeout = 10'000;

Duration OrElse(Duration value, Duration fallback) {
  return value == Duration(0) ? fallback : value;
}

Duration GlobalInterval(const BlockView& global) {
  return OrElse(global.Time("scrape_interval"), Duration(kDefaultInterval));
}
Duration GlobalTimeout(const BlockView& global) {
  return OrElse(global.Time("scrape_timeout"),
                std::min(Duration(kDefaultTimeout), GlobalInterval(global)));
}

scrape::RelabelAction ActionOf(std::string_view word) {
  using enum scrape::RelabelAction;
  constexpr std::pair<std::string_view, scrape::RelabelAction> kActions[] = {
      {"replace", kReplace},     {"keep", kKeep},           {"drop", kDrop},
      {"keepequal", kKeepEqual}, {"dropequal", kDropEqual}, {"hashmod", kHashMod},
      {"labelmap", kLabelMap},   {"labeldrop", kLabelDrop}, {"labelkeep", kLabelKeep},
      {"lowercase", kLowercase}, {"uppercase", kUppercase},
  };
  for (const auto& [name, action] : kActions) {
    const bool same =
        std::equal(name.begin(), name.end(), word.begin(), word.end(), [](char a, char b) {
          return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b - 'A' + 'a') : b);
        });
    if (same) return action;
  }
  return kReplace;
}

/// Adds `key: text` if the block does not say anything about `key`.
void AddDefault(YamlNode& block, const char* key, std::string text) {
  if (block.Find(key) != nullptr) return;
  YamlNode value;
  value.kind = YamlNode::Kind::kScalar;
  value.mark = block.mark;
  value.plain = true;
  value.text = std::move(text);
  block.entries.push_back({key, block.mark, std::move(value)});
}

void Replace(YamlNode& block, const char* key, std::string text) {
  std::erase_if(block.entries, [key](const YamlEntry& entry) { return entry.key == key; });
  AddDefault(block, key, std::move(text));
}

std::vector<discovery::HttpAccessOptions::Header> FillHeaders(const YamlNode* headers,
                                                              const FillContext& context) {
  std::vector<discovery::HttpAccessOptions::Header> out;
  if (headers == nullptr) return out;
  const Field* field = FindField(kHttpClientBlock, "http_headers");
  for (const YamlEntry& entry : headers->entries) {
    const BlockView view(*field->block, &entry.value);
    discovery::HttpAccessOptions::Header header;
    header.name = entry.key;
    header.values = view.Strings("values");
    header.secrets = view.Strings("secrets");
    for (const std::string& file : view.Strings("files"))
      header.files.push_back(context.Resolve(file));
    out.push_back(std::move(header));
  }
  return out;
}

void FillProxy(const BlockView& view, const FillContext& context,
               discovery::HttpAccessOptions& access) {
  if (view.Bool("proxy_from_environment")) {
    auto variable = [&](const char* upper, const char* lower) {
      const std::string value = context.Getenv(upper);
      return value.empty() ? context.Getenv(lower) : value;
    };
    access.http_proxy = variable("HTTP_PROXY", "http_proxy");
    access.https_proxy = variable("HTTPS_PROXY", "https_proxy");
    access.no_proxy = variable("NO_PROXY", "no_proxy");
    access.loopback_is_direct = true;
    return;
  }
  access.http_proxy = view.Text("proxy_url");
  access.https_proxy = access.http_proxy;
  access.no_proxy = view.Text("no_proxy");
  access.loopback_is_direct = !access.no_proxy.empty();
}

/// `$NAME` and `${NAME}` by `lookup`, `$$` by `$`, as Go's os.Expand.
std::string ExpandVariables(std::string_view text,
                            const std::function<std::string(const std::string&)>& lookup) {
  std::string out;
  auto is_word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '$' || i + 1 >= text.size()) {
      out += text[i];
      continue;
    }
    const std::string_view rest = text.substr(i + 1);
    if (rest[0] == '{') {
      const std::size_t close = rest.find('}');
      if (close == std::string_view::npos) continue;  // `${` without an end is dropped.
      out += lookup(std::string(rest.substr(1, close - 1)));
      i += close + 1;
    } else if (rest[0] == '$') {
      out += '$';
      ++i;
    } else {
      std::size_t end = 0;
      while (end < rest.size() && is_word(rest[end]))
        ++end;
      if (end > 0) out += lookup(std::string(rest.substr(0, end)));
      if (end == 0) out += '$';
      i += end;
    }
  }
  return out;
}

}  // namespace

net::TlsClientOptions FillTls(const BlockView& view, const FillContext& context) {
  net::TlsClientOptions tls;
  tls.ca_file = context.Resolve(view.Text("ca_file"));
  tls.ca_pem = view.Text("ca");
  tls.certificate_file = context.Resolve(view.Text("cert_file"));
  tls.key_file = context.Resolve(view.Text("key_file"));
  tls.server_name = view.Text("server_name");
  tls.insecure_skip_verify = view.Bool("insecure_skip_verify");
  tls.min_version = view.Text("min_version");
  tls.max_version = view.Text("max_version");
  return tls;
}

std::string FillContext::Resolve(const std::string& path) const {
  if (path.empty() || directory.empty() || path.front() == '/') return path;
  return (std::filesystem::path(directory) / path).lexically_normal().string();
}

std::string FillContext::Getenv(const char* name) const {
  return environment ? environment(name).value_or("") : std::string();
}

Labels FillLabels(const YamlNode* mapping) {
  LabelsBuilder builder;
  if (mapping != nullptr) {
    for (const YamlEntry& entry : mapping->entries)
      builder.Set(entry.key, entry.value.text);
  }
  return builder.Build();
}

std::vector<discovery::TargetGroup> FillTargetGroups(const std::vector<BlockView>& groups) {
  std::vector<discovery::TargetGroup> out;
  for (const BlockView& view : groups) {
    discovery::TargetGroup group;
    group.source = std::to_string(out.size());
    group.labels = FillLabels(view.Raw("labels"));
    for (const std::string& target : view.Strings("targets")) {
      group.targets.push_back(Labels::Of({{"__address__", target}}));
    }
    out.push_back(std::move(group));
  }
  return out;
}

discovery::HttpAccessOptions FillHttpAccess(const BlockView& view, const FillContext& context) {
  discovery::HttpAccessOptions access;
  if (view.Has("basic_auth")) {
    const BlockView basic = view.Child("basic_auth");
    access.basic_auth = {basic.Text("username"), context.Resolve(basic.Text("username_file")),
                         basic.Text("password"), context.Resolve(basic.Text("password_file"))};
  }
  if (view.Has("authorization")) {
    const BlockView authorization = view.Child("authorization");
    std::string type(TrimSpace(authorization.Text("type")));
    access.authorization = {type.empty() ? "Bearer" : std::move(type),
                            authorization.Text("credentials"),
                            context.Resolve(authorization.Text("credentials_file"))};
  } else if (!view.Text("bearer_token").empty() || !view.Text("bearer_token_file").empty()) {
    access.authorization = {"Bearer", view.Text("bearer_token"),
                            context.Resolve(view.Text("bearer_token_file"))};
  }
  access.tls = FillTls(view.Child("tls_config"), context);
  access.follow_redirects = view.Bool("follow_redirects");
  FillProxy(view, context, access);
  access.headers = FillHeaders(view.Raw("http_headers"), context);
  return access;
}

std::vector<scrape::RelabelRule> FillRelabelRules(const BlockView& owner, std::string_view key,
                                                  bool legacy_names) {
  std::vector<scrape::RelabelRule> rules;
  for (const BlockView& view : owner.Children(key)) {
    scrape::RelabelRule rule;
    rule.source_labels = view.Strings("source_labels");
    rule.separator = view.Text("separator");
    if (view.Raw("regex") != nullptr) rule.regex = *Regex::Compile(view.Text("regex"));
    rule.modulus = view.Uint("modulus");
    rule.target_label = view.Text("target_label");
    rule.replacement = view.Text("replacement");
    rule.action = ActionOf(view.Text("action"));
    rule.legacy_names = legacy_names;
    rules.push_back(std::move(rule));
  }
  return rules;
}

GlobalOptions FillGlobal(const BlockView& global, const FillContext& context,
                         Diagnostics& diagnostics) {
  GlobalOptions out;
  out.scrape_interval = GlobalInterval(global);
  out.scrape_timeout = GlobalTimeout(global);
  out.evaluation_interval = OrElse(global.Time("evaluation_interval"), Duration(kDefaultInterval));
  out.rule_query_offset = global.Time("rule_query_offset");
  out.legacy_names = UsesLegacyNames(global, global);
  LabelsBuilder builder;
  if (const YamlNode* labels = global.Raw("external_labels")) {
    for (const YamlEntry& label : labels->entries) {
      builder.Set(label.key, ExpandVariables(label.value.text, [&](const std::string& name) {
                    std::string value = context.Getenv(name.c_str());
                    if (value.empty()) {
                      diagnostics.Warn(label.value.mark,
                                       fmt::format("environment variable {} is empty", name));
                    }
                    return value;
                  }));
    }
  }
  out.external_labels = builder.Build();
  return out;
}

void CompleteGlobal(YamlNode& root) {
  if (!root.is_mapping()) {
    root = YamlNode{};
    root.kind = YamlNode::Kind::kMapping;
  }
  YamlNode* node = root.Find("global");
  if (node == nullptr) {
    root.entries.push_back({"global", {}, {}});
    node = &root.entries.back().value;
  }
  node->kind = YamlNode::Kind::kMapping;
  const BlockView global(*FindField(kRootBlock, "global")->block, node);
  const Duration interval = GlobalInterval(global);
  const Duration timeout = GlobalTimeout(global);
  Replace(*node, "scrape_interval", FormatDuration(interval));
  Replace(*node, "scrape_timeout", FormatDuration(timeout));
  if (global.Time("evaluation_interval") == Duration(0))
    Replace(*node, "evaluation_interval", "1m");
  AddDefault(*node, "metric_name_validation_scheme", "utf8");
  AddDefault(*node, "metric_name_escaping_scheme",
             UsesLegacyNames(global, global) ? "underscores" : "allow-utf-8");
}

void InheritFromGlobal(YamlNode& scrape, const BlockView& global) {
  const BlockView view(kScrapeBlock, &scrape);
  const Duration interval = OrElse(view.Time("scrape_interval"), GlobalInterval(global));
  const Duration timeout =
      OrElse(view.Time("scrape_timeout"), std::min(GlobalTimeout(global), interval));
  Replace(scrape, "scrape_interval", FormatDuration(interval));
  Replace(scrape, "scrape_timeout", FormatDuration(timeout));
  for (const char* key : {"sample_limit", "target_limit", "label_limit", "label_name_length_limit",
                          "label_value_length_limit", "keep_dropped_targets"}) {
    if (view.Uint(key) == 0 && global.Uint(key) != 0) Replace(scrape, key, global.Text(key));
  }
  if (view.Size("body_size_limit") == 0 && global.Size("body_size_limit") != 0) {
    Replace(scrape, "body_size_limit", global.Text("body_size_limit"));
  }
  for (const char* key : {"scrape_native_histograms", "always_scrape_classic_histograms",
                          "convert_classic_histograms_to_nhcb", "extra_scrape_metrics"}) {
    if (!view.Has(key) && global.Has(key)) Replace(scrape, key, global.Text(key));
  }
  const bool own_scheme = !view.Text("metric_name_validation_scheme").empty();
  const bool legacy = UsesLegacyNames(view, global);
  if (view.Text("metric_name_escaping_scheme").empty()) {
    const std::string inherited = global.Text("metric_name_escaping_scheme");
    Replace(
        scrape, "metric_name_escaping_scheme",
        !own_scheme && !inherited.empty() ? inherited : (legacy ? "underscores" : "allow-utf-8"));
  }
  if (!own_scheme) Replace(scrape, "metric_name_validation_scheme", legacy ? "legacy" : "utf8");
  if (!view.Has("scrape_protocols") && global.Has("scrape_protocols")) {
    std::erase_if(scrape.entries,
                  [](const YamlEntry& entry) { return entry.key == "scrape_protocols"; });
    scrape.entries.push_back({"scrape_protocols", scrape.mark, *global.Raw("scrape_protocols")});
  }
}

scrape::ScrapeOptions FillScrape(const BlockView& view, const BlockView& global,
                                 const FillContext& context) {
  scrape::ScrapeOptions out;
  out.job_name = view.Text("job_name");
  out.honor_labels = view.Bool("honor_labels");
  out.honor_timestamps = view.Bool("honor_timestamps");
  out.track_timestamps_staleness = view.Bool("track_timestamps_staleness");
  out.interval = view.Time("scrape_interval");
  out.timeout = view.Time("scrape_timeout");
  for (const std::string& word : view.Strings("scrape_protocols")) {
    if (const auto protocol = wire::ParseScrapeProtocol(word)) out.protocols.push_back(*protocol);
  }
  std::erase(out.protocols,
             wire::ScrapeProtocol::kPrometheusProto);  // Not read yet; a warning has said so.
  out.fallback_protocol = wire::ParseScrapeProtocol(view.Text("fallback_scrape_protocol"));
  out.escaping =
      wire::ParseNameEscaping(view.Text("metric_name_escaping_scheme")).value_or(out.escaping);
  out.legacy_names = UsesLegacyNames(view, global);
  out.metrics_path = view.Text("metrics_path");
  out.scheme = view.Text("scheme");
  if (const YamlNode* params = view.Raw("params")) {
    for (const YamlEntry& entry : params->entries) {
      std::vector<std::string> values;
      if (entry.value.is_scalar()) values.push_back(entry.value.text);
      for (const YamlNode& item : entry.value.items)
        values.push_back(item.text);
      out.params.emplace_back(entry.key, std::move(values));
    }
  }
  out.enable_compression = view.Bool("enable_compression");
  out.extra_scrape_metrics = view.Bool("extra_scrape_metrics");
  out.body_size_limit =
      static_cast<std::uint64_t>(std::max<std::int64_t>(0, view.Size("body_size_limit")));
  out.sample_limit = view.Uint("sample_limit");
  out.target_limit = view.Uint("target_limit");
  out.label_limit = view.Uint("label_limit");
  out.label_name_length_limit = view.Uint("label_name_length_limit");
  out.label_value_length_limit = view.Uint("label_value_length_limit");
  out.keep_dropped_targets = view.Uint("keep_dropped_targets");
  out.native_histograms = view.Bool("scrape_native_histograms");
  out.classic_histograms_too = view.Bool("always_scrape_classic_histograms");
  out.convert_classic_histograms = view.Bool("convert_classic_histograms_to_nhcb");
  out.relabel_rules = FillRelabelRules(view, "relabel_configs", out.legacy_names);
  out.metric_relabel_rules = FillRelabelRules(view, "metric_relabel_configs", out.legacy_names);
  out.access = FillHttpAccess(view, context);
  out.discovery.static_groups = FillTargetGroups(view.Children("static_configs"));
  for (const BlockView& file : view.Children("file_sd_configs")) {
    discovery::FileDiscoveryOptions files;
    for (const std::string& pattern : file.Strings("files"))
      files.patterns.push_back(context.Resolve(pattern));
    files.refresh_interval = file.Time("refresh_interval");
    out.discovery.files.push_back(std::move(files));
  }
  for (const BlockView& http : view.Children("http_sd_configs")) {
    out.discovery.http.push_back(
        {http.Text("url"), http.Time("refresh_interval"), FillHttpAccess(http, context)});
  }
  out.yaml = EmitYaml(view);
  out.fingerprint = Xxh3(EmitYaml(view, Secrets::kShow) + '\0' + context.directory);
  return out;
}

namespace {

collect::GpuOptions FillGpu(const BlockView& gpu, const std::string& prefix) {
  collect::GpuOptions options;
  options.prefix = prefix;
  options.nvidia = gpu.Bool("nvidia");
  options.amd = gpu.Bool("amd");
  options.nvml_library = gpu.Text("nvml_library");
  options.sysfs = gpu.Text("sysfs");
  options.sample_interval = gpu.Time("sample_interval");
  options.detail_interval = gpu.Time("detail_interval");
  options.hang_timeout = gpu.Time("hang_timeout");
  options.processes = gpu.Bool("processes");
  options.max_processes = static_cast<std::uint32_t>(gpu.Uint("max_processes"));
  options.pcie_estimate = gpu.Bool("pcie_estimate");
  return options;
}

}  // namespace

SondeOptions FillSonde(const BlockView& view, Duration global_interval, const FillContext& context,
                       Env& env, Diagnostics& diagnostics) {
  SondeOptions out;
  const auto page_interval = [&](const BlockView& page) {
    if (page.Raw("interval") != nullptr) return page.Time("interval");
    return std::min(PageOptions{}.interval, global_interval);
  };
  out.gateway = FillGateway(view.Child("gateway"), context, env, diagnostics);
  const BlockView host = view.Child("host");
  out.host = {host.Bool("enabled"), page_interval(host)};
  collect::HostOptions& collector = out.host_collector;
  collector.procfs = host.Text("procfs");
  collector.sysfs = host.Text("sysfs");
  collector.rootfs = host.Text("rootfs");
  collector.udev = host.Text("udev");
  collector.disable = host.Strings("disable");
  collector.enable = host.Strings("enable");
  auto pattern = [&](const char* key, std::string& into) {
    if (host.Raw(key) != nullptr) into = host.Text(key);
  };
  pattern("mount_points_exclude", collector.mount_points_exclude);
  pattern("fs_types_exclude", collector.fs_types_exclude);
  pattern("disks_exclude", collector.disks_exclude);
  pattern("network_exclude", collector.network_exclude);
  collector.mount_timeout = host.Time("mount_timeout");
  collector.mount_wait = host.Time("mount_wait");
  collector.max_cgroups =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(host.Uint("max_cgroups"), 1U << 20));
  collector.cgroup_depth =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(host.Uint("cgroup_depth"), 64));

  out.rule_packs = view.Bool("rule_packs");
  const BlockView self = view.Child("self");
  out.self = {self.Bool("enabled"), page_interval(self)};
  const BlockView engines = view.Child("engines");
  out.engines.autodetect = engines.Bool("autodetect");
  out.engines.urls = engines.Strings("targets");
  out.engines.interval = engines.Time("interval");
  out.engines.timeout = engines.Time("timeout");
  out.engine_scrape_interval = engines.Time("scrape_interval");
  out.vocabulary_prefix = view.Child("vocabulary").Text("prefix");
  out.gateway.vocabulary_prefix = out.vocabulary_prefix;
  out.gateway.slo = FillSlo(view.Child("slo"));
  out.gateway.feedback = FillFeedback(view.Child("feedback"));
  out.prices = FillPrices(view.Child("prices"), context, env, diagnostics);
  const BlockView gpu = view.Child("gpu");
  out.gpu = {gpu.Bool("enabled"), page_interval(gpu)};
  out.gpu_collector = FillGpu(gpu, out.vocabulary_prefix);
  for (const std::string& file : view.Strings("mappings"))
    out.mapping_files.push_back(context.Resolve(file));
  out.probes = FillProbes(view.Child("probes"), context);
  const BlockView scraping = view.Child("scraping");
  out.max_body_bytes = static_cast<std::uint64_t>(scraping.Size("max_body_size"));
  out.max_bodies_in_memory_bytes =
      static_cast<std::uint64_t>(scraping.Size("max_bodies_in_memory"));
  const BlockView progress = view.Child("progress");
  out.progress = {.enabled = progress.Bool("enabled"),
                  .interval = progress.Time("interval"),
                  .patience = progress.Time("patience"),
                  .max_patience = progress.Time("max_patience"),
                  .prefill_patience = progress.Time("prefill_patience"),
                  .canary_interval = progress.Raw("canary_interval") == nullptr
                                         ? Duration(0)
                                         : progress.Time("canary_interval")};
  return out;
}

}  // namespace sonde::config
