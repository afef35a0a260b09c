#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

// What HTTP messages are made of, for both sides.

namespace sonde::net {

/// Header fields in their order; names compare without case. A handful per message, so a vector.
class Headers {
 public:
  void Add(std::string_view name, std::string_view value) {
    fields_.emplace_back(std::string(name), std::string(value));
  }
  /// Replaces all fields of this name.
  void Set(std::string_view name, std::string_view value);
  void Remove(std::string_view name);
  /// The first field's value, or "".
  std::string_view Get(std::string_view name) const;
  bool Has(std::string_view name) const;
  /// True if a comma-separated field holds `token` (without case): `Connection: close, x`.
  bool HasToken(std::string_view name, std::string_view token) const;

  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }
  std::size_t size() const { return fields_.size(); }
  void clear() { fields_.clear(); }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

/// An absolute http or https URL, taken apart.
struct Url {
  bool tls = false;
  std::string host;      ///< Without brackets for IPv6.
  std::uint16_t port = 80;
  std::string path = "/";  ///< With the query, as it goes into the request line.
  std::string user;      ///< Percent-decoded.
  std::string password;

  /// kInvalid for anything but http(s)://host[:port][/path][?query].
  static Result<Url> Parse(std::string_view text);
  /// host:port as in the Host header: the port only where it is not the scheme's.
  std::string authority() const;
  /// "http://host:port/path", without user and password.
  std::string ToString() const;
};

/// `%41` → "A"; `+` → " " if `plus_is_space` (queries and forms). Nothing if an escape is malformed.
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

/// "Not Found" for 404; "" for numbers without a name.
std::string_view StatusText(int status);

/// An address to listen on: "127.0.0.1:9797", ":9797" (all interfaces), "[::1]:9797", "localhost:0".
struct ListenAddress {
  std::string host;
  std::uint16_t port = 0;
  static Result<ListenAddress> Parse(std::string_view text);
};

}  // namespace sonde::net
