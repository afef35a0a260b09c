#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "alerting/time_interval.h"
#include "base/time.h"
#include "model/matcher.h"
#include "net/tls.h"

// What an alertmanager.yml says, as plain values; config/alertmanager_file.h fills it.

namespace sonde::alerting {

/// One node of the routing tree. What is not given is inherited; RouteTree resolves it.
struct RouteOptions {
  std::string receiver;
  std::optional<std::vector<std::string>> group_by;  ///< `...` alone: by all labels.
  std::optional<Duration> group_wait;
  std::optional<Duration> group_interval;
  std::optional<Duration> repeat_interval;
  std::vector<Matcher> matchers;
  bool continues = false;  ///< `continue`: siblings after this one are tried, too.
  std::vector<std::string> mute_time_intervals;
  std::vector<std::string> active_time_intervals;
  std::vector<RouteOptions> routes;
};

/// A firing alert that the source matchers accept mutes those that the target matchers accept, if
/// both have the same values for the labels in `equal`.
struct InhibitRule {
  std::string name;
  std::vector<Matcher> source;
  std::vector<Matcher> target;
  std::vector<std::string> equal;
};

/// How to reach an HTTP receiver. Secrets in files are read again for each request.
struct HttpOptions {
  std::string user;
  std::string user_file;
  std::string password;
  std::string password_file;
  std::string authorization_type;  ///< "Bearer"; empty: none.
  std::string credentials;
  std::string credentials_file;
  net::TlsClientOptions tls;
  bool follow_redirects = true;
  std::string proxy_url;
  std::vector<std::pair<std::string, std::string>> headers;
};

struct SlackField {
  std::string title;
  std::string value;
  bool is_short = false;
};

enum class IntegrationKind : unsigned char {
  kWebhook,
  kSlack,
  kOther,  ///< A kind that is accepted and not sent by this version.
};

/// One entry of a receiver's `…_configs`. Texts that are templates are kept as they are written;
/// an empty one stands for the default.
struct Integration {
  IntegrationKind kind = IntegrationKind::kOther;
  std::string type;  ///< "webhook", "slack", "email" …
  int index = 0;     ///< Among those of the receiver's type.
  bool send_resolved = true;
  HttpOptions http;
  std::string url;       ///< The webhook, or Slack's api_url.
  std::string url_file;  ///< Read for each request.
  Duration timeout{0};   ///< Of one attempt; 0: the group's interval only.

  // Webhook.
  std::uint64_t max_alerts = 0;  ///< 0: all.

  // Slack.
  std::string app_token;  ///< With chat.postMessage instead of an incoming webhook.
  std::string app_token_file;
  std::string channel, username, color, title, title_link, pretext, text, fallback, footer;
  std::string callback_id, icon_emoji, icon_url, image_url, thumb_url;
  std::vector<SlackField> fields;
  bool short_fields = false;
  bool link_names = false;
  std::vector<std::string> mrkdwn_in = {"fallback", "pretext", "text"};
};

struct Receiver {
  std::string name;
  std::vector<Integration> integrations;
};

struct Options {
  Duration resolve_timeout{300'000};
  RouteOptions route;
  std::vector<InhibitRule> inhibit_rules;
  std::vector<NamedTimeInterval> time_intervals;
  std::vector<Receiver> receivers;
  std::vector<std::string> templates;  ///< Patterns of files.

  /// One receiver "default" that sends nothing: alerts are only listed.
  static Options ListOnly() {
    Options options;
    options.route.receiver = "default";
    options.route.group_by = std::vector<std::string>{"alertname"};
    options.receivers.push_back({"default", {}});
    return options;
  }
};

}  // namespace sonde::alerting
