#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "collect/gpu/gpu_reading.h"

// Makes counters from moments. Arithmetic only: no clock, no threads, no I/O.

namespace sonde::collect {

/// A counter that is the integral of a quantity over time.
///
/// After a gap longer than `max_gap_nanos` (a hanging driver, a suspended machine) nobody knows
/// what happened, so nothing is added for it: the counter never claims more than was seen.
class Integral {
 public:
  enum class Rule : unsigned char {
    kPast,       ///< `value` is a mean over the moments before `now`.
    kTrapezoid,  ///< `value` is a sample of this instant.
  };

  void Add(std::int64_t now_nanos, double value, Rule rule, std::int64_t max_gap_nanos);
  /// The next Add starts anew; the total stays.
  void Pause() { last_nanos_.reset(); }
  /// Nothing before the first Add.
  std::optional<double> total() const { return started_ ? std::optional(total_) : std::nullopt; }

 private:
  bool started_ = false;
  double total_ = 0;
  std::optional<std::int64_t> last_nanos_;
  double last_value_ = 0;
};

/// A device as the page shows it: the newest reading and the counters.
struct GpuDevice {
  GpuIdentity id;
  std::string error;             ///< Empty while it answers.
  std::int64_t error_since = 0;  ///< Milliseconds since 1970.
  GpuReading now;                ///< Without details.
  std::vector<GpuValue> details;
  std::optional<double> busy_seconds;
  std::optional<double> energy_joules;
  std::optional<double> throttle_seconds[kThrottleReasons];
  std::optional<double> pcie_bytes[2];  ///< Sent, received.
};

/// The devices of one driver, over time. A device that was seen once is kept: when it is gone its
/// error is "gone", its counters stay and its gauges end. At most 256 devices; more are left out.
/// Not thread-safe.
class GpuMeter {
 public:
  explicit GpuMeter(std::int64_t max_gap_nanos) : max_gap_nanos_(max_gap_nanos) {}

  /// Takes over a sweep without a driver's error.
  void Add(const GpuSweep& sweep, std::int64_t now_nanos, std::int64_t wall_ms);
  /// The driver does not answer: so does no device.
  void Fail(const std::string& error, std::int64_t wall_ms);

  /// By index, then by UUID.
  std::vector<GpuDevice> devices() const;

 private:
  struct Meter {
    GpuDevice device;
    Integral busy;
    Integral energy;
    Integral throttle[kThrottleReasons];
    Integral pcie[2];
    bool counts_energy =
        false;  // The hardware does; once it did its counter is not mixed with ours.
    bool counts_throttle[kThrottleReasons] = {};
  };

  void Take(Meter& meter, const GpuReading& reading, std::int64_t now_nanos) const;
  static void SetError(Meter& meter, const std::string& error, std::int64_t wall_ms);

  const std::int64_t max_gap_nanos_;
  std::map<std::string, Meter> meters_;  // By UUID; without one by "#index".
};

}  // namespace sonde::collect
