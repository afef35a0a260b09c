"""Where the time goes: an engine behind networks that are 0, 10, 50 and 200 ms slow. What it measures itself and what the gateway
measures, subtracted, gives the network back (docs/anatomy.md)."""
import json
import queue
import socket
import threading
import time

from harness import QuietHandler, Server, ThreadedServer, temporary_folder, wait_for
import urllib.request

DELAYS_MS = [0, 10, 50, 200]
REQUESTS = 30
THINK_S = 0.02


class Engine(QuietHandler):
    """Takes THINK_S to the first token, and measures that."""
    lock = threading.Lock()
    sums = {}

    def do_GET(self):
        if self.path != "/metrics":
            self.reply(404, "{}", "application/json")
            return
        page = "# TYPE vllm:time_to_first_token_seconds histogram\n"
        with self.lock:
            for model, (total, count) in self.sums.items():
                labels = f'model_name="{model}",engine="0"'
                page += f'vllm:time_to_first_token_seconds_bucket{{{labels},le="+Inf"}} {count}\n'
                page += f"vllm:time_to_first_token_seconds_sum{{{labels}}} {total!r}\n"
                page += f"vllm:time_to_first_token_seconds_count{{{labels}}} {count}\n"
        self.reply(200, page, "text/plain; version=0.0.4")

    def do_POST(self):
        model = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["model"]
        begin = time.perf_counter()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        time.sleep(THINK_S)
        first = time.perf_counter() - begin
        self.wfile.write(b'data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n')
        self.close_connection = True
        with self.lock:
            total, count = self.sums.get(model, (0.0, 0))
            self.sums[model] = (total + first, count + 1)


def slow_network(engine_port, delay_s):
    """A TCP relay; what the engine sends arrives `delay_s` later. Gives its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def pump(source, sink, delay):
        line = queue.SimpleQueue()  # What is under way: when it arrives, and what.

        def deliver():
            try:
                while (piece := line.get())[1]:
                    time.sleep(max(0, piece[0] - time.monotonic()))
                    sink.sendall(piece[1])
                sink.shutdown(socket.SHUT_WR)
            except OSError:
                pass
        threading.Thread(target=deliver, daemon=True).start()
        data = b"-"
        while data:
            try:
                data = source.recv(65536)
            except OSError:
                data = b""
            line.put((time.monotonic() + delay, data))

    def serve():
        while True:
            client, _ = listener.accept()
            upstream = socket.create_connection(("127.0.0.1", engine_port))
            threading.Thread(target=pump, args=(client, upstream, 0), daemon=True).start()
            threading.Thread(target=pump, args=(upstream, client, delay_s), daemon=True).start()
    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


engine = ThreadedServer(("127.0.0.1", 0), Engine)
threading.Thread(target=engine.serve_forever, daemon=True).start()
engine_port = engine.server_address[1]
with temporary_folder() as folder:
    upstreams = "".join(f"""
      - {{name: net-{d}, url: 'http://127.0.0.1:{slow_network(engine_port, d / 1000)}', models: [behind-{d}ms]}}"""
                        for d in DELAYS_MS)
    config = f"""
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
sonde:
  self: {{interval: 1s}}
  gateway:
    probe_interval: 1h
    upstreams:{upstreams}
scrape_configs:
  - {{job_name: vllm, static_configs: [{{targets: ['127.0.0.1:{engine_port}']}}]}}
"""
    with Server(folder, "--no-host", "--no-engine.autodetect", config=config) as server:
        gateway_port = server.gateway_port
        def ask(delay):
            body = json.dumps({"model": f"behind-{delay}ms", "stream": True, "messages": [{"role": "user", "content": "?"}]})
            request = urllib.request.Request(f"http://127.0.0.1:{gateway_port}/v1/chat/completions", body.encode(),
                                             {"Content-Type": "application/json"})
            assert b"[DONE]" in urllib.request.urlopen(request, timeout=60).read()

        def recorded(count):
            expression = 'sum(deepseek_time_to_first_token_seconds_count{source="%s"})'
            return all(server.value(expression % source) == count * len(DELAYS_MS) for source in ("gateway", "engine"))
        for delay in DELAYS_MS:
            ask(delay)  # So that every counter is there before the window begins.
        wait_for("the first requests in the store", lambda: recorded(1))
        time.sleep(1.5)
        for _ in range(REQUESTS):
            for delay in DELAYS_MS:
                ask(delay)
        wait_for("all requests in the store", lambda: recorded(1 + REQUESTS))
        overhead = {}
        for model in server.get("sonde/anatomy", window="1h")["models"]:
            phases = {phase["name"]: phase for phase in model["phases"]}
            overhead[int(model["model"][len("behind-"):-2])] = phases["client_overhead"]["mean_seconds"] * 1000
            assert not any("not exact" in sentence for sentence in model["unknown"]), model
        for delay in DELAYS_MS[1:]:
            found = overhead[delay] - overhead[0]
            print(f"network {delay} ms: found {found:.2f} ms")
            # 2 ms on a quiet machine; this one may be running other tests, and the relay is a Python thread.
            assert abs(found - delay) < 2 + 0.05 * delay + 6, overhead
print("ok")
