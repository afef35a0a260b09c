"""A store's directory can be moved between Prometheus and Sonde, both ways, and promtool reads it."""
import shutil
import subprocess
import time

from harness import Api, Server, free_port, need_program, program, remote_write, temporary_folder, wait_for

prometheus, promtool = need_program("prometheus", "promtool")
HOURS = 7  # Enough for blocks of two hours.
QUERIES = ["sum by (job) (rate(requests_total[5m]))", "temperature", "count_over_time(temperature[30m])",
           "max_over_time(temperature[1h])", 'requests_total{instance=~"host-[0-3]"}']


def fill(url, start, end):
    """Two metrics of eight series, a sample each 15 s."""
    for begin in range(start, end, 3600):
        series = []
        for host in range(8):
            labels = {"instance": f"host-{host}", "job": "api" if host % 2 else "web"}
            times = range(begin, min(begin + 3600, end), 15)
            series.append(({"__name__": "requests_total", **labels}, [((t - start) * (host + 1) / 15, t * 1000) for t in times]))
            series.append(({"__name__": "temperature", **labels}, [(20 + (t // 15 * (host + 3)) % 17 / 4, t * 1000) for t in times]))
        status, _, body = remote_write(url, series)
        assert status == 204, (status, body)


def answers(api, start, end):
    # Never on a sample's own time: Prometheus 2 includes the left edge of a range, Prometheus 3 and Sonde do not.
    out = {}
    for query in QUERIES:
        rows = api.query_range(query, start + 1800 + 0.5, end - 0.5, 300)
        out[query] = sorted((sorted(row["metric"].items()), row["values"]) for row in rows)
        assert out[query], query
    return out


def close(a, b):
    assert a.keys() == b.keys()
    for query in a:
        assert len(a[query]) == len(b[query]), query
        for (labels_a, values_a), (labels_b, values_b) in zip(a[query], b[query]):
            assert labels_a == labels_b, (query, labels_a, labels_b)
            assert len(values_a) == len(values_b), (query, labels_a, len(values_a), len(values_b))
            for (t_a, v_a), (t_b, v_b) in zip(values_a, values_b):
                assert t_a == t_b and abs(float(v_a) - float(v_b)) <= 1e-12 * abs(float(v_a)), (query, labels_a, t_a, v_a, v_b)


def run_prometheus(data, folder, *arguments):
    port = free_port()
    config = folder / "empty.yml"
    config.write_text("global: {scrape_interval: 1h}\n")
    return program(prometheus, f"--config.file={config}", f"--storage.tsdb.path={data}", f"--web.listen-address=127.0.0.1:{port}",
                   "--web.enable-remote-write-receiver", "--log.level=warn", *arguments,
                   ready_url=f"http://127.0.0.1:{port}/-/ready"), f"http://127.0.0.1:{port}"


QUIET = ("--no-host", "--no-self", "--no-gateway", "--no-engine.autodetect")
with temporary_folder() as folder:
    end = int(time.time()) // 7200 * 7200
    start = end - HOURS * 3600
    with Server(folder, *QUIET) as server:
        fill(server.url, start, end)
        ours = answers(server, start, end)
        wait_for("blocks", lambda: len([p for p in (folder / "data").iterdir() if len(p.name) == 26]) >= 2, timeout=150)
        close(ours, answers(server, start, end))
        server.kill()  # Blocks, chunks_head and WAL are as a crash leaves them.
    data = folder / "data"
    blocks = [p for p in data.iterdir() if len(p.name) == 26]

    # Debian's Prometheus starts on a copy and says the same.
    copy = folder / "copy"
    shutil.copytree(data, copy)
    context, url = run_prometheus(copy, folder)
    with context:
        close(ours, answers(Api(url), start, end))

    # promtool reads what we wrote.
    listing = subprocess.run([promtool, "tsdb", "list", str(data)], capture_output=True, text=True, check=True).stdout
    for block in blocks:
        assert block.name in listing, listing
        analysis = subprocess.run([promtool, "tsdb", "analyze", str(data), block.name], capture_output=True, text=True, check=True).stdout
        assert "Series: 16" in analysis, analysis
    dump = subprocess.run([promtool, "tsdb", "dump", str(data)], capture_output=True, text=True, check=True).stdout
    assert dump.count("\n") == 16 * HOURS * 240, dump.count("\n")

    # And the other way: a directory that Prometheus filled, killed in the middle.
    theirs = folder / "theirs"
    theirs.mkdir()
    context, url = run_prometheus(theirs, folder)
    with context as process:
        fill(url, start, end)
        expected = answers(Api(url), start, end)
        process.kill()
    moved = folder / "moved"
    (moved / "data").parent.mkdir()
    shutil.copytree(theirs, moved / "data")
    with Server(moved, *QUIET) as server:
        close(expected, answers(server, start, end))
    # … and back again: Prometheus still starts on it after us.
    context, url = run_prometheus(moved / "data", folder)
    with context:
        close(expected, answers(Api(url), start, end))
    print(f"{len(blocks)} blocks, both ways")
