#include "gateway/prefix_table.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/hash.h"

namespace sonde::gateway {
namespace {

/// Mixes a block's hash into that of what stands before it.
std::uint64_t Chain(std::uint64_t before, std::uint64_t block) {
  std::array<char, 16> bytes;
  std::memcpy(bytes.data(), &before, 8);
  std::memcpy(bytes.data() + 8, &block, 8);
  const std::uint64_t hash = Xxh3({bytes.data(), bytes.size()});
  return hash == 0 ? 1 : hash;
}

/// Where the name of a member with this name begins in `body`, or npos. Within a JSON string its
/// quotes would be escaped, so this finds names only (of any object: a guess is enough).
std::size_t FindMember(std::string_view body, std::string_view quoted) {
  std::size_t at = 0;
  while ((at = body.find(quoted, at)) != std::string_view::npos) {
    std::size_t end = at + quoted.size();
    while (end < body.size() && (body[end] == ' ' || body[end] == '\n' || body[end] == '\t'))
      ++end;
    if (end < body.size() && body[end] == ':') return at;
    at += quoted.size();
  }
  return std::string_view::npos;
}

}  // namespace

std::vector<std::uint64_t> PrefixHashes(std::string_view prompt, std::size_t block_bytes,
                                        std::size_t max, std::uint64_t seed) {
  std::vector<std::uint64_t> hashes;
  std::uint64_t hash = seed;
  while (prompt.size() >= block_bytes && hashes.size() < max) {
    hash = Chain(hash, Xxh3(prompt.substr(0, block_bytes)));
    hashes.push_back(hash);
    prompt.remove_prefix(block_bytes);
  }
  return hashes;
}

std::string_view PromptOf(std::string_view body, std::size_t max) {
  body = body.substr(0, max);
  static constexpr std::array<std::string_view, 6> kMembers = {
      "\"messages\"", "\"prompt\"", "\"input\"", "\"system\"", "\"instructions\"", "\"tools\""};
  std::size_t begin = std::string_view::npos;
  for (const std::string_view member : kMembers) {
    begin = std::min(begin, FindMember(body.substr(0, begin), member));
  }
  return begin == std::string_view::npos ? std::string_view() : body.substr(begin);
}

PrefixTable::PrefixTable(std::size_t entries)
    : entries_(std::bit_ceil(std::max(entries, kWays))), buckets_(entries_.size() / kWays) {}

PrefixTable::Entry* PrefixTable::Bucket(std::uint64_t hash) {
  return &entries_[(hash & (buckets_ - 1)) * kWays];
}

PrefixTable::Holders PrefixTable::Find(std::uint64_t hash) {
  MutexLock lock(mutex_);
  Entry* const bucket = Bucket(hash);
  for (Entry* entry = bucket; entry != bucket + kWays; ++entry) {
    if (entry->hash != hash) continue;
    entry->used = ++uses_;
    return entry->holders;
  }
  return {};
}

void PrefixTable::Note(const std::vector<std::uint64_t>& hashes, std::uint64_t holder) {
  MutexLock lock(mutex_);
  for (const std::uint64_t hash : hashes) {
    Entry* const bucket = Bucket(hash);
    Entry* place = bucket;
    for (Entry* entry = bucket; entry != bucket + kWays; ++entry) {
      if (entry->hash == hash) {
        place = entry;
        break;
      }
      if (entry->used < place->used) place = entry;
    }
    if (place->hash != hash) *place = {hash, 0, {}};
    place->used = ++uses_;
    // To the front; the oldest falls off.
    auto* const last = std::find(place->holders.begin(), place->holders.end() - 1, holder);
    std::rotate(place->holders.begin(), last, last + 1);
    place->holders.front() = holder;
  }
}

}  // namespace sonde::gateway
