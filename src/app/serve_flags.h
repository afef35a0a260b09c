#pragma once

#include "app/serve_options.h"

namespace CLI {
class App;
}

namespace sonde::app {

/// Adds the flags of `sonde serve` to `command`: ours, and Prometheus's spellings of the same
/// things, so that its start scripts keep working. `options` must outlive `command`.
void AddServeFlags(CLI::App& command, ServeOptions& options);

/// After parsing: fills options.flags.
void CollectFlags(ServeOptions& options);

}  // namespace sonde::app
