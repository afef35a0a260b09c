#pragma once

#include <string>

#include "config/schema.h"

namespace sonde::config {

enum class Secrets : unsigned char { kHide, kShow };

/// The block as text, in the reference's order and style: keys that are at their zero value are
/// left out, defaults are filled in, secrets read `<secret>` (kShow is for fingerprints only).
std::string EmitYaml(const BlockView& view, Secrets secrets = Secrets::kHide);

/// `text` as a YAML scalar, quoted only where it must be.
std::string QuoteYaml(std::string_view text);

}  // namespace sonde::config
