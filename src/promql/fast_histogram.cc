#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "base/number.h"
#include "promql/fast_operators.h"
#include "promql/label_functions.h"
#include "promql/numerics.h"
#include "promql/quantile.h"

// Quantiles and fractions of classic histograms. The buckets of a histogram are found and sorted
// once; a step then only walks over their counts.

namespace sonde::promql {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

struct BucketSeries {
  double bound = 0;
  Column counts;
};

// The series that differ in `le` only, sorted by bound.
struct ClassicSeries {
  Labels labels;  // Without `le`.
  std::vector<BucketSeries> buckets;
};

// The buckets of a histogram at one step. Reused from step to step.
class StepBuckets {
 public:
  /// False if no bucket has a count at this step.
  bool Load(const ClassicSeries& series, std::size_t step) {
    bounds_.clear();
    counts_.clear();
    for (const BucketSeries& bucket : series.buckets) {
      const double count = bucket.counts[step];
      if (IsMissing(count)) continue;
      // Equal bounds are one bucket.
      if (!bounds_.empty() && bounds_.back() == bucket.bound) {
        counts_.back() += count;
      } else {
        bounds_.push_back(bucket.bound);
        counts_.push_back(count);
      }
    }
    return !bounds_.empty();
  }

  /// No observation can be above the highest bound.
  bool IsComplete() const { return bounds_.back() == kInfinity; }

  /// A bucket counts what the lower ones count and more; where the data says otherwise, the lower
  /// count is carried up.
  MonotonicityRepair MakeMonotonic() {
    // Differences below this share of the counts are rounding of the sums that made them.
    constexpr double kTolerance = 1e-12;
    MonotonicityRepair repair{.min_bucket = kInfinity, .max_bucket = -kInfinity};
    double previous = counts_[0];
    for (std::size_t i = 1; i < counts_.size(); ++i) {
      double& count = counts_[i];
      if (count == previous) continue;
      if (AlmostEqual(previous, count, kTolerance)) {
        count = previous;
      } else if (count < previous) {
        repair.forced = true;
        repair.min_bucket = std::min(repair.min_bucket, bounds_[i]);
        repair.max_bucket = std::max(repair.max_bucket, bounds_[i]);
        repair.max_difference = std::max(repair.max_difference, previous - count);
        count = previous;
      } else {
        previous = count;
      }
    }
    return repair;
  }

  double Quantile(double phi) const {
    if (bounds_.size() < 2 || counts_.back() == 0) return kNan;
    double rank = phi * counts_.back();
    std::size_t b = 0;
    while (b + 1 < counts_.size() && !(counts_[b] >= rank)) {
      ++b;
    }
    if (b + 1 == counts_.size()) return bounds_[bounds_.size() - 2];
    if (b == 0 && bounds_[0] <= 0) return bounds_[0];
    double lower = 0;
    double count = counts_[b];
    if (b > 0) {
      lower = bounds_[b - 1];
      count -= counts_[b - 1];
      rank -= counts_[b - 1];
    }
    return lower + (bounds_[b] - lower) * (rank / count);
  }

  double Fraction(double lower, double upper) const {
    const double observations = counts_.back();
    if (observations == 0 || std::isnan(lower) || std::isnan(upper)) return kNan;
    if (lower >= upper) return 0;
    const double low = std::min(RankOf(lower), observations);
    const double high = std::min(RankOf(upper), observations);
    return (high - low) / observations;
  }

 private:
  // How many observations lie at or below `bound`.
  double RankOf(double bound) const {
    double below = 0;
    double lower = bounds_[0] > 0 ? 0 : -kInfinity;
    for (std::size_t i = 0; i < bounds_.size(); ++i) {
      if (lower >= bound) return below;
      if (bounds_[i] > bound) {
        // A bucket without a lower end cannot be divided: all of it counts.
        if (lower == -kInfinity) return counts_[i];
        return below + (counts_[i] - below) * (bound - lower) / (bounds_[i] - lower);
      }
      below = counts_[i];
      lower = bounds_[i];
    }
    return counts_.back();
  }

  std::vector<double> bounds_;
  std::vector<double> counts_;
};

// Collects the buckets among the series of a vector into histograms, in the order of their first
// bucket.
class ClassicCollector final : public VectorSink {
 public:
  ClassicCollector(PlanRun& run, PositionRange source, PositionRange at)
      : run_(run), held_(run), source_(source), at_(at) {}

  Status Accept(const ColumnSeries& series) override {
    const std::string_view le = series.labels.Get(kBucketLabel);
    const auto bound = ParseFloat(le);
    if (!bound) {
      run_.notes().set_source(source_);
      run_.notes().BadBucketLabel(run_.delayed_names() ? series.labels.metric_name() : "", le, at_);
      return OkStatus();
    }
    TRY(held_.Add(HeldSize(series.values)));
    scratch_.clear();
    for (const LabelView label : series.labels) {
      if (label.name != kBucketLabel) AppendPackedLabel(scratch_, label.name, label.value);
    }
    const LabelsView labels = LabelsView::FromPacked(scratch_);
    const LabelIndex::Entry entry = index_.FindOrAdd(labels);
    if (entry.is_new) histograms_.push_back({Labels(labels), {}});
    histograms_[entry.number].buckets.push_back({*bound, std::move(series.values)});
    return OkStatus();
  }

  /// Sorted by bound each.
  std::vector<ClassicSeries>& Finish() {
    for (ClassicSeries& histogram : histograms_) {
      std::ranges::stable_sort(histogram.buckets, [](const BucketSeries& a, const BucketSeries& b) {
        return !std::isnan(a.bound) && (std::isnan(b.bound) || a.bound < b.bound);
      });
    }
    return histograms_;
  }

 private:
  PlanRun& run_;
  HeldSamples held_;
  PositionRange source_;
  PositionRange at_;
  LabelIndex index_;
  std::vector<ClassicSeries> histograms_;
  std::string scratch_;
};

// histogram_quantile(φ, v) and histogram_quantiles(v, label, φ…).
class HistogramQuantilesNode final : public VectorNode {
 public:
  HistogramQuantilesNode(const CallExpr& call, VectorPlan input, std::vector<ScalarPlan> phis)
      : call_(call),
        many_(call.function->id == FunctionId::kHistogramQuantiles),
        input_(std::move(input)),
        phis_(std::move(phis)) {}

  Status Run(PlanRun& run, const Grid& grid, VectorSink& sink) override {
    std::vector<Column> phis;
    for (std::size_t i = 0; i < phis_.size(); ++i) {
      phis.push_back(TRY(phis_[i]->Run(run, grid)));
      NotePhi(run, phis[i], call_.arguments[many_ ? i + 2 : 0]->position);
    }
    const PositionRange at = call_.arguments[many_ ? 0 : 1]->position;
    ClassicCollector collector(run, call_.position, at);
    TRY(input_->Run(run, grid, collector));
    const std::vector<ClassicSeries>& histograms = collector.Finish();
    NameDropper dropper(run, sink, HasUniqueLabelsWithoutName());
    for (std::size_t q = 0; q < phis.size(); ++q) {
      for (const ClassicSeries& histogram : histograms) {
        TRY(run.CheckAlive());
        Column values = Quantiles(run, grid, histogram, phis[q], q == 0);
        TRY(many_ ? PassLabeled(dropper, histogram, phis[q], values)
                  : dropper.Pass(histogram.labels, values));
      }
    }
    return OkStatus();
  }

  bool FindUniqueLabels() const override { return HasUniqueLabelsWithoutName(); }
  bool FindUniqueLabelsWithoutName() const override {
    return !many_ && input_->HasUniqueLabels() && input_->HasUniqueLabelsWithoutName();
  }

 private:
  void NotePhi(PlanRun& run, const Column& phis, PositionRange at) const {
    run.notes().set_source(call_.position);
    double noted = 0;
    for (const double phi : phis) {
      if ((phi >= 0 && phi <= 1) || phi == noted) continue;
      run.notes().InvalidQuantile(phi, at);
      noted = phi;
    }
  }

  Column Quantiles(PlanRun& run, const Grid& grid, const ClassicSeries& histogram,
                   const Column& phis, bool note) {
    Column values(grid.steps, kMissing);
    for (std::size_t i = 0; i < grid.steps; ++i) {
      if (!step_.Load(histogram, i)) continue;
      const double phi = phis[i];
      if (std::isnan(phi)) {
        values[i] = kNan;
      } else if (phi < 0 || phi > 1) {
        values[i] = phi < 0 ? -kInfinity : kInfinity;
      } else if (!step_.IsComplete()) {
        values[i] = kNan;
      } else {
        const MonotonicityRepair repair = step_.MakeMonotonic();
        if (repair.forced && note) NoteRepair(run, histogram, repair, grid.at(i));
        values[i] = step_.Quantile(phi);
      }
    }
    return values;
  }

  void NoteRepair(PlanRun& run, const ClassicSeries& histogram, const MonotonicityRepair& repair,
                  Timestamp t) const {
    const std::string_view name =
        run.delayed_names() ? histogram.labels.metric_name() : std::string_view();
    run.notes().set_source(call_.position);
    run.notes().ForcedMonotonicity(name, repair, t, call_.arguments[many_ ? 0 : 1]->position);
  }

  // With φ as a label: a series for each φ that there is at any step.
  Status PassLabeled(NameDropper& dropper, const ClassicSeries& histogram, const Column& phis,
                     const Column& values) const {
    std::map<std::string, Column> by_phi;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (IsMissing(values[i])) continue;
      std::string text;
      AppendFloatOpenMetrics(text, phis[i]);
      by_phi.try_emplace(text, values.size(), kMissing).first->second[i] = values[i];
    }
    const std::string& label = As<StringExpr>(Unwrap(*call_.arguments[1])).value;
    for (auto& [text, part] : by_phi) {
      const Labels labels = LabelsBuilder(histogram.labels).Set(label, text).Build();
      TRY(dropper.Pass(labels, part));
    }
    return OkStatus();
  }

  const CallExpr& call_;
  const bool many_;
  VectorPlan input_;
  std::vector<ScalarPlan> phis_;
  StepBuckets step_;
};

class HistogramFractionNode final : public VectorNode {
 public:
  HistogramFractionNode(const CallExpr& call, VectorPlan input, ScalarPlan lower, ScalarPlan upper)
      : call_(call), input_(std::move(input)), lower_(std::move(lower)), upper_(std::move(upper)) {}

  Status Run(PlanRun& run, const Grid& grid, VectorSink& sink) override {
    const Column lower = TRY(lower_->Run(run, grid));
    const Column upper = TRY(upper_->Run(run, grid));
    ClassicCollector collector(run, call_.position, call_.arguments[2]->position);
    TRY(input_->Run(run, grid, collector));
    NameDropper dropper(run, sink, HasUniqueLabelsWithoutName());
    StepBuckets step;
    for (const ClassicSeries& histogram : collector.Finish()) {
      TRY(run.CheckAlive());
      Column values(grid.steps, kMissing);
      for (std::size_t i = 0; i < grid.steps; ++i) {
        if (!step.Load(histogram, i)) continue;
        values[i] = step.IsComplete() ? step.Fraction(lower[i], upper[i]) : kNan;
      }
      TRY(dropper.Pass(histogram.labels, values));
    }
    return OkStatus();
  }

  bool FindUniqueLabels() const override { return HasUniqueLabelsWithoutName(); }
  bool FindUniqueLabelsWithoutName() const override {
    return input_->HasUniqueLabels() && input_->HasUniqueLabelsWithoutName();
  }

 private:
  const CallExpr& call_;
  VectorPlan input_;
  ScalarPlan lower_;
  ScalarPlan upper_;
};

}  // namespace

VectorPlan PlanHistogramQuantiles(const CallExpr& call, VectorPlan input,
                                  std::vector<ScalarPlan> phis) {
  return std::make_unique<HistogramQuantilesNode>(call, std::move(input), std::move(phis));
}

VectorPlan PlanHistogramFraction(const CallExpr& call, VectorPlan input, ScalarPlan lower,
                                 ScalarPlan upper) {
  return std::make_unique<HistogramFractionNode>(call, std::move(input), std::move(lower),
                                                 std::move(upper));
}

}  // namespace sonde::promql
