#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "net/tls.h"

// What probes are told (docs/probes.md). Plain values with good defaults; config/ fills them.

namespace sonde::collect {

/// Who we are to the server that is probed. A file is read for every use, so a new key needs no
/// restart. Neither is ever logged.
struct ProbeCredentials {
  std::string type = "Bearer";
  std::string text = {};
  std::string file = {};
  bool operator==(const ProbeCredentials&) const = default;
};

/// How to reach it.
struct ProbeAccess {
  std::optional<ProbeCredentials> authorization = {};
  std::optional<net::TlsClientOptions> tls = {};  ///< Nothing: the system's roots.
  std::string proxy_url = {};
  bool operator==(const ProbeAccess&) const = default;
};

/// Canary prompts that are sent on a schedule. Exactly one of `engines`, `gateway` and `url` says
/// where to.
struct CanaryOptions {
  bool engines = false;  ///< Every engine that was found, but hosted services (they cost money).
  bool gateway = false;  ///< The own gateway, for each model that it serves.
  std::string url = {};  ///< One endpoint; a "/v1" at its end is the API's own.
  /// Empty: those that the endpoint lists. If given, hosted models behind the gateway are probed
  /// too.
  std::vector<std::string> models = {};
  std::vector<std::string> suites = {"basic"};
  Duration interval{300'000};      ///< Between two runs, ± 10 %.
  Duration timeout{60'000};        ///< Of one question.
  std::uint32_t max_tokens = 512;  ///< Of one answer; a question may ask for less.
  bool skip_when_saturated = true;
  ProbeAccess access = {};
  bool operator==(const CanaryOptions&) const = default;
};

/// An account at a hosted API with DeepSeek's `/user/balance`.
struct AccountOptions {
  std::string name = "deepseek";
  std::string url = "https://api.deepseek.com";
  Duration interval{300'000};
  Duration timeout{30'000};
  ProbeAccess access = {};
  bool operator==(const AccountOptions&) const = default;
};

/// The certificates of all https addresses that the configuration names.
struct CertificateOptions {
  bool enabled = true;
  Duration interval{3'600'000};
  Duration timeout{10'000};
  std::vector<std::string> targets = {};  ///< More "https://host:port", beside those.
  bool operator==(const CertificateOptions&) const = default;
};

struct ProbeOptions {
  std::vector<CanaryOptions> canaries = {};
  std::vector<std::string> suite_files = {};  ///< Paths or patterns.
  std::vector<AccountOptions> accounts = {};
  CertificateOptions certificates = {};
  bool operator==(const ProbeOptions&) const = default;
};

}  // namespace sonde::collect
