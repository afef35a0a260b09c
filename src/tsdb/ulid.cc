#include "tsdb/ulid.h"

namespace sonde::tsdb {
namespace {

constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr std::size_t kTextSize = 26;

}  // namespace

Ulid Ulid::Make(Timestamp now, Rng& rng) {
  Ulid id;
  const auto ms = static_cast<std::uint64_t>(now.ms);
  const std::uint64_t high = rng.Next();
  const std::uint64_t low = rng.Next();
  for (std::size_t i = 0; i < 16; ++i) {
    if (i < 6) id.bytes_[i] = static_cast<std::uint8_t>(ms >> (40 - 8 * i));
    if (i >= 6 && i < 14) id.bytes_[i] = static_cast<std::uint8_t>(high >> (56 - 8 * (i - 6)));
    if (i >= 14) id.bytes_[i] = static_cast<std::uint8_t>(low >> (8 * (15 - i)));
  }
  return id;
}

std::optional<Ulid> Ulid::Parse(std::string_view text) {
  if (text.size() != kTextSize) return std::nullopt;
  Ulid id;
  // 26 characters are 130 bits: the first one holds only three.
  unsigned bits = 0;
  unsigned have = 0;
  std::size_t byte = 0;
  for (std::size_t i = 0; i < kTextSize; ++i) {
    const char c =
        text[i] >= 'a' && text[i] <= 'z' ? static_cast<char>(text[i] - 'a' + 'A') : text[i];
    const std::size_t value = kAlphabet.find(c);
    if (value == std::string_view::npos || (i == 0 && value > 7)) return std::nullopt;
    bits = (bits << 5) | static_cast<unsigned>(value);
    have += i == 0 ? 3 : 5;
    if (have < 8) continue;
    have -= 8;
    id.bytes_[byte++] = static_cast<std::uint8_t>(bits >> have);
  }
  return id;
}

std::string Ulid::ToString() const {
  std::string text;
  unsigned bits = 0;
  unsigned have = 2;  // Two zero bits in front make 130.
  for (const std::uint8_t byte : bytes_) {
    bits = (bits << 8) | byte;
    have += 8;
    while (have >= 5) {
      have -= 5;
      text.push_back(kAlphabet[(bits >> have) & 31]);
    }
  }
  return text;
}

Timestamp Ulid::time() const {
  std::int64_t ms = 0;
  for (std::size_t i = 0; i < 6; ++i) {
    ms = (ms << 8) | bytes_[i];
  }
  return {ms};
}

}  // namespace sonde::tsdb
