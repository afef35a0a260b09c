"""The embedded web page in a real browser, over the demo's data: every page in both themes and languages without an error, a foreign
request or an accessibility finding; queries typed into Explore give graphs and tables."""
import os
import shutil
import signal
import subprocess

from harness import ROOT, SONDE, Server, free_port, need_program, skip, temporary_folder, wait_for

node = need_program("node")
if not any(shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")):
    skip("no Chromium is installed")
if not (ROOT / "ui/node_modules/playwright-core").exists():
    skip("the UI's packages are not installed (./dev test does it)")


with temporary_folder() as folder:
    base = free_port()  # And the fourteen after it: engines and their GPUs.
    subprocess.run([SONDE, "demo", "--port", str(base), "--write-config", str(folder / "demo.yml")], check=True)
    with Server(folder, "--no-engine.autodetect", config=(folder / "demo.yml").read_text()) as server:
        with open(folder / "demo.log", "wb") as log:
            demo = subprocess.Popen([SONDE, "demo", "--port", str(base), "--rate", "1", "--gateway", server.gateway_url],
                                    stdout=log, stderr=log)
        try:
            wait_for("requests of the demo's clients", lambda: (server.value(
                'sum(rate(deepseek_requests_total{source="gateway",outcome="success"}[20s]))') or 0) > 0, timeout=120)
            for test in ("explore", "pages"):
                run = subprocess.run([node, "--test", f"tests/{test}.test.mjs"], cwd=ROOT / "ui", capture_output=True, text=True,
                                     env={**os.environ, "SONDE_URL": server.url, "SONDE_WIDTHS": os.environ.get("SONDE_WIDTHS", "1440")})
                print(run.stdout[-4000:], run.stderr[-1000:], sep="\n")
                assert run.returncode == 0, test
        finally:
            demo.send_signal(signal.SIGTERM)
            assert demo.wait(timeout=30) == 0
print("ok")
