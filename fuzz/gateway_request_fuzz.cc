// What the gateway reads of a request's body to route it: cuts must not matter, and of valid JSON
// it must read the same as the parser.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/json.h"
#include "base/random.h"
#include "gateway/request_scanner.h"

namespace {

struct Read {
  std::string model;
  bool stream = false;
  bool settled = false;
  bool operator==(const Read&) const = default;
};

Read Scan(std::string_view bytes, sonde::Rng* cuts) {
  sonde::gateway::RequestScanner scanner;
  while (!bytes.empty()) {
    const std::size_t n =
        cuts == nullptr ? bytes.size() : std::min<std::size_t>(1 + cuts->Below(9), bytes.size());
    scanner.Feed(bytes.substr(0, n));
    bytes.remove_prefix(n);
  }
  return {scanner.model(), scanner.stream(), scanner.settled()};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  sonde::Rng cuts(size * 31 + (size > 0 ? data[size / 2] : 0));
  const Read read = Scan(bytes, nullptr);
  CHECK(read == Scan(bytes, &cuts));

  const auto document = sonde::JsonDocument::Parse(bytes);
  if (!document) return 0;
  const sonde::JsonView root = document->root();
  // A number or a word alone may go on.
  CHECK(read.settled || !(root.is_object() || root.is_array() || root.is_string()));
  CHECK(read.stream == root["stream"].boolean().value_or(false));
  // Characters beyond the basic plane, written as two escapes, are read as two replacement
  // characters; a long name is none. What is long is measured before and after escapes are undone.
  if (bytes.find("\\ud") != std::string_view::npos || bytes.find("\\uD") != std::string_view::npos)
    return 0;
  const std::string_view model = root["model"].string().value_or("");
  if (model.size() <= sonde::gateway::JsonScanner::kMaxCaptured) CHECK(read.model == model);
  return 0;
}
