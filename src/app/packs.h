#pragma once

#include <span>

#include "base/embedded.h"

namespace sonde {

/// The folder packs/ of this build: what ships with Sonde and is data, not code. Paths are relative
/// to it.
std::span<const EmbeddedFile> PacksFiles();

}  // namespace sonde
