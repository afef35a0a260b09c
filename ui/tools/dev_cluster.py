#!/usr/bin/env python3
"""A pretend cluster for working on the UI without a GPU: three models, gateway and engine, eight GPUs.

    dev_cluster.py --port 9795                   serves /metrics, simulated from three hours ago until now
    dev_cluster.py --backfill FILE --hours 3     writes the past as OpenMetrics, for `promtool tsdb create-blocks-from`

Everything is a function of the clock (no random state), so the past that was backfilled and the live page agree.
Names and labels follow docs/vocabulary.md. Every 90 minutes deepseek-v3 has a bad quarter of an hour.
"""
import argparse
import http.server
import math
import threading
import time

LADDER = [0.001, 0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 1.5, 2,
          3, 4, 5, 7.5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600]
STEP = 15
# name, engine, instances, requests/s, ttft s, tpot s, prompt tokens, output tokens
MODELS = [
    ("deepseek-v3", "sglang", ["10.0.0.11:30000", "10.0.0.12:30000"], 9.0, 0.42, 0.021, 1400, 320),
    ("deepseek-r1", "vllm", ["10.0.0.13:8000"], 3.2, 0.65, 0.028, 900, 1450),
    ("qwen3-32b", "vllm", ["10.0.0.14:8000"], 5.5, 0.16, 0.014, 600, 210),
]


def noise(t, seed):
    return sum(math.sin(t / p + seed * q) for p, q in ((37, 1.3), (61, 2.1), (143, 3.7), (311, 5.9))) / 4


def cdf(x, median, sigma):
    return 0.5 * (1 + math.erf(math.log(x / median) / (sigma * math.sqrt(2))))


def trouble(t, model):
    if model != "deepseek-v3":
        return 0.0
    phase = (t % 5400) / 60
    return max(0.0, 1 - abs(phase - 52) / 8) if 44 < phase < 60 else 0.0


class Cluster:
    def __init__(self, start, simulated):
        self.t = start
        self.extra = ',simulated="true"' if simulated else ""
        self.values = {}
        self.kinds = {}

    def add(self, name, kind, labels, by):
        self.kinds[name] = kind
        key = (name, labels)
        self.values[key] = self.values.get(key, 0.0) + by

    def put(self, name, labels, value):
        self.kinds[name] = "gauge"
        self.values[(name, labels)] = value

    def observe(self, name, labels, n, median, sigma):
        self.kinds[name] = "histogram"
        row = self.values.setdefault((name, labels), [0.0] * (len(LADDER) + 2))
        for i, le in enumerate(LADDER):
            row[i] += n * cdf(le, median, sigma)
        row[-2] += n
        row[-1] += n * median * math.exp(sigma * sigma / 2)

    def latencies(self, labels, n, bad, m, gateway):
        _, _, _, _, ttft, tpot, _, out = m
        slow = 1 + 7 * bad
        shift = 0.012 if gateway else 0.0
        outcome = ',outcome="success",streaming="true"' if gateway else ""
        stream = ',streaming="true"' if gateway else ""
        self.observe("deepseek_inference_latency_seconds", labels + outcome, n,
                     ttft * slow + tpot * out * (1 + bad) + shift, 0.55)
        self.observe("deepseek_time_to_first_token_seconds", labels + stream, n, ttft * slow + shift, 0.5 + 0.4 * bad)
        self.observe("deepseek_time_per_output_token_seconds", labels + (',estimated="false"' if gateway else ""), n,
                     tpot * (1 + bad), 0.25)
        self.observe("deepseek_inter_token_latency_seconds", labels, n * out, tpot * (1 + bad), 0.35)

    def step(self):
        self.t += STEP
        t = self.t
        for seed, m in enumerate(MODELS):
            name, engine, instances, rate, ttft, tpot, prompt, out = m
            bad = trouble(t, name)
            load = rate * (1 + 0.35 * math.sin(t / 2900 + seed) + 0.18 * noise(t, seed + 1)) * (1 + 0.25 * bad)
            n = load * STEP
            errors = 0.001 + 0.0006 * noise(t, seed + 9) + 0.045 * bad
            gw = f'model="{name}",source="gateway",job="sonde",instance="127.0.0.1:9798"{self.extra}'
            for outcome, code, finish, share in (("success", 200, "stop", 1 - errors - 0.011), ("success", 200, "length", 0.008),
                                                 ("overloaded", 503, "", errors * 0.7), ("server_error", 502, "", errors * 0.3),
                                                 ("cancelled", 499, "", 0.003)):
                self.add("deepseek_requests_total", "counter",
                         f'{gw},outcome="{outcome}",code="{code}",finish_reason="{finish}",streaming="true"', n * share)
            self.latencies(gw, n, bad, m, True)
            self.add("deepseek_prompt_tokens_total", "counter", gw, n * prompt)
            self.add("deepseek_cached_prompt_tokens_total", "counter", gw, n * prompt * (0.45 + 0.1 * noise(t, seed)))
            thinking = 0.7 if name == "deepseek-r1" else 0.0
            self.add("deepseek_generation_tokens_total", "counter", gw + ',kind="answer"', n * out * (1 - thinking))
            if thinking:
                self.add("deepseek_generation_tokens_total", "counter", gw + ',kind="reasoning"', n * out * thinking)
            busy = load * (ttft * (1 + 7 * bad) + tpot * out * (1 + bad))
            self.put("deepseek_requests_running", gw, round(busy))
            for i, instance in enumerate(instances):
                part = n / len(instances)
                en = f'model="{name}",source="engine",engine="{engine}",instance="{instance}",job="{engine}"{self.extra}'
                self.put("deepseek_upstream_up", gw.replace("127.0.0.1:9798", instance), 1)
                self.latencies(en, part, bad, m, False)
                for outcome, finish, share in (("success", "stop", 1 - errors), ("server_error", "error", errors)):
                    self.add("deepseek_requests_total", "counter",
                             f'{en},outcome="{outcome}",finish_reason="{finish}"', part * share)
                self.observe("deepseek_request_queue_seconds", en, part, 0.004 + 2.5 * bad, 0.8)
                self.observe("deepseek_request_prefill_seconds", en, part, ttft * 0.8, 0.4)
                self.observe("deepseek_request_decode_seconds", en, part, tpot * out * (1 + bad), 0.5)
                self.add("deepseek_prompt_tokens_total", "counter", en, part * prompt)
                self.add("deepseek_generation_tokens_total", "counter", en, part * out)
                self.add("deepseek_prefix_cache_query_tokens_total", "counter", en, part * prompt)
                self.add("deepseek_prefix_cache_hit_tokens_total", "counter", en, part * prompt * (0.45 + 0.1 * noise(t, i)))
                self.add("deepseek_preemptions_total", "counter", en, 3 * bad)
                self.put("deepseek_requests_running", en, round(busy / len(instances)))
                self.put("deepseek_requests_waiting", en, round(max(0, 1.5 * noise(t, i + 3)) + 38 * bad))
                self.put("deepseek_kv_cache_usage_ratio", f'{en},tier="device"',
                         min(0.995, max(0.02, 0.32 + 0.08 * seed + 0.12 * noise(t, i + seed) + 0.5 * bad)))
                self.put("deepseek_kv_cache_capacity_tokens", en, 1_200_000)
        for node in range(2):
            for gpu in range(4):
                seed = node * 4 + gpu
                bad = trouble(t, "deepseek-v3") if node == 0 else 0
                labels = (f'gpu="{gpu}",uuid="GPU-{node}{gpu}aa-5c1e",vendor="nvidia",node="gpu-node-{node + 1}",'
                          f'instance="gpu-node-{node + 1}:9100",job="gpu"{self.extra}')
                use = min(1, max(0, 0.62 + 0.22 * noise(t, seed) + 0.3 * bad - (0.55 if seed == 6 else 0)))
                self.put("deepseek_accelerator_utilization_ratio", labels, use)
                self.put("deepseek_accelerator_memory_used_bytes", labels, (61 + 10 * noise(t / 9, seed)) * 2**30)
                self.put("deepseek_accelerator_memory_total_bytes", labels, 80 * 2**30)
                self.put("deepseek_accelerator_temperature_celsius", labels + ',sensor="core"', round(48 + 22 * use + 14 * bad))
                self.put("deepseek_accelerator_power_watts", labels, 120 + 520 * use)

    def lines(self):
        """Yields (family, type, series, value)."""
        for (name, labels), value in self.values.items():
            kind = self.kinds[name]
            if kind != "histogram":
                yield name, kind, f"{name}{{{labels}}}", value
                continue
            for le, v in zip([f"{b:g}" for b in LADDER] + ["+Inf"], value[:-2] + [value[-2]]):
                yield name, kind, f'{name}_bucket{{{labels},le="{le}"}}', round(v)
            yield name, kind, f"{name}_count{{{labels}}}", round(value[-2])
            yield name, kind, f"{name}_sum{{{labels}}}", value[-1]


def backfill(cluster, end, path):
    families = {}
    while cluster.t + STEP <= end:
        cluster.step()
        for name, kind, series, value in cluster.lines():
            families.setdefault((name, kind), {}).setdefault(series, []).append(f"{series} {value:.10g} {cluster.t}\n")
    with open(path, "w") as f:
        for (name, kind), series in families.items():
            family = name.removesuffix("_total") if kind == "counter" else name
            f.write(f"# TYPE {family} {kind}\n")
            for rows in series.values():
                f.writelines(rows)
        f.write("# EOF\n")


def serve(cluster, port):
    lock = threading.Lock()

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            with lock:
                while cluster.t + STEP <= time.time():
                    cluster.step()
                out, last = [], None
                for name, kind, series, value in sorted(cluster.lines(), key=lambda r: r[0]):
                    if name != last:
                        out.append(f"# HELP {name} {name.removeprefix('deepseek_').replace('_', ' ')}.\n# TYPE {name} {kind}\n")
                        last = name
                    out.append(f"{series} {value:.10g}\n")
            body = "".join(out).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    http.server.ThreadingHTTPServer(("127.0.0.1", port), Page).serve_forever()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=9795)
    parser.add_argument("--hours", type=float, default=3)
    parser.add_argument("--backfill", metavar="FILE")
    parser.add_argument("--simulated", action="store_true", help='add simulated="true", as `sonde demo` does')
    args = parser.parse_args()
    # A whole hour, so that two processes started a moment apart agree on every counter.
    end = time.time()
    cluster = Cluster((int(end - args.hours * 3600) // 3600) * 3600, args.simulated)
    if args.backfill:
        backfill(cluster, end, args.backfill)
    else:
        serve(cluster, args.port)


if __name__ == "__main__":
    main()
