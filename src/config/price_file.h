#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/fill.h"
#include "config/schema.h"
#include "gateway/measure_options.h"

// `sonde.slo`, `sonde.prices` and `sonde.feedback` into the gateway's structs, and files of prices:
// packs/prices/*.yaml, and those of `sonde.prices.files`. Format: docs/cost.md.

namespace sonde::config {

/// A price file's keys.
extern const Block kPriceFileBlock;

/// Parses and checks `text`. Errors are kInvalid (or kLimit) and begin with `origin:line:column:`.
Result<std::vector<gateway::PriceOptions>> ParsePriceFile(std::string_view text,
                                                          std::string_view origin);

gateway::SloOptions FillSlo(const BlockView& view);
gateway::FeedbackOptions FillFeedback(const BlockView& view);

/// The table, then the files, which are read here; one that cannot be read or is wrong is an error.
PriceSourceOptions FillPrices(const BlockView& view, const FillContext& context, Env& env,
                              Diagnostics& diagnostics);

}  // namespace sonde::config
