#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "promql/fast_window.h"

// Extremes and quantiles over windows: what is known of one window is carried on to the next.

namespace sonde::promql {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// min_over_time() and the like. NaN gives way to any number; of equal values the first counts or,
// for their time, the last. A queue holds the samples that can still become the extreme of a
// window, the present one in front.
class ExtremeKernel final : public WindowKernel {
 public:
  ExtremeKernel(bool max, bool time) : max_(max), time_(time) {}

  void Run(const WindowInput& input, double* out) override {
    const RangeSamples& samples = input.samples;
    queue_.clear();
    std::size_t front = 0;
    std::size_t next = 0;
    for (std::size_t i = 0; i < input.grid.steps; ++i) {
      const std::size_t begin = input.begin[i];
      const std::size_t end = input.end[i];
      next = std::max(next, begin);
      for (; next < end; ++next) {
        const double v = samples.values[next];
        if (std::isnan(v)) continue;
        while (queue_.size() > front && GivesWay(samples.values[queue_.back()], v)) {
          queue_.pop_back();
        }
        queue_.push_back(next);
      }
      while (front < queue_.size() && queue_[front] < begin) {
        ++front;
      }
      out[i] = kMissing;
      if (begin == end) continue;
      // Nothing but NaN: the last one.
      const std::size_t best = front < queue_.size() ? queue_[front] : end - 1;
      out[i] = time_ ? Timestamp{samples.times[best]}.seconds() : AsValue(samples.values[best]);
    }
  }

 private:
  bool GivesWay(double old, double v) const {
    if (old == v) return time_;
    return max_ ? old < v : old > v;
  }

  bool max_;
  bool time_;
  std::vector<std::size_t> queue_;
};

// The values of a window, sorted. Windows that overlap share most of them.
class SortedWindow {
 public:
  void MoveTo(std::span<const double> values, std::size_t begin, std::size_t end) {
    const bool overlaps = begin < end_ && begin >= begin_ && end >= end_;
    const std::size_t changes = (begin - begin_) + (end - end_);
    if (!overlaps || changes > end - begin) {
      Rebuild(values, begin, end);
      return;
    }
    for (; begin_ < begin; ++begin_) {
      Remove(values[begin_]);
    }
    for (; end_ < end; ++end_) {
      Insert(values[end_]);
    }
  }
  void Clear() {
    sorted_.clear();
    begin_ = end_ = nans_ = 0;
  }

  // By rank; NaN ranks below all numbers.
  double at(std::size_t rank) const { return rank < nans_ ? kNan : sorted_[rank - nans_]; }
  std::size_t size() const { return nans_ + sorted_.size(); }
  bool has_nan() const { return nans_ > 0; }

 private:
  void Rebuild(std::span<const double> values, std::size_t begin, std::size_t end) {
    begin_ = begin;
    end_ = end;
    nans_ = 0;
    sorted_.clear();
    for (std::size_t i = begin; i < end; ++i) {
      if (std::isnan(values[i])) {
        ++nans_;
      } else {
        sorted_.push_back(values[i]);
      }
    }
    std::ranges::sort(sorted_);
  }
  void Insert(double v) {
    if (std::isnan(v)) {
      ++nans_;
    } else {
      sorted_.insert(std::ranges::upper_bound(sorted_, v), v);
    }
  }
  void Remove(double v) {
    if (std::isnan(v)) {
      --nans_;
    } else {
      sorted_.erase(std::ranges::lower_bound(sorted_, v));
    }
  }

  std::vector<double> sorted_;  // Without NaN.
  std::size_t nans_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

class QuantileKernel final : public WindowKernel {
 public:
  void Run(const WindowInput& input, double* out) override {
    window_.Clear();
    for (std::size_t i = 0; i < input.grid.steps; ++i) {
      out[i] = kMissing;
      if (input.size(i) == 0) continue;
      if (input.meter.Stops(input.size(i))) return;
      window_.MoveTo(input.samples.values, input.begin[i], input.end[i]);
      out[i] = Quantile(input.scalars[0][i]);
    }
  }

 private:
  double Quantile(double phi) const {
    if (std::isnan(phi)) return kNan;
    if (phi < 0) return -kInfinity;
    if (phi > 1) return kInfinity;
    const auto n = static_cast<double>(window_.size());
    const double rank = phi * (n - 1);
    const double lower = std::max(0.0, std::floor(rank));
    const double upper = std::min(n - 1, lower + 1);
    const double weight = rank - std::floor(rank);
    return window_.at(static_cast<std::size_t>(lower)) * (1 - weight) +
           window_.at(static_cast<std::size_t>(upper)) * weight;
  }

  SortedWindow window_;
};

// The median distance from the median.
class DeviationKernel final : public WindowKernel {
 public:
  void Run(const WindowInput& input, double* out) override {
    window_.Clear();
    for (std::size_t i = 0; i < input.grid.steps; ++i) {
      out[i] = kMissing;
      if (input.size(i) == 0) continue;
      if (input.meter.Stops(input.size(i))) return;
      window_.MoveTo(input.samples.values, input.begin[i], input.end[i]);
      out[i] = window_.has_nan() ? kNan : Deviation();
    }
  }

 private:
  double Deviation() {
    distances_.clear();
    for (std::size_t i = 0; i < window_.size(); ++i) {
      distances_.push_back(window_.at(i));
    }
    const double median = Median(distances_);
    for (double& v : distances_) {
      v = std::fabs(v - median);
    }
    // The distances may have become NaN, between infinities.
    std::ranges::sort(distances_,
                      [](double a, double b) { return std::isnan(a) ? !std::isnan(b) : a < b; });
    return Median(distances_);
  }

  static double Median(const std::vector<double>& sorted) {
    const auto n = static_cast<double>(sorted.size());
    const double rank = 0.5 * (n - 1);
    const double lower = std::floor(rank);
    const double upper = std::min(n - 1, lower + 1);
    const double weight = rank - lower;
    return sorted[static_cast<std::size_t>(lower)] * (1 - weight) +
           sorted[static_cast<std::size_t>(upper)] * weight;
  }

  SortedWindow window_;
  std::vector<double> distances_;
};

}  // namespace

std::unique_ptr<WindowKernel> MakeOrderKernel(FunctionId id) {
  switch (id) {
    case FunctionId::kMinOverTime:
      return std::make_unique<ExtremeKernel>(false, false);
    case FunctionId::kMaxOverTime:
      return std::make_unique<ExtremeKernel>(true, false);
    case FunctionId::kTsOfMinOverTime:
      return std::make_unique<ExtremeKernel>(false, true);
    case FunctionId::kTsOfMaxOverTime:
      return std::make_unique<ExtremeKernel>(true, true);
    case FunctionId::kQuantileOverTime:
      return std::make_unique<QuantileKernel>();
    case FunctionId::kMadOverTime:
      return std::make_unique<DeviationKernel>();
    default:
      return nullptr;
  }
}

}  // namespace sonde::promql
