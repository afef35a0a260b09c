#include "collect/host/host_page.h"

#include <span>
#include <vector>

#include "base/utf8.h"

namespace sonde::collect {
namespace {

// What drivers write into sysfs is not always UTF-8.
std::string ToValidUtf8(std::string_view text) {
  std::string valid;
  while (!text.empty()) {
    const DecodedRune rune = DecodeRune(text);
    AppendRune(valid, rune.rune);
    text.remove_prefix(rune.size);
  }
  return valid;
}

}  // namespace

HostFamily& HostFamily::Add(double value, std::initializer_list<LabelView> labels) {
  return Add(value, labels.begin(), labels.size());
}

HostFamily& HostFamily::Add(double value, const LabelView* labels, std::size_t count) {
  if (!writer_) {
    writer_.emplace(format_, text_);
    writer_->BeginFamily({.name = name_, .help = help_, .type = type_});
  }
  const std::span<const LabelView> all(labels, count);
  bool valid = true;
  for (const LabelView label : all)
    valid = valid && IsValidUtf8(label.value);
  if (valid) {
    writer_->Sample(all, value);
    return *this;
  }
  std::vector<std::string> values;
  values.reserve(count);
  std::vector<LabelView> repaired;
  for (const LabelView label : all) {
    repaired.push_back({label.name, values.emplace_back(ToValidUtf8(label.value))});
  }
  writer_->Sample(repaired, value);
  return *this;
}

HostFamily& HostPage::Family(std::string_view name, std::string_view help, MetricType type) {
  auto found = families_.find(name);
  if (found == families_.end()) {
    found = families_.try_emplace(std::string(name)).first;
    HostFamily& family = found->second;
    family.name_ = name;
    family.help_ = help;
    family.type_ = type;
    family.format_ = format_;
  }
  return found->second;
}

void HostPage::Clear(const wire::ServedFormat& format) {
  format_ = format;
  for (auto& [name, family] : families_) {
    family.text_.clear();
    family.writer_.reset();
    family.format_ = format;
  }
}

void HostPage::WriteTo(std::string& out) const {
  for (const auto& [name, family] : families_)
    out += family.text_;
  wire::ExpositionWriter(format_, out).Finish();
}

}  // namespace sonde::collect
