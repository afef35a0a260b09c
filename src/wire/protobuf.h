#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

// The protobuf wire format, in the few lines that reading and writing Prometheus' messages takes.
// Nothing is copied.

namespace sonde::wire {

enum class ProtoType : unsigned char { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

/// Reads a varint at `p`. Returns its end, or null if it does not fit before `end` or into 64 bits.
inline const char* ReadProtoVarint(const char* p, const char* end, std::uint64_t& value) {
  if (p != end && static_cast<unsigned char>(*p) < 0x80) {  // Most lengths are one byte.
    value = static_cast<unsigned char>(*p);
    return p + 1;
  }
  std::uint64_t result = 0;
  for (unsigned shift = 0; shift < 64 && p != end; shift += 7) {
    const auto byte = static_cast<unsigned char>(*p++);
    if (shift == 63 && byte > 1) return nullptr;
    result |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) {
      value = result;
      return p;
    }
  }
  return nullptr;
}

inline double LoadProtoDouble(const char* p) {
  static_assert(std::endian::native == std::endian::little);
  double value;
  std::memcpy(&value, p, sizeof(value));
  return value;
}

/// Walks over the fields of one message. After the first field that is not well-formed, or that is
/// read as another type than it has, ok() is false and Next() too.
///
///   ProtoReader in(bytes);
///   while (in.Next()) {
///     switch (in.field()) {
///       case 1: name = in.Bytes(); break;
///       default: break;  // Unknown fields are skipped.
///     }
///   }
///   if (!in.ok()) …
class ProtoReader {
 public:
  explicit ProtoReader(std::string_view message)
      : at_(message.data()), end_(message.data() + message.size()) {}

  bool ok() const { return ok_; }

  /// Goes to the next field; false at the end of the message.
  bool Next() {
    if (!ok_ || at_ == end_) return false;
    std::uint64_t tag = 0;
    at_ = ReadProtoVarint(at_, end_, tag);
    field_ = static_cast<std::uint32_t>(tag >> 3);
    if (at_ == nullptr || tag > 0xFFFFFFFF || field_ == 0) return Fail();
    switch (tag & 7) {
      case 0:
        at_ = ReadProtoVarint(at_, end_, number_);
        break;
      case 1:
        at_ = Take(8);
        break;
      case 2:
        at_ = ReadProtoVarint(at_, end_, number_);
        if (at_ != nullptr) at_ = Take(number_);
        break;
      case 5:
        at_ = Take(4);
        break;
      default:  // Groups are not used by anybody.
        return Fail();
    }
    type_ = static_cast<ProtoType>(tag & 7);
    return at_ != nullptr || Fail();
  }

  std::uint32_t field() const { return field_; }
  ProtoType type() const { return type_; }

  std::uint64_t Uint64() { return Is(ProtoType::kVarint) ? number_ : 0; }
  std::int64_t Int64() { return static_cast<std::int64_t>(Uint64()); }
  std::uint32_t Uint32() { return static_cast<std::uint32_t>(Uint64()); }
  /// Zig-zag encoded.
  std::int64_t Sint64() { return ZigZag(Uint64()); }
  std::int32_t Sint32() { return static_cast<std::int32_t>(Sint64()); }
  double Double() { return Is(ProtoType::kFixed64) ? LoadProtoDouble(content_.data()) : 0; }
  std::string_view Bytes() { return Is(ProtoType::kBytes) ? content_ : std::string_view(); }

  /// Calls visit(value) for each element of a repeated field of varints, packed or not.
  template <class F>
  void Varints(F visit) {
    if (type_ != ProtoType::kBytes) {
      if (Is(ProtoType::kVarint)) visit(number_);
      return;
    }
    const char* p = content_.data();
    const char* end = p + content_.size();
    while (p != end) {
      std::uint64_t value = 0;
      p = ReadProtoVarint(p, end, value);
      if (p == nullptr) {
        Fail();
        return;
      }
      visit(value);
    }
  }

  /// The same for doubles.
  template <class F>
  void Doubles(F visit) {
    if (type_ != ProtoType::kBytes) {
      if (Is(ProtoType::kFixed64)) visit(LoadProtoDouble(content_.data()));
      return;
    }
    if (content_.size() % 8 != 0) {
      Fail();
      return;
    }
    for (std::size_t i = 0; i < content_.size(); i += 8)
      visit(LoadProtoDouble(content_.data() + i));
  }

  static std::int64_t ZigZag(std::uint64_t v) {
    return static_cast<std::int64_t>(v >> 1) ^ -static_cast<std::int64_t>(v & 1);
  }

 private:
  bool Fail() {
    ok_ = false;
    at_ = end_;
    return false;
  }
  bool Is(ProtoType type) { return type_ == type || Fail(); }
  const char* Take(std::uint64_t size) {
    if (size > static_cast<std::uint64_t>(end_ - at_)) return nullptr;
    content_ = {at_, static_cast<std::size_t>(size)};
    return at_ + size;
  }

  const char* at_;
  const char* end_;
  bool ok_ = true;
  ProtoType type_ = ProtoType::kVarint;
  std::uint32_t field_ = 0;
  std::uint64_t number_ = 0;
  std::string_view content_;
};

/// Appends fields to a message. Zero and empty values are written too: proto3 readers take both.
class ProtoWriter {
 public:
  explicit ProtoWriter(std::string& out) : out_(out) {}

  void Varint(std::uint64_t v) {
    while (v >= 0x80) {
      out_.push_back(static_cast<char>(v | 0x80));
      v >>= 7;
    }
    out_.push_back(static_cast<char>(v));
  }
  void Uint64(std::uint32_t field, std::uint64_t v) {
    Tag(field, ProtoType::kVarint);
    Varint(v);
  }
  void Int64(std::uint32_t field, std::int64_t v) { Uint64(field, static_cast<std::uint64_t>(v)); }
  void Sint64(std::uint32_t field, std::int64_t v) { Uint64(field, ZigZag(v)); }
  void Double(std::uint32_t field, double v) {
    Tag(field, ProtoType::kFixed64);
    AppendDouble(v);
  }
  void AppendDouble(double v) {
    char bytes[8];
    std::memcpy(bytes, &v, 8);
    out_.append(bytes, 8);
  }
  void Bytes(std::uint32_t field, std::string_view v) {
    Tag(field, ProtoType::kBytes);
    Varint(v.size());
    out_.append(v);
  }
  static std::uint64_t ZigZag(std::int64_t v) {
    return (static_cast<std::uint64_t>(v) << 1) ^ static_cast<std::uint64_t>(v >> 63);
  }

 private:
  void Tag(std::uint32_t field, ProtoType type) {
    Varint((std::uint64_t{field} << 3) | static_cast<std::uint64_t>(type));
  }

  std::string& out_;
};

}  // namespace sonde::wire
