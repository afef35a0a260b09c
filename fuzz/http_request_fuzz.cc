// Requests as a server reads them: heads, framing, bodies, one behind the other on a connection.
// How the bytes are cut must not matter, and where both we and another parser accept a message,
// both must see it end at the same place: two readers that disagree are how requests get smuggled.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

// All of it in this file: nothing else in the project uses Asio or Beast.
#undef BOOST_ASIO_SEPARATE_COMPILATION
#undef BOOST_BEAST_SEPARATE_COMPILATION
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "base/check.h"
#include "base/random.h"
#include "net/http_parser.h"

namespace {

using namespace sonde::net;  // NOLINT(google-build-using-namespace): a test program

/// Everything that was understood, as text.
std::string ReadAll(std::string_view bytes, sonde::Rng* cuts, std::size_t* first_size,
                    std::string* first_body) {
  std::string log;
  std::string buffer;
  std::size_t fed = 0;
  std::size_t consumed = 0;
  const auto feed = [&] {
    if (fed == bytes.size()) return false;
    const std::size_t n = cuts == nullptr
                              ? bytes.size()
                              : std::min<std::size_t>(1 + cuts->Below(9), bytes.size() - fed);
    buffer += bytes.substr(fed, n);
    fed += n;
    return true;
  };
  HeadScanner scanner(false);
  RequestHead head;
  BodyDecoder body;
  for (int messages = 0;; ++messages) {
    HeadScanner::Status status;
    while ((status = scanner.Scan(buffer)) == HeadScanner::Status::kIncomplete) {
      if (!feed()) return log + "<end>";
    }
    if (status == HeadScanner::Status::kBad) return log + "<bad line>";
    const std::size_t head_size = scanner.size();
    const auto error = ParseRequestHead(std::string_view(buffer).substr(0, head_size), head);
    if (error) return log + "<" + error->reason + ">";
    buffer.erase(0, head_size);
    consumed += head_size;
    scanner.Reset();
    log += head.method + " " + head.target + "|" + std::string(head.path) + "|" +
           std::string(head.query);
    for (const auto& [name, value] : head.headers) {
      log += "|" + std::string(name) + ":" + std::string(value);
    }
    body.Start(head.body, head.content_length);
    std::string content;
    while (!body.done()) {
      const BodyDecoder::Step step = body.Next(buffer);
      content += step.piece;
      buffer.erase(0, step.consumed);
      consumed += step.consumed;
      if (body.error()) return log + content + "<" + body.error()->reason + ">";
      if (body.done() || !step.piece.empty()) continue;
      if (!feed()) return log + content + "<cut>";
    }
    log += "{" + content + "}";
    if (messages == 0 && first_size != nullptr) {
      *first_size = consumed;
      *first_body = content;
    }
  }
}

/// Compares the first message with Boost.Beast's reading of it.
void CompareWithBeast(std::string_view bytes, std::size_t our_size, const std::string& our_body) {
  namespace http = boost::beast::http;
  http::request_parser<http::string_body> parser;
  parser.eager(true);
  parser.body_limit(boost::none);
  std::size_t used = 0;
  boost::system::error_code error;
  while (!parser.is_done() && used < bytes.size()) {
    const std::size_t n =
        parser.put(boost::asio::buffer(bytes.data() + used, bytes.size() - used), error);
    used += n;
    if (error == http::error::need_buffer) error = {};
    if (error || n == 0)
      return;  // Refused, or it wants more: it does not take what we take, which is safe.
  }
  if (!parser.is_done()) return;
  CHECK(used == our_size);
  CHECK(parser.get().body() == our_body);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  std::size_t first_size = 0;
  std::string first_body;
  const std::string whole = ReadAll(bytes, nullptr, &first_size, &first_body);
  sonde::Rng cuts(size * 31 + (size > 0 ? data[size / 2] : 0));
  CHECK(ReadAll(bytes, &cuts, nullptr, nullptr) == whole);
  if (first_size > 0) CompareWithBeast(bytes, first_size, first_body);
  return 0;
}
