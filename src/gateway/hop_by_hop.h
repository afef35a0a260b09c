#pragma once

#include <string_view>

#include "net/http.h"

namespace sonde::gateway {

/// Fields that belong to one connection and not to the message (RFC 9110, 7.6.1), and those that we
/// write ourselves.
bool IsHopByHop(std::string_view name, const net::Headers& headers);

}  // namespace sonde::gateway
