"""The rules that ship: Debian's promtool accepts them and agrees with tests/rules/*.yml, and so does Sonde's own evaluator,
to which each tested expression is given with the recorded names replaced by what records them."""
import pathlib
import re
import subprocess

from harness import ROOT, SONDE, need_program, skip, temporary_folder

try:
    import yaml
except ImportError:
    skip("python3-yaml is not installed")

promtool = need_program("promtool")
packs = sorted((ROOT / "packs/rules").glob("*.yml"))
tests = sorted((ROOT / "tests/rules").glob("*_test.yml"))
assert packs and tests
assert {t.stem.removesuffix("_test") for t in tests} <= {p.stem for p in packs}, "a test is called after its pack"
subprocess.run([promtool, "check", "rules", *packs], check=True, stdout=subprocess.DEVNULL)
subprocess.run([promtool, "test", "rules", *tests], check=True, stdout=subprocess.DEVNULL)


def rules_of(test):
    document = yaml.safe_load(test.read_text())
    recorded, alerts = {}, {}
    for file in document["rule_files"]:
        for group in yaml.safe_load((test.parent / file).read_text())["groups"]:
            for rule in group["rules"]:
                (recorded if "record" in rule else alerts)[rule.get("record") or rule["alert"]] = rule["expr"]
    return document, recorded, alerts


def expand(expression, recorded):
    """Recorded names stand in these rules without matchers and ranges, so that their text may stand for them."""
    for _ in range(10):
        before = expression
        for name, text in recorded.items():
            assert not re.search(re.escape(name) + r"\s*\[", expression), f"{name} is used over a range"
            expression = re.sub(rf"(?<![\w:]){re.escape(name)}(?![\w:{{])", f"({' '.join(text.split())})", expression)
        if expression == before:
            return " ".join(expression.split())
    raise AssertionError("rules go round in circles")


def labels(text, recorded):
    """`name{a="b"}` without the name of a rule: its text has none."""
    name, brace, rest = text.partition("{")
    assert name in recorded or name in ("", "{}"), text
    return brace + rest or "{}"


def script(document, recorded, alerts):
    evals = 0
    for case in document["tests"]:
        yield "clear"
        yield f"load {case['interval']}"
        for series in case["input_series"]:
            name, brace, rest = series["series"].partition("{")
            yield f"  {name}{brace}{rest.replace(', ', ',')} {series['values']}"
        yield ""
        for test in case.get("promql_expr_test", []):
            if re.search("|".join(re.escape(name) + r"\{" for name in recorded), test["expr"]):
                continue  # With a matcher on a recorded name: promtool's alone.
            yield f"eval instant at {test['eval_time']} {expand(test['expr'], recorded)}"
            for sample in test["exp_samples"]:
                yield f"  {labels(sample['labels'], recorded)} {sample['value']}"
            yield ""
            evals += 1
        for test in case.get("alert_rule_test", []):
            assert test["alertname"] in alerts, test
            # Which alerts there are; for how long already is promtool's to judge.
            firing = f"count by (objective, model) ({alerts[test['alertname']]})"
            yield f"eval instant at {test['eval_time']} {expand(firing, recorded)}"
            for alert in test["exp_alerts"]:
                pairs = ",".join(f'{k}="{v}"' for k, v in alert["exp_labels"].items() if k in ("objective", "model"))
                yield f"  {{{pairs}}} 1"
            yield ""
            evals += 1
    assert evals >= 4, evals


with temporary_folder() as folder:
    for test in tests:
        document, recorded, alerts = rules_of(test)
        path = pathlib.Path(folder) / (test.stem + ".test")
        path.write_text("\n".join(script(document, recorded, alerts)) + "\n")
        for evaluator in ([], ["--naive"]):
            done = subprocess.run([SONDE, "test", "promql", *evaluator, path], capture_output=True, text=True)
            assert done.returncode == 0, (test.name, evaluator, done.stdout[-3000:], done.stderr[-3000:])
print("ok")
