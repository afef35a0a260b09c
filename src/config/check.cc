#include "config/check.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/glob.h"
#include "base/quote.h"
#include "config/rule_file.h"
#include "config/suite_file.h"

namespace sonde::config {
namespace {

constexpr std::uint64_t kMaxTargetFileBytes = 64U << 20;
constexpr std::uint64_t kMaxSuiteBytes = 1U << 20;

class Checker {
 public:
  Checker(Env& env, const CheckOptions& options, std::string& report)
      : env_(env), options_(options), report_(report) {}

  void Check(const Config& config) {
    for (const std::string& pattern : config.rule_files)
      CheckRules(pattern, config.global.legacy_names);
    for (const auto& job : config.scrape)
      CheckJob(*job);
    for (const std::string& file : config.sonde.mapping_files)
      CheckPattern(file, "mapping file");
    for (const std::string& file : config.sonde.probes.suite_files)
      CheckSuites(file);
    for (const auto& canary : config.sonde.probes.canaries)
      CheckProbeAccess(canary.access, "canary");
    for (const auto& account : config.sonde.probes.accounts)
      CheckProbeAccess(account.access, "account " + account.name);
  }

  bool failed() const { return failed_; }

 private:
  /// How many files match; a name without a pattern must exist.
  std::size_t CheckPattern(const std::string& pattern, std::string_view what) {
    const auto files = ExpandGlob(env_, pattern);
    if (!files) {
      Fail(files.error().message());
      return 0;
    }
    if (files->empty() && pattern.find('*') == std::string::npos) {
      Fail(fmt::format("{}: {} does not point to an existing file", what, QuoteGo(pattern)));
    }
    return files->size();
  }

  void CheckFile(const std::string& path, std::string_view what, std::string_view job) {
    if (path.empty() || env_.Exists(path)) return;
    Fail(fmt::format("job {}: {} file {} does not exist", QuoteGo(job), what, QuoteGo(path)));
  }

  void CheckAccess(const discovery::HttpAccessOptions& access, std::string_view job) {
    if (access.basic_auth) {
      CheckFile(access.basic_auth->username_file, "username", job);
      CheckFile(access.basic_auth->password_file, "password", job);
    }
    if (access.authorization) {
      CheckFile(access.authorization->credentials_file, "authorization credentials or bearer token",
                job);
    }
    CheckFile(access.tls.ca_file, "CA", job);
    CheckFile(access.tls.certificate_file, "client cert", job);
    CheckFile(access.tls.key_file, "client key", job);
    for (const auto& header : access.headers) {
      for (const std::string& file : header.files)
        CheckFile(file, "header", job);
    }
  }

  void CheckRules(const std::string& pattern, bool legacy_names) {
    if (CheckPattern(pattern, "rule file") == 0) return;
    const auto files = ExpandGlob(env_, pattern);
    if (!files) return;
    for (const std::string& name : *files) {
      const auto text = env_.ReadFile(name, kMaxRuleFileBytes);
      const auto file =
          text ? ParseRuleFile(*text, name,
                               {.parser = options_.parser, .legacy_names = legacy_names})
               : Result<RuleFile>(text.error());
      if (!file) {
        Fail(file.error().message());
        continue;
      }
      std::size_t rules = 0;
      for (const rules::GroupOptions& group : file->groups)
        rules += group.rules.size();
      report_ += fmt::format("  {}: {} rules found\n", name, rules);
    }
  }

  void CheckSuites(const std::string& pattern) {
    if (CheckPattern(pattern, "suite file") == 0) return;
    const auto files = ExpandGlob(env_, pattern);
    if (!files) return;
    for (const std::string& file : *files) {
      const auto text = env_.ReadFile(file, kMaxSuiteBytes);
      const auto suite = text ? ParseSuiteFile(*text, file) : Result<collect::Suite>(text.error());
      if (!suite) Fail(suite.error().message());
    }
  }

  void CheckProbeAccess(const collect::ProbeAccess& access, std::string_view what) {
    const auto check = [&](const std::string& path, std::string_view kind) {
      if (path.empty() || env_.Exists(path)) return;
      Fail(fmt::format("{}: {} file {} does not exist", what, kind, QuoteGo(path)));
    };
    if (access.authorization) check(access.authorization->file, "credentials");
    if (!access.tls) return;
    check(access.tls->ca_file, "CA");
    check(access.tls->certificate_file, "client cert");
    check(access.tls->key_file, "client key");
  }

  void CheckJob(const scrape::ScrapeOptions& job) {
    CheckAccess(job.access, job.job_name);
    for (const auto& http : job.discovery.http)
      CheckAccess(http.access, job.job_name);
    CheckGroups(job, job.discovery.static_groups);
    for (const auto& files : job.discovery.files) {
      for (const std::string& pattern : files.patterns)
        CheckTargetFiles(job, pattern);
    }
  }

  void CheckTargetFiles(const scrape::ScrapeOptions& job, const std::string& pattern) {
    const auto files = ExpandGlob(env_, pattern);
    if (!files) {
      Fail(files.error().message());
      return;
    }
    if (files->empty()) {
      report_ += fmt::format("  WARNING: file {} for file_sd in scrape job {} does not exist\n",
                             QuoteGo(pattern), QuoteGo(job.job_name));
    }
    for (const std::string& file : *files) {
      auto groups = ReadTargets(file);
      if (!groups) {
        Fail(groups.error().message());
      } else {
        CheckGroups(job, *groups);
      }
    }
  }

  Result<std::vector<discovery::TargetGroup>> ReadTargets(const std::string& file) {
    const std::string text = TRY(env_.ReadFile(file, kMaxTargetFileBytes));
    const bool json = file.ends_with(".json") || file.ends_with(".JSON");
    return json ? discovery::ParseTargetGroupsJson(text, file) : ParseTargetGroupsYaml(text, file);
  }

  void CheckGroups(const scrape::ScrapeOptions& job,
                   const std::vector<discovery::TargetGroup>& groups) {
    if (!options_.check_group) return;
    for (const discovery::TargetGroup& group : groups) {
      const Status status = options_.check_group(job, group);
      if (!status) Fail(fmt::format("job {}: {}", QuoteGo(job.job_name), status.error().message()));
    }
  }

  void Fail(std::string_view message) {
    report_ += fmt::format("  FAILED: {}\n", message);
    failed_ = true;
  }

  Env& env_;
  const CheckOptions& options_;
  std::string& report_;
  bool failed_ = false;
};

}  // namespace

int CheckConfig(Env& env, const std::string& file, const CheckOptions& options,
                std::string& report) {
  report += fmt::format("Checking {}\n", file);
  const auto config = Load(env, file, options.load);
  if (!config) {
    std::string_view rest = config.error().message();
    while (!rest.empty()) {
      const std::string_view line = rest.substr(0, rest.find('\n'));
      report += fmt::format("  FAILED: {}\n", line);
      rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    }
    return 1;
  }
  for (const std::string& warning : (*config)->warnings)
    report += fmt::format("  WARNING: {}\n", warning);
  if (!options.syntax_only) {
    Checker checker(env, options, report);
    checker.Check(**config);
    if (checker.failed()) return 1;
  }
  report += fmt::format(" SUCCESS: {} is valid prometheus config file syntax\n", file);
  return 0;
}

}  // namespace sonde::config
