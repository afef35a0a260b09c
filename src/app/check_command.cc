#include "app/check_command.h"

#include <cstdio>
#include <string_view>

#include "app/process.h"
#include "base/env.h"
#include "config/check.h"
#include "scrape/target.h"
#include "wire/exposition_lint.h"

namespace sonde::app {
namespace {

constexpr std::size_t kMaxPageBytes = 256U << 20;

/// Whether a job could scrape these targets, as the scraper would find out.
Status CheckGroup(const scrape::ScrapeOptions& job, const discovery::TargetGroup& group) {
  for (const Labels& target : group.targets) {
    TRY(scrape::MakeTarget(job, target, group.labels));
  }
  return OkStatus();
}

}  // namespace

int RunCheckConfig(const std::vector<std::string>& files, bool syntax_only) {
  PosixEnv env;
  config::CheckOptions options;
  options.syntax_only = syntax_only;
  options.load.environment = EnvironmentVariable;
  options.check_group = CheckGroup;
  int code = 0;
  for (const std::string& file : files) {
    std::string report;
    if (config::CheckConfig(env, file, options, report) != 0) code = 1;
    Print(stdout, report);
  }
  return code;
}

int RunCheckMetrics(bool openmetrics) {
  std::string page;
  char buffer[1 << 16];
  for (std::size_t n = 0; (n = std::fread(buffer, 1, sizeof buffer, stdin)) > 0;) {
    page.append(buffer, n);
    if (page.size() > kMaxPageBytes) {
      Print(stderr, "sonde: a page of more than 256 MiB is not judged\n");
      return 1;
    }
  }
  std::string report;
  const int code = wire::CheckMetrics(page, openmetrics, report);
  Print(stdout, report);
  return code;
}

}  // namespace sonde::app
