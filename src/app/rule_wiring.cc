#include "app/rule_wiring.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "app/packs.h"
#include "base/duration.h"
#include "base/glob.h"
#include "model/vocabulary_prefix.h"

namespace sonde::app {
namespace {

constexpr std::size_t kMaxThreads = 4;

Status Add(std::string_view text, const std::string& name, const config::RuleFileOptions& options,
           LoadedRules& loaded) {
  config::RuleFile file = TRY(config::ParseRuleFile(text, name, options));
  std::ranges::move(file.groups, std::back_inserter(loaded.groups));
  std::ranges::move(file.warnings, std::back_inserter(loaded.warnings));
  return OkStatus();
}

}  // namespace

Result<LoadedRules> LoadRules(Env& env, const config::Config& config,
                              const promql::ParserOptions& parser, bool packs) {
  LoadedRules loaded;
  config::RuleFileOptions options{.parser = parser};
  for (const EmbeddedFile& pack : PacksFiles()) {
    if (!packs || !config.sonde.rule_packs || !pack.path.starts_with("rules/")) continue;
    const std::string name = "packs/" + std::string(pack.path);
    TRY(Add(WithVocabularyPrefix(pack.contents, config.sonde.vocabulary_prefix), name, options,
            loaded));
  }
  options.legacy_names = config.global.legacy_names;
  std::vector<std::string> seen;
  for (const std::string& pattern : config.rule_files) {
    for (const std::string& name : TRY(ExpandGlob(env, pattern))) {
      if (std::ranges::find(seen, name) != seen.end()) continue;  // Two patterns, one file.
      seen.push_back(name);
      const std::string text = TRY(env.ReadFile(name, config::kMaxRuleFileBytes));
      TRY(Add(text, name, options, loaded));
    }
  }
  return loaded;
}

Result<rules::RunnerOptions> RuleRunnerOptions(const ServeOptions& options, std::string own_url) {
  const auto duration = [](const std::string& text, const char* flag) -> Result<Duration> {
    auto parsed = ParseDuration(text);
    if (!parsed) return std::move(parsed).error().Wrap(flag);
    return parsed;
  };
  rules::RunnerOptions out;
  out.outage_tolerance =
      TRY(duration(options.rules_outage_tolerance, "--rules.alert.for-outage-tolerance"));
  out.grace_period = TRY(duration(options.rules_grace_period, "--rules.alert.for-grace-period"));
  out.resend_delay = TRY(duration(options.rules_resend_delay, "--rules.alert.resend-delay"));
  out.external_url = options.external_url.empty() ? std::move(own_url) : options.external_url;
  while (out.external_url.ends_with('/'))
    out.external_url.pop_back();
  return out;
}

RuleWiring::RuleWiring(Context context)
    : env_(context.env),
      logger_(context.logger.With("rules")),
      packs_(context.packs),
      options_(std::move(context.options)),
      query_(context.store, context.evaluator, std::move(context.eval), context.parser, &cancel_),
      runner_({.query = query_,
               .store = context.store,
               .clock = context.clock,
               .logger = logger_,
               .alerts = std::move(context.alerts)},
              context.registry,
              std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, kMaxThreads)) {}

Result<LoadedRules> RuleWiring::Load(const config::Config& config) const {
  return LoadRules(env_, config, query_.parser(), packs_);
}

Status RuleWiring::Apply(LoadedRules loaded, const config::Config& config) {
  for (const std::string& warning : loaded.warnings)
    logger_.Warn("rule file", {{"warning", warning}});
  rules::RunnerOptions options = options_;
  options.interval = config.global.evaluation_interval;
  options.query_offset = config.global.rule_query_offset;
  options.external_labels = config.global.external_labels;
  return runner_.Apply(std::move(loaded.groups), options);
}

}  // namespace sonde::app
