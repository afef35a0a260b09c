#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "model/labels.h"
#include "model/metadata.h"

// What the records of the write-ahead log say. Format: docs/formats/wal.md, "Records". Everything
// that Prometheus writes is recognised; native histograms and exemplars are read over, with the
// series and time that they belong to.

namespace sonde::tsdb {

enum class RecordType : std::uint8_t {
  kUnknown = 0,  ///< Empty, or of a later version.
  kSeries = 1,
  kSamples = 2,
  kTombstones = 3,
  kExemplars = 4,
  kMmapMarkers = 5,
  kMetadata = 6,
  kHistogramSamples = 7,
  kFloatHistogramSamples = 8,
  kCustomBucketsHistogramSamples = 9,
  kCustomBucketsFloatHistogramSamples = 10,
  kSamplesV2 = 11,
  kHistogramSamplesV2 = 12,
  kFloatHistogramSamplesV2 = 13,
};

RecordType TypeOfRecord(std::string_view record);
/// True for the six kinds of records that hold native histograms.
bool IsHistogramRecord(RecordType type);

/// A series as the log names it: by a number that is unique for the life of the log.
struct RefSample {
  std::uint64_t ref = 0;
  Timestamp t;
  double v = 0;
};

/// Deletes the samples of a series between two times, both inclusive.
struct RefTombstone {
  std::uint64_t ref = 0;
  Timestamp min_time;
  Timestamp max_time;
};

struct RefMetadata {
  std::uint64_t ref = 0;
  MetricType type = MetricType::kUnknown;
  std::string_view unit;
  std::string_view help;
};

/// Where a sample that is not decoded (a histogram, an exemplar) belongs.
struct RefTime {
  std::uint64_t ref = 0;
  Timestamp t;
};

/// Reads a series record, one series after the other.
///
///   SeriesRecordReader reader(record);
///   while (reader.Next()) Use(reader.ref(), reader.labels());
///   TRY(reader.status());
class SeriesRecordReader {
 public:
  /// `record` must be of type kSeries and outlive the reader.
  explicit SeriesRecordReader(std::string_view record);

  /// False at the end and after an error.
  bool Next();
  std::uint64_t ref() const { return ref_; }
  /// Sorted, without duplicates and empty values. Valid until the next call of Next.
  LabelsView labels() const { return labels_; }
  /// True if the labels lie in the record itself, and so live as long as it.
  bool in_record() const { return in_record_; }
  Status status() const;

 private:
  bool ReadLabels(std::uint64_t count);
  bool ReadUnsorted(std::uint64_t count);

  ByteReader in_;
  std::uint64_t ref_ = 0;
  LabelsView labels_;
  Labels sorted_;
  bool in_record_ = true;
  bool too_long_ = false;
};

/// The error of a record whose bytes make no sense.
Error MalformedRecord(std::string_view what);

/// The references and times of a record in the first form: a base, then differences to it for every
/// sample.
class RefTimesV1 {
 public:
  explicit RefTimesV1(ByteReader& in) : ref_(in.Be64()), time_(in.Be64()) {}
  RefTime Next(ByteReader& in) const {
    const auto ref = ref_ + static_cast<std::uint64_t>(in.Varint());
    const auto time = time_ + static_cast<std::uint64_t>(in.Varint());
    return {ref, {static_cast<std::int64_t>(time)}};
  }

 private:
  const std::uint64_t ref_;
  const std::uint64_t time_;
};

/// The same in the second form: references relative to the previous sample, times to the first, and
/// a start timestamp that is read over.
class RefTimesV2 {
 public:
  explicit RefTimesV2(ByteReader&) {}
  RefTime Next(ByteReader& in);

 private:
  bool first_ = true;
  std::uint64_t ref_ = 0;
  std::uint64_t time_ = 0;
};

/// Calls visit(const RefSample&) for all samples of a record of type kSamples or kSamplesV2
/// (without start timestamps), up to the first that is malformed.
template <class Visit>
Status ForEachSample(std::string_view record, Visit visit) {
  ByteReader in(record);
  const auto type = static_cast<RecordType>(in.Byte());
  const auto read = [&](auto header) {
    while (in.ok() && !in.empty()) {
      const RefTime at = header.Next(in);
      const double value = in.Be64Double();
      if (in.ok()) visit(RefSample{at.ref, at.t, value});
    }
  };
  if (in.empty()) return OkStatus();
  if (type == RecordType::kSamplesV2) {
    read(RefTimesV2(in));
  } else {
    read(RefTimesV1(in));
  }
  if (!in.ok()) return MalformedRecord("samples");
  return OkStatus();
}

/// Appends all samples of a record, see ForEachSample.
Status DecodeSamples(std::string_view record, std::vector<RefSample>& out);
Status DecodeTombstones(std::string_view record, std::vector<RefTombstone>& out);
/// The views point into `record`.
Status DecodeMetadata(std::string_view record, std::vector<RefMetadata>& out);
/// Series and times of a record of exemplars or native histograms.
Status DecodeRefTimes(std::string_view record, std::vector<RefTime>& out);

/// Starts a record of this type at the end of `out`.
inline void BeginRecord(std::string& out, RecordType type) {
  out.push_back(static_cast<char>(type));
}
/// One series of a series record.
void AppendSeries(std::string& out, std::uint64_t ref, LabelsView labels);
void AppendTombstone(std::string& out, const RefTombstone& tombstone);
void AppendMetadata(std::string& out, const RefMetadata& metadata);

/// Builds records of type kSamples. Not thread-safe.
class SampleRecordWriter {
 public:
  /// Forgets everything; keeps the memory.
  void Clear();
  void Append(std::uint64_t ref, std::int64_t t, std::uint64_t value) {
    if (size_ + kMaxBytes > data_.size()) data_.resize(data_.size() * 2 + 4096);
    char* p = data_.data() + size_;
    if (count_ == 0) {
      *p = static_cast<char>(RecordType::kSamples);
      StoreBe64(p + 1, ref);
      StoreBe64(p + 9, static_cast<std::uint64_t>(t));
      first_ref_ = ref;
      first_time_ = t;
      p += 17;
    }
    p = StoreVarint(p, static_cast<std::int64_t>(ref - first_ref_));
    p = StoreVarint(p, static_cast<std::int64_t>(static_cast<std::uint64_t>(t) -
                                                 static_cast<std::uint64_t>(first_time_)));
    StoreBe64(p, value);
    size_ = static_cast<std::size_t>(p + 8 - data_.data());
    ++count_;
  }

  std::size_t count() const { return count_; }
  /// The record; empty without samples. Valid until the next call.
  std::string_view record() const { return {data_.data(), size_}; }

 private:
  static constexpr std::size_t kMaxBytes = 17 + 10 + 10 + 8;

  static void StoreBe64(char* p, std::uint64_t v) {
    v = __builtin_bswap64(v);
    std::memcpy(p, &v, 8);
  }
  static char* StoreVarint(char* p, std::int64_t v) {
    auto zigzag = (static_cast<std::uint64_t>(v) << 1) ^ static_cast<std::uint64_t>(v >> 63);
    while (zigzag >= 0x80) {
      *p++ = static_cast<char>(zigzag | 0x80);
      zigzag >>= 7;
    }
    *p++ = static_cast<char>(zigzag);
    return p;
  }

  std::string data_;
  std::size_t size_ = 0;
  std::size_t count_ = 0;
  std::uint64_t first_ref_ = 0;
  std::int64_t first_time_ = 0;
};

}  // namespace sonde::tsdb
