#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/access.h"
#include "gateway/proxy.h"
#include "gateway/request_scanner.h"
#include "gateway/stream_meter.h"

namespace sonde::gateway {

/// A request of at most this size is read as a whole before it is sent on.
inline constexpr std::size_t kSmallBody = 256U << 10;

/// One request on its way through the gateway. Lives on the connection's fiber, for the length of
/// Run.
class ProxyCall final : private MeterSink {
 public:
  ProxyCall(Proxy& proxy, std::shared_ptr<const Settings> settings, Identity identity,
            net::Fiber& fiber, net::HttpRequest& request, net::HttpResponse& response);

  void Run();

 private:
  /// Reads the request until its model is known; a small one as a whole. False: it has been
  /// answered.
  bool ReadForRouting();
  /// Tells the request's tenant from its identity. False: it has been refused.
  bool Identified();
  /// Asks the tenant's limits. False: it has been refused.
  bool Admitted();
  void Settle();
  void RefuseBody(const Error& error);
  Result<std::string_view> MoreBody();
  void Forward();
  net::HttpClientRequest BuildRequest();
  /// The upstream's key, the client's, or none.
  void SetCredentials(net::Headers& headers, const Upstream& upstream) const;
  Balancer::Choice Choose(std::string_view body, const std::vector<Upstream*>& tried);
  void AnswerNoUpstream(Balancer::NoUpstream why);
  /// Another attempt may be made, if it is `configured`; takes it from the budget.
  bool MayRetry(bool configured);
  /// True if another upstream may be tried.
  bool SendFailed(Upstream& upstream, const net::HttpClientTrace& trace, const Error& error);
  void NoteStatus(Upstream& upstream, int status);
  void NoteEjection(const Upstream& upstream);
  void Relay(Upstream& upstream, net::HttpClientResponse& answer);
  void CopyHeaders(const net::HttpClientResponse& answer);
  Status RelayBody(Upstream& upstream, net::HttpClientResponse& answer);
  void BrokenAnswer(Upstream& upstream, const Error& error);
  void NoteToken(Upstream& upstream);
  Outcome OutcomeOfAnswer() const;
  /// Answers with an error of the gateway's own.
  void Fail(Outcome outcome, int status, std::string_view code, std::string_view message);
  void Count();

  void OnFirstToken(std::int64_t since_request) override;
  void OnTokens(std::int64_t gap, std::uint64_t count) override;

  Proxy& proxy_;
  const std::shared_ptr<const Settings> settings_;
  net::Fiber& fiber_;
  net::HttpRequest& request_;
  net::HttpResponse& response_;
  const bool inference_;  // Else it is only passed on, and not measured.
  const Identity identity_;
  std::shared_ptr<Tenant> tenant_of_;  // Null: the gateway has no tenants.
  std::string tenant_;                 // The label's value; "" if the gateway has no tenants.
  std::optional<Admission> admission_;
  bool limited_ = false;  // The answer tells about the tenant's limits.

  bool gone_ = false;  // The client.
  std::string request_id_;
  RequestScanner scanner_;
  std::string model_;
  std::string body_;  // What was read to find the model.
  bool body_complete_ = false;
  bool body_passed_on_ = false;  // More of it was read for an upstream: it cannot be sent again.
  std::uint64_t body_bytes_ = 0;
  std::optional<Error> body_error_;
  std::string last_error_;
  std::uint32_t retries_ = 0;
  std::int64_t prompt_tokens_ = 0;    // Estimated.
  std::int64_t expected_tokens_ = 0;  // With those of the answer.
  std::string client_authorization_;
  std::optional<Upstream::Load> load_;

  std::string_view rejected_;  // Why the gateway itself refused; for the count of refusals.
  ModelMetrics* metrics_ = nullptr;
  std::optional<StreamMeter> meter_;
  bool token_noted_ = false;
  int status_ = 0;                  // Sent to the client; 0: none.
  std::optional<Outcome> outcome_;  // Decided before the answer's end.
  bool streaming_ = false;
};

}  // namespace sonde::gateway
