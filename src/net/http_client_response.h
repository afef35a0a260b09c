#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/compress.h"
#include "net/http_client.h"
#include "net/http_parser.h"
#include "net/http_pool.h"

// The response side of the HTTP client. Only net/ includes this file.

namespace sonde::net {

class ClientResponse final : public HttpClientResponse {
 public:
  struct Limits {
    Duration read_timeout{0};
    std::int64_t deadline = kNever;  ///< Of the whole request.
    bool decode = true;
  };

  /// The head has been read; the body's first bytes may be in the connection's buffer.
  ClientResponse(std::unique_ptr<ClientConnection> connection, std::shared_ptr<ConnectionPool> pool,
                 ResponseHead head, Limits limits, bool reused);
  ~ClientResponse() override;

  int status() const override { return head_.status; }
  const Headers& headers() const override { return head_.headers; }
  Result<std::string_view> ReadSome(Fiber& fiber) override;
  Result<std::string> ReadAll(Fiber& fiber, std::uint64_t max_bytes) override;
  void Abort() override;
  bool reused_connection() const override { return reused_; }

 private:
  /// The next raw piece; empty at the end.
  Result<std::string_view> ReadRaw(Fiber& fiber);
  Result<std::string_view> ReadDecoded(Fiber& fiber);
  Result<std::size_t> Receive(Fiber& fiber, char* to, std::size_t size);
  Status ReadRest(Fiber& fiber, std::uint64_t max_bytes, std::string& out);
  void Release();
  /// Gives the connection back if the body is over, else closes it.
  void LetGo();
  Error Broken(ErrorKind kind, std::string message);

  std::unique_ptr<ClientConnection> connection_;
  std::shared_ptr<ConnectionPool> pool_;
  ResponseHead head_;
  const Limits limits_;
  const bool reused_;
  BodyDecoder body_;
  std::size_t lent_ = 0;
  bool aborted_ = false;
  std::optional<Error> error_;

  std::optional<Encoding> encoding_;  // To be decoded.
  std::unique_ptr<StreamCodec> codec_;
  std::string_view undecoded_;  // Of the current raw piece.
  std::string decoded_;
  std::uint64_t max_decoded_ = UINT64_MAX;
  bool decoder_finished_ = false;
};

}  // namespace sonde::net
