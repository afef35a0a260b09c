#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "promql/ast.h"

// Cuts a query into tokens. The lexer knows more than usual: whether it stands inside braces or
// brackets decides what a character means there, and its error messages are the reference's.

namespace sonde::promql {

enum class TokenKind : std::uint8_t {
  kEnd,    ///< End of input.
  kError,  ///< Lexer::error() holds the message; `position.start` says where.
  // Punctuation.
  kEqual,
  kColon,
  kComma,
  kLeftBrace,
  kRightBrace,
  kLeftBracket,
  kRightBracket,
  kLeftParen,
  kRightParen,
  // Words.
  kIdentifier,        ///< Without a colon.
  kMetricIdentifier,  ///< With a colon.
  kNumber,
  kDuration,
  kString,
  // Operators, in the order of BinaryOp from kAdd on.
  kAdd,
  kSub,
  kMul,
  kDiv,
  kMod,
  kPow,
  kAtan2,
  kEqualEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kTrimUpper,
  kTrimLower,
  kAnd,
  kOr,
  kUnless,
  kEqualRegex,
  kNotEqualRegex,
  kAt,
  // Aggregations, in the order of AggregateOp.
  kSum,
  kAvg,
  kMin,
  kMax,
  kCount,
  kGroup,
  kStddev,
  kStdvar,
  kTopk,
  kBottomk,
  kQuantile,
  kCountValues,
  kLimitk,
  kLimitRatio,
  // Keywords.
  kBool,
  kBy,
  kGroupLeft,
  kGroupRight,
  kFill,
  kFillLeft,
  kFillRight,
  kIgnoring,
  kOffset,
  kSmoothed,
  kAnchored,
  kOn,
  kWithout,
  // Functions with a syntax of their own.
  kStart,
  kEndFunction,
  kStep,
  kRange,
  kMaxOf,
  kMinOf,
};

constexpr bool IsOperator(TokenKind kind) {
  return kind >= TokenKind::kAdd && kind <= TokenKind::kAt;
}
constexpr bool IsBinaryOperator(TokenKind kind) {
  return kind >= TokenKind::kAdd && kind <= TokenKind::kUnless;
}
constexpr bool IsAggregation(TokenKind kind) {
  return kind >= TokenKind::kSum && kind <= TokenKind::kLimitRatio;
}
constexpr bool IsKeyword(TokenKind kind) {
  return kind >= TokenKind::kBool && kind <= TokenKind::kWithout;
}

struct Token {
  TokenKind kind = TokenKind::kEnd;
  PositionRange position;
  std::string_view text;  ///< As written, with quotes; borrowed from the query.
};

/// How messages name a token: `identifier "foo"`, `<op:+>`, `end of input`.
std::string Describe(const Token& token);

/// The value of a number: an integer as Go writes it (0x1F, 0755, 1_000) or a float. Nothing if it
/// is neither or overflows.
std::optional<double> ParseNumberLiteral(std::string_view text);

/// Reads one query from front to back. Comments are skipped. Not thread-safe; `query` must outlive
/// it.
class Lexer {
 public:
  explicit Lexer(std::string_view query) : query_(query) {}

  /// The next token. After kError and kEnd it keeps returning the same.
  Token Next();

  /// The message of the kError token.
  const std::string& error() const { return error_; }

 private:
  static constexpr char32_t kEof = 0xFFFFFFFF;

  char32_t Peek() const;
  char32_t Read();
  bool Accept(std::string_view set);
  void AcceptAll(std::string_view set);
  bool At(std::string_view set) const;
  void SkipSpace();

  Token Make(TokenKind kind);
  Token Fail(std::string message);
  Token FailAt(char32_t rune, std::string_view before, std::string_view after = "");

  Token LexTopLevel();
  Token LexPunctuation(char32_t rune);
  Token LexComparison(char32_t rune);
  Token LexInsideBraces();
  Token LexInsideBrackets();
  Token LexWordInBrackets(char32_t rune);
  Token LexNumberOrDuration();
  Token LexString(char quote);
  bool LexEscape(char quote);
  Token LexWord();
  Token LexLeftBracket();
  Token LexRightParen();

  bool ScanNumber();
  bool ScanDuration();
  bool FollowedByLeftParen() const;
  void SkipComment();

  std::string_view query_;
  std::size_t at_ = 0;
  std::size_t start_ = 0;  // Where the token that is being read begins.
  std::string error_;
  Token last_;
  int paren_depth_ = 0;
  bool in_braces_ = false;
  bool in_brackets_ = false;
  bool duration_begins_ =
      false;  // Right after `[`, or after an operator there: only a duration can follow.
  bool got_colon_ = false;
  bool got_duration_ = false;
  bool done_ = false;
};

}  // namespace sonde::promql
