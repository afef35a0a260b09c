#include "app/probe_command.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "app/probe_wiring.h"
#include "app/process.h"
#include "base/duration.h"
#include "base/env.h"
#include "collect/engine/identify.h"
#include "collect/probe/canary.h"
#include "collect/probe/credentials.h"
#include "config/suite_file.h"

namespace sonde::app {
namespace {

constexpr std::uint64_t kMaxSuiteBytes = 1U << 20;
constexpr std::uint64_t kMaxModelListBytes = 4U << 20;

int Fail(const Error& error) {
  Print(stderr, "sonde: " + error.message() + "\n");
  return 1;
}

/// A suite that ships, by its name, or a file.
Result<collect::Suite> FindSuite(Env& env, const std::string& name) {
  if (env.Exists(name)) {
    const std::string text = TRY(env.ReadFile(name, kMaxSuiteBytes));
    return config::ParseSuiteFile(text, name);
  }
  std::string known;
  for (collect::Suite& suite : TRY(LoadSuites(env, {}))) {
    if (suite.name == name) return std::move(suite);
    known += (known.empty() ? "" : ", ") + suite.name;
  }
  return Error(ErrorKind::kNotFound, fmt::format("there is no file {} and no suite of this name; "
                                                 "there are: {}",
                                                 name, known));
}

Result<std::string> FirstModel(net::Fiber& fiber, net::HttpClient& client, const std::string& url,
                               const std::string& authorization, Duration timeout) {
  net::HttpClientRequest request{.url = TRY(net::Url::Parse(collect::ApiUrl(url, "/v1/models")))};
  if (!authorization.empty()) request.headers.Set("Authorization", authorization);
  const auto reply = TRY(client.Fetch(fiber, request, kMaxModelListBytes, timeout));
  auto list = collect::ParseModelList(reply.body);
  if (!list || list->ids.empty()) {
    return Error(ErrorKind::kInvalid,
                 fmt::format("{} does not list its models (status {}); name one with --model", url,
                             reply.status));
  }
  return std::move(list->ids.front());
}

std::string Row(const collect::Question& question, const collect::CanaryResult& result) {
  const std::string ttft =
      result.ttft_seconds ? fmt::format("{:.3f}", *result.ttft_seconds) : std::string("-");
  return fmt::format("{:<24} {:<16} {:>8} {:>8.3f} {:>7} {:>7}\n", question.name,
                     ToString(result.outcome), ttft, result.seconds, result.prompt_tokens,
                     result.completion_tokens);
}

/// Runs on the loop's thread; prints as it goes.
Result<int> RunSuite(net::Fiber& fiber, const ProbeCommand& command, const collect::Suite& suite,
                     Duration timeout, Env& env, ThreadPool& pool) {
  const SystemClock clock;
  instrument::Registry registry;
  collect::ProbeAccess access;
  if (!command.api_key_file.empty())
    access.authorization = collect::ProbeCredentials{.file = command.api_key_file};
  if (!command.ca_file.empty()) access.tls = net::TlsClientOptions{.ca_file = command.ca_file};
  net::HttpClient client(TRY(collect::ClientOptionsOf(access, timeout)), registry, "probe");
  collect::CanaryEndpoint endpoint{command.url, collect::InstanceOf(command.url), command.model,
                                   TRY(collect::Authorization(fiber, access, env, pool))};
  if (endpoint.model.empty())
    endpoint.model = TRY(FirstModel(fiber, client, command.url, endpoint.authorization, timeout));
  Print(stdout,
        fmt::format("suite {} at {}, model {}\n\n", suite.name, endpoint.instance, endpoint.model));
  Print(stdout, fmt::format("{:<24} {:<16} {:>8} {:>8} {:>7} {:>7}\n", "question", "result",
                            "ttft s", "all s", "prompt", "answer"));
  std::size_t right = 0;
  std::int64_t tokens = 0;
  for (const collect::Question& question : suite.questions) {
    const collect::CanaryResult result = collect::AskCanary(
        fiber, client, clock, endpoint, suite.name, question, command.max_tokens, timeout);
    Print(stdout, Row(question, result));
    std::fflush(stdout);
    if (result.outcome == collect::CanaryOutcome::kRight) ++right;
    tokens += result.prompt_tokens + result.completion_tokens;
  }
  Print(stdout,
        fmt::format("\n{} of {} right; {} tokens\n", right, suite.questions.size(), tokens));
  return right == suite.questions.size() ? 0 : 1;
}

}  // namespace

int RunCheckProbes(const std::vector<std::string>& files) {
  PosixEnv env;
  int code = 0;
  for (const std::string& file : files) {
    Print(stdout, "Checking " + file + "\n");
    auto text = env.ReadFile(file, kMaxSuiteBytes);
    auto suite = text ? config::ParseSuiteFile(*text, file)
                      : Result<collect::Suite>(std::move(text).error());
    if (suite) {
      Print(stdout, fmt::format("  SUCCESS: suite {} with {} questions\n", suite->name,
                                suite->questions.size()));
      continue;
    }
    code = 1;
    std::string_view rest = suite.error().message();
    while (!rest.empty()) {
      const std::string_view line = rest.substr(0, rest.find('\n'));
      Print(stdout, fmt::format("  FAILED: {}\n", line));
      rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    }
  }
  return code;
}

int RunProbe(const ProbeCommand& command) {
  PosixEnv env;
  auto timeout = ParseDuration(command.timeout);
  if (!timeout) return Fail(std::move(timeout).error().Wrap("--timeout"));
  if (auto url = net::Url::Parse(command.url); !url)
    return Fail(std::move(url).error().Wrap("--url"));
  if (command.max_tokens == 0 || command.max_tokens > collect::kMaxAnswerTokens) {
    return Fail(Error(ErrorKind::kInvalid, fmt::format("--max-tokens must be between 1 and {}",
                                                       collect::kMaxAnswerTokens)));
  }
  const auto suite = FindSuite(env, command.suite);
  if (!suite) return Fail(suite.error());
  ThreadPool pool(1, "probe");
  std::optional<Result<int>> code;
  net::EventLoop loop("probe");
  loop.Spawn([&](net::Fiber& fiber) {
        code.emplace(RunSuite(fiber, command, *suite, *timeout, env, pool));
      })
      .Join();
  loop.Stop();
  if (!code) return Fail(Error(ErrorKind::kCancelled, "stopped"));
  return *code ? **code : Fail(code->error());
}

}  // namespace sonde::app
