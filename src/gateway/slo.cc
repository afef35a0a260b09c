#include "gateway/slo.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/check.h"
#include "base/quote.h"

namespace sonde::gateway {
namespace {

/// Nanoseconds; 0 if there is no limit.
std::int64_t Nanos(Duration limit) {
  return limit.count() * 1'000'000;
}

/// The first latency that was missed, or kGood. `left`: the client did not wait for the end, so a
/// first token that has not come counts by how long it was waited for.
SloVerdict JudgeLatency(const SloObjective& objective, const SloFacts& facts, bool left) {
  const std::int64_t first = facts.ttft < 0 && left ? facts.e2e : facts.ttft;
  if (facts.streaming && objective.ttft > Duration(0) && first > Nanos(objective.ttft))
    return SloVerdict::kTtft;
  if (objective.tpot > Duration(0) && facts.tpot > static_cast<double>(Nanos(objective.tpot)))
    return SloVerdict::kTpot;
  if (objective.e2e > Duration(0) && facts.e2e > Nanos(objective.e2e)) return SloVerdict::kE2e;
  return SloVerdict::kGood;
}

Result<std::optional<Regex>> CompilePattern(const std::string& pattern, const std::string& where) {
  if (pattern.empty()) return std::optional<Regex>();
  auto regex = Regex::Compile(pattern);
  if (!regex) return std::move(regex).error().Wrap(where + ": " + QuoteGo(pattern));
  return std::optional<Regex>(*std::move(regex));
}

Status CheckClasses(const std::vector<InputClass>& classes) {
  if (classes.empty() || classes.size() > SloOptions::kMaxInputClasses) {
    return Error(ErrorKind::kInvalid, "slo: there must be 1 to " +
                                          std::to_string(SloOptions::kMaxInputClasses) +
                                          " input classes");
  }
  for (std::size_t i = 0; i + 1 < classes.size(); ++i) {
    if (classes[i].max_prompt_tokens >= classes[i + 1].max_prompt_tokens) {
      return Error(ErrorKind::kInvalid, "slo: input class " + QuoteGo(classes[i + 1].name) +
                                            " must be of longer prompts than the one before it");
    }
  }
  return OkStatus();
}

}  // namespace

std::string_view MissReason(SloVerdict verdict) {
  switch (verdict) {
    case SloVerdict::kNotCounted:
    case SloVerdict::kGood:
      return "";
    case SloVerdict::kServerError:
      return "server_error";
    case SloVerdict::kOverloaded:
      return "overloaded";
    case SloVerdict::kTimeout:
      return "timeout";
    case SloVerdict::kInsufficientBalance:
      return "insufficient_balance";
    case SloVerdict::kTtft:
      return "ttft";
    case SloVerdict::kTpot:
      return "tpot";
    case SloVerdict::kE2e:
      return "e2e";
  }
  return "";
}

SloVerdict Judge(const SloObjective& objective, const SloFacts& facts) {
  switch (facts.outcome) {
    case Outcome::kSuccess:
      return JudgeLatency(objective, facts, false);
    case Outcome::kClientError:
      return SloVerdict::kNotCounted;
    case Outcome::kCancelled: {
      const SloVerdict verdict = JudgeLatency(objective, facts, true);
      return verdict == SloVerdict::kGood ? SloVerdict::kNotCounted : verdict;
    }
    case Outcome::kServerError:
      return SloVerdict::kServerError;
    case Outcome::kOverloaded:
      return SloVerdict::kOverloaded;
    case Outcome::kTimeout:
      return SloVerdict::kTimeout;
    case Outcome::kInsufficientBalance:
      return SloVerdict::kInsufficientBalance;
  }
  return SloVerdict::kNotCounted;
}

Result<SloTable> SloTable::Compile(const SloOptions& options) {
  TRY(CheckClasses(options.input_classes));
  if (options.objectives.size() > SloOptions::kMaxObjectives) {
    return Error(ErrorKind::kLimit, "slo: there are " + std::to_string(options.objectives.size()) +
                                        " objectives, at most " +
                                        std::to_string(SloOptions::kMaxObjectives) +
                                        " are allowed");
  }
  SloTable table;
  table.options_ = options;
  // The last class takes what no other does.
  table.options_.input_classes.back().max_prompt_tokens = std::numeric_limits<std::int64_t>::max();
  std::set<std::string> names;
  for (const SloObjective& objective : options.objectives) {
    const std::string where = "slo objective " + QuoteGo(objective.name);
    if (objective.name.empty() || !names.insert(objective.name).second)
      return Error(ErrorKind::kInvalid, where + ": names must differ and not be empty");
    if (!(objective.target > 0 && objective.target < 1))
      return Error(ErrorKind::kInvalid, where + ": target must lie between 0 and 1");
    for (const std::string& name : objective.input_classes) {
      const bool known = std::ranges::any_of(options.input_classes,
                                             [&](const InputClass& c) { return c.name == name; });
      if (!known)
        return Error(ErrorKind::kInvalid, where + ": no input class is called " + QuoteGo(name));
    }
    Patterns patterns;
    patterns.model = TRY(CompilePattern(objective.model, where + ": model"));
    patterns.tenant = TRY(CompilePattern(objective.tenant, where + ": tenant"));
    table.patterns_.push_back(std::move(patterns));
  }
  return table;
}

const std::string& SloTable::ClassOf(std::int64_t prompt_tokens) const {
  for (const InputClass& c : options_.input_classes) {
    if (prompt_tokens <= c.max_prompt_tokens) return c.name;
  }
  return options_.input_classes.back().name;
}

const SloObjective* SloTable::Find(std::string_view model, std::string_view tenant,
                                   std::string_view input_class) const {
  for (std::size_t i = 0; i < options_.objectives.size(); ++i) {
    const SloObjective& objective = options_.objectives[i];
    const Patterns& patterns = patterns_[i];
    if (patterns.model && !patterns.model->Matches(model)) continue;
    if (patterns.tenant && !patterns.tenant->Matches(tenant)) continue;
    const auto& classes = objective.input_classes;
    if (!classes.empty() && std::ranges::find(classes, input_class) == classes.end()) continue;
    return &objective;
  }
  return nullptr;
}

}  // namespace sonde::gateway
