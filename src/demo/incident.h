#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "demo/gpu_model.h"
#include "demo/options.h"
#include "demo/sim_time.h"

namespace sonde::demo {

/// What goes wrong, where, and when. Immutable.
///
/// Cooling: within 45 s the air that reaches the nodes gets as warm as in a hall whose chillers
/// stand still. The GPUs reach 85 °C, the controller lowers their clock to less than a third, and
/// every step takes about three times as long. At the end it takes 90 s to get back.
class Incident {
 public:
  /// None.
  Incident() = default;
  /// kInvalid for an unknown kind or an unknown node.
  static Result<Incident> FromOptions(const DemoOptions& options,
                                      const std::vector<std::string>& nodes);

  Cooling CoolingOf(std::string_view node, SimTime at) const;
  bool exists() const { return exists_; }
  SimTime begin() const { return begin_; }
  SimTime end() const { return end_; }

 private:
  bool exists_ = false;
  SimTime begin_{0}, end_{0};
  std::vector<std::string> nodes_;  // Empty: all.
};

}  // namespace sonde::demo
