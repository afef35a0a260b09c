#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "demo/sim_time.h"

// Arrivals from a public trace: trace/azure_conversation_2023.csv, whose head names origin and
// licence.

namespace sonde::demo {

struct TraceRequest {
  SimTime at{0};  ///< From the trace's begin.
  std::uint32_t input_tokens = 0;
  std::uint32_t output_tokens = 0;
};

/// Immutable.
class Trace {
 public:
  /// Parses lines "gap_ms,input,output"; '#' begins a comment. kInvalid names the line.
  static Result<Trace> Parse(std::string_view text);
  /// The one that is linked into the program.
  static Result<Trace> Embedded();

  std::span<const TraceRequest> requests() const { return requests_; }
  /// After this it can begin again.
  SimTime length() const { return length_; }

 private:
  std::vector<TraceRequest> requests_;
  SimTime length_{0};
};

/// Tokens at the beginning of prompts that all requests have in common: the application's system
/// prompt. The trace says nothing about contents, so this is an assumption (docs/demo.md).
inline constexpr std::uint32_t kSharedPromptTokens = 256;

/// A prompt of so many tokens, by the simulated engines' measure (4 bytes are one). At most half of
/// it is the shared beginning; the rest is the same for the same seed.
std::string PromptText(std::uint32_t tokens, std::uint64_t seed);

}  // namespace sonde::demo
