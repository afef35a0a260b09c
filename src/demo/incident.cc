#include "demo/incident.h"

#include <algorithm>

namespace sonde::demo {
namespace {

constexpr Cooling kNormal{30, 0.055};
constexpr Cooling kFailed{63.5, 0.088};
constexpr double kFailSeconds = 45;
constexpr double kRecoverSeconds = 90;

}  // namespace

Result<Incident> Incident::FromOptions(const DemoOptions& options,
                                       const std::vector<std::string>& nodes) {
  Incident incident;
  if (options.incident.empty()) return incident;
  if (options.incident != "cooling") {
    return Error(ErrorKind::kInvalid, "--incident: there is no incident \"" + options.incident +
                                          "\"; there is: cooling");
  }
  for (const std::string& node : options.incident_nodes) {
    if (std::find(nodes.begin(), nodes.end(), node) != nodes.end()) continue;
    std::string known;
    for (const std::string& name : nodes)
      known.append(known.empty() ? "" : ", ").append(name);
    return Error(ErrorKind::kInvalid,
                 "--incident-nodes: there is no node \"" + node + "\"; there are: " + known);
  }
  incident.exists_ = true;
  incident.begin_ = options.incident_at;
  incident.end_ = incident.begin_ + options.incident_for;
  incident.nodes_ = options.incident_nodes;
  return incident;
}

Cooling Incident::CoolingOf(std::string_view node, SimTime at) const {
  const bool here = nodes_.empty() || std::find(nodes_.begin(), nodes_.end(), node) != nodes_.end();
  if (!exists_ || !here || at < begin_) return kNormal;
  double severity = std::min(1.0, Seconds(std::min(at, end_) - begin_) / kFailSeconds);
  if (at > end_) severity = std::max(0.0, severity - Seconds(at - end_) / kRecoverSeconds);
  Cooling cooling;
  cooling.inlet_celsius =
      kNormal.inlet_celsius + severity * (kFailed.inlet_celsius - kNormal.inlet_celsius);
  cooling.celsius_per_watt =
      kNormal.celsius_per_watt + severity * (kFailed.celsius_per_watt - kNormal.celsius_per_watt);
  return cooling;
}

}  // namespace sonde::demo
