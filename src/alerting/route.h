#pragma once

#include <memory>
#include <string>
#include <vector>

#include "alerting/options.h"
#include "base/time.h"
#include "model/labels.h"
#include "model/matcher.h"

namespace sonde::alerting {

/// One node of the routing tree with everything that it inherits.
struct Route {
  const Route* parent = nullptr;
  std::string key;  ///< `{}/{team="x"}`: the matchers from the root, as group keys show them.
  std::string id;   ///< The same made unique by the node's place: `{}/{team="x"}/0`.
  std::string receiver;
  std::vector<std::string> group_by;  ///< Sorted.
  bool group_by_all = false;
  Duration group_wait{30'000};
  Duration group_interval{300'000};
  Duration repeat_interval{14'400'000};
  std::vector<Matcher> matchers;
  bool continues = false;
  std::vector<std::string> mute_time_intervals;
  std::vector<std::string> active_time_intervals;
  std::vector<std::unique_ptr<Route>> routes;

  /// The labels of an alert that decide its group.
  Labels GroupLabels(LabelsView labels) const;
};

/// The routing tree. Immutable, thread-safe.
class RouteTree {
 public:
  explicit RouteTree(const RouteOptions& options);

  /// The nodes that an alert with these labels ends at, in the tree's order: depth first, the first
  /// child that matches ends the search unless it continues; without one the node itself.
  std::vector<const Route*> Match(LabelsView labels) const;

  const Route& root() const { return *root_; }

 private:
  std::unique_ptr<Route> root_;
};

}  // namespace sonde::alerting
