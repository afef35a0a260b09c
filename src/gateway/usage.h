#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sonde::gateway {

/// Two numbers of one report that contradict each other.
enum class UsageFault : unsigned char {
  kCacheSum,   ///< Cache hits and misses do not add up to the prompt.
  kCached,     ///< More tokens from the cache than the prompt has.
  kReasoning,  ///< More reasoning than was generated.
  kTotal,      ///< Prompt and completion do not add up to the total.
};
inline constexpr std::size_t kUsageFaults = 4;

constexpr std::string_view ToString(UsageFault fault) {
  constexpr std::array<std::string_view, kUsageFaults> kNames = {"cache_sum", "cached", "reasoning",
                                                                 "total"};
  return kNames[static_cast<std::size_t>(fault)];
}

/// Token counts as an engine reports them at the end of an answer, or with every chunk of it. Each
/// field that is absent was never reported.
struct Usage {
  std::optional<std::int64_t> prompt;      ///< All prompt tokens, cached ones included.
  std::optional<std::int64_t> cached;      ///< Of these, served from a prefix cache.
  std::optional<std::int64_t> uncached;    ///< Of these, computed; only DeepSeek says it.
  std::optional<std::int64_t> completion;  ///< All generated tokens, reasoning included.
  std::optional<std::int64_t> reasoning;   ///< Of these, reasoning.
  std::optional<std::int64_t> total;       ///< Prompt and completion.

  bool operator==(const Usage&) const = default;
  bool empty() const { return !prompt && !cached && !completion && !reasoning; }
  /// What `newer` reports replaces what was reported before.
  void Update(const Usage& newer) {
    if (newer.prompt) prompt = newer.prompt;
    if (newer.cached) cached = newer.cached;
    if (newer.uncached) uncached = newer.uncached;
    if (newer.completion) completion = newer.completion;
    if (newer.reasoning) reasoning = newer.reasoning;
    if (newer.total) total = newer.total;
  }
  /// Whether what was reported contradicts itself in this way.
  bool Has(UsageFault fault) const {
    switch (fault) {
      case UsageFault::kCacheSum:
        return prompt && cached && uncached && *cached + *uncached != *prompt;
      case UsageFault::kCached:
        return prompt && cached && *cached > *prompt;
      case UsageFault::kReasoning:
        return completion && reasoning && *reasoning > *completion;
      case UsageFault::kTotal:
        return prompt && completion && total && *prompt + *completion != *total;
    }
    return false;
  }
  /// Prompt tokens that came from a cache: as reported, but never more than the prompt has.
  std::optional<std::int64_t> CachedPrompt() const {
    if (cached && prompt && *cached > *prompt) return prompt;
    return cached;
  }
};

}  // namespace sonde::gateway
