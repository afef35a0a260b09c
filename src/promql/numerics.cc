#include "promql/numerics.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"

namespace sonde::promql {

void KahanSum::Add(double x) {
  const double total = sum_ + x;
  if (std::isinf(total)) {
    compensation_ = 0;
  } else if (std::fabs(sum_) >= std::fabs(x)) {
    compensation_ += (sum_ - total) + x;
  } else {
    compensation_ += (x - total) + sum_;
  }
  sum_ = total;
}

void RunningMean::Add(double x) {
  count_ += 1;
  if (count_ == 1) {
    sum_ = KahanSum(x);
    return;
  }
  if (!incremental_) {
    KahanSum next = sum_;
    next.Add(x);
    if (!std::isinf(next.sum())) {
      sum_ = next;
      return;
    }
    incremental_ = true;
    sum_ = KahanSum(sum_.sum() / (count_ - 1), sum_.compensation() / (count_ - 1));
  }
  const double keep = (count_ - 1) / count_;
  sum_ = KahanSum(keep * sum_.sum(), keep * sum_.compensation());
  sum_.Add(x / count_);
}

double RunningMean::Value() const {
  if (incremental_) return sum_.Total();
  return sum_.sum() / count_ + sum_.compensation() / count_;
}

void AggregateVariance::Add(double x) {
  count_ += 1;
  if (count_ == 1) {
    mean_ = x;
    sum_of_squares_ = std::isfinite(x) ? 0 : std::numeric_limits<double>::quiet_NaN();
    return;
  }
  const double delta = x - mean_;
  mean_ += delta / count_;
  sum_of_squares_ += delta * (x - mean_);
}

double VarianceOf(std::span<const FloatSample> samples) {
  double count = 0;
  KahanSum mean;
  KahanSum squares;
  for (const FloatSample& sample : samples) {
    count += 1;
    const double delta = sample.v - mean.Total();
    mean.Add(delta / count);
    squares.Add(delta * (sample.v - mean.Total()));
  }
  return squares.Total() / count;
}

double Quantile(double phi, std::vector<double> values) {
  if (values.empty() || std::isnan(phi)) return std::numeric_limits<double>::quiet_NaN();
  if (phi < 0) return -std::numeric_limits<double>::infinity();
  if (phi > 1) return std::numeric_limits<double>::infinity();
  std::ranges::sort(values,
                    [](double a, double b) { return std::isnan(a) ? !std::isnan(b) : a < b; });
  const auto n = static_cast<double>(values.size());
  const double rank = phi * (n - 1);
  const double lower = std::max(0.0, std::floor(rank));
  const double upper = std::min(n - 1, lower + 1);
  const double weight = rank - std::floor(rank);
  return values[static_cast<std::size_t>(lower)] * (1 - weight) +
         values[static_cast<std::size_t>(upper)] * weight;
}

Line LinearRegression(std::span<const FloatSample> samples, Timestamp intercept_time) {
  CHECK(!samples.empty());
  double n = 0;
  KahanSum x_sum;
  KahanSum y_sum;
  KahanSum xy_sum;
  KahanSum xx_sum;
  const double first = samples.front().v;
  bool constant = true;
  for (const FloatSample& sample : samples) {
    // Not for the first: a NaN differs even from itself.
    if (n > 0 && sample.v != first) constant = false;
    n += 1;
    const double x = static_cast<double>((sample.t - intercept_time).count()) / 1e3;
    x_sum.Add(x);
    y_sum.Add(sample.v);
    xy_sum.Add(x * sample.v);
    xx_sum.Add(x * x);
  }
  if (constant) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    return std::isinf(first) ? Line{nan, nan} : Line{0, first};
  }
  const double x = x_sum.Total();
  const double y = y_sum.Total();
  const double covariance = xy_sum.Total() - x * y / n;
  const double variance = xx_sum.Total() - x * x / n;
  Line line;
  line.slope = covariance / variance;
  line.intercept = y / n - line.slope * x / n;
  return line;
}

double Interpolate(const FloatSample& a, const FloatSample& b, Timestamp t, bool counter) {
  const double from = counter && b.v < a.v ? 0 : a.v;
  return from + (b.v - from) * static_cast<double>((t - a.t).count()) /
                    static_cast<double>((b.t - a.t).count());
}

double GoMax(double a, double b) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (a == kInfinity || b == kInfinity) return kInfinity;
  if (std::isnan(a) || std::isnan(b)) return std::numeric_limits<double>::quiet_NaN();
  if (a == 0 && b == 0) return std::signbit(a) ? b : a;
  return a > b ? a : b;
}

double GoMin(double a, double b) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (a == -kInfinity || b == -kInfinity) return -kInfinity;
  if (std::isnan(a) || std::isnan(b)) return std::numeric_limits<double>::quiet_NaN();
  if (a == 0 && b == 0) return std::signbit(a) ? a : b;
  return a < b ? a : b;
}

bool AlmostEqual(double a, double b, double epsilon) {
  if (IsStaleNan(a) || IsStaleNan(b)) return IsStaleNan(a) && IsStaleNan(b);
  if (std::isnan(a) && std::isnan(b)) return true;
  if (a == b) return true;
  constexpr double kMinNormal = std::numeric_limits<double>::min();
  const double magnitude = std::fabs(a) + std::fabs(b);
  const double difference = std::fabs(a - b);
  if (a == 0 || b == 0 || magnitude < kMinNormal) return difference < epsilon * kMinNormal;
  return difference / std::min(magnitude, std::numeric_limits<double>::max()) < epsilon;
}

}  // namespace sonde::promql
