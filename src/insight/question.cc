#include "insight/question.h"

#include <utility>
#include <variant>

#include "base/check.h"
#include "model/vocabulary_prefix.h"
#include "promql/parser.h"

namespace sonde::insight {
Question::Question(std::string_view text, std::string_view prefix)
    : text_(WithVocabularyPrefix(text, prefix)) {
  auto parsed = promql::ParseExpr(text_);
  CHECK(parsed.ok());
  expr_ = *std::move(parsed);
}

Result<std::vector<promql::ResultSeries>> Question::Ask(const promql::Evaluator& evaluator,
                                                        const storage::Queryable& store,
                                                        Timestamp now, Duration lookback) const {
  promql::EvalOptions options;
  options.lookback = lookback;
  options.max_samples = 5'000'000;
  options.timeout = Duration(30'000);
  options.query = text_;
  auto result = TRY(evaluator.Evaluate(*expr_, {now, now, Duration(0)}, store, options, nullptr));
  auto* vector = std::get_if<promql::VectorResult>(&result.value);
  CHECK(vector != nullptr);
  return std::move(vector->series);
}

}  // namespace sonde::insight
