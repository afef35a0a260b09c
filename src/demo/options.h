#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"

namespace sonde::demo {

/// What `sonde demo` can be told. docs/demo.md explains each.
struct DemoOptions {
  std::string host = "127.0.0.1";
  std::uint16_t base_port =
      9811;  ///< Engines listen here and on the next ports, GPU pages from base + 10 on.
  std::string gateway_url =
      "http://127.0.0.1:9798";  ///< Where the simulated clients send their requests.
  double rate = 0.5;            ///< Times the trace's own rate of 5.4 requests/s. 0: no clients.
  double speed = 1;             ///< Simulated seconds in a real one.
  std::uint64_t seed = 1;

  std::string incident;           ///< "" or "cooling".
  Duration incident_at{600'000};  ///< In simulated time, from the start.
  Duration incident_for{1'200'000};
  std::vector<std::string> incident_nodes;  ///< Names; empty: all.

  std::string write_config;  ///< Write a configuration for `sonde serve` to this file, and exit.
  Duration report_interval{60'000};  ///< Between two lines about what the clients saw.
};

}  // namespace sonde::demo
