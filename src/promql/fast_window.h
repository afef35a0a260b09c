#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "promql/functions.h"
#include "promql/plan.h"

// Windows that slide over the samples of one series, and what range functions make of them: one
// value for each step, computed for all steps in one go.

namespace sonde::promql {

/// Which samples lie in the window of each step: [begin, end) as indices. Series that are scraped
/// together have samples at the same times, so the answer of the series before is kept as long as
/// the times do not change.
class WindowIndex {
 public:
  explicit WindowIndex(const WindowGrid& grid) : grid_(grid) {}

  /// Makes the index for a series with these sample times. True if they are not those of the series
  /// before.
  bool Update(std::span<const std::int64_t> times);

  std::span<const std::uint32_t> begin() const { return begin_; }
  std::span<const std::uint32_t> end() const { return end_; }
  std::uint64_t total() const { return total_; }      ///< Samples in all windows together.
  std::uint32_t largest() const { return largest_; }  ///< Samples in the largest window.

 private:
  const WindowGrid grid_;
  std::vector<std::int64_t> times_;
  std::vector<std::uint32_t> begin_;
  std::vector<std::uint32_t> end_;
  std::uint64_t total_ = 0;
  std::uint32_t largest_ = 0;
};

/// What a kernel computes from.
struct WindowInput {
  RangeSamples samples;
  const WindowGrid& grid;
  std::span<const std::uint32_t> begin;
  std::span<const std::uint32_t> end;
  const Grid& steps;  ///< The evaluation times, which an offset tells from the windows' ends.
  std::span<const Column> scalars;  ///< The function's other arguments.
  bool same_times = false;          ///< The samples have the times of the series before.
  WorkMeter& meter;

  std::size_t size(std::size_t i) const { return end[i] - begin[i]; }
};

/// A sum that carries its rounding errors along, as KahanSum of numerics.h, for loops.
struct CompensatedSum {
  double sum = 0;
  double compensation = 0;

  void Add(double x) {
    const double total = sum + x;
    if (std::isinf(total)) {
      compensation = 0;
    } else if (std::fabs(sum) >= std::fabs(x)) {
      compensation += (sum - total) + x;
    } else {
      compensation += (x - total) + sum;
    }
    sum = total;
  }
  double Total() const { return sum + compensation; }
};

/// Computes a range function for one series after the other. It may keep what depends on sample
/// times only.
class WindowKernel {
 public:
  virtual ~WindowKernel() = default;
  /// Sets out[i] for each step; kMissing where there is no value. Ends early if the input's meter
  /// says so.
  virtual void Run(const WindowInput& input, double* out) = 0;
};

/// The kernel of any function of floats that takes a range.
std::unique_ptr<WindowKernel> MakeWindowKernel(FunctionId id, const WindowGrid& grid);

/// Those of rate() and its family, of sums and means, and of values in order (fast_rate.cc,
/// fast_sums.cc, fast_order.cc); null for other functions.
std::unique_ptr<WindowKernel> MakeRateKernel(FunctionId id, const WindowGrid& grid);
std::unique_ptr<WindowKernel> MakeSumKernel(FunctionId id);
std::unique_ptr<WindowKernel> MakeOrderKernel(FunctionId id);

/// The samples of an anchored or smoothed range, with one at each of its edges. Only the first
/// window counts.
std::vector<FloatSample> EdgeToEdge(const RangeSamples& samples, const WindowGrid& window);

/// A start timestamp that overlaps the sample before it somewhere in a window: worth a warning.
bool HasStartOverlap(const WindowInput& input);

/// True if the start timestamps say that a counter was restarted between samples i-1 and i.
bool IsRestart(const RangeSamples& samples, std::size_t i);

}  // namespace sonde::promql
