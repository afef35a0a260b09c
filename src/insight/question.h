#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "promql/engine.h"
#include "storage/storage.h"

namespace sonde::insight {

/// A PromQL expression that a job of insight/ asks again and again. Parsed once; `deepseek_` at the
/// beginning of metric names stands for the configured prefix. Immutable; thread-safe.
class Question {
 public:
  /// CHECKs that the text parses: it is ours.
  Question(std::string_view text, std::string_view prefix);

  /// The instant vector at `now`; samples older than `lookback` are not seen.
  Result<std::vector<promql::ResultSeries>> Ask(const promql::Evaluator& evaluator,
                                                const storage::Queryable& store, Timestamp now,
                                                Duration lookback = Duration(300'000)) const;

  const std::string& text() const { return text_; }

 private:
  std::string text_;
  promql::ExprPtr expr_;
};

}  // namespace sonde::insight
