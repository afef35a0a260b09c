#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/labels.h"
#include "model/sample.h"

// What the planned evaluator computes with: whole columns, one value for each step of the query.
// docs/decisions/0044-planned-evaluator.md tells why.

namespace sonde::promql {

/// The times at which a part of a query is evaluated: start, start + step, … The whole query has
/// one; a subquery gives its inner expression another.
struct Grid {
  Timestamp start;
  Duration step{0};       ///< 0 for a single step.
  std::size_t steps = 1;  ///< At least 1.
  bool is_range = false;  ///< For more than an instant, even if there is only one step in it.

  Timestamp at(std::size_t i) const { return start + step * static_cast<std::int64_t>(i); }
  Timestamp last() const { return at(steps - 1); }
};

// A step without a value holds this NaN. It is a signalling one, which no arithmetic gives; a
// stored sample with these very bits is read as an ordinary NaN.
inline constexpr std::uint64_t kMissingBits = 0x7ff00000000ab5e7ULL;
inline constexpr double kMissing = std::bit_cast<double>(kMissingBits);

inline bool IsMissing(double v) {
  return std::bit_cast<std::uint64_t>(v) == kMissingBits;
}
inline bool IsPresent(double v) {
  return !IsMissing(v);
}
/// A sample as it is read: never kMissing.
inline double AsValue(double sample) {
  return IsMissing(sample) ? std::bit_cast<double>(kNormalNanBits) : sample;
}

/// One value a step, or kMissing.
using Column = std::vector<double>;

std::size_t CountPresent(std::span<const double> column);
/// What a column that is kept counts against the sample limit: its values, but a long one that is
/// nearly empty needs memory, too.
std::size_t HeldSize(std::span<const double> column);

/// A series on its way through the plan.
struct ColumnSeries {
  LabelsView labels;  ///< Valid until the sink returns.
  bool drop_name =
      false;       ///< The metadata labels go when the query is done (delayed name removal).
  Column& values;  ///< The sink may change them or take them away.
};

/// A series that stays.
struct KeptSeries {
  Labels labels;
  bool drop_name = false;
  Column values;
};
using SeriesList = std::vector<KeptSeries>;

/// Takes the series of a vector, one after the other, in the order that defines results.
class VectorSink {
 public:
  virtual ~VectorSink() = default;
  virtual Status Accept(const ColumnSeries& series) = 0;
};

/// A sink made of a lambda: Status(const ColumnSeries&).
template <class F>
class LambdaSink final : public VectorSink {
 public:
  explicit LambdaSink(F f) : f_(std::move(f)) {}
  Status Accept(const ColumnSeries& series) override { return f_(series); }

 private:
  F f_;
};

}  // namespace sonde::promql
