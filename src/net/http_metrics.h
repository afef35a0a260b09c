#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "instrument/registry.h"

// What an HTTP server counts about itself. Only net/ includes this file.

namespace sonde::net {

/// `sonde_http_*` with the label server=`name`. Thread-safe; the common path takes no lock.
class HttpServerMetrics {
 public:
  HttpServerMetrics(instrument::Registry& registry, std::string name);

  /// Requests whose method is not one of the usual ones count as "other".
  void CountRequest(std::string_view method, int status, std::int64_t nanos);
  /// `reason` is one of a few words: "malformed", "header_timeout" …
  void CountRejected(std::string_view reason);

  instrument::Gauge& in_flight;
  instrument::Gauge& connections;
  instrument::Counter& accepted;
  instrument::Counter& accept_errors;

 private:
  static constexpr std::size_t kMethods = 9;
  static constexpr std::size_t kStatuses = 600;

  instrument::Registry& registry_;
  const std::string name_;
  instrument::Histogram& duration_;
  // Made when first needed: (method, status) → its counter.
  std::array<std::array<std::atomic<instrument::Counter*>, kStatuses>, kMethods> requests_{};
};

}  // namespace sonde::net
