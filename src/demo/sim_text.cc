#include "demo/sim_text.h"

#include <algorithm>
#include <array>

#include "base/hash.h"
#include "base/random.h"

namespace sonde::demo {
namespace {

constexpr std::array<std::string_view, 32> kWords = {
    "the",   "engine", "reads", "each",  "token", "and",     "keeps",  "its",
    "cache", "while",  "a",     "batch", "moves", "through", "layers", "of",
    "quiet", "matrix", "work",  "until", "all",   "experts", "agree",  "on",
    "one",   "more",   "word",  "for",   "this",  "simple",  "test",   "prompt"};

std::string_view Word(Rng& rng) {
  return kWords[rng.Below(kWords.size())];
}

}  // namespace

std::uint32_t CountTokens(std::string_view text) {
  return static_cast<std::uint32_t>(
      std::max<std::size_t>(1, (text.size() + kBytesPerToken - 1) / kBytesPerToken));
}

std::vector<std::uint64_t> PrefixHashes(std::string_view text, std::uint32_t block_tokens) {
  const std::size_t block_bytes = static_cast<std::size_t>(block_tokens) * kBytesPerToken;
  std::vector<std::uint64_t> hashes;
  hashes.reserve(text.size() / block_bytes);
  std::uint64_t hash = 0;
  for (std::size_t at = 0; at + block_bytes <= text.size(); at += block_bytes) {
    hash = (hash ^ Xxh3(text.substr(at, block_bytes))) * 0x9E3779B97F4A7C15ULL;
    hash ^= hash >> 32;
    hashes.push_back(hash);
  }
  return hashes;
}

void AppendWords(std::string& out, std::uint64_t seed, std::size_t bytes) {
  const std::size_t end = out.size() + bytes;
  Rng rng(seed);
  while (out.size() < end) {
    out += Word(rng);
    out += ' ';
  }
  out.resize(end);
}

std::string TokenText(std::uint64_t seed, std::uint32_t index, bool reasoning) {
  if (index == 0) return reasoning ? "[simulated reasoning]" : "[simulated answer]";
  Rng rng(seed + index);
  return " " + std::string(Word(rng));
}

}  // namespace sonde::demo
