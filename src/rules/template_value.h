#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "model/labels.h"

// Values inside templates, with Go's rules of truth, comparison and printing (pkg.go.dev/fmt,
// text/template).

namespace sonde::rules {

struct TemplateValue;

/// time.Duration.
struct TemplateDuration {
  std::int64_t ns = 0;
};
/// time.Time, in UTC.
struct TemplateTime {
  std::int64_t ms = 0;
};
/// map[string]string if `texts`, else map[string]any.
struct TemplateMap {
  bool texts = false;
  std::map<std::string, TemplateValue, std::less<>> entries;
};
/// One series of `query`'s result.
struct TemplateSample {
  std::shared_ptr<const TemplateMap> labels;
  double value = 0;
};
using TemplateList = std::vector<TemplateValue>;

/// A value; maps, lists and samples are shared and never change.
struct TemplateValue {
  using State =
      std::variant<std::monostate, bool, std::int64_t, double, std::string, TemplateDuration,
                   TemplateTime, std::shared_ptr<const TemplateMap>,
                   std::shared_ptr<const TemplateList>, std::shared_ptr<const TemplateSample>>;
  State state;

  template <class T>
  const T* If() const {
    return std::get_if<T>(&state);
  }
  const TemplateMap* map() const;
  const TemplateList* list() const;
  const TemplateSample* sample() const;
  bool is_nil() const { return std::holds_alternative<std::monostate>(state); }
};

TemplateValue MapOf(LabelsView labels);

/// Go's name of the type, for messages: "float64", "map[string]string".
std::string_view TypeName(const TemplateValue& value);
/// What `if` asks.
bool IsTrue(const TemplateValue& value);
/// As fmt.Print writes it; nil is `<no value>`.
std::string ToText(const TemplateValue& value);
/// fmt.Sprint: operands are parted by a space where neither is a string.
std::string Sprint(std::span<const TemplateValue> values);
/// fmt.Sprintf. Mistakes appear in the text, as Go writes them: `%!d(string=x)`. Widths and
/// precisions are at most 1,000.
std::string Sprintf(std::string_view format, std::span<const TemplateValue> values);

/// <0, 0, >0, or kInvalid if the two cannot be ordered (`ordered`) or compared.
Result<int> Compare(const TemplateValue& a, const TemplateValue& b, bool ordered);

/// time.Duration.String(): "1h0m0s", "1.5ms".
std::string FormatGoDuration(std::int64_t ns);
/// time.Time.String(): "2026-11-24 16:00:00.5 +0000 UTC".
std::string FormatGoTime(std::int64_t ms);
/// "%.4g" and the like, with Go's names for what is not finite.
std::string FormatG(double v, int precision);

}  // namespace sonde::rules
