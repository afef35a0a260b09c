"""A scripted OpenAI-compatible engine with vLLM-like /metrics, for the stories that need one. Answers are fixed text."""
import json
import threading
import time

from harness import QuietHandler

WORDS = ["Sonde ", "watches ", "tokens ", "flow", "."]


class FakeEngine(QuietHandler):
    """Streams len(WORDS) tokens, GAP_S apart; counts what it served."""
    GAP_S = 0.004
    lock = threading.Lock()
    served = 0
    tokens = 0
    aborted = 0

    def do_GET(self):
        if self.path == "/v1/models":
            self.reply(200, json.dumps({"object": "list", "data": [{"id": "deepseek-v3", "object": "model"}]}), "application/json")
        elif self.path == "/metrics":
            with self.lock:
                page = METRICS.format(served=type(self).served, tokens=type(self).tokens)
            self.reply(200, page, "text/plain; version=0.0.4; charset=utf-8")
        elif self.path in ("/health", "/version"):
            self.reply(200, '{"version":"0.11.0"}', "application/json")
        else:
            self.reply(404, '{"error":{"message":"no such path"}}', "application/json")

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if body.get("model") != "deepseek-v3":
            self.reply(404, json.dumps({"error": {"message": f"model {body.get('model')} does not exist", "code": 404}}),
                       "application/json")
            return
        usage = {"prompt_tokens": 7, "completion_tokens": len(WORDS), "total_tokens": 7 + len(WORDS)}
        if not body.get("stream"):
            answer = {"object": "chat.completion", "model": "deepseek-v3", "usage": usage,
                      "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "".join(WORDS)}}]}
            self.reply(200, json.dumps(answer), "application/json")
        else:
            self.stream(body, usage)
        with self.lock:
            type(self).served += 1
            type(self).tokens += len(WORDS)

    def stream(self, body, usage):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

        def event(payload):
            data = f"data: {payload if isinstance(payload, str) else json.dumps(payload)}\n\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()

        def chunk(delta, finish=None):
            return {"object": "chat.completion.chunk", "model": "deepseek-v3",
                    "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
        try:
            self.wfile.write(b"d\r\n: keep-alive\n\r\n")
            event(chunk({"role": "assistant", "content": ""}))
            for word in WORDS:
                time.sleep(self.GAP_S)
                event(chunk({"content": word}))
            event(chunk({}, "stop"))
            if body.get("stream_options", {}).get("include_usage"):
                event({"object": "chat.completion.chunk", "model": "deepseek-v3", "choices": [], "usage": usage})
            event("[DONE]")
            self.wfile.write(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            with self.lock:
                type(self).aborted += 1
            self.close_connection = True


METRICS = """# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{{engine="0",model_name="deepseek-v3"}} 0.0
# HELP vllm:num_requests_waiting Number of requests waiting to be processed.
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{{engine="0",model_name="deepseek-v3"}} 0.0
# HELP vllm:kv_cache_usage_perc KV-cache usage. 1 means 100 percent usage.
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc{{engine="0",model_name="deepseek-v3"}} 0.25
# HELP vllm:generation_tokens_total Number of generation tokens processed.
# TYPE vllm:generation_tokens_total counter
vllm:generation_tokens_total{{engine="0",model_name="deepseek-v3"}} {tokens}
# HELP vllm:request_success_total Count of successfully processed requests.
# TYPE vllm:request_success_total counter
vllm:request_success_total{{engine="0",finished_reason="stop",model_name="deepseek-v3"}} {served}
"""
