"""A user's own exporter: a gauge set by hand, scraped unchanged, queried, and marked stale when the exporter goes."""
import threading

from harness import QuietHandler, Server, http_server, temporary_folder, wait_for

PAGE = """# HELP deepseek_inference_latency_seconds Latency of the last inference.
# TYPE deepseek_inference_latency_seconds gauge
deepseek_inference_latency_seconds{model="deepseek-v3"} 0.42
"""


class Exporter(QuietHandler):
    def do_GET(self):
        self.reply(200, PAGE, "text/plain; version=0.0.4; charset=utf-8")


with temporary_folder() as folder:
    gone = threading.Event()
    with http_server(Exporter) as port:
        config = f"""
global: {{scrape_interval: 200ms, scrape_timeout: 200ms}}
scrape_configs:
  - job_name: latency
    static_configs: [{{targets: ["127.0.0.1:{port}"], labels: {{zone: a}}}}]
sonde: {{host: {{enabled: false}}, gpu: {{enabled: false}}, engines: {{autodetect: false}}}}
"""
        server = Server(folder, config=config)
        with server:
            series = wait_for("the gauge", lambda: server.query("deepseek_inference_latency_seconds"))
            assert len(series) == 1, series
            assert series[0]["metric"] == {
                "__name__": "deepseek_inference_latency_seconds", "instance": f"127.0.0.1:{port}", "job": "latency",
                "model": "deepseek-v3", "zone": "a"}, series
            assert series[0]["value"][1] == "0.42"
            assert server.value('up{job="latency"}') == 1
            assert server.value('scrape_samples_scraped{job="latency"}') == 1
            target = server.get("targets")["activeTargets"][0]
            assert target["health"] == "up" and target["lastError"] == "", target
            metadata = server.get("metadata", metric="deepseek_inference_latency_seconds")
            assert metadata["deepseek_inference_latency_seconds"][0]["type"] == "gauge", metadata

            # The exporter fails: up is 0, and the gauge ends at once instead of standing still for five minutes.
            globals()["PAGE"] = "deepseek_inference_latency_seconds{ 1\n"
            wait_for("up == 0", lambda: server.value('up{job="latency"}') == 0)
            assert server.query("deepseek_inference_latency_seconds") == []
            error = server.get("targets")["activeTargets"][0]["lastError"]
            assert "1:" in error, error  # Line and column.
print("ok")
