#include <fmt/format.h>

#include "base/quote.h"
#include "base/utf8.h"
#include "config/schema_blocks.h"
#include "config/schema_sd.h"
#include "model/names.h"

// Service discovery: the list of all kinds, and those that are active in this version (static,
// file, http).

namespace sonde::config {
namespace {

using enum FieldType;

constexpr Field kTargetGroupFields[] = {
    {"targets", kStrings, nullptr, kAlways},
    {"labels", kStringMap},
};
void CheckTargetGroup(const BlockView& view, Diagnostics& diagnostics) {
  const YamlNode* labels = view.Raw("labels");
  if (labels == nullptr) return;
  for (const YamlEntry& label : labels->entries) {
    if (!IsValidName(label.key)) {
      diagnostics.Fail(label.mark, fmt::format("{} is not a valid label name", QuoteGo(label.key)));
    }
    if (!IsValidUtf8(label.value.text)) {
      diagnostics.Fail(label.value.mark,
                       fmt::format("{} is not a valid label value", QuoteGo(label.value.text)));
    }
  }
}

constexpr Field kFileFields[] = {
    {"files", kStrings, nullptr, kFile | kAlways},
    {"refresh_interval", kDuration, "5m"},
};

/// dir/part*part.json: one `*`, in the last part, and an extension that says how to read it.
bool IsFilePattern(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos || dot == 0) return false;
  if (!IsOneOf(name.substr(dot + 1), {"json", "yml", "yaml", "JSON", "YML", "YAML"})) return false;
  const std::size_t star = name.find('*');
  return star == std::string_view::npos || name.find('/', star) == std::string_view::npos;
}

void CheckFile(const BlockView& view, Diagnostics& diagnostics) {
  const std::vector<std::string> files = view.Strings("files");
  if (files.empty()) {
    diagnostics.Fail(view.mark(),
                     "file service discovery config must contain at least one path name");
  }
  for (const std::string& file : files) {
    if (!IsFilePattern(file)) {
      diagnostics.Fail(view.MarkOf("files"),
                       fmt::format("path name {} is not valid for file discovery", QuoteGo(file)));
    }
  }
}
constexpr Block kFileBlock = {"file_sd_config", "file.plain", kFileFields, CheckFile};

constexpr Field kHttpFields[] = {
    {nullptr, kInline, nullptr, kNone, &kHttpClientBlock},
    {"refresh_interval", kDuration, "60s"},
    {"url", kString, nullptr, kAlways},
};
void CheckHttp(const BlockView& view, Diagnostics& diagnostics) {
  CheckHttpUrl(view, "url", diagnostics);
  CheckHttpClient(view, diagnostics);
}
constexpr Block kHttpBlock = {"http_sd_config", "http.plain", kHttpFields, CheckHttp};

/// One kind that is recognised but not active.
constexpr Field Idle(const char* key, const Block& block, const char* null_item) {
  return {key, kBlocks, nullptr, kIdle, &block, null_item};
}

constexpr Field kDiscoveryFields[] = {
    Idle("aws_sd_configs", kAwsBlock, "empty or null section in aws_sd_configs"),
    Idle("azure_sd_configs", kAzureBlock, "empty or null section in azure_sd_configs"),
    Idle("consul_sd_configs", kConsulBlock, "empty or null section in consul_sd_configs"),
    Idle("digitalocean_sd_configs", kDigitalOceanBlock,
         "empty or null section in digitalocean_sd_configs"),
    Idle("dns_sd_configs", kDnsBlock, "empty or null section in dns_sd_configs"),
    Idle("docker_sd_configs", kDockerBlock, "empty or null section in docker_sd_configs"),
    Idle("dockerswarm_sd_configs", kDockerSwarmBlock,
         "empty or null section in dockerswarm_sd_configs"),
    Idle("ec2_sd_configs", kEc2Block, "empty or null section in ec2_sd_configs"),
    Idle("ecs_sd_configs", kEcsBlock, "empty or null section in ecs_sd_configs"),
    Idle("elasticache_sd_configs", kElasticacheBlock,
         "empty or null section in elasticache_sd_configs"),
    Idle("eureka_sd_configs", kEurekaBlock, "empty or null section in eureka_sd_configs"),
    {"file_sd_configs", kBlocks, nullptr, kNone, &kFileBlock,
     "empty or null section in file_sd_configs"},
    Idle("gce_sd_configs", kGceBlock, "empty or null section in gce_sd_configs"),
    Idle("hetzner_sd_configs", kHetznerBlock, "empty or null section in hetzner_sd_configs"),
    {"http_sd_configs", kBlocks, nullptr, kNone, &kHttpBlock,
     "empty or null section in http_sd_configs"},
    Idle("ionos_sd_configs", kIonosBlock, "empty or null section in ionos_sd_configs"),
    Idle("kubernetes_sd_configs", kKubernetesBlock,
         "empty or null section in kubernetes_sd_configs"),
    Idle("kuma_sd_configs", kKumaBlock, "empty or null section in kuma_sd_configs"),
    Idle("lightsail_sd_configs", kLightsailBlock, "empty or null section in lightsail_sd_configs"),
    Idle("linode_sd_configs", kLinodeBlock, "empty or null section in linode_sd_configs"),
    Idle("marathon_sd_configs", kMarathonBlock, "empty or null section in marathon_sd_configs"),
    Idle("msk_sd_configs", kMskBlock, "empty or null section in msk_sd_configs"),
    Idle("nerve_sd_configs", kNerveBlock, "empty or null section in nerve_sd_configs"),
    Idle("nomad_sd_configs", kNomadBlock, "empty or null section in nomad_sd_configs"),
    Idle("oci_sd_configs", kOciBlock, "empty or null section in oci_sd_configs"),
    Idle("openstack_sd_configs", kOpenStackBlock, "empty or null section in openstack_sd_configs"),
    Idle("outscale_sd_configs", kOutscaleBlock, "empty or null section in outscale_sd_configs"),
    Idle("ovhcloud_sd_configs", kOvhCloudBlock, "empty or null section in ovhcloud_sd_configs"),
    Idle("puppetdb_sd_configs", kPuppetDbBlock, "empty or null section in puppetdb_sd_configs"),
    Idle("rds_sd_configs", kRdsBlock, "empty or null section in rds_sd_configs"),
    Idle("scaleway_sd_configs", kScalewayBlock, "empty or null section in scaleway_sd_configs"),
    Idle("serverset_sd_configs", kServersetBlock, "empty or null section in serverset_sd_configs"),
    Idle("stackit_sd_configs", kStackitBlock, "empty or null section in stackit_sd_configs"),
    {"static_configs", kBlocks, nullptr, kNone, &kTargetGroupBlock,
     "empty or null section in static_configs"},
    Idle("triton_sd_configs", kTritonBlock, "empty or null section in triton_sd_configs"),
    Idle("uyuni_sd_configs", kUyuniBlock, "empty or null section in uyuni_sd_configs"),
    Idle("vultr_sd_configs", kVultrBlock, "empty or null section in vultr_sd_configs"),
};

}  // namespace

const Block kTargetGroupBlock = {
    "target_group",
    R"(struct { Targets []string "yaml:\"targets\""; Labels model.LabelSet "yaml:\"labels\"" })",
    kTargetGroupFields, CheckTargetGroup};
const Block kDiscoveryBlock = {"service_discovery", "discovery.Configs", kDiscoveryFields};

void CheckStaticTargets(const BlockView& owner, Diagnostics& diagnostics) {
  for (const BlockView& group : owner.Children("static_configs")) {
    const YamlNode* targets = group.Raw("targets");
    if (targets == nullptr) continue;
    for (const YamlNode& target : targets->items) {
      if (target.text.find('/') != std::string::npos) {
        diagnostics.Fail(target.mark,
                         fmt::format("{} is not a valid hostname", QuoteGo(target.text)));
      }
    }
  }
}

}  // namespace sonde::config
