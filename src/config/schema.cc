#include "config/schema.h"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/duration.h"
#include "base/quote.h"
#include "base/regex.h"
#include "config/scalar.h"

namespace sonde::config {
namespace {

/// Edits (insert, delete, replace, swap) that turn `a` into `b`, up to a few.
std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j)
    last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] =
          std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
    }
    std::swap(before_last, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

void ForEachField(const Block& block, const std::function<void(const Field&)>& visit) {
  for (const Field& field : block.fields) {
    if (field.type == FieldType::kInline) {
      ForEachField(*field.block, visit);
    } else {
      visit(field);
    }
  }
}

std::string Suggestion(const Block& block, std::string_view key) {
  std::string best;
  std::size_t best_distance = std::min<std::size_t>(3, 1 + key.size() / 4);
  if (key.size() > 64) return {};
  ForEachField(block, [&](const Field& field) {
    const std::size_t distance = EditDistance(key, field.name);
    if (distance >= best_distance) return;
    best_distance = distance;
    best = field.name;
  });
  return best.empty() ? std::string() : fmt::format("; did you mean {}?", best);
}

/// Go's name for what a field takes, and ours.
struct TypeNames {
  const char* go;
  const char* ours;
};

TypeNames NamesOf(FieldType type) {
  switch (type) {
    case FieldType::kBool:
      return {"bool", "true or false"};
    case FieldType::kInt:
      return {"int", "a whole number"};
    case FieldType::kUint:
      return {"uint", "a whole number that is not negative"};
    case FieldType::kFloat:
      return {"float64", "a number"};
    case FieldType::kStrings:
      return {"[]string", "a list of strings"};
    case FieldType::kStringMap:
      return {"map[string]string", "a mapping of words to strings"};
    case FieldType::kParams:
      return {"map[string][]string", "a mapping of words to lists of strings"};
    case FieldType::kDuration:
      return {"string", "a duration such as 30s or 1h30m"};
    case FieldType::kSize:
      return {"string", "a size such as 15MB"};
    default:
      return {"string", "a string"};
  }
}

/// Go's tag for a scalar, as its messages show it.
std::string_view ScalarTag(const YamlNode& node) {
  if (!node.plain) return "!!str";
  if (ParseYamlBool(node.text)) return "!!bool";
  if (ParseYamlInt(node.text)) return "!!int";
  if (ParseYamlFloat(node.text)) return "!!float";
  return "!!str";
}

class Validator {
 public:
  Validator(const YamlDocument& document, Diagnostics& diagnostics)
      : document_(document), diagnostics_(diagnostics) {}

  void CheckBlock(const Block& block, const YamlNode& node) {
    if (node.is_null()) {
      if (block.check_when_empty && block.check != nullptr) {
        block.check(BlockView(block, &node), diagnostics_);
      }
      return;
    }
    if (!node.is_mapping()) {
      CannotUnmarshal(node, block.type_name,
                      fmt::format("{} is a mapping of keys to values", block.name));
      return;
    }
    const std::size_t errors_before = diagnostics_.error_count();
    for (const YamlDuplicate& duplicate : document_.duplicates) {
      if (duplicate.owner.line == node.mark.line && duplicate.owner.column == node.mark.column) {
        ReportDuplicate(duplicate, block.type_name);
      }
    }
    for (const YamlEntry& entry : node.entries) {
      const Field* field = FindField(block, entry.key);
      if (field == nullptr) {
        diagnostics_.Fail(entry.mark, fmt::format("field {} not found in type {}{}", entry.key,
                                                  block.type_name, Suggestion(block, entry.key)));
        continue;
      }
      CheckField(*field, entry);
    }
    if (block.check != nullptr && diagnostics_.error_count() == errors_before) {
      block.check(BlockView(block, &node), diagnostics_);
    }
  }

  /// Duplicates in mappings with free keys.
  void CheckOtherDuplicates() {
    for (const YamlDuplicate& duplicate : document_.duplicates) {
      if (reported_.contains({duplicate.mark.line, duplicate.mark.column})) continue;
      diagnostics_.Fail(duplicate.mark, fmt::format("key {} already set in map (first at line {})",
                                                    QuoteGo(duplicate.key), duplicate.first.line));
    }
  }

 private:
  void ReportDuplicate(const YamlDuplicate& duplicate, std::string_view type_name) {
    if (!reported_.insert({duplicate.mark.line, duplicate.mark.column}).second) return;
    diagnostics_.Fail(duplicate.mark,
                      fmt::format("field {} already set in type {} (first at line {})",
                                  duplicate.key, type_name, duplicate.first.line));
  }

  void CannotUnmarshal(const YamlNode& node, std::string_view into, std::string_view help) {
    std::string what;
    if (node.is_scalar()) {
      std::string shown = node.text.substr(0, 32);
      if (shown.size() < node.text.size()) shown += "...";
      what = fmt::format("{} `{}`", ScalarTag(node), shown);
    } else {
      what = node.TagName();
    }
    diagnostics_.Fail(
        node.mark,
        fmt::format("yaml: unmarshal errors: cannot unmarshal {} into {}: {}", what, into, help));
  }

  void CheckField(const Field& field, const YamlEntry& entry) {
    const YamlNode& value = entry.value;
    if ((field.flags & kIdle) != 0 && !value.is_null() && IsActive(field, value)) {
      diagnostics_.Warn(entry.mark,
                        fmt::format("{} is configured but not active in this version", field.name));
    }
    switch (field.type) {
      case FieldType::kBlock:
        CheckBlock(*field.block, value);
        return;
      case FieldType::kBlocks:
        CheckBlocks(field, value);
        return;
      case FieldType::kBlockMap:
        CheckBlockMap(field, value);
        return;
      case FieldType::kStrings:
        CheckStrings(field, value);
        return;
      case FieldType::kStringMap:
      case FieldType::kParams:
        CheckMap(field, value);
        return;
      case FieldType::kAny:
      case FieldType::kInline:
        return;
      default:
        CheckScalar(field, value);
    }
  }

  /// A switch that is written as "off" asks for nothing.
  static bool IsActive(const Field& field, const YamlNode& value) {
    if (field.type == FieldType::kBool) return ParseYamlBool(value.text).value_or(true);
    if (value.is_sequence()) return !value.items.empty();
    return true;
  }

  void CheckBlocks(const Field& field, const YamlNode& value) {
    if (value.is_null()) return;
    if (!value.is_sequence()) {
      CannotUnmarshal(value, fmt::format("[]{}", field.block->type_name),
                      fmt::format("{} is a list", field.name));
      return;
    }
    for (const YamlNode& item : value.items) {
      if (item.is_null() && field.null_item != nullptr) {
        diagnostics_.Fail(item.mark, field.null_item);
      } else {
        CheckBlock(*field.block, item);
      }
    }
  }

  void CheckBlockMap(const Field& field, const YamlNode& value) {
    if (value.is_null()) return;
    if (!value.is_mapping()) {
      CannotUnmarshal(value, fmt::format("map[string]{}", field.block->type_name),
                      fmt::format("{} is a mapping", field.name));
      return;
    }
    for (const YamlEntry& entry : value.entries)
      CheckBlock(*field.block, entry.value);
  }

  void CheckStrings(const Field& field, const YamlNode& value) {
    if (value.is_null() || value.is_scalar()) return;
    if (!value.is_sequence()) {
      CannotUnmarshal(value, "[]string",
                      fmt::format("{} takes {}", field.name, NamesOf(field.type).ours));
      return;
    }
    for (const YamlNode& item : value.items) {
      if (!item.is_scalar() && !item.is_null()) {
        CannotUnmarshal(item, "string",
                        fmt::format("{} takes {}", field.name, NamesOf(field.type).ours));
      }
    }
  }

  void CheckMap(const Field& field, const YamlNode& value) {
    if (value.is_null()) return;
    const TypeNames names = NamesOf(field.type);
    const std::string help = fmt::format("{} takes {}", field.name, names.ours);
    if (!value.is_mapping()) {
      CannotUnmarshal(value, names.go, help);
      return;
    }
    for (const YamlEntry& entry : value.entries) {
      const bool may_be_list = field.type == FieldType::kParams;
      if (may_be_list && entry.value.is_sequence()) {
        for (const YamlNode& item : entry.value.items) {
          if (!item.is_scalar() && !item.is_null()) CannotUnmarshal(item, "string", help);
        }
      } else if (!entry.value.is_scalar() && !entry.value.is_null()) {
        CannotUnmarshal(entry.value, may_be_list ? "[]string" : "string", help);
      }
    }
  }

  void CheckScalar(const Field& field, const YamlNode& value) {
    if (value.is_null()) return;
    const TypeNames names = NamesOf(field.type);
    if (!value.is_scalar()) {
      CannotUnmarshal(value, names.go, fmt::format("{} takes {}", field.name, names.ours));
      return;
    }
    if (!ScalarFits(field.type, value)) {
      CannotUnmarshal(value, names.go, fmt::format("{} takes {}", field.name, names.ours));
      return;
    }
    CheckText(field, value);
  }

  static bool ScalarFits(FieldType type, const YamlNode& value) {
    switch (type) {
      case FieldType::kBool:
        return value.plain && ParseYamlBool(value.text);
      case FieldType::kInt:
        return value.plain && ParseYamlInt(value.text);
      case FieldType::kUint: {
        const auto number = ParseYamlInt(value.text);
        return value.plain && number && *number >= 0;
      }
      case FieldType::kFloat:
        return value.plain && (ParseYamlFloat(value.text) || ParseYamlInt(value.text));
      default:
        return true;
    }
  }

  void CheckText(const Field& field, const YamlNode& value) {
    if (field.type == FieldType::kDuration) {
      Report(field, value, ParseDuration(value.text));
    } else if (field.type == FieldType::kSize) {
      Report(field, value, ParseSize(value.text));
    } else if (field.type == FieldType::kUrl) {
      Report(field, value, ParseGoUrl(value.text));
    } else if (field.type == FieldType::kRegex) {
      const auto regex = Regex::Compile(value.text);
      if (!regex) {
        diagnostics_.Fail(value.mark,
                          fmt::format("error parsing regexp: {}", regex.error().message()));
      }
    }
  }

  template <class T>
  void Report(const Field& field, const YamlNode& value, const Result<T>& result) {
    if (!result)
      diagnostics_.Fail(value.mark, fmt::format("{}: {}", field.name, result.error().message()));
  }

  const YamlDocument& document_;
  Diagnostics& diagnostics_;
  std::set<std::pair<int, int>> reported_;
};

const std::string& EmptyText() {
  static const std::string* const kEmpty =
      new std::string;  // Never destroyed: views may outlive main's statics.
  return *kEmpty;
}

}  // namespace

void Diagnostics::Fail(YamlMark mark, std::string_view message) {
  if (errors_.size() > kMaxErrors) return;
  errors_.push_back(errors_.size() == kMaxErrors ? AtMark(file_, mark, "more errors follow")
                                                 : AtMark(file_, mark, message));
}

void Diagnostics::Warn(YamlMark mark, std::string_view message) {
  warnings_.push_back(AtMark(file_, mark, message));
}

Error Diagnostics::ToError() const {
  std::string message;
  for (const std::string& error : errors_) {
    if (!message.empty()) message += '\n';
    message += error;
  }
  return {ErrorKind::kInvalid, std::move(message)};
}

const Field* FindField(const Block& block, std::string_view name) {
  for (const Field& field : block.fields) {
    if (field.type == FieldType::kInline) {
      if (const Field* found = FindField(*field.block, name)) return found;
    } else if (name == field.name) {
      return &field;
    }
  }
  return nullptr;
}

void Validate(const Block& block, const YamlNode& node, const YamlDocument& document,
              Diagnostics& diagnostics) {
  Validator validator(document, diagnostics);
  validator.CheckBlock(block, node);
  validator.CheckOtherDuplicates();
}

void ForEachBlock(const Block& root, const std::function<void(const Block&)>& visit) {
  std::set<const Block*> seen;
  std::vector<const Block*> todo = {&root};
  while (!todo.empty()) {
    const Block* block = todo.back();
    todo.pop_back();
    if (!seen.insert(block).second) continue;
    visit(*block);
    for (const Field& field : block->fields) {
      if (field.block != nullptr) todo.push_back(field.block);
    }
  }
}

bool BlockView::Has(std::string_view key) const {
  const YamlNode* value = Raw(key);
  return value != nullptr && !value->is_null();
}

const YamlNode* BlockView::Raw(std::string_view key) const {
  return node_ == nullptr || !node_->is_mapping() ? nullptr : node_->Find(key);
}

YamlMark BlockView::MarkOf(std::string_view key) const {
  const YamlNode* value = Raw(key);
  return value == nullptr ? mark() : value->mark;
}

const std::string* BlockView::Scalar(std::string_view key) const {
  const YamlNode* value = Raw(key);
  if (value != nullptr) return value->is_scalar() ? &value->text : nullptr;
  return nullptr;
}

std::string BlockView::Text(std::string_view key) const {
  if (const std::string* text = Scalar(key)) return *text;
  if (Raw(key) != nullptr) return {};  // Written as null: Go's zero value, not the default.
  const Field* field = FindField(*block_, key);
  CHECK(field != nullptr);
  return field->fallback == nullptr ? EmptyText() : std::string(field->fallback);
}

bool BlockView::Bool(std::string_view key) const {
  return ParseYamlBool(Text(key)).value_or(false);
}

std::int64_t BlockView::Int(std::string_view key) const {
  return ParseYamlInt(Text(key)).value_or(0);
}

std::uint64_t BlockView::Uint(std::string_view key) const {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, Int(key)));
}

double BlockView::Float(std::string_view key) const {
  const std::string text = Text(key);
  if (const auto number = ParseYamlFloat(text)) return *number;
  return static_cast<double>(ParseYamlInt(text).value_or(0));
}

Duration BlockView::Time(std::string_view key) const {
  const std::string text = Text(key);
  if (text.empty()) return Duration(0);
  return ParseDuration(text).value_or(Duration(0));
}

std::int64_t BlockView::Size(std::string_view key) const {
  const std::string text = Text(key);
  return text.empty() ? 0 : ParseSize(text).value_or(0);
}

std::vector<std::string> BlockView::Strings(std::string_view key) const {
  std::vector<std::string> out;
  const YamlNode* value = Raw(key);
  if (value == nullptr || value->is_null()) return out;
  if (value->is_scalar()) {
    out.push_back(value->text);
    return out;
  }
  for (const YamlNode& item : value->items)
    out.push_back(item.text);
  return out;
}

BlockView BlockView::Child(std::string_view key) const {
  const Field* field = FindField(*block_, key);
  CHECK(field != nullptr && field->block != nullptr);
  return {*field->block, Raw(key)};
}

std::vector<BlockView> BlockView::Children(std::string_view key) const {
  const Field* field = FindField(*block_, key);
  CHECK(field != nullptr && field->block != nullptr);
  std::vector<BlockView> out;
  if (const YamlNode* value = Raw(key)) {
    for (const YamlNode& item : value->items)
      out.emplace_back(*field->block, &item);
  }
  return out;
}

bool MoreThanOne(const BlockView& view, std::initializer_list<std::string_view> keys) {
  int count = 0;
  for (const std::string_view key : keys) {
    const YamlNode* value = view.Raw(key);
    if (value == nullptr || value->is_null()) continue;
    if (value->is_scalar() && value->text.empty()) continue;
    ++count;
  }
  return count > 1;
}

bool Require(const BlockView& view, std::string_view key, std::string_view message,
             Diagnostics& diagnostics) {
  if (!view.Text(key).empty()) return true;
  diagnostics.Fail(view.MarkOf(key), message);
  return false;
}

bool IsOneOf(std::string_view value, std::initializer_list<std::string_view> allowed) {
  return std::find(allowed.begin(), allowed.end(), value) != allowed.end();
}

}  // namespace sonde::config
