#pragma once

#include "config/schema.h"

namespace sonde::config {

extern const Block kReceiverBlock;      ///< schema_receivers.cc
extern const Block kReceiverHttpBlock;  ///< `http_config`. schema_alertmanager.cc

}  // namespace sonde::config
