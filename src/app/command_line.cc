#include "app/command_line.h"

#include <cstdio>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <signal.h>
#include <unistd.h>

#include "app/alertmanager_command.h"
#include "app/check_command.h"
#include "app/map_command.h"
#include "app/probe_command.h"
#include "app/process.h"
#include "app/query_command.h"
#include "app/rule_command.h"
#include "app/serve_flags.h"
#include "app/server.h"
#include "app/version.h"
#include "base/duration.h"
#include "demo/demo.h"
#include "promql/promqltest/runner.h"

namespace sonde::app {
namespace {

int Fail(const Error& error) {
  Print(stderr, "sonde: " + error.message() + "\n");
  return 1;
}

/// Blocks the signals that ask a server for something, for this thread and all that it starts; Wait
/// takes them one by one.
class Signals {
 public:
  Signals() {
    ::signal(SIGPIPE,
             SIG_IGN);  // A peer that has gone is an error of write(2), not of the process.
    sigemptyset(&set_);
    for (const int number : {SIGINT, SIGTERM, SIGHUP})
      sigaddset(&set_, number);
    ::pthread_sigmask(SIG_BLOCK, &set_, nullptr);
  }
  int Wait() const {
    int number = 0;
    while (::sigwait(&set_, &number) != 0) {
    }
    return number;
  }

 private:
  sigset_t set_;
};

/// Waits for the end; a second SIGINT or SIGTERM ends the process at once.
void WaitForEnd(const Signals& signals, const std::function<void()>& reload) {
  while (signals.Wait() == SIGHUP) {
    if (reload) reload();
  }
  ::signal(SIGINT, SIG_DFL);
  ::signal(SIGTERM, SIG_DFL);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

int Serve(ServeOptions options) {
  CollectFlags(options);
  const Signals signals;
  StderrSink sink;
  auto server = Server::Start(std::move(options), sink, [] { ::kill(::getpid(), SIGTERM); });
  if (!server) return Fail(server.error());
  WaitForEnd(signals, [&] { static_cast<void>((*server)->Reload().ok()); });
  (*server)->Stop();
  return 0;
}

/// The texts of `sonde demo`'s flags that are durations.
struct DemoDurations {
  std::string incident_at = "10m";
  std::string incident_for = "20m";
};

int RunDemo(demo::DemoOptions options, const DemoDurations& durations) {
  const auto parse = [](const std::string& text, const char* flag, Duration& out) -> Status {
    auto duration = ParseDuration(text);
    if (!duration) return std::move(duration).error().Wrap(flag);
    out = *duration;
    return OkStatus();
  };
  if (Status status = parse(durations.incident_at, "--incident-at", options.incident_at); !status)
    return Fail(status.error());
  if (Status status = parse(durations.incident_for, "--incident-for", options.incident_for);
      !status)
    return Fail(status.error());
  if (!options.write_config.empty()) {
    PosixEnv env;
    const Status status = WriteFileAtomically(
        env, options.write_config, demo::DemoConfiguration(options, demo::DemoCluster()));
    return status ? 0 : Fail(status.error());
  }
  const Signals signals;
  StderrSink sink;
  const SystemClock clock;
  const Logger logger(sink, clock);
  instrument::Registry registry;
  auto cluster = demo::Demo::Make(std::move(options), clock, logger, registry);
  if (!cluster) return Fail(cluster.error());
  if (Status status = (*cluster)->Start(); !status) return Fail(status.error());
  Print(stdout, (*cluster)->Description());
  std::fflush(stdout);
  WaitForEnd(signals, nullptr);
  (*cluster)->Stop();
  return 0;
}

int TestPromql(const std::vector<std::string>& files, bool naive) {
  PosixEnv env;
  const SystemClock clock;
  const auto evaluator = naive ? promql::NewNaiveEvaluator(clock) : promql::NewEvaluator(clock);
  return promql::RunPromqlTests(env, files, *evaluator,
                                [](std::string_view text) { Print(stdout, text); });
}

/// The commands, each of which sets `run` when it was named.
class Commands {
 public:
  explicit Commands(CLI::App& app) : app_(app) {
    AddServe();
    AddDemo();
    AddCheck();
    AddMap();
    AddRoutes();
    AddTest();
    AddQuery();
    AddProbe();
    app_.add_subcommand("version", "What this binary was built from")->callback([this] {
      run_ = [] {
        Print(stdout, VersionText());
        return 0;
      };
    });
    app_.add_subcommand("help", "This text")->callback([this] {
      run_ = [this] {
        Print(stdout, app_.help());
        return 0;
      };
    });
  }

  int Run() const { return run_(); }

 private:
  void AddServe() {
    CLI::App* serve =
        app_.add_subcommand("serve", "Collect, store, answer, show: everything in one process");
    AddServeFlags(*serve, serve_);
    serve->callback([this] { run_ = [this] { return Serve(serve_); }; });
  }

  void AddDemo() {
    CLI::App* demo = app_.add_subcommand(
        "demo", "Simulate a DeepSeek cluster: engines, GPUs, clients, an incident");
    demo->add_option("--port", demo_.base_port, "First of the ports on loopback")
        ->capture_default_str();
    demo->add_option("--gateway", demo_.gateway_url,
                     "Where the simulated clients send their requests")
        ->capture_default_str();
    demo->add_option("--rate", demo_.rate, "Times the trace's own 5.4 requests/s; 0: no clients")
        ->capture_default_str();
    demo->add_option("--speed", demo_.speed, "Simulated seconds in a real one")
        ->capture_default_str();
    demo->add_option("--seed", demo_.seed, "The same seed makes the same choices")
        ->capture_default_str();
    demo->add_option("--incident", demo_.incident,
                     "`cooling`: GPUs heat to 85 degrees, clocks drop, latency triples")
        ->check(CLI::IsMember({"cooling"}));
    demo->add_option("--incident-at", demo_durations_.incident_at,
                     "When, from the start, in simulated time")
        ->capture_default_str();
    demo->add_option("--incident-for", demo_durations_.incident_for, "How long")
        ->capture_default_str();
    demo->add_option("--incident-nodes", demo_.incident_nodes, "Which nodes; default: all")
        ->delimiter(',');
    demo->add_option("--write-config", demo_.write_config,
                     "Write a configuration for `sonde serve` to this file, and exit");
    demo->callback([this] { run_ = [this] { return RunDemo(demo_, demo_durations_); }; });
  }

  void AddCheck() {
    CLI::App* check = app_.add_subcommand("check",
                                          "Check a configuration, rules, mapping files, a suite of "
                                          "questions or a page of metrics")
                          ->require_subcommand(1);
    CLI::App* config = check->add_subcommand(
        "config", "Read configurations as `serve` does, and the files that they name");
    config->add_option("FILE", config_files_)->required();
    config->add_flag("--syntax-only", syntax_only_,
                     "Do not look at the files that the configuration names");
    config->callback(
        [this] { run_ = [this] { return RunCheckConfig(config_files_, syntax_only_); }; });
    CLI::App* rules = check->add_subcommand("rules", "Read rule files, and look for duplicates");
    rules->add_option("FILE", check_rules_.files)->required();
    rules->add_flag("--ignore-unknown-fields", check_rules_.ignore_unknown_fields,
                    "Leave out keys that are not known, instead of refusing the file");
    rules->add_option("--lint", check_rules_.lint, "duplicate-rules, all or none")
        ->check(CLI::IsMember({"duplicate-rules", "all", "none"}))
        ->capture_default_str();
    rules->add_flag("--lint-fatal", check_rules_.lint_fatal, "Exit code 3 if there are duplicates");
    rules->callback([this] { run_ = [this] { return RunCheckRules(check_rules_); }; });
    CLI::App* alertmanager =
        check->add_subcommand("alertmanager-config", "Read alertmanager.yml as `serve` does");
    alertmanager->add_option("FILE", alertmanager_files_)->required();
    alertmanager->callback(
        [this] { run_ = [this] { return RunCheckAlertmanager(alertmanager_files_); }; });
    CLI::App* probes = check->add_subcommand("probes", "Read suites of canary questions");
    probes->add_option("FILE", suite_files_)->required();
    probes->callback([this] { run_ = [this] { return RunCheckProbes(suite_files_); }; });
    CLI::App* metrics = check->add_subcommand("metrics", "Judge an exposition on standard input");
    metrics->add_flag("--openmetrics", openmetrics_, "By the rules of OpenMetrics 1.0");
    metrics->callback([this] { run_ = [this] { return RunCheckMetrics(openmetrics_); }; });
    CLI::App* mappings =
        check->add_subcommand("mappings", "Read mapping files, and those that are built in");
    mappings->add_option("FILE", mapping_files_);
    mappings->callback([this] { run_ = [this] { return RunCheckMappings(mapping_files_); }; });
  }

  void AddRoutes() {
    CLI::App* routes =
        app_.add_subcommand("routes", "Where alerts would be sent")->require_subcommand(1);
    CLI::App* show = routes->add_subcommand("show", "The routing tree of an alertmanager.yml");
    CLI::App* test =
        routes->add_subcommand("test", "The receivers that an alert with these labels would reach");
    for (CLI::App* command : {show, test}) {
      command->add_option("--config.file", routes_file_, "An alertmanager.yml")->required();
    }
    test->add_option("LABEL=VALUE", route_labels_);
    test->add_option("--verify.receivers", route_verify_,
                     "Fail unless these are the receivers, separated by commas");
    show->callback([this] { run_ = [this] { return RunRoutesShow(routes_file_); }; });
    test->callback([this] {
      run_ = [this] { return RunRoutesTest(routes_file_, route_labels_, route_verify_); };
    });
  }

  void AddMap() {
    CLI::App* map = app_.add_subcommand(
        "map", "Show what a page of metrics on standard input becomes in the vocabulary");
    map->add_option("--prefix", map_.prefix, "What canonical names begin with")
        ->capture_default_str();
    map->add_option("--mappings", map_.mappings,
                    "Files or globs, as in `sonde.mappings`; may be repeated");
    map->add_option("--engine", map_.engine, "Only the mapping of this name");
    map->add_option("--label", map_.labels, "NAME=VALUE of the target; may be repeated");
    map->add_flag("--openmetrics", map_.openmetrics,
                  "The page is OpenMetrics; else its last line decides");
    map->add_flag("--only-mapped", map_.only_mapped, "Print the canonical series, as a page");
    map->add_flag("--list", map_.list,
                  "Read no page; print every metric and what it is read from, in Markdown");
    map->callback([this] { run_ = [this] { return RunMap(map_); }; });
  }

  void AddTest() {
    CLI::App* test = app_.add_subcommand("test", "Run test files")->require_subcommand(1);
    CLI::App* promql = test->add_subcommand("promql", "Run promqltest files");
    promql->add_option("FILE", promql_files_)->required();
    promql->add_flag("--naive", naive_, "With the evaluator that is the oracle of the fast one");
    promql->callback([this] { run_ = [this] { return TestPromql(promql_files_, naive_); }; });
    CLI::App* rules = test->add_subcommand("rules", "Run unit tests of rules in promtool's format");
    rules->add_option("FILE", test_rules_.files)->required();
    rules->add_option("--run", test_rules_.run,
                      "Only tests whose name this regular expression finds; may be repeated");
    rules->add_flag("--ignore-unknown-fields", test_rules_.ignore_unknown_fields,
                    "Leave out keys that are not known, instead of refusing the file");
    rules->callback([this] { run_ = [this] { return RunTestRules(test_rules_); }; });
  }

  void AddQuery() {
    CLI::App* query = app_.add_subcommand("query", "Ask a server")->require_subcommand(1);
    CLI::App* instant = query->add_subcommand("instant", "The value at one time");
    CLI::App* range = query->add_subcommand("range", "The values over a range of time");
    for (CLI::App* command : {instant, range}) {
      command->add_option("EXPRESSION", query_.expression)->required();
      command->add_option("--server", query_.server, "Base URL")->capture_default_str();
      command->add_option("-o,--format", query_.format, "promql or json")
          ->check(CLI::IsMember({"promql", "json"}))
          ->capture_default_str();
    }
    instant->add_option("--time", query_.time, "Unix seconds or RFC 3339; default: now");
    range->add_option("--start", query_.start, "Default: an hour before the end");
    range->add_option("--end", query_.end, "Default: now");
    range->add_option("--step", query_.step,
                      "Seconds or a duration; default: a 250th of the range");
    instant->callback([this] { run_ = [this] { return RunInstantQuery(query_); }; });
    range->callback([this] { run_ = [this] { return RunRangeQuery(query_); }; });
  }

  void AddProbe() {
    CLI::App* probe =
        app_.add_subcommand("probe", "Ask a model what it must know")->require_subcommand(1);
    CLI::App* run = probe->add_subcommand("run", "Ask each question of a suite once");
    run->add_option("--url", probe_.url, "Base URL of an OpenAI-compatible server")->required();
    run->add_option("--suite", probe_.suite, "A suite that ships, or a file")
        ->capture_default_str();
    run->add_option("--model", probe_.model, "Default: the first that the server lists");
    run->add_option("--api-key-file", probe_.api_key_file, "Sent as a bearer token");
    run->add_option("--ca-file", probe_.ca_file, "Instead of the system's roots");
    run->add_option("--timeout", probe_.timeout, "For each question")->capture_default_str();
    run->add_option("--max-tokens", probe_.max_tokens, "Of each answer")->capture_default_str();
    run->callback([this] { run_ = [this] { return RunProbe(probe_); }; });
  }

  CLI::App& app_;
  std::function<int()> run_;
  ServeOptions serve_;
  demo::DemoOptions demo_;
  DemoDurations demo_durations_;
  std::vector<std::string> config_files_;
  bool syntax_only_ = false;
  bool openmetrics_ = false;
  std::vector<std::string> mapping_files_;
  MapCommand map_;
  CheckRulesCommand check_rules_;
  TestRulesCommand test_rules_;
  std::vector<std::string> promql_files_;
  bool naive_ = false;
  QueryCommand query_;
  ProbeCommand probe_;
  std::vector<std::string> suite_files_;
  std::vector<std::string> alertmanager_files_;
  std::string routes_file_;
  std::vector<std::string> route_labels_;
  std::string route_verify_;
};

}  // namespace

int Main(int argc, char** argv) {
  CLI::App app("Sonde: monitoring for LLM inference", "sonde");
  app.require_subcommand(1);
  app.set_version_flag("--version", VersionText());
  const Commands commands(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // CLI11 reports by exception; help and version are "errors" with exit code 0.
    return app.exit(error) == 0 ? 0 : 2;
  }
  return commands.Run();
}

}  // namespace sonde::app
