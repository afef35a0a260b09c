#include <cmath>
#include <limits>

#include "promql/fast_window.h"

// Sums, means, variances and straight lines over windows. The order of additions is part of the
// result, so no sum is carried from one window to the next.

namespace sonde::promql {
namespace {

class SumKernel final : public WindowKernel {
 public:
  void Run(const WindowInput& input, double* out) override {
    for (std::size_t i = 0; i < input.grid.steps; ++i) {
      if (input.meter.Stops(input.size(i))) return;
      out[i] = kMissing;
      if (input.size(i) == 0) continue;
      CompensatedSum sum;
      for (std::size_t k = input.begin[i]; k < input.end[i]; ++k) {
        sum.Add(input.samples.values[k]);
      }
      out[i] = sum.Total();
    }
  }
};

// The sum divided by the count or, if the sum overflows, a mean that is updated with each value
// from there on.
class MeanKernel final : public WindowKernel {
 public:
  void Run(const WindowInput& input, double* out) override {
    for (std::size_t i = 0; i < input.grid.steps; ++i) {
      if (input.meter.Stops(input.size(i))) return;
      out[i] = input.size(i) == 0
                   ? kMissing
                   : Mean(input.samples.values.subspan(input.begin[i], input.size(i)));
    }
  }

 private:
  static double Mean(std::span<const double> values) {
    CompensatedSum sum{.sum = values[0]};
    for (std::size_t i = 1; i < values.size(); ++i) {
      CompensatedSum next = sum;
      next.Add(values[i]);
      if (std::isinf(next.sum)) return MeanFrom(values, i, sum);
      sum = next;
    }
    const auto count = static_cast<double>(values.size());
    return sum.sum / count + sum.compensation / count;
  }

  // `sum` is that of the first `i` values.
  static double MeanFrom(std::span<const double> values, std::size_t i, CompensatedSum sum) {
    auto count = static_cast<double>(i);
    CompensatedSum mean{sum.sum / count, sum.compensation / count};
    for (; i < values.size(); ++i) {
      count += 1;
      const double keep = (count - 1) / count;
      mean = {keep * mean.sum, keep * mean.compensation};
      mean.Add(values[i] / count);
    }
    return mean.Total();
  }
};

class VarianceKernel final : public WindowKernel {
 public:
  explicit VarianceKernel(bool root) : root_(root) {}

  void Run(const WindowInput& input, double* out) override {
    for (std::size_t i = 0; i < input.grid.steps; ++i) {
      if (input.meter.Stops(input.size(i))) return;
      out[i] = kMissing;
      if (input.size(i) == 0) continue;
      double count = 0;
      CompensatedSum mean;
      CompensatedSum squares;
      for (std::size_t k = input.begin[i]; k < input.end[i]; ++k) {
        const double v = input.samples.values[k];
        count += 1;
        const double delta = v - mean.Total();
        mean.Add(delta / count);
        squares.Add(delta * (v - mean.Total()));
      }
      const double variance = squares.Total() / count;
      out[i] = root_ ? std::sqrt(variance) : variance;
    }
  }

 private:
  bool root_;
};

// deriv() and predict_linear(): least squares. Times count from the first sample or from the
// evaluation time.
class LineKernel final : public WindowKernel {
 public:
  explicit LineKernel(bool predicts) : predicts_(predicts) {}

  void Run(const WindowInput& input, double* out) override {
    for (std::size_t i = 0; i < input.grid.steps; ++i) {
      if (input.meter.Stops(input.size(i))) return;
      out[i] = kMissing;
      if (input.size(i) < 2) continue;
      const std::int64_t origin =
          predicts_ ? input.steps.at(i).ms : input.samples.times[input.begin[i]];
      const Line line = Fit(input, i, origin);
      out[i] = predicts_ ? line.slope * input.scalars[0][i] + line.intercept : line.slope;
    }
  }

 private:
  struct Line {
    double slope = 0;
    double intercept = 0;
  };

  static bool AllEqual(const WindowInput& input, std::size_t i) {
    const double first = input.samples.values[input.begin[i]];
    for (std::size_t k = input.begin[i] + 1; k < input.end[i]; ++k) {
      if (input.samples.values[k] != first) return false;
    }
    return true;
  }

  static Line Fit(const WindowInput& input, std::size_t i, std::int64_t origin) {
    if (AllEqual(input, i)) {
      const double first = input.samples.values[input.begin[i]];
      const double nan = std::numeric_limits<double>::quiet_NaN();
      // Flat, whatever rounding would make of it.
      return std::isinf(first) ? Line{nan, nan} : Line{0, first};
    }
    CompensatedSum x_sum;
    CompensatedSum y_sum;
    CompensatedSum xy_sum;
    CompensatedSum xx_sum;
    for (std::size_t k = input.begin[i]; k < input.end[i]; ++k) {
      const double x = static_cast<double>(input.samples.times[k] - origin) / 1e3;
      const double y = input.samples.values[k];
      x_sum.Add(x);
      y_sum.Add(y);
      xy_sum.Add(x * y);
      xx_sum.Add(x * x);
    }
    const auto n = static_cast<double>(input.size(i));
    const double x = x_sum.Total();
    const double y = y_sum.Total();
    const double covariance = xy_sum.Total() - x * y / n;
    const double variance = xx_sum.Total() - x * x / n;
    Line line;
    line.slope = covariance / variance;
    line.intercept = y / n - line.slope * x / n;
    return line;
  }

  bool predicts_;
};

}  // namespace

std::unique_ptr<WindowKernel> MakeSumKernel(FunctionId id) {
  switch (id) {
    case FunctionId::kSumOverTime:
      return std::make_unique<SumKernel>();
    case FunctionId::kAvgOverTime:
      return std::make_unique<MeanKernel>();
    case FunctionId::kStdvarOverTime:
      return std::make_unique<VarianceKernel>(false);
    case FunctionId::kStddevOverTime:
      return std::make_unique<VarianceKernel>(true);
    case FunctionId::kDeriv:
      return std::make_unique<LineKernel>(false);
    case FunctionId::kPredictLinear:
      return std::make_unique<LineKernel>(true);
    default:
      return nullptr;
  }
}

}  // namespace sonde::promql
