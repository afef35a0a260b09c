"""Somebody points Sonde at an engine: requests through the gateway become golden signals that agree with the client's own
measurement, the engine's metrics appear under the same vocabulary, and a client that leaves is seen as cancelled."""
import http.client
import json
import time

from fake_engine import WORDS, FakeEngine
from harness import Server, http_server, temporary_folder, wait_for

REQUESTS = 50


def chat(port, stream=True, usage=True, model="deepseek-v3"):
    body = {"model": model, "messages": [{"role": "user", "content": "hello"}], "stream": stream}
    if stream and usage:
        body["stream_options"] = {"include_usage": True}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    started = time.monotonic()
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
    return connection, connection.getresponse(), started


def stream_once(port):
    """(text, usage, seconds to the first token, seconds in all)"""
    connection, answer, started = chat(port)
    assert answer.status == 200, answer.status
    text, usage, first = "", None, None
    for line in answer:
        if not line.startswith(b"data: ") or line.startswith(b"data: [DONE]"):
            continue
        event = json.loads(line[6:])
        usage = event.get("usage") or usage
        for choice in event["choices"]:
            if choice["delta"].get("content"):
                first = first or time.monotonic() - started
                text += choice["delta"]["content"]
    connection.close()
    return text, usage, first, time.monotonic() - started


with temporary_folder() as folder, http_server(FakeEngine) as engine_port:
    config = "global: {scrape_interval: 200ms, scrape_timeout: 200ms}\nsonde: {host: {enabled: false}, self: {interval: 200ms}, engines: {scrape_interval: 200ms}}\n"
    server = Server(folder, f"--engine=http://127.0.0.1:{engine_port}", "--no-engine.autodetect", config=config)
    with server:
        wait_for("the engine", lambda: server.value('deepseek_upstream_up{source="gateway"}') == 1)
        firsts, totals = [], []
        for _ in range(REQUESTS):
            text, usage, first, total = stream_once(server.gateway_port)
            assert text == "".join(WORDS), text
            assert usage["completion_tokens"] == len(WORDS), usage
            firsts.append(first)
            totals.append(total)
        wait_for("all requests counted", lambda: server.value(
            'sum(deepseek_requests_total{source="gateway",model="deepseek-v3",outcome="success"})') == REQUESTS)

        def histogram(name):
            selector = '{source="gateway",model="deepseek-v3"}'
            return (server.value(f"sum({name}_count{selector})"), server.value(f"sum({name}_sum{selector})"))
        count, seconds = histogram("deepseek_inference_latency_seconds")
        assert count == REQUESTS, count
        # The client sees the same time plus the way to it; the gateway cannot have measured more.
        assert 0.5 * sum(totals) <= seconds <= sum(totals), (seconds, sum(totals))
        count, seconds = histogram("deepseek_time_to_first_token_seconds")
        assert count == REQUESTS and 0.3 * sum(firsts) <= seconds <= sum(firsts), (count, seconds, sum(firsts))
        count, _ = histogram("deepseek_inter_token_latency_seconds")
        assert count == REQUESTS * (len(WORDS) - 1), count
        assert server.value('sum(deepseek_generation_tokens_total{source="gateway"})') == REQUESTS * len(WORDS)
        assert server.value('sum(deepseek_prompt_tokens_total{source="gateway"})') == REQUESTS * 7

        # The engine's own numbers under the same names, told apart by `source`.
        engine = server.query('deepseek_generation_tokens_total{source="engine"}')
        assert len(engine) == 1 and engine[0]["metric"]["engine"] == "vllm" and engine[0]["metric"]["model"] == "deepseek-v3", engine
        wait_for("the engine's counter", lambda: server.value('deepseek_generation_tokens_total{source="engine"}') == REQUESTS * len(WORDS))
        assert server.value('deepseek_kv_cache_usage_ratio{source="engine"}') == 0.25

        # Without streaming: tokens and latency, no first token.
        connection, answer, _ = chat(server.gateway_port, stream=False)
        assert answer.status == 200 and json.loads(answer.read())["usage"]["completion_tokens"] == len(WORDS)
        # A model that nobody serves is the client's error, and says what there is.
        connection, answer, _ = chat(server.gateway_port, model="no-such-model")
        assert answer.status == 404, answer.status
        answer.read()
        # A client that leaves in the middle: the engine is told, and it counts as cancelled.
        FakeEngine.GAP_S = 0.2
        connection, answer, _ = chat(server.gateway_port)
        answer.read(1)
        connection.sock.close() if connection.sock else None
        answer.close()
        connection.close()
        wait_for("cancelled", lambda: server.value('sum(deepseek_requests_total{source="gateway",outcome="cancelled"})') == 1)
        wait_for("the engine to notice", lambda: FakeEngine.aborted == 1)
        assert server.value('sum(deepseek_requests_running{source="gateway"})') == 0
print("ok")
