"""The same traffic judged three times: by the gateway, by a client with its own clock, and by the script that the engine
plays. All three must agree on every class of requests: goodput within 0.1 %."""
import collections
import concurrent.futures
import http.client
import json
import random
import time

from harness import QuietHandler, Server, http_server, temporary_folder, wait_for

REQUESTS = 300
CLIENTS = 8
# Far from what the script does on either side, so that a busy machine moves nothing over a limit.
TTFT_S, TPOT_S, E2E_S = 1.0, 0.2, 3.0
CONFIG = """
global: {scrape_interval: 200ms, scrape_timeout: 200ms}
sonde:
  host: {enabled: false}
  self: {interval: 200ms}
  slo:
    input_classes: [{name: small, max_prompt_tokens: 100}, {name: large}]
    objectives: [{name: chat, model: deepseek-v3, ttft: 1s, tpot: 200ms, e2e: 3s}]
"""
# What happens to a request: seconds to the first token, gap, tokens, seconds before the end; and what the script says of it.
KINDS = {
    "good": ((0.02, 0.005, 4, 0), "good"),
    "single": ((0.02, 0, 1, 0), "good"),
    "whole": ((0.05, 0, 4, 0), "good"),
    "slow_whole": ((4.5, 0, 4, 0), "e2e"),
    "slow_first": ((2.0, 0.005, 4, 0), "ttft"),
    "slow_tokens": ((0.02, 0.5, 4, 0), "tpot"),
    "slow_end": ((0.02, 0.005, 4, 4.5), "e2e"),
    "slow_both": ((2.0, 0.5, 4, 0), "ttft"),
    "status_500": ((0, 0, 0, 0), "server_error"),
    "status_429": ((0, 0, 0, 0), "overloaded"),
    "status_402": ((0, 0, 0, 0), "insufficient_balance"),
    "status_400": ((0, 0, 0, 0), "not counted"),
    "error_inside": ((0.02, 0.005, 2, 0), "server_error"),
    "no_resource": ((0.02, 0.005, 2, 0), "overloaded"),
    "cut": ((0.02, 0.005, 2, 0), "server_error"),
    "leaves": ((0.02, 2.0, 3, 0), "not counted"),
}
COMMON = ["good"] * 12 + ["slow_first", "slow_tokens", "single", "whole"]


class Engine(QuietHandler):
    def do_GET(self):
        if self.path == "/v1/models":
            self.reply(200, json.dumps({"object": "list", "data": [{"id": "deepseek-v3", "object": "model"}]}), "application/json")
        else:
            self.reply(404, "{}", "application/json")

    def event(self, payload):
        data = f"data: {json.dumps(payload)}\n\n".encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        kind = body["kind"]
        (first, gap, tokens, tail), _ = KINDS[kind]
        usage = {"prompt_tokens": body["prompt_tokens"], "completion_tokens": tokens}
        if kind.startswith("status_"):
            self.reply(int(kind[7:]), '{"error":{"message":"no"}}', "application/json")
            return
        time.sleep(first)
        if not body["stream"]:
            self.reply(200, json.dumps({"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}], "usage": usage}),
                       "application/json")
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for i in range(tokens):
                time.sleep(gap if i > 0 else 0)
                self.event({"choices": [{"index": 0, "delta": {"content": "x"}}]})
            if kind == "cut":
                self.close_connection = True
                return
            if kind == "error_inside":
                self.event({"error": {"message": "broken", "code": 500}})
            else:
                time.sleep(tail)
                reason = "insufficient_system_resource" if kind == "no_resource" else "stop"
                self.event({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
                self.event({"choices": [], "usage": usage})
            self.wfile.write(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True


def judge(first, per_token, total, failure):
    """The definition of docs/goodput.md, once more and on its own."""
    if failure:
        return failure
    if first is not None and first > TTFT_S:
        return "ttft"
    if per_token is not None and per_token > TPOT_S:
        return "tpot"
    return "e2e" if total > E2E_S else "good"


def ask(port, kind, prompt_tokens):
    """What the client thinks of one request: (input class, verdict)."""
    stream = kind not in ("whole", "slow_whole") and not kind.startswith("status_")
    body = {"model": "deepseek-v3", "stream": stream, "kind": kind, "prompt_tokens": prompt_tokens, "pad": "x" * prompt_tokens * 4}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    started = time.monotonic()
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    first = last = usage = failure = None
    try:
        if answer.status != 200:
            answer.read()
            failure = {402: "insufficient_balance", 429: "overloaded", 500: "server_error"}.get(answer.status, "not counted")
        elif not stream:
            answer.read()
        else:
            for line in answer:
                if not line.startswith(b"data: "):
                    continue
                event = json.loads(line[6:])
                if "error" in event:
                    failure = "server_error"
                usage = event.get("usage") or usage
                for choice in event.get("choices", []):
                    if choice["delta"].get("content"):
                        last = time.monotonic()
                        first = first or last
                        if kind == "leaves":
                            answer.close()
                            return "small" if prompt_tokens <= 100 else "large", "not counted"
                    if choice.get("finish_reason") == "insufficient_system_resource":
                        failure = "overloaded"
    except (http.client.IncompleteRead, http.client.HTTPException, ConnectionError):
        failure = "server_error"
    total = time.monotonic() - started
    connection.close()
    if kind == "cut" and usage is None:
        failure = "server_error"  # http.client reads lines of a cut body without a word.
    tokens = usage["completion_tokens"] if usage else 0
    per_token = (last - first) / (tokens - 1) if tokens > 1 and last != first else None
    verdict = judge(first - started if first else None, per_token, total, failure)
    return "small" if prompt_tokens <= 100 else "large", verdict


rng = random.Random(7)
plan = [(kind, prompt) for kind in KINDS for prompt in (20, 500)]
plan += [(rng.choice(COMMON), rng.choice((20, 500))) for _ in range(REQUESTS - len(plan))]
rng.shuffle(plan)

with temporary_folder() as folder, http_server(Engine) as engine_port:
    server = Server(folder, f"--engine=http://127.0.0.1:{engine_port}", "--no-engine.autodetect", config=CONFIG)
    with server:
        wait_for("the engine", lambda: server.value('deepseek_upstream_up{source="gateway"}') == 1)
        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
            by_client = collections.Counter(pool.map(lambda item: ask(server.gateway_port, *item), plan))
        by_script = collections.Counter(("small" if prompt <= 100 else "large", KINDS[kind][1]) for kind, prompt in plan)
        wait_for("all requests counted",
                 lambda: server.value('sum(deepseek_requests_total{source="gateway"})') == REQUESTS)

        def counted(metric, **labels):
            match = ",".join(f'{k}="{v}"' for k, v in {"objective": "chat", "model": "deepseek-v3", **labels}.items())
            return int(server.value(f"sum({metric}{{{match}}})") or 0)

        by_gateway = collections.Counter()
        for size in ("small", "large"):
            by_gateway[size, "good"] = counted("deepseek_slo_good_requests_total", input_class=size)
            misses = 0
            for reason in ("server_error", "overloaded", "timeout", "insufficient_balance", "ttft", "tpot", "e2e"):
                by_gateway[size, reason] = counted("deepseek_slo_misses_total", input_class=size, reason=reason)
                misses += by_gateway[size, reason]
            judged = counted("deepseek_slo_requests_total", input_class=size)
            assert judged == by_gateway[size, "good"] + misses, (size, judged, by_gateway)

        def goodput(counts):
            judged = sum(n for (_, verdict), n in counts.items() if verdict != "not counted")
            return sum(n for (_, verdict), n in counts.items() if verdict == "good") / judged

        print(f"goodput by gateway {goodput(by_gateway):.5f}, client {goodput(by_client):.5f}, script {goodput(by_script):.5f}")
        assert abs(goodput(by_gateway) - goodput(by_client)) <= 0.001, (by_gateway, by_client)
        assert abs(goodput(by_gateway) - goodput(by_script)) <= 0.001, (by_gateway, by_script)
        for key, n in by_script.items():
            if key[1] != "not counted":
                assert by_gateway[key] == n, (key, n, by_gateway[key])
        assert server.value('deepseek_slo_target_ratio{objective="chat"}') == 0.99
print("ok")
