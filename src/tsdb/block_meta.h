#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/env.h"
#include "base/result.h"
#include "base/time.h"
#include "tsdb/ulid.h"

// What a block says about itself: meta.json. Format: docs/formats/block.md.

namespace sonde::tsdb {

struct BlockStats {
  std::uint64_t samples = 0;
  std::uint64_t float_samples = 0;
  std::uint64_t histogram_samples = 0;
  std::uint64_t series = 0;
  std::uint64_t chunks = 0;
  std::uint64_t tombstones = 0;
};

/// A block that another one was made of.
struct BlockParent {
  Ulid id;
  Timestamp min_time;
  Timestamp max_time;
};

struct BlockMeta {
  Ulid id;
  Timestamp min_time;
  Timestamp max_time;  ///< Exclusive.
  BlockStats stats;
  int level = 1;
  std::vector<Ulid> sources;
  bool deletable = false;
  std::vector<BlockParent> parents;
  bool failed = false;
  std::vector<std::string> hints;
  int version = 1;  ///< 2 in blocks of Prometheus 2.1, whose index has a wrong version (it is 2).

  bool HasHint(std::string_view hint) const;
};

/// The block was cut from out-of-order samples: it says nothing about how far the head was cut.
inline constexpr std::string_view kOutOfOrderHint = "from-out-of-order";

/// As Prometheus writes it: indented with tabs, zero counts and empty lists left out.
std::string FormatBlockMeta(const BlockMeta& meta);
/// kInvalid for text that is no meta.json of version 1 (or the bogus 2); members that are not known
/// are ignored.
Result<BlockMeta> ParseBlockMeta(std::string_view json);

Result<BlockMeta> ReadBlockMeta(Env& env, const Env::Path& block_dir);

}  // namespace sonde::tsdb
