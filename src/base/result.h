#pragma once

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "base/check.h"

// How functions report what the world may do to them: a Result<T> is a T or an Error.
// docs/decisions/0001-result-type.md says why, and which kind means which action.

namespace sonde {

/// What the caller should do about an error. Few on purpose; the message is for people.
enum class ErrorKind : unsigned char {
  kInvalid,      ///< The caller's input is wrong (HTTP 400, PromQL `bad_data`).
  kNotFound,     ///< The named thing does not exist (HTTP 404).
  kCorruption,   ///< Bytes on disk or on the wire fail a checksum or a bound.
  kIo,           ///< The operating system refused; the message holds errno's text.
  kTimeout,      ///< A deadline passed (HTTP 503, PromQL `timeout`).
  kCancelled,    ///< The caller went away or the process is stopping.
  kLimit,        ///< A configured limit was hit (HTTP 422 or 429).
  kUnavailable,  ///< A peer or a device is down; trying again later may help.
};

/// The kind's name in lower case, as it appears in logs: "invalid", "not_found" …
std::string_view ToString(ErrorKind kind);

/// Why something did not work: a kind that decides and a message that explains.
class [[nodiscard]] Error {
 public:
  Error(ErrorKind kind, std::string message) : kind_(kind), message_(std::move(message)) {}

  ErrorKind kind() const { return kind_; }
  const std::string& message() const { return message_; }

  /// Returns this error with "`context`: " in front of its message.
  Error Wrap(std::string_view context) && {
    message_.insert(0, ": ").insert(0, context);
    return std::move(*this);
  }

 private:
  ErrorKind kind_;
  std::string message_;
};

/// A T, or the Error that explains why there is none. Dropping one is a compile error.
template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  Result(T value)
      : state_(std::in_place_index<0>, std::move(value)) {
  }  // NOLINT(google-explicit-constructor): `return value;`
  Result(Error error)
      : state_(std::in_place_index<1>, std::move(error)) {
  }  // NOLINT(google-explicit-constructor): `return Error(…);`

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& operator*() & { return Value(); }
  const T& operator*() const& { return Value(); }
  T&& operator*() && { return std::move(Value()); }
  T* operator->() { return &Value(); }
  const T* operator->() const { return &Value(); }

  const Error& error() const& {
    CHECK(!ok());
    return *std::get_if<1>(&state_);
  }
  Error&& error() && {
    CHECK(!ok());
    return std::move(*std::get_if<1>(&state_));
  }

  /// The value, or `fallback` after an error.
  T value_or(T fallback) && { return ok() ? std::move(Value()) : std::move(fallback); }

 private:
  T& Value() {
    CHECK(ok());
    return *std::get_if<0>(&state_);
  }
  const T& Value() const {
    CHECK(ok());
    return *std::get_if<0>(&state_);
  }

  std::variant<T, Error> state_;
};

/// Success without a value, or an Error.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error)
      : error_(std::in_place_index<1>, std::move(error)) {
  }  // NOLINT(google-explicit-constructor): `return Error(…);`

  bool ok() const { return error_.index() == 0; }
  explicit operator bool() const { return ok(); }
  void operator*() const { CHECK(ok()); }

  const Error& error() const& {
    CHECK(!ok());
    return *std::get_if<1>(&error_);
  }
  Error&& error() && {
    CHECK(!ok());
    return std::move(*std::get_if<1>(&error_));
  }

 private:
  std::variant<std::monostate, Error> error_;
};

using Status = Result<void>;

inline Status OkStatus() {
  return {};
}

}  // namespace sonde

/// The value of a Result, or `return` its error from the enclosing function. Use it only as a whole
/// statement or as an initializer.
#define TRY(expression)                                      \
  __extension__({                                            \
    auto try_result_ = (expression);                         \
    if (!try_result_) return std::move(try_result_).error(); \
    *std::move(try_result_);                                 \
  })
