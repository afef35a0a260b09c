#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "alerting/options.h"
#include "alerting/stored_alert.h"
#include "base/time.h"
#include "model/labels.h"

namespace sonde::alerting {

/// Knows which alerts mute which. Not thread-safe; Alertmanager guards it. A look-up costs a few
/// hash table accesses a rule, however many alerts there are.
class Inhibitor {
 public:
  explicit Inhibitor(std::vector<InhibitRule> rules);

  void Update(const StoredAlertPtr& alert);
  void Remove(const StoredAlert& alert);
  /// The fingerprint of a firing alert that mutes one with these labels.
  std::optional<std::uint64_t> MutedBy(LabelsView labels, Timestamp now) const;

 private:
  using Sources = std::map<std::uint64_t, StoredAlertPtr>;
  struct Bucket {
    Sources one_sided;  ///< Match the source side only.
    Sources two_sided;  ///< Match both: they do not mute what matches both, too.
  };
  struct Rule {
    InhibitRule options;
    std::unordered_map<std::string, Bucket> buckets;  ///< By the values of the equal labels.
  };
  static std::string KeyOf(const Rule& rule, LabelsView labels);

  std::vector<Rule> rules_;
};

}  // namespace sonde::alerting
