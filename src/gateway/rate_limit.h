#pragma once

#include <cstdint>

// A token bucket: so much a minute, all of which may be used at once. No clock and no lock of its
// own.

namespace sonde::gateway {

/// Holds at most one minute's worth. What turns out to have cost more than was asked for leaves a
/// debt, which must be paid before anything passes again. Times are monotonic nanoseconds; one
/// before the last seen counts as that. Not thread-safe.
class RateLimit {
 public:
  /// `per_minute` 0: no limit.
  explicit RateLimit(double per_minute) : per_minute_(per_minute), level_(per_minute) {}

  /// Keeps the share that is left.
  void SetRate(double per_minute, std::int64_t now);

  /// Whether `amount` may pass. What is larger than the whole bucket passes when that is full:
  /// else it would never.
  bool Allows(double amount, std::int64_t now);
  /// Takes `amount`, whether or not it is there; a negative one gives back.
  void Take(double amount, std::int64_t now);
  /// Nanoseconds until Allows(amount).
  std::int64_t WaitFor(double amount, std::int64_t now);
  /// Nanoseconds until the bucket is full.
  std::int64_t UntilFull(std::int64_t now);

  bool limited() const { return per_minute_ > 0; }
  double per_minute() const { return per_minute_; }
  double left(std::int64_t now);  ///< Never below 0.

 private:
  void Refill(std::int64_t now);
  std::int64_t NanosFor(double amount) const;

  double per_minute_;
  double level_;
  bool started_ = false;
  std::int64_t last_ = 0;
};

}  // namespace sonde::gateway
