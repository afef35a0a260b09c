#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "promql/engine.h"
#include "promql/promqltest/memory_store.h"

// Makes queries, data and options out of bytes, so that two evaluators can be compared on what
// nobody thought of. The bytes come from a seed (tests) or from a fuzzer; the same bytes always
// give the same case.

namespace sonde::promql {

/// Decisions taken from bytes. When they are used up every decision is 0, which is always the
/// simplest choice.
class Choices {
 public:
  explicit Choices(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  /// Less than `bound`, which is at least 1.
  std::uint32_t Below(std::uint32_t bound);
  bool OneIn(std::uint32_t n) { return Below(n) == n - 1; }
  bool used_up() const { return at_ >= bytes_.size(); }

 private:
  std::span<const std::uint8_t> bytes_;
  std::size_t at_ = 0;
};

/// A generated query. All are well-typed.
struct GeneratedQuery {
  std::string text;
  /// Additions happen in an order that no specification fixes: results are equal up to rounding
  /// only.
  bool order_free = false;
};
GeneratedQuery GenerateQuery(Choices& choices);

/// Fills a store with the metrics that generated queries ask for: counters with resets, gauges,
/// histogram buckets, info series; with gaps, stale markers, series that come and go. `calm`:
/// without NaN, infinities and extreme values.
void GenerateData(Choices& choices, bool calm, MemoryStore& store);

/// When to evaluate, and how.
struct GeneratedSetting {
  QueryRange range;
  EvalOptions options;
};
GeneratedSetting GenerateSetting(Choices& choices);

/// Evaluates one generated case with both evaluators. Returns what differs, or "".
std::string CompareEvaluators(std::span<const std::uint8_t> bytes, const Evaluator& oracle,
                              const Evaluator& subject);

}  // namespace sonde::promql
