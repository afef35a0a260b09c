#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

// Reading and writing the binary primitives of the on-disk formats (docs/formats/): big-endian
// integers and LEB128 varints, unsigned (Go's Uvarint) and zig-zag signed (Go's Varint).

namespace sonde {

inline void PutBe16(std::string& out, std::uint16_t v) {
  const char bytes[2] = {static_cast<char>(v >> 8), static_cast<char>(v)};
  out.append(bytes, 2);
}

inline void PutBe32(std::string& out, std::uint32_t v) {
  v = __builtin_bswap32(v);
  char bytes[4];
  std::memcpy(bytes, &v, 4);
  out.append(bytes, 4);
}

inline void PutBe64(std::string& out, std::uint64_t v) {
  v = __builtin_bswap64(v);
  char bytes[8];
  std::memcpy(bytes, &v, 8);
  out.append(bytes, 8);
}

inline void PutUvarint(std::string& out, std::uint64_t v) {
  char bytes[10];
  std::size_t n = 0;
  while (v >= 0x80) {
    bytes[n++] = static_cast<char>(v | 0x80);
    v >>= 7;
  }
  bytes[n++] = static_cast<char>(v);
  out.append(bytes, n);
}

inline void PutVarint(std::string& out, std::int64_t v) {
  PutUvarint(out, (static_cast<std::uint64_t>(v) << 1) ^ static_cast<std::uint64_t>(v >> 63));
}

/// A uvarint length and the bytes.
inline void PutUvarintString(std::string& out, std::string_view s) {
  PutUvarint(out, s.size());
  out.append(s);
}

inline std::uint16_t LoadBe16(const char* p) {
  std::uint16_t v;
  std::memcpy(&v, p, 2);
  return __builtin_bswap16(v);
}
inline std::uint32_t LoadBe32(const char* p) {
  std::uint32_t v;
  std::memcpy(&v, p, 4);
  return __builtin_bswap32(v);
}
inline std::uint64_t LoadBe64(const char* p) {
  std::uint64_t v;
  std::memcpy(&v, p, 8);
  return __builtin_bswap64(v);
}

/// Walks over foreign bytes and never reads past their end: after the first read that does not fit,
/// ok() is false and every later read returns zero. Check ok() once, before using what was read.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes)
      : begin_(bytes.data()), at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  bool ok() const { return ok_; }
  bool empty() const { return at_ == end_; }
  std::size_t remaining() const { return static_cast<std::size_t>(end_ - at_); }
  std::size_t offset() const { return static_cast<std::size_t>(at_ - begin_); }
  std::string_view rest() const { return {at_, remaining()}; }

  std::uint8_t Byte() {
    if (!Has(1)) return 0;
    return static_cast<std::uint8_t>(*at_++);
  }
  std::uint16_t Be16() {
    if (!Has(2)) return 0;
    at_ += 2;
    return LoadBe16(at_ - 2);
  }
  std::uint32_t Be32() {
    if (!Has(4)) return 0;
    at_ += 4;
    return LoadBe32(at_ - 4);
  }
  std::uint64_t Be64() {
    if (!Has(8)) return 0;
    at_ += 8;
    return LoadBe64(at_ - 8);
  }
  double Be64Double() { return std::bit_cast<double>(Be64()); }

  std::uint64_t Uvarint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (!Has(1)) return 0;
      const auto byte = static_cast<std::uint8_t>(*at_++);
      if (shift == 63 && byte > 1) break;
      value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    ok_ = false;
    return 0;
  }
  std::int64_t Varint() {
    const std::uint64_t zigzag = Uvarint();
    return static_cast<std::int64_t>(zigzag >> 1) ^ -static_cast<std::int64_t>(zigzag & 1);
  }

  /// The next `size` bytes, not copied.
  std::string_view Bytes(std::uint64_t size) {
    if (!Has(size)) return {};
    at_ += size;
    return {at_ - size, static_cast<std::size_t>(size)};
  }
  std::string_view UvarintString() { return Bytes(Uvarint()); }
  void Skip(std::uint64_t size) { Bytes(size); }

 private:
  bool Has(std::uint64_t size) {
    if (ok_ && size <= remaining()) return true;
    ok_ = false;
    return false;
  }

  const char* begin_;
  const char* at_;
  const char* end_;
  bool ok_ = true;
};

}  // namespace sonde
