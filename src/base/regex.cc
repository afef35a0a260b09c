#include "base/regex.h"

#include <algorithm>
#include <array>

#include <re2/re2.h>

#include "base/number.h"
#include "base/quote.h"

namespace sonde {
namespace {

constexpr std::size_t kMaxLiterals = 1000;
constexpr std::size_t kMaxGroups = 32;

bool IsMeta(char c) {
  return std::string_view("\\.+*?()|[]{}^$").find(c) != std::string_view::npos;
}

// Expands patterns that stand for a small finite set: literals, escapes of punctuation, groups and
// alternation. Gives up (returns nothing) at anything else.
class LiteralParser {
 public:
  explicit LiteralParser(std::string_view pattern) : rest_(pattern) {}

  std::optional<std::vector<std::string>> Parse() {
    auto set = ParseAlternation(0);
    if (!set || !rest_.empty()) return std::nullopt;
    return set;
  }

 private:
  using Set = std::vector<std::string>;

  std::optional<Set> ParseAlternation(int depth) {
    if (depth > 20) return std::nullopt;
    Set all;
    while (true) {
      auto branch = ParseConcatenation(depth);
      if (!branch) return std::nullopt;
      all.insert(all.end(), branch->begin(), branch->end());
      if (all.size() > kMaxLiterals) return std::nullopt;
      if (rest_.empty() || rest_[0] != '|') return all;
      rest_.remove_prefix(1);
    }
  }

  std::optional<Set> ParseConcatenation(int depth) {
    Set strings{""};
    while (!rest_.empty() && rest_[0] != '|' && rest_[0] != ')') {
      Set next;
      if (rest_[0] == '(') {
        rest_.remove_prefix(1);
        if (rest_.starts_with("?:")) {
          rest_.remove_prefix(2);
        } else if (rest_.starts_with("?")) {
          return std::nullopt;
        }
        auto group = ParseAlternation(depth + 1);
        if (!group || rest_.empty() || rest_[0] != ')') return std::nullopt;
        rest_.remove_prefix(1);
        next = *std::move(group);
      } else {
        char c = rest_[0];
        rest_.remove_prefix(1);
        if (c == '\\') {
          // Only escaped punctuation is itself; \d, \n and the like are not literals here.
          if (rest_.empty() || !(IsMeta(rest_[0]) || rest_[0] == '-' || rest_[0] == '/')) {
            return std::nullopt;
          }
          c = rest_[0];
          rest_.remove_prefix(1);
        } else if (IsMeta(c)) {
          return std::nullopt;
        }
        next.emplace_back(1, c);
      }
      if (!rest_.empty() && std::string_view("*+?{").find(rest_[0]) != std::string_view::npos) {
        return std::nullopt;
      }
      if (strings.size() * next.size() > kMaxLiterals) return std::nullopt;
      strings = Product(strings, next);
    }
    return strings;
  }

  static Set Product(const Set& left, const Set& right) {
    Set product;
    product.reserve(left.size() * right.size());
    for (const std::string& l : left) {
      for (const std::string& r : right) {
        product.push_back(l + r);
      }
    }
    return product;
  }

  std::string_view rest_;
};

bool StripSuffix(std::string_view& s, std::string_view suffix) {
  if (!s.ends_with(suffix)) return false;
  s.remove_suffix(suffix.size());
  return true;
}

bool IsPlain(std::string_view s) {
  return std::ranges::none_of(s, IsMeta);
}

// The literal characters that every match must start with.
std::string LiteralPrefix(std::string_view pattern) {
  std::string prefix;
  // With an alternation at the top level nothing is certain; deeper ones only end the prefix.
  int depth = 0;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '\\') {
      ++i;
    } else if (pattern[i] == '[') {
      // A class; a `]` right after the bracket (or its `^`) is a member.
      if (i + 1 < pattern.size() && pattern[i + 1] == '^') ++i;
      if (i + 1 < pattern.size() && pattern[i + 1] == ']') ++i;
      while (++i < pattern.size() && pattern[i] != ']') {
        if (pattern[i] == '\\') ++i;
        // `[[:alpha:]]`: the inner bracket closes the named class only.
        if (pattern.substr(i).starts_with("[:")) {
          const std::size_t close = pattern.find(":]", i);
          if (close == std::string_view::npos) return prefix;
          i = close + 1;
        }
      }
    } else if (pattern[i] == '(') {
      ++depth;
    } else if (pattern[i] == ')') {
      --depth;
    } else if (pattern[i] == '|' && depth == 0) {
      return prefix;
    }
  }
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    char c = pattern[i];
    if (c == '\\') {
      if (i + 1 >= pattern.size() || !IsMeta(pattern[i + 1])) break;
      c = pattern[++i];
    } else if (IsMeta(c)) {
      break;
    }
    const char next = i + 1 < pattern.size() ? pattern[i + 1] : '\0';
    if (next == '*' || next == '?' || next == '{') {
      // The repetition is of the whole character: do not keep the first bytes of it.
      while (!prefix.empty() && (static_cast<unsigned char>(c) & 0xC0) == 0x80) {
        c = prefix.back();
        prefix.pop_back();
      }
      break;
    }
    prefix.push_back(c);
  }
  return prefix;
}

enum class Shape : unsigned char {
  kGeneral,
  kLiterals,
  kAny,
  kNonEmpty,
  kPrefix,
  kSuffix,
  kContains
};

// Go accepts (?<name>…) since 1.22, RE2 of that age only (?P<name>…).
std::string TranslateNamedGroups(std::string_view pattern) {
  std::string out;
  out.reserve(pattern.size() + 8);
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '\\' && i + 1 < pattern.size()) {
      out.append(pattern.substr(i, 2));
      ++i;
      continue;
    }
    out.push_back(pattern[i]);
    const std::string_view after = pattern.substr(i + 1);
    if (pattern[i] == '(' && after.starts_with("?<") && !after.starts_with("?<=") &&
        !after.starts_with("?<!")) {
      out += "?P";
      ++i;
    }
  }
  return out;
}

bool HasByteEscape(std::string_view pattern) {
  for (std::size_t i = 0; i + 1 < pattern.size(); ++i) {
    if (pattern[i] != '\\') continue;
    if (pattern[i + 1] == 'C') return true;
    ++i;
  }
  return false;
}

// Go's words for what is wrong with a pattern.
std::string_view GoErrorText(RE2::ErrorCode code) {
  switch (code) {
    case RE2::ErrorBadEscape:
      return "invalid escape sequence";
    case RE2::ErrorBadCharClass:
      return "invalid character class";
    case RE2::ErrorBadCharRange:
      return "invalid character class range";
    case RE2::ErrorMissingBracket:
      return "missing closing ]";
    case RE2::ErrorMissingParen:
      return "missing closing )";
    case RE2::ErrorUnexpectedParen:
      return "unexpected )";
    case RE2::ErrorTrailingBackslash:
      return "trailing backslash at end of expression";
    case RE2::ErrorRepeatArgument:
      return "missing argument to repetition operator";
    case RE2::ErrorRepeatSize:
      return "invalid repeat count";
    case RE2::ErrorRepeatOp:
      return "invalid nested repetition operator";
    case RE2::ErrorBadPerlOp:
      return "invalid or unsupported Perl syntax";
    case RE2::ErrorBadUTF8:
      return "invalid UTF-8";
    case RE2::ErrorBadNamedCapture:
      return "invalid named capture";
    case RE2::ErrorPatternTooLarge:
      return "expression too large";
    default:
      return "internal error";
  }
}

Error CompileError(const RE2& re2, std::string_view pattern) {
  const bool names_all = re2.error_code() == RE2::ErrorMissingParen ||
                         re2.error_code() == RE2::ErrorUnexpectedParen ||
                         re2.error_code() == RE2::ErrorPatternTooLarge;
  std::string message = "error parsing regexp: ";
  message.append(GoErrorText(re2.error_code())).append(": `");
  message.append(names_all ? pattern : std::string_view(re2.error_arg())).append("`");
  return Error(ErrorKind::kInvalid, std::move(message));
}

}  // namespace

struct Regex::Program {
  std::string pattern;
  std::unique_ptr<RE2> re2;
  Shape shape = Shape::kGeneral;
  std::vector<std::string> literals;
  std::string literal;  // Of kPrefix, kSuffix and kContains.
  std::string prefix;
  bool non_empty_rest = false;  // `.+` instead of `.*` beside the literal.
};

Result<Regex> Regex::Compile(std::string_view pattern) {
  if (HasByteEscape(pattern)) {
    return Error(ErrorKind::kInvalid, "error parsing regexp: invalid escape sequence: `\\C`");
  }
  auto program = std::make_shared<Program>();
  program->pattern = pattern;
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(16 << 20);
  const std::string translated = TranslateNamedGroups(pattern);
  program->re2 = std::make_unique<RE2>("^(?s:" + translated + ")$", options);
  // The pattern must be one by itself: `a)(b` is only valid between our parentheses. Messages speak
  // of it, too.
  if (!program->re2->ok() || pattern.find(')') != std::string_view::npos) {
    const RE2 alone(translated, options);
    if (!alone.ok()) return CompileError(alone, pattern);
  }
  if (!program->re2->ok()) return CompileError(*program->re2, pattern);
  program->prefix = LiteralPrefix(pattern);
  if (auto set = LiteralParser(pattern).Parse()) {
    std::ranges::sort(*set);
    set->erase(std::unique(set->begin(), set->end()), set->end());
    program->literals = *std::move(set);
    program->shape = Shape::kLiterals;
    return Regex(std::move(program));
  }
  std::string_view rest = pattern;
  if (rest == ".*") {
    program->shape = Shape::kAny;
  } else if (rest == ".+") {
    program->shape = Shape::kNonEmpty;
  } else {
    const bool any_before = rest.starts_with(".*");
    if (any_before) rest.remove_prefix(2);
    const bool some_after = StripSuffix(rest, ".+");
    const bool any_after = !some_after && StripSuffix(rest, ".*");
    if (!IsPlain(rest) || rest.empty() || (any_before && some_after)) {
      return Regex(std::move(program));
    }
    program->literal = rest;
    program->non_empty_rest = some_after;
    if (any_before && any_after) program->shape = Shape::kContains;
    if (any_before && !any_after) program->shape = Shape::kSuffix;
    if (!any_before && (any_after || some_after)) program->shape = Shape::kPrefix;
  }
  return Regex(std::move(program));
}

bool Regex::Matches(std::string_view subject) const {
  const Program& p = *program_;
  switch (p.shape) {
    case Shape::kLiterals:
      return std::binary_search(p.literals.begin(), p.literals.end(), subject, std::less<>());
    case Shape::kAny:
      return true;
    case Shape::kNonEmpty:
      return !subject.empty();
    case Shape::kPrefix:
      return subject.starts_with(p.literal) &&
             (!p.non_empty_rest || subject.size() > p.literal.size());
    case Shape::kSuffix:
      return subject.ends_with(p.literal);
    case Shape::kContains:
      return subject.find(p.literal) != std::string_view::npos;
    case Shape::kGeneral:
      break;
  }
  if (!p.prefix.empty() && !subject.starts_with(p.prefix)) return false;
  return RE2::FullMatch({subject.data(), subject.size()}, *p.re2);
}

std::optional<std::string> Regex::Expand(std::string_view subject,
                                         std::string_view replacement) const {
  const RE2& re2 = *program_->re2;
  const std::size_t groups = std::min<std::size_t>(
      static_cast<std::size_t>(re2.NumberOfCapturingGroups()) + 1, kMaxGroups);
  std::array<re2::StringPiece, kMaxGroups> captures;
  const re2::StringPiece text(subject.data(), subject.size());
  if (!re2.Match(text, 0, text.size(), RE2::ANCHOR_BOTH, captures.data(),
                 static_cast<int>(groups))) {
    return std::nullopt;
  }
  const auto append_group = [&](std::string& out, std::string_view name) {
    std::size_t index = kMaxGroups;
    if (const auto number = ParseUint(name)) {
      index = *number;
    } else {
      const auto& names = re2.NamedCapturingGroups();
      const auto it = names.find(std::string(name));
      if (it != names.end()) index = static_cast<std::size_t>(it->second);
    }
    if (index < groups && captures[index].data() != nullptr) {
      out.append(captures[index].data(), captures[index].size());
    }
  };
  const auto is_word = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  std::string out;
  std::string_view rest = replacement;
  while (!rest.empty()) {
    const std::size_t dollar = rest.find('$');
    out.append(rest.substr(0, dollar));
    if (dollar == std::string_view::npos) break;
    rest.remove_prefix(dollar + 1);
    if (rest.starts_with('$')) {
      out.push_back('$');
      rest.remove_prefix(1);
      continue;
    }
    const bool braced = rest.starts_with('{');
    std::size_t end = braced ? 1 : 0;
    while (end < rest.size() && is_word(rest[end])) {
      ++end;
    }
    const std::string_view name = rest.substr(braced ? 1 : 0, end - (braced ? 1 : 0));
    if (name.empty() || (braced && (end >= rest.size() || rest[end] != '}'))) {
      out.push_back('$');  // Malformed: Go treats it as a raw `$`.
      continue;
    }
    append_group(out, name);
    rest.remove_prefix(end + (braced ? 1 : 0));
  }
  return out;
}

const std::string& Regex::pattern() const {
  return program_->pattern;
}
const std::vector<std::string>& Regex::literals() const {
  return program_->literals;
}
const std::string& Regex::prefix() const {
  return program_->prefix;
}

std::string QuoteRegex(std::string_view literal) {
  std::string out;
  for (const char c : literal) {
    if (IsMeta(c)) out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

}  // namespace sonde
