#include "demo/kv_cache.h"

#include "base/check.h"

namespace sonde::demo {

KvCache::KvCache(std::uint32_t blocks, std::uint32_t block_tokens)
    : block_tokens_(block_tokens), blocks_(blocks) {
  CHECK(blocks > 0 && block_tokens > 0);
  for (std::uint32_t id = 0; id < blocks; ++id)
    PushFree(id);
}

void KvCache::PushFree(std::uint32_t id) {
  Block& block = blocks_[id];
  block.next = kNone;
  block.previous = last_free_;
  (last_free_ == kNone ? first_free_ : blocks_[last_free_].next) = id;
  last_free_ = id;
  ++free_count_;
}

void KvCache::RemoveFree(std::uint32_t id) {
  Block& block = blocks_[id];
  (block.previous == kNone ? first_free_ : blocks_[block.previous].next) = block.next;
  (block.next == kNone ? last_free_ : blocks_[block.next].previous) = block.previous;
  block.next = kNone;
  block.previous = kNone;
  --free_count_;
}

std::uint32_t KvCache::PopFree() {
  CHECK(first_free_ != kNone);
  const std::uint32_t id = first_free_;
  RemoveFree(id);
  Block& block = blocks_[id];
  if (block.published) {  // Evicted.
    by_prefix_.erase(block.prefix_hash);
    block.published = false;
  }
  block.holders = 1;
  return id;
}

std::size_t KvCache::FindPrefix(std::span<const std::uint64_t> prefix_hashes) const {
  std::size_t found = 0;
  while (found < prefix_hashes.size() && by_prefix_.contains(prefix_hashes[found]))
    ++found;
  return found;
}

bool KvCache::Admit(std::span<const std::uint64_t> prefix_hashes, std::size_t count,
                    std::uint32_t fresh, BlockList& list) {
  CHECK(list.empty());
  std::uint32_t taken_from_free = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (blocks_[by_prefix_.at(prefix_hashes[i])].holders == 0) ++taken_from_free;
  }
  if (free_count_ < taken_from_free + fresh) return false;
  list.reserve(count + fresh);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t id = by_prefix_.at(prefix_hashes[i]);
    if (blocks_[id].holders++ == 0) RemoveFree(id);
    list.push_back(id);
  }
  for (std::uint32_t i = 0; i < fresh; ++i)
    list.push_back(PopFree());
  return true;
}

bool KvCache::Grow(BlockList& list, std::uint32_t count) {
  if (list.size() >= count) return true;
  if (free_count_ < count - list.size()) return false;
  while (list.size() < count)
    list.push_back(PopFree());
  return true;
}

void KvCache::Publish(std::uint32_t id, std::uint64_t prefix_hash) {
  Block& block = blocks_[id];
  if (block.published) return;
  if (!by_prefix_.try_emplace(prefix_hash, id).second)
    return;  // Another block holds the same prefix.
  block.published = true;
  block.prefix_hash = prefix_hash;
}

void KvCache::Release(BlockList& list) {
  for (auto id = list.rbegin(); id != list.rend(); ++id) {
    CHECK(blocks_[*id].holders > 0);
    if (--blocks_[*id].holders == 0) PushFree(*id);
  }
  list.clear();
}

}  // namespace sonde::demo
