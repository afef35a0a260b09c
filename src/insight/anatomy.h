#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "insight/question.h"
#include "promql/engine.h"
#include "storage/storage.h"

// Where the time of a request goes: what lies outside the engine (network, proxy, tokenizer),
// queue, prefill, transfer of the KV cache, decode; per model and per instance, from whatever the
// engine exports. What cannot be told is said (docs/anatomy.md).

namespace sonde::insight {

/// A part of a request's time, as its histogram over the window tells it. Seconds.
struct Phase {
  std::string name;  ///< "client_overhead", "queue", "prefill", "kv_transfer", "decode", "other".
  double mean = 0;   ///< Exact: sum ÷ count.
  double share = 0;  ///< Of the end-to-end mean; 0 if that is not known.
  double p50 = 0, p95 = 0, p99 = 0;  ///< Interpolated in buckets; NaN where there is no
                                     ///< histogram, and in its first and its last bucket.
  double count = 0;                  ///< Observations in the window.
  bool estimated = false;            ///< Put together from other figures: see `source`.
  std::string source;                ///< The metrics that it comes from.
};

/// One model (instance empty) or one instance of it.
struct Anatomy {
  std::string model;
  std::string instance;
  std::string engine;
  double requests = 0;               ///< That ended within the window.
  double end_to_end = 0;             ///< Mean, seconds; NaN if unknown.
  double first_token = 0;            ///< Mean, at the engine; NaN if unknown.
  std::vector<Phase> phases;         ///< In the order of time.
  std::vector<std::string> unknown;  ///< What cannot be told, and why; sentences.
};

struct AnatomyOptions {
  std::string prefix = "deepseek_";
  Duration window{300'000};
  std::string model;  ///< Empty: all.
};

/// Errors: what the store or a limit said. Sorted by model and instance; a model with more than one
/// instance has an entry for them all first.
Result<std::vector<Anatomy>> DissectLatency(const AnatomyOptions& options,
                                            const promql::Evaluator& evaluator,
                                            const storage::Queryable& store, Timestamp now);

}  // namespace sonde::insight
