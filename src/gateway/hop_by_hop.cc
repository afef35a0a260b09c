#include "gateway/hop_by_hop.h"

#include <algorithm>
#include <array>

namespace sonde::gateway {

bool IsHopByHop(std::string_view name, const net::Headers& headers) {
  static constexpr std::array<std::string_view, 9> kNames = {"Connection",
                                                             "Keep-Alive",
                                                             "Proxy-Authenticate",
                                                             "Proxy-Authorization",
                                                             "Proxy-Connection",
                                                             "TE",
                                                             "Trailer",
                                                             "Transfer-Encoding",
                                                             "Upgrade"};
  return std::ranges::any_of(
             kNames, [&](std::string_view hop) { return net::EqualsIgnoringCase(name, hop); }) ||
         headers.HasToken("Connection", name);
}

}  // namespace sonde::gateway
