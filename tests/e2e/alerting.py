"""Somebody replaces Alertmanager: amtool and a real Prometheus work against Sonde, a webhook and Slack are told what the
reference would tell, a receiver that is down is asked again, and a crash neither loses a silence nor pages twice."""
import json
import subprocess
import threading

from harness import (SONDE, QuietHandler, Server, free_port, need_program, request, temporary_folder, http_server, wait_for)

AMTOOL, PROMETHEUS = need_program("amtool", "prometheus")

CONFIG = """
route:
  receiver: hook
  group_by: [alertname]
  group_wait: 500ms
  group_interval: 2s
  routes: [{matchers: ['team="chat"'], receiver: chat}]
receivers:
  - {name: hook, webhook_configs: [{url: "http://127.0.0.1:PORT/hook", http_config: {authorization: {credentials: t0k}}}]}
  - {name: chat, slack_configs: [{api_url: "http://127.0.0.1:PORT/slack", channel: "#ops"}]}
"""

told = []
refusals = {"/hook": 1}
lock = threading.Lock()


class Sink(QuietHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with lock:
            refused = refusals.get(self.path, 0) > 0
            if refused:
                refusals[self.path] -= 1
            told.append((self.path, self.headers.get("Authorization"), body, refused))
        self.send_response(503 if refused else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")


def hooks(name, refused=False):
    with lock:
        return [b for p, _, b, r in told if p == "/hook" and r == refused and b["groupLabels"].get("alertname") == name]


def amtool(server, *arguments, fails=False):
    done = subprocess.run([AMTOOL, f"--alertmanager.url={server.url}", *arguments], capture_output=True, text=True, timeout=60)
    assert (done.returncode != 0) == fails, (arguments, done.stdout, done.stderr)
    return done.stdout


def sonde(*arguments):
    done = subprocess.run([SONDE, *arguments], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


with temporary_folder() as folder, http_server(Sink) as port:
    file = folder / "alertmanager.yml"
    file.write_text(CONFIG.replace("PORT", str(port)))
    code, text = sonde("check", "alertmanager-config", str(file))
    assert code == 0 and "SUCCESS: 2 receivers" in text, text
    assert sonde("routes", "test", "--config.file", str(file), "team=chat") == (0, "chat\n")
    assert sonde("routes", "test", "--config.file", str(file), "team=x", "--verify.receivers=chat")[0] == 1
    bad = folder / "bad.yml"
    bad.write_text("route: {receiver: x}\nreceivers: []\n")
    code, text = sonde("check", "alertmanager-config", str(bad))
    assert code == 1 and "bad.yml:1:19: undefined receiver" in text, text

    flags = [f"--alertmanager.config-file={file}", "--no-engine.autodetect", "--no-host", "--no-self"]
    server = Server(folder, *flags)
    with server:
        # The first attempt is refused with 503 and repeated.
        amtool(server, "alert", "add", "Slow", "node=a", "sev=page", "--annotation=summary=too slow")
        wait_for("the webhook", lambda: hooks("Slow"))
        assert len(hooks("Slow", refused=True)) == 1, told
        body = hooks("Slow")[0]
        assert body["version"] == "4" and body["status"] == "firing" and body["receiver"] == "hook", body
        assert body["groupKey"] == '{}:{alertname="Slow"}' and body["truncatedAlerts"] == 0, body
        assert body["alerts"][0]["labels"] == {"alertname": "Slow", "node": "a", "sev": "page"}, body
        assert body["alerts"][0]["endsAt"] == "0001-01-01T00:00:00Z", body
        assert [a for p, a, _, _ in told if p == "/hook"][0] == "Bearer t0k", told
        listed = amtool(server, "alert", "query", "-o", "json", "sev=page")
        assert [a["labels"]["node"] for a in json.loads(listed)] == ["a"], listed
        assert json.loads(amtool(server, "alert", "query", "-o", "json", "sev=other")) == []
        assert "t0k" not in amtool(server, "config", "show")

        amtool(server, "alert", "add", "Rude", "team=chat")
        wait_for("Slack", lambda: [b for p, _, b, _ in told if p == "/slack"])
        slack = [b for p, _, b, _ in told if p == "/slack"][0]
        assert slack["channel"] == "#ops" and slack["attachments"][0]["title"] == "[FIRING:1] Rude (chat)", slack

        # A silence, before the alert that it mutes.
        silence = amtool(server, "silence", "add", "--author=me", "--comment=known", "--duration=1h", "alertname=Quiet").strip()
        amtool(server, "alert", "add", "Quiet")
        assert silence in amtool(server, "silence", "query", "-q"), silence
        state = wait_for("suppression", lambda: [
            a["status"] for a in json.loads(request("GET", f"{server.url}/api/v2/alerts?filter=alertname%3DQuiet")[2])])[0]
        assert state["state"] == "suppressed" and state["silencedBy"] == [silence], state
        assert json.loads(request("GET", f"{server.url}/api/v2/alerts?silenced=false&filter=alertname%3DQuiet")[2]) == []
        groups = json.loads(request("GET", f"{server.url}/api/v2/alerts/groups?receiver=chat")[2])
        assert [g["labels"] for g in groups] == [{"alertname": "Rude"}], groups
        status, _, text = request("POST", f"{server.url}/api/v2/silences", b'{"matchers": []}', {"Content-Type": "application/json"})
        assert status == 400 and "matcher" in json.loads(text), (status, text)
        status, _, text = request("POST", f"{server.url}/api/v2/alerts", b'[{"labels": {}}]', {"Content-Type": "application/json"})
        assert status == 400 and "label" in json.loads(text), (status, text)
        assert request("GET", f"{server.url}/api/v2/silence/none")[0] == 404
        before = len(hooks("Slow"))
        server.kill()

        # The alert comes again after the crash: it was told already.
        server = Server(folder, *flags)
        with server:
            started = hooks("Slow")[0]["alerts"][0]["startsAt"]
            amtool(server, "alert", "add", "Slow", "node=a", "sev=page", f"--start={started}")
            amtool(server, "alert", "add", "Quiet")
            wait_for("processing", lambda: json.loads(request(
                "GET", f"{server.url}/api/v2/alerts?filter=alertname%3DSlow")[2])[0]["status"]["state"] == "active")
            assert silence in amtool(server, "silence", "query", "-q")
            amtool(server, "silence", "expire", silence)
            wait_for("the alert after its silence", lambda: hooks("Quiet"))
            assert len(hooks("Slow")) == before, hooks("Slow")

            # A real Prometheus sends its alerts here.
            rules = folder / "rules.yml"
            rules.write_text("groups: [{name: g, interval: 1s, rules: [{alert: Always, expr: vector(1), labels: {from: prometheus}}]}]")
            config = folder / "prometheus.yml"
            config.write_text(f"rule_files: [{rules}]\nalerting: {{alertmanagers: [{{static_configs: [{{targets: "
                              f"['127.0.0.1:{server.port}']}}]}}]}}\n")
            prometheus = subprocess.Popen(
                [PROMETHEUS, f"--config.file={config}", "--rules.alert.resend-delay=1s", f"--storage.tsdb.path={folder}/prometheus",
                 f"--web.listen-address=127.0.0.1:{free_port()}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                body = wait_for("Prometheus's alert", lambda: hooks("Always"))[0]
                assert body["commonLabels"] == {"alertname": "Always", "from": "prometheus"}, body
                assert "/graph?g0.expr=vector" in body["alerts"][0]["generatorURL"], body
            finally:
                prometheus.terminate()
                prometheus.wait()
