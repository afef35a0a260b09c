"""An exporter written with Python's prometheus_client: a gauge that is set again and again, scraped unchanged, with the engine finder
on, which must not take it for an engine. The library also negotiates OpenMetrics and gzip."""
import os
import sys
import threading
import time

from harness import ROOT, Server, free_port, skip, temporary_folder, wait_for

sys.path.append(str(ROOT / "build/oracles/usr/lib/python3/dist-packages"))
try:
    import prometheus_client
except ImportError:
    skip("prometheus_client is not installed (./dev test fetches it)")

PORT = int(os.environ.get("SONDE_EXPORTER_PORT", "0")) or free_port()
EVERY_S = float(os.environ.get("SONDE_EXPORTER_EVERY", "0.2"))

gauge = prometheus_client.Gauge("deepseek_inference_latency_seconds", "Latency of the last inference.")
requests = prometheus_client.Counter("deepseek_app_requests", "Requests.", ["model"])
latency = prometheus_client.Histogram("deepseek_app_latency_seconds", "Latency.", buckets=(0.1, 0.5, 1))
values = []


def work():
    while True:
        values.append(0.1 + len(values) % 7 / 10)
        gauge.set(values[-1])
        requests.labels("deepseek-v3").inc()
        latency.observe(values[-1])
        time.sleep(EVERY_S)


prometheus_client.start_http_server(PORT, addr="127.0.0.1")
threading.Thread(target=work, daemon=True).start()
config = f"""
global: {{scrape_interval: {int(EVERY_S * 1000)}ms, scrape_timeout: {int(EVERY_S * 1000)}ms}}
scrape_configs:
  - job_name: deepseek
    static_configs: [{{targets: ["127.0.0.1:{PORT}"]}}]
sonde: {{engines: {{interval: 1s}}}}
"""
with temporary_folder() as folder, Server(folder, config=config) as server:
    wait_for("the counter", lambda: (server.value('deepseek_app_requests_total{model="deepseek-v3"}') or 0) >= 3)
    stored = wait_for("several values", lambda: {float(v) for row in server.query("deepseek_inference_latency_seconds[1m]")
                                                 for _, v in row["values"]}, interval=1)
    assert stored <= set(values), (stored, values)
    series = server.query("deepseek_inference_latency_seconds")
    assert series[0]["metric"] == {"__name__": "deepseek_inference_latency_seconds", "instance": f"127.0.0.1:{PORT}", "job": "deepseek"}
    assert server.value('deepseek_app_latency_seconds_bucket{le="+Inf"}') >= 3
    assert {row["metric"]["le"] for row in server.query("deepseek_app_latency_seconds_bucket")} == {"0.1", "0.5", "1.0", "+Inf"}
    metadata = server.get("metadata", metric="deepseek_app_requests_total")
    assert metadata["deepseek_app_requests_total"][0]["type"] == "counter", metadata
    time.sleep(2)
    assert server.query("sonde_engine_up") == [], "an exporter is no engine"
    print(f"port {PORT}: {len(values)} values set, {len(stored)} different ones stored")
print("ok")
