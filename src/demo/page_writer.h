#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "demo/engine_metrics.h"

namespace sonde::demo {

using PageLabels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

/// Appends families in text format 0.0.4, in the layout of Python's prometheus_client, which
/// engines use. Every sample gets the labels given to the constructor, of which simulated="true" is
/// one. Label values must need no escaping: they are the demo's own.
class PageWriter {
 public:
  PageWriter(std::string& page, PageLabels common);

  void Family(std::string_view name, std::string_view help, std::string_view type);
  void Sample(double value, PageLabels labels = {});
  void Histogram(const SimHistogram& histogram);

 private:
  void Line(std::string_view suffix, PageLabels labels, double value);

  std::string& page_;
  std::string common_;
  std::string name_;
};

}  // namespace sonde::demo
