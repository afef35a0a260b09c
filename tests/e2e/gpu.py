"""A node's accelerators, through a management library that says what a script says: the page, an XID, a card that falls off
the bus and returns, a call that hangs, a machine without a driver."""
import os
import pathlib

from harness import ROOT, SONDE, Server, request, skip, temporary_folder, wait_for

LIBRARY = pathlib.Path(os.environ.get("SONDE_FAKE_NVML_LIBRARY",
                                      pathlib.Path(SONDE).parent / "tests/gpu/fake_nvml/libnvidia-ml.so.1"))
if not LIBRARY.exists():
    skip(f"{LIBRARY} is not built")
MACHINE = (ROOT / "tests/gpu/nvml.script").read_text()
CONFIG = """
global: {{scrape_interval: 1s}}
sonde:
  host: {{enabled: false}}
  engines: {{autodetect: false}}
  gpu: {{nvml_library: "{library}", amd: false, sample_interval: 50ms, detail_interval: 200ms, hang_timeout: 1s}}
"""
GPU0 = 'gpu="0"'


def page(server):
    status, _, body = request("GET", f"{server.url}/metrics/gpu")
    assert status == 200, status
    return body.decode()


with temporary_folder() as folder:
    script = folder / "machine"

    def machine(*facts):
        """The recorded machine and these facts."""
        new = script.with_suffix(".new")
        new.write_text(MACHINE + "\n" + "\n".join(facts) + "\n")
        new.rename(script)

    machine()
    environment = dict(os.environ, SONDE_FAKE_NVML=str(script))
    with Server(folder, "--no-gateway", config=CONFIG.format(library=LIBRARY), env=environment) as server:
        # The page, and the same in the store: the vocabulary's names and those that published rules ask for.
        wait_for("the first scrape", lambda: server.value('up{job="gpu"}') == 1)
        wait_for("a card", lambda: server.value("deepseek_accelerator_utilization_ratio{%s}" % GPU0) == 0.87)
        assert server.value("count(deepseek_accelerator_up == 1)") == 3
        assert server.value("nvidia_smi_gpu_utilization{%s}" % GPU0) == 87
        assert server.value("nvidia_smi_memory_used_bytes{%s} / nvidia_smi_memory_total_bytes" % GPU0) > 0.9
        assert "deepseek_accelerator_memory_used_bytes{" in page(server)
        # The page's own series are not mapped once more.
        assert server.value("count(deepseek_accelerator_memory_used_bytes{%s})" % GPU0) == 1
        # A counter of busy seconds, so that rate() is the utilisation.
        rate = "rate(deepseek_accelerator_busy_seconds_total{%s}[30s])" % GPU0
        wait_for("busy 87 % of the time", lambda: 0.5 < (server.value(rate) or 0) < 1.1)

        # The first XID of a code counts: increase() sees it, since its counter was at 0 before.
        increase = 'increase(deepseek_accelerator_fault_events_total{%s,code="79"}[5m])' % GPU0
        wait_for("a counter at 0", lambda: server.value(increase) == 0)
        # … and it comes with a card that falls off the bus. The others go on.
        machine("event 1 0 79", "0 ! 15")
        wait_for("the XID", lambda: server.value(increase) > 0.9)
        wait_for("the lost card", lambda: server.value('deepseek_accelerator_up{%s,error="gpu_is_lost"}' % GPU0) == 0)
        wait_for("no stale temperature", lambda: not server.query("deepseek_accelerator_temperature_celsius{%s}" % GPU0))
        assert server.value('deepseek_accelerator_up{gpu="1"}') == 1
        assert server.value('sonde_gpu_driver_up{driver="nvml"}') == 1
        # It returns. (Some drivers need to be opened anew for that, which is done after ten seconds.)
        machine("event 1 0 79")
        wait_for("the card's return", lambda: server.query("deepseek_accelerator_power_watts{%s}" % GPU0))

        # A call that never returns: the page is served, and says so and since when.
        machine("hang nvmlDeviceGetPowerUsage")
        wait_for("the hang", lambda: server.value('sonde_gpu_driver_up{driver="nvml",error="hang"}') == 0)
        assert server.value('up{job="gpu"}') == 1
        assert 0 <= server.value("time() - sonde_gpu_driver_down_since_timestamp_seconds") < 60
        threads = len(list(pathlib.Path(f"/proc/{server.process.pid}/task").iterdir()))
        sweeps = server.value("sonde_gpu_sweeps_total")
        for _ in range(20):
            page(server)
        assert len(list(pathlib.Path(f"/proc/{server.process.pid}/task").iterdir())) <= threads + 2, "threads pile up"
        assert server.value("sonde_gpu_sweeps_total") == sweeps
        machine()
        wait_for("the driver's return", lambda: server.value('sonde_gpu_driver_up{driver="nvml"}') == 1)
        wait_for("its values", lambda: server.query("deepseek_accelerator_power_watts{%s}" % GPU0))

        # The driver is replaced under us, then works again.
        machine("! nvmlDeviceGetMemoryInfo 18", "! nvmlInit_v2 18")
        wait_for("the mismatch", lambda: server.value('sonde_gpu_driver_up{error="version_mismatch"}') == 0)
        machine()
        wait_for("the new driver", lambda: server.value('sonde_gpu_driver_up{driver="nvml"}') == 1)

        # It stops while a call hangs: at once, and cleanly.
        machine("hang nvmlDeviceGetPowerUsage")
        wait_for("the hang", lambda: server.value('sonde_gpu_driver_up{driver="nvml",error="hang"}') == 0)
        assert "GPU driver does not answer" in server.log_text()

with temporary_folder() as folder:
    config = CONFIG.format(library="libnvidia-ml-that-is-not-there.so.1")
    with Server(folder, "--no-gateway", config=config) as server:
        wait_for("a machine without a driver",
                 lambda: server.value('sonde_gpu_driver_up{driver="nvml",error="library_not_found"}') == 0)
        assert server.value('up{job="gpu"}') == 1 and not server.query("deepseek_accelerator_up")
print("ok")
