#include "gateway/api_keys.h"

#include <algorithm>
#include <utility>

#include "base/hash.h"

namespace sonde::gateway {
namespace {

using Digest = std::array<unsigned char, 32>;

std::optional<unsigned char> HexDigit(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned char>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned char>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<unsigned char>(c - 'A' + 10);
  return std::nullopt;
}

std::optional<Digest> ParseDigest(std::string_view hex) {
  Digest digest;
  if (hex.size() != 2 * digest.size()) return std::nullopt;
  for (std::size_t i = 0; i < digest.size(); ++i) {
    const auto high = HexDigit(hex[2 * i]);
    const auto low = HexDigit(hex[2 * i + 1]);
    if (!high || !low) return std::nullopt;
    digest[i] = static_cast<unsigned char>((*high << 4) | *low);
  }
  return digest;
}

Digest DigestOf(std::string_view key) {
  return ParseDigest(Sha256Hex(key)).value_or(Digest{});
}

/// In a time that depends on nothing but the length.
bool Same(const Digest& a, const Digest& b) {
  unsigned difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference |= static_cast<unsigned>(a[i] ^ b[i]);
  }
  return difference == 0;
}

/// The first 16 bytes, by which keys are found.
bool Before(const Digest& a, const Digest& b) {
  return std::lexicographical_compare(a.begin(), a.begin() + 16, b.begin(), b.begin() + 16);
}

std::string_view TakeWord(std::string_view& line) {
  constexpr std::string_view kSpaces = " \t\r";
  const std::size_t begin = std::min(line.find_first_not_of(kSpaces), line.size());
  line.remove_prefix(begin);
  const std::string_view word = line.substr(0, line.find_first_of(kSpaces));
  line.remove_prefix(word.size());
  return word;
}

}  // namespace

bool IsTenantName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxTenantName && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._:@/-").find(c) != std::string_view::npos;
  });
}

Result<std::vector<ApiKey>> ParseKeyFile(std::string_view text) {
  std::vector<ApiKey> keys;
  std::size_t number = 0;
  const auto failed = [&](const std::string& why) {
    return Error(ErrorKind::kInvalid, "line " + std::to_string(number) + ": " + why);
  };
  while (!text.empty()) {
    ++number;
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const std::string_view tenant = TakeWord(line);
    if (tenant.empty() || tenant.front() == '#') continue;
    const std::string_view key = TakeWord(line);
    const std::string_view more = TakeWord(line);
    if (key.empty() || (!more.empty() && more.front() != '#')) {
      return failed("expected a tenant and a key, separated by a space");
    }
    if (!IsTenantName(tenant)) {
      return failed("a tenant's name has at most 64 letters, digits and ._:@/-");
    }
    ApiKey entry;
    entry.tenant = tenant;
    constexpr std::string_view kDigest = "sha256:";
    if (key.starts_with(kDigest)) {
      const auto digest = ParseDigest(key.substr(kDigest.size()));
      if (!digest) return failed("sha256: must be followed by 64 hexadecimal digits");
      entry.sha256 = *digest;
    } else {
      if (key.size() < 8) return failed("a key has at least 8 characters");
      entry.sha256 = DigestOf(key);
    }
    if (keys.size() == kMaxApiKeys) {
      return failed("more than " + std::to_string(kMaxApiKeys) + " keys");
    }
    keys.push_back(std::move(entry));
  }
  std::vector<const ApiKey*> sorted;
  sorted.reserve(keys.size());
  for (const ApiKey& key : keys)
    sorted.push_back(&key);
  std::ranges::sort(sorted, [](const ApiKey* a, const ApiKey* b) { return a->sha256 < b->sha256; });
  for (std::size_t i = 1; i < sorted.size(); ++i) {
    if (sorted[i - 1]->sha256 == sorted[i]->sha256) {
      return Error(ErrorKind::kInvalid, "one key stands twice, for " + sorted[i - 1]->tenant +
                                            " and for " + sorted[i]->tenant);
    }
  }
  return keys;
}

KeyTable::KeyTable(std::vector<ApiKey> keys) : keys_(std::move(keys)) {
  std::ranges::sort(keys_, [](const ApiKey& a, const ApiKey& b) { return a.sha256 < b.sha256; });
}

std::optional<std::string_view> KeyTable::Find(std::string_view key) const {
  const Digest digest = DigestOf(key);
  auto it = std::lower_bound(keys_.begin(), keys_.end(), digest,
                             [](const ApiKey& a, const Digest& b) { return Before(a.sha256, b); });
  for (; it != keys_.end() && !Before(digest, it->sha256); ++it) {
    if (Same(it->sha256, digest)) return it->tenant;
  }
  return std::nullopt;
}

PresentedKey KeyOf(const net::Headers& headers) {
  for (const auto& [name, value] : headers) {
    if (net::EqualsIgnoringCase(name, "Authorization")) {
      constexpr std::string_view kBearer = "Bearer ";
      if (value.size() <= kBearer.size() ||
          !net::EqualsIgnoringCase(value.substr(0, kBearer.size()), kBearer)) {
        continue;
      }
      std::string_view key = value.substr(kBearer.size());
      while (key.starts_with(' '))
        key.remove_prefix(1);
      return {name, key};
    }
    if (net::EqualsIgnoringCase(name, "x-api-key") || net::EqualsIgnoringCase(name, "api-key")) {
      if (!value.empty()) return {name, value};
    }
  }
  return {};
}

}  // namespace sonde::gateway
