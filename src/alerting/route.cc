#include "alerting/route.h"

#include <algorithm>

#include "alerting/matcher_syntax.h"

namespace sonde::alerting {
namespace {

std::unique_ptr<Route> MakeRoute(const RouteOptions& options, const Route* parent,
                                 std::size_t place) {
  auto route = std::make_unique<Route>();
  route->parent = parent;
  route->matchers = options.matchers;
  // Sorted by name, operator and value, so that the order in the file does not change the key.
  std::sort(route->matchers.begin(), route->matchers.end(), [](const Matcher& a, const Matcher& b) {
    if (a.name() != b.name()) return a.name() < b.name();
    if (a.value() != b.value()) return a.value() < b.value();
    return a.type() < b.type();
  });
  route->key = FormatMatchers(route->matchers);
  route->id = route->key;
  if (parent != nullptr) {
    route->key = parent->key + "/" + route->key;
    route->id = parent->id + "/" + route->id + "/" + std::to_string(place);
    route->receiver = parent->receiver;
    route->group_by = parent->group_by;
    route->group_by_all = parent->group_by_all;
    route->group_wait = parent->group_wait;
    route->group_interval = parent->group_interval;
    route->repeat_interval = parent->repeat_interval;
  }
  if (!options.receiver.empty()) route->receiver = options.receiver;
  if (options.group_by) {
    route->group_by = *options.group_by;
    std::sort(route->group_by.begin(), route->group_by.end());
    route->group_by_all =
        std::find(route->group_by.begin(), route->group_by.end(), "...") != route->group_by.end();
  }
  route->group_wait = options.group_wait.value_or(route->group_wait);
  route->group_interval = options.group_interval.value_or(route->group_interval);
  route->repeat_interval = options.repeat_interval.value_or(route->repeat_interval);
  route->continues = options.continues;
  route->mute_time_intervals = options.mute_time_intervals;
  route->active_time_intervals = options.active_time_intervals;
  for (const RouteOptions& child : options.routes)
    route->routes.push_back(MakeRoute(child, route.get(), route->routes.size()));
  return route;
}

bool Collect(const Route& route, LabelsView labels, std::vector<const Route*>& out) {
  if (!MatchesAll(route.matchers, labels)) return false;
  const std::size_t before = out.size();
  for (const auto& child : route.routes) {
    if (Collect(*child, labels, out) && !child->continues) break;
  }
  if (out.size() == before) out.push_back(&route);
  return true;
}

}  // namespace

Labels Route::GroupLabels(LabelsView labels) const {
  if (group_by_all) return Labels(labels);
  std::vector<LabelView> pairs;
  for (const LabelView label : labels) {
    if (std::binary_search(group_by.begin(), group_by.end(), label.name)) pairs.push_back(label);
  }
  return Labels::FromPairs(pairs);
}

RouteTree::RouteTree(const RouteOptions& options) : root_(MakeRoute(options, nullptr, 0)) {}

std::vector<const Route*> RouteTree::Match(LabelsView labels) const {
  std::vector<const Route*> out;
  Collect(*root_, labels, out);
  return out;
}

}  // namespace sonde::alerting
