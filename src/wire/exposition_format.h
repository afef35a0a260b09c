#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

// Which exposition format a page is in, and how a scraper and a target agree on one: the spellings
// of prometheus.yml (`scrape_protocols`), the Accept header of a scrape, the Content-Type of its
// answer.
//
// Format: docs/formats/exposition.md, "Negotiation".

namespace sonde::wire {

/// A grammar. Versions of the text format (0.0.4, 1.0.0) and of OpenMetrics (0.0.1, 1.0.0) share
/// one each.
enum class ExpositionFormat : unsigned char { kText, kOpenMetrics, kProtobuf };

/// The members of `scrape_protocols`, in the order in which Prometheus prefers them.
enum class ScrapeProtocol : unsigned char {
  kOpenMetricsText1_0_0,
  kOpenMetricsText0_0_1,
  kPrometheusText1_0_0,
  kPrometheusText0_0_4,
  kPrometheusProto,
};

/// "OpenMetricsText1.0.0", "PrometheusText0.0.4", … as in prometheus.yml.
std::string_view ToString(ScrapeProtocol protocol);
std::optional<ScrapeProtocol> ParseScrapeProtocol(std::string_view word);
ExpositionFormat FormatOf(ScrapeProtocol protocol);

/// What a scrape asks for if nothing is configured. Protobuf is not in it: Sonde does not read it
/// yet.
std::span<const ScrapeProtocol> DefaultScrapeProtocols();

/// How names beyond [a-zA-Z_:][a-zA-Z0-9_:]* travel to a reader that may not understand quoted
/// names.
enum class NameEscaping : unsigned char { kAllowUtf8, kUnderscores, kDots, kValues };

/// "allow-utf-8", "underscores", "dots", "values".
std::string_view ToString(NameEscaping escaping);
std::optional<NameEscaping> ParseNameEscaping(std::string_view word);
/// `name` as `escaping` writes it. kAllowUtf8 changes nothing.
std::string EscapeName(std::string_view name, NameEscaping escaping);

/// The Accept header of a scrape: `protocols` with falling weights, then `*/*`.
std::string AcceptHeader(std::span<const ScrapeProtocol> protocols, NameEscaping escaping);

/// A Content-Type or one alternative of an Accept header: "type/subtype" in lower case and the
/// parameters (names in lower case, quotes taken off).
struct MediaType {
  std::string type;
  std::vector<std::pair<std::string, std::string>> parameters;

  /// The parameter's value, or "" if there is none.
  std::string_view Get(std::string_view name) const;
};

/// Parses a media type (RFC 9110, 8.3.1). kInvalid names the byte where it stops being one.
Result<MediaType> ParseMediaType(std::string_view header);

/// What a scrape decided about an answer's body.
struct ScrapeFormat {
  ExpositionFormat format = ExpositionFormat::kText;
  std::string version;                   ///< As announced; empty if it was not.
  std::optional<NameEscaping> escaping;  ///< As announced.
  std::string warning;  ///< Not empty if the header was useless and the fallback was taken.
};

/// The format of an answer with this Content-Type header. A missing, malformed or foreign one is
/// taken for `fallback`
/// (`fallback_scrape_protocol`), or is kInvalid if there is no fallback.
Result<ScrapeFormat> FormatOfContentType(std::string_view content_type,
                                         std::optional<ScrapeProtocol> fallback);

/// How a server answers a scrape.
struct ServedFormat {
  ScrapeProtocol protocol = ScrapeProtocol::kPrometheusText0_0_4;
  NameEscaping escaping = NameEscaping::kUnderscores;

  /// The Content-Type header of the answer.
  std::string ContentType() const;
};

/// The best of the text formats for an Accept header; text 0.0.4 if it asks for nothing that we
/// write.
ServedFormat NegotiateServedFormat(std::string_view accept);

}  // namespace sonde::wire
