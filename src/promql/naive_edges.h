#pragma once

#include <cstddef>
#include <vector>

#include "promql/naive_value.h"

namespace sonde::promql {

/// Which samples of an anchored or smoothed window stand at its range's edges.
struct EdgeSamples {
  std::size_t first = 0;
  std::size_t last = 0;
};

/// `samples`, floats or histograms, holds at least one.
template <class Sample>
EdgeSamples FindEdges(const std::vector<Sample>& samples, const NaiveWindow& window) {
  EdgeSamples edges{.first = 0, .last = samples.size() - 1};
  // The newest at or before the left edge; never the very last, since it would have no partner.
  while (edges.first + 2 < samples.size() && samples[edges.first + 1].t <= window.start)
    ++edges.first;
  if (window.smoothed) {
    while (edges.last > 0 && samples[edges.last - 1].t >= window.end)
      --edges.last;
  }
  return edges;
}

/// False if the samples tell nothing about the range.
template <class Sample>
bool ReachesInto(const std::vector<Sample>& samples, EdgeSamples edges, const NaiveWindow& window) {
  if (samples[edges.last].t <= window.start) return false;
  return !window.smoothed || samples[edges.first].t <= window.end;
}

}  // namespace sonde::promql
