#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

// YAML as plain values with positions. The only place where the YAML library is used; everything
// above works on YamlNode. The rules are those that the reference's loader (Go) applies: a key
// twice in one mapping is an error, `<<` merges, aliases are copies, and only the first document of
// a file counts.

namespace sonde::config {

/// Where something stands in its file, from 1.
struct YamlMark {
  int line = 1;
  int column = 1;
};

struct YamlEntry;

/// One value of a document, with everything below it.
struct YamlNode {
  enum class Kind : unsigned char { kNull, kScalar, kSequence, kMapping };

  Kind kind = Kind::kNull;
  YamlMark mark;
  std::string text;     ///< kScalar: unescaped; of a `!!binary`: decoded.
  bool plain = false;   ///< kScalar: written without quotes, so that `true` may be a boolean.
  bool binary = false;  ///< kScalar: was tagged `!!binary`.
  std::vector<YamlNode> items;     ///< kSequence.
  std::vector<YamlEntry> entries;  ///< kMapping, in the file's order, keys unique, merges resolved.

  bool is_null() const { return kind == Kind::kNull; }
  bool is_scalar() const { return kind == Kind::kScalar; }
  bool is_sequence() const { return kind == Kind::kSequence; }
  bool is_mapping() const { return kind == Kind::kMapping; }

  /// The value of `key`, or null.
  const YamlNode* Find(std::string_view key) const;
  YamlNode* Find(std::string_view key);

  /// Go's short tag of what it is, for messages: "!!seq", "!!map", "!!str", "!!null".
  std::string_view TagName() const;
};

struct YamlEntry {
  std::string key;
  YamlMark mark;
  YamlNode value;
};

/// A key that stands twice in a mapping. Reported by the schema, which knows the mapping's type.
struct YamlDuplicate {
  std::string key;
  YamlMark mark;   ///< Of the second one.
  YamlMark first;  ///< Of the first one.
  YamlMark owner;  ///< Of the mapping.
};

struct YamlDocument {
  YamlNode root;
  std::vector<YamlDuplicate> duplicates;
  /// Set if the file goes on after the first document: where.
  bool has_more = false;
  YamlMark more;
};

/// Bounds of one document, after aliases are expanded.
struct YamlLimits {
  std::size_t max_bytes = 16U << 20;
  std::size_t max_nodes = 1'000'000;
  int max_depth = 64;
};

/// A message that begins with its place: `FILE:LINE:COLUMN: message`.
std::string AtMark(std::string_view file, YamlMark mark, std::string_view message);

/// Parses the first document of `text`; an empty text is a null document. Errors are kInvalid or
/// kLimit, and begin with `file:line:column:`.
Result<YamlDocument> ParseYaml(std::string_view text, std::string_view file,
                               const YamlLimits& limits = {});

}  // namespace sonde::config
