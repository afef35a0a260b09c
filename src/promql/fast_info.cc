#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "promql/fast_operators.h"
#include "promql/fast_samples.h"
#include "promql/label_functions.h"
#include "promql/naive_prepare.h"

// info(v, {selector}): adds to each element the labels of the info series (target_info and the
// like) that share its identifying labels. Which info series those are can change from step to
// step, so one series may become several.

namespace sonde::promql {
namespace {

// What identifies a target; the reference knows no others.
constexpr std::array<std::string_view, 2> kIdentifyingLabels{"instance", "job"};

// Where an info series has a sample, and when that was taken.
struct InfoSeries {
  Labels labels;
  std::string name;
  std::vector<std::optional<std::int64_t>> times;  // For each step.
};

// The info series of one target.
struct Target {
  std::vector<bool> wanted;        // Steps at which an element asks for it.
  std::vector<std::size_t> infos;  // Indices, in order of labels.
  // For each step the newest info series of each name, in order of names.
  std::vector<std::vector<std::size_t>> chosen;
};

Labels IdentityOf(LabelsView labels) {
  LabelsBuilder builder;
  for (const std::string_view name : kIdentifyingLabels) {
    builder.Set(name, labels.Get(name));  // An empty value sets nothing.
  }
  return builder.Build();
}

class InfoNode final : public VectorNode {
 public:
  InfoNode(const CallExpr& call, VectorPlan input);

  Status Run(PlanRun& run, const Grid& grid, VectorSink& sink) override;

 private:
  bool IsInfoSeries(LabelsView labels) const {
    return std::ranges::all_of(
        names_, [&](const Matcher& matcher) { return matcher.Matches(labels.metric_name()); });
  }
  std::map<Labels, Target> FindTargets(const SeriesList& base, std::size_t steps) const;
  Status FindInfos(PlanRun& run, const Grid& grid, std::map<Labels, Target>& targets);
  Status Choose(PlanRun& run, Target& target) const;
  Status Emit(KeptSeries& series, const Target* target, UniqueLabels& unique,
              VectorSink& sink) const;
  Result<Labels> Joined(LabelsView base, const std::vector<std::size_t>& infos) const;
  bool IsDataLabel(std::string_view name) const {
    return data_.empty() || std::ranges::any_of(data_, [&](const Matcher& matcher) {
             return matcher.name() == name;
           });
  }

  const CallExpr& call_;
  VectorPlan input_;
  std::vector<Matcher> names_;  // Which metrics are info metrics.
  std::vector<Matcher> data_;   // Which labels are added, if not all, and with which values.
  bool required_ = false;       // An element without info labels is dropped.
  std::vector<InfoSeries> infos_;
};

InfoNode::InfoNode(const CallExpr& call, VectorPlan input) : call_(call), input_(std::move(input)) {
  if (call.arguments.size() > 1) {
    for (const Matcher& matcher : As<VectorSelector>(*call.arguments[1]).matchers) {
      (matcher.name() == kMetricName ? names_ : data_).push_back(matcher);
    }
  }
  if (names_.empty()) {
    names_.push_back(Matcher::Equal(std::string(kMetricName), "target_info"));
  } else if (std::ranges::all_of(names_, &Matcher::negative)) {
    auto any = Matcher::Make(Matcher::Type::kRegex, std::string(kMetricName), ".+_info");
    names_.insert(names_.begin(), *std::move(any));
  }
  required_ = !std::ranges::all_of(data_, [](const Matcher& m) { return m.MatchesEmpty(); });
}

Status InfoNode::Run(PlanRun& run, const Grid& grid, VectorSink& sink) {
  SeriesKeeper keeper(run);
  TRY(input_->Run(run, grid, keeper));
  SeriesList& base = keeper.series();
  infos_.clear();
  std::map<Labels, Target> targets = FindTargets(base, grid.steps);
  if (!targets.empty()) TRY(FindInfos(run, grid, targets));
  UniqueLabels unique;
  for (KeptSeries& series : base) {
    const bool passes = IsInfoSeries(series.labels);
    const auto target = targets.find(IdentityOf(series.labels));
    const bool has_target = !passes && target != targets.end();
    if (passes) {
      if (!unique.Add(series.labels, series.values)) return SameLabelsError();
      TRY(sink.Accept({series.labels, series.drop_name, series.values}));
    } else {
      TRY(Emit(series, has_target ? &target->second : nullptr, unique, sink));
    }
  }
  return OkStatus();
}

std::map<Labels, Target> InfoNode::FindTargets(const SeriesList& base, std::size_t steps) const {
  std::map<Labels, Target> targets;
  for (const KeptSeries& series : base) {
    Labels identity = IdentityOf(series.labels);
    if (identity.empty() || IsInfoSeries(series.labels)) continue;
    Target& target = targets[std::move(identity)];
    target.wanted.resize(steps);
    for (std::size_t i = 0; i < steps; ++i) {
      if (IsPresent(series.values[i])) target.wanted[i] = true;
    }
  }
  return targets;
}

// Finds the info series of the targets, at the time that the first selector of the first argument
// looks at.
Status InfoNode::FindInfos(PlanRun& run, const Grid& grid, std::map<Labels, Target>& targets) {
  const InfoReference reference = FindInfoReference(*call_.arguments[0]);
  OffsetModifier offset;
  offset.value = reference.offset;
  const ReferenceTimes times = ReferenceTimesOf(grid, reference.at, offset);
  const std::int64_t lookback = run.options().lookback.count();
  SeriesScan scan(run, AddClamped(SubtractClamped(times.first, lookback), 1), times.last(),
                  SeriesScan::StaleMarkers::kKeep);
  std::vector<Matcher> matchers = names_;
  std::ranges::copy(data_, std::back_inserter(matchers));
  TRY(scan.Select(matchers, "info"));
  for (std::size_t i = 0; i < scan.size(); ++i) {
    const auto target = targets.find(IdentityOf(scan.labels(i)));
    const RangeSamples samples = TRY(scan.Read(i));
    if (target == targets.end()) continue;
    InfoSeries info{Labels(scan.labels(i)), std::string(scan.labels(i).metric_name()), {}};
    info.times.resize(times.steps);
    std::size_t next = 0;
    for (std::size_t k = 0; k < times.steps; ++k) {
      while (next < samples.times.size() && samples.times[next] <= times.at(k)) {
        ++next;
      }
      if (next == 0 || samples.times[next - 1] <= SubtractClamped(times.at(k), lookback)) continue;
      if (!IsStaleNan(samples.values[next - 1])) info.times[k] = samples.times[next - 1];
    }
    target->second.infos.push_back(infos_.size());
    infos_.push_back(std::move(info));
  }
  for (auto& [identity, target] : targets) {
    TRY(Choose(run, target));
  }
  return OkStatus();
}

Status InfoNode::Choose(PlanRun& run, Target& target) const {
  target.chosen.resize(target.wanted.size());
  for (std::size_t step = 0; step < target.wanted.size(); ++step) {
    if (!target.wanted[step]) continue;
    std::map<std::string_view, std::size_t> newest;
    for (const std::size_t i : target.infos) {
      const InfoSeries& info = infos_[i];
      if (!info.times[step]) continue;
      run.samples_read += 1;
      const auto [it, inserted] = newest.try_emplace(info.name, i);
      if (inserted) continue;
      const InfoSeries& other = infos_[it->second];
      if (*other.times[step] == *info.times[step]) {
        return Error(ErrorKind::kInvalid,
                     fmt::format("found duplicate series for info metric: existing {} @ {}, new {} "
                                 "@ {}",
                                 FormatLabelSet(other.labels), *other.times[step],
                                 FormatLabelSet(info.labels), *info.times[step]));
      }
      if (*other.times[step] < *info.times[step]) it->second = i;
    }
    for (const auto& [name, i] : newest) {
      target.chosen[step].push_back(i);
    }
  }
  return OkStatus();
}

Status InfoNode::Emit(KeptSeries& series, const Target* target, UniqueLabels& unique,
                      VectorSink& sink) const {
  // The steps by the info series that they take labels from.
  const std::vector<std::size_t> none;
  std::map<std::vector<std::size_t>, Column> parts;
  for (std::size_t i = 0; i < series.values.size(); ++i) {
    if (IsMissing(series.values[i])) continue;
    const bool known = target != nullptr && !target->chosen.empty();
    const std::vector<std::size_t>& infos = known ? target->chosen[i] : none;
    if (infos.empty() && required_) continue;
    Column& part = parts.try_emplace(infos, series.values.size(), kMissing).first->second;
    part[i] = series.values[i];
  }
  for (auto& [infos, values] : parts) {
    const Labels labels = TRY(Joined(series.labels, infos));
    if (!unique.Add(labels, values)) return SameLabelsError();
    TRY(sink.Accept({labels, series.drop_name, values}));
  }
  return OkStatus();
}

Result<Labels> InfoNode::Joined(LabelsView base, const std::vector<std::size_t>& infos) const {
  LabelsBuilder added;
  for (const std::size_t i : infos) {
    for (const LabelView label : infos_[i].labels) {
      if (label.name == kMetricName || !IsDataLabel(label.name)) continue;
      const std::string_view already = added.Get(label.name);
      if (!already.empty() && already != label.value) {
        return Error(ErrorKind::kInvalid, fmt::format("conflicting label: {}", label.name));
      }
      if (!base.Has(label.name)) added.Set(label.name, label.value);
    }
  }
  LabelsBuilder builder(base);
  added.ForEach([&](std::string_view name, std::string_view value) { builder.Set(name, value); });
  return builder.Build();
}

}  // namespace

VectorPlan PlanInfo(const CallExpr& call, VectorPlan input) {
  return std::make_unique<InfoNode>(call, std::move(input));
}

}  // namespace sonde::promql
