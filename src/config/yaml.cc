#include "config/yaml.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <unordered_map>
#include <utility>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include "base/base64.h"
#include "base/utf8.h"

namespace sonde::config {
namespace {

constexpr std::string_view kBinaryTag = "tag:yaml.org,2002:binary";

YamlMark ToMark(const YAML::Mark& mark) {
  return {mark.line + 1, mark.column + 1};
}

/// Why building stopped; carried through the YAML library, which only knows exceptions.
struct Stop {
  ErrorKind kind;
  YamlMark mark;
  std::string message;
};

/// Where the scalar that starts at `begin` ends; npos if it is a quoted one that never does (the
/// library reads such a one up to the end of the file and is content). A tagged or block scalar's
/// end is not looked for.
std::size_t EndOfScalar(std::string_view text, std::size_t begin, const YamlNode& node) {
  if (begin >= text.size()) return text.size();
  const char quote = text[begin];
  if (quote != '"' && quote != '\'') return node.plain ? begin + node.text.size() : begin;
  for (std::size_t i = begin + 1; i < text.size(); ++i) {
    if (quote == '"' && text[i] == '\\') {
      ++i;
    } else if (text[i] == quote) {
      if (quote == '"' || i + 1 >= text.size() || text[i + 1] != quote) return i + 1;
      ++i;
    }
  }
  return std::string_view::npos;
}

/// Builds the tree from the library's events.
class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(std::string_view text, const YamlLimits& limits, YamlDocument& document)
      : text_(text), limits_(limits), document_(document) {}

  void OnDocumentStart(const YAML::Mark& /*mark*/) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    YamlNode node;
    node.mark = ToMark(mark);
    node.plain = true;
    Count(1, node.mark);
    Add(std::move(node), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) {
      throw Stop{ErrorKind::kInvalid, ToMark(mark), "an anchor cannot contain its own alias"};
    }
    Count(found->second.nodes, ToMark(mark));
    YamlNode copy = found->second.node;
    Add(std::move(copy), 0);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    YamlNode node;
    node.kind = YamlNode::Kind::kScalar;
    node.mark = ToMark(mark);
    node.plain = tag == "?" || tag.empty();
    node.text = value;
    const std::size_t end = EndOfScalar(text_, static_cast<std::size_t>(mark.pos), node);
    if (end == std::string_view::npos) {
      throw Stop{ErrorKind::kInvalid, node.mark,
                 "found unexpected end of stream: the quote is never closed"};
    }
    scalar_begin_ = static_cast<std::size_t>(mark.pos);
    scalar_end_ = end;
    if (tag == kBinaryTag) {
      auto decoded = Base64Decode(value);
      if (!decoded) {
        throw Stop{ErrorKind::kInvalid, node.mark, "!!binary value contains invalid base64 data"};
      }
      node.text = *std::move(decoded);
      node.binary = true;
    }
    Count(1, node.mark);
    Add(std::move(node), anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    Open(YamlNode::Kind::kSequence, ToMark(mark), anchor);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    Open(YamlNode::Kind::kMapping, ToMark(mark), anchor);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapEnd() override { Close(); }

 private:
  struct Frame {
    YamlNode node;
    YAML::anchor_t anchor = 0;
    std::size_t nodes_before = 0;
    bool has_key = false;  // A mapping whose next value's key has been read.
    bool merge = false;    // That key is a plain `<<`.
    std::string key;
    YamlMark key_mark;
    std::vector<YamlNode> merges;
    std::unordered_map<std::string, YamlMark>
        seen;  // Keys of a mapping, for duplicates in constant time.
  };
  struct Anchored {
    YamlNode node;
    std::size_t nodes = 0;
  };

  void Count(std::size_t nodes, YamlMark mark) {
    nodes_ += nodes;
    if (nodes_ > limits_.max_nodes) {
      throw Stop{
          ErrorKind::kLimit, mark,
          "more than " + std::to_string(limits_.max_nodes) + " values (with aliases expanded)"};
    }
  }

  void Open(YamlNode::Kind kind, YamlMark mark, YAML::anchor_t anchor) {
    if (static_cast<int>(stack_.size()) >= limits_.max_depth) {
      throw Stop{ErrorKind::kLimit, mark,
                 "nested deeper than " + std::to_string(limits_.max_depth) + " levels"};
    }
    Frame frame;
    frame.node.kind = kind;
    frame.node.mark = mark;
    frame.anchor = anchor;
    frame.nodes_before = nodes_;
    Count(1, mark);
    stack_.push_back(std::move(frame));
  }

  void Close() {
    Frame frame = std::move(stack_.back());
    stack_.pop_back();
    if (frame.node.is_mapping()) ApplyMerges(frame);
    const std::size_t nodes = nodes_ - frame.nodes_before;
    Add(std::move(frame.node), frame.anchor, nodes);
  }

  /// `<<: *base` and `<<: [*a, *b]`: keys of the mapping itself win, then those of the earlier
  /// base.
  void ApplyMerges(Frame& frame) {
    for (YamlNode& base : frame.merges) {
      for (YamlEntry& entry : base.entries) {
        if (frame.seen.emplace(entry.key, entry.mark).second)
          frame.node.entries.push_back(std::move(entry));
      }
    }
  }

  void Add(YamlNode node, YAML::anchor_t anchor, std::size_t nodes = 1) {
    if (anchor != 0) {
      Count(nodes, node.mark);  // The copy that waits for aliases takes memory too.
      anchors_[anchor] = {node, nodes};
    }
    if (stack_.empty()) {
      document_.root = std::move(node);
      return;
    }
    Frame& top = stack_.back();
    if (top.node.is_sequence()) {
      top.node.items.push_back(std::move(node));
    } else if (!top.has_key) {
      TakeKey(top, node);
    } else {
      top.has_key = false;
      TakeValue(top, std::move(node));
    }
  }

  void TakeKey(Frame& top, const YamlNode& node) const {
    if (!node.is_scalar() && !node.is_null()) {
      throw Stop{ErrorKind::kInvalid, node.mark, "a key must be a word, not a list or a mapping"};
    }
    top.has_key = true;
    top.merge = node.is_scalar() && node.plain && node.text == "<<";
    top.key = node.text;
    top.key_mark = node.mark;
    if (node.is_scalar() && !IsFollowedByColon()) {
      throw Stop{ErrorKind::kInvalid, node.mark, "could not find expected ':' after the key"};
    }
  }

  /// The library takes a word alone on its line for a key without a value.
  bool IsFollowedByColon() const {
    const std::string_view before = text_.substr(0, std::min(scalar_begin_, text_.size()));
    const std::size_t last = before.find_last_not_of(" \t");
    if (last != std::string_view::npos && before[last] == '?') return true;
    const std::string_view rest = text_.substr(std::min(scalar_end_, text_.size()));
    const std::size_t next = rest.find_first_not_of(" \t");
    return next != std::string_view::npos && rest[next] != '\n' && rest[next] != '\r' &&
           rest[next] != '#';
  }

  void TakeValue(Frame& top, YamlNode node) {
    if (top.merge) {
      TakeMerge(top, std::move(node));
      return;
    }
    const auto [first, fresh] = top.seen.emplace(top.key, top.key_mark);
    if (!fresh) {
      document_.duplicates.push_back({top.key, top.key_mark, first->second, top.node.mark});
      return;
    }
    // The library places a value that is not there at whatever comes next.
    if (node.is_null() && node.mark.line != top.key_mark.line) node.mark = top.key_mark;
    top.node.entries.push_back({std::move(top.key), top.key_mark, std::move(node)});
  }

  static void TakeMerge(Frame& top, YamlNode node) {
    const YamlMark mark = top.key_mark;
    auto refuse = [mark] {
      throw Stop{ErrorKind::kInvalid, mark,
                 "map merge requires map or sequence of maps as the value"};
    };
    if (node.is_mapping()) {
      top.merges.push_back(std::move(node));
      return;
    }
    if (!node.is_sequence()) refuse();
    for (YamlNode& item : node.items) {
      if (!item.is_mapping()) refuse();
      top.merges.push_back(std::move(item));
    }
  }

  const std::string_view text_;
  const YamlLimits& limits_;
  YamlDocument& document_;
  std::size_t scalar_begin_ = 0;  // Of the last scalar, in the text.
  std::size_t scalar_end_ = 0;
  std::vector<Frame> stack_;
  std::map<YAML::anchor_t, Anchored> anchors_;
  std::size_t nodes_ = 0;
};

/// Looks only at whether there is another document.
class NullBuilder final : public YAML::EventHandler {
 public:
  YamlMark mark;

  void OnDocumentStart(const YAML::Mark& at) override { mark = ToMark(at); }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& /*mark*/, YAML::anchor_t /*anchor*/) override { Leave(); }
  void OnAlias(const YAML::Mark& /*mark*/, YAML::anchor_t /*anchor*/) override { Leave(); }
  void OnScalar(const YAML::Mark& /*mark*/, const std::string& /*tag*/, YAML::anchor_t /*anchor*/,
                const std::string& /*value*/) override {
    Leave();
  }
  void OnSequenceStart(const YAML::Mark& /*mark*/, const std::string& /*tag*/,
                       YAML::anchor_t /*anchor*/, YAML::EmitterStyle::value /*style*/) override {
    Leave();
  }
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark& /*mark*/, const std::string& /*tag*/, YAML::anchor_t /*anchor*/,
                  YAML::EmitterStyle::value /*style*/) override {
    Leave();
  }
  void OnMapEnd() override {}

 private:
  [[noreturn]] static void Leave() { throw Stop{ErrorKind::kInvalid, {}, {}}; }
};

/// The place of the first byte that YAML does not allow: not UTF-8, or a control character.
std::optional<YamlMark> FindBadByte(std::string_view text) {
  YamlMark mark;
  while (!text.empty()) {
    const DecodedRune decoded = DecodeRune(text);
    const char32_t rune = decoded.rune;
    const bool broken = rune == 0xFFFD && decoded.size == 1;
    const bool control =
        (rune < 0x20 && rune != '\t' && rune != '\n' && rune != '\r') || rune == 0x7F;
    if (broken || control) return mark;
    text.remove_prefix(decoded.size);
    if (rune == '\n') {
      mark = {mark.line + 1, 1};
    } else {
      ++mark.column;
    }
  }
  return std::nullopt;
}

void FindMore(YAML::Parser& parser, YamlDocument& document) {
  NullBuilder builder;
  try {
    document.has_more = parser.HandleNextDocument(builder);
  } catch (const Stop&) {
    document.has_more = true;
  } catch (const YAML::Exception&) {
    document.has_more = true;
  }
  document.more = builder.mark;
}

/// True if the text after the first document is a second one, with its own marker, and not a part
/// of the first that the library could not place (`- a` followed by `b: 1`).
bool IsAnotherDocument(std::string_view text, YamlMark more) {
  int line = 1;
  while (!text.empty()) {
    const std::string_view row = text.substr(0, text.find('\n'));
    if (line > 1 && line <= more.line && (row.starts_with("---") || row.starts_with("...")))
      return true;
    if (++line > more.line) break;
    text.remove_prefix(std::min(text.size(), row.size() + 1));
  }
  return false;
}

}  // namespace

const YamlNode* YamlNode::Find(std::string_view key) const {
  for (const YamlEntry& entry : entries) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

YamlNode* YamlNode::Find(std::string_view key) {
  for (YamlEntry& entry : entries) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

std::string_view YamlNode::TagName() const {
  switch (kind) {
    case Kind::kNull:
      return "!!null";
    case Kind::kScalar:
      return "!!str";
    case Kind::kSequence:
      return "!!seq";
    case Kind::kMapping:
      return "!!map";
  }
  return "";
}

std::string AtMark(std::string_view file, YamlMark mark, std::string_view message) {
  std::string out(file);
  out.append(":").append(std::to_string(mark.line)).append(":").append(std::to_string(mark.column));
  return out.append(": ").append(message);
}

Result<YamlDocument> ParseYaml(std::string_view text, std::string_view file,
                               const YamlLimits& limits) {
  if (text.size() > limits.max_bytes) {
    return Error(ErrorKind::kLimit,
                 AtMark(file, {}, "larger than " + std::to_string(limits.max_bytes) + " bytes"));
  }
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  if (const auto bad = FindBadByte(text)) {
    return Error(ErrorKind::kInvalid,
                 AtMark(file, *bad,
                        "yaml: invalid UTF-8, or a control character, which YAML does not allow"));
  }
  YamlDocument document;
  std::istringstream stream{std::string(text)};
  try {
    YAML::Parser parser(stream);
    TreeBuilder builder(text, limits, document);
    if (parser.HandleNextDocument(builder)) FindMore(parser, document);
    if (document.has_more && !IsAnotherDocument(text, document.more)) {
      return Error(
          ErrorKind::kInvalid,
          AtMark(file, document.more,
                 "yaml: this does not belong to what stands above: check the indentation"));
    }
  } catch (const Stop& stop) {
    return Error(stop.kind, AtMark(file, stop.mark, "yaml: " + stop.message));
  } catch (const YAML::Exception& e) {
    return Error(ErrorKind::kInvalid,
                 AtMark(file, e.mark.is_null() ? YamlMark{} : ToMark(e.mark), "yaml: " + e.msg));
  }
  return document;
}

}  // namespace sonde::config
