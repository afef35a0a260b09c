#pragma once

#include <cstddef>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "model/labels.h"
#include "model/metadata.h"
#include "wire/exposition_format.h"
#include "wire/exposition_writer.h"

// The page that the host collectors fill: families by name, each with its lines, whatever the order
// in which collectors walk over devices. Written out it is an exposition page.

namespace sonde::collect {

/// One metric family of a HostPage.
class HostFamily {
 public:
  /// Appends a sample. Values of labels may hold any bytes; what is not UTF-8 becomes U+FFFD.
  HostFamily& Add(double value, std::initializer_list<LabelView> labels = {});
  HostFamily& Add(double value, const LabelView* labels, std::size_t count);

 private:
  friend class HostPage;
  wire::ServedFormat format_;
  std::string name_;
  std::string help_;
  MetricType type_ = MetricType::kUnknown;
  std::string text_;                              // Head and samples, as they go to the page.
  std::optional<wire::ExpositionWriter> writer_;  // Into text_; made with the first sample.
};

/// Collects families and writes them sorted by name. Reusable: Clear keeps the memory. Not
/// thread-safe.
class HostPage {
 public:
  /// The family of this name; the reference lives as long as the page. The first call decides help
  /// and type.
  HostFamily& Family(std::string_view name, std::string_view help, MetricType type);
  HostFamily& Counter(std::string_view name, std::string_view help) {
    return Family(name, help, MetricType::kCounter);
  }
  HostFamily& Gauge(std::string_view name, std::string_view help) {
    return Family(name, help, MetricType::kGauge);
  }
  HostFamily& Untyped(std::string_view name, std::string_view help) {
    return Family(name, help, MetricType::kUnknown);
  }

  /// Forgets the samples; what follows is written in `format`.
  void Clear(const wire::ServedFormat& format = {});
  /// Appends the families that have samples.
  void WriteTo(std::string& out) const;

 private:
  wire::ServedFormat format_;
  std::map<std::string, HostFamily, std::less<>> families_;
};

}  // namespace sonde::collect
