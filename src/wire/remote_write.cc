#include "wire/remote_write.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/quote.h"
#include "base/utf8.h"
#include "wire/exposition_format.h"
#include "wire/protobuf.h"

namespace sonde::wire {
namespace {

// One-byte tags: field number << 3 | wire type.
constexpr char kRequestSeries = 0x0A;    // timeseries 1
constexpr char kRequestMetadata = 0x1A;  // metadata 3
constexpr char kSeriesLabel = 0x0A;      // labels 1
constexpr char kSeriesSample = 0x12;     // samples 2
constexpr char kSeriesExemplar = 0x1A;   // exemplars 3
constexpr char kSeriesHistogram = 0x22;  // histograms 4
constexpr char kSampleValue = 0x09;      // value 1, double
constexpr char kSampleTimestamp = 0x10;  // timestamp 2, varint

// A length and that many bytes at `p`: returns where they end, and points `content` at them; null
// if they do not fit.
const char* ReadBytes(const char* p, const char* end, std::string_view& content) {
  std::uint64_t size = 0;
  p = ReadProtoVarint(p, end, size);
  if (p == nullptr || size > static_cast<std::uint64_t>(end - p)) return nullptr;
  content = {p, static_cast<std::size_t>(size)};
  return p + size;
}

// Past one field that is not known (or not written the way everybody writes it).
const char* SkipField(const char* p, const char* end) {
  std::uint64_t tag = 0;
  std::uint64_t number = 0;
  std::string_view content;
  p = ReadProtoVarint(p, end, tag);
  if (p == nullptr || tag >> 3 == 0 || tag > 0xFFFFFFFF) return nullptr;
  switch (tag & 7) {
    case 0:
      return ReadProtoVarint(p, end, number);
    case 1:
      return end - p < 8 ? nullptr : p + 8;
    case 2:
      return ReadBytes(p, end, content);
    case 5:
      return end - p < 4 ? nullptr : p + 4;
    default:
      return nullptr;
  }
}

Error Malformed(std::string_view what) {
  return {ErrorKind::kInvalid, fmt::format("remote write: malformed {}", what)};
}

bool DecodeLabel(std::string_view message, LabelView& label) {
  ProtoReader in(message);
  while (in.Next()) {
    if (in.field() == 1) label.name = in.Bytes();
    if (in.field() == 2) label.value = in.Bytes();
  }
  return in.ok();
}

bool DecodeSpan(std::string_view message, std::vector<HistogramSpan>& spans) {
  HistogramSpan span;
  ProtoReader in(message);
  while (in.Next()) {
    if (in.field() == 1) span.offset = in.Sint32();
    if (in.field() == 2) span.length = in.Uint32();
  }
  spans.push_back(span);
  return in.ok();
}

}  // namespace

Result<RemoteWriteVersion> RemoteWriteVersionOf(std::string_view content_type) {
  if (content_type.empty()) return RemoteWriteVersion::k1;
  const auto media = ParseMediaType(content_type);
  if (!media || media->type != "application/x-protobuf") {
    return Error(ErrorKind::kInvalid,
                 "remote write wants Content-Type application/x-protobuf, got " +
                     QuoteGo(content_type.substr(0, 200)));
  }
  const std::string_view proto = media->Get("proto");
  if (proto.empty() || proto == "prometheus.WriteRequest") return RemoteWriteVersion::k1;
  if (proto == "io.prometheus.write.v2.Request") return RemoteWriteVersion::k2;
  return Error(ErrorKind::kInvalid,
               "unknown remote write message " + QuoteGo(proto.substr(0, 200)));
}

// ----------------------------------------------------------------------------------------- reading

void WriteRequestReader::Reset(std::string_view request) {
  begin_ = at_ = request.data();
  end_ = begin_ + request.size();
  series_at_ = nullptr;
  gathered_.clear();
}

bool WriteRequestReader::BatchIsFull() const {
  return series_.size() >= kBatchSeries || samples_.size() >= kBatchSamples ||
         exemplars_.size() + histograms_.size() + metadata_.size() >= kBatchSeries;
}

Error WriteRequestReader::Malformed(const char* at) const {
  return {
      ErrorKind::kInvalid,
      fmt::format("malformed WriteRequest: in the message that begins at byte {}", at - begin_)};
}

Result<bool> WriteRequestReader::NextBatch() {
  series_.clear();
  samples_.clear();
  exemplars_.clear();
  histograms_.clear();
  metadata_.clear();
  if (series_at_ == nullptr) gathered_.clear();
  while ((series_at_ != nullptr || at_ != end_) && !BatchIsFull()) {
    const char* start = at_;
    if (series_at_ != nullptr) {
      start = series_at_;
      if (!ReadSeries()) return Malformed(start);
      continue;
    }
    std::string_view message;
    if (*at_ == kRequestSeries) {
      at_ = ReadBytes(at_ + 1, end_, message);
      if (at_ == nullptr) return Malformed(start);
      series_at_ = message.data();
      series_end_ = message.data() + message.size();
      labels_ = {};
      labels_complete_ = false;
      if (!ReadSeries()) return Malformed(start);
    } else if (*at_ == kRequestMetadata) {
      at_ = ReadBytes(at_ + 1, end_, message);
      if (at_ == nullptr) return Malformed(start);
      metadata_.push_back(message);
    } else {
      at_ = SkipField(at_, end_);
      if (at_ == nullptr) return Malformed(start);
    }
  }
  return !series_.empty() || !metadata_.empty() || at_ != end_;
}

// Reads (or goes on reading) the current TimeSeries until it ends or the batch is full.
bool WriteRequestReader::ReadSeries() {
  const char* p = series_at_;
  if (labels_.data() == nullptr) {
    // Everybody writes the labels first, one after the other.
    std::string_view label;
    while (p != series_end_ && *p == kSeriesLabel) {
      p = ReadBytes(p + 1, series_end_, label);
      if (p == nullptr) return false;
    }
    labels_ = {series_at_, static_cast<std::size_t>(p - series_at_)};
  }
  TimeSeriesView& series = series_.emplace_back();
  series.labels = labels_;
  series.first_sample = static_cast<std::uint32_t>(samples_.size());
  series.first_exemplar = static_cast<std::uint32_t>(exemplars_.size());
  series.first_histogram = static_cast<std::uint32_t>(histograms_.size());
  series_at_ = p;
  while (series_at_ != series_end_) {
    if (!ReadSeriesField()) return false;
    if (samples_.size() >= kBatchSamples || exemplars_.size() + histograms_.size() >= kBatchSeries)
      break;
  }
  TimeSeriesView& done = series_.back();
  done.labels = labels_;
  done.samples = static_cast<std::uint32_t>(samples_.size()) - done.first_sample;
  done.exemplars = static_cast<std::uint32_t>(exemplars_.size()) - done.first_exemplar;
  done.histograms = static_cast<std::uint32_t>(histograms_.size()) - done.first_histogram;
  if (series_at_ == series_end_) {
    series_at_ = nullptr;
    return true;
  }
  return labels_complete_ || GatherAhead();
}

// The rest of the TimeSeries goes to another batch: labels that stand there belong to this part
// too.
bool WriteRequestReader::GatherAhead() {
  std::string_view message;
  for (const char* p = series_at_; p != series_end_;) {
    const bool is_label = *p == kSeriesLabel;
    p = is_label ? ReadBytes(p + 1, series_end_, message) : SkipField(p, series_end_);
    if (p == nullptr) return false;
    if (is_label) GatherLabel(message);
  }
  series_.back().labels = labels_;
  labels_complete_ = true;
  return true;
}

bool WriteRequestReader::ReadSeriesField() {
  const char tag = *series_at_;
  std::string_view message;
  switch (tag) {
    case kSeriesSample:
      series_at_ = ReadBytes(series_at_ + 1, series_end_, message);
      return series_at_ != nullptr && ReadSample(message);
    case kSeriesExemplar:
    case kSeriesHistogram:
      series_at_ = ReadBytes(series_at_ + 1, series_end_, message);
      (tag == kSeriesExemplar ? exemplars_ : histograms_).push_back(message);
      return series_at_ != nullptr;
    case kSeriesLabel:
      series_at_ = ReadBytes(series_at_ + 1, series_end_, message);
      if (series_at_ == nullptr) return false;
      if (!labels_complete_) GatherLabel(message);
      return true;
    default:
      series_at_ = SkipField(series_at_, series_end_);
      return series_at_ != nullptr;
  }
}

// A label that comes after other fields: all of them are copied into one place.
void WriteRequestReader::GatherLabel(std::string_view message) {
  if (gathered_.empty() || gathered_.back().data() != labels_.data())
    gathered_.emplace_back(labels_);
  ProtoWriter(gathered_.back()).Bytes(1, message);
  labels_ = gathered_.back();
}

bool WriteRequestReader::ReadSample(std::string_view message) {
  FloatSample sample;
  const char* p = message.data();
  const char* end = p + message.size();
  // As everybody writes it: value, timestamp.
  if (message.size() > 10 && p[0] == kSampleValue && p[9] == kSampleTimestamp) {
    std::uint64_t t = 0;
    if (ReadProtoVarint(p + 10, end, t) == end) {
      samples_.push_back({{static_cast<std::int64_t>(t)}, LoadProtoDouble(p + 1)});
      return true;
    }
  }
  ProtoReader in(message);
  while (in.Next()) {
    if (in.field() == 1) sample.v = in.Double();
    if (in.field() == 2) sample.t.ms = in.Int64();
  }
  samples_.push_back(sample);
  return in.ok();
}

// ------------------------------------------------------------------------------------------ labels

std::string_view ToString(LabelFault fault) {
  switch (fault) {
    case LabelFault::kNone:
      return "ok";
    case LabelFault::kMalformed:
      return "malformed labels";
    case LabelFault::kNoName:
      return "no metric name";
    case LabelFault::kInvalidName:
      return "a name is empty or not valid UTF-8";
    case LabelFault::kInvalidValue:
      return "a value is not valid UTF-8";
    case LabelFault::kDuplicate:
      return "a label stands twice";
    case LabelFault::kTooLong:
      return "a name or value is too long";
  }
  return "unknown";
}

LabelFault LabelDecoder::Decode(std::string_view encoded) {
  pairs_.clear();
  packed_.clear();
  ProtoReader in(encoded);
  while (in.Next()) {
    if (in.field() != 1) continue;
    LabelView label;
    if (!DecodeLabel(in.Bytes(), label)) return LabelFault::kMalformed;
    pairs_.push_back(label);
  }
  if (!in.ok()) return LabelFault::kMalformed;
  if (!std::ranges::is_sorted(pairs_, {}, &LabelView::name))
    std::ranges::sort(pairs_, {}, &LabelView::name);
  bool named = false;
  for (std::size_t i = 0; i < pairs_.size(); ++i) {
    const LabelView& label = pairs_[i];
    if (label.name.size() > kMaxLabelBytes || label.value.size() > kMaxLabelBytes)
      return LabelFault::kTooLong;
    if (label.name.empty() || !IsValidUtf8(label.name)) return LabelFault::kInvalidName;
    if (!IsValidUtf8(label.value)) return LabelFault::kInvalidValue;
    if (i > 0 && pairs_[i - 1].name == label.name) return LabelFault::kDuplicate;
    if (label.value.empty()) continue;
    named = named || label.name == kMetricName;
    AppendPackedLabel(packed_, label.name, label.value);
  }
  return named ? LabelFault::kNone : LabelFault::kNoName;
}

std::string LabelDecoder::Describe() const {
  constexpr std::size_t kMaxShown = 64;
  std::string out = "{";
  for (std::size_t i = 0; i < pairs_.size() && i < kMaxShown; ++i) {
    if (i > 0) out += ", ";
    AppendQuoteGo(out, pairs_[i].name.substr(0, 200));
    out.push_back('=');
    AppendQuoteGo(out, pairs_[i].value.substr(0, 200));
  }
  return out + (pairs_.size() > kMaxShown ? ", …}" : "}");
}

// ----------------------------------------------------------------- exemplars, histograms, metadata

Result<Exemplar> DecodeExemplar(std::string_view message) {
  Exemplar exemplar;
  std::vector<LabelView> labels;
  bool ok = true;
  ProtoReader in(message);
  while (in.Next()) {
    if (in.field() == 1) {
      LabelView label;
      ok = DecodeLabel(in.Bytes(), label) && label.name.size() <= kMaxLabelBytes &&
           label.value.size() <= kMaxLabelBytes && ok;
      labels.push_back(label);
    }
    if (in.field() == 2) exemplar.value = in.Double();
    if (in.field() == 3 && in.Int64() != 0) exemplar.timestamp = Timestamp{in.Int64()};
  }
  if (!in.ok() || !ok) return Malformed("Exemplar");
  exemplar.labels = Labels::FromPairs(labels);
  return exemplar;
}

Result<HistogramSample> DecodeHistogram(std::string_view message) {
  HistogramSample sample;
  Histogram& h = sample.integer;
  FloatHistogram& f = sample.floating;
  bool ok = true;
  ProtoReader in(message);
  while (in.Next()) {
    switch (in.field()) {
      case 1:
        h.count = in.Uint64();
        break;
      case 2:
        f.count = in.Double();
        sample.is_float = true;
        break;
      case 3:
        h.sum = in.Double();
        break;
      case 4:
        h.schema = in.Sint32();
        break;
      case 5:
        h.zero_threshold = in.Double();
        break;
      case 6:
        h.zero_count = in.Uint64();
        break;
      case 7:
        f.zero_count = in.Double();
        break;
      case 8:
        ok = DecodeSpan(in.Bytes(), h.negative_spans) && ok;
        break;
      case 9:
        in.Varints([&](std::uint64_t v) { h.negative_deltas.push_back(ProtoReader::ZigZag(v)); });
        break;
      case 10:
        in.Doubles([&](double v) { f.negative_counts.push_back(v); });
        break;
      case 11:
        ok = DecodeSpan(in.Bytes(), h.positive_spans) && ok;
        break;
      case 12:
        in.Varints([&](std::uint64_t v) { h.positive_deltas.push_back(ProtoReader::ZigZag(v)); });
        break;
      case 13:
        in.Doubles([&](double v) { f.positive_counts.push_back(v); });
        break;
      case 14:
        h.reset_hint = static_cast<ResetHint>(std::min<std::uint64_t>(in.Uint64(), 4) % 4);
        break;
      case 15:
        sample.t.ms = in.Int64();
        break;
      case 16:
        in.Doubles([&](double v) { h.custom_values.push_back(v); });
        break;
      default:
        break;
    }
  }
  if (!in.ok() || !ok) return Malformed("Histogram");
  if (sample.is_float) {
    f.reset_hint = h.reset_hint;
    f.schema = h.schema;
    f.zero_threshold = h.zero_threshold;
    f.sum = h.sum;
    f.positive_spans = std::move(h.positive_spans);
    f.negative_spans = std::move(h.negative_spans);
    f.custom_values = std::move(h.custom_values);
    h = Histogram{};
  }
  return sample;
}

Result<FamilyMetadata> DecodeMetadata(std::string_view message) {
  FamilyMetadata out;
  ProtoReader in(message);
  while (in.Next()) {
    switch (in.field()) {
      case 1: {
        const std::uint64_t type = in.Uint64();
        out.metadata.type = type <= 7 ? static_cast<MetricType>(type) : MetricType::kUnknown;
        break;
      }
      case 2:
        out.family = in.Bytes();
        break;
      case 4:
        out.metadata.help = in.Bytes();
        break;
      case 5:
        out.metadata.unit = in.Bytes();
        break;
      default:
        break;
    }
  }
  if (!in.ok()) return Malformed("MetricMetadata");
  return out;
}

}  // namespace sonde::wire
