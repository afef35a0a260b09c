"""People say what they think of answers, by the id that they got with them; what the answers cost is counted; and a slow
bucket of a histogram names a request."""
import json

from fake_engine import WORDS, FakeEngine
from harness import Server, http_server, request, temporary_folder, wait_for

CONFIG = """
global: {scrape_interval: 200ms, scrape_timeout: 200ms}
sonde:
  host: {enabled: false}
  self: {interval: 200ms}
  prices: {table: [{model: deepseek-v3, per_million_tokens: {cache_miss: 1000, output: 2000}}]}
  feedback: {tags: [slow, wrong]}
"""


def chat(server, request_id):
    body = {"model": "deepseek-v3", "messages": [{"role": "user", "content": "hello"}]}
    status, headers, answer = request("POST", f"{server.gateway_url}/v1/chat/completions", json.dumps(body).encode(),
                                      {"Content-Type": "application/json", "X-Request-Id": request_id})
    assert status == 200 and headers["X-Request-Id"] == request_id, (status, headers, answer)


def give(server, **body):
    status, _, answer = request("POST", f"{server.url}/api/v1/feedback", json.dumps(body).encode(),
                                {"Content-Type": "application/json"})
    return status, json.loads(answer)


with temporary_folder() as folder, http_server(FakeEngine) as engine_port:
    server = Server(folder, f"--engine=http://127.0.0.1:{engine_port}", "--no-engine.autodetect", config=CONFIG)
    with server:
        wait_for("the engine", lambda: server.value('deepseek_upstream_up{source="gateway"}') == 1)
        for name in ("r1", "r2", "r3"):
            chat(server, name)
        wait_for("the requests", lambda: server.value('sum(deepseek_requests_total{source="gateway"})') == 3)

        status, answer = give(server, request_id="r1", score=1, tags=["slow", "blue"], comment="is not kept")
        assert status == 200 and answer["data"] == {"model": "deepseek-v3", "verdict": "positive", "replaced": False}, answer
        assert len(answer["warnings"]) == 1 and "blue" in answer["warnings"][0], answer
        assert give(server, request_id="r2", score="down")[0] == 200
        assert give(server, request_id="r2", score="up")[1]["data"]["replaced"] is True
        assert give(server, request_id="r3", score=1, scale="stars")[1]["data"]["verdict"] == "negative"
        status, answer = give(server, request_id="r9", score=1)
        assert status == 404 and "r9" in answer["error"], (status, answer)
        status, answer = give(server, request_id="r1", score=7)
        assert status == 400 and "between -1 and 1" in answer["error"], (status, answer)
        status, _, _ = request("GET", f"{server.url}/api/v1/feedback")
        assert status == 405, status
        wait_for("the ratio", lambda: abs((server.value("deepseek_user_satisfaction_ratio") or 0) - 2 / 3) < 1e-9)
        assert server.value('sum(deepseek_feedback_total) - sum(deepseek_feedback_replaced_total)') == 3
        assert server.value('deepseek_feedback_tags_total{tag="slow"}') == 1
        assert "is not kept" not in server.log_text()

        cost = server.value('sum(deepseek_cost_total{currency="USD",model="deepseek-v3"})')
        assert abs(cost - 3 * (7 * 1000 + len(WORDS) * 2000) / 1e6) < 1e-9, cost

        _, headers, page = request("GET", f"{server.url}/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
        assert "openmetrics" in headers["Content-Type"], headers
        lines = [line for line in page.decode().splitlines() if line.startswith("deepseek_inference_latency_seconds_bucket") and "# {" in line]
        assert lines and 'request_id="r' in lines[0], page[-2000:]
        _, _, page = request("GET", f"{server.url}/metrics")
        assert b"request_id" not in page
print("ok")
