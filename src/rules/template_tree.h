#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "rules/template_value.h"

// A template as a tree: what template_parser.cc makes and template_execute.cc walks.

namespace sonde::rules {

/// From 1; columns count bytes.
struct TemplatePlace {
  int line = 1;
  int column = 1;
  std::string ToString() const { return std::to_string(line) + ":" + std::to_string(column); }
};

struct TemplatePipeline;

/// An operand of a command, with the fields that follow it: `$labels.job`, `(query "up").Value`.
struct TemplateTerm {
  enum class Kind : unsigned char { kDot, kConstant, kVariable, kFunction, kPipeline };
  Kind kind = Kind::kDot;
  TemplatePlace place;
  std::string name;        ///< Of the variable, with its `$`, or of the function.
  TemplateValue constant;  ///< nil, bool, int, float, string.
  std::vector<std::string> fields;
  std::unique_ptr<TemplatePipeline> pipeline;
};

/// `printf "%d" 1`: operands; a function first if there is more than one.
using TemplateCommand = std::vector<TemplateTerm>;

/// `$x := a | b`.
struct TemplatePipeline {
  TemplatePlace place;
  std::vector<std::string> variables;
  bool assigns = false;  ///< `=`, not `:=`.
  std::vector<TemplateCommand> commands;
};

struct TemplateNode {
  enum class Kind : unsigned char {
    kText,
    kAction,
    kIf,
    kRange,
    kWith,
    kTemplate,
    kBreak,
    kContinue
  };
  Kind kind = Kind::kText;
  TemplatePlace place;
  std::string text;           ///< kText; of kTemplate the name.
  TemplatePipeline pipeline;  ///< Of kTemplate it may have no commands.
  std::vector<TemplateNode> body;
  std::vector<TemplateNode> otherwise;
};

using TemplateNodes = std::vector<TemplateNode>;

struct TemplateTree {
  TemplateNodes nodes;
  std::map<std::string, TemplateNodes, std::less<>> defined;
};

Result<TemplateTree> ParseTemplateTree(std::string_view text);

}  // namespace sonde::rules
