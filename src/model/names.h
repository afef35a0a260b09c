#pragma once

#include <optional>
#include <string>
#include <string_view>

// Which names are valid, and how UTF-8 names travel where only legacy names can (prometheus/common,
// docs "UTF-8 guide").

namespace sonde {

/// [a-zA-Z_:][a-zA-Z0-9_:]*
bool IsLegacyMetricName(std::string_view name);
/// [a-zA-Z_][a-zA-Z0-9_]*
bool IsLegacyLabelName(std::string_view name);
/// Not empty and valid UTF-8: what Prometheus 3 accepts as metric or label name.
bool IsValidName(std::string_view name);

/// `U__a_2e_b` for "a.b": the escaping of label names in URL paths. Legacy names stay as they are.
std::string EscapeName(std::string_view name);
/// The inverse; nothing if a `U__` name is malformed. A name without `U__` is returned as it is.
std::optional<std::string> UnescapeName(std::string_view escaped);

}  // namespace sonde
