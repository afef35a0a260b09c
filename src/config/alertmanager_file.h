#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "alerting/options.h"
#include "base/env.h"
#include "base/result.h"
#include "config/schema.h"

// `alertmanager.yml`, read strictly. The language is Alertmanager's (docs/alerting.md); every kind
// of receiver is accepted, those that are not sent by this version with a warning.

namespace sonde::config {

struct AlertmanagerConfig {
  std::string file;
  alerting::Options options;
  std::vector<std::string> warnings;  ///< `FILE:LINE:COLUMN: …`
  std::string original;               ///< The text with secrets hidden, for `/api/v2/status`.
};

using Environment = std::function<std::optional<std::string>(const std::string& name)>;

/// Parses and checks `text`; `env` reads time zones. Errors are kInvalid (or kLimit), one
/// `FILE:LINE:COLUMN: message` a line. Relative paths in it are against `file`'s folder.
Result<AlertmanagerConfig> ParseAlertmanagerFile(Env& env, std::string_view text,
                                                 const std::string& file);

/// The same for a file of at most 16 MiB.
Result<AlertmanagerConfig> LoadAlertmanagerFile(Env& env, const std::string& file);

/// The file as a block. schema_alertmanager.cc
extern const Block kAlertmanagerBlock;
/// One kind of receiver: its key among a receiver's, and its block.
struct ReceiverKind {
  const char* key;   ///< "webhook_configs".
  const char* type;  ///< "webhook".
  bool send_resolved;
};
/// In the reference's order.
std::span<const ReceiverKind> ReceiverKinds();

}  // namespace sonde::config
