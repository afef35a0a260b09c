#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "model/names.h"
#include "scrape/relabel.h"

// One relabelling rule over two labels: pattern, target, replacement and values are all the
// input's. The parts are separated by line feeds.

namespace {

std::string_view TakePart(std::string_view& rest) {
  const std::string_view part = rest.substr(0, rest.find('\n'));
  rest.remove_prefix(std::min(rest.size(), part.size() + 1));
  return part;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2 || size > 4096) return 0;
  std::string_view rest(reinterpret_cast<const char*>(data + 1), size - 1);
  sonde::scrape::RelabelRule rule;
  rule.action = static_cast<sonde::scrape::RelabelAction>(data[0] % 11);
  rule.legacy_names = (data[0] & 0x80) != 0;
  rule.modulus = 7;
  rule.source_labels = {"a", "b"};
  const std::string_view pattern = TakePart(rest);
  if (!pattern.empty()) {
    auto regex = sonde::Regex::Compile(pattern);
    if (!regex) return 0;
    rule.regex = *regex;
  }
  rule.target_label = TakePart(rest);
  rule.replacement = TakePart(rest);
  rule.separator = TakePart(rest);
  const std::string_view a = TakePart(rest);
  sonde::LabelsBuilder labels{sonde::Labels::Of({{"a", a}, {"b", rest}})};
  const bool replaces = rule.action == sonde::scrape::RelabelAction::kReplace;
  if (!sonde::scrape::ApplyRelabelRule(rule, labels) || !replaces) return 0;
  labels.ForEach([&](std::string_view name, std::string_view value) {
    CHECK(!value.empty());
    if (!rule.regex && rule.target_label.find('$') == std::string::npos)
      return;  // Checked when the rule was loaded.
    CHECK(rule.legacy_names ? sonde::IsLegacyLabelName(name) : sonde::IsValidName(name));
  });
  return 0;
}
