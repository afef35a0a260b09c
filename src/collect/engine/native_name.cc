#include "collect/engine/native_name.h"

#include <charconv>
#include <optional>

#include "base/quote.h"
#include "model/names.h"

namespace sonde::collect {
namespace {

constexpr std::size_t kMaxNames = 1'000;

std::optional<int> Number(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

/// "0-3" → 0 1 2 3; "a|b" → a b. Empty if it is neither.
std::vector<std::string> Choices(std::string_view text) {
  std::vector<std::string> choices;
  const std::size_t dash = text.find('-');
  if (dash != std::string_view::npos) {
    const auto first = Number(text.substr(0, dash));
    const auto last = Number(text.substr(dash + 1));
    if (!first || !last || *last < *first) return {};
    if (static_cast<std::size_t>(*last - *first) >= kMaxNames) return {};
    for (int i = *first; i <= *last; ++i)
      choices.push_back(std::to_string(i));
    return choices;
  }
  for (;;) {
    const std::size_t bar = text.find('|');
    choices.emplace_back(text.substr(0, bar));
    if (choices.back().empty()) return {};
    if (bar == std::string_view::npos) return choices;
    text.remove_prefix(bar + 1);
  }
}

Error Wrong(std::string_view text, std::string_view what) {
  return Error(ErrorKind::kInvalid, QuoteGo(text) + " " + std::string(what));
}

}  // namespace

Result<std::vector<NativeName>> ExpandNativeName(std::string_view text) {
  std::vector<NativeName> names(1);
  std::string_view rest = text;
  for (std::size_t open = 0; (open = rest.find('{')) != std::string_view::npos;) {
    const std::size_t close = rest.find('}', open);
    const std::size_t colon = rest.find(':', open);
    if (close == std::string_view::npos || colon > close)
      return Wrong(text, "is not a metric name: in braces stands {label:0-3} or {label:a|b}");
    const std::string_view label = rest.substr(open + 1, colon - open - 1);
    const auto choices = Choices(rest.substr(colon + 1, close - colon - 1));
    if (!IsLegacyLabelName(label) || choices.empty())
      return Wrong(text, "is not a metric name: in braces stands {label:0-3} or {label:a|b}");
    if (names.size() * choices.size() > kMaxNames)
      return Wrong(text, "stands for more than 1000 names");
    std::vector<NativeName> longer;
    for (const NativeName& name : names) {
      for (const std::string& choice : choices) {
        NativeName next = name;
        next.name += std::string(rest.substr(0, open)) + choice;
        next.labels.emplace_back(label, choice);
        longer.push_back(std::move(next));
      }
    }
    names = std::move(longer);
    rest.remove_prefix(close + 1);
  }
  for (NativeName& name : names) {
    name.name += rest;
    if (!IsLegacyMetricName(name.name)) return Wrong(text, "is not a metric name");
  }
  return names;
}

}  // namespace sonde::collect
