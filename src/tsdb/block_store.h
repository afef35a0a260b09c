#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/log.h"
#include "base/result.h"
#include "base/time.h"
#include "tsdb/block.h"
#include "tsdb/metrics.h"

namespace sonde::tsdb {

/// Blocks by the time at which they begin. An immutable snapshot.
using BlockList = std::vector<std::shared_ptr<const Block>>;

/// The blocks in the data directory: opens what is there and removes what is old. Used by one
/// thread at a time.
class BlockStore {
 public:
  /// `env` and `metrics` must outlive the store.
  BlockStore(Env& env, Env::Path dir, Duration retention, Metrics& metrics, Logger logger)
      : env_(env),
        dir_(std::move(dir)),
        retention_(retention),
        metrics_(metrics),
        logger_(std::move(logger)) {}

  /// Removes unfinished and half removed blocks of an earlier process.
  Status RemoveLeftovers();

  /// Looks what blocks are there, those of other programs included. A block that cannot be read is
  /// left alone, logged once, and not in the list. Blocks beyond the retention, and those that
  /// another one replaces, are left out of the list and noted for RemoveDropped.
  Result<std::shared_ptr<const BlockList>> Load();
  /// Removes the directories of what the last Load left out: after the list is in use.
  Status RemoveDropped();

  /// Where the head begins, as far as the blocks say: the end of the last one that was cut from a
  /// head.
  static Timestamp EndOf(const BlockList& blocks);

 private:
  bool BeyondRetention(const Block& block, Timestamp newest) const;

  Env& env_;
  const Env::Path dir_;
  const Duration retention_;
  Metrics& metrics_;
  const Logger logger_;
  std::shared_ptr<const BlockList> last_ = std::make_shared<BlockList>();
  std::vector<Env::Path> dropped_;
  std::set<std::string> complained_;  // Directories about which a line was logged.
};

}  // namespace sonde::tsdb
