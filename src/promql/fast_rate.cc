#include <cmath>
#include <limits>
#include <vector>

#include "promql/fast_samples.h"
#include "promql/fast_window.h"

// rate(), increase(), delta(), irate(), idelta().

namespace sonde::promql {
namespace {

double SecondsBetween(std::int64_t from, std::int64_t to) {
  return static_cast<double>(to - from) / 1000;
}

// ----------------------------------------------------------------------------------------
// extrapolation

// What extrapolating a window takes of the times in it. Where samples are scraped together this is
// the same for all series, so it is computed once and what remains for each series is little.
struct WindowTimes {
  double sampled = 0;         // Seconds between the first and the last sample.
  double reach_to_start = 0;  // How far extrapolation goes to the left, a counter's zero aside.
  double reach_to_end = 0;
  double factor = 0;  // With these reaches.
};

class ExtrapolatedRateKernel final : public WindowKernel {
 public:
  ExtrapolatedRateKernel(bool counter, bool per_second)
      : counter_(counter), per_second_(per_second) {}

  void Run(const WindowInput& input, double* out) override {
    range_seconds_ = SecondsBetween(0, input.grid.range);
    const RangeSamples& samples = input.samples;
    if (counter_ && !samples.starts.empty()) {
      times_.clear();  // Those of the next series have to be computed.
      RunWithStarts(input, out);
      return;
    }
    if (!input.same_times || times_.size() != input.grid.steps) ComputeTimes(input);
    if (counter_) FindDrops(samples.values);
    std::size_t first_drop = 0;
    for (std::size_t i = 0; i < input.grid.steps; ++i) {
      const std::size_t begin = input.begin[i];
      const std::size_t end = input.end[i];
      out[i] = kMissing;
      if (end - begin < 2) continue;
      const double first = samples.values[begin];
      double growth = samples.values[end - 1] - first;
      while (first_drop < drops_.size() && drops_[first_drop] <= begin) {
        ++first_drop;
      }
      if (input.meter.Stops(drops_.size() - first_drop)) return;
      for (std::size_t d = first_drop; d < drops_.size() && drops_[d] < end; ++d) {
        growth += samples.values[drops_[d] - 1];
      }
      out[i] = growth * FactorOf(times_[i], first, growth);
    }
  }

 private:
  void FindDrops(std::span<const double> values) {
    drops_.clear();
    for (std::size_t i = 1; i < values.size(); ++i) {
      if (values[i] < values[i - 1]) drops_.push_back(i);
    }
  }

  // Extrapolates to an edge that is near, and by half the spacing towards one that is not.
  static double ReachOver(double gap, double spacing) {
    return gap >= spacing * 1.1 ? spacing / 2 : gap;
  }

  double Factor(double sampled, double reach_to_start, double reach_to_end) const {
    double factor = 1;
    if (sampled != 0) factor = (sampled + reach_to_start + reach_to_end) / sampled;
    return per_second_ ? factor / range_seconds_ : factor;
  }

  WindowTimes TimesOf(const WindowInput& input, std::size_t i) const {
    const std::int64_t first = input.samples.times[input.begin[i]];
    const std::int64_t last = input.samples.times[input.end[i] - 1];
    const std::int64_t end = input.grid.end(i);
    WindowTimes times;
    times.sampled = SecondsBetween(first, last);
    const std::size_t n = input.size(i);
    const double spacing = n > 1 ? times.sampled / static_cast<double>(n - 1) : 0;
    const std::int64_t start = SubtractClamped(end, input.grid.range);
    times.reach_to_start = ReachOver(SecondsBetween(start, first), spacing);
    times.reach_to_end = ReachOver(SecondsBetween(last, end), spacing);
    times.factor = Factor(times.sampled, times.reach_to_start, times.reach_to_end);
    return times;
  }

  void ComputeTimes(const WindowInput& input) {
    times_.resize(input.grid.steps);
    for (std::size_t i = 0; i < input.grid.steps; ++i) {
      if (input.size(i) >= 2) times_[i] = TimesOf(input, i);
    }
  }

  // A counter cannot have been negative: extrapolation goes no further left than to where the line
  // through its samples is zero.
  double FactorOf(const WindowTimes& times, double first, double growth) const {
    if (!counter_ || !(growth > 0) || !(first >= 0)) return times.factor;
    // Far from zero, which multiplications show; the margin is wider than all rounding in the
    // division below.
    const double far = first * times.sampled;
    const bool exact_enough = far > std::numeric_limits<double>::min() && std::isfinite(far);
    if (exact_enough && far > growth * times.reach_to_start * 1.000001) return times.factor;
    const double to_zero = times.sampled * (first / growth);
    if (!(to_zero < times.reach_to_start)) return times.factor;
    return Factor(times.sampled, to_zero, times.reach_to_end);
  }

  // With start timestamps a restart shows even without a drop, and a counter that started inside
  // the window grew from zero there.
  void RunWithStarts(const WindowInput& input, double* out) const {
    const RangeSamples& samples = input.samples;
    for (std::size_t i = 0; i < input.grid.steps; ++i) {
      const std::size_t begin = input.begin[i];
      const std::size_t end = input.end[i];
      out[i] = kMissing;
      if (begin == end) continue;
      if (input.meter.Stops(end - begin)) return;
      WindowTimes times = TimesOf(input, i);
      double growth = samples.values[end - 1] - samples.values[begin];
      for (std::size_t k = begin + 1; k < end; ++k) {
        const bool restart = samples.values[k] < samples.values[k - 1] || IsRestart(samples, k);
        if (restart) growth += samples.values[k - 1];
      }
      const std::int64_t start = samples.starts[begin];
      const std::int64_t window_start = SubtractClamped(input.grid.end(i), input.grid.range);
      const bool starts_inside = start != 0 && start > window_start && start < samples.times[begin];
      if (starts_inside) {
        growth += samples.values[begin];
        times.sampled = SecondsBetween(start, samples.times[end - 1]);
        out[i] = growth * Factor(times.sampled, 0, times.reach_to_end);
      } else if (end - begin > 1) {
        out[i] = growth * FactorOf(times, samples.values[begin], growth);
      }
    }
  }

  bool counter_;
  bool per_second_;
  double range_seconds_ = 0;
  std::vector<WindowTimes> times_;
  std::vector<std::size_t> drops_;  // Samples that are lower than the one before.
};

// ------------------------------------------------------------------------------ anchored and
// smoothed

// The samples that an anchored or smoothed window is measured by, and the values at its edges,
// which are carried (anchored) or interpolated (smoothed).
class Edges {
 public:
  Edges(std::span<const std::int64_t> times, std::span<const double> values, std::int64_t start,
        std::int64_t end, bool smoothed)
      : times_(times),
        values_(values),
        start_(start),
        end_(end),
        smoothed_(smoothed),
        last_(times.size() - 1) {
    // The newest sample at or before the left edge, but not the very last.
    while (first_ + 2 < times.size() && times[first_ + 1] <= start) {
      ++first_;
    }
    while (smoothed && last_ > 0 && times[last_ - 1] >= end) {
      --last_;
    }
  }

  bool EndsBefore() const { return times_[last_] <= start_; }
  bool BeginsAfter() const { return times_[first_] > end_; }

  double Left(bool counter) const {
    const bool between = smoothed_ && times_[first_] < start_;
    return between ? Between(first_, start_, counter) : values_[first_];
  }
  double Right(bool counter) const {
    const bool between = smoothed_ && last_ > 0 && times_[last_] > end_;
    return between ? Between(last_ - 1, end_, counter) : values_[last_];
  }
  /// Calls visit(t, v) for each sample strictly inside.
  template <class F>
  void ForEachInside(F visit) const {
    for (std::size_t i = first_; i <= last_; ++i) {
      if (times_[i] > start_ && times_[i] < end_) visit(times_[i], values_[i]);
    }
  }

 private:
  // On the line from sample i to the next, the value at `t`; a counter's drop is a restart from
  // zero.
  double Between(std::size_t i, std::int64_t t, bool counter) const {
    const double from = counter && values_[i + 1] < values_[i] ? 0 : values_[i];
    return from + (values_[i + 1] - from) * static_cast<double>(t - times_[i]) /
                      static_cast<double>(times_[i + 1] - times_[i]);
  }

  std::span<const std::int64_t> times_;
  std::span<const double> values_;
  std::int64_t start_;
  std::int64_t end_;
  bool smoothed_;
  std::size_t first_ = 0;
  std::size_t last_;
};

class ExtendedRateKernel final : public WindowKernel {
 public:
  ExtendedRateKernel(bool counter, bool per_second) : counter_(counter), per_second_(per_second) {}

  void Run(const WindowInput& input, double* out) override {
    for (std::size_t i = 0; i < input.grid.steps; ++i) {
      if (input.meter.Stops(input.size(i))) return;
      out[i] = input.size(i) == 0 ? kMissing : RateAt(input, i);
    }
  }

 private:
  double RateAt(const WindowInput& input, std::size_t i) const {
    const std::int64_t end = input.grid.end(i);
    const std::int64_t start = SubtractClamped(end, input.grid.range);
    const Edges edges(input.samples.times.subspan(input.begin[i], input.size(i)),
                      input.samples.values.subspan(input.begin[i], input.size(i)), start, end,
                      input.grid.smoothed);
    if (edges.EndsBefore() || (input.grid.smoothed && edges.BeginsAfter())) return kMissing;
    const double left = edges.Left(counter_);
    const double right = edges.Right(counter_);
    double growth = right - left;
    if (counter_) {
      double lost = 0;  // What restarts took away.
      double previous = left;
      edges.ForEachInside([&](std::int64_t /*t*/, double v) {
        if (v < previous) lost += previous;
        previous = v;
      });
      if (right < previous) lost += previous;
      growth += lost;
    }
    return per_second_ ? growth / SecondsBetween(start, end) : growth;
  }

  bool counter_;
  bool per_second_;
};

// -------------------------------------------------------------------------------- the last two
// samples

class InstantRateKernel final : public WindowKernel {
 public:
  explicit InstantRateKernel(bool counter) : counter_(counter) {}

  void Run(const WindowInput& input, double* out) override {
    const RangeSamples& samples = input.samples;
    for (std::size_t i = 0; i < input.grid.steps; ++i) {
      out[i] = kMissing;
      if (input.size(i) < 2) continue;
      const std::size_t last = input.end[i] - 1;
      const double v = samples.values[last];
      const double before = samples.values[last - 1];
      const bool restart = counter_ && (v < before || IsRestart(samples, last));
      const double change = restart ? v : v - before;
      out[i] = counter_ ? change / SecondsBetween(samples.times[last - 1], samples.times[last])
                        : AsValue(change);
    }
  }

 private:
  bool counter_;
};

}  // namespace

std::vector<FloatSample> EdgeToEdge(const RangeSamples& samples, const WindowGrid& window) {
  const std::int64_t end = window.end(0);
  const std::int64_t start = SubtractClamped(end, window.range);
  const Edges edges(samples.times, samples.values, start, end, window.smoothed);
  if (edges.EndsBefore()) return {};
  std::vector<FloatSample> cut{{{start}, edges.Left(false)}};
  edges.ForEachInside([&](std::int64_t t, double v) { cut.push_back({{t}, v}); });
  cut.push_back({{end}, edges.Right(false)});
  return cut;
}

std::unique_ptr<WindowKernel> MakeRateKernel(FunctionId id, const WindowGrid& grid) {
  switch (id) {
    case FunctionId::kIrate:
      return std::make_unique<InstantRateKernel>(true);
    case FunctionId::kIdelta:
      return std::make_unique<InstantRateKernel>(false);
    case FunctionId::kRate:
    case FunctionId::kIncrease:
    case FunctionId::kDelta:
      break;
    default:
      return nullptr;
  }
  const bool counter = id != FunctionId::kDelta;
  const bool per_second = id == FunctionId::kRate;
  if (grid.anchored || grid.smoothed) {
    return std::make_unique<ExtendedRateKernel>(counter, per_second);
  }
  return std::make_unique<ExtrapolatedRateKernel>(counter, per_second);
}

}  // namespace sonde::promql
