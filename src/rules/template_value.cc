#include "rules/template_value.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>

#include <fmt/format.h>

#include "base/number.h"

namespace sonde::rules {
namespace {

std::string Trimmed(std::string digits) {
  while (digits.ends_with('0'))
    digits.pop_back();
  return digits;
}

void AppendText(std::string& out, const TemplateValue& value, int depth);

void AppendMap(std::string& out, const TemplateMap& map, int depth) {
  out += "map[";
  for (const auto& [key, entry] : map.entries) {
    if (out.back() != '[') out += ' ';
    out += key;
    out += ':';
    AppendText(out, entry, depth + 1);
  }
  out += ']';
}

void AppendText(std::string& out, const TemplateValue& value, int depth) {
  if (value.is_nil()) {
    out += depth == 0 ? "<no value>" : "<nil>";
  } else if (const auto* b = value.If<bool>()) {
    out += *b ? "true" : "false";
  } else if (const auto* i = value.If<std::int64_t>()) {
    AppendInt(out, *i);
  } else if (const auto* d = value.If<double>()) {
    AppendFloatG(out, *d);
  } else if (const auto* text = value.If<std::string>()) {
    out += *text;
  } else if (const auto* duration = value.If<TemplateDuration>()) {
    out += FormatGoDuration(duration->ns);
  } else if (const auto* time = value.If<TemplateTime>()) {
    out += FormatGoTime(time->ms);
  } else if (const TemplateMap* map = value.map()) {
    AppendMap(out, *map, depth);
  } else if (const TemplateSample* sample = value.sample()) {
    out += "&{";
    AppendMap(out, *sample->labels, depth);
    out += ' ';
    AppendFloatG(out, sample->value);
    out += '}';
  } else if (const TemplateList* list = value.list()) {
    out += '[';
    for (const TemplateValue& item : *list) {
      if (out.back() != '[') out += ' ';
      AppendText(out, item, depth + 1);
    }
    out += ']';
  }
}

template <class T>
int Order(const T& a, const T& b) {
  return a < b ? -1 : (b < a ? 1 : 0);
}

}  // namespace

const TemplateMap* TemplateValue::map() const {
  const auto* map = If<std::shared_ptr<const TemplateMap>>();
  return map == nullptr ? nullptr : map->get();
}
const TemplateList* TemplateValue::list() const {
  const auto* list = If<std::shared_ptr<const TemplateList>>();
  return list == nullptr ? nullptr : list->get();
}
const TemplateSample* TemplateValue::sample() const {
  const auto* sample = If<std::shared_ptr<const TemplateSample>>();
  return sample == nullptr ? nullptr : sample->get();
}

TemplateValue MapOf(LabelsView labels) {
  auto map = std::make_shared<TemplateMap>();
  map->texts = true;
  for (const LabelView label : labels)
    map->entries[std::string(label.name)] = {std::string(label.value)};
  return {std::shared_ptr<const TemplateMap>(std::move(map))};
}

std::string_view TypeName(const TemplateValue& value) {
  static constexpr std::string_view kNames[] = {"<nil>",
                                                "bool",
                                                "int",
                                                "float64",
                                                "string",
                                                "time.Duration",
                                                "time.Time",
                                                "map[string]string",
                                                "[]interface {}",
                                                "*template.sample"};
  if (const TemplateMap* map = value.map(); map != nullptr && !map->texts)
    return "map[string]interface {}";
  return kNames[value.state.index()];
}

bool IsTrue(const TemplateValue& value) {
  if (value.is_nil()) return false;
  if (const auto* b = value.If<bool>()) return *b;
  if (const auto* i = value.If<std::int64_t>()) return *i != 0;
  if (const auto* d = value.If<double>()) return *d != 0;
  if (const auto* text = value.If<std::string>()) return !text->empty();
  if (const auto* duration = value.If<TemplateDuration>()) return duration->ns != 0;
  if (const TemplateMap* map = value.map()) return !map->entries.empty();
  if (const TemplateList* list = value.list()) return !list->empty();
  return true;
}

std::string ToText(const TemplateValue& value) {
  std::string out;
  AppendText(out, value, 0);
  return out;
}

std::string Sprint(std::span<const TemplateValue> values) {
  std::string out;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const bool text = values[i].If<std::string>() != nullptr;
    if (i > 0 && !text && values[i - 1].If<std::string>() == nullptr) out += ' ';
    AppendText(out, values[i], 1);
  }
  return out;
}

Result<int> Compare(const TemplateValue& a, const TemplateValue& b, bool ordered) {
  if (const auto* x = a.If<std::string>(); x != nullptr && b.If<std::string>() != nullptr)
    return Order(*x, *b.If<std::string>());
  if (const auto* x = a.If<double>(); x != nullptr && b.If<double>() != nullptr) {
    if (std::isnan(*x) || std::isnan(*b.If<double>())) return 2;  // Neither less nor equal.
    return Order(*x, *b.If<double>());
  }
  const auto integer = [](const TemplateValue& v) -> const std::int64_t* {
    const auto* duration = v.If<TemplateDuration>();
    return duration != nullptr ? &duration->ns : v.If<std::int64_t>();
  };
  if (integer(a) != nullptr && integer(b) != nullptr) return Order(*integer(a), *integer(b));
  if (!ordered && a.If<bool>() != nullptr && b.If<bool>() != nullptr)
    return Order(*a.If<bool>(), *b.If<bool>());
  if (!ordered && (a.is_nil() || b.is_nil())) return a.is_nil() && b.is_nil() ? 0 : 1;
  const bool basic = a.state.index() <= 5 && b.state.index() <= 5 && !a.is_nil() && !b.is_nil();
  return Error(ErrorKind::kInvalid,
               basic && (!ordered || (a.If<bool>() == nullptr && b.If<bool>() == nullptr))
                   ? "incompatible types for comparison"
                   : "invalid type for comparison");
}

std::string FormatGoDuration(std::int64_t ns) {
  if (ns == 0) return "0s";
  std::string out = ns < 0 ? "-" : "";
  auto rest = ns < 0 ? 0 - static_cast<std::uint64_t>(ns) : static_cast<std::uint64_t>(ns);
  if (rest < 1'000'000'000) {
    const auto [unit, digits, name] = rest < 1'000       ? std::tuple{1ULL, 0, "ns"}
                                      : rest < 1'000'000 ? std::tuple{1'000ULL, 3, "\u00b5s"}
                                                         : std::tuple{1'000'000ULL, 6, "ms"};
    out += std::to_string(rest / unit);
    if (digits > 0) {
      const std::string fraction = Trimmed(fmt::format("{:0{}}", rest % unit, digits));
      if (!fraction.empty()) out += "." + fraction;
    }
    return out + name;
  }
  const std::uint64_t seconds = rest / 1'000'000'000;
  if (seconds >= 3600) out += std::to_string(seconds / 3600) + "h";
  if (seconds >= 60) out += std::to_string(seconds / 60 % 60) + "m";
  out += std::to_string(seconds % 60);
  const std::string fraction = Trimmed(fmt::format("{:09}", rest % 1'000'000'000));
  if (!fraction.empty()) out += "." + fraction;
  return out + "s";
}

std::string FormatGoTime(std::int64_t ms) {
  const std::chrono::sys_time<std::chrono::milliseconds> time{std::chrono::milliseconds(ms)};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  std::string out =
      fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  clock.hours().count(), clock.minutes().count(), clock.seconds().count());
  const std::string fraction = Trimmed(fmt::format("{:03}", clock.subseconds().count()));
  if (!fraction.empty()) out += "." + fraction;
  return out + " +0000 UTC";
}

std::string FormatG(double v, int precision) {
  if (std::isnan(v)) return "NaN";
  if (std::isinf(v)) return v > 0 ? "+Inf" : "-Inf";
  return fmt::format("{:.{}g}", v, precision);
}

}  // namespace sonde::rules
