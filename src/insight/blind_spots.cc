#include "insight/blind_spots.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include <fmt/format.h>

namespace sonde::insight {
namespace {

using Facts = BlindSpotFacts;
using Kind = BlindSpotKind;
using Severity = BlindSpotSeverity;
using Found = std::vector<BlindSpot>;

/// Samples older than this when they are scraped are stale; a slow exporter's interval is 60 s.
constexpr double kOldSeconds = 120;
/// Explicit timestamps so far ahead, or a clock so far off, shift what is seen.
constexpr double kAheadSeconds = 30;
constexpr double kSkewSeconds = 5;
/// Below it an engine's tokens may be anybody's health check.
constexpr double kMinTokens = 50;

/// How an engine's metrics are switched on.
std::string HowToSwitchOn(std::string_view engine) {
  if (engine == "vllm") {
    return "vLLM exposes /metrics unless told otherwise: remove --disable-log-stats, and let "
           "nothing "
           "in front of it hide /metrics";
  }
  if (engine == "sglang") return "start SGLang with --enable-metrics";
  if (engine == "llamacpp") {
    return "start llama-server with --metrics (without it /metrics answers 501); "
           "llama-cpp-python's "
           "server has none: send its requests through the gateway";
  }
  if (engine == "tensorrt-llm") {
    return "give trtllm-serve `return_perf_metrics: true` in the file of --extra_llm_api_options; "
           "its page is /prometheus/metrics";
  }
  if (engine == "triton") {
    return "start tritonserver with --allow-metrics=true (port 8002, --metrics-port), and add the "
           "address to sonde.engines.targets";
  }
  if (engine == "lmdeploy") return "start lmdeploy serve api_server with --enable-metrics";
  if (engine == "dynamo") {
    return "set DYN_SYSTEM_PORT for the workers; the front end has /metrics on its HTTP port";
  }
  if (engine == "tgi") return "TGI exposes /metrics: let nothing in front of it hide that path";
  if (engine == "ollama") {
    return "Ollama has no metrics: send its requests through the gateway, which measures them";
  }
  return "look for the server's own switch, or send its requests through the gateway, which "
         "measures "
         "them";
}

void FindEngineMetricsOff(const Facts& facts, Found& found) {
  for (const Facts::Engine& engine : facts.engines) {
    if (!engine.up || !engine.serves_api || engine.has_metrics) continue;
    if (facts.mapped.contains(engine.instance)) continue;
    found.push_back({.kind = Kind::kEngineMetricsOff,
                     .instance = engine.instance,
                     .engine = engine.engine,
                     .what = fmt::format("the engine at {} answers requests and exposes no metrics",
                                         engine.url),
                     .why = "queue, KV cache and batch are not seen: a slow answer cannot be told "
                            "from a full engine, nor an engine that is stuck from one that is idle",
                     .how = HowToSwitchOn(engine.engine)});
  }
}

void FindUnknownNames(const Facts& facts, Found& found) {
  for (const Facts::Engine& engine : facts.engines) {
    const auto target = facts.targets.find(engine.instance);
    if (!engine.has_metrics || target == facts.targets.end() || !target->second.up) continue;
    if (target->second.samples <= 0 || facts.mapped.contains(engine.instance)) continue;
    found.push_back(
        {.kind = Kind::kEngineNamesUnknown,
         .instance = engine.instance,
         .engine = engine.engine,
         .what = fmt::format("{} samples of {} are stored, and none of them is in the vocabulary",
                             target->second.samples, engine.url),
         .why = "dashboards, rules and the progress detector ask for canonical names, so for them "
                "this engine does not exist",
         .how = "see what its page becomes with `sonde map`, and add a mapping file under "
                "sonde.mappings (docs/mappings.md); a new version of a known engine may have "
                "renamed its metrics"});
  }
}

std::string List(const std::set<int>& numbers) {
  std::string out;
  for (const int number : numbers)
    out += (out.empty() ? "" : ", ") + std::to_string(number);
  return out;
}

void FindMissingRanks(const Facts& facts, Found& found) {
  for (const auto& [instance, mapped] : facts.mapped) {
    std::set<int> missing;
    for (const int rank : mapped.ranks_lately) {
      if (!mapped.ranks_now.contains(rank)) missing.insert(rank);
    }
    if (!mapped.ranks_now.empty()) {
      for (int rank = 0; rank < *mapped.ranks_now.rbegin(); ++rank) {
        if (!mapped.ranks_now.contains(rank)) missing.insert(rank);
      }
    }
    if (missing.empty() || mapped.ranks_now.empty()) continue;
    found.push_back(
        {.kind = Kind::kRanksMissing,
         .instance = instance,
         .engine = mapped.engine,
         .model = mapped.model,
         .what = fmt::format("data-parallel ranks {} are told, {} are not", List(mapped.ranks_now),
                             List(missing)),
         .why =
             "sums over the engine are too small, and a rank that is stuck or starved is not seen",
         .how =
             mapped.engine == "sglang"
                 ? "start SGLang with --enable-metrics-for-all-schedulers"
                 : "with an external load balancer each rank has an API server and a page of its "
                   "own: scrape all of them (sonde.engines.targets)"});
  }
}

void FindGatewayBypassed(const Facts& facts, Found& found) {
  for (const auto& [key, traffic] : facts.traffic) {
    const double own = traffic.engine_tokens - traffic.probe_tokens;
    if (traffic.gateway_tokens > 0 || own < kMinTokens + 0.05 * traffic.probe_tokens) continue;
    found.push_back(
        {.kind = Kind::kGatewayNotInPath,
         .severity = Severity::kInfo,
         .instance = key.first,
         .engine = traffic.engine,
         .model = key.second,
         .what =
             fmt::format("{} generated about {:.0f} tokens in 15 minutes, and the gateway saw none",
                         key.first, own),
         .why =
             "outcomes, time to the first answer token, tenants, cost and goodput are measured at "
             "the gateway only; engines leave requests that were cut off out of their histograms",
         .how = facts.gateway_on
                    ? "point clients at the gateway (sonde.gateway.listen_address) instead of the "
                      "engine; it passes bytes through unchanged"
                    : "start without --no-gateway, and point clients at it"});
  }
}

bool MayRunOnCpu(std::string_view engine) {
  return engine == "llamacpp" || engine == "ollama" || engine == "openai" || engine.empty();
}

/// The exporters that tell of accelerators on this host.
std::vector<const Facts::Accelerators*> AcceleratorsOf(const Facts& facts,
                                                       const std::string& node) {
  std::vector<const Facts::Accelerators*> all;
  for (const auto& [instance, accelerators] : facts.accelerators) {
    if (accelerators.nodes.contains(node)) all.push_back(&accelerators);
  }
  return all;
}

struct Host {
  std::set<std::string> instances;
  std::set<std::string> engines;
};

std::map<std::string, Host> HostsOf(const Facts& facts) {
  std::map<std::string, Host> hosts;
  const auto add = [&](const std::string& node, const std::string& instance,
                       const std::string& engine) {
    hosts[node].instances.insert(instance);
    hosts[node].engines.insert(engine);
  };
  for (const auto& [instance, mapped] : facts.mapped)
    add(mapped.node, instance, mapped.engine);
  for (const Facts::Engine& engine : facts.engines) {
    // A hosted service's accelerators are nobody's to watch.
    if (engine.up && !facts.mapped.contains(engine.instance) && !engine.url.starts_with("https://"))
      add(HostOfInstance(engine.instance), engine.instance, engine.engine);
  }
  return hosts;
}

void FindAccelerators(const Facts& facts, Found& found) {
  for (const auto& [node, host] : HostsOf(facts)) {
    const auto exporters = AcceleratorsOf(facts, node);
    const bool cpu = std::all_of(host.engines.begin(), host.engines.end(), MayRunOnCpu);
    if (exporters.empty()) {
      const bool some = !facts.accelerators.empty();
      found.push_back(
          {.kind = Kind::kNoAcceleratorMetrics,
           .severity = cpu ? Severity::kInfo : Severity::kWarning,
           .node = node,
           .engine = *host.engines.begin(),
           .what =
               some ? fmt::format("engines run on {}, and no accelerator's series names that host",
                                  node)
                    : fmt::format("engines run on {}, and there are no accelerator metrics at all",
                                  node),
           .why = "heat, power limits, throttling and GPU faults are the first causes to look at "
                  "when latency rises, and they cannot be told",
           .how =
               "run sonde on that host (it reads NVIDIA and AMD GPUs itself), or scrape "
               "dcgm-exporter (:9400), nvidia_gpu_exporter (:9835), the ROCm exporter (:5000) or "
               "Ascend's npu-exporter (:8082) there; engines and exporters are joined by the label "
               "`node`, else by the host in `instance`"});
      continue;
    }
    std::set<std::string> gpus;
    bool told = false;
    for (const Facts::Accelerators* exporter : exporters) {
      gpus.insert(exporter->gpus.begin(), exporter->gpus.end());
      told = told || exporter->processes || exporter->dcgm_pods;
    }
    if (told || host.instances.size() < 2 || gpus.size() < 2) continue;
    found.push_back(
        {.kind = Kind::kNoGpuMapping,
         .node = node,
         .engine = *host.engines.begin(),
         .what =
             fmt::format("{} engines share the {} GPUs of {}, and nothing says which uses which",
                         host.instances.size(), gpus.size(), node),
         .why = "a hot or throttled GPU cannot be named as the cause of one engine's latency",
         .how =
             "run sonde on that host, which reads the processes of each GPU; under Kubernetes let "
             "dcgm-exporter add labels of pods (DCGM_EXPORTER_KUBERNETES=true)"});
  }
}

std::string HowToCountThrottling(const Facts::Accelerators& exporter) {
  if (exporter.dcgm) {
    return "in dcgm-exporter's list of counters (-f FILE, default-counters.csv) uncomment "
           "DCGM_FI_DEV_POWER_VIOLATION, DCGM_FI_DEV_THERMAL_VIOLATION, "
           "DCGM_FI_DEV_SYNC_BOOST_VIOLATION, DCGM_FI_DEV_BOARD_LIMIT_VIOLATION and "
           "DCGM_FI_DEV_RELIABILITY_VIOLATION";
  }
  if (exporter.nvidia_smi) {
    return "let nvidia_gpu_exporter query the clocks' event reasons "
           "(its option --query-field-names AUTO), or run sonde on that host, which counts the "
           "seconds";
  }
  if (exporter.vendors.contains("amd")) {
    return "switch on the violation counters (GPU_VIOLATION_…) in the ROCm exporter's "
           "configuration";
  }
  return "run sonde on that host: it counts the seconds of each throttle reason where the driver "
         "tells them";
}

void FindExporterGaps(const Facts& facts, Found& found) {
  bool engines_in_pods = false;
  for (const auto& [instance, mapped] : facts.mapped)
    engines_in_pods = engines_in_pods || mapped.in_pod;
  for (const auto& [instance, exporter] : facts.accelerators) {
    const bool only_ascend = exporter.vendors.size() == 1 && exporter.vendors.contains("ascend");
    if (!exporter.throttle) {
      found.push_back(
          {.kind = Kind::kThrottleCountersOff,
           // Ascend's exporter has no such counters.
           .severity = only_ascend ? Severity::kInfo : Severity::kWarning,
           .instance = instance,
           .what = fmt::format("{} tells of {} accelerators, and not of throttling", instance,
                               exporter.gpus.size()),
           .why =
               "clocks that fall for heat or power look like an engine that became slow by itself",
           .how = only_ascend
                      ? "npu-exporter has no throttle counters; alert on temperature, and on "
                        "the AI core's frequency"
                      : HowToCountThrottling(exporter)});
    }
    if (!exporter.dcgm) continue;
    if (!exporter.dcgm_profiling) {
      found.push_back(
          {.kind = Kind::kProfilingOff,
           .severity = Severity::kInfo,
           .instance = instance,
           .what = fmt::format("dcgm-exporter at {} exposes no profiling fields", instance),
           .why =
               "DCGM_FI_DEV_GPU_UTIL is 100 % whenever any kernel runs: how busy the GPU really is "
               "(SM, tensor cores, memory bandwidth) cannot be told",
           .how = "in its list of counters (-f FILE) switch on DCGM_FI_PROF_GR_ENGINE_ACTIVE, "
                  "DCGM_FI_PROF_SM_ACTIVE, DCGM_FI_PROF_PIPE_TENSOR_ACTIVE and "
                  "DCGM_FI_PROF_DRAM_ACTIVE; it needs a data-centre GPU, the capability SYS_ADMIN, "
                  "and "
                  "no other profiler on the GPU"});
    }
    if (engines_in_pods && !exporter.dcgm_pods) {
      found.push_back(
          {.kind = Kind::kNoPodLabels,
           .instance = instance,
           .what = fmt::format(
               "engines run in pods, and dcgm-exporter at {} does not name the pods", instance),
           .why = "GPUs cannot be joined with the engines that use them",
           .how =
               "start dcgm-exporter with DCGM_EXPORTER_KUBERNETES=true and mount "
               "/var/lib/kubelet/pod-resources; scrape it with honor_labels: true, else its labels "
               "become exported_pod"});
    }
  }
}

void FindShortHistograms(const Facts& facts, Found& found) {
  for (const Facts::Histogram& histogram : facts.histograms) {
    if (histogram.top_bound >= histogram.objective) continue;
    found.push_back(
        {.kind = Kind::kHistogramTooShort,
         .instance = histogram.instance,
         .engine = histogram.engine,
         .model = histogram.model,
         .what = fmt::format(
             "the last finite bucket of {} (source {}) is {} s, under the objective of "
             "{} s",
             histogram.name, histogram.source, histogram.top_bound, histogram.objective),
         .why = "a quantile never comes out above the last finite bucket, so an alert on the "
                "objective "
                "cannot fire",
         .how =
             histogram.engine == "sglang"
                 ? "give SGLang longer buckets: --bucket-time-to-first-token, "
                   "--bucket-e2e-request-latency"
                 : "alert on the gateway's histogram of the same name (source=\"gateway\"), which "
                   "reaches to 600 s"});
  }
}

void FindStale(const Facts& facts, Found& found) {
  const auto is_up = [&](const std::string& instance) {
    const auto target = facts.targets.find(instance);
    return target != facts.targets.end() && target->second.up;
  };
  for (const auto& [instance, age] : facts.sample_age_seconds) {
    if (age <= kOldSeconds || !is_up(instance)) continue;
    found.push_back(
        {.kind = Kind::kStaleExporter,
         .instance = instance,
         .what = fmt::format("{} answers, with samples whose own timestamps are {:.0f} s old",
                             instance, age),
         .why = "`up` is 1 while its values are of the past; queries stop to see them after five "
                "minutes",
         .how =
             "look why the exporter's collection hangs (its log), or set honor_timestamps: false "
             "for its job if its timestamps mean nothing"});
  }
  for (const std::string& instance : facts.frozen) {
    if (!is_up(instance)) continue;
    found.push_back(
        {.kind = Kind::kStaleExporter,
         .instance = instance,
         .what =
             fmt::format("power and temperature of all accelerators at {} have not changed for 15 "
                         "minutes",
                         instance),
         .why =
             "sensors always move a little: the exporter repeats old values, and no alert on them "
             "will fire",
         .how =
             "restart the exporter; look for a hung driver (nvidia-smi does not return) and in the "
             "kernel's log for XID errors"});
  }
}

void FindSkew(const Facts& facts, Found& found) {
  const auto add = [&](const std::string& instance, double seconds, std::string_view seen) {
    found.push_back(
        {.kind = Kind::kClockSkew,
         .instance = instance,
         .what = fmt::format("the clock of {} is {:.0f} s {} ours, {}", instance, std::abs(seconds),
                             seconds > 0 ? "ahead of" : "behind", seen),
         .why = "durations across machines come out wrong or negative, and events cannot be put in "
                "order",
         .how = "synchronise the clocks of both machines (chrony, systemd-timesyncd)"});
  };
  for (const auto& [instance, seconds] : facts.clock_skew_seconds) {
    if (std::abs(seconds) > kSkewSeconds) add(instance, seconds, "by node_time_seconds");
  }
  for (const auto& [instance, age] : facts.sample_age_seconds) {
    if (age < -kAheadSeconds && !facts.clock_skew_seconds.contains(instance))
      add(instance, -age, "by the timestamps of its samples");
  }
}

}  // namespace

std::string_view ToString(BlindSpotKind kind) {
  constexpr std::string_view kNames[kBlindSpotKinds] = {
      "engine_metrics_off",    "engine_names_unknown",   "ranks_missing",
      "gateway_not_in_path",   "no_accelerator_metrics", "no_gpu_mapping",
      "throttle_counters_off", "dcgm_profiling_off",     "dcgm_no_pod_labels",
      "histogram_too_short",   "stale_exporter",         "clock_skew"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string_view ToString(BlindSpotSeverity severity) {
  return severity == Severity::kInfo ? "info" : "warning";
}

std::string HostOfInstance(std::string_view instance) {
  std::string host(instance);
  const std::size_t colon = instance.rfind(':');
  const bool v6 = !instance.empty() && instance.front() == '[';
  if (v6) {
    host = instance.substr(0, instance.find(']') + 1);
  } else if (colon != std::string_view::npos) {
    host = instance.substr(0, colon);
  }
  if (host.starts_with("127.") || host == "[::1]") host = "localhost";
  return host;
}

std::vector<BlindSpot> FindBlindSpots(const BlindSpotFacts& facts) {
  Found found;
  FindEngineMetricsOff(facts, found);
  FindUnknownNames(facts, found);
  FindMissingRanks(facts, found);
  FindGatewayBypassed(facts, found);
  FindAccelerators(facts, found);
  FindExporterGaps(facts, found);
  FindShortHistograms(facts, found);
  FindStale(facts, found);
  FindSkew(facts, found);
  std::stable_sort(found.begin(), found.end(), [](const BlindSpot& a, const BlindSpot& b) {
    return std::tie(a.kind, a.node, a.instance, a.model) <
           std::tie(b.kind, b.node, b.instance, b.model);
  });
  return found;
}

}  // namespace sonde::insight
