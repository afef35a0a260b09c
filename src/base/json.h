#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

// JSON: a writer that appends to a string and costs nothing per value, and a parsed document.

namespace sonde {

/// Appends `s` as a JSON string with quotes. `<`, `>` and `&` stay as they are; bytes that are not
/// UTF-8 become U+FFFD, so the output is always valid.
void AppendJsonString(std::string& out, std::string_view s);

/// Writes JSON into a string, with the commas in the right places.
///
///   JsonWriter json(out);
///   json.BeginObject().Key("up").Bool(true).Key("values").BeginArray().Int(1).EndArray().EndObject();
///
/// Calls must nest properly (DCHECKed only by the result). Not thread-safe.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  JsonWriter& BeginObject() { return Open('{'); }
  JsonWriter& EndObject() { return Close('}'); }
  JsonWriter& BeginArray() { return Open('['); }
  JsonWriter& EndArray() { return Close(']'); }
  JsonWriter& Key(std::string_view key);
  JsonWriter& String(std::string_view value);
  JsonWriter& Int(std::int64_t value);
  JsonWriter& Uint(std::uint64_t value);
  /// Shortest form; JSON has no NaN or infinity, so they become null.
  JsonWriter& Double(double value);
  JsonWriter& Bool(bool value);
  JsonWriter& Null();
  /// A value that is already JSON.
  JsonWriter& Raw(std::string_view json);

 private:
  JsonWriter& Open(char bracket);
  JsonWriter& Close(char bracket);
  void Separate();

  std::string& out_;
  bool needs_comma_ = false;
};

/// A value inside a JsonDocument, which must outlive it. Accessors of the wrong type answer with
/// nothing, and members of what is not an object are null: chains need no checks in between.
class JsonView {
 public:
  JsonView() = default;

  bool exists() const { return value_ != nullptr; }  ///< False for a missing member.
  bool is_null() const;
  bool is_object() const;
  bool is_array() const;
  bool is_string() const;
  bool is_number() const;

  std::optional<std::string_view> string() const;
  std::optional<double> number() const;
  std::optional<std::int64_t> integer() const;  ///< Numbers with an integral value only.
  std::optional<bool> boolean() const;

  JsonView operator[](std::string_view key) const;
  std::size_t size() const;  ///< Elements of an array or members of an object, else 0.
  JsonView at(std::size_t index) const;
  /// Calls `visit` for each member in document order.
  void ForEach(const std::function<void(std::string_view key, JsonView value)>& visit) const;

 private:
  friend class JsonDocument;
  explicit JsonView(const void* value) : value_(value) {}

  const void* value_ = nullptr;
};

/// A parsed JSON text. Move-only; views stay valid when it moves.
class JsonDocument {
 public:
  /// At most `max_depth` nested levels. Errors are kInvalid and name the byte offset.
  static Result<JsonDocument> Parse(std::string_view text, int max_depth = 64);

  JsonDocument(JsonDocument&&) noexcept;
  JsonDocument& operator=(JsonDocument&&) noexcept;
  ~JsonDocument();

  JsonView root() const;

 private:
  struct State;
  explicit JsonDocument(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace sonde
