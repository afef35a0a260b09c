#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/hash.h"
#include "model/labels.h"

// What stands for a label set in Alertmanager's API, groups and logs (prometheus/common,
// model.LabelSet.Fingerprint).

namespace sonde {

/// FNV-1a (64 bits) over name, 0xff, value, 0xff of each label in order.
inline std::uint64_t FingerprintOf(LabelsView labels) {
  std::uint64_t state = kFnv64Offset;
  for (const LabelView label : labels) {
    state = Fnv64a("\xff", Fnv64a(label.name, state));
    state = Fnv64a("\xff", Fnv64a(label.value, state));
  }
  return state;
}

/// As sixteen hexadecimal digits.
inline std::string FormatFingerprint(std::uint64_t fingerprint) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out(16, '0');
  for (std::size_t i = 16; i-- > 0; fingerprint >>= 4)
    out[i] = kDigits[fingerprint & 15];
  return out;
}

}  // namespace sonde
