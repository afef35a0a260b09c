#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/time.h"
#include "model/histogram.h"
#include "model/labels.h"
#include "model/sample.h"

// What the naive evaluator computes with.

namespace sonde::promql {

using HistogramPtr = std::shared_ptr<const FloatHistogram>;

/// A stored sample: a float, or a histogram if there is one.
struct NaiveSample {
  Timestamp t;
  Timestamp start;  ///< When its counter began; 0 if unknown.
  double v = 0;
  HistogramPtr histogram = nullptr;
};

/// An element of an instant vector: a float, or a histogram if there is one.
struct NaiveElement {
  Labels labels{};
  double v = 0;
  HistogramPtr histogram = nullptr;
  /// The metadata labels go when the query is done (delayed name removal).
  bool drop_name = false;
};
using NaiveVector = std::vector<NaiveElement>;

/// A scalar or an instant vector.
using NaiveValue = std::variant<double, NaiveVector>;

struct NaiveHistogramSample {
  Timestamp t;
  HistogramPtr histogram;
};

/// What a function of range vectors sees of one series: samples in time order, floats and
/// histograms apart.
struct NaiveWindow {
  Labels labels{};
  bool drop_name = false;
  /// The range is (start, end]. Anchored and smoothed windows hold samples beyond it.
  Timestamp start{};
  Timestamp end{};
  bool anchored = false;
  bool smoothed = false;
  std::vector<FloatSample> floats{};
  std::vector<NaiveHistogramSample> histograms{};
  /// As long as `floats` and `histograms`, or empty if start timestamps are not used.
  std::vector<Timestamp> float_starts{};
  std::vector<Timestamp> histogram_starts{};

  bool empty() const { return floats.empty() && histograms.empty(); }
};

/// A float, or a histogram if there is one.
struct NaivePoint {
  double v = 0;
  HistogramPtr histogram = nullptr;
};

/// A series that info() takes labels from, at one time.
struct InfoElement {
  Labels labels;
  Timestamp t;  ///< Of its sample: the newest wins.
};
/// The info series of one target, by name.
using TargetInfo = std::map<std::string, InfoElement>;

/// As the sample budget counts: 1 for a float, a histogram's size in units of 16 bytes.
std::uint64_t SampleCount(const HistogramPtr& histogram);
std::uint64_t SampleCount(const NaiveVector& vector);
std::uint64_t SampleCount(const NaiveWindow& window);

/// Time arithmetic that stops at the ends of the scale instead of wrapping around.
Timestamp Later(Timestamp t, Duration by);
Timestamp Earlier(Timestamp t, Duration by);

}  // namespace sonde::promql
