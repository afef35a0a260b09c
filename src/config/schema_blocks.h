#pragma once

#include "config/schema.h"

// The blocks that several schema_*.cc files use.

namespace sonde::config {

extern const Block
    kHttpClientBlock;  ///< How to reach and identify ourselves to an HTTP server. schema_http.cc
extern const Block kTlsBlock;
extern const Block kAuthorizationBlock;
extern const Block kRelabelBlock;  ///< schema_relabel.cc
extern const Block
    kDiscoveryBlock;  ///< All `*_sd_configs` and `static_configs`. schema_discovery.cc
extern const Block kTargetGroupBlock;  ///< `targets` and `labels`.
extern const Block kGlobalBlock;       ///< schema_scrape.cc
extern const Block kScrapeBlock;       ///< schema_scrape.cc
extern const Block kAlertingBlock;     ///< schema_remote.cc
extern const Block kRemoteWriteBlock;
extern const Block kRemoteReadBlock;
extern const Block kSondeBlock;     ///< schema_sonde.cc
extern const Block kProgressBlock;  ///< schema_insight.cc
extern const Block kProbesBlock;    ///< schema_probes.cc
extern const Block kSondeBlock;    ///< schema_sonde.cc
extern const Block kGatewayBlock;  ///< schema_gateway.cc

/// Checks the keys of kHttpClientBlock in a view whose block inlines it.
void CheckHttpClient(const BlockView& view, Diagnostics& diagnostics);

/// A relabelling list's rules against the name validation scheme that applies where it stands.
void CheckRelabelRules(const BlockView& owner, std::string_view key, bool legacy_names,
                       Diagnostics& diagnostics);

/// `targets` of static_configs must be host:port, unless relabelling may mend them.
void CheckStaticTargets(const BlockView& owner, Diagnostics& diagnostics);

/// Checks that need the global section: names, intervals, limits. schema_scrape.cc
void CheckScrapeAgainstGlobal(const BlockView& scrape, const BlockView& global,
                              Diagnostics& diagnostics);

/// "utf8" or "legacy", after defaults.
bool UsesLegacyNames(const BlockView& scrape_or_global, const BlockView& global);

/// A header that must be set in another way, or not at all; for remote_write, remote_read and
/// tracing.
bool IsReservedHeader(std::string_view name);

}  // namespace sonde::config
