#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// Text that means nothing: prompts for the simulated clients, answers of the simulated engines.
// Answers say so.

namespace sonde::demo {

/// The simulated engines' tokenizer: so many bytes are a token.
inline constexpr std::uint32_t kBytesPerToken = 4;

std::uint32_t CountTokens(std::string_view text);

/// For each full block of `block_tokens` tokens, a hash of everything up to its end.
std::vector<std::uint64_t> PrefixHashes(std::string_view text, std::uint32_t block_tokens);

/// Appends exactly `bytes` bytes of words, the same for the same seed.
void AppendWords(std::string& out, std::uint64_t seed, std::size_t bytes);

/// What token `index` of an answer (or of the reasoning before it) adds to the text. The first
/// tokens say that it is simulated.
std::string TokenText(std::uint64_t seed, std::uint32_t index, bool reasoning);

}  // namespace sonde::demo
