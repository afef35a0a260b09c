#include "gateway/upstream.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/hash.h"
#include "base/json.h"
#include "base/quote.h"
#include "net/tls.h"

namespace sonde::gateway {
namespace {

void CopyJson(JsonWriter& out, JsonView value) {
  if (value.is_object()) {
    out.BeginObject();
    value.ForEach([&](std::string_view key, JsonView member) {
      out.Key(key);
      CopyJson(out, member);
    });
    out.EndObject();
  } else if (value.is_array()) {
    out.BeginArray();
    for (std::size_t i = 0; i < value.size(); ++i) {
      CopyJson(out, value.at(i));
    }
    out.EndArray();
  } else if (const auto text = value.string()) {
    out.String(*text);
  } else if (const auto integer = value.integer()) {
    out.Int(*integer);
  } else if (const auto number = value.number()) {
    out.Double(*number);
  } else if (const auto boolean = value.boolean()) {
    out.Bool(*boolean);
  } else {
    out.Null();
  }
}

}  // namespace

bool ModelList::Has(std::string_view id) const {
  return std::ranges::binary_search(ids, id);
}

Result<ModelList> ModelList::Parse(std::string_view body) {
  const JsonDocument document = TRY(JsonDocument::Parse(body));
  const JsonView data = document.root()["data"];
  if (!data.is_array()) return Error(ErrorKind::kInvalid, "no list of models in the answer");
  std::vector<std::pair<std::string, std::string>> models;
  for (std::size_t i = 0; i < data.size(); ++i) {
    const auto id = data.at(i)["id"].string();
    if (!id || id->empty()) continue;
    std::string json;
    JsonWriter writer(json);
    CopyJson(writer, data.at(i));
    models.emplace_back(*id, std::move(json));
  }
  std::ranges::sort(models);
  ModelList list;
  list.known = true;
  for (auto& [id, json] : models) {
    if (!list.ids.empty() && list.ids.back() == id) continue;
    list.ids.push_back(std::move(id));
    list.json.push_back(std::move(json));
  }
  return list;
}

Upstream::Upstream(UpstreamOptions options, std::string name, net::Url base,
                   const HealthOptions& health_options, net::HttpClientOptions client_options,
                   instrument::Registry& registry)
    : tls_files(TlsFilesState(options.tls)),
      health(health_options),
      options_(std::move(options)),
      name_(std::move(name)),
      id_(std::max<std::uint64_t>(Xxh3(name_), 1)),
      base_(std::move(base)),
      client_(std::move(client_options), registry, "gateway") {
  auto models = std::make_shared<ModelList>();
  models->ids = options_.models;
  std::ranges::sort(models->ids);
  models->known = models->configured = !models->ids.empty();
  models_ = std::move(models);
}

Result<std::shared_ptr<Upstream>> Upstream::Create(const UpstreamOptions& options,
                                                   const GatewayOptions& gateway,
                                                   instrument::Registry& registry) {
  auto base = net::Url::Parse(options.url);
  if (!base) return std::move(base).error().Wrap("gateway upstream");
  std::string name = options.name.empty() ? base->authority() : options.name;
  if (!(options.weight > 0)) {
    return Error(ErrorKind::kInvalid,
                 "gateway upstream " + QuoteGo(name) + ": weight must be above 0");
  }
  if (base->path.find('?') != std::string::npos) {
    return Error(ErrorKind::kInvalid,
                 "gateway upstream " + QuoteGo(name) + ": the URL must have no query");
  }
  while (base->path.ends_with('/')) {
    base->path.pop_back();
  }
  // Clients ask for /v1/…; a base URL as OpenAI's libraries want it ends with the same.
  if (base->path.ends_with("/v1")) base->path.resize(base->path.size() - 3);

  net::HttpClientOptions client;
  client.connect_timeout = gateway.connect_timeout;
  client.response_timeout = gateway.response_timeout;
  client.read_timeout = gateway.idle_timeout;
  client.idle_timeout = gateway.upstream_keep_alive;
  client.max_idle_per_host = 1024;
  client.proxy_url = options.proxy_url;
  client.user_agent.clear();  // The client's own passes through.
  if (options.tls) {
    auto tls = net::TlsContext::Client(*options.tls);
    if (!tls) return std::move(tls).error().Wrap("gateway upstream " + QuoteGo(name));
    client.tls = *std::move(tls);
  }
  return std::shared_ptr<Upstream>(new Upstream(options, std::move(name), *std::move(base),
                                                gateway.health, std::move(client), registry));
}

net::Url Upstream::UrlFor(std::string_view target) const {
  net::Url url = base_;
  url.path += target;
  return url;
}

std::shared_ptr<const ModelList> Upstream::models() const {
  MutexLock lock(mutex_);
  return models_;
}

void Upstream::SetModels(ModelList models) {
  auto shared = std::make_shared<const ModelList>(std::move(models));
  MutexLock lock(mutex_);
  models_ = std::move(shared);
}

bool Settings::Serves(std::string_view model) const {
  return std::ranges::any_of(upstreams,
                             [&](const auto& upstream) { return upstream->models()->Has(model); });
}

const BalanceOptions& Settings::BalanceFor(std::string_view model) const {
  for (const ModelBalance& own : options.model_balance) {
    if (own.model == model) return own.balance;
  }
  return options.balance;
}

std::string TlsFilesState(const std::optional<net::TlsClientOptions>& tls) {
  std::string state;
  if (!tls) return state;
  for (const std::string* file : {&tls->ca_file, &tls->certificate_file, &tls->key_file}) {
    if (file->empty()) continue;
    // A file that is gone has no state; loading it says what is wrong.
    std::error_code ignored;
    const auto size = std::filesystem::file_size(*file, ignored);
    const auto time = std::filesystem::last_write_time(*file, ignored).time_since_epoch().count();
    state += std::to_string(size) + "@" + std::to_string(time) + " ";
  }
  return state;
}

}  // namespace sonde::gateway
