#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/labels.h"
#include "promql/engine.h"

// The texts of labels and annotations: Go's text/template language with the reference's functions,
// as docs/rules.md lists them. Source of the language: pkg.go.dev/text/template; of the functions:
// Prometheus docs, "Template reference".

namespace sonde::rules {

/// What a template sees while it is expanded. Borrowed for the length of the call.
struct TemplateScope {
  LabelsView labels;           ///< `$labels`, `.Labels`
  double value = 0;            ///< `$value`, `.Value`
  LabelsView external_labels;  ///< `$externalLabels`, `.ExternalLabels`
  std::string_view external_url;
  Timestamp now;  ///< `now`: the time of the evaluation.
  /// `query`; null: there is none.
  std::function<Result<std::vector<promql::ResultSeries>>(std::string_view query)> query;
};

/// Bounds of one expansion.
inline constexpr std::size_t kMaxTemplateBytes = 64U << 10;  ///< Of the template's text.
inline constexpr std::size_t kMaxExpansionBytes = 256U << 10;
inline constexpr int kMaxTemplateSteps = 100'000;
inline constexpr int kMaxTemplateQueries = 100;
inline constexpr int kMaxTemplateDepth = 64;

struct TemplateTree;

/// A parsed text. Immutable, thread-safe; copies share the tree.
class Template {
 public:
  /// Errors are kInvalid and name the place: `1:14: unclosed action`.
  static Result<Template> Parse(std::string_view text);

  /// Errors: kInvalid with the place, kLimit for a bound that was met, or a query's.
  Result<std::string> Expand(const TemplateScope& scope) const;

  /// True if the text has no action: it expands to itself.
  bool plain() const;

 private:
  explicit Template(std::shared_ptr<const TemplateTree> tree) : tree_(std::move(tree)) {}
  std::shared_ptr<const TemplateTree> tree_;
};

/// What a rule's text becomes: the expansion, or `<error expanding template: …>`.
std::string ExpandOrExplain(const Template& text, const TemplateScope& scope);

/// `/graph?g0.expr=…&g0.tab=1`, as alerts point to their expression.
std::string TableLink(std::string_view expression);
std::string GraphLink(std::string_view expression);

}  // namespace sonde::rules
