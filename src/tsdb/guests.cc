#include "tsdb/guests.h"

namespace sonde::tsdb {

Guests::Reader::Reader(Guests& guests) : guests_(guests) {
  MutexLock lock(guests_.mutex_);
  guests_.Enter(guests_.readers_, link_);
}

Guests::Reader::~Reader() {
  MutexLock lock(guests_.mutex_);
  Leave(guests_.readers_, link_);
}

Guests::Appender::Appender(Guests& guests) : guests_(guests) {
  MutexLock lock(guests_.mutex_);
  guests_.Enter(guests_.appenders_, link_);
}

Guests::Appender::~Appender() {
  MutexLock lock(guests_.mutex_);
  Leave(guests_.appenders_, link_);
}

void Guests::Enter(List& list, Link& link) {
  link.number = next_number_++;
  link.visible_commit = published_;
  link.epoch = epoch_;
  link.previous = list.last;
  (list.last == nullptr ? list.first : list.last->next) = &link;
  list.last = &link;
  ++list.size;
}

void Guests::Leave(List& list, Link& link) {
  (link.previous == nullptr ? list.first : link.previous->next) = link.next;
  (link.next == nullptr ? list.last : link.next->previous) = link.previous;
  --list.size;
}

std::uint64_t Guests::Mark() {
  MutexLock lock(mutex_);
  return next_number_++;
}

bool Guests::ReadersLeft(std::uint64_t mark) const {
  MutexLock lock(mutex_);
  return readers_.first == nullptr || readers_.first->number > mark;
}

bool Guests::AppendersLeft(std::uint64_t mark) const {
  MutexLock lock(mutex_);
  return appenders_.first == nullptr || appenders_.first->number > mark;
}

std::uint64_t Guests::SeenByAll() const {
  MutexLock lock(mutex_);
  return readers_.first == nullptr ? published_ : readers_.first->visible_commit;
}

void Guests::Publish(std::uint64_t commit) {
  MutexLock lock(mutex_);
  published_ = commit;
}

std::uint64_t Guests::published() const {
  MutexLock lock(mutex_);
  return published_;
}

std::uint32_t Guests::BeginCollection() {
  MutexLock lock(mutex_);
  ++epoch_;
  return appenders_.first == nullptr ? epoch_ : appenders_.first->epoch;
}

std::uint32_t Guests::epoch() const {
  MutexLock lock(mutex_);
  return epoch_;
}

std::uint64_t Guests::appenders_inside() const {
  MutexLock lock(mutex_);
  return appenders_.size;
}

}  // namespace sonde::tsdb
