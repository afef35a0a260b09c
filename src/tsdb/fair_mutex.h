#pragma once

#include "base/mutex.h"

namespace sonde::tsdb {

/// A readers-writer lock that serves in order of arrival: a waiting writer lets no later reader
/// pass, so that a stream of overlapping queries cannot keep new series out.
class CAPABILITY("shared_mutex") FairSharedMutex {
 public:
  void Lock() ACQUIRE() NO_THREAD_SAFETY_ANALYSIS {
    MutexLock gate(gate_);
    mutex_.Lock();
  }
  void Unlock() RELEASE() NO_THREAD_SAFETY_ANALYSIS { mutex_.Unlock(); }
  void LockShared() ACQUIRE_SHARED() NO_THREAD_SAFETY_ANALYSIS {
    MutexLock gate(gate_);
    mutex_.LockShared();
  }
  void UnlockShared() RELEASE_SHARED() NO_THREAD_SAFETY_ANALYSIS { mutex_.UnlockShared(); }

 private:
  Mutex gate_;  // Held while waiting for mutex_.
  SharedMutex mutex_;
};

class SCOPED_CAPABILITY FairWriterLock {
 public:
  explicit FairWriterLock(FairSharedMutex& mutex) ACQUIRE(mutex) : mutex_(mutex) { mutex_.Lock(); }
  ~FairWriterLock() RELEASE() { mutex_.Unlock(); }
  FairWriterLock(const FairWriterLock&) = delete;
  FairWriterLock& operator=(const FairWriterLock&) = delete;

 private:
  FairSharedMutex& mutex_;
};

class SCOPED_CAPABILITY FairReaderLock {
 public:
  explicit FairReaderLock(FairSharedMutex& mutex) ACQUIRE_SHARED(mutex) : mutex_(mutex) {
    mutex_.LockShared();
  }
  ~FairReaderLock() RELEASE_GENERIC() { mutex_.UnlockShared(); }
  FairReaderLock(const FairReaderLock&) = delete;
  FairReaderLock& operator=(const FairReaderLock&) = delete;

 private:
  FairSharedMutex& mutex_;
};

}  // namespace sonde::tsdb
