#include "insight/question.h"

#include <utility>
#include <variant>

#include "base/check.h"
#include "promql/parser.h"

namespace sonde::insight {
namespace {

constexpr std::string_view kDefaultPrefix = "deepseek_";

std::string WithPrefix(std::string_view text, std::string_view prefix) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t found = text.find(kDefaultPrefix, at);
    out += text.substr(at, found == std::string_view::npos ? found : found - at);
    if (found == std::string_view::npos) break;
    out += prefix;
    at = found + kDefaultPrefix.size();
  }
  return out;
}

}  // namespace

Question::Question(std::string_view text, std::string_view prefix)
    : text_(WithPrefix(text, prefix)) {
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
