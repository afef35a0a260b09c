#include "collect/probe/credentials.h"

#include <utility>

#include "base/quote.h"

namespace sonde::collect {
namespace {

constexpr std::uint64_t kMaxKeyBytes = 64U << 10;

}  // namespace

Result<std::string> Authorization(net::Fiber& fiber, const ProbeAccess& access, Env& env,
                                  ThreadPool& pool) {
  if (!access.authorization) return std::string();
  const ProbeCredentials& credentials = *access.authorization;
  std::string secret = credentials.text;
  if (!credentials.file.empty()) {
    auto text = fiber.Await(pool, [&] { return env.ReadFile(credentials.file, kMaxKeyBytes); });
    if (!text) return std::move(text).error().Wrap("credentials_file");
    secret = TrimSpace(*text);
    // A key with a line break in it would begin another header.
    if (secret.empty() || secret.find_first_of("\r\n") != std::string::npos) {
      return Error(ErrorKind::kInvalid,
                   "credentials_file: " + credentials.file + " does not hold one line");
    }
  }
  return (credentials.type.empty() ? "Bearer" : credentials.type) + " " + secret;
}

Result<net::HttpClientOptions> ClientOptionsOf(const ProbeAccess& access, Duration timeout) {
  net::HttpClientOptions options;
  options.connect_timeout = std::min(options.connect_timeout, timeout);
  options.response_timeout = timeout;
  options.read_timeout = timeout;
  options.max_idle_per_host = 1;
  options.idle_timeout = Duration(4'000);  // Uvicorn closes its own after five seconds.
  options.proxy_url = access.proxy_url;
  if (access.tls) options.tls = TRY(net::TlsContext::Client(*access.tls));
  return options;
}

}  // namespace sonde::collect
