#include <algorithm>
#include <utility>

#include "base/quote.h"
#include "rules/template.h"
#include "rules/template_functions.h"
#include "rules/template_tree.h"

namespace sonde::rules {
namespace {

enum class Flow : unsigned char { kOn, kBreak, kContinue };

class Executor {
 public:
  Executor(const TemplateTree& tree, const TemplateScope& scope) : tree_(tree), scope_(scope) {
    auto root = std::make_shared<TemplateMap>();
    const TemplateValue labels = MapOf(scope.labels);
    const TemplateValue external = MapOf(scope.external_labels);
    const TemplateValue url{std::string(scope.external_url)};
    root->entries = {{"Labels", labels},
                     {"ExternalLabels", external},
                     {"ExternalURL", url},
                     {"Value", {scope.value}}};
    root_ = {std::shared_ptr<const TemplateMap>(std::move(root))};
    variables_ = {{"$", root_},
                  {"$labels", labels},
                  {"$externalLabels", external},
                  {"$externalURL", url},
                  {"$value", {scope.value}}};
  }

  Result<std::string> Run() {
    TRY(Walk(tree_.nodes, root_, 0));
    return std::move(out_);
  }

 private:
  static Error Fail(TemplatePlace place, Error error) {
    return {error.kind(), place.ToString() + ": " + error.message()};
  }
  static Error Fail(TemplatePlace place, std::string message) {
    return {ErrorKind::kInvalid, place.ToString() + ": " + std::move(message)};
  }

  Status Step(TemplatePlace place) {
    if (++steps_ > kMaxTemplateSteps) {
      return Fail(place,
                  Error(ErrorKind::kLimit, "the template takes more than " +
                                               std::to_string(kMaxTemplateSteps) + " steps"));
    }
    return OkStatus();
  }

  Status Write(TemplatePlace place, std::string_view text) {
    if (out_.size() + text.size() > kMaxExpansionBytes) {
      return Fail(place,
                  Error(ErrorKind::kLimit, "the text becomes longer than " +
                                               std::to_string(kMaxExpansionBytes) + " bytes"));
    }
    out_ += text;
    return OkStatus();
  }

  Result<Flow> Walk(const TemplateNodes& nodes, const TemplateValue& dot, int depth) {
    for (const TemplateNode& node : nodes) {
      TRY(Step(node.place));
      const Flow flow = TRY(One(node, dot, depth));
      if (flow != Flow::kOn) return flow;
    }
    return Flow::kOn;
  }

  Result<Flow> One(const TemplateNode& node, const TemplateValue& dot, int depth) {
    switch (node.kind) {
      case TemplateNode::Kind::kText:
        TRY(Write(node.place, node.text));
        return Flow::kOn;
      case TemplateNode::Kind::kAction: {
        const TemplateValue value = TRY(Evaluate(node.pipeline, dot));
        if (node.pipeline.variables.empty()) TRY(Write(node.place, ToText(value)));
        return Flow::kOn;
      }
      case TemplateNode::Kind::kIf:
      case TemplateNode::Kind::kWith:
        return Choose(node, dot, depth);
      case TemplateNode::Kind::kRange:
        return Range(node, dot, depth);
      case TemplateNode::Kind::kTemplate:
        TRY(Call(node, dot, depth));
        return Flow::kOn;
      case TemplateNode::Kind::kBreak:
        return Flow::kBreak;
      case TemplateNode::Kind::kContinue:
        return Flow::kContinue;
    }
    return Flow::kOn;
  }

  Result<Flow> Choose(const TemplateNode& node, const TemplateValue& dot, int depth) {
    const std::size_t variables = variables_.size();
    const TemplateValue value = TRY(Evaluate(node.pipeline, dot));
    const bool with = node.kind == TemplateNode::Kind::kWith;
    const Flow flow = IsTrue(value) ? TRY(Walk(node.body, with ? value : dot, depth))
                                    : TRY(Walk(node.otherwise, dot, depth));
    variables_.resize(variables);
    return flow;
  }

  /// One round of a range. False: break.
  Result<bool> Round(const TemplateNode& node, const TemplateValue& key, const TemplateValue& item,
                     int depth) {
    const std::size_t variables = variables_.size();
    const auto& names = node.pipeline.variables;
    const auto bind = [&](const std::string& name, const TemplateValue& value) {
      if (node.pipeline.assigns) {
        Assign(name, value);
      } else {
        variables_.emplace_back(name, value);
      }
    };
    if (names.size() == 1) bind(names[0], item);
    if (names.size() == 2) {
      bind(names[0], key);
      bind(names[1], item);
    }
    const Flow flow = TRY(Walk(node.body, item, depth));
    variables_.resize(variables);
    return flow != Flow::kBreak;
  }

  Result<Flow> Range(const TemplateNode& node, const TemplateValue& dot, int depth) {
    const std::size_t variables = variables_.size();
    const TemplateValue value = TRY(EvaluateCommands(node.pipeline, dot));
    bool any = false;
    if (const TemplateList* list = value.list()) {
      for (std::size_t i = 0; i < list->size(); ++i) {
        any = true;
        if (!TRY(Round(node, {static_cast<std::int64_t>(i)}, (*list)[i], depth))) break;
      }
    } else if (const TemplateMap* map = value.map()) {
      for (const auto& [key, item] : map->entries) {
        any = true;
        if (!TRY(Round(node, {key}, item, depth))) break;
      }
    } else if (const auto* count = value.If<std::int64_t>()) {
      for (std::int64_t i = 0; i < *count; ++i) {
        any = true;
        TRY(Step(node.place));
        if (!TRY(Round(node, {i}, {i}, depth))) break;
      }
    } else if (!value.is_nil()) {
      return Fail(node.pipeline.place, "range can't iterate over " + ToText(value));
    }
    variables_.resize(variables);
    if (any) return Flow::kOn;
    return Walk(node.otherwise, dot, depth);
  }

  Status Call(const TemplateNode& node, const TemplateValue& dot, int depth) {
    const auto found = tree_.defined.find(node.text);
    if (found == tree_.defined.end())
      return Fail(node.place, "template " + QuoteGo(node.text) + " not defined");
    if (depth >= kMaxTemplateDepth)
      return Fail(node.place, Error(ErrorKind::kLimit, "exceeded maximum template depth"));
    TemplateValue argument;
    if (!node.pipeline.commands.empty()) argument = TRY(Evaluate(node.pipeline, dot));
    std::vector<std::pair<std::string, TemplateValue>> outer =
        std::exchange(variables_, {{"$", argument}});
    TRY(Walk(found->second, argument, depth + 1));
    variables_ = std::move(outer);
    return OkStatus();
  }

  void Assign(const std::string& name, const TemplateValue& value) {
    for (auto it = variables_.rbegin(); it != variables_.rend(); ++it) {
      if (it->first != name) continue;
      it->second = value;
      return;
    }
  }

  Result<TemplateValue> Evaluate(const TemplatePipeline& pipeline, const TemplateValue& dot) {
    TemplateValue value = TRY(EvaluateCommands(pipeline, dot));
    for (const std::string& name : pipeline.variables) {
      if (pipeline.assigns) {
        Assign(name, value);
      } else {
        variables_.emplace_back(name, value);
      }
    }
    return value;
  }

  Result<TemplateValue> EvaluateCommands(const TemplatePipeline& pipeline,
                                         const TemplateValue& dot) {
    TemplateValue value;
    for (std::size_t i = 0; i < pipeline.commands.size(); ++i) {
      TRY(Step(pipeline.place));
      value = TRY(Run(pipeline.commands[i], dot, i == 0 ? nullptr : &value));
    }
    return value;
  }

  Result<TemplateValue> Run(const TemplateCommand& command, const TemplateValue& dot,
                            const TemplateValue* piped) {
    const TemplateTerm& first = command.front();
    if (first.kind == TemplateTerm::Kind::kFunction) return Apply(command, dot, piped);
    return Value(first, dot);
  }

  Result<TemplateValue> Apply(const TemplateCommand& command, const TemplateValue& dot,
                              const TemplateValue* piped) {
    const TemplateTerm& term = command.front();
    const TemplateFunction* function = FindTemplateFunction(term.name);
    const auto count = static_cast<int>(command.size() - 1 + (piped == nullptr ? 0 : 1));
    if (count < function->min_arguments ||
        (function->max_arguments >= 0 && count > function->max_arguments)) {
      return Fail(term.place,
                  "wrong number of args for " + term.name + ": got " + std::to_string(count));
    }
    const bool lazy = term.name == "and" || term.name == "or";
    std::vector<TemplateValue> arguments;
    for (std::size_t i = 1; i < command.size(); ++i) {
      arguments.push_back(TRY(Value(command[i], dot)));
      if (lazy && IsTrue(arguments.back()) == (term.name == "or"))
        return std::move(arguments.back());
    }
    if (piped != nullptr) arguments.push_back(*piped);
    if (lazy) return std::move(arguments.back());
    auto value = function->call({arguments, scope_, queries_});
    if (!value) {
      return Fail(term.place, std::move(value).error().Wrap("error calling " + term.name));
    }
    if (const auto* text = value->If<std::string>();
        text != nullptr && text->size() > kMaxExpansionBytes) {
      return Fail(term.place, Error(ErrorKind::kLimit, "a text becomes too long"));
    }
    return value;
  }

  Result<TemplateValue> Value(const TemplateTerm& term, const TemplateValue& dot) {
    TRY(Step(term.place));
    TemplateValue value;
    switch (term.kind) {
      case TemplateTerm::Kind::kDot:
        value = dot;
        break;
      case TemplateTerm::Kind::kConstant:
        return term.constant;
      case TemplateTerm::Kind::kVariable:
        for (const auto& [name, bound] : variables_) {
          if (name == term.name) value = bound;  // The innermost is the last one.
        }
        break;
      case TemplateTerm::Kind::kFunction:
        return Apply(ArgumentsNone(term), dot, nullptr);
      case TemplateTerm::Kind::kPipeline: {
        const std::size_t variables = variables_.size();
        value = TRY(Evaluate(*term.pipeline, dot));
        variables_.resize(variables);
        break;
      }
    }
    for (const std::string& field : term.fields)
      value = TRY(Field(term.place, value, field));
    return value;
  }

  /// A function as an argument is called without arguments: `printf "%v" now`.
  static TemplateCommand ArgumentsNone(const TemplateTerm& term) {
    TemplateCommand command(1);
    command.front().kind = TemplateTerm::Kind::kFunction;
    command.front().place = term.place;
    command.front().name = term.name;
    return command;
  }

  static Result<TemplateValue> Field(TemplatePlace place, const TemplateValue& value,
                                     const std::string& field) {
    if (const TemplateMap* map = value.map()) {
      const auto found = map->entries.find(field);
      if (found != map->entries.end()) return found->second;
      if (map->texts) return TemplateValue{std::string()};
      return TemplateValue{};
    }
    if (const TemplateSample* sample = value.sample()) {
      if (field == "Labels") return TemplateValue{sample->labels};
      if (field == "Value") return TemplateValue{sample->value};
    }
    if (value.is_nil()) return Fail(place, "nil pointer evaluating ." + field);
    return Fail(place,
                "can't evaluate field " + field + " in type " + std::string(TypeName(value)));
  }

  const TemplateTree& tree_;
  const TemplateScope& scope_;
  TemplateValue root_;
  std::vector<std::pair<std::string, TemplateValue>> variables_;
  std::string out_;
  int steps_ = 0;
  int queries_ = 0;
};

}  // namespace

Result<Template> Template::Parse(std::string_view text) {
  return Template(std::make_shared<const TemplateTree>(TRY(ParseTemplateTree(text))));
}

bool Template::plain() const {
  return std::ranges::all_of(tree_->nodes, [](const TemplateNode& node) {
    return node.kind == TemplateNode::Kind::kText;
  });
}

Result<std::string> Template::Expand(const TemplateScope& scope) const {
  if (plain() && tree_->nodes.size() <= 1)
    return tree_->nodes.empty() ? std::string() : tree_->nodes.front().text;
  return Executor(*tree_, scope).Run();
}

std::string ExpandOrExplain(const Template& text, const TemplateScope& scope) {
  auto expanded = text.Expand(scope);
  if (expanded) return *std::move(expanded);
  return "<error expanding template: " + expanded.error().message() + ">";
}

}  // namespace sonde::rules
