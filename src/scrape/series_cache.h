#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/hash.h"
#include "model/series_mapper.h"
#include "storage/storage.h"

namespace sonde::scrape {

/// A canonical series that is written beside a native one (model/series_mapper.h).
struct DerivedSeries {
  storage::SeriesRef ref;
  double scale = 1;
  double constant = 0;
  bool is_constant = false;
  bool live = true;                 ///< Its last native value was a measurement.
  const ValueRule* rule = nullptr;  ///< Null: every value is one.

  /// The value to store; nothing: none is known.
  std::optional<double> Value(double native) const {
    return CanonicalValue(native, rule, scale, is_constant, constant);
  }
};

/// What is known of one series of a target's page, under the bytes of its `name{labels}` in the
/// page. 48 bytes: the bytes themselves are represented by their 128-bit hash.
struct CachedSeries {
  Hash128 key;
  storage::SeriesRef ref;
  std::uint32_t seen = 0;     ///< The pass in which it was last on the page.
  std::uint32_t live = 0;     ///< The pass in which it last got a sample that staleness counts.
  std::uint32_t next = 0;     ///< What followed it on the page last time.
  std::uint32_t derived = 0;  ///< Its first DerivedSeries.
  std::uint16_t derived_count = 0;
  bool dropped = false;   ///< Relabelling throws it away.
  bool was_live = false;  ///< Before this pass.
};

/// Remembers the series of one target between pages, and which of them have to be marked stale.
///
/// Owned by the target's loop; not thread-safe. A *pass* is one page: BeginPass, then Find (and
/// Add) for each sample, then Succeed or Fail. Pages list their series in nearly the same order
/// each time, so Find first tries the one that followed last time: a settled page costs a hash and
/// a compare per series.
class SeriesCache {
 public:
  static constexpr std::uint32_t kNone = 0xFFFFFFFF;

  void BeginPass();

  /// The series with this key, or null. Borrowed until the next Add.
  CachedSeries* Find(const Hash128& key);
  /// Remembers a series that Find did not know. Marks it as seen in this pass.
  CachedSeries& Add(const Hash128& key, storage::SeriesRef ref);
  void SetDerived(CachedSeries& series, const std::vector<DerivedSeries>& derived);
  DerivedSeries* derived(const CachedSeries& series) { return derived_.data() + series.derived; }

  /// True if the series stands a second time on this page.
  bool SeenInThisPass(const CachedSeries& series) const { return series.seen == pass_; }
  /// True if it was on the last good page, or on a bad one after it.
  bool IsKnown(const CachedSeries& series) const { return series.seen >= last_good_pass_; }
  void MarkSeen(CachedSeries& series) {
    if (series.seen == pass_) return;
    series.seen = pass_;
    ++seen_in_pass_;
  }
  /// The series got a sample: it becomes stale when it is missing from the next page.
  void MarkLive(CachedSeries& series) {
    if (series.live == pass_) return;
    series.was_live = series.live == live_pass_ && live_pass_ != 0;
    series.live = pass_;
    if (series.was_live) ++still_live_;
    ++live_in_pass_;
  }

  /// Ends a pass whose page was good: calls on_stale(series) for those that were live and are no
  /// more, forgets what was not on the page.
  template <class F>
  void Succeed(F on_stale) {
    if (still_live_ != live_count_) {
      for (CachedSeries& series : series_) {
        if (series.live == live_pass_ && live_pass_ != 0 && live_pass_ != pass_) on_stale(series);
      }
    }
    FinishGoodPass();
  }

  /// Ends a pass whose page was bad or absent: everything that was live before it is stale. True if
  /// the cache had grown so much on bad pages that it had to be emptied.
  template <class F>
  bool Fail(F on_stale) {
    for (CachedSeries& series : series_) {
      const bool touched = series.live == pass_ && pass_ != live_pass_;
      const bool before =
          touched ? series.was_live : (series.live == live_pass_ && live_pass_ != 0);
      if (before) on_stale(series);
      series.live = 0;
    }
    return FinishBadPass();
  }

  std::size_t size() const { return series_.size(); }

 private:
  static constexpr std::size_t kSpareOnBadPages = 1000;

  void FinishGoodPass();
  bool FinishBadPass();
  /// Forgets what was not seen in this pass.
  void Evict();
  void Rehash(std::size_t slots);
  std::size_t Slot(const Hash128& key) const { return key.low & (slots_.size() - 1); }

  std::vector<CachedSeries> series_;
  std::vector<DerivedSeries> derived_;
  std::vector<std::uint32_t> slots_;  // Open addressing: index + 1 into series_, 0: free.
  std::uint32_t pass_ = 0;
  std::uint32_t last_good_pass_ = 0;
  std::uint32_t live_pass_ = 0;   // The last pass that left live series; 0: none are.
  std::uint32_t first_ = kNone;   // The first series on the page last time.
  std::uint32_t cursor_ = kNone;  // Where Find was last.
  std::size_t live_count_ = 0;    // Live series of live_pass_ …
  std::size_t still_live_ = 0;    // … of which this pass has seen so many,
  std::size_t live_in_pass_ = 0;  // beside new ones.
  std::size_t seen_in_pass_ = 0;
  std::size_t good_size_ = 0;  // Size after the last good page.
};

}  // namespace sonde::scrape
