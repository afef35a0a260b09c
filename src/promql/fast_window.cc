#include "promql/fast_window.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "promql/fast_samples.h"

namespace sonde::promql {
namespace {

// Kernels that read a window's edges, or count in it.
template <class F>
class EdgeKernel final : public WindowKernel {
 public:
  explicit EdgeKernel(F f) : f_(std::move(f)) {}

  void Run(const WindowInput& input, double* out) override {
    for (std::size_t i = 0; i < input.grid.steps; ++i) {
      const std::size_t begin = input.begin[i];
      const std::size_t end = input.end[i];
      out[i] = begin == end ? kMissing : f_(input.samples, begin, end);
    }
  }

 private:
  F f_;
};

template <class F>
std::unique_ptr<WindowKernel> MakeEdgeKernel(F f) {
  return std::make_unique<EdgeKernel<F>>(std::move(f));
}

bool Changed(const RangeSamples& samples, std::size_t i) {
  const double before = samples.values[i - 1];
  const double v = samples.values[i];
  return v != before && !(std::isnan(v) && std::isnan(before));
}

bool Reset(const RangeSamples& samples, std::size_t i) {
  return samples.values[i] < samples.values[i - 1] || IsRestart(samples, i);
}

// changes() and resets(): pairs of neighbours that differ, counted once for the series and looked
// up for each window.
class PairCountKernel final : public WindowKernel {
 public:
  using Counts = bool (*)(const RangeSamples& samples, std::size_t i);

  explicit PairCountKernel(Counts counts) : counts_(counts) {}

  void Run(const WindowInput& input, double* out) override {
    const RangeSamples& samples = input.samples;
    // before_[i]: how many of the pairs that end at samples 1 … i count.
    before_.resize(samples.values.size());
    std::uint32_t count = 0;
    before_[0] = 0;
    for (std::size_t i = 1; i < samples.values.size(); ++i) {
      count += counts_(samples, i) ? 1 : 0;
      before_[i] = count;
    }
    for (std::size_t i = 0; i < input.grid.steps; ++i) {
      std::size_t begin = input.begin[i];
      const std::size_t end = input.end[i];
      out[i] = kMissing;
      if (begin == end) continue;
      if (input.grid.anchored && !MoveToAnchor(input, i, begin)) continue;
      out[i] = before_[end - 1] - before_[begin];
    }
  }

 private:
  // The newest sample at or before the left edge, if there is one; false if no sample lies inside.
  static bool MoveToAnchor(const WindowInput& input, std::size_t i, std::size_t& begin) {
    const std::int64_t start = SubtractClamped(input.grid.end(i), input.grid.range);
    const auto inside = std::upper_bound(input.samples.times.begin() + begin,
                                         input.samples.times.begin() + input.end[i], start);
    const auto index = static_cast<std::size_t>(inside - input.samples.times.begin());
    if (index == input.end[i]) return false;
    if (index > begin) begin = index - 1;
    return true;
  }

  Counts counts_;
  std::vector<std::uint32_t> before_;
};

class SmoothingKernel final : public WindowKernel {
 public:
  void Run(const WindowInput& input, double* out) override {
    for (std::size_t i = 0; i < input.grid.steps; ++i) {
      out[i] = kMissing;
      if (input.size(i) < 2) continue;
      if (input.meter.Stops(input.size(i))) return;
      const auto values = input.samples.values.subspan(input.begin[i], input.size(i));
      out[i] = Smooth(values, input.scalars[0][i], input.scalars[1][i]);
    }
  }

 private:
  static double Smooth(std::span<const double> values, double smoothing, double trend) {
    double smoothed = values[0];
    double before = 0;
    double slope = values[1] - values[0];
    for (std::size_t i = 1; i < values.size(); ++i) {
      const double level = smoothing * values[i];
      if (i > 1) slope = trend * (smoothed - before) + (1 - trend) * slope;
      before = smoothed;
      smoothed = level + (1 - smoothing) * (smoothed + slope);
    }
    return smoothed;
  }
};

std::unique_ptr<WindowKernel> MakeSimpleKernel(FunctionId id) {
  switch (id) {
    case FunctionId::kCountOverTime:
      return MakeEdgeKernel([](const RangeSamples& /*samples*/, std::size_t begin,
                               std::size_t end) { return static_cast<double>(end - begin); });
    case FunctionId::kPresentOverTime:
    case FunctionId::kAbsentOverTime:
      return MakeEdgeKernel([](const RangeSamples& /*samples*/, std::size_t /*begin*/,
                               std::size_t /*end*/) { return 1.0; });
    case FunctionId::kFirstOverTime:
      return MakeEdgeKernel([](const RangeSamples& samples, std::size_t begin,
                               std::size_t /*end*/) { return AsValue(samples.values[begin]); });
    case FunctionId::kLastOverTime:
      return MakeEdgeKernel([](const RangeSamples& samples, std::size_t /*begin*/,
                               std::size_t end) { return AsValue(samples.values[end - 1]); });
    case FunctionId::kTsOfFirstOverTime:
      return MakeEdgeKernel(
          [](const RangeSamples& samples, std::size_t begin, std::size_t /*end*/) {
            return Timestamp{samples.times[begin]}.seconds();
          });
    case FunctionId::kTsOfLastOverTime:
      return MakeEdgeKernel(
          [](const RangeSamples& samples, std::size_t /*begin*/, std::size_t end) {
            return Timestamp{samples.times[end - 1]}.seconds();
          });
    case FunctionId::kChanges:
      return std::make_unique<PairCountKernel>(Changed);
    case FunctionId::kResets:
      return std::make_unique<PairCountKernel>(Reset);
    case FunctionId::kDoubleExponentialSmoothing:
      return std::make_unique<SmoothingKernel>();
    default:
      return nullptr;
  }
}

}  // namespace

bool WindowIndex::Update(std::span<const std::int64_t> times) {
  CHECK(times.size() < std::numeric_limits<std::uint32_t>::max());
  const bool same = !begin_.empty() && times.size() == times_.size() &&
                    std::memcmp(times.data(), times_.data(), times.size_bytes()) == 0;
  if (same) return false;
  times_.assign(times.begin(), times.end());
  begin_.resize(grid_.steps);
  end_.resize(grid_.steps);
  const bool extended = grid_.anchored || grid_.smoothed;
  const std::int64_t before = extended ? grid_.lookback : 0;
  const std::int64_t after = grid_.smoothed ? grid_.lookback : 0;
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  total_ = 0;
  largest_ = 0;
  const auto size = static_cast<std::uint32_t>(times.size());
  for (std::size_t i = 0; i < grid_.steps; ++i) {
    const std::int64_t t = grid_.end(i);
    const std::int64_t until = AddClamped(t, after);
    const std::int64_t from = SubtractClamped(SubtractClamped(t, grid_.range), before);
    while (end < size && times[end] <= until) {
      ++end;
    }
    while (begin < end && times[begin] <= from) {
      ++begin;
    }
    begin_[i] = begin;
    end_[i] = end;
    total_ += end - begin;
    largest_ = std::max(largest_, end - begin);
  }
  return true;
}

bool IsRestart(const RangeSamples& samples, std::size_t i) {
  if (samples.starts.empty()) return false;
  const std::int64_t start = samples.starts[i];
  const std::int64_t before = samples.times[i - 1];
  if (start == 0 || start >= samples.times[i] || start < before) return false;
  if (start > before) return true;
  // It starts where the sample before is: a delta series, unless that sample's own start is unknown
  // or impossible.
  const std::int64_t start_before = samples.starts[i - 1];
  return start_before != 0 && start_before < before;
}

bool HasStartOverlap(const WindowInput& input) {
  const RangeSamples& samples = input.samples;
  if (samples.starts.empty()) return false;
  for (std::size_t i = 1; i < samples.times.size(); ++i) {
    const std::int64_t start = samples.starts[i];
    const bool overlaps =
        start != 0 && start < samples.times[i - 1] && start != samples.starts[i - 1];
    if (!overlaps) continue;
    // Windows move to the right only: of those that reach beyond the sample, the first begins
    // furthest to the left.
    const auto reaches = std::ranges::upper_bound(input.end, i);
    if (reaches == input.end.end()) continue;
    if (input.begin[static_cast<std::size_t>(reaches - input.end.begin())] < i) return true;
  }
  return false;
}

std::unique_ptr<WindowKernel> MakeWindowKernel(FunctionId id, const WindowGrid& grid) {
  if (auto kernel = MakeSimpleKernel(id)) return kernel;
  if (auto kernel = MakeRateKernel(id, grid)) return kernel;
  if (auto kernel = MakeSumKernel(id)) return kernel;
  auto kernel = MakeOrderKernel(id);
  CHECK(kernel != nullptr);
  return kernel;
}

}  // namespace sonde::promql
