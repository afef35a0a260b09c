#include "tsdb/wal_reader.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/compress.h"
#include "base/hash.h"
#include "tsdb/wal_files.h"

namespace sonde::tsdb {

void WalSegmentReader::NoteDamage(std::string_view what) {
  if (damage_.empty()) {
    damage_ = std::string(what) + " at byte " + std::to_string(fragment_begin_);
  }
}

void WalSegmentReader::Resynchronise() {
  // Lengths can no longer be trusted, but pages begin where they begin.
  at_ = std::min(segment_.size(), (fragment_begin_ / kWalPageBytes + 1) * kWalPageBytes);
}

bool WalSegmentReader::SkipPadding() {
  const std::size_t page_end = std::min(segment_.size(), (at_ / kWalPageBytes + 1) * kWalPageBytes);
  const std::string_view padding = segment_.substr(at_, page_end - at_);
  at_ = page_end;
  return std::ranges::all_of(padding, [](char c) { return c == '\0'; });
}

WalSegmentReader::Step WalSegmentReader::ReadFragment() {
  while (true) {
    fragment_begin_ = at_;
    if (at_ >= segment_.size()) return Step::kEnd;
    header_ = static_cast<std::uint8_t>(segment_[at_]);
    if ((header_ & kWalFragmentMask) != static_cast<std::uint8_t>(WalFragment::kPageEnd)) break;
    if (!SkipPadding()) {
      NoteDamage("page is not padded with zeros");
      return Step::kDamaged;
    }
  }
  const std::size_t page_left = kWalPageBytes - at_ % kWalPageBytes;
  const std::string_view rest = segment_.substr(at_);
  if (page_left < kWalFragmentHeaderBytes || rest.size() < kWalFragmentHeaderBytes) {
    NoteDamage("fragment header is cut off");
    return Step::kDamaged;
  }
  const std::size_t length = LoadBe16(rest.data() + 1);
  if (kWalFragmentHeaderBytes + length > std::min(page_left, rest.size())) {
    NoteDamage("fragment is longer than its page");
    return Step::kDamaged;
  }
  fragment_ = rest.substr(kWalFragmentHeaderBytes, length);
  if (Crc32c(fragment_) != LoadBe32(rest.data() + 3)) {
    NoteDamage("fragment has a wrong checksum");
    return Step::kDamaged;
  }
  at_ += kWalFragmentHeaderBytes + length;
  return Step::kFragment;
}

bool WalSegmentReader::FinishRecord(std::uint8_t flags) {
  if ((flags & (kWalSnappyFlag | kWalZstdFlag)) == 0) return true;
  const Status status = (flags & kWalSnappyFlag) != 0
                            ? SnappyDecompress(record_, max_record_bytes_, decompressed_)
                            : ZstdDecompress(record_, max_record_bytes_, decompressed_);
  record_ = decompressed_;
  if (!status) NoteDamage(status.error().message());
  return status.ok();
}

std::string WalSegmentReader::TakeRecord() {
  std::string taken;
  if (record_.data() == decompressed_.data() && !record_.empty()) {
    taken.swap(decompressed_);
  } else {
    taken = record_;
  }
  record_ = {};
  return taken;
}

bool WalSegmentReader::Next() {
  assembled_.clear();
  bool inside = false;  // A first fragment was read, and the last one not yet.
  while (true) {
    const Step step = ReadFragment();
    if (step == Step::kEnd) {
      if (inside) NoteDamage("last record is cut off");
      return false;
    }
    if (step == Step::kDamaged) {
      inside = false;
      Resynchronise();
      continue;
    }
    const auto type = static_cast<WalFragment>(header_ & kWalFragmentMask);
    if (type > WalFragment::kLast) {
      NoteDamage("fragment of an unknown kind");
      inside = false;
      continue;
    }
    const bool starts = type == WalFragment::kFull || type == WalFragment::kFirst;
    if (starts == inside) {
      // A record without its end, or an end without a beginning. The fragment itself is sound: a
      // new record may start with it.
      NoteDamage("fragments of a record are missing");
      inside = false;
      if (!starts) continue;
    }
    if (type == WalFragment::kFull) {
      record_ = fragment_;
    } else {
      if (type == WalFragment::kFirst) assembled_.clear();
      assembled_.append(fragment_);
      inside = true;
      if (type != WalFragment::kLast) continue;
      inside = false;
      record_ = assembled_;
    }
    if (!FinishRecord(header_)) continue;
    good_end_ = at_;
    good_after_damage_ = good_after_damage_ || damaged();
    return true;
  }
}

}  // namespace sonde::tsdb
