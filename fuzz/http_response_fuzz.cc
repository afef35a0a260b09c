// Responses as our client reads them; how the bytes are cut must not matter.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/random.h"
#include "net/http_parser.h"

namespace {

using namespace sonde::net;  // NOLINT(google-build-using-namespace): a test program

std::string Read(std::string_view bytes, sonde::Rng* cuts) {
  std::string buffer;
  std::size_t fed = 0;
  const auto feed = [&] {
    if (fed == bytes.size()) return false;
    const std::size_t n = cuts == nullptr
                              ? bytes.size()
                              : std::min<std::size_t>(1 + cuts->Below(9), bytes.size() - fed);
    buffer += bytes.substr(fed, n);
    fed += n;
    return true;
  };
  HeadScanner scanner(true);
  while (scanner.Scan(buffer) != HeadScanner::Status::kComplete) {
    if (!feed()) return "incomplete";
  }
  ResponseHead head;
  if (const auto error =
          ParseResponseHead(std::string_view(buffer).substr(0, scanner.size()), false, head)) {
    return error->reason;
  }
  buffer.erase(0, scanner.size());
  std::string log = std::to_string(head.status);
  for (const auto& [name, value] : head.headers) {
    log += "|" + std::string(name) + ":" + std::string(value);
  }
  log += "|";
  BodyDecoder body;
  body.Start(head.body, head.content_length);
  while (!body.done()) {
    const BodyDecoder::Step step = body.Next(buffer);
    log += step.piece;
    buffer.erase(0, step.consumed);
    if (body.error()) return log + "<" + body.error()->reason + ">";
    if (body.done() || !step.piece.empty()) continue;
    if (!feed()) return log + (body.AtClose() ? "<close>" : "<cut>");
  }
  return log;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  sonde::Rng cuts(size * 31 + (size > 0 ? data[size / 2] : 0));
  CHECK(Read(bytes, nullptr) == Read(bytes, &cuts));
  return 0;
}
