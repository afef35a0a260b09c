#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

// The blind-spot report: what Sonde cannot see in this installation, why that matters, and what to
// switch on (docs/blind-spots.md). This file is the judgement alone: facts in, findings out, no
// store and no clock. blind_spot_watch.h gathers the facts.

namespace sonde::insight {

/// What can be missing. The text form is the label `kind`.
enum class BlindSpotKind : unsigned char {
  kEngineMetricsOff,      ///< An engine serves the API and exposes no metrics.
  kEngineNamesUnknown,    ///< Its page is scraped, and nothing of it is in the vocabulary.
  kRanksMissing,          ///< Some data-parallel ranks of an engine are not told.
  kGatewayNotInPath,      ///< An engine generates tokens that the gateway does not see.
  kNoAcceleratorMetrics,  ///< An engine runs on a host whose accelerators nobody watches.
  kNoGpuMapping,          ///< Several engines share a host's GPUs, and nobody says which is whose.
  kThrottleCountersOff,   ///< Accelerators are watched, but not why their clocks fall.
  kProfilingOff,          ///< DCGM without its profiling fields.
  kNoPodLabels,           ///< Engines in pods, DCGM without labels of pods.
  kHistogramTooShort,     ///< The top finite bucket is below the objective.
  kStaleExporter,         ///< A target answers, with old or frozen values.
  kClockSkew,             ///< A target's clock is wrong.
};
inline constexpr std::size_t kBlindSpotKinds = 12;
/// "engine_metrics_off", …
std::string_view ToString(BlindSpotKind kind);

enum class BlindSpotSeverity : unsigned char {
  kInfo,     ///< May be all right: an engine on a CPU has no accelerator.
  kWarning,  ///< Something that is needed in an incident is not there.
};
std::string_view ToString(BlindSpotSeverity severity);

/// One finding.
struct BlindSpot {
  BlindSpotKind kind = BlindSpotKind::kEngineMetricsOff;
  BlindSpotSeverity severity = BlindSpotSeverity::kWarning;
  std::string instance = {};  ///< Where; each may be empty, not all.
  std::string node = {};
  std::string engine = {};
  std::string model = {};
  std::string what = {};  ///< A sentence.
  std::string why = {};   ///< What one will not see in an incident.
  std::string how = {};   ///< What to switch on, with the exact flag.
};

/// What is known of the installation at one moment.
struct BlindSpotFacts {
  /// An engine that the finder knows.
  struct Engine {
    std::string url;
    std::string instance;  ///< host:port, as its target's label.
    std::string engine;    ///< "vllm", "openai" for one that we do not know.
    bool up = false;
    bool serves_api = false;
    bool has_metrics = false;
  };
  /// An engine that has series in the vocabulary.
  struct Mapped {
    std::string engine;
    std::string model;  ///< Empty if it serves several.
    std::string node;   ///< Label, else the instance's host; loopback is "localhost".
    bool in_pod = false;
    std::set<int> ranks_now;
    std::set<int> ranks_lately;  ///< Seen within the last hour, these included.
  };
  struct Target {
    bool up = false;
    double samples = 0;  ///< On its page.
  };
  /// An exporter of accelerator metrics, with what it tells of.
  struct Accelerators {
    std::set<std::string> nodes;  ///< Labels, and the instance's host.
    std::set<std::string> gpus;   ///< By uuid, else by number.
    std::set<std::string> vendors;
    bool throttle = false;
    bool processes = false;  ///< It says which process uses which GPU.
    bool dcgm = false;
    bool dcgm_profiling = false;
    bool dcgm_pods = false;
    bool nvidia_smi = false;
  };
  struct Histogram {
    std::string name;    ///< "deepseek_inference_latency_seconds"
    std::string source;  ///< "engine", "gateway"
    std::string engine;
    std::string instance;
    std::string model;
    double top_bound = 0;  ///< The largest finite bound, in seconds.
    double objective = 0;  ///< What it has to reach.
  };
  struct Traffic {
    double engine_tokens = 0;   ///< Generated within the window.
    double probe_tokens = 0;    ///< Of these, for canaries sent by Sonde past the gateway.
    double gateway_tokens = 0;  ///< Seen at the gateway, of the same model.
    std::string engine;
  };

  std::vector<Engine> engines;
  std::map<std::string, Mapped> mapped;              ///< By instance.
  std::map<std::string, Target> targets;             ///< By instance.
  std::map<std::string, Accelerators> accelerators;  ///< By instance.
  std::vector<Histogram> histograms;
  std::map<std::pair<std::string, std::string>, Traffic> traffic;  ///< By instance and model.
  std::map<std::string, double>
      sample_age_seconds;        ///< Newest sample, seen from the scrape; < 0: future.
  std::set<std::string> frozen;  ///< Nothing has changed for a quarter of an hour.
  std::map<std::string, double> clock_skew_seconds;  ///< Target's clock − ours.
  bool gateway_on = true;
};

/// At most this many findings; the report says if there are more.
inline constexpr std::size_t kMaxBlindSpots = 1'000;

/// All findings, by kind, then place. Deterministic.
std::vector<BlindSpot> FindBlindSpots(const BlindSpotFacts& facts);

/// "10.0.0.5:8000" → "10.0.0.5"; all of loopback is "localhost".
std::string HostOfInstance(std::string_view instance);

}  // namespace sonde::insight
