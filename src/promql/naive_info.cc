#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "promql/label_functions.h"
#include "promql/naive_query.h"

// info(v, {selector}): adds to each element the labels of the info series (target_info and the
// like) that share its identifying labels.

namespace sonde::promql {
namespace {

// What identifies a target; the reference knows no others.
constexpr std::array<std::string_view, 2> kIdentifyingLabels = {"instance", "job"};

// The matchers that choose info series by name: the given ones; besides only negative ones, every
// "…_info"; without any, target_info.
std::vector<Matcher> InfoNameMatchers(std::span<const Matcher> selector) {
  std::vector<Matcher> matchers;
  std::ranges::copy_if(selector, std::back_inserter(matchers),
                       [](const Matcher& matcher) { return matcher.name() == kMetricName; });
  if (matchers.empty()) return {Matcher::Equal(std::string(kMetricName), "target_info")};
  if (std::ranges::all_of(matchers, &Matcher::negative)) {
    auto any = Matcher::Make(Matcher::Type::kRegex, std::string(kMetricName), ".+_info");
    matchers.insert(matchers.begin(), *std::move(any));
  }
  return matchers;
}

std::vector<Matcher> DataMatchers(std::span<const Matcher> selector) {
  std::vector<Matcher> matchers;
  std::ranges::copy_if(selector, std::back_inserter(matchers),
                       [](const Matcher& matcher) { return matcher.name() != kMetricName; });
  return matchers;
}

// The identifying labels of a series; empty if it has none.
Labels IdentityOf(LabelsView labels) {
  LabelsBuilder builder;
  for (const std::string_view name : kIdentifyingLabels) {
    builder.Set(name, labels.Get(name));  // An empty value sets nothing.
  }
  return builder.Build();
}

bool AreInfoNames(std::span<const Matcher> names, LabelsView labels) {
  return std::ranges::all_of(
      names, [&](const Matcher& matcher) { return matcher.Matches(labels.metric_name()); });
}

// Adds `found` unless a newer one of the same name and target is there.
Status KeepNewest(TargetInfo& target, const InfoElement& found) {
  const auto [it, inserted] = target.try_emplace(std::string(found.labels.metric_name()), found);
  if (inserted || it->second.t > found.t) return OkStatus();
  if (it->second.t == found.t) {
    return Error(
        ErrorKind::kInvalid,
        fmt::format("found duplicate series for info metric: existing {} @ {}, new {} @ {}",
                    FormatLabelSet(it->second.labels), it->second.t.ms,
                    FormatLabelSet(found.labels), found.t.ms));
  }
  it->second = found;
  return OkStatus();
}

// The labels that `target` adds to a series with the labels `base`. With data matchers, only what
// they name is added.
Result<Labels> LabelsToAdd(const TargetInfo& target, std::span<const Matcher> data,
                           LabelsView base) {
  LabelsBuilder added;
  for (const auto& [name, info] : target) {
    for (const LabelView label : info.labels) {
      if (label.name == kMetricName) continue;
      const bool named = data.empty() || std::ranges::any_of(data, [&](const Matcher& matcher) {
                           return matcher.name() == label.name;
                         });
      if (!named) continue;
      const std::string_view already = added.Get(label.name);
      if (!already.empty() && already != label.value) {
        return Error(ErrorKind::kInvalid, fmt::format("conflicting label: {}", label.name));
      }
      if (!base.Has(label.name)) added.Set(label.name, label.value);
    }
  }
  return added.Build();
}

}  // namespace

Result<NaiveVector> NaiveQuery::EvalInfo(const CallExpr& call, Timestamp t) {
  const std::uint64_t held_before = budget_.held();
  const NaiveVector base = TRY(EvalVector(*call.arguments[0], t));
  std::span<const Matcher> selector;
  if (call.arguments.size() > 1) selector = As<VectorSelector>(*call.arguments[1]).matchers;
  const std::vector<Matcher> names = InfoNameMatchers(selector);
  const std::vector<Matcher> data = DataMatchers(selector);
  const bool required =
      !std::ranges::all_of(data, [](const Matcher& matcher) { return matcher.MatchesEmpty(); });

  std::map<Labels, TargetInfo> targets;
  for (const NaiveElement& element : base) {
    Labels identity = IdentityOf(element.labels);
    if (!identity.empty() && !AreInfoNames(names, element.labels)) {
      targets.try_emplace(std::move(identity));
    }
  }
  if (!targets.empty()) TRY(FindInfo(call, names, data, t, targets));

  NaiveVector result;
  for (const NaiveElement& element : base) {
    const auto target = targets.find(IdentityOf(element.labels));
    const bool info_series = AreInfoNames(names, element.labels);  // Passes through.
    const bool known = target != targets.end() && !target->second.empty();
    if (!info_series && !known && required) continue;
    result.push_back(element);
    if (info_series || !known) continue;
    const Labels added = TRY(LabelsToAdd(target->second, data, element.labels));
    LabelsBuilder builder(element.labels);
    for (const LabelView label : added) {
      builder.Set(label.name, label.value);
    }
    result.back().labels = builder.Build();
  }
  TRY(AccountFor(held_before, base.size(), result));
  TRY(CheckUnique(result));
  return result;
}

// Finds the info series of the targets, at the time that the first selector of the call's first
// argument looks at.
Status NaiveQuery::FindInfo(const CallExpr& call, std::span<const Matcher> names,
                            std::span<const Matcher> data, Timestamp t,
                            std::map<Labels, TargetInfo>& targets) {
  const InfoReference reference = FindInfoReference(*call.arguments[0]);
  OffsetModifier offset;
  offset.value = reference.offset;
  const Timestamp at = ReferenceTime(t, reference.at, offset);
  auto it = selected_.find(&call);
  if (it == selected_.end()) {
    std::vector<Matcher> matchers(names.begin(), names.end());
    std::ranges::copy(data, std::back_inserter(matchers));
    it = selected_.emplace(&call, TRY(Read(matchers))).first;
  }
  for (const StoredSeries& series : it->second) {
    const auto target = targets.find(IdentityOf(series.labels));
    const NaiveSample* sample = NewestWithin(series, at, options_.lookback);
    if (target == targets.end() || sample == nullptr) continue;
    if (sample->histogram != nullptr) {
      return Error(ErrorKind::kInvalid, "this should be an info metric, with float samples: " +
                                            FormatLabelSet(series.labels));
    }
    TRY(budget_.Add(1));
    samples_read_ += 1;
    TRY(KeepNewest(target->second, {series.labels, sample->t}));
  }
  return OkStatus();
}

}  // namespace sonde::promql
