#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/exemplar.h"
#include "model/histogram.h"
#include "model/labels.h"
#include "model/matcher.h"
#include "model/metadata.h"

// The seam between what produces or asks for samples and what keeps them. promql, scrape, remote
// and api know these interfaces; only app/ knows that tsdb/ implements them. Samples leave the
// store in batches, as columns, so that no caller sees a chunk encoding.

namespace sonde::storage {

/// A series' number in the store. Never reused while the process runs: a stale one is
/// kUnknownSeries, not another series.
struct SeriesRef {
  std::uint64_t value = 0;
  explicit operator bool() const { return value != 0; }
  auto operator<=>(const SeriesRef&) const = default;
};

// ----------------------------------------------------------------------------------------------
// reading

enum class SampleKind : unsigned char { kFloat, kHistogram, kFloatHistogram };

/// Consecutive samples of one series, of one kind, as columns. Borrowed from the reader until its
/// next call.
struct SampleBatch {
  SampleKind kind = SampleKind::kFloat;
  std::span<const Timestamp> timestamps;
  std::span<const double> values;                    ///< kFloat; may hold stale markers.
  std::span<const Histogram> histograms;             ///< kHistogram.
  std::span<const FloatHistogram> float_histograms;  ///< kFloatHistogram.
  std::span<const Timestamp>
      start_timestamps;  ///< Empty if no sample has one; 0 where one has none.

  std::size_t size() const { return timestamps.size(); }
};

/// Decodes the samples of one series after the other. Made by SeriesSet::NewReader; one per thread.
class SampleReader {
 public:
  virtual ~SampleReader() = default;

  /// Goes to the first sample of series `index` of the set.
  virtual void Seek(std::size_t index) = 0;
  /// The next samples in time order, within the querier's time range; an empty batch at the end.
  virtual Result<SampleBatch> Next() = 0;
};

/// The series that a Select found, sorted by labels if asked. Label views live as long as the set.
/// Const functions are thread-safe, so that shards of it can be read in parallel.
class SeriesSet {
 public:
  virtual ~SeriesSet() = default;

  virtual std::size_t size() const = 0;
  virtual LabelsView labels(std::size_t index) const = 0;
  virtual std::unique_ptr<SampleReader> NewReader() const = 0;
  /// Things the user should know (a block that could not be read), not tied to a series.
  virtual std::span<const std::string> warnings() const { return {}; }
};

/// What the caller will do with the series; the store may use it to read less, never to answer
/// differently.
struct SelectHints {
  Timestamp start = Timestamp::Min();  ///< Samples outside [start, end] will not be looked at.
  Timestamp end = Timestamp::Max();
  Duration step{0};
  std::string_view function;  ///< "rate", "sum" … or "series" if no samples are wanted.
  std::size_t limit = 0;      ///< At most this many series; 0: all.
};

/// A view of the store between two instants (both inclusive), consistent from its making on. Const
/// functions are thread-safe.
class Querier {
 public:
  virtual ~Querier() = default;

  /// Series that match all of `matchers` and have (or may have) samples in range.
  virtual Result<std::unique_ptr<SeriesSet>> Select(bool sorted, const SelectHints& hints,
                                                    std::span<const Matcher> matchers) const = 0;
  /// Sorted, unique. `limit` 0: all.
  virtual Result<std::vector<std::string>> LabelNames(std::span<const Matcher> matchers,
                                                      std::size_t limit) const = 0;
  virtual Result<std::vector<std::string>> LabelValues(std::string_view name,
                                                       std::span<const Matcher> matchers,
                                                       std::size_t limit) const = 0;
};

/// Thread-safe.
class Queryable {
 public:
  virtual ~Queryable() = default;
  virtual Result<std::unique_ptr<Querier>> NewQuerier(Timestamp start, Timestamp end) const = 0;
};

// ----------------------------------------------------------------------------------------------
// writing

/// Why a sample was not taken. Cheap on purpose: a bad target repeats it a thousand times a second.
enum class AppendError : unsigned char {
  kNone,
  kUnknownSeries,  ///< The ref is not (or no longer) known: append again with labels.
  kInvalidLabels,  ///< No name, an invalid name or value, or a label twice.
  kOutOfOrder,     ///< Older than the series' newest sample.
  kDuplicate,      ///< Same time as the newest sample, other value.
  kOutOfBounds,    ///< Outside what the head accepts.
  kTooOld,         ///< Before the out-of-order window.
  kLimit,          ///< The store's series limit is reached.
  kInvalidHistogram,
  kUnsupported,  ///< The store cannot hold this kind of sample (yet).
};

/// The reference's wording: "out of order sample" …
std::string_view ToString(AppendError error);

struct AppendResult {
  SeriesRef ref;  ///< Set whenever the series exists.
  AppendError error = AppendError::kNone;
};

/// A batch of samples that becomes visible, and durable in the write-ahead log, as one. Not
/// thread-safe; make one per batch. Destruction without Commit rolls back (series that were created
/// stay, without samples).
class Appender {
 public:
  virtual ~Appender() = default;

  /// Appends to a known series: the fast path. kUnknownSeries asks for the other overload.
  virtual AppendResult Append(SeriesRef ref, Timestamp t, double v) = 0;
  /// Finds or creates the series; keep the ref.
  virtual AppendResult Append(LabelsView labels, Timestamp t, double v) = 0;
  virtual AppendResult AppendHistogram(LabelsView labels, Timestamp t, const Histogram& h) = 0;
  virtual AppendResult AppendFloatHistogram(LabelsView labels, Timestamp t,
                                            const FloatHistogram& h) = 0;
  virtual AppendError AppendExemplar(SeriesRef ref, const Exemplar& exemplar) = 0;
  virtual void UpdateMetadata(SeriesRef ref, const Metadata& metadata) = 0;

  /// Writes the batch to the log, then makes it visible. When it returns OK the batch survives
  /// `kill -9`. After an error nothing of the batch is visible.
  virtual Status Commit() = 0;
  virtual void Rollback() = 0;
};

/// Thread-safe.
class Appendable {
 public:
  virtual ~Appendable() = default;
  virtual std::unique_ptr<Appender> NewAppender() = 0;
};

/// Both sides, as app/ hands them around.
class Storage : public Queryable, public Appendable {};

}  // namespace sonde::storage
