#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What stands behind an address: which inference engine, which models, and where its metrics are.
// Without I/O of its own: a function that fetches is passed in.

namespace sonde::collect {

/// An answer to one GET. `status` 0: there was none (refused, timed out, not HTTP).
struct ProbeReply {
  int status = 0;
  std::string body;
};

/// GETs an absolute URL. Called one after the other.
using ProbeFetch = std::function<ProbeReply(const std::string& url)>;

/// What an engine says about itself.
struct EngineIdentity {
  std::string
      engine;  ///< "vllm", "sglang", "llamacpp", "ollama", …; "openai": one that we do not know.
  std::string version;              ///< Empty if it does not say.
  std::vector<std::string> models;  ///< As it lists them.
  std::string metrics_path;  ///< Below the base URL: "/metrics"; empty: it has none, or they are
                             ///< switched off.
  bool serves_api = false;   ///< OpenAI-compatible, so the gateway can send requests to it.
  bool operator==(const EngineIdentity&) const = default;
};

/// The engine or router whose metrics these are, by the names of the families: what the label
/// `engine` of their mapping says (packs/mappings/). Empty if none is known; exporters of
/// accelerators are none. Reads at most the first 256 kB.
std::string_view EngineOfMetrics(std::string_view page);

/// The ids in an OpenAI-compatible list of models, and who owns them ("vllm", "library", …).
/// Nothing if it is no such list.
struct ModelList {
  std::vector<std::string> ids;
  std::string owned_by;  ///< Of the first.
};
std::optional<ModelList> ParseModelList(std::string_view body);

/// Asks `base_url` (without a slash at its end) who it is: at most five requests, and one if nobody
/// is there. Nothing if it is no inference engine, or does not answer.
std::optional<EngineIdentity> IdentifyEngine(const std::string& base_url, const ProbeFetch& fetch);

/// Whether a server answers there at all, engine or not. Decides how soon to ask again.
enum class ProbeOutcome : unsigned char { kNobody, kNoEngine, kEngine };
struct ProbeResult {
  ProbeOutcome outcome = ProbeOutcome::kNobody;
  EngineIdentity identity;  ///< Only for kEngine.
};
ProbeResult ProbeEngine(const std::string& base_url, const ProbeFetch& fetch);

}  // namespace sonde::collect
