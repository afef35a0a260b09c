#pragma once

#include <cstdint>

namespace sonde {

/// A small, fast, seedable generator (SplitMix64, Steele et al. 2014). Not for secrets. Not
/// thread-safe. Passed to whatever needs chance, so that a test can repeat it.
class Rng {
 public:
  explicit Rng(std::uint64_t seed) : state_(seed) {}

  std::uint64_t Next() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }

  /// Uniform in [0, bound); `bound` must not be 0. The bias is below bound / 2^64.
  std::uint64_t Below(std::uint64_t bound) {
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::uint64_t>((static_cast<Wide>(Next()) * bound) >> 64);
  }

  /// Uniform in [0, 1).
  double Uniform() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }

 private:
  std::uint64_t state_;
};

/// A seed from the operating system's entropy.
std::uint64_t SystemSeed();

}  // namespace sonde
