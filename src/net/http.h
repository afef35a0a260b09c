#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

// What HTTP messages are made of, for both sides.

namespace sonde::net {

/// Header fields in their order; names compare without case. All bytes lie in one string, so that a
/// message with a dozen fields costs no allocation once the object has been used. Views that it
/// hands out (also by iterating) live until the next change.
class Headers {
 public:
  using Field = std::pair<std::string_view, std::string_view>;  ///< Name and value.

  class Iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = Field;
    using difference_type = std::ptrdiff_t;

    Iterator() = default;
    Iterator(const Headers* headers, std::size_t index) : headers_(headers), index_(index) {}
    Field operator*() const { return headers_->at(index_); }
    Iterator& operator++() {
      ++index_;
      return *this;
    }
    Iterator operator++(int) {
      Iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(const Iterator&) const = default;

   private:
    const Headers* headers_ = nullptr;
    std::size_t index_ = 0;
  };

  void Add(std::string_view name, std::string_view value);
  /// Replaces all fields of this name.
  void Set(std::string_view name, std::string_view value);
  void Remove(std::string_view name);
  /// Appends `more` to the value of the last field (a folded line of an old server).
  void ExtendLast(std::string_view more);

  /// The first field's value, or "".
  std::string_view Get(std::string_view name) const;
  bool Has(std::string_view name) const;
  std::size_t Count(std::string_view name) const;
  /// True if a comma-separated field holds `token` (without case): `Connection: close, x`.
  bool HasToken(std::string_view name, std::string_view token) const;

  Field at(std::size_t index) const;
  Iterator begin() const { return Iterator(this, 0); }
  Iterator end() const { return Iterator(this, places_.size()); }
  std::size_t size() const { return places_.size(); }
  /// Keeps the memory.
  void clear();

 private:
  struct Place {
    std::uint32_t offset;
    std::uint32_t name_size;
    std::uint32_t value_size;
  };

  std::string text_;  // Name and value of each field behind each other.
  std::vector<Place> places_;
};

/// True if `a` and `b` are the same but for the case of ASCII letters.
bool EqualsIgnoringCase(std::string_view a, std::string_view b);

/// An absolute http or https URL, taken apart.
struct Url {
  bool tls = false;
  std::string host;  ///< Without brackets for IPv6.
  std::uint16_t port = 80;
  std::string path = "/";  ///< With the query, as it goes into the request line.
  std::string user;        ///< Percent-decoded.
  std::string password;

  /// kInvalid for anything but http(s)://host[:port][/path][?query].
  static Result<Url> Parse(std::string_view text);
  /// host:port as in the Host header: the port only where it is not the scheme's.
  std::string authority() const;
  /// "http://host:port/path", without user and password.
  std::string ToString() const;
};

/// `%41` → "A"; `+` → " " if `plus_is_space` (queries and forms). Nothing if an escape is
/// malformed.
std::optional<std::string> PercentDecode(std::string_view text, bool plus_is_space);
/// Escapes everything but unreserved characters (RFC 3986).
std::string PercentEncode(std::string_view text);

/// Parameters of a query string or a form, in order; names may repeat.
class Query {
 public:
  /// kInvalid if an escape is malformed.
  static Result<Query> Parse(std::string_view text);
  void Append(const Query& other);

  std::string_view Get(std::string_view name) const;  ///< The first value, or "".
  bool Has(std::string_view name) const;
  std::vector<std::string_view> GetAll(std::string_view name) const;
  auto begin() const { return parameters_.begin(); }
  auto end() const { return parameters_.end(); }

 private:
  std::vector<std::pair<std::string, std::string>> parameters_;
};

/// The value of an Authorization header: "Basic dXNlcjpwYXNz".
std::string BasicAuthorization(std::string_view user, std::string_view password);

/// "Not Found" for 404; "" for numbers without a name.
std::string_view StatusText(int status);

/// An address to listen on: "127.0.0.1:9797", ":9797" (all interfaces), "[::1]:9797",
/// "localhost:0".
struct ListenAddress {
  std::string host;
  std::uint16_t port = 0;
  static Result<ListenAddress> Parse(std::string_view text);
};

}  // namespace sonde::net
