#include "tsdb/tombstones.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/hash.h"

namespace sonde::tsdb {
namespace {

constexpr std::uint32_t kMagic = 0x0130BA30;  // docs/formats/block.md, "Tombstones"
constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kHeaderBytes = 5;

Error Damaged(std::string_view what) {
  return Error(ErrorKind::kCorruption, "tombstones: " + std::string(what));
}

}  // namespace

void AddInterval(Intervals& intervals, Interval added) {
  if (added.max_time < added.min_time) return;
  // Everything that ends before the new one begins (with a gap) stays in front of it.
  auto first = intervals.begin();
  while (first != intervals.end() && first->max_time < added.min_time &&
         added.min_time.ms - 1 > first->max_time.ms) {
    ++first;
  }
  auto last = first;
  while (last != intervals.end() &&
         (last->min_time <= added.max_time || last->min_time.ms - 1 == added.max_time.ms)) {
    added.min_time = std::min(added.min_time, last->min_time);
    added.max_time = std::max(added.max_time, last->max_time);
    ++last;
  }
  intervals.insert(intervals.erase(first, last), added);
}

bool Covers(const Intervals& intervals, Timestamp t) {
  return CoversAll(intervals, t, t);
}

bool CoversAll(const Intervals& intervals, Timestamp min_time, Timestamp max_time) {
  return std::ranges::any_of(intervals, [&](const Interval& interval) {
    return interval.min_time <= min_time && max_time <= interval.max_time;
  });
}

Result<TombstoneMap> ParseTombstones(std::string_view file) {
  if (file.size() < kHeaderBytes + 4) return Damaged("file is too short");
  if (LoadBe32(file.data()) != kMagic) return Damaged("wrong magic number");
  if (static_cast<std::uint8_t>(file[4]) != kVersion) return Damaged("unknown version");
  const std::string_view body = file.substr(kHeaderBytes, file.size() - kHeaderBytes - 4);
  if (Crc32c(body) != LoadBe32(file.data() + file.size() - 4)) return Damaged("wrong checksum");
  TombstoneMap map;
  ByteReader in(body);
  while (in.ok() && !in.empty()) {
    const std::uint64_t ref = in.Uvarint();
    const Timestamp min_time{in.Varint()};
    const Timestamp max_time{in.Varint()};
    if (in.ok()) AddInterval(map[ref], {min_time, max_time});
  }
  if (!in.ok()) return Damaged("an entry is cut off");
  return map;
}

std::string EmptyTombstonesFile() {
  std::string file;
  PutBe32(file, kMagic);
  file.push_back(static_cast<char>(kVersion));
  PutBe32(file, Crc32c(""));
  return file;
}

}  // namespace sonde::tsdb
