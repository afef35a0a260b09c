#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/json_scanner.h"

namespace sonde::gateway {

/// Reads what the gateway must know of a request from its body while it streams in: `model`,
/// `stream`, how long the answer may be, and whose session it is. Not thread-safe.
class RequestScanner final : private JsonSink {
 public:
  RequestScanner();
  void Feed(std::string_view piece) { scanner_.Feed(piece); }

  /// There is no need to wait for more: the model is known, or there is none, or this is not JSON.
  bool settled() const { return has_model_ || scanner_.done() || scanner_.failed(); }
  /// Empty if there is none (yet), or it is longer than any name should be. The last one counts if
  /// there are several.
  const std::string& model() const { return model_; }
  bool stream() const { return stream_; }
  /// `max_completion_tokens`, `max_output_tokens` or `max_tokens`; nothing if none is a count.
  std::optional<std::int64_t> max_tokens() const { return max_tokens_; }
  /// `prompt_cache_key`, else `user`; empty if there is none.
  const std::string& session() const { return cache_key_.empty() ? user_ : cache_key_; }

 private:
  void OnString(JsonNode node, std::string_view value, std::uint64_t size) override;
  void OnScalar(JsonNode node, std::string_view text) override;
  void OnOpen(JsonNode node, bool is_array) override;
  void Forget(JsonNode node);

  JsonScanner scanner_;
  std::string model_;
  bool has_model_ = false;
  bool stream_ = false;
  std::optional<std::int64_t> max_tokens_;
  std::string cache_key_;
  std::string user_;
};

}  // namespace sonde::gateway
