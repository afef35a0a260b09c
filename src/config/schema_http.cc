#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>

#include "base/quote.h"
#include "config/schema_blocks.h"

// HTTP clients: how to authenticate, TLS, proxies, headers.

namespace sonde::config {
namespace {

using enum FieldType;

constexpr Field kTlsFields[] = {
    {"ca", kString},
    {"cert", kString, nullptr, kIdle},
    {"key", kString, nullptr, kSecret | kIdle},
    {"ca_file", kString, nullptr, kFile},
    {"cert_file", kString, nullptr, kFile},
    {"key_file", kString, nullptr, kFile},
    {"ca_ref", kString, nullptr, kIdle},
    {"cert_ref", kString, nullptr, kIdle},
    {"key_ref", kString, nullptr, kIdle},
    {"server_name", kString},
    {"insecure_skip_verify", kBool, nullptr, kAlways},
    {"min_version", kString},
    {"max_version", kString},
};

constexpr Field kBasicAuthFields[] = {
    {"username", kString},
    {"username_file", kString, nullptr, kFile},
    {"username_ref", kString, nullptr, kIdle},
    {"password", kString, nullptr, kSecret},
    {"password_file", kString, nullptr, kFile},
    {"password_ref", kString, nullptr, kIdle},
};

constexpr Field kAuthorizationFields[] = {
    {"type", kString, "Bearer"},
    {"credentials", kString, nullptr, kSecret},
    {"credentials_file", kString, nullptr, kFile},
    {"credentials_ref", kString, nullptr, kIdle},
};

constexpr Field kProxyFields[] = {
    {"proxy_url", kUrl},
    {"no_proxy", kString},
    {"proxy_from_environment", kBool},
    {"proxy_connect_header", kParams, nullptr, kSecret | kIdle},
};

constexpr Field kHeaderFields[] = {
    {"values", kStrings},
    {"secrets", kStrings, nullptr, kSecret},
    {"files", kStrings, nullptr, kFile},
};

void CheckTls(const BlockView& view, Diagnostics& diagnostics) {
  if (MoreThanOne(view, {"ca", "ca_file", "ca_ref"})) {
    diagnostics.Fail(view.mark(), "at most one of ca, ca_file & ca_ref must be configured");
  }
  if (MoreThanOne(view, {"cert", "cert_file", "cert_ref"})) {
    diagnostics.Fail(view.mark(), "at most one of cert, cert_file & cert_ref must be configured");
  }
  if (MoreThanOne(view, {"key", "key_file", "key_ref"})) {
    diagnostics.Fail(view.mark(), "at most one of key and key_file must be configured");
  }
  const bool has_certificate = !view.Text("cert").empty() || !view.Text("cert_file").empty() ||
                               !view.Text("cert_ref").empty();
  const bool has_key =
      !view.Text("key").empty() || !view.Text("key_file").empty() || !view.Text("key_ref").empty();
  if (has_certificate && !has_key) {
    diagnostics.Fail(view.mark(),
                     "exactly one of key or key_file must be configured when a client certificate "
                     "is configured");
  }
  if (has_key && !has_certificate) {
    diagnostics.Fail(
        view.mark(),
        "exactly one of cert or cert_file must be configured when a client key is configured");
  }
  for (const char* key : {"min_version", "max_version"}) {
    const std::string version = view.Text(key);
    if (!version.empty() && !IsOneOf(version, {"TLS10", "TLS11", "TLS12", "TLS13"})) {
      diagnostics.Fail(view.MarkOf(key), fmt::format("unknown TLS version: {}", version));
    }
  }
}

constexpr Block kBasicAuthBlock = {"basic_auth", "config.plain", kBasicAuthFields};
constexpr Block kProxyBlock = {"proxy", "config.ProxyConfig", kProxyFields};
constexpr Block kHeaderBlock = {"http_header", "config.Header", kHeaderFields};

constexpr Field kOauth2Fields[] = {
    {"client_id", kString},
    {"client_secret", kString, nullptr, kSecret},
    {"client_secret_file", kString, nullptr, kFile},
    {"client_secret_ref", kString},
    {"client_certificate_key_id", kString},
    {"client_certificate_key", kString, nullptr, kSecret},
    {"client_certificate_key_file", kString, nullptr, kFile},
    {"client_certificate_key_ref", kString},
    {"grant_type", kString},
    {"signature_algorithm", kString},
    {"iss", kString},
    {"audience", kString},
    {"claims", kAny},
    {"scopes", kStrings},
    {"token_url", kString},
    {"endpoint_params", kStringMap},
    {"tls_config", kBlock, nullptr, kNone, &kTlsBlock},
    {nullptr, kInline, nullptr, kNone, &kProxyBlock},
};
constexpr Block kOauth2Block = {"oauth2", "config.plain", kOauth2Fields};

constexpr Field kHttpClientFields[] = {
    {"basic_auth", kBlock, nullptr, kNone, &kBasicAuthBlock},
    {"authorization", kBlock, nullptr, kNone, &kAuthorizationBlock},
    {"oauth2", kBlock, nullptr, kIdle, &kOauth2Block},
    {"bearer_token", kString, nullptr, kSecret},
    {"bearer_token_file", kString, nullptr, kFile},
    {"tls_config", kBlock, nullptr, kNone, &kTlsBlock},
    {"follow_redirects", kBool, "true", kAlways},
    {"enable_http2", kBool, "true", kAlways},
    {nullptr, kInline, nullptr, kNone, &kProxyBlock},
    {"http_headers", kBlockMap, nullptr, kNone, &kHeaderBlock},
};

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
    return std::tolower(x) == std::tolower(y);
  });
}

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

/// `x-foo` → `X-Foo`.
std::string CanonicalHeader(std::string_view name) {
  std::string out = Lower(name);
  bool start = true;
  for (char& c : out) {
    if (start) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    start = c == '-';
  }
  return out;
}

void CheckOauth2(const BlockView& view, Diagnostics& diagnostics) {
  const BlockView oauth2 = view.Child("oauth2");
  Require(oauth2, "client_id", "oauth2 client_id must be configured", diagnostics);
  Require(oauth2, "token_url", "oauth2 token_url must be configured", diagnostics);
  if (oauth2.Text("grant_type") == "urn:ietf:params:oauth:grant-type:jwt-bearer") {
    if (MoreThanOne(oauth2, {"client_certificate_key", "client_certificate_key_file",
                             "client_certificate_key_ref"})) {
      diagnostics.Fail(
          oauth2.mark(),
          "at most one of oauth2 client_certificate_key, client_certificate_key_file & "
          "client_certificate_key_ref must be configured using "
          "grant-type=urn:ietf:params:oauth:grant-type:jwt-bearer");
    }
    const std::string algorithm = oauth2.Text("signature_algorithm");
    if (!algorithm.empty() && !IsOneOf(algorithm, {"RS256", "RS384", "RS512"})) {
      diagnostics.Fail(oauth2.MarkOf("signature_algorithm"),
                       "valid signature algorithms are RS256, RS384 and RS512");
    }
  } else if (MoreThanOne(oauth2, {"client_secret", "client_secret_file", "client_secret_ref"})) {
    diagnostics.Fail(oauth2.mark(),
                     "at most one of oauth2 client_secret, client_secret_file & client_secret_ref "
                     "must be configured "
                     "using grant-type=client_credentials");
  }
}

void CheckAuthorization(const BlockView& view, bool has_bearer, Diagnostics& diagnostics) {
  const BlockView authorization = view.Child("authorization");
  if (has_bearer) {
    diagnostics.Fail(authorization.mark(),
                     "authorization is not compatible with bearer_token & bearer_token_file");
  }
  if (MoreThanOne(authorization, {"credentials", "credentials_file", "credentials_ref"})) {
    diagnostics.Fail(
        authorization.mark(),
        "at most one of authorization credentials & credentials_file must be configured");
  }
  if (EqualsIgnoringCase(TrimSpace(authorization.Text("type")), "basic")) {
    diagnostics.Fail(authorization.MarkOf("type"),
                     R"(authorization type cannot be set to "basic", use "basic_auth" instead)");
  }
  if (view.Has("basic_auth") || view.Has("oauth2")) {
    diagnostics.Fail(authorization.mark(),
                     "at most one of basic_auth, oauth2 & authorization must be configured");
  }
}

void CheckProxy(const BlockView& view, Diagnostics& diagnostics) {
  const bool has_url = !view.Text("proxy_url").empty();
  const bool from_environment = view.Bool("proxy_from_environment");
  if (view.Has("proxy_connect_header") && !has_url && !from_environment) {
    diagnostics.Fail(
        view.MarkOf("proxy_connect_header"),
        "if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be "
        "configured");
  }
  if (from_environment && has_url) {
    diagnostics.Fail(view.MarkOf("proxy_url"),
                     "if proxy_from_environment is configured, proxy_url must not be configured");
  }
  if (from_environment && !view.Text("no_proxy").empty()) {
    diagnostics.Fail(view.MarkOf("no_proxy"),
                     "if proxy_from_environment is configured, no_proxy must not be configured");
  }
  if (!view.Has("proxy_url") && !view.Text("no_proxy").empty() && !from_environment) {
    diagnostics.Fail(view.MarkOf("no_proxy"),
                     "if no_proxy is configured, proxy_url must also be configured");
  }
}

void CheckHeaders(const BlockView& view, Diagnostics& diagnostics) {
  const YamlNode* headers = view.Raw("http_headers");
  if (headers == nullptr) return;
  for (const YamlEntry& entry : headers->entries) {
    const std::string name = CanonicalHeader(entry.key);
    if (name == "Authorization" || IsReservedHeader(name) ||
        name == "X-Prometheus-Scrape-Timeout-Seconds") {
      diagnostics.Fail(entry.mark, fmt::format("setting header {} is not allowed", QuoteGo(name)));
    }
  }
}

}  // namespace

const Block kAuthorizationBlock = {"authorization", "config.Authorization", kAuthorizationFields};
const Block kTlsBlock = {"tls_config", "config.plain", kTlsFields, CheckTls};
const Block kHttpClientBlock = {"http_client", "config.plain", kHttpClientFields};

bool IsReservedHeader(std::string_view name) {
  return IsOneOf(
      Lower(name),
      {"host", "content-encoding", "content-length", "content-type", "user-agent", "connection",
       "keep-alive", "proxy-authenticate", "proxy-authorization", "www-authenticate",
       "accept-encoding", "x-prometheus-remote-write-version", "x-prometheus-remote-read-version",
       "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"});
}

void CheckHttpClient(const BlockView& view, Diagnostics& diagnostics) {
  const bool has_bearer =
      !view.Text("bearer_token").empty() || !view.Text("bearer_token_file").empty();
  if (MoreThanOne(view, {"bearer_token", "bearer_token_file"})) {
    diagnostics.Fail(view.MarkOf("bearer_token_file"),
                     "at most one of bearer_token & bearer_token_file must be configured");
  }
  if (has_bearer && (view.Has("basic_auth") || view.Has("oauth2"))) {
    diagnostics.Fail(
        view.mark(),
        "at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured");
  }
  if (view.Has("basic_auth")) {
    const BlockView basic = view.Child("basic_auth");
    if (MoreThanOne(basic, {"username", "username_file", "username_ref"})) {
      diagnostics.Fail(
          basic.mark(),
          "at most one of basic_auth username, username_file & username_ref must be configured");
    }
    if (MoreThanOne(basic, {"password", "password_file", "password_ref"})) {
      diagnostics.Fail(
          basic.mark(),
          "at most one of basic_auth password, password_file & password_ref must be configured");
    }
  }
  if (view.Has("authorization")) CheckAuthorization(view, has_bearer, diagnostics);
  if (view.Has("oauth2")) {
    if (view.Has("basic_auth")) {
      diagnostics.Fail(view.MarkOf("oauth2"),
                       "at most one of basic_auth, oauth2 & authorization must be configured");
    }
    CheckOauth2(view, diagnostics);
  }
  CheckProxy(view, diagnostics);
  CheckHeaders(view, diagnostics);
}

}  // namespace sonde::config
