#pragma once

#include <cstddef>
#include <string_view>

namespace sonde::gateway {

class StreamMeter;

/// How a request ended. docs/vocabulary.md says which case is which.
enum class Outcome : unsigned char {
  kSuccess,
  kClientError,
  kServerError,
  kOverloaded,
  kCancelled,
  kTimeout,
  kInsufficientBalance,  ///< The hosted API wants money: 402.
};
inline constexpr std::size_t kOutcomes = 7;
std::string_view ToString(Outcome outcome);

/// The outcome that a status alone means.
Outcome OutcomeOfStatus(int status);

/// The outcome of an answer that came to its end, by its status and by what it said. `meter` may be
/// null.
Outcome OutcomeOfAnswer(int status, const StreamMeter* meter);

}  // namespace sonde::gateway
