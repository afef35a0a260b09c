#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "promql/histogram_math.h"
#include "promql/label_functions.h"
#include "promql/naive_query.h"

namespace sonde::promql {
namespace {

double Arithmetic(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::kAdd:
      return a + b;
    case BinaryOp::kSub:
      return a - b;
    case BinaryOp::kMul:
      return a * b;
    case BinaryOp::kDiv:
      return a / b;
    case BinaryOp::kMod:
      return std::fmod(a, b);
    case BinaryOp::kPow:
      return std::pow(a, b);
    case BinaryOp::kAtan2:
      return std::atan2(a, b);
    default:
      break;
  }
  CHECK(false);
}

bool Holds(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::kEqual:
      return a == b;
    case BinaryOp::kNotEqual:
      return a != b;
    case BinaryOp::kLess:
      return a < b;
    case BinaryOp::kLessEqual:
      return a <= b;
    case BinaryOp::kGreater:
      return a > b;
    case BinaryOp::kGreaterEqual:
      return a >= b;
    default:
      break;
  }
  CHECK(false);
}

// What kept two values from going together, or was strange about it.
struct Problem {
  enum class Kind : unsigned char {
    kTypes,   // A float and a histogram, or an operator that is not for them.
    kLayout,  // Exponential and custom buckets.
    kResets,  // Contradictory reset hints.
    kBounds,  // Custom bounds that had to be reconciled.
  };
  Kind kind = Kind::kTypes;
  std::string_view left{};  // Of kTypes: "float" or "histogram".
  std::string_view right{};
};

bool IsArithmetic(BinaryOp op) {
  return op <= BinaryOp::kAtan2;
}

// What an operator makes of two elements' values.
struct Outcome {
  NaivePoint point{};
  bool keep = true;      // Else a comparison filters the element out.
  bool dropped = false;  // The values do not go together: no element.
  // What to tell the user. Of several in a vector, a step tells the last, as the reference.
  std::optional<Problem> problem{};
};

std::string_view TypeName(const NaivePoint& point) {
  return point.histogram == nullptr ? "float" : "histogram";
}

Outcome IncompatibleTypes(const NaivePoint& a, const NaivePoint& b) {
  return {.dropped = true, .problem = Problem{.left = TypeName(a), .right = TypeName(b)}};
}

NaivePoint PointOf(FloatHistogram histogram) {
  return {0, std::make_shared<const FloatHistogram>(std::move(histogram))};
}

Outcome CombineFloats(BinaryOp op, const NaivePoint& a, const NaivePoint& b) {
  if (IsArithmetic(op)) return {.point = {Arithmetic(op, a.v, b.v)}};
  if (IsComparison(op)) return {.point = a, .keep = Holds(op, a.v, b.v)};
  return IncompatibleTypes(a, b);  // Trimming takes a histogram.
}

// Of a histogram and a float.
Outcome CombineWithFloat(BinaryOp op, const NaivePoint& a, const NaivePoint& b) {
  const bool float_left = a.histogram == nullptr;
  FloatHistogram histogram = float_left ? *b.histogram : *a.histogram;
  const double v = float_left ? a.v : b.v;
  if (op == BinaryOp::kMul) {
    Scale(histogram, v);
  } else if (float_left) {
    return IncompatibleTypes(a, b);
  } else if (op == BinaryOp::kDiv) {
    Divide(histogram, v);
  } else if (op == BinaryOp::kTrimUpper) {
    Trim(histogram, v, TrimSide::kKeepLower);
    return {.point = PointOf(std::move(histogram))};
  } else if (op == BinaryOp::kTrimLower) {
    Trim(histogram, v, TrimSide::kKeepUpper);
    return {.point = PointOf(std::move(histogram))};
  } else {
    return IncompatibleTypes(a, b);
  }
  Compact(histogram);
  return {.point = PointOf(std::move(histogram))};
}

Outcome CombineHistograms(BinaryOp op, const NaivePoint& a, const NaivePoint& b) {
  if (op == BinaryOp::kEqual) return {.point = a, .keep = SameData(*a.histogram, *b.histogram)};
  if (op == BinaryOp::kNotEqual) return {.point = a, .keep = !SameData(*a.histogram, *b.histogram)};
  if (op != BinaryOp::kAdd && op != BinaryOp::kSub) return IncompatibleTypes(a, b);
  const bool add = op == BinaryOp::kAdd;
  FloatHistogram result = *a.histogram;
  const Combination combination = add ? Add(result, *b.histogram) : Subtract(result, *b.histogram);
  if (!combination.compatible) {
    return {.dropped = true, .problem = Problem{.kind = Problem::Kind::kLayout}};
  }
  if (!add) result.reset_hint = ResetHint::kGauge;
  Compact(result);
  Outcome outcome{.point = PointOf(std::move(result))};
  if (combination.bounds_reconciled) outcome.problem = Problem{.kind = Problem::Kind::kBounds};
  if (combination.reset_collision) {
    outcome.problem = Problem{.kind = Problem::Kind::kResets};
    outcome.dropped = true;
  }
  return outcome;
}

Outcome Combine(BinaryOp op, const NaivePoint& a, const NaivePoint& b) {
  if (a.histogram == nullptr && b.histogram == nullptr) return CombineFloats(op, a, b);
  if (a.histogram != nullptr && b.histogram != nullptr) return CombineHistograms(op, a, b);
  return CombineWithFloat(op, a, b);
}

void Note(const std::optional<Problem>& problem, const BinaryExpr& binary, AnnotationSet& notes) {
  if (!problem) return;
  const HistogramOperation operation = binary.op == BinaryOp::kAdd
                                           ? HistogramOperation::kAddition
                                           : HistogramOperation::kSubtraction;
  switch (problem->kind) {
    case Problem::Kind::kTypes:
      return notes.IncompatibleTypes(problem->left, binary.op, problem->right, binary.position);
    case Problem::Kind::kLayout:
      return notes.IncompatibleBucketLayout(binary.op, binary.position);
    case Problem::Kind::kResets:
      return notes.CounterResetCollision(operation, binary.position);
    case Problem::Kind::kBounds:
      return notes.MismatchedCustomBuckets(operation, binary.position);
  }
}

NaivePoint PointOf(const NaiveElement& element) {
  return {element.v, element.histogram};
}

// One vector-vector operation at one step. The "one" side of a many-to-one match is on the right
// here, whichever side it was written on.
class VectorMatch {
 public:
  VectorMatch(const BinaryExpr& binary, bool delayed_names, AnnotationSet& notes)
      : binary_(binary),
        matching_(*binary.matching),
        swapped_(matching_.cardinality == MatchCardinality::kOneToMany),
        delayed_names_(delayed_names),
        notes_(notes) {}

  Result<NaiveVector> Run(const NaiveVector& left, const NaiveVector& right) {
    const NaiveVector& many = swapped_ ? right : left;
    const NaiveVector& one = swapped_ ? left : right;
    TRY(IndexOneSide(one));
    // The reference applies fill_right to the "one" side also where group_right puts that on the
    // left.
    for (const NaiveElement& element : many) {
      Labels key = KeyOf(element);
      const auto found = one_side_.find(key);
      if (found != one_side_.end()) {
        TRY(Pair(key, element, *found->second));
      } else if (matching_.fill_right) {
        TRY(Pair(key, element, {.labels = key, .v = *matching_.fill_right}));
      }
    }
    if (matching_.fill_left) {
      for (const NaiveElement& element : one) {
        Labels key = KeyOf(element);
        if (results_of_.contains(key)) continue;
        TRY(Pair(key, {.labels = key, .v = *matching_.fill_left}, element));
      }
    }
    Note(problem_, binary_, notes_);
    return std::move(result_);
  }

 private:
  Labels KeyOf(const NaiveElement& element) const {
    return MatchingLabels(element.labels, matching_.on, matching_.labels);
  }

  Status IndexOneSide(const NaiveVector& one) {
    for (const NaiveElement& element : one) {
      Labels key = KeyOf(element);
      const auto [it, inserted] = one_side_.try_emplace(key, &element);
      if (inserted) continue;
      std::string first = FormatLabelSet(element.labels);
      std::string second = FormatLabelSet(it->second->labels);
      if (second < first) std::swap(first, second);
      return Error(
          ErrorKind::kInvalid,
          "found duplicate series for the match group " + FormatLabelSet(key) + " on the " +
              (swapped_ ? "left" : "right") + " hand-side of the operation: [" + first + ", " +
              second +
              "];many-to-many matching not allowed: matching labels must be unique on one side");
    }
    return OkStatus();
  }

  Status Pair(const Labels& key, const NaiveElement& many, const NaiveElement& one) {
    NaivePoint left = PointOf(many);
    NaivePoint right = PointOf(one);
    if (swapped_) std::swap(left, right);
    Outcome outcome = Combine(binary_.op, left, right);
    if (outcome.problem) problem_ = outcome.problem;
    if (outcome.dropped) return OkStatus();
    if (binary_.return_bool) outcome.point = {outcome.keep ? 1.0 : 0.0};
    NaiveElement element{.labels = ResultLabels(many.labels, one.labels),
                         .v = outcome.point.v,
                         .histogram = std::move(outcome.point.histogram),
                         .drop_name = binary_.return_bool};
    // A filtered element still takes its place: what a match finds may not depend on the values.
    if (matching_.cardinality == MatchCardinality::kOneToOne && results_of_.contains(key)) {
      return Error(ErrorKind::kInvalid,
                   "multiple matches for labels: many-to-one matching must be explicit "
                   "(group_left/group_right)");
    }
    if (!results_of_[key].insert(element.labels).second) {
      return Error(ErrorKind::kInvalid,
                   "multiple matches for labels: grouping labels must ensure unique matches");
    }
    if (outcome.keep || binary_.return_bool) result_.push_back(std::move(element));
    return OkStatus();
  }

  Labels ResultLabels(const Labels& many, const Labels& one) const {
    LabelsBuilder builder(many);
    if (IsArithmetic(binary_.op) || (binary_.return_bool && !delayed_names_)) {
      builder.Delete(kMetricName).Delete(kTypeLabel).Delete(kUnitLabel);
    }
    if (matching_.cardinality == MatchCardinality::kOneToOne) {
      if (matching_.on) {
        builder.Keep(matching_.labels);
      } else {
        for (const std::string& name : matching_.labels) {
          builder.Delete(name);
        }
      }
    }
    for (const std::string& name : matching_.include) {
      builder.Set(name, one.Get(name));
    }
    return builder.Build();
  }

  const BinaryExpr& binary_;
  const VectorMatching& matching_;
  const bool swapped_;
  const bool delayed_names_;
  AnnotationSet& notes_;
  std::map<Labels, const NaiveElement*> one_side_;  // By matching labels.
  std::map<Labels, std::set<Labels>> results_of_;   // Result labels by matching labels.
  std::optional<Problem> problem_;
  NaiveVector result_;
};

NaiveVector SetOperation(const BinaryExpr& binary, const NaiveVector& left,
                         const NaiveVector& right) {
  const VectorMatching& matching = *binary.matching;
  const auto key_of = [&](const NaiveElement& element) {
    return MatchingLabels(element.labels, matching.on, matching.labels);
  };
  const auto keys_of = [&](const NaiveVector& vector) {
    std::set<Labels> keys;
    for (const NaiveElement& element : vector) {
      keys.insert(key_of(element));
    }
    return keys;
  };
  NaiveVector result;
  if (binary.op == BinaryOp::kOr) {
    const std::set<Labels> taken = keys_of(left);
    result = left;
    std::ranges::copy_if(right, std::back_inserter(result), [&](const NaiveElement& element) {
      return !taken.contains(key_of(element));
    });
    return result;
  }
  const std::set<Labels> partners = keys_of(right);
  const bool wanted = binary.op == BinaryOp::kAnd;
  std::ranges::copy_if(left, std::back_inserter(result), [&](const NaiveElement& element) {
    return partners.contains(key_of(element)) == wanted;
  });
  return result;
}

}  // namespace

Result<NaiveValue> NaiveQuery::EvalBinary(const BinaryExpr& binary, Timestamp t) {
  // Down the left operands in a loop: that is where a tree can be deeper than the stack.
  std::vector<const BinaryExpr*> chain = {&binary};
  while (const auto* left = If<BinaryExpr>(*chain.back()->lhs)) {
    if (prepared_.step_invariant.contains(left)) break;
    chain.push_back(left);
  }
  const std::uint64_t held_before = budget_.held();
  NaiveValue left = TRY(Eval(*chain.back()->lhs, t));
  for (auto it = chain.rbegin(); it != chain.rend(); ++it) {
    NaiveValue right = TRY(Eval(*(*it)->rhs, t));
    std::uint64_t inputs = 0;
    for (const NaiveValue* value : {&left, &right}) {
      const auto* vector = std::get_if<NaiveVector>(value);
      inputs += vector == nullptr ? 1 : vector->size();
    }
    left = TRY(ApplyBinary(**it, std::move(left), std::move(right)));
    TRY(AccountFor(held_before, inputs, left));
    const auto* vector = std::get_if<NaiveVector>(&left);
    if (vector != nullptr && !options_.delayed_name_removal) TRY(CheckUnique(*vector));
  }
  return left;
}

Result<NaiveValue> NaiveQuery::ApplyBinary(const BinaryExpr& binary, NaiveValue left,
                                           NaiveValue right) {
  notes_.set_source(binary.position);
  const double* left_scalar = std::get_if<double>(&left);
  const double* right_scalar = std::get_if<double>(&right);
  if (left_scalar != nullptr && right_scalar != nullptr) {
    if (IsComparison(binary.op)) {
      return NaiveValue(Holds(binary.op, *left_scalar, *right_scalar) ? 1.0 : 0.0);
    }
    return NaiveValue(Arithmetic(binary.op, *left_scalar, *right_scalar));
  }
  if (right_scalar != nullptr) {
    return NaiveValue(
        VectorScalar(binary, std::move(std::get<NaiveVector>(left)), *right_scalar, false));
  }
  if (left_scalar != nullptr) {
    return NaiveValue(
        VectorScalar(binary, std::move(std::get<NaiveVector>(right)), *left_scalar, true));
  }
  const auto& left_vector = std::get<NaiveVector>(left);
  const auto& right_vector = std::get<NaiveVector>(right);
  if (IsSetOperator(binary.op)) return NaiveValue(SetOperation(binary, left_vector, right_vector));
  const bool fills = binary.matching->fill_left || binary.matching->fill_right;
  // Nothing can match: not even an ambiguous match group is an error then.
  if (!fills && (left_vector.empty() || right_vector.empty())) return NaiveValue(NaiveVector());
  return NaiveValue(TRY(
      VectorMatch(binary, options_.delayed_name_removal, notes_).Run(left_vector, right_vector)));
}

NaiveVector NaiveQuery::VectorScalar(const BinaryExpr& binary, NaiveVector vector, double scalar,
                                     bool scalar_left) {
  NaiveVector result;
  std::optional<Problem> problem;
  for (NaiveElement& element : vector) {
    NaivePoint left = PointOf(element);
    NaivePoint right{scalar};
    if (scalar_left) std::swap(left, right);
    Outcome outcome = Combine(binary.op, left, right);
    if (outcome.problem) problem = outcome.problem;
    if (outcome.dropped) continue;
    // A comparison keeps the element's value, on whichever side the scalar stands.
    if (IsComparison(binary.op)) outcome.point = PointOf(element);
    if (binary.return_bool) outcome.point = {outcome.keep ? 1.0 : 0.0};
    if (!outcome.keep && !binary.return_bool) continue;
    element.v = outcome.point.v;
    element.histogram = std::move(outcome.point.histogram);
    if (IsArithmetic(binary.op) || binary.return_bool) MarkNameDropped(element);
    result.push_back(std::move(element));
  }
  Note(problem, binary, notes_);
  return result;
}

}  // namespace sonde::promql
