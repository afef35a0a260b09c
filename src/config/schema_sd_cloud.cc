#include <fmt/format.h>

#include "base/quote.h"
#include "config/scalar.h"
#include "config/schema_blocks.h"
#include "config/schema_sd.h"

// Service discovery in clouds.

namespace sonde::config {
namespace {

using enum FieldType;

constexpr Field kHttp = {nullptr, kInline, nullptr, kNone, &kHttpClientBlock};
constexpr Field kRefresh60s = {"refresh_interval", kDuration, "60s"};
constexpr Field kPort80 = {"port", kInt, "80", kAlways};
constexpr Field kRegion = {"region", kString};
constexpr Field kEndpoint = {"endpoint", kString};
constexpr Field kAccessKey = {"access_key", kString};
constexpr Field kSecretKey = {"secret_key", kString, nullptr, kSecret};
constexpr Field kProfile = {"profile", kString};
constexpr Field kRoleArn = {"role_arn", kString};
constexpr Field kExternalId = {"external_id", kString};
constexpr Field kClusters = {"clusters", kStrings};
constexpr Field kConcurrency10 = {"request_concurrency", kInt, "10"};

/// Kinds without a rule of their own beyond the HTTP client's.
void CheckClientOnly(const BlockView& view, Diagnostics& diagnostics) {
  CheckHttpClient(view, diagnostics);
}

constexpr Field kFilterFields[] = {{"name", kString}, {"values", kStrings}};
constexpr Block kFilterBlock = {"aws_filter", "aws.Filter", kFilterFields};
constexpr Field kFilters = {"filters", kBlocks, nullptr, kNone, &kFilterBlock};

constexpr Field kAwsFields[] = {
    {"role", kString}, kRegion,     kEndpoint,      kAccessKey, kSecretKey, kProfile,  kRoleArn,
    kExternalId,       kRefresh60s, {"port", kInt}, kHttp,      kFilters,   kClusters,
};
void CheckAws(const BlockView& view, Diagnostics& diagnostics) {
  if (!IsOneOf(view.Text("role"), {"ec2", "ecs", "elasticache", "lightsail", "msk", "rds"})) {
    diagnostics.Fail(view.MarkOf("role"),
                     fmt::format("unknown AWS SD role {}", QuoteGo(view.Text("role"))));
  }
  CheckHttpClient(view, diagnostics);
}

constexpr Field kEc2Fields[] = {
    kEndpoint,   kRegion,     kAccessKey, kSecretKey, kProfile, kRoleArn,
    kExternalId, kRefresh60s, kPort80,    kFilters,   kHttp,
};
void CheckEc2(const BlockView& view, Diagnostics& diagnostics) {
  for (const BlockView& filter : view.Children("filters")) {
    if (filter.Strings("values").empty()) {
      diagnostics.Fail(filter.mark(), "EC2 SD configuration filter values cannot be empty");
    }
  }
  CheckHttpClient(view, diagnostics);
}

constexpr Field kEcsFields[] = {
    kRegion,
    kEndpoint,
    kAccessKey,
    kSecretKey,
    kProfile,
    kRoleArn,
    kExternalId,
    kClusters,
    kPort80,
    kRefresh60s,
    {"request_concurrency", kInt, "20"},
    kHttp,
};
constexpr Field kClusterFields[] = {
    kRegion,     kEndpoint, kAccessKey, kSecretKey,  kProfile,       kRoleArn,
    kExternalId, kClusters, kPort80,    kRefresh60s, kConcurrency10, kHttp,
};
constexpr Field kRdsFields[] = {
    kRegion,   kEndpoint, kAccessKey,  kSecretKey, kProfile,       kRoleArn, kExternalId,
    kClusters, kPort80,   kRefresh60s, kFilters,   kConcurrency10, kHttp,
};
constexpr Field kLightsailFields[] = {
    kEndpoint, kRegion,     kAccessKey,  kSecretKey, kProfile,
    kRoleArn,  kExternalId, kRefresh60s, kPort80,    kHttp,
};

constexpr Field kAzureFields[] = {
    {"environment", kString, "AzurePublicCloud"},
    kPort80,
    {"subscription_id", kString},
    {"tenant_id", kString},
    {"client_id", kString},
    {"client_secret", kString, nullptr, kSecret},
    {"refresh_interval", kDuration, "5m"},
    {"authentication_method", kString, "OAuth"},
    {"resource_group", kString},
    kHttp,
};
void CheckAzure(const BlockView& view, Diagnostics& diagnostics) {
  auto require = [&](const char* key) {
    Require(view, key, fmt::format("azure SD configuration requires a {}", key), diagnostics);
  };
  require("subscription_id");
  const std::string method = view.Text("authentication_method");
  if (method == "OAuth") {
    require("tenant_id");
    require("client_id");
    require("client_secret");
  } else if (!IsOneOf(method, {"ManagedIdentity", "SDK", "WorkloadIdentity"})) {
    diagnostics.Fail(
        view.MarkOf("authentication_method"),
        fmt::format(
            R"(unknown authentication_type {}. Supported types are "OAuth", "ManagedIdentity", )"
            R"("SDK" or "WorkloadIdentity")",
            QuoteGo(method)));
  }
  CheckHttpClient(view, diagnostics);
}

constexpr Field kDigitalOceanFields[] = {
    kHttp, kRefresh60s, kPort80, {"role", kString, "droplets"}};
void CheckDigitalOcean(const BlockView& view, Diagnostics& diagnostics) {
  const std::string role = view.Text("role");
  if (role.empty()) {
    diagnostics.Fail(view.MarkOf("role"), "role missing (one of: droplets, databases)");
  } else if (!IsOneOf(role, {"droplets", "databases"})) {
    diagnostics.Fail(view.MarkOf("role"),
                     fmt::format("unknown DigitalOcean SD role {}", QuoteGo(role)));
  }
  CheckHttpClient(view, diagnostics);
}

constexpr Field kGceFields[] = {
    {"project", kString}, {"zone", kString}, {"filter", kString},
    kRefresh60s,          kPort80,           {"tag_separator", kString, ","},
};
void CheckGce(const BlockView& view, Diagnostics& diagnostics) {
  Require(view, "project", "GCE SD configuration requires a project", diagnostics);
  Require(view, "zone", "GCE SD configuration requires a zone", diagnostics);
}

constexpr Field kHetznerFields[] = {
    kHttp, kRefresh60s, kPort80, {"role", kString}, {"label_selector", kString}};
void CheckHetzner(const BlockView& view, Diagnostics& diagnostics) {
  const std::string role = view.Text("role");
  if (role.empty()) {
    diagnostics.Fail(view.mark(), "role missing (one of: robot, hcloud)");
  } else if (!IsOneOf(role, {"robot", "hcloud"})) {
    diagnostics.Fail(view.MarkOf("role"), fmt::format("unknown role {}", QuoteGo(role)));
  }
  CheckHttpClient(view, diagnostics);
}

constexpr Field kIonosFields[] = {{"datacenter_id", kString}, kHttp, kRefresh60s, kPort80};
void CheckIonos(const BlockView& view, Diagnostics& diagnostics) {
  Require(view, "datacenter_id", "datacenter id can't be empty", diagnostics);
  CheckHttpClient(view, diagnostics);
}

constexpr Field kLinodeFields[] = {
    kHttp, kRefresh60s, kPort80, {"tag_separator", kString, ","}, kRegion};

constexpr Field kOciFields[] = {
    {"auth", kString, "api_key"},
    {"tenancy", kString},
    {"user", kString},
    {"fingerprint", kString},
    {"key_file", kString, nullptr, kFile},
    {"key_passphrase", kString, nullptr, kSecret},
    {"key_passphrase_file", kString, nullptr, kFile},
    kRegion,
    {"compartments", kStrings},
    kHttp,
    kPort80,
    kRefresh60s,
};
void CheckOci(const BlockView& view, Diagnostics& diagnostics) {
  Require(view, "region", "oci_sd: region is required", diagnostics);
  const std::string auth = view.Text("auth");
  if (auth == "api_key") {
    for (const char* key : {"tenancy", "user", "fingerprint", "key_file"}) {
      Require(view, key, fmt::format("oci_sd: api_key auth requires {}", key), diagnostics);
    }
    if (MoreThanOne(view, {"key_passphrase", "key_passphrase_file"})) {
      diagnostics.Fail(
          view.MarkOf("key_passphrase_file"),
          "oci_sd: at most one of key_passphrase and key_passphrase_file must be configured");
    }
  } else if (auth == "instance_principal") {
    for (const char* key :
         {"tenancy", "user", "fingerprint", "key_file", "key_passphrase", "key_passphrase_file"}) {
      if (view.Text(key).empty()) continue;
      diagnostics.Fail(
          view.MarkOf(key),
          "oci_sd: instance_principal auth must not have tenancy, user, fingerprint, key_file, "
          "key_passphrase, or key_passphrase_file set");
    }
  } else {
    diagnostics.Fail(view.MarkOf("auth"),
                     fmt::format(R"(oci_sd: unknown auth method {}, expected "api_key" or )"
                                 R"("instance_principal")",
                                 QuoteGo(auth)));
  }
  const std::vector<std::string> compartments = view.Strings("compartments");
  for (std::size_t i = 0; i < compartments.size(); ++i) {
    if (compartments[i].empty()) {
      diagnostics.Fail(view.MarkOf("compartments"),
                       fmt::format("oci_sd: compartments[{}] must not be empty", i));
    }
  }
  if (view.Time("refresh_interval") <= Duration(0)) {
    diagnostics.Fail(view.MarkOf("refresh_interval"),
                     "oci_sd: refresh_interval must be positive, got 0s");
  }
  CheckHttpClient(view, diagnostics);
}

constexpr Field kOpenStackFields[] = {
    {"identity_endpoint", kString},
    {"username", kString},
    {"userid", kString},
    {"password", kString, nullptr, kSecret},
    {"project_name", kString},
    {"project_id", kString},
    {"domain_name", kString},
    {"domain_id", kString},
    {"application_credential_name", kString},
    {"application_credential_id", kString},
    {"application_credential_secret", kString, nullptr, kSecret},
    {"role", kString},
    kRegion,
    kRefresh60s,
    kPort80,
    {"all_tenants", kBool},
    {"tls_config", kBlock, nullptr, kNone, &kTlsBlock},
    {"availability", kString, "public"},
};
void CheckOpenStack(const BlockView& view, Diagnostics& diagnostics) {
  const std::string availability = view.Text("availability");
  if (!IsOneOf(availability, {"public", "internal", "admin"})) {
    diagnostics.Fail(
        view.MarkOf("availability"),
        fmt::format("unknown availability {}, must be one of admin, internal or public",
                    availability));
  }
  const std::string role = view.Text("role");
  if (role.empty()) {
    diagnostics.Fail(view.mark(), "role missing (one of: instance, hypervisor, loadbalancer)");
  } else if (!IsOneOf(role, {"instance", "hypervisor", "loadbalancer"})) {
    diagnostics.Fail(view.MarkOf("role"),
                     fmt::format("unknown OpenStack SD role {}", QuoteGo(role)));
  }
  Require(view, "region", "openstack SD configuration requires a region", diagnostics);
}

constexpr Field kOutscaleFields[] = {
    kEndpoint,
    {"region", kString, "eu-west-2"},
    kAccessKey,
    kSecretKey,
    {"secret_key_file", kString, nullptr, kFile},
    kRefresh60s,
    kPort80,
    kHttp,
};
void CheckSecretKey(const BlockView& view, Diagnostics& diagnostics) {
  const bool none = view.Text("secret_key").empty() && view.Text("secret_key_file").empty();
  if (none) diagnostics.Fail(view.mark(), "one of secret_key & secret_key_file must be configured");
  if (MoreThanOne(view, {"secret_key", "secret_key_file"})) {
    diagnostics.Fail(view.mark(), "at most one of secret_key & secret_key_file must be configured");
  }
}
void CheckOutscale(const BlockView& view, Diagnostics& diagnostics) {
  Require(view, "region", "outscale SD configuration requires a region", diagnostics);
  Require(view, "access_key", "outscale SD configuration requires access_key", diagnostics);
  CheckSecretKey(view, diagnostics);
  CheckHttpClient(view, diagnostics);
}

constexpr Field kOvhCloudFields[] = {
    {"endpoint", kString, "ovh-eu"},
    {"application_key", kString},
    {"application_secret", kString, nullptr, kSecret},
    {"consumer_key", kString, nullptr, kSecret},
    kRefresh60s,
    {"service", kString},
};
void CheckOvhCloud(const BlockView& view, Diagnostics& diagnostics) {
  Require(view, "endpoint", "endpoint can not be empty", diagnostics);
  Require(view, "application_key", "application key can not be empty", diagnostics);
  Require(view, "application_secret", "application secret can not be empty", diagnostics);
  Require(view, "consumer_key", "consumer key can not be empty", diagnostics);
  if (!IsOneOf(view.Text("service"), {"dedicated_server", "vps"})) {
    diagnostics.Fail(view.MarkOf("service"),
                     fmt::format("unknown service: {}", view.Text("service")));
  }
}

constexpr Field kScalewayFields[] = {
    {"project_id", kString},
    {"api_url", kString, "https://api.scaleway.com"},
    {"zone", kString, "fr-par-1"},
    kAccessKey,
    kSecretKey,
    {"secret_key_file", kString, nullptr, kFile},
    {"name_filter", kString},
    {"tags_filter", kStrings},
    kHttp,
    kRefresh60s,
    kPort80,
    {"role", kString},
};
void CheckScaleway(const BlockView& view, Diagnostics& diagnostics) {
  const std::string role = view.Text("role");
  if (role.empty()) {
    diagnostics.Fail(view.mark(), "role missing (one of: instance, baremetal)");
  } else if (!IsOneOf(role, {"instance", "baremetal"})) {
    diagnostics.Fail(view.MarkOf("role"), fmt::format("unknown role {}", QuoteGo(role)));
  }
  Require(view, "project_id", "project_id is mandatory", diagnostics);
  CheckSecretKey(view, diagnostics);
  Require(view, "access_key", "access_key is mandatory", diagnostics);
  CheckHttpClient(view, diagnostics);
}

constexpr Field kStackitFields[] = {
    kHttp,
    {"project", kString},
    kRefresh60s,
    kPort80,
    {"region", kString, "eu01"},
    kEndpoint,
    {"service_account_key", kString, nullptr, kSecret},
    {"private_key", kString, nullptr, kSecret},
    {"service_account_key_path", kString},
    {"private_key_path", kString},
    {"credentials_file_path", kString},
};
void CheckStackit(const BlockView& view, Diagnostics& diagnostics) {
  const std::string endpoint = view.Text("endpoint");
  if (endpoint.empty() && view.Text("region").empty()) {
    diagnostics.Fail(view.mark(), "stackit_sd: endpoint and region missing");
  }
  if (const auto url = ParseGoUrl(endpoint); !url) {
    diagnostics.Fail(view.MarkOf("endpoint"),
                     fmt::format("stackit_sd: invalid endpoint {}: {}", QuoteGo(endpoint),
                                 url.error().message()));
  }
  CheckHttpClient(view, diagnostics);
}

constexpr Field kTritonFields[] = {
    {"account", kString},
    {"role", kString, "container"},
    {"dns_suffix", kString},
    kEndpoint,
    {"groups", kStrings},
    {"port", kInt, "9163", kAlways},
    kRefresh60s,
    {"tls_config", kBlock, nullptr, kNone, &kTlsBlock},
    {"version", kInt, "1", kAlways},
};
void CheckTriton(const BlockView& view, Diagnostics& diagnostics) {
  if (!IsOneOf(view.Text("role"), {"container", "cn"})) {
    diagnostics.Fail(view.MarkOf("role"),
                     "triton SD configuration requires role to be 'container' or 'cn'");
  }
  Require(view, "account", "triton SD configuration requires an account", diagnostics);
  Require(view, "dns_suffix", "triton SD configuration requires a dns_suffix", diagnostics);
  Require(view, "endpoint", "triton SD configuration requires an endpoint", diagnostics);
  if (view.Time("refresh_interval") <= Duration(0)) {
    diagnostics.Fail(view.MarkOf("refresh_interval"),
                     "triton SD configuration requires RefreshInterval to be a positive integer");
  }
}

constexpr Field kUyuniFields[] = {
    {"server", kString},
    {"username", kString},
    {"password", kString, nullptr, kSecret},
    kHttp,
    {"entitlement", kString, "monitoring_entitled"},
    {"separator", kString, ","},
    kRefresh60s,
};
void CheckUyuni(const BlockView& view, Diagnostics& diagnostics) {
  Require(view, "server", "Uyuni SD configuration requires server host", diagnostics);
  if (const auto url = ParseGoUrl(view.Text("server")); !url) {
    diagnostics.Fail(view.MarkOf("server"),
                     fmt::format("Uyuni Server URL is not valid: {}", url.error().message()));
  }
  Require(view, "username", "Uyuni SD configuration requires a username", diagnostics);
  Require(view, "password", "Uyuni SD configuration requires a password", diagnostics);
  CheckHttpClient(view, diagnostics);
}

constexpr Field kVultrFields[] = {kHttp, kRefresh60s, kPort80};

}  // namespace

const Block kAwsBlock = {"aws_sd_config", "aws.plain", kAwsFields, CheckAws};
const Block kAzureBlock = {"azure_sd_config", "azure.plain", kAzureFields, CheckAzure};
const Block kDigitalOceanBlock = {"digitalocean_sd_config", "digitalocean.plain",
                                  kDigitalOceanFields, CheckDigitalOcean};
const Block kEc2Block = {"ec2_sd_config", "aws.plain", kEc2Fields, CheckEc2};
const Block kEcsBlock = {"ecs_sd_config", "aws.plain", kEcsFields, CheckClientOnly};
const Block kElasticacheBlock = {"elasticache_sd_config", "aws.plain", kClusterFields,
                                 CheckClientOnly};
const Block kGceBlock = {"gce_sd_config", "gce.plain", kGceFields, CheckGce};
const Block kHetznerBlock = {"hetzner_sd_config", "hetzner.plain", kHetznerFields, CheckHetzner};
const Block kIonosBlock = {"ionos_sd_config", "ionos.plain", kIonosFields, CheckIonos};
const Block kLightsailBlock = {"lightsail_sd_config", "aws.plain", kLightsailFields,
                               CheckClientOnly};
const Block kLinodeBlock = {"linode_sd_config", "linode.plain", kLinodeFields, CheckClientOnly};
const Block kMskBlock = {"msk_sd_config", "aws.plain", kClusterFields, CheckClientOnly};
const Block kOciBlock = {"oci_sd_config", "oci.plain", kOciFields, CheckOci};
const Block kOpenStackBlock = {"openstack_sd_config", "openstack.plain", kOpenStackFields,
                               CheckOpenStack};
const Block kOutscaleBlock = {"outscale_sd_config", "outscale.plain", kOutscaleFields,
                              CheckOutscale};
const Block kOvhCloudBlock = {"ovhcloud_sd_config", "ovhcloud.plain", kOvhCloudFields,
                              CheckOvhCloud};
const Block kRdsBlock = {"rds_sd_config", "aws.plain", kRdsFields, CheckClientOnly};
const Block kScalewayBlock = {"scaleway_sd_config", "scaleway.plain", kScalewayFields,
                              CheckScaleway};
const Block kStackitBlock = {"stackit_sd_config", "stackit.plain", kStackitFields, CheckStackit};
const Block kTritonBlock = {"triton_sd_config", "triton.plain", kTritonFields, CheckTriton};
const Block kUyuniBlock = {"uyuni_sd_config", "uyuni.plain", kUyuniFields, CheckUyuni};
const Block kVultrBlock = {"vultr_sd_config", "vultr.plain", kVultrFields, CheckClientOnly};

}  // namespace sonde::config
