#pragma once

#include <span>
#include <string_view>

#include "base/result.h"
#include "rules/template.h"
#include "rules/template_value.h"

namespace sonde::rules {

/// A call from a template.
struct TemplateCall {
  std::span<const TemplateValue> arguments;
  const TemplateScope& scope;
  int& queries;  ///< That were asked so far.
};

/// A function of templates; `max_arguments` -1: any number.
struct TemplateFunction {
  std::string_view name;
  int min_arguments;
  int max_arguments;
  Result<TemplateValue> (*call)(const TemplateCall& call);
};

/// Null if there is none. `and` and `or` are here for their names; they are evaluated lazily.
const TemplateFunction* FindTemplateFunction(std::string_view name);

}  // namespace sonde::rules
