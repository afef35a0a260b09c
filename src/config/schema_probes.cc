#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/quote.h"
#include "collect/probe/suite.h"
#include "config/fill.h"
#include "config/scalar.h"
#include "config/schema_blocks.h"
#include "config/schema_sd.h"

// `sonde: probes:`: canary prompts, accounts at hosted APIs, certificates (docs/probes.md).

namespace sonde::config {
namespace {

using enum FieldType;

constexpr std::size_t kMaxCanaries = 100;
constexpr std::size_t kMaxAccounts = 100;

void CheckPeriods(const BlockView& view, Duration shortest_interval, Diagnostics& diagnostics) {
  if (view.Time("interval") < shortest_interval) {
    diagnostics.Fail(view.MarkOf("interval"), fmt::format("interval must be at least {} s",
                                                          shortest_interval.count() / 1000));
  }
  if (view.Time("timeout") <= Duration(0) || view.Time("timeout") > Duration(3'600'000)) {
    diagnostics.Fail(view.MarkOf("timeout"), "timeout must be longer than 0 and at most 1h");
  }
}

void CheckAccess(const BlockView& view, Diagnostics& diagnostics) {
  if (MoreThanOne(view.Child("authorization"), {"credentials", "credentials_file"})) {
    diagnostics.Fail(
        view.MarkOf("authorization"),
        "at most one of authorization credentials & credentials_file must be configured");
  }
}

constexpr Field kCanaryFields[] = {
    {"engines", kBool},
    {"gateway", kBool},
    {"url", kString},
    {"models", kStrings},
    {"suites", kStrings},
    {"interval", kDuration, "5m"},
    {"timeout", kDuration, "1m"},
    {"max_tokens", kUint, "512"},
    {"skip_when_saturated", kBool, "true", kAlways},
    {"authorization", kBlock, nullptr, kNone, &kAuthorizationBlock},
    {"tls_config", kBlock, nullptr, kNone, &kTlsBlock},
    {"proxy_url", kUrl},
};
void CheckCanary(const BlockView& view, Diagnostics& diagnostics) {
  const bool has_url = !view.Text("url").empty();
  if ((view.Bool("engines") ? 1 : 0) + (view.Bool("gateway") ? 1 : 0) + (has_url ? 1 : 0) != 1) {
    diagnostics.Fail(view.mark(),
                     "a canary needs exactly one of `engines: true`, `gateway: true` and `url`");
  }
  if (has_url) CheckHttpUrl(view, "url", diagnostics);
  CheckPeriods(view, Duration(1'000), diagnostics);
  const std::uint64_t tokens = view.Uint("max_tokens");
  if (tokens == 0 || tokens > collect::kMaxAnswerTokens) {
    diagnostics.Fail(view.MarkOf("max_tokens"),
                     fmt::format("max_tokens must be between 1 and {}", collect::kMaxAnswerTokens));
  }
  CheckAccess(view, diagnostics);
}
constexpr Block kCanaryBlock = {"probe_canary", "sonde.probe_canary", kCanaryFields, CheckCanary,
                                true};

constexpr Field kAccountFields[] = {
    {"name", kString, "deepseek"},
    {"url", kString, "https://api.deepseek.com"},
    {"interval", kDuration, "5m"},
    {"timeout", kDuration, "30s"},
    {"authorization", kBlock, nullptr, kNone, &kAuthorizationBlock},
    {"tls_config", kBlock, nullptr, kNone, &kTlsBlock},
    {"proxy_url", kUrl},
};
void CheckAccount(const BlockView& view, Diagnostics& diagnostics) {
  CheckHttpUrl(view, "url", diagnostics);
  CheckPeriods(view, Duration(1'000), diagnostics);
  CheckAccess(view, diagnostics);
  if (!view.Has("authorization")) {
    diagnostics.Fail(view.mark(),
                     "an account needs `authorization`: the API key, best as a "
                     "credentials_file");
  }
}
constexpr Block kAccountBlock = {"probe_account", "sonde.probe_account", kAccountFields,
                                 CheckAccount, true};

constexpr Field kCertificateFields[] = {
    {"enabled", kBool, "true", kAlways},
    {"interval", kDuration, "1h"},
    {"timeout", kDuration, "10s"},
    {"targets", kStrings},
};
void CheckCertificates(const BlockView& view, Diagnostics& diagnostics) {
  CheckPeriods(view, Duration(1'000), diagnostics);
  const YamlNode* targets = view.Raw("targets");
  if (targets == nullptr) return;
  const auto check = [&](const YamlNode& target) {
    const auto url = ParseGoUrl(target.text);
    if (url && url->scheme == "https" && !url->host.empty()) return;
    diagnostics.Fail(target.mark, fmt::format("{} has no certificate: it must read https://host",
                                              QuoteGo(target.text)));
  };
  if (targets->is_scalar()) check(*targets);
  for (const YamlNode& target : targets->items)
    check(target);
}
constexpr Block kCertificateBlock = {"probe_certificates", "sonde.probe_certificates",
                                     kCertificateFields, CheckCertificates};

constexpr Field kProbesFields[] = {
    {"canaries", kBlocks, nullptr, kNone, &kCanaryBlock, "empty or null section in canaries"},
    {"suite_files", kStrings, nullptr, kFile},
    {"accounts", kBlocks, nullptr, kNone, &kAccountBlock, "empty or null section in accounts"},
    {"certificates", kBlock, nullptr, kNone, &kCertificateBlock},
};
void CheckProbes(const BlockView& view, Diagnostics& diagnostics) {
  if (view.Children("canaries").size() > kMaxCanaries) {
    diagnostics.Fail(view.MarkOf("canaries"), fmt::format("at most {} canaries", kMaxCanaries));
  }
  const auto accounts = view.Children("accounts");
  if (accounts.size() > kMaxAccounts) {
    diagnostics.Fail(view.MarkOf("accounts"), fmt::format("at most {} accounts", kMaxAccounts));
  }
  std::set<std::string> names;
  for (const BlockView& account : accounts) {
    if (!names.insert(account.Text("name")).second) {
      diagnostics.Fail(account.MarkOf("name"),
                       fmt::format("two accounts are called {}", QuoteGo(account.Text("name"))));
    }
  }
}

collect::ProbeAccess FillAccess(const BlockView& view, const FillContext& context) {
  collect::ProbeAccess access;
  if (view.Has("authorization")) {
    const BlockView authorization = view.Child("authorization");
    access.authorization = {.type = authorization.Text("type"),
                            .text = authorization.Text("credentials"),
                            .file = context.Resolve(authorization.Text("credentials_file"))};
  }
  if (view.Has("tls_config")) access.tls = FillTls(view.Child("tls_config"), context);
  access.proxy_url = view.Text("proxy_url");
  return access;
}

}  // namespace

const Block kProbesBlock = {"probes", "sonde.probes", kProbesFields, CheckProbes};

collect::ProbeOptions FillProbes(const BlockView& view, const FillContext& context) {
  collect::ProbeOptions out;
  for (const BlockView& canary : view.Children("canaries")) {
    collect::CanaryOptions options;
    options.engines = canary.Bool("engines");
    options.gateway = canary.Bool("gateway");
    options.url = canary.Text("url");
    options.models = canary.Strings("models");
    if (auto suites = canary.Strings("suites"); !suites.empty()) options.suites = std::move(suites);
    options.interval = canary.Time("interval");
    options.timeout = canary.Time("timeout");
    options.max_tokens = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(canary.Uint("max_tokens"), collect::kMaxAnswerTokens));
    options.skip_when_saturated = canary.Bool("skip_when_saturated");
    options.access = FillAccess(canary, context);
    out.canaries.push_back(std::move(options));
  }
  for (const std::string& file : view.Strings("suite_files"))
    out.suite_files.push_back(context.Resolve(file));
  for (const BlockView& account : view.Children("accounts")) {
    out.accounts.push_back({.name = account.Text("name"),
                            .url = account.Text("url"),
                            .interval = account.Time("interval"),
                            .timeout = account.Time("timeout"),
                            .access = FillAccess(account, context)});
  }
  const BlockView certificates = view.Child("certificates");
  out.certificates = {.enabled = certificates.Bool("enabled"),
                      .interval = certificates.Time("interval"),
                      .timeout = certificates.Time("timeout"),
                      .targets = certificates.Strings("targets")};
  return out;
}

}  // namespace sonde::config
