#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

// The KV cache of a simulated engine: a pool of blocks, as vLLM's paged attention has it. Blocks
// whose contents are a known prefix stay findable after their request ended, until the pool needs
// them (automatic prefix caching).

namespace sonde::demo {

/// The blocks that one request holds, in the order of its tokens.
using BlockList = std::vector<std::uint32_t>;

/// Deterministic; not thread-safe.
class KvCache {
 public:
  KvCache(std::uint32_t blocks, std::uint32_t block_tokens);

  std::uint32_t block_tokens() const { return block_tokens_; }
  std::uint32_t size() const { return static_cast<std::uint32_t>(blocks_.size()); }
  /// Blocks that no request holds; some of them may still be found as prefixes.
  std::uint32_t free() const { return free_count_; }
  double usage() const {
    return 1 - static_cast<double>(free_count_) / static_cast<double>(size());
  }
  /// Blocks for so many tokens.
  std::uint32_t BlocksFor(std::uint64_t tokens) const {
    return static_cast<std::uint32_t>((tokens + block_tokens_ - 1) / block_tokens_);
  }

  /// How many of the prefixes (hash of all tokens up to the end of each block) are in the cache,
  /// from the first on.
  std::size_t FindPrefix(std::span<const std::uint64_t> prefix_hashes) const;
  /// Lets `list`, which must be empty, hold the first `count` of these prefixes' blocks, which must
  /// be there, and `fresh` new ones; false, with nothing done, if there are not enough.
  bool Admit(std::span<const std::uint64_t> prefix_hashes, std::size_t count, std::uint32_t fresh,
             BlockList& list);
  /// Adds new blocks until `list` has `count`; false, with nothing done, if there are not enough.
  bool Grow(BlockList& list, std::uint32_t count);
  /// `block` now holds this prefix.
  void Publish(std::uint32_t block, std::uint64_t prefix_hash);
  /// Gives all blocks back. The end of a sequence is reused first, so that common beginnings live
  /// longest.
  void Release(BlockList& list);

 private:
  static constexpr std::uint32_t kNone = 0xFFFFFFFF;
  struct Block {
    std::uint32_t holders = 0;
    std::uint32_t next = kNone;  // In the list of free blocks.
    std::uint32_t previous = kNone;
    std::uint64_t prefix_hash = 0;
    bool published = false;
  };

  void PushFree(std::uint32_t id);
  void RemoveFree(std::uint32_t id);
  std::uint32_t PopFree();

  const std::uint32_t block_tokens_;
  std::vector<Block> blocks_;
  std::uint32_t first_free_ = kNone;
  std::uint32_t last_free_ = kNone;
  std::uint32_t free_count_ = 0;
  std::unordered_map<std::uint64_t, std::uint32_t> by_prefix_;
};

}  // namespace sonde::demo
