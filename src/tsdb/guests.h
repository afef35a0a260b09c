#pragma once

#include <cstdint>

#include "base/mutex.h"

// Who is inside the head at the moment. Three questions are answered here:
// which commits a reader sees (isolation), when memory that was taken out of the head can be freed,
// and which series an appender may be about to write to. See docs/decisions/0032-isolation.md.

namespace sonde::tsdb {

/// Counts commits, readers and appenders. Thread-safe; every call is a few instructions under one
/// mutex, once a query or a batch.
class Guests {
 private:
  /// In a doubly linked list in order of arrival, so that the oldest guest is at the front.
  struct Link {
    Link* previous = nullptr;
    Link* next = nullptr;
    std::uint64_t number = 0;
    std::uint64_t visible_commit = 0;
    std::uint32_t epoch = 0;
  };

 public:
  /// A stay in the head, from construction to destruction.
  class Reader {
   public:
    explicit Reader(Guests& guests);
    ~Reader();
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    /// This commit and all before it are seen, none after it.
    std::uint64_t visible_commit() const { return link_.visible_commit; }

   private:
    Guests& guests_;
    Link link_;
  };
  class Appender {
   public:
    explicit Appender(Guests& guests);
    ~Appender();
    Appender(const Appender&) = delete;
    Appender& operator=(const Appender&) = delete;

    /// A series touched in this collection epoch or later is not collected while the appender
    /// stays.
    std::uint32_t epoch() const { return link_.epoch; }

   private:
    Guests& guests_;
    Link link_;
  };

  Guests() = default;
  Guests(const Guests&) = delete;
  Guests& operator=(const Guests&) = delete;

  /// A number that later guests do not go below: ask with it whether the earlier ones have left.
  std::uint64_t Mark() EXCLUDES(mutex_);
  bool ReadersLeft(std::uint64_t mark) const EXCLUDES(mutex_);
  bool AppendersLeft(std::uint64_t mark) const EXCLUDES(mutex_);

  /// The youngest commit that everybody inside, and everybody who comes in before the next Publish,
  /// sees.
  std::uint64_t SeenByAll() const EXCLUDES(mutex_);
  /// Commits up to this one are seen by readers from now on. Called in order.
  void Publish(std::uint64_t commit) EXCLUDES(mutex_);
  std::uint64_t published() const EXCLUDES(mutex_);

  /// Begins a collection: appenders that come from now on are of a new epoch. Returns the epoch of
  /// the oldest appender inside; series that were touched in it or later must stay.
  std::uint32_t BeginCollection() EXCLUDES(mutex_);
  std::uint32_t epoch() const EXCLUDES(mutex_);

  std::uint64_t appenders_inside() const EXCLUDES(mutex_);

 private:
  struct List {
    Link* first = nullptr;
    Link* last = nullptr;
    std::uint64_t size = 0;
  };

  void Enter(List& list, Link& link) REQUIRES(mutex_);
  static void Leave(List& list, Link& link);

  mutable Mutex mutex_;
  List readers_ GUARDED_BY(mutex_);
  List appenders_ GUARDED_BY(mutex_);
  std::uint64_t next_number_ GUARDED_BY(mutex_) = 1;
  std::uint64_t published_ GUARDED_BY(mutex_) = 0;
  std::uint32_t epoch_ GUARDED_BY(mutex_) = 1;
};

}  // namespace sonde::tsdb
