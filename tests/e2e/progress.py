"""Engines in the seven modes of docs/progress.md behind one server, and one whose process is stopped: those that are stuck are
found, with the reason, and no other is accused. Then: where the time goes (docs/anatomy.md)."""
import os
import signal
import subprocess
import sys
import time

from harness import QuietHandler, Server, ThreadedServer, free_port, http_server, temporary_folder, wait_for

PAGE = """# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{{model_name="m",engine="0"}} {running}
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{{model_name="m",engine="0"}} {waiting}
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc{{model_name="m",engine="0"}} {kv}
# TYPE vllm:generation_tokens counter
vllm:generation_tokens_total{{model_name="m",engine="0"}} {tokens}
# TYPE vllm:iteration_tokens_total histogram
vllm:iteration_tokens_total_bucket{{model_name="m",engine="0",le="+Inf"}} {steps}
vllm:iteration_tokens_total_sum{{model_name="m",engine="0"}} {tokens}
vllm:iteration_tokens_total_count{{model_name="m",engine="0"}} {steps}
# TYPE vllm:e2e_request_latency_seconds histogram
vllm:e2e_request_latency_seconds_bucket{{model_name="m",engine="0",le="+Inf"}} {ended}
vllm:e2e_request_latency_seconds_sum{{model_name="m",engine="0"}} {e2e_sum}
vllm:e2e_request_latency_seconds_count{{model_name="m",engine="0"}} {ended}
# TYPE vllm:time_to_first_token_seconds histogram
vllm:time_to_first_token_seconds_bucket{{model_name="m",engine="0",le="+Inf"}} {ended}
vllm:time_to_first_token_seconds_sum{{model_name="m",engine="0"}} {ttft_sum}
vllm:time_to_first_token_seconds_count{{model_name="m",engine="0"}} {ended}
"""
BEGIN = time.monotonic()
BREAKS_S = 8  # Until then the stuck ones work as the others do.


def page(mode, now):
    """What an engine in `mode` shows `now` seconds after its start."""
    broken = now > BREAKS_S
    worked = min(now, BREAKS_S) if mode.startswith("stuck") else now
    shown = dict(running=3, waiting=0, kv=0.4, tokens=int(100 * worked), steps=int(50 * worked))
    if mode == "stuck_waiting" and broken:
        shown.update(running=0, waiting=5)
    elif mode == "stuck_empty_steps":
        shown["steps"] = int(50 * now)
    elif mode == "saturated":
        shown.update(waiting=40, tokens=int(now), steps=int(now))  # A token a second.
    elif mode == "long_prompt":
        shown.update(tokens=0, running=1, kv=min(0.9, 0.01 * int(now)), steps=int(now))
    elif mode == "idle":
        shown.update(running=0, tokens=700, steps=350)
    elif mode == "restart":
        since = now % 9
        shown.update(tokens=int(100 * since), steps=int(50 * since), running=3 if since > 1 else 0)
    ended = int(worked)
    shown.update(ended=ended, e2e_sum=4 * ended, ttft_sum=1.5 * ended)
    return PAGE.format(**shown)


class Engines(QuietHandler):
    def do_GET(self):
        self.reply(200, page(self.path.strip("/"), time.monotonic() - BEGIN), "text/plain; version=0.0.4")


if len(sys.argv) > 1:  # An engine in a process of its own, to be stopped by a signal.
    ThreadedServer(("127.0.0.1", int(sys.argv[1])), Engines).serve_forever()

STUCK = ["stuck_running", "stuck_waiting", "stuck_empty_steps"]
HEALTHY = ["saturated", "long_prompt", "idle", "restart", "working"]
QUIET = ("--no-host", "--no-gateway", "--no-engine.autodetect")
with temporary_folder() as folder, http_server(Engines) as port:
    own_port = free_port()
    process = subprocess.Popen([sys.executable, __file__, str(own_port)])
    targets = "".join(f"""
      - {{targets: ['127.0.0.1:{port}'], labels: {{__metrics_path__: /{mode}, instance: {mode}}}}}""" for mode in STUCK + HEALTHY)
    config = f"""
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
sonde:
  self: {{interval: 1s}}
  progress: {{interval: 1s, patience: 6s, max_patience: 9s}}
scrape_configs:
  - job_name: engines
    static_configs:{targets}
      - {{targets: ['127.0.0.1:{own_port}'], labels: {{__metrics_path__: /working, instance: stopped}}}}
"""
    try:
        with Server(folder, *QUIET, config=config) as server:
            def states():
                return {e["instance"]: e["state"] for e in server.get("sonde/progress")["engines"]}
            wait_for("all engines to be watched", lambda: len(states()) == len(STUCK + HEALTHY) + 1)
            wait_for("it to be seen at work", lambda: states()["stopped"] == "progressing")
            process.send_signal(signal.SIGSTOP)
            accused = set()

            def all_found():
                now = states()
                accused.update(i for i, s in now.items() if s.startswith("stuck"))
                return all(now[mode] == mode for mode in STUCK) and now["stopped"] == "stuck_silent"
            wait_for("the stuck ones", all_found, timeout=90)
            assert accused == set(STUCK) | {"stopped"}, accused
            found = {e["instance"]: e for e in server.get("sonde/progress")["engines"]}
            assert "3 requests are in the batch and no counter has moved" in found["stuck_running"]["evidence"], found
            assert found["saturated"]["state"] in ("saturated", "quiet"), found
            assert found["idle"]["state"] == "idle", found
            # The same as series.
            wait_for("the series", lambda: server.value('sum(deepseek_engine_stuck)') == 4)
            assert server.value('deepseek_engine_state_info{instance="stuck_waiting", state="stuck_waiting"}') == 1
            assert 'msg="an engine is stuck"' in server.log_text()
            # It goes on: the accusation is taken back.
            process.send_signal(signal.SIGCONT)
            wait_for("it to come back", lambda: not states()["stopped"].startswith("stuck"))

            models = server.get("sonde/anatomy", window="30s")["models"]
            working = next(m for m in models if m["instance"] == "working")
            phases = {p["name"]: p for p in working["phases"]}
            assert abs(phases["queue_and_prefill"]["mean_seconds"] - 1.5) < 1e-6, working
            assert abs(phases["decode"]["mean_seconds"] - 2.5) < 1e-6 and phases["decode"]["estimated"], working
            assert any("gateway" in sentence for sentence in working["unknown"]), working
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
print("ok")
