#include "promql/printer.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "base/duration.h"
#include "base/number.h"
#include "base/quote.h"
#include "model/names.h"
#include "promql/functions.h"

namespace sonde::promql {
namespace {

bool TakesParameter(AggregateOp op) {
  return op >= AggregateOp::kTopk;
}

bool IsGrouped(MatchCardinality cardinality) {
  return cardinality == MatchCardinality::kManyToOne || cardinality == MatchCardinality::kOneToMany;
}

/// Writes an expression on one line. If asked, notes how long each node's text is.
class Printer {
 public:
  using Lengths = std::unordered_map<const Expr*, std::size_t>;

  explicit Printer(std::string& out, Lengths* lengths = nullptr) : out_(out), lengths_(lengths) {}

  void Print(const Expr& expr);
  void PrintAggregateHead(const AggregateExpr& aggregate);
  void PrintOperator(const BinaryExpr& binary);
  void PrintSubqueryTail(const SubqueryExpr& subquery);
  void PrintDuration(const DurationExpr& duration);

 private:
  void PrintNode(const Expr& expr);
  void PrintBinary(const BinaryExpr& binary);
  void PrintSelector(const VectorSelector& selector);
  void PrintNameAndMatchers(const VectorSelector& selector);
  void PrintMatrix(const MatrixSelector& matrix);
  void PrintNumber(const NumberExpr& number);
  void PrintLabels(const std::vector<std::string>& labels);
  void PrintLength(const RangeLength& length);
  void PrintAt(const AtModifier& at);
  void PrintOffset(const OffsetModifier& offset);
  void PrintExtended(const VectorSelector& selector);
  void Note(const Expr& expr, std::size_t begin);

  std::string& out_;
  Lengths* lengths_;
};

void Printer::Note(const Expr& expr, std::size_t begin) {
  if (lengths_ != nullptr) lengths_->emplace(&expr, out_.size() - begin);
}

void Printer::Print(const Expr& expr) {
  const std::size_t begin = out_.size();
  PrintNode(expr);
  Note(expr, begin);
}

void Printer::PrintNode(const Expr& expr) {
  switch (expr.kind) {
    case ExprKind::kNumber:
      return PrintNumber(As<NumberExpr>(expr));
    case ExprKind::kString:
      return AppendQuoteGo(out_, As<StringExpr>(expr).value);
    case ExprKind::kVectorSelector:
      return PrintSelector(As<VectorSelector>(expr));
    case ExprKind::kMatrixSelector:
      return PrintMatrix(As<MatrixSelector>(expr));
    case ExprKind::kSubquery:
      Print(*As<SubqueryExpr>(expr).expr);
      return PrintSubqueryTail(As<SubqueryExpr>(expr));
    case ExprKind::kCall: {
      const auto& call = As<CallExpr>(expr);
      out_.append(call.function->name).push_back('(');
      for (std::size_t i = 0; i < call.arguments.size(); ++i) {
        if (i > 0) out_ += ", ";
        Print(*call.arguments[i]);
      }
      out_.push_back(')');
      return;
    }
    case ExprKind::kAggregate: {
      const auto& aggregate = As<AggregateExpr>(expr);
      PrintAggregateHead(aggregate);
      out_.push_back('(');
      if (TakesParameter(aggregate.op)) {
        Print(*aggregate.parameter);
        out_ += ", ";
      }
      Print(*aggregate.expr);
      out_.push_back(')');
      return;
    }
    case ExprKind::kBinary:
      return PrintBinary(As<BinaryExpr>(expr));
    case ExprKind::kUnary:
      out_.push_back(As<UnaryExpr>(expr).negative ? '-' : '+');
      return Print(*As<UnaryExpr>(expr).expr);
    case ExprKind::kParen:
      out_.push_back('(');
      Print(*As<ParenExpr>(expr).expr);
      out_.push_back(')');
      return;
    case ExprKind::kDuration:
      return PrintDuration(As<DurationExpr>(expr));
  }
}

void Printer::PrintBinary(const BinaryExpr& root) {
  const std::size_t begin = out_.size();
  std::vector<const BinaryExpr*> chain{&root};
  while (const auto* left = If<BinaryExpr>(*chain.back()->lhs)) {
    chain.push_back(left);
  }
  Print(*chain.back()->lhs);
  for (auto at = chain.rbegin(); at != chain.rend(); ++at) {
    out_.push_back(' ');
    PrintOperator(**at);
    out_.push_back(' ');
    Print(*(*at)->rhs);
    if (*at != &root) Note(**at, begin);
  }
}

// "op bool on (a) group_left (b)".
void Printer::PrintOperator(const BinaryExpr& binary) {
  out_ += ToString(binary.op);
  if (binary.return_bool) out_ += " bool";
  if (!binary.matching) return;
  const VectorMatching& matching = *binary.matching;
  const bool grouped = IsGrouped(matching.cardinality);
  if (!matching.labels.empty() || matching.on || grouped) {
    out_ += matching.on ? " on (" : " ignoring (";
    PrintLabels(matching.labels);
    out_.push_back(')');
  }
  if (grouped) {
    const bool left = matching.cardinality == MatchCardinality::kManyToOne;
    out_ += left ? " group_left (" : " group_right (";
    PrintLabels(matching.include);
    out_.push_back(')');
  }
  const auto fill = [&](std::string_view word, double value) {
    out_.append(word);
    AppendFloatG(out_, value);
    out_.push_back(')');
  };
  if (matching.fill_left && matching.fill_right && *matching.fill_left == *matching.fill_right) {
    return fill(" fill (", *matching.fill_left);
  }
  if (matching.fill_left) fill(" fill_left (", *matching.fill_left);
  if (matching.fill_right) fill(" fill_right (", *matching.fill_right);
}

void Printer::PrintAggregateHead(const AggregateExpr& aggregate) {
  out_ += ToString(aggregate.op);
  if (!aggregate.without && aggregate.grouping.empty()) return;
  out_ += aggregate.without ? " without (" : " by (";
  PrintLabels(aggregate.grouping);
  out_ += ") ";
}

void Printer::PrintLabels(const std::vector<std::string>& labels) {
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (i > 0) out_ += ", ";
    if (IsLegacyLabelName(labels[i])) {
      out_ += labels[i];
    } else {
      AppendQuoteGo(out_, labels[i]);
    }
  }
}

void Printer::PrintNumber(const NumberExpr& number) {
  if (!number.is_duration) return AppendFloatF(out_, number.value);
  if (number.value < 0) out_.push_back('-');
  // To whole nanoseconds and from there to milliseconds, both cut, as the reference does.
  const double nanos = std::fabs(number.value) * 1e9;
  constexpr auto kMax = static_cast<double>(std::numeric_limits<std::int64_t>::max());
  const std::int64_t whole =
      nanos < kMax ? static_cast<std::int64_t>(nanos) : std::numeric_limits<std::int64_t>::max();
  out_ += FormatDuration(Duration(whole / 1'000'000));
}

void Printer::PrintNameAndMatchers(const VectorSelector& selector) {
  std::vector<std::string> texts;
  for (const Matcher& matcher : selector.matchers) {
    const bool is_name = matcher.name() == kMetricName && matcher.type() == Matcher::Type::kEqual &&
                         matcher.value() == selector.name && !matcher.value().empty();
    if (!is_name) texts.push_back(matcher.ToString());
  }
  out_ += selector.name;
  if (texts.empty()) return;
  std::ranges::sort(texts);
  out_.push_back('{');
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (i > 0) out_.push_back(',');
    out_ += texts[i];
  }
  out_.push_back('}');
}

void Printer::PrintAt(const AtModifier& at) {
  switch (at.kind) {
    case AtModifier::Kind::kNone:
      return;
    case AtModifier::Kind::kTimestamp:
      out_ += fmt::format(" @ {:.3f}", at.timestamp.seconds());
      return;
    case AtModifier::Kind::kStart:
      out_ += " @ start()";
      return;
    case AtModifier::Kind::kEnd:
      out_ += " @ end()";
      return;
  }
}

void Printer::PrintOffset(const OffsetModifier& offset) {
  if (offset.expr) {
    out_ += " offset ";
    return PrintDuration(*offset.expr);
  }
  if (offset.value.count() != 0) out_ += " offset " + FormatDuration(offset.value);
}

void Printer::PrintExtended(const VectorSelector& selector) {
  if (selector.anchored) {
    out_ += " anchored";
  } else if (selector.smoothed) {
    out_ += " smoothed";
  }
}

void Printer::PrintSelector(const VectorSelector& selector) {
  PrintNameAndMatchers(selector);
  PrintAt(selector.at);
  PrintExtended(selector);
  PrintOffset(selector.offset);
}

void Printer::PrintLength(const RangeLength& length) {
  if (length.expr) return PrintDuration(*length.expr);
  out_ += FormatDuration(length.value);
}

void Printer::PrintMatrix(const MatrixSelector& matrix) {
  PrintNameAndMatchers(*matrix.selector);
  out_.push_back('[');
  PrintLength(matrix.range);
  out_.push_back(']');
  PrintExtended(*matrix.selector);
  PrintAt(matrix.selector->at);
  PrintOffset(matrix.selector->offset);
}

void Printer::PrintSubqueryTail(const SubqueryExpr& subquery) {
  out_.push_back('[');
  PrintLength(subquery.range);
  out_.push_back(':');
  // A resolved step is printed as its value; a range keeps its expression. So does the reference.
  if (subquery.step.value.count() != 0) {
    out_ += FormatDuration(subquery.step.value);
  } else if (subquery.step.expr) {
    PrintDuration(*subquery.step.expr);
  }
  out_.push_back(']');
  PrintAt(subquery.at);
  PrintOffset(subquery.offset);
}

void Printer::PrintDuration(const DurationExpr& duration) {
  if (duration.wrapped) out_.push_back('(');
  switch (duration.op) {
    case DurationOp::kStep:
    case DurationOp::kRange:
      out_.append(ToString(duration.op)).append("()");
      break;
    case DurationOp::kMinOf:
    case DurationOp::kMaxOf:
      out_.append(ToString(duration.op)).push_back('(');
      Print(*duration.lhs);
      out_ += ", ";
      Print(*duration.rhs);
      out_.push_back(')');
      break;
    case DurationOp::kPlus:
      Print(*duration.lhs);
      break;
    case DurationOp::kNegate:
      out_.push_back('-');
      Print(*duration.lhs);
      break;
    default:
      Print(*duration.lhs);
      out_.append(" ").append(ToString(duration.op)).push_back(' ');
      Print(*duration.rhs);
      break;
  }
  if (duration.wrapped) out_.push_back(')');
}

// ------------------------------------------------------------------------------------------- many
// lines

constexpr std::size_t kMaxLine = 100;
// The reference indents without bound, so a long chain of operators would take space by the square
// of its length.
constexpr int kMaxIndent = 256;

/// Writes an expression over several lines: what is longer than a line is split at its outermost
/// level.
class PrettyPrinter {
 public:
  PrettyPrinter(const Expr& root, std::string& out) : out_(out) {
    std::string line;
    Printer(line, &lengths_).Print(root);
  }

  void Print(const Expr& expr, int level);

 private:
  bool Fits(const Expr& expr) const { return lengths_.at(&expr) <= kMaxLine; }
  void Indent(int level) { out_.append(static_cast<std::size_t>(level) * 2, ' '); }
  void PrintOnOneLine(const Expr& expr, int level) {
    Indent(level);
    Printer(out_).Print(expr);
  }

  std::string& out_;
  Printer::Lengths lengths_;
};

void PrettyPrinter::Print(const Expr& expr, int level) {
  const bool splits = expr.kind == ExprKind::kUnary || !Fits(expr);
  if (!splits && expr.kind == ExprKind::kSubquery) return Printer(out_).Print(expr);
  if (!splits || level > kMaxIndent) return PrintOnOneLine(expr, level);
  Printer one_line(out_);
  switch (expr.kind) {
    case ExprKind::kAggregate: {
      const auto& aggregate = As<AggregateExpr>(expr);
      Indent(level);
      one_line.PrintAggregateHead(aggregate);
      out_ += "(\n";
      if (TakesParameter(aggregate.op)) {
        Print(*aggregate.parameter, level + 1);
        out_ += ",\n";
      }
      Print(*aggregate.expr, level + 1);
      break;
    }
    case ExprKind::kCall: {
      const auto& call = As<CallExpr>(expr);
      Indent(level);
      out_.append(call.function->name).append("(\n");
      for (std::size_t i = 0; i < call.arguments.size(); ++i) {
        if (i > 0) out_ += ",\n";
        Print(*call.arguments[i], level + 1);
      }
      break;
    }
    case ExprKind::kParen:
      Indent(level);
      out_ += "(\n";
      Print(*As<ParenExpr>(expr).expr, level + 1);
      break;
    case ExprKind::kBinary: {
      const auto& binary = As<BinaryExpr>(expr);
      Print(*binary.lhs, level + 1);
      out_.push_back('\n');
      Indent(level);
      one_line.PrintOperator(binary);
      out_.push_back('\n');
      return Print(*binary.rhs, level + 1);
    }
    case ExprKind::kSubquery:
      Print(*As<SubqueryExpr>(expr).expr, level);
      return one_line.PrintSubqueryTail(As<SubqueryExpr>(expr));
    case ExprKind::kUnary: {
      Indent(level);
      out_.push_back(As<UnaryExpr>(expr).negative ? '-' : '+');
      // The operand brings its own indentation, which belongs before the sign.
      const std::size_t begin = out_.size();
      Print(*As<UnaryExpr>(expr).expr, level);
      const std::size_t text = out_.find_first_not_of(' ', begin);
      if (text != std::string::npos) out_.erase(begin, text - begin);
      return;
    }
    default:
      return PrintOnOneLine(expr, level);
  }
  out_.push_back('\n');
  Indent(level);
  out_.push_back(')');
}

}  // namespace

std::string Print(const Expr& expr) {
  std::string out;
  Printer(out).Print(expr);
  return out;
}

std::string PrettyPrint(const Expr& expr) {
  std::string out;
  PrettyPrinter(expr, out).Print(expr, 0);
  return out;
}

}  // namespace sonde::promql
