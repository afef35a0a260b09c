#include "gateway/request_scanner.h"

#include <array>
#include <charconv>
#include <system_error>

namespace sonde::gateway {
namespace {

constexpr JsonNode kModel = 2;
constexpr JsonNode kStream = 3;
constexpr JsonNode kMaxTokens = 4;
constexpr JsonNode kCacheKey = 5;
constexpr JsonNode kUser = 6;
constexpr std::array kEdges = {JsonEdge{kRootNode, "model", kModel},
                               JsonEdge{kRootNode, "stream", kStream},
                               JsonEdge{kRootNode, "max_tokens", kMaxTokens},
                               JsonEdge{kRootNode, "max_completion_tokens", kMaxTokens},
                               JsonEdge{kRootNode, "max_output_tokens", kMaxTokens},
                               JsonEdge{kRootNode, "prompt_cache_key", kCacheKey},
                               JsonEdge{kRootNode, "user", kUser}};

}  // namespace

RequestScanner::RequestScanner() : scanner_(kEdges, *this) {}

void RequestScanner::OnString(JsonNode node, std::string_view value, std::uint64_t /*size*/) {
  Forget(node);
  if (node == kCacheKey) cache_key_ = value;
  if (node == kUser) user_ = value;
  if (node != kModel) return;
  has_model_ = true;
  model_ = value;
}

void RequestScanner::OnScalar(JsonNode node, std::string_view text) {
  Forget(node);
  if (node == kStream) stream_ = text == "true";
  if (node == kMaxTokens) {
    std::int64_t count = 0;
    const char* const end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, count);
    if (parsed.ec == std::errc() && parsed.ptr == end && count >= 0) max_tokens_ = count;
  }
}

void RequestScanner::OnOpen(JsonNode node, bool /*is_array*/) {
  Forget(node);
}

/// Of several members with one name the last one counts, whatever it is: so the engines read it.
void RequestScanner::Forget(JsonNode node) {
  if (node == kModel) model_.clear();
  if (node == kStream) stream_ = false;
  if (node == kCacheKey) cache_key_.clear();
  if (node == kUser) user_.clear();
}

}  // namespace sonde::gateway
