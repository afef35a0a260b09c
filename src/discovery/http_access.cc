#include "discovery/http_access.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include "base/base64.h"
#include "base/hash.h"
#include "base/number.h"
#include "base/quote.h"

namespace sonde::discovery {
namespace {

constexpr std::uint64_t kMaxSecretBytes = 1 << 20;
constexpr std::int64_t kReadEveryNanos =
    1'000'000'000;  // Files are looked at once a second at most.

/// An address as 16 bytes, IPv4 mapped into IPv6.
std::optional<std::array<unsigned char, 16>> ParseAddress(std::string_view text) {
  const std::string copy(text);
  std::array<unsigned char, 16> bytes{};
  if (inet_pton(AF_INET6, copy.c_str(), bytes.data()) == 1) return bytes;
  in_addr v4{};
  if (inet_pton(AF_INET, copy.c_str(), &v4) != 1) return std::nullopt;
  bytes[10] = bytes[11] = 0xFF;
  std::memcpy(bytes.data() + 12, &v4, 4);
  return bytes;
}

bool InNetwork(const std::array<unsigned char, 16>& address, std::string_view network) {
  const std::size_t slash = network.find('/');
  const auto base = ParseAddress(network.substr(0, slash));
  const auto length = ParseUint(network.substr(slash + 1));
  if (!base || !length) return false;
  const bool v4 = network.substr(0, slash).find(':') == std::string_view::npos;
  if (*length > (v4 ? 32U : 128U)) return false;
  const std::size_t bits = *length + (v4 ? 96 : 0);
  for (std::size_t i = 0; i < bits; ++i) {
    const unsigned mask = 0x80U >> (i % 8);
    if ((address[i / 8] & mask) != ((*base)[i / 8] & mask)) return false;
  }
  return true;
}

bool IsLoopback(std::string_view host) {
  if (net::EqualsIgnoringCase(host, "localhost")) return true;
  const auto address = ParseAddress(host);
  return address && (InNetwork(*address, "127.0.0.0/8") || InNetwork(*address, "::1/128"));
}

/// One entry of no_proxy.
bool EntryMatches(std::string_view entry, std::string_view host, std::uint16_t port) {
  if (entry == "*") return true;
  const auto address = ParseAddress(host);
  if (entry.find('/') != std::string_view::npos) return address && InNetwork(*address, entry);
  if (const auto whole = ParseAddress(entry)) return address && *address == *whole;
  const std::size_t colon = entry.rfind(':');
  if (colon != std::string_view::npos) {
    if (ParseUint(entry.substr(colon + 1)) != port) return false;
    entry = entry.substr(0, colon);
    if (entry.starts_with('[') && entry.ends_with(']')) entry = entry.substr(1, entry.size() - 2);
    if (const auto whole = ParseAddress(entry)) return address && *address == *whole;
  }
  if (entry.starts_with("*.")) entry.remove_prefix(1);
  const bool below_only = entry.starts_with('.');
  const std::string_view domain = below_only ? entry.substr(1) : entry;
  if (domain.empty()) return false;
  if (!below_only && net::EqualsIgnoringCase(host, domain)) return true;
  return host.size() > domain.size() && host[host.size() - domain.size() - 1] == '.' &&
         net::EqualsIgnoringCase(host.substr(host.size() - domain.size()), domain);
}

bool HasFiles(const HttpAccessOptions& options) {
  const bool tls = !options.tls.ca_file.empty() || !options.tls.certificate_file.empty() ||
                   !options.tls.key_file.empty();
  const bool basic = options.basic_auth && !(options.basic_auth->username_file.empty() &&
                                             options.basic_auth->password_file.empty());
  const bool bearer = options.authorization && !options.authorization->credentials_file.empty();
  const bool headers = std::any_of(options.headers.begin(), options.headers.end(),
                                   [](const auto& header) { return !header.files.empty(); });
  return tls || basic || bearer || headers;
}

}  // namespace

bool IsDirect(std::string_view no_proxy, std::string_view host, std::uint16_t port) {
  while (!no_proxy.empty()) {
    const std::size_t comma = std::min(no_proxy.find(','), no_proxy.size());
    const std::string_view entry = TrimSpace(no_proxy.substr(0, comma));
    if (!entry.empty() && EntryMatches(entry, host, port)) return true;
    no_proxy.remove_prefix(std::min(no_proxy.size(), comma + 1));
  }
  return false;
}

HttpAccess::HttpAccess(HttpAccessOptions options, HttpAccessContext context)
    : options_(std::move(options)), context_(std::move(context)), has_files_(HasFiles(options_)) {}

HttpAccess::~HttpAccess() = default;

Result<std::string> HttpAccess::ReadSecret(const std::string& file, std::string_view what) const {
  auto text = context_.env.ReadFile(file, kMaxSecretBytes);
  if (!text)
    return std::move(text).error().Wrap(fmt::format("unable to read {} file {}", what, file));
  return std::string(TrimSpace(*text));
}

Result<std::shared_ptr<const HttpAccess::Secrets>> HttpAccess::ReadSecrets() const {
  auto secrets = std::make_shared<Secrets>();
  if (options_.basic_auth) {
    std::string user = options_.basic_auth->username;
    std::string password = options_.basic_auth->password;
    const auto& files = *options_.basic_auth;
    if (!files.username_file.empty())
      user = TRY(ReadSecret(files.username_file, "basic auth username"));
    if (!files.password_file.empty())
      password = TRY(ReadSecret(files.password_file, "basic auth password"));
    secrets->headers.Set("Authorization", "Basic " + Base64Encode(user + ":" + password));
  }
  if (options_.authorization) {
    const auto& authorization = *options_.authorization;
    std::string credentials = authorization.credentials;
    if (!authorization.credentials_file.empty()) {
      credentials = TRY(ReadSecret(authorization.credentials_file, "authorization credentials"));
    }
    secrets->headers.Set("Authorization", authorization.type + " " + credentials);
  }
  for (const HttpAccessOptions::Header& header : options_.headers) {
    for (const std::string& value : header.values)
      secrets->headers.Add(header.name, value);
    for (const std::string& value : header.secrets)
      secrets->headers.Add(header.name, value);
    for (const std::string& file : header.files)
      secrets->headers.Add(header.name, TRY(ReadSecret(file, "headers")));
  }
  std::string tls;
  for (const std::string& file :
       {options_.tls.ca_file, options_.tls.certificate_file, options_.tls.key_file}) {
    if (!file.empty()) tls += TRY(ReadSecret(file, "TLS")) + '\0';
  }
  secrets->tls_fingerprint = Xxh3(tls);
  return std::shared_ptr<const Secrets>(std::move(secrets));
}

Result<std::shared_ptr<const HttpAccess::Secrets>> HttpAccess::CurrentSecrets(net::Fiber& fiber) {
  const std::int64_t now = context_.clock.MonotonicNanos();
  {
    const MutexLock lock(mutex_);
    if (secrets_ != nullptr && (!has_files_ || now - read_at_nanos_ < kReadEveryNanos))
      return secrets_;
  }
  auto secrets =
      has_files_ ? fiber.Await(context_.pool, [this] { return ReadSecrets(); }) : ReadSecrets();
  if (!secrets) return std::move(secrets).error();
  const MutexLock lock(mutex_);
  secrets_ = *secrets;
  read_at_nanos_ = now;
  return secrets_;
}

HttpAccess::Route HttpAccess::RouteOf(const net::Url& url) const {
  const std::string& proxy = url.tls ? options_.https_proxy : options_.http_proxy;
  if (proxy.empty() || IsDirect(options_.no_proxy, url.host, url.port)) return kDirect;
  if (options_.loopback_is_direct && IsLoopback(url.host)) return kDirect;
  return url.tls ? kThroughHttpsProxy : kThroughHttpProxy;
}

Result<std::shared_ptr<net::HttpClient>> HttpAccess::ClientFor(const net::Url& url,
                                                               std::uint64_t tls_fingerprint) {
  const Route route = RouteOf(url);
  const MutexLock lock(mutex_);
  if (tls_fingerprint != tls_fingerprint_) {
    clients_ = {};  // Requests under way keep theirs.
    tls_fingerprint_ = tls_fingerprint;
  }
  std::shared_ptr<net::HttpClient>& client = clients_[route];
  if (client != nullptr) return client;
  net::HttpClientOptions options;
  options.idle_timeout = context_.idle_timeout;
  options.follow_redirects = options_.follow_redirects;
  options.user_agent = context_.user_agent;
  options.connect_timeout =
      Duration(60'000);  // The timeout of the whole exchange is the one that counts.
  options.response_timeout = Duration(24 * 3'600'000);
  options.read_timeout = Duration(0);
  if (route != kDirect)
    options.proxy_url = route == kThroughHttpsProxy ? options_.https_proxy : options_.http_proxy;
  if (options_.tls.ca_file.empty() && options_.tls.ca_pem.empty() &&
      options_.tls.certificate_file.empty() && options_.tls.server_name.empty() &&
      !options_.tls.insecure_skip_verify && options_.tls.min_version.empty() &&
      options_.tls.max_version.empty()) {
    options.tls = nullptr;
  } else {
    options.tls = TRY(net::TlsContext::Client(options_.tls));
  }
  client = std::make_shared<net::HttpClient>(std::move(options), context_.registry,
                                             context_.client_name);
  return client;
}

Result<std::unique_ptr<net::HttpClientResponse>> HttpAccess::Get(net::Fiber& fiber,
                                                                 net::HttpClientRequest request,
                                                                 Duration timeout) {
  const std::int64_t start = context_.clock.MonotonicNanos();
  const auto secrets = TRY(CurrentSecrets(fiber));
  const auto client = TRY(ClientFor(request.url, secrets->tls_fingerprint));
  for (const auto [name, value] : secrets->headers)
    request.headers.Add(name, value);
  const Duration spent((context_.clock.MonotonicNanos() - start) / 1'000'000);
  if (spent >= timeout) return Error(ErrorKind::kTimeout, "context deadline exceeded");
  return client->Send(fiber, request, timeout - spent);
}

}  // namespace sonde::discovery
