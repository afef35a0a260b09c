#include "remote/write_receiver.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/compress.h"
#include "base/hash.h"
#include "base/quote.h"
#include "model/sample.h"
#include "wire/remote_write.h"

namespace sonde::remote {
namespace {

using storage::AppendError;
using storage::AppendResult;
using storage::SeriesRef;
using wire::TimeSeriesView;

// A buffer that one huge request has grown is not kept.
constexpr std::size_t kKeptBytes = 4U << 20;
// More than one for each worker thread are not needed again soon.
constexpr std::size_t kKeptScratches = 16;

WriteOutcome Refuse(int status, std::string message) {
  return {status, std::move(message)};
}

// Errors that turn the whole request down.
bool IsSendersFault(AppendError error) {
  switch (error) {
    case AppendError::kOutOfOrder:
    case AppendError::kDuplicate:
    case AppendError::kOutOfBounds:
    case AppendError::kTooOld:
    case AppendError::kInvalidHistogram:
      return true;
    default:
      return false;
  }
}

}  // namespace

/// What one request at a time needs; kept for the next one.
struct WriteReceiver::Scratch {
  std::string raw;
  wire::WriteRequestReader reader;
  wire::LabelDecoder labels;
  std::array<Hash128, wire::WriteRequestReader::kBatchSeries> keys;
  std::array<CacheHit, wire::WriteRequestReader::kBatchSeries> hits;
  std::vector<MappedSeries> mapped;
};

struct WriteReceiver::Counters {
  explicit Counters(instrument::Registry& registry)
      : samples(registry.GetCounter("sonde_remote_write_received_samples_total",
                                    "Float samples stored from remote write requests.")),
        histograms(
            registry.GetCounter("sonde_remote_write_received_histograms_total",
                                "Native histogram samples stored from remote write requests.")),
        exemplars(registry.GetCounter("sonde_remote_write_received_exemplars_total",
                                      "Exemplars stored from remote write requests.")),
        derived(
            registry.GetCounter("sonde_remote_write_derived_samples_total",
                                "Canonical samples stored beside those of remote write requests.")),
        metadata(registry.GetCounter("sonde_remote_write_received_metadata_total",
                                     "Metric family descriptions in remote write requests.")),
        bytes(registry.GetCounter("sonde_remote_write_received_bytes_total",
                                  "Compressed bytes of remote write requests.")),
        accepted(Requests(registry, "accepted")),
        refused(Requests(registry, "refused")),
        failed(Requests(registry, "failed")),
        new_series(registry.GetCounter("sonde_remote_write_cache_misses_total",
                                       "Series whose labels had to be decoded.")),
        invalid_labels(Dropped(registry, "invalid_labels")),
        unsupported(Dropped(registry, "unsupported")),
        series_limit(Dropped(registry, "series_limit")),
        bad_exemplars(Dropped(registry, "exemplar")),
        bad_derived(Dropped(registry, "derived")),
        cache_series(registry.GetGauge("sonde_remote_write_cache_series",
                                       "Series in the remote-write cache.")),
        cache_bytes(registry.GetGauge("sonde_remote_write_cache_bytes",
                                      "Memory of the remote-write cache.")) {}

  static instrument::Counter& Requests(instrument::Registry& registry, std::string_view outcome) {
    return registry.GetCounter("sonde_remote_write_requests_total",
                               "Remote write requests, by what became of them.",
                               {{"outcome", outcome}});
  }
  static instrument::Counter& Dropped(instrument::Registry& registry, std::string_view reason) {
    return registry.GetCounter("sonde_remote_write_dropped_samples_total",
                               "Samples left out of accepted remote write requests, by reason.",
                               {{"reason", reason}});
  }

  instrument::Counter& samples;
  instrument::Counter& histograms;
  instrument::Counter& exemplars;
  instrument::Counter& derived;
  instrument::Counter& metadata;
  instrument::Counter& bytes;
  instrument::Counter& accepted;
  instrument::Counter& refused;
  instrument::Counter& failed;
  instrument::Counter& new_series;
  instrument::Counter& invalid_labels;
  instrument::Counter& unsupported;
  instrument::Counter& series_limit;
  instrument::Counter& bad_exemplars;
  instrument::Counter& bad_derived;
  instrument::Gauge& cache_series;
  instrument::Gauge& cache_bytes;
};

/// One request on its way into the store.
class WriteReceiver::Request {
 public:
  Request(WriteReceiver& receiver, Scratch& scratch, Timestamp now)
      : receiver_(receiver),
        scratch_(scratch),
        snapshot_(receiver.cache_.TakeSnapshot(now)),
        newest_(now + receiver.options_.max_ahead),
        appender_(receiver.storage_.NewAppender()) {}

  WriteOutcome Run() {
    scratch_.reader.Reset(scratch_.raw);
    while (true) {
      const auto more = scratch_.reader.NextBatch();
      if (!more) return Abort(400, more.error().message());
      if (!*more) break;
      TakeBatch();
      if (failure_) return Abort(failure_->status, std::move(failure_->message));
    }
    if (const Status committed = appender_->Commit(); !committed) {
      ForgetFamilies();
      return Refuse(500, committed.error().message());
    }
    Count();
    if (over_limit_ > 0)
      return Refuse(429, fmt::format("{} samples of new series: {}", over_limit_,
                                     ToString(AppendError::kLimit)));
    return {};
  }

 private:
  WriteOutcome Abort(int status, std::string message) {
    appender_->Rollback();
    ForgetFamilies();
    return Refuse(status, std::move(message));
  }

  // The metadata that this request has passed on is gone with its samples.
  void ForgetFamilies() {
    for (const std::string& family : touched_families_)
      receiver_.families_.Forget(family);
  }

  // In three rounds, so that the look-ups of a batch wait for memory together.
  void TakeBatch() {
    const auto series = scratch_.reader.series();
    for (std::size_t i = 0; i < series.size(); ++i) {
      scratch_.keys[i] = Xxh3Wide(series[i].labels);
      snapshot_.Prefetch(scratch_.keys[i]);
    }
    for (std::size_t i = 0; i < series.size(); ++i)
      scratch_.hits[i] = snapshot_.Find(scratch_.keys[i]);
    for (std::size_t i = 0; i < series.size() && !failure_; ++i)
      TakeSeries(series[i], i);
    for (const std::string_view message : scratch_.reader.metadata())
      TakeMetadata(message);
  }

  void TakeSeries(const TimeSeriesView& series, std::size_t index) {
    CacheHit& hit = scratch_.hits[index];
    for (const FloatSample& sample : scratch_.reader.samples(series)) {
      AppendError error =
          sample.t > newest_ ? AppendError::kOutOfBounds : AppendError::kUnknownSeries;
      if (error == AppendError::kUnknownSeries && hit.ref) {
        error = appender_->Append(hit.ref, sample.t, sample.v).error;
      }
      if (error == AppendError::kUnknownSeries) error = AppendNew(series, index, sample);
      if (error == AppendError::kNone) {
        ++samples_;
        if (hit.native != nullptr) AppendDerived(*hit.native, sample);
        continue;
      }
      if (!Tolerate(error, series, sample.t)) return;
    }
    if (hit.is_old) receiver_.cache_.Keep(scratch_.keys[index]);
    if (series.histograms != 0) TakeHistograms(series, hit);
    if (series.exemplars != 0 && !failure_) TakeExemplars(series, hit);
  }

  // Whether the request can go on after `error`.
  bool Tolerate(AppendError error, const TimeSeriesView& series, Timestamp t) {
    if (error == AppendError::kInvalidLabels) {
      ++invalid_labels_;
      return true;
    }
    if (error == AppendError::kUnsupported) {
      ++unsupported_;
      return true;
    }
    if (error == AppendError::kLimit) {
      ++over_limit_;
      return true;
    }
    static_cast<void>(scratch_.labels.Decode(series.labels));
    failure_ = Refuse(
        IsSendersFault(error) ? 400 : 500,
        fmt::format("{}: series {} at {}", ToString(error), scratch_.labels.Describe(), t.ms));
    return false;
  }

  // A sample of a series whose ref is not known, or no longer.
  AppendError AppendNew(const TimeSeriesView& series, std::size_t index,
                        const FloatSample& sample) {
    if (scratch_.labels.Decode(series.labels) != wire::LabelFault::kNone)
      return AppendError::kInvalidLabels;
    const LabelsView labels = scratch_.labels.labels();
    const AppendResult result = appender_->Append(labels, sample.t, sample.v);
    if (result.ref) Learn(labels, result.ref, index);
    return result.error;
  }

  void Learn(LabelsView labels, SeriesRef ref, std::size_t index) {
    ++new_series_;
    CacheHit& hit = scratch_.hits[index];
    hit.ref = ref;
    const auto known = receiver_.families_.Register(labels.metric_name(), ref);
    if (known) {
      appender_->UpdateMetadata(ref, known->metadata);
      touched_families_.push_back(known->family);
    }
    if (hit.native != nullptr) {
      hit.native->ref.store(ref.value, std::memory_order_relaxed);
      return;
    }
    const auto native = Map(labels, ref, known ? known->metadata.type : MetricType::kUnknown);
    receiver_.cache_.Put(scratch_.keys[index], {ref, native});
    hit.is_old = false;
    hit.native = native.get();
    if (native != nullptr) natives_.push_back(native);
  }

  // The canonical series of a native one; null if it has none.
  std::shared_ptr<NativeSeries> Map(LabelsView labels, SeriesRef ref, MetricType type) {
    if (receiver_.mapper_ == nullptr) return nullptr;
    scratch_.mapped.clear();
    receiver_.mapper_->Map(labels, type, scratch_.mapped);
    if (scratch_.mapped.empty()) return nullptr;
    auto native = std::make_shared<NativeSeries>();
    native->ref.store(ref.value, std::memory_order_relaxed);
    for (MappedSeries& mapped : scratch_.mapped) {
      native->derived.push_back(std::make_unique<DerivedSeries>(std::move(mapped), 0));
    }
    return native;
  }

  void AppendDerived(const NativeSeries& native, const FloatSample& sample) {
    for (const auto& derived : native.derived) {
      const MappedSeries& mapped = derived->mapped;
      std::optional<double> known;
      if (!IsStaleNan(sample.v)) known = mapped.Value(sample.v);
      const double value = known.value_or(StaleNan());
      // Without a measurement the series ends, once.
      const bool was_live = derived->live.exchange(known.has_value(), std::memory_order_relaxed);
      if (mapped.rule != nullptr && !known && (!was_live || derived->ref.load() == 0)) continue;
      AppendResult result{{derived->ref.load(std::memory_order_relaxed)},
                          AppendError::kUnknownSeries};
      if (result.ref) result = appender_->Append(result.ref, sample.t, value);
      if (result.error == AppendError::kUnknownSeries) {
        result = appender_->Append(mapped.labels.view(), sample.t, value);
        if (result.ref) {
          derived->ref.store(result.ref.value, std::memory_order_relaxed);
          appender_->UpdateMetadata(result.ref, {mapped.type, std::string(mapped.help), ""});
        }
      }
      // The native sample is what the sender asked for: trouble with its shadow does not turn it
      // down.
      ++(result.error == AppendError::kNone ? derived_ : bad_derived_);
    }
  }

  void TakeHistograms(const TimeSeriesView& series, CacheHit& hit) {
    const bool valid = scratch_.labels.Decode(series.labels) == wire::LabelFault::kNone;
    for (const std::string_view message : scratch_.reader.histograms(series)) {
      const auto sample = wire::DecodeHistogram(message);
      if (!sample) {
        failure_ = Refuse(400, sample.error().message());
        return;
      }
      if (!valid) {
        ++invalid_labels_;
        continue;
      }
      AppendResult result{hit.ref, AppendError::kOutOfBounds};
      if (sample->t <= newest_) {
        const LabelsView labels = scratch_.labels.labels();
        result = sample->is_float
                     ? appender_->AppendFloatHistogram(labels, sample->t, sample->floating)
                     : appender_->AppendHistogram(labels, sample->t, sample->integer);
      }
      if (result.ref) hit.ref = result.ref;
      if (result.error == AppendError::kNone) {
        ++histograms_;
      } else if (!Tolerate(result.error, series, sample->t)) {
        return;
      }
    }
  }

  void TakeExemplars(const TimeSeriesView& series, const CacheHit& hit) {
    for (const std::string_view message : scratch_.reader.exemplars(series)) {
      const auto exemplar = wire::DecodeExemplar(message);
      if (!exemplar) {
        failure_ = Refuse(400, exemplar.error().message());
        return;
      }
      const bool stored =
          hit.ref && appender_->AppendExemplar(hit.ref, *exemplar) == AppendError::kNone;
      ++(stored ? exemplars_ : bad_exemplars_);
    }
  }

  void TakeMetadata(std::string_view message) {
    const auto decoded = wire::DecodeMetadata(message);
    if (!decoded) {
      failure_ = Refuse(400, decoded.error().message());
      return;
    }
    ++metadata_;
    for (const SeriesRef ref : receiver_.families_.Update(decoded->family, decoded->metadata)) {
      appender_->UpdateMetadata(ref, decoded->metadata);
    }
    touched_families_.push_back(decoded->family);
  }

  void Count() {
    Counters& counters = *receiver_.counters_;
    const auto add = [](instrument::Counter& counter, std::uint64_t n) {
      if (n > 0) counter.Add(static_cast<double>(n));
    };
    add(counters.samples, samples_);
    add(counters.histograms, histograms_);
    add(counters.exemplars, exemplars_);
    add(counters.derived, derived_);
    add(counters.metadata, metadata_);
    add(counters.new_series, new_series_);
    add(counters.invalid_labels, invalid_labels_);
    add(counters.unsupported, unsupported_);
    add(counters.series_limit, over_limit_);
    add(counters.bad_exemplars, bad_exemplars_);
    add(counters.bad_derived, bad_derived_);
    if (new_series_ == 0) return;
    counters.cache_series.Set(static_cast<double>(receiver_.cache_.size()));
    counters.cache_bytes.Set(static_cast<double>(receiver_.cache_.bytes()));
  }

  WriteReceiver& receiver_;
  Scratch& scratch_;
  const SeriesCache::Snapshot snapshot_;
  const Timestamp newest_;
  const std::unique_ptr<storage::Appender> appender_;
  std::optional<WriteOutcome> failure_;
  std::vector<std::shared_ptr<NativeSeries>>
      natives_;  // New ones: the snapshot does not keep them alive.
  std::vector<std::string> touched_families_;
  std::uint64_t samples_ = 0;
  std::uint64_t histograms_ = 0;
  std::uint64_t exemplars_ = 0;
  std::uint64_t derived_ = 0;
  std::uint64_t metadata_ = 0;
  std::uint64_t new_series_ = 0;
  std::uint64_t invalid_labels_ = 0;
  std::uint64_t unsupported_ = 0;
  std::uint64_t over_limit_ = 0;
  std::uint64_t bad_exemplars_ = 0;
  std::uint64_t bad_derived_ = 0;
};

WriteReceiver::WriteReceiver(storage::Appendable& storage, const Clock& clock,
                             instrument::Registry& registry, const WriteReceiverOptions& options,
                             const SeriesMapper* mapper)
    : storage_(storage),
      clock_(clock),
      options_(options),
      mapper_(mapper),
      cache_(options.cache),
      families_(options.max_families),
      counters_(std::make_unique<Counters>(registry)) {}

WriteReceiver::~WriteReceiver() = default;

WriteOutcome WriteReceiver::Receive(const WriteHeaders& headers, std::string_view body) {
  counters_->bytes.Add(static_cast<double>(body.size()));
  const auto finish = [this](WriteOutcome outcome) {
    instrument::Counter& counter = outcome.status == 204       ? counters_->accepted
                                   : outcome.status / 100 == 5 ? counters_->failed
                                                               : counters_->refused;
    counter.Add();
    return outcome;
  };
  const auto version = wire::RemoteWriteVersionOf(headers.content_type);
  if (!version) return finish(Refuse(415, version.error().message()));
  if (*version != wire::RemoteWriteVersion::k1) {
    return finish(Refuse(415,
                         "io.prometheus.write.v2.Request protobuf message is not accepted by this "
                         "server; only accepts prometheus.WriteRequest"));
  }
  if (!headers.content_encoding.empty() && headers.content_encoding != "snappy") {
    return finish(
        Refuse(415, QuoteGo(headers.content_encoding.substr(0, 64)) +
                        " encoding (compression) is not accepted by this server; only snappy is"));
  }
  std::unique_ptr<Scratch> scratch = TakeScratch();
  if (const Status raw = SnappyDecompress(body, options_.max_request_bytes, scratch->raw); !raw) {
    const int status = raw.error().kind() == ErrorKind::kLimit ? 413 : 400;
    ReturnScratch(std::move(scratch));
    return finish(Refuse(status, raw.error().message()));
  }
  WriteOutcome outcome = Request(*this, *scratch, clock_.Now()).Run();
  ReturnScratch(std::move(scratch));
  return finish(std::move(outcome));
}

std::unique_ptr<WriteReceiver::Scratch> WriteReceiver::TakeScratch() {
  MutexLock lock(mutex_);
  if (idle_scratch_.empty()) return std::make_unique<Scratch>();
  std::unique_ptr<Scratch> scratch = std::move(idle_scratch_.back());
  idle_scratch_.pop_back();
  return scratch;
}

void WriteReceiver::ReturnScratch(std::unique_ptr<Scratch> scratch) {
  scratch->reader.Reset({});
  if (scratch->raw.capacity() > kKeptBytes) return;
  MutexLock lock(mutex_);
  if (idle_scratch_.size() < kKeptScratches) idle_scratch_.push_back(std::move(scratch));
}

}  // namespace sonde::remote
