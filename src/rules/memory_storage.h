#pragma once

#include <memory>

#include "promql/promqltest/memory_store.h"
#include "storage/storage.h"

namespace sonde::rules {

/// Both sides of the seam over a MemoryStore: what unit tests of rules write to and ask. One thread
/// at a time; what an appender was given is there at once, so Rollback takes nothing back.
class MemoryStorage final : public storage::Storage {
 public:
  Result<std::unique_ptr<storage::Querier>> NewQuerier(Timestamp start,
                                                       Timestamp end) const override {
    return store_.NewQuerier(start, end);
  }
  std::unique_ptr<storage::Appender> NewAppender() override;

  promql::MemoryStore& store() { return store_; }

 private:
  promql::MemoryStore store_;
};

}  // namespace sonde::rules
