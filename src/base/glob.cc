#include "base/glob.h"

#include <filesystem>
#include <utility>

#include "base/utf8.h"

namespace sonde {
namespace {

/// The pattern's item at its start: how long it is, and whether it accepts `rune`.
struct Item {
  std::size_t size = 0;
  bool accepts = false;
};

/// `[…]`; size 0 if it is malformed.
Item MatchSet(std::string_view pattern, char32_t rune) {
  std::size_t at = 1;
  const bool negated = at < pattern.size() && (pattern[at] == '^' || pattern[at] == '!');
  if (negated) ++at;
  bool found = false;
  bool first = true;
  while (at < pattern.size() && (pattern[at] != ']' || first)) {
    first = false;
    auto take = [&]() -> char32_t {
      if (pattern[at] == '\\' && at + 1 < pattern.size()) ++at;
      const DecodedRune decoded = DecodeRune(pattern.substr(at));
      at += decoded.size;
      return decoded.rune;
    };
    const char32_t low = take();
    char32_t high = low;
    if (at + 1 < pattern.size() && pattern[at] == '-' && pattern[at + 1] != ']') {
      ++at;
      high = take();
    }
    if (low <= rune && rune <= high) found = true;
  }
  if (at >= pattern.size()) return {};
  return {at + 1, found != negated};
}

Item MatchItem(std::string_view pattern, char32_t rune) {
  if (pattern[0] == '?') return {1, true};
  if (pattern[0] == '[') return MatchSet(pattern, rune);
  const std::size_t skip = pattern[0] == '\\' && pattern.size() > 1 ? 1 : 0;
  const DecodedRune decoded = DecodeRune(pattern.substr(skip));
  return {skip + decoded.size, decoded.rune == rune};
}

}  // namespace

bool MatchesGlob(std::string_view pattern, std::string_view name) {
  // The last `*` seen, and how much of the name it has taken so far: only it needs to be tried
  // again.
  std::string_view star;
  std::string_view star_name;
  bool has_star = false;
  while (!name.empty() || !pattern.empty()) {
    if (!pattern.empty() && pattern[0] == '*') {
      pattern.remove_prefix(1);
      star = pattern;
      star_name = name;
      has_star = true;
      continue;
    }
    if (!pattern.empty() && !name.empty()) {
      const DecodedRune rune = DecodeRune(name);
      const Item item = MatchItem(pattern, rune.rune);
      if (item.size == 0) return false;
      if (item.accepts) {
        pattern.remove_prefix(item.size);
        name.remove_prefix(rune.size);
        continue;
      }
    }
    if (!has_star || star_name.empty()) return false;
    star_name.remove_prefix(DecodeRune(star_name).size);
    pattern = star;
    name = star_name;
  }
  return true;
}

Result<std::vector<std::string>> ExpandGlob(Env& env, std::string_view pattern) {
  std::vector<std::string> files;
  if (pattern.find_first_of("*?[\\") == std::string_view::npos) {
    if (env.Exists(std::filesystem::path(pattern))) files.emplace_back(pattern);
    return files;
  }
  const std::size_t slash = pattern.rfind('/');
  const std::string_view last =
      slash == std::string_view::npos ? pattern : pattern.substr(slash + 1);
  const std::string_view prefix = pattern.substr(0, pattern.size() - last.size());
  const std::filesystem::path dir =
      prefix.empty() ? std::filesystem::path(".") : std::filesystem::path(prefix);
  if (!env.Exists(dir)) return files;
  for (const DirEntry& entry : TRY(env.ListDir(dir))) {
    if (MatchesGlob(last, entry.name)) files.push_back(std::string(prefix) + entry.name);
  }
  return files;
}

}  // namespace sonde
