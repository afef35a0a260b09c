"""This machine's vital signs have node_exporter's names, labels and values: compared with Debian's, on the same machine."""
import subprocess
import sys

from harness import ROOT, Server, free_port, need_program, temporary_folder, wait_for

exporter = need_program("prometheus-node-exporter")
with temporary_folder() as folder, Server(folder, "--no-gateway", "--no-engine.autodetect") as server:
    wait_for("the first scrape", lambda: server.value('up{job="node"}') == 1)
    compared = subprocess.run([sys.executable, str(ROOT / "tests/compat/node_exporter_diff.py"), "--ours", f"{server.url}/metrics/host",
                               "--exporter", exporter, "--port", str(free_port())], capture_output=True, text=True)
    print(compared.stdout[-3000:], compared.stderr[-1000:], sep="\n")
    assert compared.returncode == 0, compared.returncode
print("ok")
