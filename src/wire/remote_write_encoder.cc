#include "wire/protobuf.h"
#include "wire/remote_write.h"

namespace sonde::wire {
namespace {

void EncodeLabels(ProtoWriter out, LabelsView labels) {
  std::string message;
  for (const LabelView label : labels) {
    message.clear();
    ProtoWriter writer(message);
    writer.Bytes(1, label.name);
    writer.Bytes(2, label.value);
    out.Bytes(1, message);
  }
}

void EncodeSpans(ProtoWriter out, std::uint32_t field, const std::vector<HistogramSpan>& spans) {
  std::string message;
  for (const HistogramSpan& span : spans) {
    message.clear();
    ProtoWriter writer(message);
    writer.Sint64(1, span.offset);
    writer.Uint64(2, span.length);
    out.Bytes(field, message);
  }
}

void EncodeDeltas(ProtoWriter out, std::uint32_t field, const std::vector<std::int64_t>& deltas) {
  if (deltas.empty()) return;
  std::string packed;
  ProtoWriter writer(packed);
  for (const std::int64_t delta : deltas)
    writer.Varint(ProtoWriter::ZigZag(delta));
  out.Bytes(field, packed);
}

void EncodeDoubles(ProtoWriter out, std::uint32_t field, const std::vector<double>& values) {
  if (values.empty()) return;
  std::string packed;
  ProtoWriter writer(packed);
  for (const double value : values)
    writer.AppendDouble(value);
  out.Bytes(field, packed);
}

// What both kinds of histogram have.
template <class H>
void EncodeShape(ProtoWriter out, Timestamp t, const H& h) {
  out.Double(3, h.sum);
  out.Sint64(4, h.schema);
  out.Double(5, h.zero_threshold);
  EncodeSpans(out, 8, h.negative_spans);
  EncodeSpans(out, 11, h.positive_spans);
  out.Uint64(14, static_cast<std::uint64_t>(h.reset_hint));
  out.Int64(15, t.ms);
  EncodeDoubles(out, 16, h.custom_values);
}

}  // namespace

void WriteRequestWriter::BeginSeries(LabelsView labels) {
  Finish();
  open_ = true;
  EncodeLabels(ProtoWriter(series_), labels);
}

void WriteRequestWriter::Sample(Timestamp t, double v) {
  message_.clear();
  ProtoWriter writer(message_);
  writer.Double(1, v);
  writer.Int64(2, t.ms);
  ProtoWriter(series_).Bytes(2, message_);
}

void WriteRequestWriter::AddExemplar(const Exemplar& exemplar) {
  message_.clear();
  ProtoWriter writer(message_);
  EncodeLabels(writer, exemplar.labels);
  writer.Double(2, exemplar.value);
  if (exemplar.timestamp) writer.Int64(3, exemplar.timestamp->ms);
  ProtoWriter(series_).Bytes(3, message_);
}

void WriteRequestWriter::AddHistogram(Timestamp t, const Histogram& h) {
  message_.clear();
  ProtoWriter writer(message_);
  writer.Uint64(1, h.count);
  writer.Uint64(6, h.zero_count);
  EncodeDeltas(writer, 9, h.negative_deltas);
  EncodeDeltas(writer, 12, h.positive_deltas);
  EncodeShape(writer, t, h);
  ProtoWriter(series_).Bytes(4, message_);
}

void WriteRequestWriter::AddHistogram(Timestamp t, const FloatHistogram& h) {
  message_.clear();
  ProtoWriter writer(message_);
  writer.Double(2, h.count);
  writer.Double(7, h.zero_count);
  EncodeDoubles(writer, 10, h.negative_counts);
  EncodeDoubles(writer, 13, h.positive_counts);
  EncodeShape(writer, t, h);
  ProtoWriter(series_).Bytes(4, message_);
}

void WriteRequestWriter::AddMetadata(std::string_view family, const Metadata& metadata) {
  Finish();
  message_.clear();
  ProtoWriter writer(message_);
  writer.Uint64(1, static_cast<std::uint64_t>(metadata.type));
  writer.Bytes(2, family);
  writer.Bytes(4, metadata.help);
  writer.Bytes(5, metadata.unit);
  ProtoWriter(out_).Bytes(3, message_);
}

void WriteRequestWriter::Finish() {
  if (!open_) return;
  open_ = false;
  ProtoWriter(out_).Bytes(1, series_);
  series_.clear();
}

}  // namespace sonde::wire
