#include "base/regex_search.h"

#include <array>
#include <cstddef>
#include <vector>

#include <re2/re2.h>

#include "base/number.h"
#include "base/regex.h"

namespace sonde {
namespace {

constexpr std::size_t kMaxGroups = 32;

/// A piece of a replacement: a text, or a group of the match.
struct Piece {
  std::string text;
  int group = -1;
};

bool IsWord(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/// The group that `name` stands for; kMaxGroups if there is none.
int GroupOf(const RE2& re2, std::string_view name) {
  if (const auto number = ParseUint(name)) {
    return static_cast<int>(*number < kMaxGroups ? *number : kMaxGroups);
  }
  const auto& names = re2.NamedCapturingGroups();
  const auto it = names.find(std::string(name));
  return it == names.end() ? static_cast<int>(kMaxGroups) : it->second;
}

std::vector<Piece> ParseReplacement(const RE2& re2, std::string_view rest) {
  std::vector<Piece> pieces(1);
  while (!rest.empty()) {
    const std::size_t dollar = rest.find('$');
    pieces.back().text.append(rest.substr(0, dollar));
    if (dollar == std::string_view::npos) break;
    rest.remove_prefix(dollar + 1);
    const bool braced = rest.starts_with('{');
    std::size_t end = braced ? 1 : 0;
    while (end < rest.size() && IsWord(rest[end]))
      ++end;
    const std::string_view name = rest.substr(braced ? 1 : 0, end - (braced ? 1 : 0));
    if (rest.starts_with('$')) {
      pieces.back().text += '$';
      rest.remove_prefix(1);
    } else if (name.empty() || (braced && (end >= rest.size() || rest[end] != '}'))) {
      pieces.back().text += '$';  // Malformed: Go treats it as a raw `$`.
    } else {
      pieces.push_back({"", GroupOf(re2, name)});
      pieces.emplace_back();
      rest.remove_prefix(end + (braced ? 1 : 0));
    }
  }
  return pieces;
}

/// The compiled pattern; only its errors come from Regex, so that messages are the same everywhere.
Result<std::unique_ptr<RE2>> Compile(std::string_view pattern) {
  if (const auto anchored = Regex::Compile(pattern); !anchored) return anchored.error();
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(16 << 20);
  std::string translated(pattern);
  for (std::size_t at = 0; (at = translated.find("(?<", at)) != std::string::npos; at += 4) {
    if (at == 0 || translated[at - 1] != '\\') translated.insert(at + 2, "P");
  }
  auto re2 = std::make_unique<RE2>(translated, options);
  if (!re2->ok()) {
    return Error(ErrorKind::kInvalid,
                 "error parsing regexp: " + re2->error() + ": `" + std::string(pattern) + "`");
  }
  return re2;
}

}  // namespace

Result<bool> ContainsMatch(std::string_view pattern, std::string_view text) {
  const auto re2 = TRY(Compile(pattern));
  return RE2::PartialMatch({text.data(), text.size()}, *re2);
}

Result<std::string> ReplaceAllMatches(std::string_view pattern, std::string_view text,
                                      std::string_view replacement, std::size_t max_bytes) {
  const auto re2 = TRY(Compile(pattern));
  const std::vector<Piece> pieces = ParseReplacement(*re2, replacement);
  const auto groups = std::min<std::size_t>(
      static_cast<std::size_t>(re2->NumberOfCapturingGroups()) + 1, kMaxGroups);
  const re2::StringPiece subject(text.data(), text.size());
  std::array<re2::StringPiece, kMaxGroups> captures;
  std::string out;
  std::size_t copied = 0;  // Of the text.
  for (std::size_t at = 0; at <= text.size();) {
    if (!re2->Match(subject, at, text.size(), RE2::UNANCHORED, captures.data(),
                    static_cast<int>(groups))) {
      break;
    }
    const auto begin = static_cast<std::size_t>(captures[0].data() - text.data());
    const std::size_t end = begin + captures[0].size();
    const bool after_match = begin == end && begin == copied && copied > 0 && at > 0 &&
                             at == copied;  // Empty, right behind the match before: none.
    if (!after_match) {
      out.append(text.substr(copied, begin - copied));
      for (const Piece& piece : pieces) {
        out += piece.text;
        const auto group = static_cast<std::size_t>(
            piece.group < 0 ? kMaxGroups : static_cast<std::size_t>(piece.group));
        if (group < groups && captures[group].data() != nullptr)
          out.append(captures[group].data(), captures[group].size());
      }
      copied = end;
    }
    at = end > at ? end : at + 1;
    while (begin == end && at < text.size() &&
           (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80)
      ++at;  // Never inside a character.
    if (out.size() > max_bytes) {
      return Error(ErrorKind::kLimit,
                   "the replaced text is longer than " + std::to_string(max_bytes) + " bytes");
    }
  }
  out.append(text.substr(copied));
  return out;
}

}  // namespace sonde
