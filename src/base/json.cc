#include "base/json.h"

#include <array>
#include <cmath>

#include <boost/json.hpp>

#include "base/number.h"
#include "base/utf8.h"

namespace sonde {
namespace {

namespace bj = boost::json;

const bj::value& AsValue(const void* value) {
  return *static_cast<const bj::value*>(value);
}

void AppendEscapedByte(std::string& out, char c) {
  static constexpr char kHex[] = "0123456789abcdef";
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      out += "\\u00";
      out.push_back(kHex[static_cast<unsigned char>(c) >> 4]);
      out.push_back(kHex[static_cast<unsigned char>(c) & 15]);
  }
}

}  // namespace

void AppendJsonString(std::string& out, std::string_view s) {
  out.push_back('"');
  std::size_t plain = 0;  // Start of the run of bytes that can be copied as they are.
  std::size_t i = 0;
  const auto flush = [&](std::size_t end) { out.append(s.substr(plain, end - plain)); };
  while (i < s.size()) {
    const auto byte = static_cast<unsigned char>(s[i]);
    if (byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\') {
      ++i;
    } else if (byte < 0x80) {
      flush(i);
      AppendEscapedByte(out, s[i]);
      plain = ++i;
    } else {
      const DecodedRune decoded = DecodeRune(s.substr(i));
      if (decoded.size == 1) {
        flush(i);
        out += "\xEF\xBF\xBD";
        plain = i + 1;
      }
      i += decoded.size;
    }
  }
  flush(s.size());
  out.push_back('"');
}

void JsonWriter::Separate() {
  if (needs_comma_) out_.push_back(',');
  needs_comma_ = true;
}

JsonWriter& JsonWriter::Open(char bracket) {
  Separate();
  out_.push_back(bracket);
  needs_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::Close(char bracket) {
  out_.push_back(bracket);
  needs_comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::Key(std::string_view key) {
  Separate();
  AppendJsonString(out_, key);
  out_.push_back(':');
  needs_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::String(std::string_view value) {
  Separate();
  AppendJsonString(out_, value);
  return *this;
}

JsonWriter& JsonWriter::Int(std::int64_t value) {
  Separate();
  AppendInt(out_, value);
  return *this;
}

JsonWriter& JsonWriter::Uint(std::uint64_t value) {
  Separate();
  AppendUint(out_, value);
  return *this;
}

JsonWriter& JsonWriter::Double(double value) {
  if (!std::isfinite(value)) return Null();
  Separate();
  AppendFloatApi(out_, value);
  return *this;
}

JsonWriter& JsonWriter::Bool(bool value) {
  Separate();
  out_ += value ? "true" : "false";
  return *this;
}

JsonWriter& JsonWriter::Null() {
  Separate();
  out_ += "null";
  return *this;
}

JsonWriter& JsonWriter::Raw(std::string_view json) {
  Separate();
  out_ += json;
  return *this;
}

bool JsonView::is_null() const {
  return exists() && AsValue(value_).is_null();
}
bool JsonView::is_object() const {
  return exists() && AsValue(value_).is_object();
}
bool JsonView::is_array() const {
  return exists() && AsValue(value_).is_array();
}
bool JsonView::is_string() const {
  return exists() && AsValue(value_).is_string();
}
bool JsonView::is_number() const {
  return exists() && AsValue(value_).is_number();
}

std::optional<std::string_view> JsonView::string() const {
  if (!is_string()) return std::nullopt;
  const bj::string& s = AsValue(value_).get_string();
  return std::string_view(s.data(), s.size());
}

std::optional<double> JsonView::number() const {
  if (!is_number()) return std::nullopt;
  return AsValue(value_).to_number<double>();
}

std::optional<std::int64_t> JsonView::integer() const {
  if (!is_number()) return std::nullopt;
  boost::system::error_code error;
  const auto value = AsValue(value_).to_number<std::int64_t>(error);
  if (error) return std::nullopt;
  return value;
}

std::optional<bool> JsonView::boolean() const {
  if (!exists() || !AsValue(value_).is_bool()) return std::nullopt;
  return AsValue(value_).get_bool();
}

JsonView JsonView::operator[](std::string_view key) const {
  if (!is_object()) return {};
  return JsonView(AsValue(value_).get_object().if_contains({key.data(), key.size()}));
}

std::size_t JsonView::size() const {
  if (is_array()) return AsValue(value_).get_array().size();
  if (is_object()) return AsValue(value_).get_object().size();
  return 0;
}

JsonView JsonView::at(std::size_t index) const {
  if (!is_array()) return {};
  return JsonView(AsValue(value_).get_array().if_contains(index));
}

void JsonView::ForEach(const std::function<void(std::string_view, JsonView)>& visit) const {
  if (!is_object()) return;
  for (const auto& member : AsValue(value_).get_object()) {
    visit({member.key().data(), member.key().size()}, JsonView(&member.value()));
  }
}

struct JsonDocument::State {
  bj::monotonic_resource memory;
  bj::value root;
};

JsonDocument::JsonDocument(std::unique_ptr<State> state) : state_(std::move(state)) {}
JsonDocument::JsonDocument(JsonDocument&&) noexcept = default;
JsonDocument& JsonDocument::operator=(JsonDocument&&) noexcept = default;
JsonDocument::~JsonDocument() = default;

JsonView JsonDocument::root() const {
  return JsonView(&state_->root);
}

Result<JsonDocument> JsonDocument::Parse(std::string_view text, int max_depth) {
  auto state = std::make_unique<State>();
  bj::parse_options options;
  options.max_depth = static_cast<std::size_t>(max_depth);
  try {
    bj::parser parser(bj::storage_ptr(&state->memory), options);
    boost::system::error_code error;
    const std::size_t used = parser.write(text.data(), text.size(), error);
    if (error) {
      return Error(ErrorKind::kInvalid,
                   "JSON: " + error.message() + " at byte " + std::to_string(used));
    }
    state->root = parser.release();
  } catch (const std::exception& failure) {
    return Error(ErrorKind::kInvalid, std::string("JSON: ") + failure.what());
  }
  return JsonDocument(std::move(state));
}

}  // namespace sonde
