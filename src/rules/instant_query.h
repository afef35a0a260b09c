#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "promql/engine.h"
#include "promql/parser.h"
#include "storage/storage.h"

namespace sonde::rules {

/// Asks the store as rules do: a vector or a scalar at one time. All references must outlive it.
/// Thread-safe.
class InstantQuery {
 public:
  InstantQuery(const storage::Queryable& store, const promql::Evaluator& evaluator,
               promql::EvalOptions eval, promql::ParserOptions parser,
               const promql::CancelFlag* cancel = nullptr)
      : store_(store),
        evaluator_(evaluator),
        eval_(std::move(eval)),
        parser_(parser),
        cancel_(cancel) {}

  /// `text` is what `expr` was parsed from. A scalar becomes a series without labels. Errors: the
  /// evaluation's, or kInvalid for a result that is neither vector nor scalar.
  Result<std::vector<promql::ResultSeries>> Ask(const promql::Expr& expr, std::string_view text,
                                                Timestamp at) const;
  /// Parses, then asks.
  Result<std::vector<promql::ResultSeries>> Ask(std::string_view text, Timestamp at) const;

  const storage::Queryable& store() const { return store_; }
  const promql::ParserOptions& parser() const { return parser_; }

 private:
  const storage::Queryable& store_;
  const promql::Evaluator& evaluator_;
  const promql::EvalOptions eval_;
  const promql::ParserOptions parser_;
  const promql::CancelFlag* const cancel_;  // Null: queries are never cancelled.
};

}  // namespace sonde::rules
