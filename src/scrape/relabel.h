#pragma once

#include <span>

#include "model/labels.h"
#include "scrape/options.h"

namespace sonde::scrape {

/// Applies `rules` in order to the labels in `labels`. False if a rule says to drop what has these
/// labels; `labels` is then in an intermediate state. The same function serves targets, scraped
/// series, remote write and alerts.
bool Relabel(std::span<const RelabelRule> rules, LabelsBuilder& labels);

/// One rule: Relabel with a list of one.
bool ApplyRelabelRule(const RelabelRule& rule, LabelsBuilder& labels);

}  // namespace sonde::scrape
