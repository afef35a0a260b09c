"""Rules in a running server: a recording rule appears, an alert goes from pending to firing, keeps its beginning over
`kill -9`, ends when its cause does; a broken rule file does not replace a good one; and what `check rules` and `test rules`
say is what Debian's promtool says."""
import json
import shutil
import subprocess
import time

from harness import ROOT, SHARED, SONDE, Server, remote_write, request, temporary_folder, wait_for

RULES = """groups:
  - name: story
    interval: 1s
    rules:
      - record: story:load:double
        expr: story_load * 2
        labels: {origin: rule}
      - alert: TooMuchLoad
        expr: story:load:double > 10
        for: 3s
        labels: {severity: page}
        annotations:
          summary: "{{ $labels.node | toUpper }} has {{ $value | humanize }}{{ with query \\"story_load\\" }} of {{ . | first | value }}{{ end }}"
"""
CONFIG = "global: {scrape_interval: 1h, evaluation_interval: 1s, external_labels: {site: x}}\nrule_files: [rules.yml]\n"
FLAGS = ("--no-host", "--no-self", "--no-engine.autodetect", "--rules.alert.for-grace-period=0s", "--web.enable-lifecycle")


def load(server, value):
    status, _, body = remote_write(server.url, [({"__name__": "story_load", "node": "a"},
                                                 [(value, int(time.time() * 1000))])])
    assert status in (200, 204), body


def alerts(server):
    return [a for a in server.get("alerts")["alerts"] if a["labels"]["alertname"] == "TooMuchLoad"]


def seconds(text):
    import datetime
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


with temporary_folder() as folder:
    (folder / "rules.yml").write_text(RULES)
    with Server(folder, *FLAGS, config=CONFIG) as server:
        groups = server.get("rules", type="alert")["groups"]
        files = {g["file"] for g in groups}
        assert str(folder / "rules.yml") in files, files
        assert any(f.startswith("packs/rules/") for f in files), "the rules that ship are evaluated"
        load(server, 10)
        wait_for("the recorded series", lambda: server.value('story:load:double{origin="rule"}') == 20)
        alert = wait_for("the alert", lambda: alerts(server))[0]
        assert alert["state"] == "pending", alert
        assert alert["labels"] == {"alertname": "TooMuchLoad", "node": "a", "origin": "rule", "severity": "page"}, alert
        assert alert["annotations"]["summary"] == "A has 20 of 10", alert
        began = int(seconds(alert["activeAt"]))  # ALERTS_FOR_STATE has whole seconds.
        wait_for("the alert to fire", lambda: alerts(server)[0]["state"] == "firing")
        assert int(seconds(alerts(server)[0]["activeAt"])) == began
        server.kill()
    with Server(folder, *FLAGS, config=CONFIG) as server:
        load(server, 10)
        wait_for("the alert to fire since it began before the restart", lambda: [
            a for a in alerts(server) if a["state"] == "firing" and int(seconds(a["activeAt"])) == began])
        rule = server.get("rules", **{"rule_name[]": "TooMuchLoad"})["groups"][0]["rules"][0]
        assert rule["state"] == "firing" and rule["health"] == "ok", rule
        assert server.value('count(ALERTS{alertname="TooMuchLoad",alertstate="firing"})') == 1
        # A broken file: the reload fails and says where, and the rules go on.
        (folder / "rules.yml").write_text(RULES.replace("story_load * 2", "story_load *"))
        status, _, body = request("POST", f"{server.url}/-/reload", b"")
        assert status == 500 and b"rules.yml:6:15" in body, (status, body)
        (folder / "rules.yml").write_text(RULES.replace("for: 3s", "for: 1s"))
        status, _, body = request("POST", f"{server.url}/-/reload", b"")
        assert status == 200, body
        assert alerts(server)[0]["state"] == "firing", "a changed rule keeps its alerts"
        load(server, 1)
        wait_for("the end of the alert", lambda: not alerts(server))
        wait_for("the end of ALERTS", lambda: not server.query('ALERTS{alertname="TooMuchLoad"}'))
        page = request("GET", f"{server.url}/metrics")[2].decode()
        assert "prometheus_rule_evaluations_total{" in page and "sonde_alerts{" in page
        failures = [line for line in page.splitlines() if line.startswith("prometheus_rule_evaluation_failures_total")]
        assert failures and all(line.endswith(" 0") for line in failures), failures
    log = (folder / "serve.log").read_text()
    assert not [line for line in log.splitlines() if "rules" in line and ("WARN" in line or "level=warn" in line)], log


def run(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


packs = sorted((ROOT / "packs/rules").glob("*.yml"))
tests = sorted((ROOT / "tests/rules").glob("*_test.yml"))
assert packs and tests
code, text = run(SONDE, "check", "rules", *packs)
assert code == 0 and text.count("SUCCESS") == len(packs) and "WARN" not in text and "duplicate" not in text, text
code, text = run(SONDE, "test", "rules", *tests)
assert code == 0, text
promtool = shutil.which("promtool")
with temporary_folder() as folder:
    good = folder / "good.yml"
    good.write_text(RULES)
    cases = {"good": RULES, "expression": RULES.replace("> 10", "> >"), "twice": RULES + RULES[RULES.index("  - name"):],
             "field": RULES.replace("severity", "severity: x, a").replace("for:", "fro:"),
             "template": RULES.replace("toUpper", "toUper"), "empty": "groups: []\n",
             "name": RULES.replace("story:load:double\n", "a{b}\n"), "both": RULES.replace("- alert", "- record: x\n        alert")}
    for name, rules in cases.items():
        path = folder / f"{name}.yml"
        path.write_text(rules)
        ours = run(SONDE, "check", "rules", path)
        assert ours[0] == (0 if name in ("good", "empty") else 1), (name, ours)
        if name not in ("good", "empty"):
            assert f"{path}:" in ours[1], (name, ours)
        if promtool:
            theirs = run(promtool, "check", "rules", path)
            assert theirs[0] == ours[0], (name, ours, theirs)
    for summary, expected in (("A has 20 of 10", 0), ("A has 21", 1)):
        test = folder / "test.yml"
        test.write_text(json.dumps({
            "rule_files": ["good.yml"], "evaluation_interval": "1s",
            "tests": [{"name": "n", "interval": "1s",
                       "input_series": [{"series": 'story_load{node="a"}', "values": "10x30"}],
                       "alert_rule_test": [
                           {"eval_time": "2s", "alertname": "TooMuchLoad", "exp_alerts": []},
                           {"eval_time": "9s", "alertname": "TooMuchLoad", "exp_alerts": [
                               {"exp_labels": {"node": "a", "origin": "rule", "severity": "page"},
                                "exp_annotations": {"summary": summary}}]}],
                       "promql_expr_test": [{"expr": "story:load:double", "eval_time": "5s", "exp_samples": [
                           {"labels": 'story:load:double{node="a",origin="rule"}', "value": 20}]}]}]}))
        ours = run(SONDE, "test", "rules", test)
        assert ours[0] == expected, ours
        if promtool:
            theirs = run(promtool, "test", "rules", test)
            assert theirs[0] == expected, theirs
if promtool:
    for test in tests:
        assert run(promtool, "test", "rules", test)[0] == 0, test

# The reference's own fixtures and the exit codes that it has for them.
table = SHARED / "conformance/promtool/unit_test_expectations.tsv"
if table.exists():
    seen = 0
    for line in table.read_text().splitlines()[1:]:
        file, option, code = line.split("\t")
        flags = [option] if option.startswith("--") else []
        got = run(SONDE, "test", "rules", *flags, table.parent / file)
        assert got[0] == int(code), (line, got)
        seen += 1
    assert seen >= 10
print("ok")
