#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "config/yaml.h"

// The configuration language as data: every block is a table of its keys with their types and
// defaults (schema_*.cc). Validation, the effective values (BlockView), the normalised text that
// `/api/v1/status/config` shows (emit.h) and the check of docs/configuration.md all come from these
// tables, so they cannot disagree.

namespace sonde::config {

enum class FieldType : unsigned char {
  kString,
  kBool,
  kInt,
  kUint,
  kFloat,
  kDuration,  ///< "1h30m".
  kSize,      ///< "15MB", powers of 1024.
  kUrl,
  kRegex,
  kStrings,    ///< A list of strings; a single string counts as a list of one.
  kStringMap,  ///< Word → string, sorted by word when shown.
  kParams,     ///< Word → list of strings.
  kBlock,
  kBlocks,    ///< A list of blocks.
  kBlockMap,  ///< Word → block.
  kInline,    ///< The keys of another block stand here, as if they were this one's.
  kAny,
};

enum FieldFlags : unsigned {
  kNone = 0,
  kSecret = 1,  ///< Shown as `<secret>`, never printed.
  kAlways = 2,  ///< Shown even when it is zero.
  kFile = 4,    ///< A path, relative to the folder of the file that holds it.
  kIdle = 8,    ///< Accepted and checked, but not active in this version: a warning says so.
};

struct Block;

/// One key of a block.
struct Field {
  const char* name = nullptr;  ///< Null for kInline.
  FieldType type = FieldType::kString;
  const char* fallback = nullptr;  ///< The default as one would write it; null: the type's zero.
  unsigned flags = kNone;
  const Block* block = nullptr;     ///< kBlock, kBlocks, kBlockMap, kInline.
  const char* null_item = nullptr;  ///< kBlocks: the error for an empty item.
};

class BlockView;
class Diagnostics;

/// A mapping with known keys.
struct Block {
  const char* name;       ///< As docs/configuration.md calls it: "scrape_config".
  const char* type_name;  ///< As the reference's error messages call it: "config.ScrapeConfig".
  std::span<const Field> fields;
  /// Checks that concern more than one key; called when each key is well-formed. Null: none.
  void (*check)(const BlockView& view, Diagnostics& diagnostics) = nullptr;
  /// True: is checked even when the key is written without a value, or not at all.
  bool check_when_empty = false;
};

/// Something the user should know that is not an error.
struct Warning {
  YamlMark mark;
  std::string message;
};

/// Collects what is wrong with one file.
class Diagnostics {
 public:
  explicit Diagnostics(std::string file) : file_(std::move(file)) {}

  void Fail(YamlMark mark, std::string_view message);
  void Warn(YamlMark mark, std::string_view message);

  bool ok() const { return errors_.empty(); }
  std::size_t error_count() const { return errors_.size(); }
  const std::string& file() const { return file_; }
  /// `FILE:LINE:COLUMN: message` each.
  const std::vector<std::string>& errors() const { return errors_; }
  const std::vector<std::string>& warnings() const { return warnings_; }
  /// All errors, a line each. Call only if !ok().
  Error ToError() const;

 private:
  static constexpr std::size_t kMaxErrors = 20;

  std::string file_;
  std::vector<std::string> errors_;
  std::vector<std::string> warnings_;
};

/// The effective values of a block: what is written, else the default. Only over validated nodes.
/// Cheap to copy; the document must outlive it.
class BlockView {
 public:
  /// `node` null: the block is not written, so everything is at its default.
  BlockView(const Block& block, const YamlNode* node) : block_(&block), node_(node) {}

  /// Written, and not as null.
  bool Has(std::string_view key) const;
  /// Where the key's value stands, or else the block.
  YamlMark MarkOf(std::string_view key) const;
  YamlMark mark() const { return node_ == nullptr ? YamlMark{} : node_->mark; }
  const Block& block() const { return *block_; }
  const YamlNode* node() const { return node_; }

  std::string Text(std::string_view key) const;
  bool Bool(std::string_view key) const;
  std::int64_t Int(std::string_view key) const;
  std::uint64_t Uint(std::string_view key) const;
  double Float(std::string_view key) const;
  Duration Time(std::string_view key) const;
  std::int64_t Size(std::string_view key) const;
  std::vector<std::string> Strings(std::string_view key) const;
  BlockView Child(std::string_view key) const;
  std::vector<BlockView> Children(std::string_view key) const;
  /// The value as it is written, or null. For the types that have no accessor.
  const YamlNode* Raw(std::string_view key) const;

 private:
  /// The scalar's text after defaults: null stands for the zero value.
  const std::string* Scalar(std::string_view key) const;

  const Block* block_;
  const YamlNode* node_;
};

/// The block's key of this name, looked for in its inlined blocks too; null if it has none.
const Field* FindField(const Block& block, std::string_view name);

/// Checks `node` against `block`, with everything below it.
void Validate(const Block& block, const YamlNode& node, const YamlDocument& document,
              Diagnostics& diagnostics);

/// Calls `visit` for each block that can be reached from `root`, once.
void ForEachBlock(const Block& root, const std::function<void(const Block&)>& visit);

// For checks.

/// True if more than one of `keys` has a value that is not empty.
bool MoreThanOne(const BlockView& view, std::initializer_list<std::string_view> keys);
/// Fails with `message` if the key's effective text is empty.
bool Require(const BlockView& view, std::string_view key, std::string_view message,
             Diagnostics& diagnostics);
bool IsOneOf(std::string_view value, std::initializer_list<std::string_view> allowed);

/// The file `prometheus.yml` itself. schema_root.cc
extern const Block kRootBlock;
/// A file of `scrape_config_files`.
extern const Block kScrapeFileBlock;

}  // namespace sonde::config
