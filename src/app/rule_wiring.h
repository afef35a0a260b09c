#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/serve_options.h"
#include "base/clock.h"
#include "base/env.h"
#include "base/log.h"
#include "base/result.h"
#include "config/config.h"
#include "config/rule_file.h"
#include "instrument/registry.h"
#include "promql/engine.h"
#include "rules/runner.h"
#include "storage/storage.h"

namespace sonde::app {

/// The rule files that a configuration names, and those that ship (`packs/rules/…`, with the
/// configured prefix in place of `deepseek_`; none of these without `packs`). Errors name file,
/// line and column.
struct LoadedRules {
  std::vector<rules::GroupOptions> groups;
  std::vector<std::string> warnings;
};
Result<LoadedRules> LoadRules(Env& env, const config::Config& config,
                              const promql::ParserOptions& parser, bool packs);

/// What the command line says of rules. `own_url` stands where there is no --web.external-url.
Result<rules::RunnerOptions> RuleRunnerOptions(const ServeOptions& options, std::string own_url);

/// Rules as `sonde serve` runs them. Start once; Stop is idempotent. All references must outlive
/// it. Thread-safe.
class RuleWiring {
 public:
  struct Context {
    Env& env;
    storage::Storage& store;
    const promql::Evaluator& evaluator;
    const Clock& clock;
    const Logger& logger;
    instrument::Registry& registry;
    promql::EvalOptions eval;
    promql::ParserOptions parser;
    bool packs;                    ///< As LoadRules.
    rules::RunnerOptions options;  ///< What the command line says; the rest comes from the file.
    rules::AlertSink alerts;       ///< Who routes and notifies; null: nobody.
  };

  explicit RuleWiring(Context context);

  /// Reads the files; nothing of what runs changes.
  Result<LoadedRules> Load(const config::Config& config) const;
  Status Apply(LoadedRules loaded, const config::Config& config);
  void Start() { runner_.Start(); }
  /// A query under way is cancelled.
  void Stop() {
    cancel_.Cancel();
    runner_.Stop();
  }

  std::vector<rules::GroupView> groups() const { return runner_.groups(); }

 private:
  Env& env_;
  const Logger logger_;
  const bool packs_;
  const rules::RunnerOptions options_;
  promql::CancelFlag cancel_;
  const rules::InstantQuery query_;
  rules::Runner runner_;
};

}  // namespace sonde::app
