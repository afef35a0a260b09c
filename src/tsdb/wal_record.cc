#include "tsdb/wal_record.h"

namespace sonde::tsdb {
namespace {

constexpr std::int64_t kCustomSchema = -53;

// Counts in a record cannot be larger than what is left of it; so bounded, a loop over them ends.
bool Plausible(const ByteReader& in, std::uint64_t count) {
  return count <= in.remaining();
}

void SkipSpans(ByteReader& in) {
  const std::uint64_t count = in.Uvarint();
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    in.Varint();
    in.Uvarint();
  }
}

void SkipIntegerBuckets(ByteReader& in) {
  const std::uint64_t count = in.Uvarint();
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    in.Varint();
  }
}

void SkipFloats(ByteReader& in) {
  const std::uint64_t count = in.Uvarint();
  if (!Plausible(in, count)) {
    in.Skip(in.remaining() + 1);  // Makes the reader fail.
    return;
  }
  in.Skip(count * 8);
}

void SkipHistogram(ByteReader& in, bool is_float) {
  in.Byte();  // Counter reset hint.
  const std::int64_t schema = in.Varint();
  in.Be64();  // Zero threshold.
  if (is_float) {
    in.Skip(24);  // Zero count, count, sum.
  } else {
    in.Uvarint();
    in.Uvarint();
    in.Be64();
  }
  SkipSpans(in);
  SkipSpans(in);
  if (is_float) {
    SkipFloats(in);
    SkipFloats(in);
  } else {
    SkipIntegerBuckets(in);
    SkipIntegerBuckets(in);
  }
  if (schema == kCustomSchema) SkipFloats(in);
}

bool IsFloatHistogramRecord(RecordType type) {
  return type == RecordType::kFloatHistogramSamples ||
         type == RecordType::kCustomBucketsFloatHistogramSamples ||
         type == RecordType::kFloatHistogramSamplesV2;
}

bool IsV2(RecordType type) {
  return type == RecordType::kSamplesV2 || type == RecordType::kHistogramSamplesV2 ||
         type == RecordType::kFloatHistogramSamplesV2;
}

}  // namespace

RecordType TypeOfRecord(std::string_view record) {
  if (record.empty()) return RecordType::kUnknown;
  const auto type = static_cast<std::uint8_t>(record[0]);
  if (type > static_cast<std::uint8_t>(RecordType::kFloatHistogramSamplesV2)) {
    return RecordType::kUnknown;
  }
  return static_cast<RecordType>(type);
}

bool IsHistogramRecord(RecordType type) {
  switch (type) {
    case RecordType::kHistogramSamples:
    case RecordType::kFloatHistogramSamples:
    case RecordType::kCustomBucketsHistogramSamples:
    case RecordType::kCustomBucketsFloatHistogramSamples:
    case RecordType::kHistogramSamplesV2:
    case RecordType::kFloatHistogramSamplesV2:
      return true;
    default:
      return false;
  }
}

SeriesRecordReader::SeriesRecordReader(std::string_view record) : in_(record) {
  in_.Byte();
}

bool SeriesRecordReader::Next() {
  if (!in_.ok() || too_long_ || in_.empty()) return false;
  ref_ = in_.Be64();
  const std::uint64_t count = in_.Uvarint();
  return in_.ok() && ReadLabels(count) && in_.ok() && !too_long_;
}

bool SeriesRecordReader::ReadLabels(std::uint64_t count) {
  // A length below 128 is one byte here and in the packed form of Labels: the bytes are the same.
  const std::string_view start = in_.rest();
  std::string_view last_name;
  bool same = true;
  ByteReader ahead = in_;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string_view name = ahead.UvarintString();
    const std::string_view value = ahead.UvarintString();
    if (!ahead.ok()) {
      in_ = ahead;
      return false;
    }
    same = same && name.size() < 128 && value.size() < 128 && !value.empty() &&
           (i == 0 || last_name < name);
    last_name = name;
  }
  in_record_ = same;
  if (!same) return ReadUnsorted(count);
  labels_ = LabelsView::FromPacked(start.substr(0, start.size() - ahead.remaining()));
  in_ = ahead;
  return true;
}

bool SeriesRecordReader::ReadUnsorted(std::uint64_t count) {
  std::vector<LabelView> pairs;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string_view name = in_.UvarintString();
    const std::string_view value = in_.UvarintString();
    if (name.size() > kMaxLabelBytes || value.size() > kMaxLabelBytes) {
      too_long_ = true;
      return false;
    }
    pairs.push_back({name, value});
  }
  sorted_ = Labels::FromPairs(pairs);
  labels_ = sorted_.view();
  return true;
}

Status SeriesRecordReader::status() const {
  if (!in_.ok() || too_long_) return MalformedRecord("series");
  return OkStatus();
}

Error MalformedRecord(std::string_view what) {
  return Error(ErrorKind::kCorruption, "log record of " + std::string(what) + " is malformed");
}

RefTime RefTimesV2::Next(ByteReader& in) {
  if (first_) {
    first_ = false;
    ref_ = static_cast<std::uint64_t>(in.Varint());
    time_ = static_cast<std::uint64_t>(in.Varint());
    in.Varint();
    return {ref_, {static_cast<std::int64_t>(time_)}};
  }
  ref_ += static_cast<std::uint64_t>(in.Varint());
  const std::uint64_t time = time_ + static_cast<std::uint64_t>(in.Varint());
  const std::uint8_t marker = in.Byte();
  if (marker == 2) in.Varint();
  return {ref_, {static_cast<std::int64_t>(time)}};
}

Status DecodeSamples(std::string_view record, std::vector<RefSample>& out) {
  return ForEachSample(record, [&out](const RefSample& sample) { out.push_back(sample); });
}

Status DecodeTombstones(std::string_view record, std::vector<RefTombstone>& out) {
  ByteReader in(record);
  in.Byte();
  while (in.ok() && !in.empty()) {
    RefTombstone tombstone;
    tombstone.ref = in.Be64();
    tombstone.min_time = {in.Varint()};
    tombstone.max_time = {in.Varint()};
    if (in.ok()) out.push_back(tombstone);
  }
  if (!in.ok()) return MalformedRecord("tombstones");
  return OkStatus();
}

Status DecodeMetadata(std::string_view record, std::vector<RefMetadata>& out) {
  ByteReader in(record);
  in.Byte();
  while (in.ok() && !in.empty()) {
    RefMetadata metadata;
    metadata.ref = in.Uvarint();
    const std::uint8_t type = in.Byte();
    if (type <= static_cast<std::uint8_t>(MetricType::kStateset)) {
      metadata.type = static_cast<MetricType>(type);
    }
    const std::uint64_t fields = in.Uvarint();
    for (std::uint64_t i = 0; i < fields && in.ok(); ++i) {
      const std::string_view name = in.UvarintString();
      const std::string_view value = in.UvarintString();
      if (name == "UNIT") metadata.unit = value;
      if (name == "HELP") metadata.help = value;
    }
    if (in.ok()) out.push_back(metadata);
  }
  if (!in.ok()) return MalformedRecord("metadata");
  return OkStatus();
}

Status DecodeRefTimes(std::string_view record, std::vector<RefTime>& out) {
  ByteReader in(record);
  const auto type = static_cast<RecordType>(in.Byte());
  if (in.empty()) return OkStatus();
  const bool is_float = IsFloatHistogramRecord(type);
  const auto skip_body = [&] {
    if (type != RecordType::kExemplars) {
      SkipHistogram(in, is_float);
      return;
    }
    in.Be64();
    const std::uint64_t labels = in.Uvarint();
    for (std::uint64_t i = 0; i < labels && in.ok(); ++i) {
      in.UvarintString();
      in.UvarintString();
    }
  };
  const auto read = [&](auto header) {
    while (in.ok() && !in.empty()) {
      const RefTime at = header.Next(in);
      skip_body();
      if (in.ok()) out.push_back(at);
    }
  };
  if (IsV2(type)) {
    read(RefTimesV2(in));
  } else {
    read(RefTimesV1(in));
  }
  if (!in.ok()) return MalformedRecord(type == RecordType::kExemplars ? "exemplars" : "histograms");
  return OkStatus();
}

void AppendSeries(std::string& out, std::uint64_t ref, LabelsView labels) {
  PutBe64(out, ref);
  std::uint64_t count = 0;
  bool same = true;
  for (const LabelView label : labels) {
    ++count;
    same = same && label.name.size() < 128 && label.value.size() < 128;
  }
  PutUvarint(out, count);
  if (same) {
    out.append(labels.packed());
    return;
  }
  for (const LabelView label : labels) {
    PutUvarintString(out, label.name);
    PutUvarintString(out, label.value);
  }
}

void AppendTombstone(std::string& out, const RefTombstone& tombstone) {
  PutBe64(out, tombstone.ref);
  PutVarint(out, tombstone.min_time.ms);
  PutVarint(out, tombstone.max_time.ms);
}

void AppendMetadata(std::string& out, const RefMetadata& metadata) {
  PutUvarint(out, metadata.ref);
  out.push_back(static_cast<char>(metadata.type));
  PutUvarint(out, 2);
  PutUvarintString(out, "UNIT");
  PutUvarintString(out, metadata.unit);
  PutUvarintString(out, "HELP");
  PutUvarintString(out, metadata.help);
}

void SampleRecordWriter::Clear() {
  size_ = 0;
  count_ = 0;
}

}  // namespace sonde::tsdb
