"""Sends the same alerts to Sonde and to Debian's prometheus-alertmanager and compares what their receivers are told: every
body must be equal (but for fields that newer versions added), in the same order of each group, at about the same time.

SONDE=build/dev/sonde PYTHONPATH=tests/e2e python3 tests/compat/alertmanager_diff.py
"""
import json
import subprocess
import threading
import time

from harness import QuietHandler, Server, free_port, http_server, need_program, request, temporary_folder, wait_for

ALERTMANAGER = need_program("prometheus-alertmanager")

CONFIG = """
route:
  receiver: hook
  group_by: [alertname]
  group_wait: 1s
  group_interval: 3s
  repeat_interval: 8s
  routes:
    - {matchers: ['team="chat"'], receiver: chat}
    - {matchers: ['x=~"a|b"'], receiver: cut, group_by: ['...'], continue: true}
inhibit_rules: [{source_matchers: [sev=high], target_matchers: [sev=low], equal: [zone]}]
receivers:
  - {name: hook, webhook_configs: [{url: "http://127.0.0.1:PORT/WHO/hook"}]}
  - {name: cut, webhook_configs: [{url: "http://127.0.0.1:PORT/WHO/cut", send_resolved: false, max_alerts: 1}]}
  - name: chat
    slack_configs:
      - {api_url: "http://127.0.0.1:PORT/WHO/chat", channel: "#ops", fields: [{title: t, value: v}], send_resolved: true}
"""

told = {"theirs": [], "ours": []}
lock = threading.Lock()


class Sink(QuietHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        _, who, receiver = self.path.split("/")
        with lock:
            told[who].append((time.monotonic(), receiver, body))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")


def ends(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


def comparable(body):
    for new in ("routeLabels", "notification_reason"):
        body.pop(new, None)
    for alert in body.get("alerts", []):
        alert["startsAt"], alert["endsAt"] = alert["startsAt"][:16], alert["endsAt"][:16]
    return json.dumps(body)  # The order of the keys counts.


def by_group(who):
    groups = {}
    for at, receiver, body in told[who]:
        groups.setdefault((receiver, body.get("groupKey", "")), []).append((at, comparable(body)))
    return groups


with temporary_folder() as folder, http_server(Sink) as port:
    files = {}
    for who in told:
        files[who] = folder / f"{who}.yml"
        files[who].write_text(CONFIG.replace("PORT", str(port)).replace("WHO", who))
    their_port = free_port()
    theirs = subprocess.Popen(
        [ALERTMANAGER, f"--config.file={files['theirs']}", f"--storage.path={folder}/theirs", "--cluster.listen-address=",
         f"--web.listen-address=127.0.0.1:{their_port}", "--web.external-url=http://ext"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with Server(folder, f"--alertmanager.config-file={files['ours']}", "--no-engine.autodetect", "--no-host", "--no-self",
                    "--web.external-url=http://ext", "--web.route-prefix=/") as server:
            urls = [f"http://127.0.0.1:{their_port}", server.url]
            wait_for("the other one", lambda: request("GET", f"{urls[0]}/-/ready")[0] == 200)

            def post(*alerts):
                for url in urls:
                    status, _, text = request("POST", f"{url}/api/v2/alerts", json.dumps(alerts).encode(),
                                              {"Content-Type": "application/json"})
                    assert status == 200, (url, status, text)

            def alert(**labels):
                return {"labels": labels, "annotations": {"summary": "s <b> & é"}, "generatorURL": "http://g/?a=1&b=2"}

            slow, chat, cut = alert(alertname="Slow", node="1"), alert(alertname="Chat", team="chat", q='a"b'), alert(
                alertname="X", x="a", y="1")
            post(slow, alert(alertname="Slow", node="2", sev="low", zone="z"), chat, cut,
                 alert(alertname="Old", job="j", instance="i") | {"startsAt": "2026-01-01T00:00:00.123Z", "endsAt": ends(3600)})
            time.sleep(2.2)
            post(alert(alertname="Big", sev="high", zone="z"), alert(alertname="Slow", node="3"))
            time.sleep(3.4)
            post(*[a | {"endsAt": ends(-1)} for a in (slow, chat, cut)])
            time.sleep(12)
    finally:
        theirs.terminate()
        theirs.wait()

groups, other = by_group("ours"), by_group("theirs")
assert groups.keys() == other.keys(), (groups.keys(), other.keys())
count = 0
for key, messages in groups.items():
    assert [b for _, b in messages] == [b for _, b in other[key]], f"{key}:\n{messages}\n{other[key]}"
    count += len(messages)
print(f"{count} notifications of {len(groups)} groups are equal")
