#include "net/http.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <utility>

#include "base/check.h"
#include "base/quote.h"

namespace sonde::net {
namespace {

constexpr char Lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

Error BadUrl(std::string_view text, std::string_view why) {
  // A password must not reach a log through an error message.
  const std::size_t at = text.rfind('@');
  const std::string shown =
      at == std::string_view::npos ? std::string(text) : "***" + std::string(text.substr(at));
  return Error(ErrorKind::kInvalid, "URL " + QuoteGo(shown) + ": " + std::string(why));
}

std::optional<std::uint16_t> ParsePort(std::string_view text) {
  unsigned port = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (code != std::errc() || end != text.data() + text.size() || port > 65535) return std::nullopt;
  return static_cast<std::uint16_t>(port);
}

/// "host:port", "[v6]:port", "host", "[v6]", ":port" taken apart; the port stays text ("" if there
/// is none).
struct HostPort {
  std::string_view host;
  std::string_view port;
  bool has_port = false;
};

std::optional<HostPort> SplitHostPort(std::string_view text) {
  HostPort out;
  std::string_view rest;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    out.host = text.substr(1, close - 1);
    if (out.host.find(':') == std::string_view::npos) return std::nullopt;
    rest = text.substr(close + 1);
    if (!rest.empty() && rest.front() != ':') return std::nullopt;
  } else {
    const std::size_t colon = text.find(':');
    out.host = text.substr(0, colon);
    rest = colon == std::string_view::npos ? "" : text.substr(colon);
    if (rest.find(':', 1) != std::string_view::npos) return std::nullopt;  // A bare IPv6 address.
  }
  out.has_port = !rest.empty();
  if (out.has_port) out.port = rest.substr(1);
  return out;
}

bool IsHostByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == ':' || c == '%' || static_cast<unsigned char>(c) >= 0x80;
}

bool IsUnreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
           return x == y || Lower(x) == Lower(y);
         });
}

void Headers::Add(std::string_view name, std::string_view value) {
  places_.push_back({static_cast<std::uint32_t>(text_.size()),
                     static_cast<std::uint32_t>(name.size()),
                     static_cast<std::uint32_t>(value.size())});
  text_.append(name);
  text_.append(value);
}

void Headers::Set(std::string_view name, std::string_view value) {
  // Either may point into text_, which changes.
  const std::string name_copy(name);
  const std::string value_copy(value);
  Remove(name_copy);
  Add(name_copy, value_copy);
}

void Headers::Remove(std::string_view name) {
  std::erase_if(places_, [&](const Place& p) {
    return EqualsIgnoringCase({text_.data() + p.offset, p.name_size}, name);
  });
}

void Headers::ExtendLast(std::string_view more) {
  CHECK(!places_.empty());
  Place& last = places_.back();
  CHECK(last.offset + last.name_size + last.value_size == text_.size());
  text_.append(more);
  last.value_size += static_cast<std::uint32_t>(more.size());
}

Headers::Field Headers::at(std::size_t index) const {
  const Place& p = places_[index];
  const char* name = text_.data() + p.offset;
  return {{name, p.name_size}, {name + p.name_size, p.value_size}};
}

std::string_view Headers::Get(std::string_view name) const {
  for (const auto& [n, v] : *this) {
    if (EqualsIgnoringCase(n, name)) return v;
  }
  return {};
}

bool Headers::Has(std::string_view name) const {
  return std::any_of(begin(), end(),
                     [&](const Field& f) { return EqualsIgnoringCase(f.first, name); });
}

std::size_t Headers::Count(std::string_view name) const {
  return static_cast<std::size_t>(std::count_if(
      begin(), end(), [&](const Field& f) { return EqualsIgnoringCase(f.first, name); }));
}

bool Headers::HasToken(std::string_view name, std::string_view token) const {
  for (const auto& [n, value] : *this) {
    if (!EqualsIgnoringCase(n, name)) continue;
    std::string_view rest = value;
    while (!rest.empty()) {
      const std::size_t comma = rest.find(',');
      std::string_view item = rest.substr(0, comma);
      rest = comma == std::string_view::npos ? "" : rest.substr(comma + 1);
      item = TrimSpace(item.substr(0, item.find(';')));  // `gzip;q=0.5` is gzip.
      if (EqualsIgnoringCase(item, token)) return true;
    }
  }
  return false;
}

void Headers::clear() {
  text_.clear();
  places_.clear();
}

Result<Url> Url::Parse(std::string_view text) {
  Url url;
  std::string_view rest = text;
  if (rest.size() >= 7 && EqualsIgnoringCase(rest.substr(0, 7), "http://")) {
    rest.remove_prefix(7);
  } else if (rest.size() >= 8 && EqualsIgnoringCase(rest.substr(0, 8), "https://")) {
    url.tls = true;
    rest.remove_prefix(8);
  } else {
    return BadUrl(text, "does not start with http:// or https://");
  }
  url.port = url.tls ? 443 : 80;

  const std::size_t end = rest.find_first_of("/?#");
  std::string_view authority = rest.substr(0, end);
  std::string_view target = end == std::string_view::npos ? "" : rest.substr(end);
  target = target.substr(0, target.find('#'));
  if (!target.starts_with('/')) {
    url.path += target;  // "" or "?query".
  } else {
    url.path = target;
  }
  if (std::ranges::any_of(
          url.path, [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == 0x7F; })) {
    return BadUrl(text, "has a space or a control character in its path");
  }

  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
    const std::string_view user_info = authority.substr(0, at);
    authority.remove_prefix(at + 1);
    const std::size_t colon = user_info.find(':');
    const auto user = PercentDecode(user_info.substr(0, colon), false);
    const auto password =
        PercentDecode(colon == std::string_view::npos ? "" : user_info.substr(colon + 1), false);
    if (!user || !password) return BadUrl(text, "has a malformed escape in user or password");
    url.user = *user;
    url.password = *password;
  }
  const auto split = SplitHostPort(authority);
  if (!split) return BadUrl(text, "has a malformed host (an IPv6 address stands in brackets)");
  if (split->host.empty()) return BadUrl(text, "has no host");
  if (!std::ranges::all_of(split->host, IsHostByte)) {
    return BadUrl(text, "has a character in its host that no host name has");
  }
  url.host = split->host;
  if (!split->port.empty()) {
    const auto port = ParsePort(split->port);
    if (!port || *port == 0) return BadUrl(text, "has a port that is not a number from 1 to 65535");
    url.port = *port;
  }
  return url;
}

std::string Url::authority() const {
  std::string out = host.find(':') == std::string::npos ? host : "[" + host + "]";
  if (port != (tls ? 443 : 80)) out += ":" + std::to_string(port);
  return out;
}

std::string Url::ToString() const {
  return (tls ? "https://" : "http://") + authority() + path;
}

std::optional<std::string> PercentDecode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '+' && plus_is_space) {
      out.push_back(' ');
    } else if (c != '%') {
      out.push_back(c);
    } else {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = HexValue(text[i + 1]);
      const int low = HexValue(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      out.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    }
  }
  return out;
}

std::string PercentEncode(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (IsUnreserved(c)) {
      out.push_back(c);
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out.push_back('%');
      out.push_back(kHex[byte >> 4]);
      out.push_back(kHex[byte & 15]);
    }
  }
  return out;
}

Result<Query> Query::Parse(std::string_view text) {
  Query query;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t end = rest.find('&');
    const std::string_view part = rest.substr(0, end);
    rest = end == std::string_view::npos ? "" : rest.substr(end + 1);
    if (part.empty()) continue;
    const std::size_t equals = part.find('=');
    auto name = PercentDecode(part.substr(0, equals), true);
    auto value =
        PercentDecode(equals == std::string_view::npos ? "" : part.substr(equals + 1), true);
    if (!name || !value) {
      return Error(ErrorKind::kInvalid, "malformed escape in parameter " + QuoteGo(part));
    }
    query.parameters_.emplace_back(*std::move(name), *std::move(value));
  }
  return query;
}

void Query::Append(const Query& other) {
  parameters_.insert(parameters_.end(), other.parameters_.begin(), other.parameters_.end());
}

std::string_view Query::Get(std::string_view name) const {
  const auto it = std::ranges::find_if(parameters_, [&](const auto& p) { return p.first == name; });
  return it == parameters_.end() ? std::string_view() : std::string_view(it->second);
}

bool Query::Has(std::string_view name) const {
  return std::ranges::any_of(parameters_, [&](const auto& p) { return p.first == name; });
}

std::vector<std::string_view> Query::GetAll(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const auto& [n, value] : parameters_) {
    if (n == name) values.emplace_back(value);
  }
  return values;
}

std::string BasicAuthorization(std::string_view user, std::string_view password) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::string text = std::string(user) + ":" + std::string(password);
  std::string out = "Basic ";
  for (std::size_t i = 0; i < text.size(); i += 3) {
    const auto byte = [&](std::size_t k) -> unsigned {
      return k < text.size() ? static_cast<unsigned char>(text[k]) : 0;
    };
    const unsigned group = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    out.push_back(kDigits[group >> 18]);
    out.push_back(kDigits[(group >> 12) & 63]);
    out.push_back(i + 1 < text.size() ? kDigits[(group >> 6) & 63] : '=');
    out.push_back(i + 2 < text.size() ? kDigits[group & 63] : '=');
  }
  return out;
}

constexpr std::pair<int, std::string_view> kStatusTexts[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {103, "Early Hints"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {207, "Multi-Status"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {423, "Locked"},
    {424, "Failed Dependency"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {499, "Client Closed Request"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
    {511, "Network Authentication Required"},
};

std::string_view StatusText(int status) {
  const auto* found =
      std::ranges::find(kStatusTexts, status, &std::pair<int, std::string_view>::first);
  return found == std::end(kStatusTexts) ? std::string_view() : found->second;
}

Result<ListenAddress> ListenAddress::Parse(std::string_view text) {
  const auto bad = [&](std::string_view why) {
    return Error(ErrorKind::kInvalid, "listen address " + QuoteGo(text) + ": " + std::string(why));
  };
  const auto split = SplitHostPort(text);
  if (!split) return bad("is not host:port (an IPv6 address stands in brackets)");
  if (!split->has_port) return bad("has no port");
  const auto port = ParsePort(split->port);
  if (!port) return bad("has a port that is not a number from 0 to 65535");
  if (!std::ranges::all_of(split->host, IsHostByte)) return bad("has a malformed host");
  return ListenAddress{std::string(split->host), *port};
}

}  // namespace sonde::net
