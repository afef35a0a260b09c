"""Somebody wants to know whether the models still answer right, what is left of the money, and which certificate is about to
expire: canaries against an engine that answers right, wrong, slowly, not at all, or with garbage; an account; a TLS server with a
certificate of its own; and the report of what cannot be seen here."""
import json
import ssl
import subprocess
import threading
import time

from harness import (SONDE, QuietHandler, Server, ThreadedServer, http_server, need_program, remote_write, request,
                     temporary_folder, wait_for)

SLOW_S = 0.4
SUITE = """name: story
questions:
  - {name: right, prompt: "the secret prompt of right", number: 42}
  - {name: wrong, prompt: "the secret prompt of wrong", exact: Paris}
  - {name: slow, prompt: "the secret prompt of slow", json: {ok: true}}
  - {name: hang, prompt: "the secret prompt of hang", exact: never}
  - {name: garbage, prompt: "the secret prompt of garbage", exact: x}
"""
ALL_RIGHT = 'name: fine\nquestions:\n  - {name: right, prompt: p, number: 42}\n'
BAD_SUITE = 'name: bad\nquestions:\n  - name: a\n    prompt: p\n    regexp: x\n'
KEY = "sk-story-of-the-key"


class Engine(QuietHandler):
    """An engine without metrics."""
    stopping = threading.Event()
    users = set()

    def do_GET(self):
        if self.path == "/v1/models":
            self.reply(200, json.dumps({"object": "list", "data": [{"id": "m", "object": "model", "owned_by": "sglang"}]}),
                       "application/json")
        else:
            self.reply(404, "{}", "application/json")

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.users.add(body.get("user"))
        question = self.headers.get("sonde-canary", "/").split("/")[1]
        assert body["temperature"] == 0 and body["max_tokens"] <= 64, body
        if question == "hang":
            self.stopping.wait(60)
            return
        if question == "garbage":
            self.reply(200, "<html>I am a proxy</html>", "text/html")
            return
        if question == "slow":
            time.sleep(SLOW_S)
        answer = {"right": "<think>40 and 2</think>It is 42.", "wrong": "Lyon", "slow": '```json\n{"ok": true}\n```'}[question]
        events = [{"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]},
                  {"choices": [{"index": 0, "delta": {"content": answer}}]},
                  {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
                  {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 3}}]
        stream = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
        self.reply(200, stream, "text/event-stream")


class Account(QuietHandler):
    def do_GET(self):
        if self.headers.get("Authorization") != f"Bearer {KEY}":
            self.reply(401, "{}", "application/json")
            return
        assert self.path == "/user/balance", self.path
        self.reply(200, json.dumps({"is_available": True, "balance_infos": [
            {"currency": "CNY", "total_balance": "110.50", "granted_balance": "10.50", "topped_up_balance": "100.00"}]}),
            "application/json")


def tls_server(folder, openssl, days):
    """Its port, and when its certificate for localhost expires."""
    key, certificate = folder / "tls.key", folder / "tls.pem"
    subprocess.run([openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
                    "-out", certificate, "-days", str(days), "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = ThreadedServer(("127.0.0.1", 0), QuietHandler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    end = subprocess.run([openssl, "x509", "-in", certificate, "-noout", "-enddate"], check=True, capture_output=True, text=True)
    return server, ssl.cert_time_to_seconds(end.stdout.strip().split("=", 1)[1])


def sonde(*arguments):
    """(exit code, output)"""
    done = subprocess.run([SONDE, *map(str, arguments)], capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


openssl = need_program("openssl")
with temporary_folder() as folder, http_server(Engine) as engine, http_server(Account) as account:
    (folder / "story.yaml").write_text(SUITE)
    (folder / "fine.yaml").write_text(ALL_RIGHT)
    (folder / "bad.yaml").write_text(BAD_SUITE)
    (folder / "key").write_text(KEY + "\n")
    tls, expiry = tls_server(folder, openssl, days=3)
    url = f"http://127.0.0.1:{engine}"

    # By hand.
    code, out = sonde("check", "probes", folder / "story.yaml", folder / "bad.yaml")
    assert code == 1 and "suite story with 5 questions" in out and "bad.yaml:5:5:" in out, out
    code, out = sonde("probe", "run", "--url", url, "--suite", folder / "fine.yaml", "--max-tokens", "64")
    assert code == 0 and "1 of 1 right; 8 tokens" in out and "model m" in out, out
    code, out = sonde("probe", "run", "--url", url, "--suite", folder / "story.yaml", "--max-tokens", "64", "--timeout", "1s")
    assert code == 1 and "2 of 5 right" in out and "secret" not in out, out
    code, out = sonde("probe", "run", "--url", "http://127.0.0.1:1", "--suite", folder / "fine.yaml", "--model", "m")
    assert code == 1 and "connect" in out, out
    code, out = sonde("probe", "run", "--url", url, "--suite", "no-such-suite")
    assert code == 1 and "there are: basic" in out, out

    # On a schedule.
    config = f"""global: {{scrape_interval: 200ms, scrape_timeout: 200ms}}
sonde:
  host: {{enabled: false}}
  self: {{interval: 200ms}}
  engines: {{targets: ["{url}"], autodetect: false, interval: 1s}}
  probes:
    suite_files: ["*.yaml"]
    canaries:
      - {{engines: true, suites: [story], interval: 1s, timeout: 2s, max_tokens: 64}}
      - {{gateway: true, suites: [fine], interval: 1s, timeout: 10s, max_tokens: 64}}
    accounts:
      - {{url: "http://127.0.0.1:{account}", interval: 1s, authorization: {{credentials_file: key}}}}
    certificates: {{interval: 1s, targets: ["https://localhost:{tls.server_address[1]}"]}}
"""
    (folder / "bad.yaml").unlink()
    with Server(folder, config=config) as server:
        place = f'model="m",instance="127.0.0.1:{engine}",suite="story"'
        wait_for("a whole run", lambda: server.value(f"deepseek_model_accuracy_ratio{{{place}}}") == 2 / 5)
        for probe, success in (("right", 1), ("wrong", 0), ("slow", 1), ("hang", 0), ("garbage", 0)):
            assert server.value(f'deepseek_probe_success{{{place},probe="{probe}"}}') == success, probe
        for probe, reason in (("wrong", "wrong"), ("hang", "timeout"), ("garbage", "malformed")):
            assert server.value(f'deepseek_probe_failures_total{{{place},probe="{probe}",reason="{reason}"}}') >= 1, probe
        assert server.value(f'deepseek_probe_ttft_seconds{{{place},probe="slow"}}') >= SLOW_S
        assert server.value(f'deepseek_probe_duration_seconds{{{place},probe="hang"}}') >= 1.9
        assert abs(server.value(f'deepseek_probe_last_run_timestamp_seconds{{{place},probe="right"}}') - time.time()) < 600
        assert server.value(f'deepseek_probe_tokens_total{{{place},kind="prompt"}}') >= 15
        assert Engine.users == {"sonde-canary"}, Engine.users

        # The way that clients take: the gateway, which knows which models cost nothing.
        wait_for("the gateway's", lambda: server.value(
            f'deepseek_model_accuracy_ratio{{model="m",suite="fine",instance="127.0.0.1:{server.gateway_port}"}}') == 1)

        wait_for("the balance", lambda: server.value('deepseek_account_balance{currency="CNY",kind="total"}') == 110.5)
        assert server.value('deepseek_account_balance{account="deepseek",currency="CNY",kind="granted"}') == 10.5
        assert server.value('deepseek_account_available{account="deepseek"}') == 1
        # A new key in the file needs no restart; until it is right, the errors say why.
        (folder / "key").write_text("sk-wrong\n")
        wait_for("the wrong key", lambda: (server.value('deepseek_account_errors_total{reason="unauthorized"}') or 0) >= 1)

        # blackbox_exporter's name, so rules made for it find it; nobody vouches for the certificate.
        address = f'instance="localhost:{tls.server_address[1]}"'
        wait_for("the certificate", lambda: server.value(f"probe_ssl_earliest_cert_expiry{{{address}}}") == expiry)
        assert server.value(f"probe_ssl_earliest_cert_expiry{{{address}}} - time() < 86400 * 7") > 0
        wait_for("its chain", lambda: server.value(f'sonde_certificate_problem{{{address},problem="chain"}}') == 1)

        # What cannot be seen: an engine whose metrics are off, and no accelerators.
        def finding():
            report = server.get("sonde/blindspots")
            return next((f for f in report["findings"] if f["kind"] == "engine_metrics_off"), None)
        found = wait_for("the report", finding)
        assert found["labels"]["engine"] == "sglang" and "--enable-metrics" in found["how"] and found["why"], found
        wait_for("its series", lambda: server.value(
            f'sonde_blind_spot{{kind="engine_metrics_off",instance="127.0.0.1:{engine}"}}') == 1)

        # An engine with a queue is left alone.
        queue = {"__name__": "deepseek_requests_waiting", "source": "engine", "model": "m", "instance": f"127.0.0.1:{engine}"}

        def skipped():
            status = remote_write(server.url, [(queue, [(5.0, int(time.time() * 1000))])])[0]
            assert status in (200, 204), status
            return (server.value(f'deepseek_probe_skipped_total{{{place},reason="saturated"}}') or 0) >= 1
        wait_for("a run left out", skipped)

        log = server.log_text()
        assert "secret prompt" not in log and "sk-" not in log and "Lyon" not in log, log
        status, _, body = request("GET", f"{server.url}/api/v1/status/config")
        assert status == 200 and b"sk-" not in body
        Engine.stopping.set()
    tls.shutdown()
print("ok")
