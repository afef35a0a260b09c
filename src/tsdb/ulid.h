#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"
#include "base/time.h"

namespace sonde::tsdb {

/// A block's id and the name of its directory: 48 bits of milliseconds and 80 random bits, written
/// as 26 characters of Crockford's base 32, so that names sort by time of creation.
class Ulid {
 public:
  Ulid() = default;
  static Ulid Make(Timestamp now, Rng& rng);
  /// Nothing unless `text` is 26 characters of the alphabet that stand for 128 bits. Lower case is
  /// accepted.
  static std::optional<Ulid> Parse(std::string_view text);

  std::string ToString() const;
  Timestamp time() const;

  auto operator<=>(const Ulid&) const = default;

 private:
  std::array<std::uint8_t, 16> bytes_{};
};

}  // namespace sonde::tsdb
