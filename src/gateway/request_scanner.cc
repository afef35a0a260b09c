#include "gateway/request_scanner.h"

#include <array>

namespace sonde::gateway {
namespace {

constexpr JsonNode kModel = 2;
constexpr JsonNode kStream = 3;
constexpr std::array kEdges = {JsonEdge{kRootNode, "model", kModel},
                               JsonEdge{kRootNode, "stream", kStream}};

}  // namespace

RequestScanner::RequestScanner() : scanner_(kEdges, *this) {}

void RequestScanner::OnString(JsonNode node, std::string_view value, std::uint64_t /*size*/) {
  Forget(node);
  if (node != kModel) return;
  has_model_ = true;
  model_ = value;
}

void RequestScanner::OnScalar(JsonNode node, std::string_view text) {
  Forget(node);
  if (node == kStream) stream_ = text == "true";
}

void RequestScanner::OnOpen(JsonNode node, bool /*is_array*/) {
  Forget(node);
}

/// Of several members with one name the last one counts, whatever it is: so the engines read it.
void RequestScanner::Forget(JsonNode node) {
  if (node == kModel) model_.clear();
  if (node == kStream) stream_ = false;
}

}  // namespace sonde::gateway
