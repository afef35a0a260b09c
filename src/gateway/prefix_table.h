#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/mutex.h"

// Which upstream has seen the beginning of a prompt, and so may still have it in its prefix cache.
//
// A prompt is cut into blocks of equal length; the hash of a block includes all before it, so one
// hash stands for a whole beginning. Tokens would be exact, bytes are what a proxy has: caches work
// in blocks of tokens anyway, and a wrong guess costs only what no guess costs.

namespace sonde::gateway {

/// Hashes of the whole blocks at the beginning of `prompt`, one for each length, at most `max`.
/// `seed` separates what cannot share a cache (models).
std::vector<std::uint64_t> PrefixHashes(std::string_view prompt, std::size_t block_bytes,
                                        std::size_t max, std::uint64_t seed);

/// The prompt's beginning within the body of a request: from its first member `messages`, `prompt`,
/// `input`, `system`, `instructions` or `tools` on. Empty if there is none. Looks at no more than
/// the first `max` bytes.
std::string_view PromptOf(std::string_view body, std::size_t max);

/// A bounded memory of hashes and of the last kHolders upstreams that got each. The least recently
/// used of a few goes when there is no room. Thread-safe.
class PrefixTable {
 public:
  static constexpr std::size_t kHolders = 4;
  /// Names of upstreams as hashes; 0: none. The newest first.
  using Holders = std::array<std::uint64_t, kHolders>;

  /// Room for `entries`, rounded up to a power of two; at least kWays.
  explicit PrefixTable(std::size_t entries);

  /// Who has seen the prefix; all 0 if nobody is known.
  Holders Find(std::uint64_t hash) EXCLUDES(mutex_);
  /// `holder` has got a prompt with these prefixes.
  void Note(const std::vector<std::uint64_t>& hashes, std::uint64_t holder) EXCLUDES(mutex_);

 private:
  static constexpr std::size_t kWays = 4;
  struct Entry {
    std::uint64_t hash = 0;  // 0: free.
    std::uint64_t used = 0;
    Holders holders = {};
  };

  Entry* Bucket(std::uint64_t hash) REQUIRES(mutex_);

  Mutex mutex_;
  std::vector<Entry> entries_ GUARDED_BY(mutex_);
  const std::size_t buckets_;
  std::uint64_t uses_ GUARDED_BY(mutex_) = 0;
};

}  // namespace sonde::gateway
