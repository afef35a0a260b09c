#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/regex.h"
#include "base/result.h"
#include "gateway/measure_options.h"
#include "gateway/outcome.h"

// Goodput: each request is judged as a whole, at its end, by one objective. docs/goodput.md says
// what counts and why.

namespace sonde::gateway {

/// What an objective says of a request.
enum class SloVerdict : unsigned char {
  kNotCounted,  ///< The client's fault, or it left before anything was missed.
  kGood,
  // The reason of the first miss, in the order in which they are looked at.
  kServerError,
  kOverloaded,
  kTimeout,
  kInsufficientBalance,
  kTtft,
  kTpot,
  kE2e,
};
inline constexpr std::size_t kSloVerdicts = 9;
/// "ttft", "server_error", … for a miss; empty for the other two.
std::string_view MissReason(SloVerdict verdict);

/// What was measured of a request. Nanoseconds; negative: there is no such value (an answer in one
/// piece has no first token, one of a single token no time per token).
struct SloFacts {
  Outcome outcome = Outcome::kSuccess;
  bool streaming = false;
  std::int64_t ttft = -1;
  double tpot = -1;
  std::int64_t e2e = 0;  ///< If the client left: until then.
};

/// Pure arithmetic. Success first, then TTFT, TPOT and E2E; a value equal to its limit is kept.
SloVerdict Judge(const SloObjective& objective, const SloFacts& facts);

/// The objectives and input classes in force. Immutable, thread-safe.
class SloTable {
 public:
  /// kInvalid if a name or pattern is wrong, or there are too many.
  static Result<SloTable> Compile(const SloOptions& options);

  /// The class of a request whose prompt has this many tokens.
  const std::string& ClassOf(std::int64_t prompt_tokens) const;
  /// The objective that judges it; null if there is none.
  const SloObjective* Find(std::string_view model, std::string_view tenant,
                           std::string_view input_class) const;
  const SloOptions& options() const { return options_; }

 private:
  struct Patterns {
    std::optional<Regex> model;
    std::optional<Regex> tenant;
  };

  SloOptions options_;
  std::vector<Patterns> patterns_;  // Of each objective.
};

}  // namespace sonde::gateway
