#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

// Finds a few members of a JSON text while it streams past, without building a document and without
// a copy of it: the text may come in pieces cut anywhere. Which members, is a small tree of names.
// Everything else is skipped at memory speed. It reads valid JSON right (equivalence tests against
// base/json); what it skips it does not validate.

namespace sonde::gateway {

/// A place in the tree of members that are looked for. 0 is "not looked for", 1 is the root.
using JsonNode = std::uint8_t;
inline constexpr JsonNode kNoNode = 0;
inline constexpr JsonNode kRootNode = 1;

/// Member `name` of an object at `from` leads to `to`. The name "[]" stands for each element of an
/// array.
struct JsonEdge {
  JsonNode from;
  std::string_view name;
  JsonNode to;
};

/// Told what stands at the nodes of the tree. Called in the order of the text.
class JsonSink {
 public:
  virtual ~JsonSink() = default;
  /// A string; `size` is its length in the text. `value` is the string without its escapes if it is
  /// at most kMaxCaptured long, else empty.
  virtual void OnString(JsonNode node, std::string_view value, std::uint64_t size) = 0;
  /// A number, `true`, `false` or `null`, as written; empty if it is longer than kMaxCaptured.
  virtual void OnScalar(JsonNode node, std::string_view text) = 0;
  /// An object or an array begins.
  virtual void OnOpen(JsonNode /*node*/, bool /*is_array*/) {}
  /// The array at `node` has an element.
  virtual void OnElement(JsonNode /*node*/) {}
};

/// Not thread-safe. After an error it ignores everything until Reset.
class JsonScanner {
 public:
  static constexpr std::size_t kMaxCaptured = 256;
  static constexpr std::size_t kMaxNodes = 64;

  /// Both must outlive it. Edges with the same `from` stand together; all nodes are below
  /// kMaxNodes, edges below 255.
  JsonScanner(std::span<const JsonEdge> edges, JsonSink& sink);

  void Reset();
  void Feed(std::string_view piece);

  /// The top-level value is complete.
  bool done() const { return state_ == State::kDone; }
  /// This is not JSON.
  bool failed() const { return state_ == State::kFailed; }

 private:
  enum class State : std::uint8_t {
    kValue,       // A value must come.
    kValueOrEnd,  // A value or ']': an array has just begun.
    kKeyOrEnd,    // A member's name or '}': an object has just begun.
    kKey,         // A member's name must come.
    kColon,
    kCommaOrEnd,
    kString,  // Within a value that is looked for, or a name.
    kEscape,
    kUnicode,
    kScalar,
    kSkipString,  // Within the value of no interest.
    kSkipEscape,
    kSkipNested,  // Within an object or array of no interest.
    kSkipNestedString,
    kSkipNestedEscape,
    kDone,
    kFailed,
  };
  static constexpr std::size_t kMaxDepth = 8;  // Of the tree; what is deeper is of no interest.

  struct Level {
    JsonNode node;
    bool is_array;
  };

  const char* Step(const char* p, const char* end);
  const char* BeginValue(const char* p);
  const char* InString(const char* p, const char* end);
  const char* InEscape(const char* p);
  const char* InUnicode(const char* p);
  const char* InScalar(const char* p, const char* end);
  const char* SkipString(const char* p, const char* end);
  const char* SkipNested(const char* p, const char* end);
  const char* AfterContainerStart(const char* p, char c);
  const char* CommaOrEnd(const char* p, char c);
  void Open(bool is_array);
  void EndString();
  void EndScalar();
  void EndValue();
  void Capture(std::string_view bytes);
  JsonNode Child(JsonNode from, std::string_view name) const;
  const char* Fail(const char* p);

  const std::span<const JsonEdge> edges_;
  JsonSink& sink_;
  std::array<std::uint8_t, kMaxNodes>
      first_edge_;  // By `from`; the number of edges if there are none.
  State state_ = State::kValue;
  bool in_key_ = false;
  JsonNode node_ = kRootNode;  // Of the value that comes or is being read.
  std::uint8_t depth_ = 0;
  std::uint8_t unicode_left_ = 0;
  std::uint16_t unicode_ = 0;
  bool too_long_ = false;
  std::uint64_t skip_depth_ = 0;
  std::uint64_t string_size_ = 0;
  std::size_t captured_size_ = 0;
  std::array<Level, kMaxDepth> levels_;
  std::array<char, kMaxCaptured> captured_;
};

}  // namespace sonde::gateway
