#include "tsdb/head_appender.h"

#include <bit>
#include <limits>

#include "base/check.h"

namespace sonde::tsdb {
namespace {

using storage::AppendError;
using storage::AppendResult;
using storage::SeriesRef;

// A record of the log holds at most so many samples: then it is compressed on the appender's thread
// while the rest is still coming.
constexpr std::size_t kSamplesPerRecord = 8192;

}  // namespace

HeadAppender::HeadAppender(Context context) : context_(context), appendable_from_(kNoTime) {
  guest_.emplace(context.head.guests());
  // After coming in: a block that is cut from now on waits for us, or has moved the bound already.
  appendable_from_ = context.head.AppendableFrom();
}

HeadAppender::~HeadAppender() {
  if (!finished_) HeadAppender::Rollback();
}

Series* HeadAppender::FindTouched(SeriesRef ref) {
  DCHECK(!finished_);
  if (ref.value == 0 || ref.value > std::numeric_limits<SeriesId>::max()) return nullptr;
  Series* series = context_.head.registry().Find(static_cast<SeriesId>(ref.value));
  if (series == nullptr) return nullptr;
  // Touched since we came in: it is not collected while we are here. Else it may be going right
  // now.
  if (series->touched.load(std::memory_order_relaxed) >= guest_->epoch()) return series;
  ScopedSeriesLock lock(series->lock);
  if (series->dead) return nullptr;
  series->touched.store(guest_->epoch(), std::memory_order_relaxed);
  return series;
}

AppendError HeadAppender::CheckTime(const Series& series, SeriesId id, Timestamp t,
                                    std::uint64_t value, bool& already_there) {
  if (t.ms < appendable_from_ || t.ms > kMaxTime || t.ms < -kMaxTime) {
    ++out_of_bounds_;
    return AppendError::kOutOfBounds;
  }
  // The newest sample is the one before in this batch, or the one in the head.
  std::int64_t last = series.last_time.load(std::memory_order_relaxed);
  const bool pending = !batch_.samples.empty() && batch_.samples.back().series == id;
  if (pending) last = batch_.samples.back().t.ms;
  if (t.ms > last) return AppendError::kNone;
  if (t.ms < last) {
    ++out_of_order_;
    return AppendError::kOutOfOrder;
  }
  if (pending) {
    already_there = batch_.samples.back().value == value;
  } else {
    ScopedSeriesLock lock(series.lock);
    // After a restart the newest sample may lie in a full chunk: as Prometheus does, take the
    // repetition for the same.
    already_there = series.open == nullptr || series.open->value == value;
  }
  return already_there ? AppendError::kNone : AppendError::kDuplicate;
}

AppendError HeadAppender::Add(SeriesId id, Series& series, Timestamp t, double v) {
  const auto value = std::bit_cast<std::uint64_t>(v);
  if (appendable_from_ == kNoTime) {
    context_.head.NoteFirstTime(t.ms);
    appendable_from_ = context_.head.AppendableFrom();
  }
  bool already_there = false;
  if (const AppendError error = CheckTime(series, id, t, value, already_there);
      error != AppendError::kNone) {
    return error;
  }
  if (already_there) {
    ++duplicates_;
    return AppendError::kNone;
  }
  record_.Append(series.wal_ref, t.ms, value);
  batch_.samples.push_back({id, t, value});
  if (record_.count() == kSamplesPerRecord) SealRecord();
  return AppendError::kNone;
}

AppendResult HeadAppender::Append(SeriesRef ref, Timestamp t, double v) {
  Series* series = FindTouched(ref);
  if (series == nullptr) {
    context_.metrics.head_series_not_found.Add();
    return {{}, AppendError::kUnknownSeries};
  }
  return {ref, Add(static_cast<SeriesId>(ref.value), *series, t, v)};
}

AppendResult HeadAppender::Append(LabelsView labels, Timestamp t, double v) {
  DCHECK(!finished_);
  // A time that is out of bounds must not make a series.
  if (t.ms < appendable_from_ || t.ms > kMaxTime || t.ms < -kMaxTime) {
    ++out_of_bounds_;
    return {{}, AppendError::kOutOfBounds};
  }
  const SeriesRegistry::Entry entry = context_.head.registry().GetOrCreate(labels, guest_->epoch());
  if (entry.series == nullptr) {
    if (entry.error == AppendError::kLimit) context_.metrics.series_refused.Add();
    return {{}, entry.error};
  }
  if (entry.created) context_.metrics.head_series_created.Add();
  return {{entry.id}, Add(entry.id, *entry.series, t, v)};
}

AppendResult HeadAppender::AppendHistogram(LabelsView /*labels*/, Timestamp /*t*/,
                                           const Histogram& /*h*/) {
  context_.metrics.histograms_refused.Add();
  return {{}, AppendError::kUnsupported};
}

AppendResult HeadAppender::AppendFloatHistogram(LabelsView /*labels*/, Timestamp /*t*/,
                                                const FloatHistogram& /*h*/) {
  context_.metrics.histograms_refused.Add();
  return {{}, AppendError::kUnsupported};
}

AppendError HeadAppender::AppendExemplar(SeriesRef ref, const Exemplar& /*exemplar*/) {
  if (FindTouched(ref) == nullptr) return AppendError::kUnknownSeries;
  context_.metrics.exemplars_dropped.Add();
  return AppendError::kNone;
}

void HeadAppender::UpdateMetadata(SeriesRef ref, const Metadata& metadata) {
  if (FindTouched(ref) == nullptr) return;
  metadata_.push_back({static_cast<SeriesId>(ref.value), metadata});
}

void HeadAppender::SealRecord() {
  if (record_.count() == 0) return;
  batch_.records.emplace_back();
  StoreRecord(record_.record(), context_.log.compression, batch_.records.back());
  record_.Clear();
}

std::vector<SeriesId> HeadAppender::LogMetadata() {
  std::vector<SeriesId> described;
  std::string record;
  std::string packed;
  for (const PendingMetadata& pending : metadata_) {
    const Series& series = context_.head.registry()[pending.series];
    packed.clear();
    context_.head.registry().AppendLabels(series, packed);
    context_.metadata.Update(LabelsView::FromPacked(packed).metric_name(), pending.metadata);
    if (!context_.log_metadata) continue;
    if (!context_.metadata.UpdateSeries(pending.series, pending.metadata)) continue;
    if (record.empty()) BeginRecord(record, RecordType::kMetadata);
    described.push_back(pending.series);
    AppendMetadata(record, {series.wal_ref, pending.metadata.type, pending.metadata.unit,
                            pending.metadata.help});
  }
  metadata_.clear();
  if (record.empty()) return described;
  batch_.records.emplace_back();
  StoreRecord(record, context_.log.compression, batch_.records.back());
  return described;
}

Status HeadAppender::Commit() {
  CHECK(!finished_);
  const std::vector<SeriesId> described = LogMetadata();
  SealRecord();
  Status status;
  if (!batch_.records.empty()) status = context_.log.Commit(batch_);
  if (!status) context_.metadata.ForgetSeries(described);
  Rollback();
  return status;
}

void HeadAppender::Rollback() {
  finished_ = true;
  guest_.reset();
  batch_ = {};
  record_.Clear();
  metadata_.clear();
  if (out_of_order_ > 0) {
    context_.metrics.samples_out_of_order.Add(static_cast<double>(out_of_order_));
  }
  if (out_of_bounds_ > 0) {
    context_.metrics.samples_out_of_bounds.Add(static_cast<double>(out_of_bounds_));
  }
  if (duplicates_ > 0) context_.metrics.samples_duplicate.Add(static_cast<double>(duplicates_));
  out_of_order_ = out_of_bounds_ = duplicates_ = 0;
}

}  // namespace sonde::tsdb
