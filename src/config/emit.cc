#include "config/emit.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/base64.h"
#include "base/duration.h"
#include "base/number.h"
#include "base/utf8.h"
#include "config/scalar.h"

namespace sonde::config {
namespace {

constexpr std::string_view kHidden = "<secret>";

/// Would Go's emitter quote this plain text?
bool IsPlainSafe(std::string_view text) {
  if (text.starts_with("---") || text.starts_with("...")) return false;
  if (text.empty() || text.front() == ' ' || text.back() == ' ') return false;
  if (ParseYamlBool(text) || ParseYamlInt(text) || ParseYamlFloat(text)) return false;
  if (text == "null" || text == "Null" || text == "NULL" || text == "~" || text == "<<" ||
      text == "=")
    return false;
  constexpr std::string_view kIndicators = "-?:,[]{}#&*!|>'\"%@`";
  if (kIndicators.find(text.front()) != std::string_view::npos) {
    const bool dash_word = (text.front() == '-' || text.front() == '?' || text.front() == ':') &&
                           text.size() > 1 && text[1] != ' ';
    if (!dash_word) return false;
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return false;
    if (c == ':' && (i + 1 == text.size() || text[i + 1] == ' ')) return false;
    if (c == '#' && i > 0 && text[i - 1] == ' ') return false;
  }
  return IsValidUtf8(text);
}

std::string DoubleQuoted(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const DecodedRune decoded = DecodeRune(text);
    const char32_t rune = decoded.rune;
    if (rune == '"' || rune == '\\') {
      out.append("\\").append(1, static_cast<char>(rune));
    } else if (rune == '\n') {
      out += "\\n";
    } else if (rune == '\t') {
      out += "\\t";
    } else if (rune == '\r') {
      out += "\\r";
    } else if (rune < 0x20 || rune == 0x7F || (rune == 0xFFFD && decoded.size == 1)) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text.front()));
    } else {
      out.append(text.substr(0, decoded.size));
    }
    text.remove_prefix(decoded.size);
  }
  return out + "\"";
}

std::string FormatYamlFloat(double value) {
  if (std::isnan(value)) return ".nan";
  if (std::isinf(value)) return value > 0 ? ".inf" : "-.inf";
  return FormatFloatG(value);
}

/// `http://user:password@host/` with the password replaced.
std::string WithoutPassword(std::string_view text) {
  const std::size_t scheme = text.find("://");
  if (scheme == std::string_view::npos) return std::string(text);
  const std::size_t begin = scheme + 3;
  const std::size_t end = std::min(text.find_first_of("/?#", begin), text.size());
  const std::size_t at = text.substr(0, end).rfind('@');
  const std::size_t colon = text.find(':', begin);
  if (at == std::string_view::npos || colon == std::string_view::npos || colon > at || at < begin) {
    return std::string(text);
  }
  return std::string(text.substr(0, colon + 1)).append("xxxxx").append(text.substr(at));
}

class Emitter {
 public:
  explicit Emitter(Secrets secrets) : secrets_(secrets) {}

  std::string text() && { return std::move(out_); }

  void Block(const BlockView& view, const struct Block& block, int indent) {
    for (const Field& field : block.fields) {
      if (field.type == FieldType::kInline) {
        Block(view, *field.block, indent);
      } else {
        EmitField(view, field, indent);
      }
    }
  }

 private:
  void Key(std::string_view key, int indent) {
    if (item_pending_) {
      item_pending_ = false;  // The first key of a list's item stands behind its dash.
    } else {
      out_.append(static_cast<std::size_t>(indent), ' ');
    }
    out_.append(QuoteYaml(key)).append(":");
  }

  void EmitField(const BlockView& view, const Field& field, int indent) {
    switch (field.type) {
      case FieldType::kBlock:
        EmitBlock(view, field, indent);
        return;
      case FieldType::kBlocks:
        EmitBlocks(view, field, indent);
        return;
      case FieldType::kBlockMap:
        EmitBlockMap(view, field, indent);
        return;
      case FieldType::kStrings:
        EmitStrings(field.name, view.Strings(field.name), field, indent);
        return;
      case FieldType::kStringMap:
      case FieldType::kParams:
        EmitMap(view, field, indent);
        return;
      case FieldType::kAny:
        if (view.Has(field.name)) {
          Key(field.name, indent);
          EmitNode(*view.Raw(field.name), indent);
        }
        return;
      default:
        EmitScalar(view, field, indent);
    }
  }

  void EmitBlock(const BlockView& view, const Field& field, int indent) {
    if (!view.Has(field.name) && (field.flags & kAlways) == 0) return;
    Key(field.name, indent);
    out_ += '\n';
    const std::size_t before = out_.size();
    Block(view.Child(field.name), *field.block, indent + 2);
    if (out_.size() == before) {
      out_.pop_back();
      out_ += " {}\n";
    }
  }

  void EmitBlocks(const BlockView& view, const Field& field, int indent) {
    const std::vector<BlockView> children = view.Children(field.name);
    if (children.empty()) return;
    Key(field.name, indent);
    out_ += '\n';
    for (const BlockView& child : children) {
      out_.append(static_cast<std::size_t>(indent), ' ').append("- ");
      item_pending_ = true;
      Block(child, *field.block, indent + 2);
      if (item_pending_) out_ += "{}\n";
      item_pending_ = false;
    }
  }

  void EmitBlockMap(const BlockView& view, const Field& field, int indent) {
    const YamlNode* node = view.Raw(field.name);
    if (node == nullptr || node->entries.empty()) return;
    Key(field.name, indent);
    out_ += '\n';
    for (const YamlEntry* entry : Sorted(*node)) {
      Key(entry->key, indent + 2);
      out_ += '\n';
      Block(BlockView(*field.block, &entry->value), *field.block, indent + 4);
    }
  }

  void EmitStrings(std::string_view key, const std::vector<std::string>& values, const Field& field,
                   int indent) {
    if (values.empty()) return;
    Key(key, indent);
    out_ += '\n';
    for (const std::string& value : values) {
      out_.append(static_cast<std::size_t>(indent), ' ')
          .append("- ")
          .append(Shown(value, field))
          .append("\n");
    }
  }

  void EmitMap(const BlockView& view, const Field& field, int indent) {
    const YamlNode* node = view.Raw(field.name);
    if (node == nullptr || node->entries.empty()) return;
    Key(field.name, indent);
    out_ += '\n';
    for (const YamlEntry* entry : Sorted(*node)) {
      if (field.type == FieldType::kStringMap) {
        Key(entry->key, indent + 2);
        out_.append(" ").append(Shown(entry->value.text, field)).append("\n");
        continue;
      }
      std::vector<std::string> values;
      if (entry->value.is_scalar()) values.push_back(entry->value.text);
      for (const YamlNode& item : entry->value.items)
        values.push_back(item.text);
      if (values.empty()) {
        Key(entry->key, indent + 2);
        out_ += " []\n";
      }
      EmitStrings(entry->key, values, field, indent + 2);
    }
  }

  static std::vector<const YamlEntry*> Sorted(const YamlNode& node) {
    std::vector<const YamlEntry*> entries;
    for (const YamlEntry& entry : node.entries)
      entries.push_back(&entry);
    std::sort(entries.begin(), entries.end(),
              [](const auto* a, const auto* b) { return a->key < b->key; });
    return entries;
  }

  void EmitScalar(const BlockView& view, const Field& field, int indent) {
    const std::string text = Normalised(view, field);
    // An explicit "false" may stand against a global "true".
    const bool explicit_bool = field.type == FieldType::kBool && view.Raw(field.name) != nullptr;
    const bool zero = !explicit_bool && (text.empty() || IsZero(field.type, text));
    // A string that was asked to be empty differs from its default.
    if (zero && (field.flags & kAlways) == 0) return;
    // As the reference: a pattern that was not given is not shown (some actions refuse one).
    if (field.type == FieldType::kRegex && view.Raw(field.name) == nullptr) return;
    Key(field.name, indent);
    const bool word = field.type == FieldType::kString || field.type == FieldType::kUrl ||
                      field.type == FieldType::kRegex || (field.flags & kSecret) != 0;
    out_.append(" ").append(word ? Shown(text, field) : text).append("\n");
  }

  static std::string Normalised(const BlockView& view, const Field& field) {
    switch (field.type) {
      case FieldType::kBool:
        return view.Bool(field.name) ? "true" : "false";
      case FieldType::kInt:
        return std::to_string(view.Int(field.name));
      case FieldType::kUint:
        return std::to_string(view.Uint(field.name));
      case FieldType::kFloat:
        return FormatYamlFloat(view.Float(field.name));
      case FieldType::kDuration:
        return FormatDuration(view.Time(field.name));
      case FieldType::kSize:
        return FormatSize(view.Size(field.name));
      default:
        return view.Text(field.name);
    }
  }

  static bool IsZero(FieldType type, std::string_view text) {
    switch (type) {
      case FieldType::kBool:
        return text == "false";
      case FieldType::kInt:
      case FieldType::kUint:
      case FieldType::kFloat:
        return text == "0";
      case FieldType::kDuration:
        return text == "0s";
      case FieldType::kSize:
        return text == "0B";
      default:
        return false;
    }
  }

  std::string Shown(std::string_view text, const Field& field) const {
    if (secrets_ == Secrets::kShow || text.empty()) return QuoteYaml(text);
    if ((field.flags & kSecret) != 0) return std::string(kHidden);
    return QuoteYaml(WithoutPassword(text));
  }

  /// A value of any shape, behind its key.
  void EmitNode(const YamlNode& node, int indent) {
    if (node.is_null()) {
      out_ += " null\n";
    } else if (node.is_scalar()) {
      out_.append(" ").append(node.plain ? node.text : QuoteYaml(node.text)).append("\n");
    } else if (node.items.empty() && node.entries.empty()) {
      out_ += node.is_sequence() ? " []\n" : " {}\n";
    } else {
      out_ += '\n';
      for (const YamlNode& item : node.items) {
        out_.append(static_cast<std::size_t>(indent), ' ').append("-");
        EmitNode(item, indent + 2);
      }
      for (const YamlEntry& entry : node.entries) {
        Key(entry.key, indent + 2);
        EmitNode(entry.value, indent + 2);
      }
    }
  }

  const Secrets secrets_;
  std::string out_;
  bool item_pending_ = false;
};

}  // namespace

std::string QuoteYaml(std::string_view text) {
  if (IsPlainSafe(text)) return std::string(text);
  if (!IsValidUtf8(text)) return "!!binary " + Base64Encode(text);  // Not text at all.
  const bool printable = std::none_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
  });
  // As Go's emitter: a string that would read as another type gets double quotes, one with
  // indicators single ones.
  const bool other_type = text.empty() || ParseYamlBool(text) || ParseYamlInt(text) ||
                          ParseYamlFloat(text) || text == "null" || text == "~";
  if (!printable || other_type) return DoubleQuoted(text);
  std::string out = "'";
  for (const char c : text)
    out.append(c == '\'' ? 2 : 1, c);
  return out + "'";
}

std::string EmitYaml(const BlockView& view, Secrets secrets) {
  Emitter emitter(secrets);
  emitter.Block(view, view.block(), 0);
  std::string text = std::move(emitter).text();
  return text.empty() ? "{}\n" : text;
}

}  // namespace sonde::config
