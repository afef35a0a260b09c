#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/exemplar.h"
#include "model/histogram.h"
#include "model/labels.h"
#include "model/metadata.h"
#include "model/sample.h"

// Remote write 1.0: prometheus.WriteRequest as bytes. The reader is the hottest path of the whole
// server: it walks over the message once, copies nothing, and leaves names and values of labels
// alone until somebody asks.
//
// Format: docs/formats/remote_write.md.

namespace sonde::wire {

enum class RemoteWriteVersion : unsigned char { k1, k2 };

/// The version that a Content-Type announces; an empty one is taken for 1.0, as Prometheus does.
/// kInvalid (HTTP 415) for anything else.
Result<RemoteWriteVersion> RemoteWriteVersionOf(std::string_view content_type);

/// One TimeSeries message, or a part of one with very many samples. Views lie in the request.
struct TimeSeriesView {
  /// All label fields, tags and lengths included, as they stand: the key of a remote-write cache.
  std::string_view labels;
  std::uint32_t first_sample = 0;
  std::uint32_t samples = 0;
  std::uint32_t first_exemplar = 0;
  std::uint32_t exemplars = 0;
  std::uint32_t first_histogram = 0;
  std::uint32_t histograms = 0;
};

/// Walks over one request, batch by batch, so that its memory is bounded whatever the request
/// holds. Reusable: Reset keeps the memory. Not thread-safe; the request must outlive the views.
class WriteRequestReader {
 public:
  explicit WriteRequestReader(std::string_view request = {}) { Reset(request); }

  void Reset(std::string_view request);

  /// Reads the next batch, replacing the last one. False when nothing is left. kInvalid if the
  /// request is malformed; what was read before is then worthless.
  Result<bool> NextBatch();

  std::span<const TimeSeriesView> series() const { return series_; }
  std::span<const FloatSample> samples(const TimeSeriesView& series) const {
    return std::span(samples_).subspan(series.first_sample, series.samples);
  }
  /// Encoded messages: for DecodeExemplar and DecodeHistogram.
  std::span<const std::string_view> exemplars(const TimeSeriesView& series) const {
    return std::span(exemplars_).subspan(series.first_exemplar, series.exemplars);
  }
  std::span<const std::string_view> histograms(const TimeSeriesView& series) const {
    return std::span(histograms_).subspan(series.first_histogram, series.histograms);
  }
  /// Encoded messages of the batch: for DecodeMetadata.
  std::span<const std::string_view> metadata() const { return metadata_; }

  static constexpr std::size_t kBatchSeries = 512;
  static constexpr std::size_t kBatchSamples = 8192;

 private:
  bool ReadSeries();
  bool ReadSeriesField();
  bool ReadSample(std::string_view message);
  bool GatherAhead();
  void GatherLabel(std::string_view message);
  bool BatchIsFull() const;
  Error Malformed(const char* at) const;

  const char* begin_ = nullptr;
  const char* at_ = nullptr;
  const char* end_ = nullptr;
  const char* series_at_ = nullptr;  // Within the current TimeSeries; null between two of them.
  const char* series_end_ = nullptr;
  std::string_view labels_;       // Of the current TimeSeries.
  bool labels_complete_ = false;  // No label beyond series_at_ is missing in labels_.
  std::vector<TimeSeriesView> series_;
  std::vector<FloatSample> samples_;
  std::vector<std::string_view> exemplars_;
  std::vector<std::string_view> histograms_;
  std::vector<std::string_view> metadata_;
  std::deque<std::string> gathered_;  // Labels of messages that scatter them; rare.
};

/// Why a series of a request cannot be stored.
enum class LabelFault : unsigned char {
  kNone,
  kMalformed,
  kNoName,
  kInvalidName,
  kInvalidValue,
  kDuplicate,
  kTooLong
};
/// "no metric name", …; for logs.
std::string_view ToString(LabelFault fault);

/// Decodes TimeSeriesView::labels to a packed label set: sorted, checked, without empty values.
/// Keeps its memory.
class LabelDecoder {
 public:
  LabelFault Decode(std::string_view encoded);
  /// After kNone: lives until the next Decode.
  LabelsView labels() const { return LabelsView::FromPacked(packed_); }
  /// After a fault: what the labels look like, for a log.
  std::string Describe() const;

 private:
  std::vector<LabelView> pairs_;
  std::string packed_;
};

/// A native histogram sample: integer or float.
struct HistogramSample {
  Timestamp t;
  bool is_float = false;
  Histogram integer;
  FloatHistogram floating;
};

/// kInvalid if `message` is malformed.
Result<HistogramSample> DecodeHistogram(std::string_view message);
Result<Exemplar> DecodeExemplar(std::string_view message);

struct FamilyMetadata {
  std::string family;
  Metadata metadata;
};
Result<FamilyMetadata> DecodeMetadata(std::string_view message);

/// Encodes a request, series by series: what WriteRequestReader reads.
class WriteRequestWriter {
 public:
  /// Appends to `out`, which must outlive the writer.
  explicit WriteRequestWriter(std::string& out) : out_(out) {}

  /// Starts a TimeSeries; it ends with the next Begin, Metadata or Finish.
  void BeginSeries(LabelsView labels);
  void Sample(Timestamp t, double v);
  void AddExemplar(const Exemplar& exemplar);
  void AddHistogram(Timestamp t, const Histogram& h);
  void AddHistogram(Timestamp t, const FloatHistogram& h);
  void AddMetadata(std::string_view family, const Metadata& metadata);
  void Finish();

 private:
  std::string& out_;
  std::string series_;   // The current TimeSeries.
  std::string message_;  // A message inside it.
  bool open_ = false;
};

}  // namespace sonde::wire
