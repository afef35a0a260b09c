#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/time.h"
#include "instrument/registry.h"
#include "model/series_mapper.h"
#include "remote/family_catalog.h"
#include "remote/series_cache.h"
#include "storage/storage.h"

// Remote write 1.0, the receiving side: what `POST /api/v1/write` does with its body.
//
// Format: docs/formats/remote_write.md.

namespace sonde::remote {

struct WriteReceiverOptions {
  std::uint64_t max_request_bytes = 64ULL << 20;  ///< Decompressed; beyond: 413.
  Duration max_ahead{600'000};        ///< Samples further in the future are out of bounds.
  std::size_t max_families = 50'000;  ///< Whose metadata is remembered.
  SeriesCacheOptions cache;
};

/// The headers of the request that matter; empty where absent.
struct WriteHeaders {
  std::string_view content_type;
  std::string_view content_encoding;
};

/// The answer: a status, and for all but 204 a line that says why.
struct WriteOutcome {
  int status = 204;
  std::string message;
};

/// Decodes remote-write requests and appends them to the store. Thread-safe: requests run on as
/// many worker threads as there are, and share a lock only for what is new. All references must
/// outlive it.
///
/// A request is stored as a whole or not at all, with three exceptions that leave the rest of it
/// alone: series whose labels are invalid, samples of a kind that the store cannot hold (both
/// counted, answered 204), and series beyond the store's limit (answered 429).
class WriteReceiver {
 public:
  WriteReceiver(storage::Appendable& storage, const Clock& clock, instrument::Registry& registry,
                const WriteReceiverOptions& options = {}, const SeriesMapper* mapper = nullptr);
  ~WriteReceiver();
  WriteReceiver(const WriteReceiver&) = delete;
  WriteReceiver& operator=(const WriteReceiver&) = delete;

  /// Takes one request. `body` is compressed as `headers` say.
  WriteOutcome Receive(const WriteHeaders& headers, std::string_view body);

  /// To be called when the mapper has begun to answer differently: every series is asked about
  /// again.
  void ForgetSeries() { cache_.Clear(); }

 private:
  struct Scratch;
  struct Counters;
  class Request;

  std::unique_ptr<Scratch> TakeScratch();
  void ReturnScratch(std::unique_ptr<Scratch> scratch);

  storage::Appendable& storage_;
  const Clock& clock_;
  const WriteReceiverOptions options_;
  const SeriesMapper* const mapper_;
  SeriesCache cache_;
  FamilyCatalog families_;
  std::unique_ptr<Counters> counters_;
  Mutex mutex_;
  std::vector<std::unique_ptr<Scratch>> idle_scratch_ GUARDED_BY(mutex_);
};

}  // namespace sonde::remote
