#pragma once

#include <cstdint>
#include <optional>

namespace sonde::gateway {

/// Token counts as an engine reports them at the end of an answer, or with every chunk of it. Each
/// field that is absent was never reported.
struct Usage {
  std::optional<std::int64_t> prompt;      ///< All prompt tokens, cached ones included.
  std::optional<std::int64_t> cached;      ///< Of these, served from a prefix cache.
  std::optional<std::int64_t> completion;  ///< All generated tokens, reasoning included.
  std::optional<std::int64_t> reasoning;   ///< Of these, reasoning.

  bool operator==(const Usage&) const = default;
  bool empty() const { return !prompt && !cached && !completion && !reasoning; }
  /// What `newer` reports replaces what was reported before.
  void Update(const Usage& newer) {
    if (newer.prompt) prompt = newer.prompt;
    if (newer.cached) cached = newer.cached;
    if (newer.completion) completion = newer.completion;
    if (newer.reasoning) reasoning = newer.reasoning;
  }
};

}  // namespace sonde::gateway
