#include "gateway/outcome.h"

#include "gateway/stream_meter.h"

namespace sonde::gateway {

std::string_view ToString(Outcome outcome) {
  switch (outcome) {
    case Outcome::kSuccess:
      return "success";
    case Outcome::kClientError:
      return "client_error";
    case Outcome::kServerError:
      return "server_error";
    case Outcome::kOverloaded:
      return "overloaded";
    case Outcome::kCancelled:
      return "cancelled";
    case Outcome::kTimeout:
      return "timeout";
    case Outcome::kInsufficientBalance:
      return "insufficient_balance";
  }
  return "";
}

Outcome OutcomeOfStatus(int status) {
  if (status == 402) return Outcome::kInsufficientBalance;
  if (status == 429 || status == 503) return Outcome::kOverloaded;
  if (status >= 500) return Outcome::kServerError;
  if (status >= 400) return Outcome::kClientError;
  return Outcome::kSuccess;
}

Outcome OutcomeOfAnswer(int status, const StreamMeter* meter) {
  const Outcome by_status = OutcomeOfStatus(status);
  if (meter == nullptr) return by_status;
  // OpenAI says with 429 that an account is empty.
  if (by_status == Outcome::kOverloaded && meter->error() == AnswerError::kInsufficientBalance)
    return Outcome::kInsufficientBalance;
  if (by_status != Outcome::kSuccess) return by_status;
  if (meter->finish_reason() == "insufficient_system_resource") return Outcome::kOverloaded;
  switch (meter->error()) {
    case AnswerError::kNone:
      return Outcome::kSuccess;
    case AnswerError::kFailed:
      return Outcome::kServerError;
    case AnswerError::kOverloaded:
      return Outcome::kOverloaded;
    case AnswerError::kInsufficientBalance:
      return Outcome::kInsufficientBalance;
  }
  return Outcome::kSuccess;
}

}  // namespace sonde::gateway
