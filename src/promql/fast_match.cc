#include <algorithm>
#include <compare>
#include <optional>
#include <unordered_map>
#include <utility>

#include "promql/fast_binary.h"
#include "promql/label_functions.h"

// Operators between two vectors. Which series meet is found once, by their labels; what remains for
// each step is to see which of them have a value there.

namespace sonde::promql {
namespace {

// The series of both sides with the same matching labels, as indices, in order.
struct MatchGroup {
  std::vector<std::size_t> many;
  std::vector<std::size_t> one;
};

std::vector<bool> StepsWithAnyValue(const SeriesList& all, std::size_t steps) {
  std::vector<bool> any(steps);
  for (const KeptSeries& series : all) {
    for (std::size_t i = 0; i < steps; ++i) {
      if (IsPresent(series.values[i])) any[i] = true;
    }
  }
  return any;
}

// The "one" side of a many-to-one match is on the right here, whichever side it was written on.
class VectorMatch {
 public:
  VectorMatch(PlanRun& run, const Grid& grid, const BinaryExpr& binary, const SeriesList& many,
              const SeriesList& one)
      : run_(run),
        steps_(grid.steps),
        binary_(binary),
        matching_(*binary.matching),
        swapped_(matching_.cardinality == MatchCardinality::kOneToMany),
        many_(many),
        one_(one),
        key_(matching_.labels, !matching_.on) {}

  Result<SeriesList> Run();

 private:
  // One result series: what `many` and `one` give where both have a value. A side that is filled in
  // has its labels here.
  struct Pair {
    LabelsView many_labels;
    LabelsView one_labels;
    const Column* many = nullptr;  // Null: `fill`.
    const Column* one = nullptr;
    double fill = 0;
  };

  void Index();
  Status CheckOneSide() const;
  Status Join(std::size_t many);
  Status FillLeft(std::size_t one);
  Status Add(std::size_t group, const Pair& pair, const std::vector<bool>* only);
  double Combine(double many, double one) const;
  Labels ResultLabels(LabelsView many, LabelsView one) const;
  Status CheckPaired(std::size_t group, const Pair& pair, const Column& paired);
  bool IsFilling() const { return matching_.fill_left || matching_.fill_right; }

  PlanRun& run_;
  const std::size_t steps_;
  const BinaryExpr& binary_;
  const VectorMatching& matching_;
  const bool swapped_;
  const SeriesList& many_;
  const SeriesList& one_;
  LabelSelection key_;

  LabelIndex index_;
  std::vector<MatchGroup> groups_;  // By number of the key.
  std::vector<std::size_t> group_of_many_;
  std::vector<std::size_t> group_of_one_;
  std::vector<bool> active_;               // Steps at which anything can match; empty: all.
  std::vector<std::vector<bool>> paired_;  // By group: steps that have a result, kept or filtered.
  std::unordered_map<std::size_t, UniqueLabels>
      unique_;  // By group: results of a many-to-one match.
  SeriesList result_;
};

Result<SeriesList> VectorMatch::Run() {
  Index();
  if (!IsFilling()) {
    // Where one side has nothing at all, not even an ambiguous group is an error.
    active_ = StepsWithAnyValue(many_, steps_);
    const std::vector<bool> one = StepsWithAnyValue(one_, steps_);
    for (std::size_t i = 0; i < steps_; ++i) {
      active_[i] = active_[i] && one[i];
    }
  }
  TRY(CheckOneSide());
  paired_.resize(groups_.size());
  for (std::size_t i = 0; i < many_.size(); ++i) {
    TRY(run_.CheckAlive());
    TRY(Join(i));
  }
  for (std::size_t i = 0; matching_.fill_left && i < one_.size(); ++i) {
    TRY(FillLeft(i));
  }
  return std::move(result_);
}

void VectorMatch::Index() {
  std::string scratch;
  const auto group_of = [&](const KeptSeries& series) {
    const LabelIndex::Entry entry = index_.FindOrAdd(key_.Apply(series.labels, scratch));
    if (entry.is_new) groups_.emplace_back();
    return entry.number;
  };
  for (std::size_t i = 0; i < many_.size(); ++i) {
    group_of_many_.push_back(group_of(many_[i]));
    groups_[group_of_many_[i]].many.push_back(i);
  }
  for (std::size_t i = 0; i < one_.size(); ++i) {
    group_of_one_.push_back(group_of(one_[i]));
    groups_[group_of_one_[i]].one.push_back(i);
  }
}

// At each step a group may have one element on the "one" side. Of several faults that of the
// earliest step is reported.
Status VectorMatch::CheckOneSide() const {
  struct Fault {
    std::size_t step = 0;
    std::size_t series = 0;  // It is the second of its group.
    std::size_t first = 0;
    std::size_t group = 0;
    auto operator<=>(const Fault&) const = default;
  };
  std::optional<Fault> fault;
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    if (groups_[g].one.size() < 2) continue;
    std::vector<std::size_t> present(steps_, LabelIndex::kNone);
    for (const std::size_t i : groups_[g].one) {
      for (std::size_t k = 0; k < steps_; ++k) {
        if (IsMissing(one_[i].values[k]) || (!active_.empty() && !active_[k])) continue;
        if (present[k] == LabelIndex::kNone) {
          present[k] = i;
          continue;
        }
        const Fault found{k, i, present[k], g};
        if (!fault || found < *fault) fault = found;
        break;  // Later steps of this series do not matter.
      }
    }
  }
  if (!fault) return OkStatus();
  std::string first = FormatLabelSet(one_[fault->first].labels);
  std::string second = FormatLabelSet(one_[fault->series].labels);
  if (second < first) std::swap(first, second);
  return Error(
      ErrorKind::kInvalid,
      "found duplicate series for the match group " + FormatLabelSet(index_.at(fault->group)) +
          " on the " + (swapped_ ? "left" : "right") + " hand-side of the operation: [" + first +
          ", " + second +
          "];many-to-many matching not allowed: matching labels must be unique on one side");
}

Status VectorMatch::Join(std::size_t many) {
  const std::size_t g = group_of_many_[many];
  const MatchGroup& group = groups_[g];
  Pair pair{.many_labels = many_[many].labels, .one_labels = {}, .many = &many_[many].values};
  for (const std::size_t i : group.one) {
    pair.one_labels = one_[i].labels;
    pair.one = &one_[i].values;
    TRY(Add(g, pair, nullptr));
  }
  // The reference applies fill_right to the "one" side also where group_right puts that on the
  // left.
  if (!matching_.fill_right) return OkStatus();
  std::vector<bool> lonely(steps_, true);
  for (const std::size_t i : group.one) {
    for (std::size_t k = 0; k < steps_; ++k) {
      if (IsPresent(one_[i].values[k])) lonely[k] = false;
    }
  }
  const Labels key(index_.at(g));
  pair.one_labels = key;
  pair.one = nullptr;
  pair.fill = *matching_.fill_right;
  return Add(g, pair, &lonely);
}

Status VectorMatch::FillLeft(std::size_t one) {
  const std::size_t g = group_of_one_[one];
  std::vector<bool> lonely(steps_, true);
  for (std::size_t k = 0; k < paired_[g].size(); ++k) {
    if (paired_[g][k]) lonely[k] = false;
  }
  const Labels key(index_.at(g));
  return Add(g,
             {.many_labels = key,
              .one_labels = one_[one].labels,
              .many = nullptr,
              .one = &one_[one].values,
              .fill = *matching_.fill_left},
             &lonely);
}

// Adds the result of a pair, where both have a value; if `only` is given, at its steps.
Status VectorMatch::Add(std::size_t group, const Pair& pair, const std::vector<bool>* only) {
  Column values(steps_, kMissing);
  const bool must_check = groups_[group].many.size() > 1 || matching_.fill_left;
  Column paired(must_check ? steps_ : 0, kMissing);
  bool any_pair = false;
  bool any_value = false;
  for (std::size_t i = 0; i < steps_; ++i) {
    const double many = pair.many != nullptr ? (*pair.many)[i] : pair.fill;
    const double one = pair.one != nullptr ? (*pair.one)[i] : pair.fill;
    if (IsMissing(many) || IsMissing(one) || (only != nullptr && !(*only)[i])) continue;
    any_pair = true;
    if (must_check) paired[i] = 1;
    values[i] = Combine(many, one);
    any_value = any_value || IsPresent(values[i]);
  }
  if (!any_pair) return OkStatus();
  if (IsTrim(binary_.op)) {  // Trims a histogram by a float; here are only floats.
    run_.notes().set_source(binary_.position);
    run_.notes().IncompatibleTypes("float", binary_.op, "float", binary_.position);
    return OkStatus();
  }
  if (must_check) TRY(CheckPaired(group, pair, paired));
  if (!any_value) return OkStatus();
  result_.push_back(
      {ResultLabels(pair.many_labels, pair.one_labels), binary_.return_bool, std::move(values)});
  return OkStatus();
}

// A filtered element still takes its place: what a match finds may not depend on the values.
Status VectorMatch::CheckPaired(std::size_t group, const Pair& pair, const Column& paired) {
  std::vector<bool>& seen = paired_[group];
  seen.resize(steps_);
  const bool one_to_one = matching_.cardinality == MatchCardinality::kOneToOne;
  for (std::size_t i = 0; i < steps_; ++i) {
    if (IsMissing(paired[i])) continue;
    if (one_to_one && seen[i]) {
      return Error(ErrorKind::kInvalid,
                   "multiple matches for labels: many-to-one matching must be explicit "
                   "(group_left/group_right)");
    }
    seen[i] = true;
  }
  if (one_to_one || groups_[group].many.size() < 2) return OkStatus();
  if (unique_[group].Add(ResultLabels(pair.many_labels, pair.one_labels), paired)) {
    return OkStatus();
  }
  return Error(ErrorKind::kInvalid,
               "multiple matches for labels: grouping labels must ensure unique matches");
}

double VectorMatch::Combine(double many, double one) const {
  if (IsTrim(binary_.op)) return kMissing;
  const double left = swapped_ ? one : many;
  const double right = swapped_ ? many : one;
  if (!IsComparison(binary_.op)) return Arithmetic(binary_.op, left, right);
  const bool holds = Holds(binary_.op, left, right);
  if (binary_.return_bool) return holds ? 1.0 : 0.0;
  return holds ? left : kMissing;
}

Labels VectorMatch::ResultLabels(LabelsView many, LabelsView one) const {
  const bool drops_name =
      IsArithmetic(binary_.op) || (binary_.return_bool && !run_.delayed_names());
  std::string scratch;
  if (drops_name && matching_.include.empty()) {
    std::string stripped;
    if (matching_.cardinality != MatchCardinality::kOneToOne) {
      return Labels(StripMetadata(many, stripped));
    }
    return Labels(StripMetadata(key_.Apply(many, scratch), stripped));
  }
  LabelsBuilder builder(many);
  if (drops_name) builder.Delete(kMetricName).Delete(kTypeLabel).Delete(kUnitLabel);
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

// ------------------------------------------------------------------------------------- set
// operators

// The steps at which a group of `all` has a value, by number of the group.
class GroupPresence {
 public:
  GroupPresence(const VectorMatching& matching, const SeriesList& all, std::size_t steps)
      : key_(matching.labels, !matching.on) {
    for (const KeptSeries& series : all) {
      const LabelIndex::Entry entry = index_.FindOrAdd(key_.Apply(series.labels, scratch_));
      if (entry.is_new) present_.emplace_back(steps);
      for (std::size_t i = 0; i < steps; ++i) {
        if (IsPresent(series.values[i])) present_[entry.number][i] = true;
      }
    }
  }

  // Null if there is no such group.
  const std::vector<bool>* Find(LabelsView labels) {
    const std::size_t number = index_.Find(key_.Apply(labels, scratch_));
    return number == LabelIndex::kNone ? nullptr : &present_[number];
  }

 private:
  LabelSelection key_;
  LabelIndex index_;
  std::vector<std::vector<bool>> present_;
  std::string scratch_;
};

// Moves the series on, with the values where a partner is (or is not) present.
void Filter(SeriesList& from, GroupPresence& partners, bool wanted, SeriesList& to) {
  for (KeptSeries& series : from) {
    const std::vector<bool>* present = partners.Find(series.labels);
    if (present == nullptr && wanted) continue;
    for (std::size_t i = 0; present != nullptr && i < series.values.size(); ++i) {
      if ((*present)[i] != wanted) series.values[i] = kMissing;
    }
    if (std::ranges::any_of(series.values, IsPresent)) to.push_back(std::move(series));
  }
}

SeriesList SetOperation(const BinaryExpr& binary, SeriesList& left, SeriesList& right,
                        std::size_t steps) {
  const VectorMatching& matching = *binary.matching;
  SeriesList result;
  if (binary.op == BinaryOp::kOr) {
    GroupPresence taken(matching, left, steps);
    result = std::move(left);
    Filter(right, taken, false, result);
    return result;
  }
  GroupPresence partners(matching, right, steps);
  Filter(left, partners, binary.op == BinaryOp::kAnd, result);
  return result;
}

}  // namespace

Result<SeriesList> MatchVectors(PlanRun& run, const Grid& grid, const BinaryExpr& binary,
                                SeriesList& left, SeriesList& right) {
  SeriesList result;
  if (IsSetOperator(binary.op)) {
    result = SetOperation(binary, left, right, grid.steps);
  } else {
    const bool swapped = binary.matching->cardinality == MatchCardinality::kOneToMany;
    result =
        TRY(VectorMatch(run, grid, binary, swapped ? right : left, swapped ? left : right).Run());
  }
  if (run.delayed_names()) return result;
  UniqueLabels unique;
  for (const KeptSeries& series : result) {
    if (!unique.Add(series.labels, series.values)) return SameLabelsError();
  }
  return result;
}

}  // namespace sonde::promql
