#pragma once

#include <span>
#include <string>
#include <string_view>

#include "model/labels.h"
#include "promql/ast.h"

// What PromQL does to label sets, shared by both evaluators.

namespace sonde::promql {

inline constexpr std::string_view kTypeLabel = "__type__";
inline constexpr std::string_view kUnitLabel = "__unit__";
inline constexpr std::string_view kBucketLabel = "le";

/// Without `__name__`, `__type__` and `__unit__`: those describe the metric, and an operation that
/// changes what the values mean drops them.
Labels WithoutMetadata(LabelsView labels);

/// What two elements are matched by: with `on` only the named labels, else all but the named ones
/// and `__name__`.
Labels MatchingLabels(LabelsView labels, bool on, std::span<const std::string> names);

/// The labels of an aggregation's group.
Labels GroupingLabels(LabelsView labels, bool without, std::span<const std::string> names);

/// `{__name__="up", job="x"}`: the form of error messages, with the name as an ordinary label.
std::string FormatLabelSet(LabelsView labels);

/// The labels that `absent(expr)` gives its element: the equality matchers of a plain selector
/// (range or instant), except the name and labels that several matchers name. Other expressions:
/// none.
Labels LabelsForAbsent(const Expr& expr);

/// True if `a` comes before `b` in natural order: runs of digits compare as numbers, the text
/// between them as bytes.
bool NaturalLess(std::string_view a, std::string_view b);

}  // namespace sonde::promql
