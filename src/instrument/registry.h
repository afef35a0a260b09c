#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/time.h"

// Sonde's own metrics. A Registry is passed to whatever counts something; nothing registers itself.
// Reading a registry gives families of points, which api/ writes as text (wire/) and which Sonde
// scrapes from itself.

namespace sonde::instrument {

/// Only goes up. Thread-safe, lock-free.
class Counter {
 public:
  void Add(double by = 1) {
    double old = value_.load(std::memory_order_relaxed);
    while (!value_.compare_exchange_weak(old, old + by, std::memory_order_relaxed)) {
    }
  }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

/// Goes up and down. Thread-safe, lock-free.
class Gauge {
 public:
  void Set(double v) { value_.store(v, std::memory_order_relaxed); }
  void Add(double by) {
    double old = value_.load(std::memory_order_relaxed);
    while (!value_.compare_exchange_weak(old, old + by, std::memory_order_relaxed)) {
    }
  }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

/// The last observation of a bucket that came with a name: a request's id, a trace's.
struct BucketExample {
  std::string label;  ///< "request_id"; empty: the bucket has none.
  std::string id;
  double value = 0;
  Timestamp time;
};

/// Counts observations in buckets with fixed upper bounds. Thread-safe, lock-free (but for
/// examples); a reading taken while others observe may lag by those observations, but its count is
/// always the sum of its buckets.
class Histogram {
 public:
  explicit Histogram(std::span<const double> bounds);
  ~Histogram();

  void Observe(double v) { Observe(v, 1); }
  /// `count` observations of the same value, as one.
  void Observe(double v, std::uint64_t count);
  /// One observation, remembered as its bucket's example until the next one. Takes a short lock;
  /// for what happens once a request, not once a token. An `id` longer than kMaxExampleId is not
  /// remembered.
  void Observe(double v, std::string_view label, std::string_view id, Timestamp time)
      EXCLUDES(examples_mutex_);
  static constexpr std::size_t kMaxExampleId = 128;

  /// One for each of counts(), or none at all if no observation had an example.
  std::vector<BucketExample> examples() const EXCLUDES(examples_mutex_);

  const std::vector<double>& bounds() const { return bounds_; }
  /// Count per bucket, not cumulative; the last is the +Inf bucket.
  std::vector<std::uint64_t> counts() const;
  double sum() const { return sum_.value(); }

 private:
  std::size_t Bucket(double v) const;

  const std::vector<double> bounds_;
  std::vector<std::atomic<std::uint64_t>> counts_;
  Counter sum_;
  mutable Mutex examples_mutex_;
  std::vector<BucketExample> examples_ GUARDED_BY(examples_mutex_);
};

enum class FamilyType : unsigned char { kCounter, kGauge, kHistogram };

/// One labelled member of a family, as read.
struct Point {
  std::vector<std::pair<std::string, std::string>> labels;
  double value = 0;                      ///< Counters and gauges.
  const Histogram* histogram = nullptr;  ///< Histograms.
};

struct FamilySnapshot {
  std::string name;
  std::string help;
  FamilyType type = FamilyType::kGauge;
  std::vector<Point> points;
};

/// Label names and values of one member, in the order of the names: written out, or a list that was
/// put together. Borrowed for the length of the call.
class LabelPairs {
 public:
  using Pair = std::pair<std::string_view, std::string_view>;
  LabelPairs() = default;
  LabelPairs(std::initializer_list<Pair> pairs)  // NOLINT(google-explicit-constructor): as written
      : pairs_(pairs.begin(), pairs.size()) {}
  explicit LabelPairs(std::span<const Pair> pairs) : pairs_(pairs) {}

  auto begin() const { return pairs_.begin(); }
  auto end() const { return pairs_.end(); }

 private:
  std::span<const Pair> pairs_;
};

/// Owns the metrics; references that it hands out live as long as it does. Thread-safe. Asking
/// twice for the same name and labels gives the same object; a name with another type or other
/// label names is a CHECK failure. Look a metric up once and keep the reference: the look-up takes
/// a lock.
class Registry {
 public:
  Registry();
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  Counter& GetCounter(std::string_view name, std::string_view help, LabelPairs labels = {});
  Gauge& GetGauge(std::string_view name, std::string_view help, LabelPairs labels = {});
  Histogram& GetHistogram(std::string_view name, std::string_view help,
                          std::span<const double> bounds, LabelPairs labels = {});
  /// A value that is computed when read. `read` must be thread-safe and quick, and must outlive the
  /// registry's use.
  void AddCallback(std::string_view name, std::string_view help, FamilyType type,
                   std::function<double()> read, LabelPairs labels = {});
  /// Several points that are computed when read, for label values that come and go.
  void AddCollector(std::string_view name, std::string_view help, FamilyType type,
                    std::function<void(std::vector<Point>&)> collect);

  /// All families by name; points in the order in which they were made.
  std::vector<FamilySnapshot> Snapshot() const;

 private:
  struct Family;
  struct Member;

  Family& GetFamily(std::string_view name, std::string_view help, FamilyType type) REQUIRES(mutex_);
  Member& GetMember(Family& family, LabelPairs labels) REQUIRES(mutex_);

  mutable Mutex mutex_;
  std::map<std::string, std::unique_ptr<Family>, std::less<>> families_ GUARDED_BY(mutex_);
};

}  // namespace sonde::instrument
