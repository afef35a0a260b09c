#pragma once

#include <cstdint>
#include <optional>

#include "base/env.h"
#include "base/result.h"
#include "base/time.h"
#include "tsdb/block_meta.h"
#include "tsdb/head.h"
#include "tsdb/head_chunks.h"
#include "tsdb/ulid.h"

namespace sonde::tsdb {

struct CutRequest {
  Timestamp
      min_time;  ///< Of the samples that go into the block; what is older is in blocks already.
  Timestamp max_time;  ///< Exclusive.
  Ulid id;
  std::uint64_t chunk_file_bytes = std::uint64_t{512} << 20;
};

/// Writes the samples of the head in the range as a block into `data_dir`. Nothing if there are
/// none. Appends go on meanwhile, but none in that range may be on its way. One thread at a time.
Result<std::optional<BlockMeta>> CutBlock(Env& env, const Env::Path& data_dir, Head& head,
                                          const HeadChunks& head_chunks, const CutRequest& request);

}  // namespace sonde::tsdb
