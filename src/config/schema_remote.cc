#include <algorithm>

#include <fmt/format.h>

#include "base/quote.h"
#include "config/schema_blocks.h"

// `alerting`, `remote_write`, `remote_read`: checked like the reference does, so that existing
// files load; not active in this version.

namespace sonde::config {
namespace {

using enum FieldType;

constexpr Field kSigV4Fields[] = {
    {"region", kString},
    {"access_key", kString},
    {"secret_key", kString, nullptr, kSecret},
    {"profile", kString},
    {"role_arn", kString},
    {"external_id", kString},
    {"use_fips_sts_endpoint", kBool},
    {"service_name", kString},
};
void CheckSigV4(const BlockView& view, Diagnostics& diagnostics) {
  if (view.Text("access_key").empty() != view.Text("secret_key").empty()) {
    diagnostics.Fail(view.mark(),
                     "must provide a AWS SigV4 Access key and Secret Key if credentials are "
                     "specified in the SigV4 "
                     "config");
  }
  if (!view.Text("external_id").empty() && view.Text("role_arn").empty()) {
    diagnostics.Fail(view.MarkOf("external_id"), "external_id can only be used with role_arn");
  }
}
constexpr Block kSigV4Block = {"sigv4", "sigv4.plain", kSigV4Fields, CheckSigV4};

constexpr Field kManagedIdentityFields[] = {{"client_id", kString}};
constexpr Block kManagedIdentityBlock = {"managed_identity", "azuread.ManagedIdentityConfig",
                                         kManagedIdentityFields};
constexpr Field kWorkloadIdentityFields[] = {
    {"client_id", kString}, {"tenant_id", kString}, {"token_file_path", kString}};
constexpr Block kWorkloadIdentityBlock = {"workload_identity", "azuread.WorkloadIdentityConfig",
                                          kWorkloadIdentityFields};
constexpr Field kAzureOAuthFields[] = {
    {"client_id", kString}, {"client_secret", kString, nullptr, kSecret}, {"tenant_id", kString}};
constexpr Block kAzureOAuthBlock = {"azuread_oauth", "azuread.OAuthConfig", kAzureOAuthFields};
constexpr Field kAzureSdkFields[] = {{"tenant_id", kString}};
constexpr Block kAzureSdkBlock = {"azuread_sdk", "azuread.SDKConfig", kAzureSdkFields};
constexpr Field kAzureCertificateFields[] = {
    {"client_id", kString},
    {"tenant_id", kString},
    {"certificate_path", kString},
    {"certificate_key_path", kString},
    {"certificate_password", kString, nullptr, kSecret},
    {"send_certificate_chain", kBool},
};
constexpr Block kAzureCertificateBlock = {"azuread_certificate", "azuread.CertificateConfig",
                                          kAzureCertificateFields};

constexpr Field kAzureAdFields[] = {
    {"managed_identity", kBlock, nullptr, kNone, &kManagedIdentityBlock},
    {"workload_identity", kBlock, nullptr, kNone, &kWorkloadIdentityBlock},
    {"oauth", kBlock, nullptr, kNone, &kAzureOAuthBlock},
    {"sdk", kBlock, nullptr, kNone, &kAzureSdkBlock},
    {"certificate", kBlock, nullptr, kNone, &kAzureCertificateBlock},
    {"cloud", kString, "AzurePublic"},
    {"scope", kString},
};

bool IsUuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (dash ? c != '-' : !hex) return false;
  }
  return true;
}

/// A key that must be set, and must be a UUID if `uuid`.
void RequireId(const BlockView& view, const char* key, const char* what, bool uuid,
               Diagnostics& diagnostics) {
  const std::string value = view.Text(key);
  if (value.empty()) {
    diagnostics.Fail(view.mark(),
                     fmt::format("must provide an Azure {} {} in the Azure AD config", what, key));
  } else if (uuid && !IsUuid(value)) {
    diagnostics.Fail(view.MarkOf(key),
                     fmt::format("the provided Azure {} {} is invalid", what, key));
  }
}

void CheckAzureAd(const BlockView& view, Diagnostics& diagnostics) {
  if (!IsOneOf(view.Text("cloud"), {"", "AzureChina", "AzureGovernment", "AzurePublic"})) {
    diagnostics.Fail(view.MarkOf("cloud"), "must provide a cloud in the Azure AD config");
  }
  int methods = 0;
  for (const char* key : {"managed_identity", "workload_identity", "oauth", "sdk", "certificate"}) {
    methods += view.Has(key) ? 1 : 0;
  }
  if (methods == 0) {
    diagnostics.Fail(view.mark(),
                     "must provide an Azure Managed Identity, Azure Workload Identity, Azure "
                     "OAuth, Azure Certificate "
                     "or Azure SDK in the Azure AD config");
  }
  if (methods > 1) {
    diagnostics.Fail(view.mark(),
                     "cannot provide multiple authentication methods in the Azure AD config");
  }
  const BlockView managed = view.Child("managed_identity");
  if (view.Has("managed_identity") && !managed.Text("client_id").empty() &&
      !IsUuid(managed.Text("client_id"))) {
    diagnostics.Fail(managed.MarkOf("client_id"),
                     "the provided Azure Managed Identity client_id is invalid");
  }
  if (view.Has("workload_identity")) {
    RequireId(view.Child("workload_identity"), "client_id", "Workload Identity", true, diagnostics);
    RequireId(view.Child("workload_identity"), "tenant_id", "Workload Identity", true, diagnostics);
  }
  if (view.Has("oauth")) {
    RequireId(view.Child("oauth"), "client_id", "OAuth", true, diagnostics);
    RequireId(view.Child("oauth"), "client_secret", "OAuth", false, diagnostics);
    RequireId(view.Child("oauth"), "tenant_id", "OAuth", false, diagnostics);
  }
  if (view.Has("certificate")) {
    RequireId(view.Child("certificate"), "client_id", "Certificate", true, diagnostics);
    RequireId(view.Child("certificate"), "tenant_id", "Certificate", false, diagnostics);
    RequireId(view.Child("certificate"), "certificate_path", "Certificate", false, diagnostics);
  }
  const std::string scope = view.Text("scope");
  const bool scope_ok = std::all_of(scope.begin(), scope.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_ \t\n:/.-").find(c) != std::string_view::npos;
  });
  if (!scope_ok)
    diagnostics.Fail(view.MarkOf("scope"), "the provided scope contains invalid characters");
}
constexpr Block kAzureAdBlock = {"azuread", "azuread.plain", kAzureAdFields, CheckAzureAd};

constexpr Field kGoogleIamFields[] = {{"credentials_file", kString}};
constexpr Block kGoogleIamBlock = {"google_iam", "googleiam.Config", kGoogleIamFields};

constexpr Field kQueueFields[] = {
    {"capacity", kInt, "10000"},
    {"max_shards", kInt, "50"},
    {"min_shards", kInt, "1"},
    {"max_samples_per_send", kInt, "2000"},
    {"batch_send_deadline", kDuration, "5s"},
    {"min_backoff", kDuration, "30ms"},
    {"max_backoff", kDuration, "5s"},
    {"retry_on_http_429", kBool},
    {"sample_age_limit", kDuration},
};
constexpr Block kQueueBlock = {"queue_config", "config.QueueConfig", kQueueFields};

constexpr Field kMetadataFields[] = {
    {"send", kBool, "true", kAlways},
    {"send_interval", kDuration, "1m", kAlways},
    {"max_samples_per_send", kInt, "2000"},
};
constexpr Block kMetadataBlock = {"metadata_config", "config.MetadataConfig", kMetadataFields};

constexpr Field kRemoteWriteFields[] = {
    {"url", kUrl, nullptr, kAlways},
    {"remote_timeout", kDuration, "30s"},
    {"headers", kStringMap},
    {"write_relabel_configs", kBlocks, nullptr, kNone, &kRelabelBlock,
     "empty or null relabeling rule in remote write config"},
    {"name", kString},
    {"send_exemplars", kBool},
    {"send_native_histograms", kBool},
    {"round_robin_dns", kBool},
    {"protobuf_message", kString, "prometheus.WriteRequest"},
    {"failed_request_logging", kBool},
    {nullptr, kInline, nullptr, kNone, &kHttpClientBlock},
    {"queue_config", kBlock, nullptr, kNone, &kQueueBlock},
    {"metadata_config", kBlock, nullptr, kNone, &kMetadataBlock},
    {"sigv4", kBlock, nullptr, kNone, &kSigV4Block},
    {"azuread", kBlock, nullptr, kNone, &kAzureAdBlock},
    {"google_iam", kBlock, nullptr, kNone, &kGoogleIamBlock},
};

void CheckHeaders(const BlockView& view, Diagnostics& diagnostics) {
  const YamlNode* headers = view.Raw("headers");
  if (headers == nullptr) return;
  for (const YamlEntry& header : headers->entries) {
    std::string lower = header.key;
    std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    if (lower == "authorization") {
      diagnostics.Fail(header.mark,
                       "authorization header must be changed via the basic_auth, authorization, "
                       "oauth2, sigv4, azuread "
                       "or google_iam parameter");
    } else if (IsReservedHeader(lower)) {
      diagnostics.Fail(header.mark,
                       fmt::format("{} is a reserved header. It must not be changed", header.key));
    }
  }
}

void CheckQueue(const BlockView& view, Diagnostics& diagnostics) {
  const BlockView queue = view.Child("queue_config");
  auto fail = [&](const char* key, const char* message) {
    diagnostics.Fail(queue.MarkOf(key), fmt::format("remote write queue {}", message));
  };
  if (queue.Int("max_shards") <= 0) fail("max_shards", "max_shards must be positive");
  if (queue.Int("min_shards") <= 0) fail("min_shards", "min_shards must be positive");
  if (queue.Int("min_shards") > queue.Int("max_shards")) {
    fail("min_shards", "min_shards must not be greater than max_shards");
  }
  if (queue.Int("max_samples_per_send") <= 0)
    fail("max_samples_per_send", "max_samples_per_send must be positive");
  if (queue.Int("capacity") <= 0) fail("capacity", "capacity must be positive");
  if (queue.Time("max_backoff") < queue.Time("min_backoff")) {
    fail("max_backoff", "max_backoff must not be less than min_backoff");
  }
}

void CheckRemoteWrite(const BlockView& view, Diagnostics& diagnostics) {
  if (!view.Has("url")) diagnostics.Fail(view.mark(), "url for remote_write is empty");
  CheckHeaders(view, diagnostics);
  const std::string message = view.Text("protobuf_message");
  if (!IsOneOf(message, {"prometheus.WriteRequest", "io.prometheus.write.v2.Request"})) {
    diagnostics.Fail(
        view.MarkOf("protobuf_message"),
        fmt::format(
            "invalid protobuf_message value: unknown type for remote write protobuf message {}, "
            "supported: prometheus.WriteRequest, io.prometheus.write.v2.Request",
            message));
  }
  CheckHttpClient(view, diagnostics);
  CheckQueue(view, diagnostics);
  std::string methods;
  int count = 0;
  for (const char* key :
       {"basic_auth", "authorization", "oauth2", "sigv4", "azuread", "google_iam"}) {
    if (!view.Has(key)) continue;
    methods.append(count++ == 0 ? "" : " ").append(key);
  }
  if (count > 1) {
    diagnostics.Fail(
        view.mark(),
        fmt::format(
            "at most one of basic_auth, authorization, oauth2, sigv4, azuread or google_iam must "
            "be configured. Currently configured: [{}]",
            methods));
  }
}

constexpr Field kRemoteReadFields[] = {
    {"url", kUrl, nullptr, kAlways},
    {"remote_timeout", kDuration, "1m"},
    {"chunked_read_limit", kUint, "50000000"},
    {"headers", kStringMap},
    {"read_recent", kBool},
    {"name", kString},
    {nullptr, kInline, nullptr, kNone, &kHttpClientBlock},
    {"required_matchers", kStringMap},
    {"filter_external_labels", kBool, "true"},
};
void CheckRemoteRead(const BlockView& view, Diagnostics& diagnostics) {
  if (!view.Has("url")) diagnostics.Fail(view.mark(), "url for remote_read is empty");
  CheckHeaders(view, diagnostics);
  CheckHttpClient(view, diagnostics);
}

constexpr Field kAlertmanagerFields[] = {
    {nullptr, kInline, nullptr, kNone, &kHttpClientBlock},
    {"sigv4", kBlock, nullptr, kNone, &kSigV4Block},
    {"scheme", kString, "http"},
    {"path_prefix", kString},
    {"timeout", kDuration, "10s"},
    {"api_version", kString, "v2", kAlways},
    {"relabel_configs", kBlocks, nullptr, kNone, &kRelabelBlock,
     "empty or null Alertmanager target relabeling rule"},
    {"alert_relabel_configs", kBlocks, nullptr, kNone, &kRelabelBlock,
     "empty or null Alertmanager alert relabeling rule"},
    {nullptr, kInline, nullptr, kNone, &kDiscoveryBlock},
};
void CheckAlertmanager(const BlockView& view, Diagnostics& diagnostics) {
  CheckHttpClient(view, diagnostics);
  if (view.Has("sigv4") &&
      (view.Has("basic_auth") || view.Has("authorization") || view.Has("oauth2"))) {
    diagnostics.Fail(
        view.MarkOf("sigv4"),
        "at most one of basic_auth, authorization, oauth2, & sigv4 must be configured");
  }
  if (view.Text("api_version") != "v2") {
    diagnostics.Fail(view.MarkOf("api_version"),
                     fmt::format("expected Alertmanager api version to be one of [v2] but got {}",
                                 view.Text("api_version")));
  }
  if (view.Children("relabel_configs").empty()) CheckStaticTargets(view, diagnostics);
}
constexpr Block kAlertmanagerBlock = {"alertmanager", "config.AlertmanagerConfig",
                                      kAlertmanagerFields, CheckAlertmanager};

constexpr Field kAlertingFields[] = {
    {"alert_relabel_configs", kBlocks, nullptr, kNone, &kRelabelBlock,
     "empty or null alert relabeling rule"},
    {"alertmanagers", kBlocks, nullptr, kNone, &kAlertmanagerBlock,
     "empty or null Alertmanager section"},
};

}  // namespace

const Block kRemoteWriteBlock = {"remote_write", "config.plain", kRemoteWriteFields,
                                 CheckRemoteWrite};
const Block kRemoteReadBlock = {"remote_read", "config.plain", kRemoteReadFields, CheckRemoteRead};
const Block kAlertingBlock = {"alerting", "config.plain", kAlertingFields};

}  // namespace sonde::config
