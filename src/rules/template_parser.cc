#include <algorithm>
#include <optional>
#include <utility>

#include "base/number.h"
#include "base/quote.h"
#include "rules/template.h"
#include "rules/template_functions.h"
#include "rules/template_tree.h"

namespace sonde::rules {
namespace {

bool IsWordStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}
bool IsWord(char c) {
  return IsWordStart(c) || IsDigit(c);
}
bool IsSpace(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<TemplateTree> Run() {
    scopes_ = {"$", "$labels", "$externalLabels", "$externalURL", "$value"};
    tree_.nodes = TRY(List(0));
    if (!stop_.empty()) return Fail("unexpected {{" + stop_ + "}}");
    return std::move(tree_);
  }

 private:
  TemplatePlace PlaceAt(std::size_t at) const {
    TemplatePlace place;
    const std::string_view before = text_.substr(0, at);
    place.line += static_cast<int>(std::ranges::count(before, '\n'));
    const std::size_t newline = before.rfind('\n');
    place.column += static_cast<int>(newline == std::string_view::npos ? at : at - newline - 1);
    return place;
  }
  Error FailAt(std::size_t at, const std::string& message) const {
    return {ErrorKind::kInvalid, PlaceAt(at).ToString() + ": " + message};
  }
  Error Fail(const std::string& message) const { return FailAt(action_, message); }

  void SkipSpace() {
    while (at_ < text_.size() && IsSpace(text_[at_]))
      ++at_;
  }
  bool AtEnd() {
    SkipSpace();
    std::string_view rest = text_.substr(at_);
    return rest.starts_with("}}") ||
           (rest.starts_with("-}}") && at_ > 0 && IsSpace(text_[at_ - 1]));
  }
  bool Take(std::string_view token) {
    SkipSpace();
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }
  std::string_view PeekWord() {
    SkipSpace();
    std::size_t end = at_;
    if (end >= text_.size() || !IsWordStart(text_[end])) return {};
    while (end < text_.size() && IsWord(text_[end]))
      ++end;
    return text_.substr(at_, end - at_);
  }
  bool TakeWord(std::string_view word) {
    if (PeekWord() != word) return false;
    at_ += word.size();
    return true;
  }

  /// `}}` or ` -}}`.
  Status Close() {
    SkipSpace();
    if (text_.substr(at_).starts_with("-}}")) {
      at_ += 3;
      SkipSpace();
      return OkStatus();
    }
    if (!text_.substr(at_).starts_with("}}")) {
      if (at_ >= text_.size()) return Fail("unclosed action");
      return FailAt(at_, "unexpected " + QuoteGo(text_.substr(at_, 1)) + " in action");
    }
    at_ += 2;
    return OkStatus();
  }

  void AddText(TemplateNodes& nodes, std::size_t begin, std::size_t end, bool trim) {
    while (trim && end > begin && IsSpace(text_[end - 1]))
      --end;
    if (end == begin) return;
    TemplateNode node;
    node.place = PlaceAt(begin);
    node.text = text_.substr(begin, end - begin);
    nodes.push_back(std::move(node));
  }

  /// Up to what ends a list (`else`, `end`), which is left in stop_, or the end of the text.
  Result<TemplateNodes> List(int depth) {
    if (depth > kMaxTemplateDepth) return Fail("actions nest too deep");
    TemplateNodes nodes;
    stop_.clear();
    while (true) {
      const std::size_t begin = at_;
      const std::size_t open = text_.find("{{", at_);
      if (open == std::string_view::npos) {
        AddText(nodes, begin, text_.size(), false);
        at_ = text_.size();
        return nodes;
      }
      action_ = open;
      at_ = open + 2;
      const bool trim = at_ + 1 < text_.size() && text_[at_] == '-' && IsSpace(text_[at_ + 1]);
      AddText(nodes, begin, open, trim);
      if (trim) at_ += 2;
      if (text_.substr(at_).starts_with("/*")) {
        TRY(Comment());
        continue;
      }
      const std::string_view word = PeekWord();
      if (word == "else" || word == "end") {
        stop_ = word;
        at_ += word.size();
        if (word == "end") TRY(Close());
        return nodes;
      }
      TRY(Action(word, nodes, depth));
    }
  }

  Status Comment() {
    const std::size_t end = text_.find("*/", at_ + 2);
    if (end == std::string_view::npos) return Fail("unclosed comment");
    at_ = end + 2;
    const std::string_view rest = text_.substr(at_);
    if (!rest.starts_with("}}") && !rest.starts_with(" -}}"))
      return Fail("comment ends before closing delimiter");
    return Close();
  }

  Status Action(std::string_view word, TemplateNodes& nodes, int depth) {
    TemplateNode node;
    node.place = PlaceAt(action_);
    const bool block = word == "if" || word == "range" || word == "with";
    if (block) {
      at_ += word.size();
      node.kind = word == "if"      ? TemplateNode::Kind::kIf
                  : word == "range" ? TemplateNode::Kind::kRange
                                    : TemplateNode::Kind::kWith;
      TRY(Block(std::string(word), node, depth));
    } else if (word == "define" || word == "block") {
      at_ += word.size();
      TRY(Define(word == "block", node, depth));
      if (word == "define") return OkStatus();
    } else if (word == "template") {
      at_ += word.size();
      node.kind = TemplateNode::Kind::kTemplate;
      node.text = TRY(Name());
      if (!AtEnd()) node.pipeline = TRY(Pipeline(depth, false));
      TRY(Close());
    } else if (word == "break" || word == "continue") {
      at_ += word.size();
      if (ranges_ == 0) return Fail("{{" + std::string(word) + "}} outside {{range}}");
      node.kind = word == "break" ? TemplateNode::Kind::kBreak : TemplateNode::Kind::kContinue;
      TRY(Close());
    } else {
      node.kind = TemplateNode::Kind::kAction;
      node.pipeline = TRY(Pipeline(depth, false));
      TRY(Close());
    }
    nodes.push_back(std::move(node));
    return OkStatus();
  }

  /// After the word, up to its `end`.
  Status Block(const std::string& word, TemplateNode& node, int depth) {
    if (depth > kMaxTemplateDepth) return Fail("actions nest too deep");
    const std::size_t opened = action_;
    const std::size_t scope = scopes_.size();
    const bool range = word == "range";
    node.pipeline = TRY(Pipeline(depth, range));
    TRY(Close());
    ranges_ += range ? 1 : 0;
    node.body = TRY(List(depth + 1));
    ranges_ -= range ? 1 : 0;
    if (stop_ == "else") {
      const std::string_view next = PeekWord();
      if ((word == "if" && next == "if") || (word == "with" && next == "with")) {
        at_ += next.size();
        TemplateNode nested;
        nested.place = PlaceAt(action_);
        nested.kind = node.kind;
        TRY(Block(word, nested, depth + 1));  // Takes the `end`, which is ours as well.
        node.otherwise.push_back(std::move(nested));
        scopes_.resize(scope);
        return OkStatus();
      }
      TRY(Close());
      scopes_.resize(std::min(scopes_.size(), scope + node.pipeline.variables.size()));
      node.otherwise = TRY(List(depth + 1));
    }
    if (stop_ == "else") return Fail("expected end; found {{else}}");
    if (stop_ != "end") return FailAt(opened, "unclosed {{" + word + "}}: there is no {{end}}");
    stop_.clear();
    scopes_.resize(scope);
    return OkStatus();
  }

  Status Define(bool is_block, TemplateNode& node, int depth) {
    if (!is_block && depth > 0) return Fail("{{define}} inside of another action");
    const std::size_t opened = action_;
    const std::string name = TRY(Name());
    if (is_block) {
      node.kind = TemplateNode::Kind::kTemplate;
      node.text = name;
      node.pipeline = TRY(Pipeline(depth, false));
    }
    TRY(Close());
    std::vector<std::string> outer = std::exchange(scopes_, {"$"});
    const int ranges = std::exchange(ranges_, 0);
    TemplateNodes body = TRY(List(depth + 1));
    if (stop_ != "end") return FailAt(opened, "unclosed {{define}}: there is no {{end}}");
    stop_.clear();
    scopes_ = std::move(outer);
    ranges_ = ranges;
    tree_.defined[name] = std::move(body);
    return OkStatus();
  }

  Result<std::string> Name() {
    SkipSpace();
    if (at_ >= text_.size() || (text_[at_] != '"' && text_[at_] != '`'))
      return Fail("a quoted name of a template is expected");
    return Quoted();
  }

  Result<std::string> Quoted() {
    const std::size_t begin = at_;
    const char quote = text_[at_++];
    while (at_ < text_.size() && text_[at_] != quote) {
      if (quote != '`' && text_[at_] == '\n') return FailAt(begin, "unterminated quoted string");
      at_ += quote != '`' && text_[at_] == '\\' ? 2 : 1;
    }
    if (at_ >= text_.size()) return FailAt(begin, "unterminated quoted string");
    const std::string_view body = text_.substr(begin + 1, at_ - begin - 1);
    ++at_;
    if (quote == '`') return std::string(body);
    auto text = UnescapeGo(body, quote);
    if (!text) return FailAt(begin, "bad escape in the string");
    return *std::move(text);
  }

  /// `$x :=`, `$x =`, `$k, $v :=` (range), or nothing.
  Status Declaration(TemplatePipeline& pipeline, bool range) {
    SkipSpace();
    const std::size_t begin = at_;
    while (at_ < text_.size() && text_[at_] == '$') {
      std::size_t end = at_ + 1;
      while (end < text_.size() && IsWord(text_[end]))
        ++end;
      pipeline.variables.emplace_back(text_.substr(at_, end - at_));
      at_ = end;
      if (!range || !Take(",")) break;
      SkipSpace();
    }
    const bool declares = !pipeline.variables.empty() && Take(":=");
    pipeline.assigns = !pipeline.variables.empty() && !declares && Take("=");
    if (!declares && !pipeline.assigns) {
      pipeline.variables.clear();
      at_ = begin;
      return OkStatus();
    }
    if (pipeline.variables.size() > 2) return Fail("too many declarations in range");
    for (const std::string& name : pipeline.variables) {
      if (pipeline.assigns && std::ranges::find(scopes_, name) == scopes_.end())
        return Fail("undefined variable " + QuoteGo(name));
    }
    return OkStatus();
  }

  Result<TemplatePipeline> Pipeline(int depth, bool range) {
    if (depth > kMaxTemplateDepth) return Fail("parentheses nest too deep");
    TemplatePipeline pipeline;
    SkipSpace();
    pipeline.place = PlaceAt(at_);
    TRY(Declaration(pipeline, range));
    while (true) {
      TemplateCommand command = TRY(Command(depth));
      if (command.empty()) {
        return FailAt(at_, pipeline.commands.empty() && !AtEnd() && at_ < text_.size()
                               ? "unexpected " + QuoteGo(text_.substr(at_, 1)) + " in action"
                           : at_ >= text_.size() ? "unclosed action"
                                                 : "missing value");
      }
      const bool function = command.front().kind == TemplateTerm::Kind::kFunction;
      if (!pipeline.commands.empty() && !function)
        return Fail("non executable command in pipeline stage " +
                    std::to_string(pipeline.commands.size() + 1));
      if (!function && command.size() > 1)
        return FailAt(at_, "can't give an argument to what is no function");
      pipeline.commands.push_back(std::move(command));
      if (!Take("|")) break;
    }
    if (!pipeline.assigns)
      scopes_.insert(scopes_.end(), pipeline.variables.begin(), pipeline.variables.end());
    return pipeline;
  }

  Result<TemplateCommand> Command(int depth) {
    TemplateCommand command;
    while (!AtEnd() && at_ < text_.size() && text_[at_] != '|' && text_[at_] != ')') {
      if (command.size() > 100) return Fail("too many arguments");
      command.push_back(TRY(Term(depth)));
      if (!AtEnd() && at_ < text_.size() && !IsSpace(text_[at_ - 1]) && text_[at_] != '|' &&
          text_[at_] != ')') {
        return FailAt(at_, "unexpected " + QuoteGo(text_.substr(at_, 1)) + " in operand");
      }
    }
    return command;
  }

  Result<TemplateTerm> Term(int depth) {
    TemplateTerm term;
    term.place = PlaceAt(at_);
    const char c = text_[at_];
    if (c == '(') {
      ++at_;
      term.kind = TemplateTerm::Kind::kPipeline;
      const std::size_t scope = scopes_.size();
      term.pipeline = std::make_unique<TemplatePipeline>(TRY(Pipeline(depth + 1, false)));
      scopes_.resize(scope);
      if (!Take(")")) return FailAt(at_, "unclosed left paren");
    } else if (c == '"' || c == '`') {
      term.kind = TemplateTerm::Kind::kConstant;
      term.constant = {TRY(Quoted())};
    } else if (c == '\'') {
      TRY(Character(term));
    } else if (c == '$') {
      std::size_t end = at_ + 1;
      while (end < text_.size() && IsWord(text_[end]))
        ++end;
      term.kind = TemplateTerm::Kind::kVariable;
      term.name = text_.substr(at_, end - at_);
      if (std::ranges::find(scopes_, term.name) == scopes_.end())
        return FailAt(at_, "undefined variable " + QuoteGo(term.name));
      at_ = end;
    } else if (c == '.' && (at_ + 1 >= text_.size() || !IsDigit(text_[at_ + 1]))) {
      TRY(Dot(term));
    } else if (IsDigit(c) || c == '-' || c == '+' || c == '.') {
      TRY(Number(term));
    } else if (IsWordStart(c)) {
      TRY(Word(term));
    } else {
      return FailAt(at_, "unexpected " + QuoteGo(text_.substr(at_, 1)) + " in action");
    }
    TRY(Fields(term));
    return term;
  }

  Status Dot(TemplateTerm& term) {
    term.kind = TemplateTerm::Kind::kDot;
    if (at_ + 1 < text_.size() && IsWordStart(text_[at_ + 1])) return OkStatus();
    ++at_;
    return OkStatus();
  }

  Status Fields(TemplateTerm& term) {
    while (at_ + 1 < text_.size() && text_[at_] == '.' && IsWordStart(text_[at_ + 1])) {
      std::size_t end = at_ + 1;
      while (end < text_.size() && IsWord(text_[end]))
        ++end;
      if (term.kind == TemplateTerm::Kind::kConstant || term.kind == TemplateTerm::Kind::kFunction)
        return FailAt(at_, "unexpected . after a term that has no fields");
      term.fields.emplace_back(text_.substr(at_ + 1, end - at_ - 1));
      at_ = end;
    }
    return OkStatus();
  }

  Status Character(TemplateTerm& term) {
    const std::size_t begin = at_;
    const std::string text = TRY(Quoted());
    if (text.size() != 1) return FailAt(begin, "malformed character constant");
    term.kind = TemplateTerm::Kind::kConstant;
    term.constant = {static_cast<std::int64_t>(static_cast<unsigned char>(text[0]))};
    return OkStatus();
  }

  Status Number(TemplateTerm& term) {
    std::size_t end = at_ + 1;
    while (end < text_.size() && (IsWord(text_[end]) || text_[end] == '.' ||
                                  ((text_[end] == '-' || text_[end] == '+') &&
                                   (text_[end - 1] == 'e' || text_[end - 1] == 'E')))) {
      ++end;
    }
    const std::string_view word = text_.substr(at_, end - at_);
    term.kind = TemplateTerm::Kind::kConstant;
    if (const auto integer = ParseInt(word)) {
      term.constant = {*integer};
    } else if (const auto number = ParseFloat(word);
               number && IsDigit(word.back() == '.' ? '0' : word.back())) {
      // A hexadecimal number without a fraction is an integer; so is no other.
      const bool hex = word.find_first_of("xX") != std::string_view::npos;
      if (hex && word.find_first_of(".pP") == std::string_view::npos) {
        term.constant = {static_cast<std::int64_t>(*number)};
      } else {
        term.constant = {*number};
      }
    } else {
      return FailAt(at_, "bad number syntax: " + QuoteGo(word));
    }
    at_ = end;
    return OkStatus();
  }

  Status Word(TemplateTerm& term) {
    const std::string_view word = PeekWord();
    if (word == "true" || word == "false") {
      term.kind = TemplateTerm::Kind::kConstant;
      term.constant = {word == "true"};
    } else if (word == "nil") {
      term.kind = TemplateTerm::Kind::kConstant;
    } else if (FindTemplateFunction(word) != nullptr) {
      term.kind = TemplateTerm::Kind::kFunction;
      term.name = word;
    } else {
      return FailAt(at_, "function " + QuoteGo(word) + " not defined");
    }
    at_ += word.size();
    return OkStatus();
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t action_ = 0;  // Where the action under way begins.
  std::string stop_;        // What ended the last list: "else", "end", or "" for the text's end.
  int ranges_ = 0;          // Open ones.
  std::vector<std::string> scopes_;
  TemplateTree tree_;
};

}  // namespace

Result<TemplateTree> ParseTemplateTree(std::string_view text) {
  if (text.size() > kMaxTemplateBytes) {
    return Error(ErrorKind::kInvalid, "1:1: the template is longer than " +
                                          std::to_string(kMaxTemplateBytes) + " bytes");
  }
  return Parser(text).Run();
}

}  // namespace sonde::rules
