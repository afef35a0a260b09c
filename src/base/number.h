#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// Numbers as text, exactly as Go's strconv writes and reads them: Prometheus's formats and its test
// files are defined by that (facts: shortest digits that round-trip; exponent of at least two
// digits).

namespace sonde {

/// strconv.FormatFloat(v, 'f', -1, 64): never an exponent. "NaN", "+Inf", "-Inf" for the specials.
void AppendFloatF(std::string& out, double v);
/// strconv.FormatFloat(v, 'e', -1, 64): always an exponent, "1e+00".
void AppendFloatE(std::string& out, double v);
/// strconv.FormatFloat(v, 'g', -1, 64) and fmt's %v and %g: an exponent below 1e-4 and from 1e+06
/// on.
void AppendFloatG(std::string& out, double v);
/// How the HTTP API writes sample values: 'f', but 'e' if |v| < 1e-6 (and not 0) or |v| >= 1e21.
void AppendFloatApi(std::string& out, double v);
/// How OpenMetrics and `le`/`quantile` labels write floats: as 'g', but "1" becomes "1.0".
void AppendFloatOpenMetrics(std::string& out, double v);

std::string FormatFloatF(double v);
std::string FormatFloatG(double v);

void AppendInt(std::string& out, std::int64_t v);
void AppendUint(std::string& out, std::uint64_t v);

/// strconv.ParseFloat(s, 64): decimal, hexadecimal, underscores between digits, "Inf" and "NaN" in
/// any case with a sign. Nothing if `s` is not a number or overflows.
std::optional<double> ParseFloat(std::string_view s);

/// Plain decimal with an optional '-' ('+' too), the whole string. Nothing on junk or overflow.
std::optional<std::int64_t> ParseInt(std::string_view s);
std::optional<std::uint64_t> ParseUint(std::string_view s);

}  // namespace sonde
