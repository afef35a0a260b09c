#pragma once

#include <algorithm>
#include <cstdint>

namespace sonde::net {

/// Decides when what a server has sent is acknowledged at once instead of after the operating
/// system's 40 ms.
///
/// A server that writes its answer in small pieces without TCP_NODELAY (Python's, for one) holds
/// each back until the one before is acknowledged. An acknowledgement for each token of a server
/// that does not wait for it costs both sides a packet. So the first pieces after a pause are
/// acknowledged at once, and then only if it helps: each wait that a delayed acknowledgement may
/// have made allows eight times as many as the one before, unless such waits come also after what
/// was acknowledged. (A server that takes longer than 40 ms for a piece is never held back.)
class QuickAcks {
 public:
  /// Something has come. `now`: nanoseconds.
  void Received(std::int64_t now) {
    const std::int64_t gap = now - last_;
    last_ = now;
    if (gap > kPause) {
      *this = QuickAcks();  // Another answer, or a server that thinks: it says nothing.
      last_ = now;
    } else if (gap < kDelayed) {
      if (acknowledged_ && slow_ > 0) --slow_;
    } else if (acknowledged_) {
      if (++slow_ >= kSure) left_ = 0;
    } else if (slow_ < kSure) {
      allowance_ = std::min(allowance_ * 8, kMost);
      left_ = allowance_;
    }
    acknowledged_ = false;
  }
  /// True if what has come shall be acknowledged now.
  bool Take() {
    if (left_ == 0) return false;
    --left_;
    acknowledged_ = true;
    return true;
  }

 private:
  // Linux delays by 40 ms at least; rounded to its ticks a little less or more.
  static constexpr std::int64_t kDelayed = 30'000'000;
  static constexpr std::int64_t kPause = 250'000'000;
  static constexpr std::uint32_t kFirst = 8;
  static constexpr std::uint32_t kMost = 1U << 20;
  static constexpr int kSure = 4;

  std::int64_t last_ = 0;
  std::uint32_t allowance_ = kFirst;
  std::uint32_t left_ = kFirst;
  int slow_ = 0;  // Waits after what was acknowledged, less those that were short.
  bool acknowledged_ = false;
};

}  // namespace sonde::net
