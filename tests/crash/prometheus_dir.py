#!/usr/bin/env python3
"""A directory of ours is opened by Debian's Prometheus and promtool, and theirs by us, with the same samples.

usage: prometheus_dir.py TSDB_TOOL        exits 77 where prometheus or promtool is not installed

1. tsdb_tool writes some hours: blocks, mapped chunks, log. promtool lists, analyses and dumps the directory; Prometheus
   starts on a copy of it and answers the same.
2. Prometheus is given some hours by remote write, and killed: blocks, checkpoint, mapped chunks, log. tsdb_tool dumps a
   copy of its directory; the samples are those that promtool reads from another copy.
3. Prometheus starts again on the directory that we had opened and written to.
"""
import contextlib, json, os, pathlib, re, shutil, signal, socket, struct, subprocess, sys, tempfile, time, urllib.parse, urllib.request

START = 1_700_006_400_000  # A whole number of two hours.
HOUR = 3_600_000
HOURS = 13  # That Prometheus is given.


def free_port():
    for port in range(22000, 23000):
        with contextlib.closing(socket.socket()) as s:
            with contextlib.suppress(OSError):
                s.bind(("127.0.0.1", port))
                return port
    sys.exit("no free port between 22000 and 22999")


class Prometheus:
    """A server on a data directory; stopped at the end of the with block."""

    def __init__(self, data, *flags):
        self.port = free_port()
        config = data.parent / "prometheus.yml"
        config.write_text("global: {scrape_interval: 1h}\n")
        self.log = open(data.parent / "prometheus.log", "a")
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={data}", "--storage.tsdb.retention.time=100y",
             f"--web.listen-address=127.0.0.1:{self.port}", *flags], stderr=self.log, stdout=self.log)

    def __enter__(self):
        for _ in range(600):
            if self.process.poll() is not None:
                sys.exit(f"prometheus ended: see {self.log.name}\n" + pathlib.Path(self.log.name).read_text()[-3000:])
            with contextlib.suppress(OSError):
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready") as reply:
                    if reply.status == 200:
                        return self
            time.sleep(0.1)
        sys.exit("prometheus does not get ready")

    def __exit__(self, *_):
        self.kill(signal.SIGTERM)

    def kill(self, how):
        if self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait()
        self.log.close()

    def query(self, expr, at_ms):
        args = urllib.parse.urlencode({"query": expr, "time": at_ms / 1000})
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/query?{args}") as reply:
            return json.load(reply)["data"]["result"]

    def write(self, series):
        """Remote write: series is a list of (labels, [(t, v)])."""
        body = b"".join(field(1, labels_message(labels) + b"".join(
            field(2, b"\x09" + struct.pack("<d", v) + b"\x10" + varint(t)) for t, v in samples)) for labels, samples in series)
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/api/v1/write", snappy(body), method="POST", headers={
            "Content-Encoding": "snappy", "Content-Type": "application/x-protobuf", "X-Prometheus-Remote-Write-Version": "0.1.0"})
        urllib.request.urlopen(request).read()


def varint(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def labels_message(labels):
    return b"".join(field(1, field(1, k.encode()) + field(2, v.encode())) for k, v in sorted(labels.items()))


def snappy(data):
    """A snappy block of literals only."""
    out = bytearray(varint(len(data)))
    for at in range(0, len(data), 65536):
        part = data[at:at + 65536]
        out += b"\xf4" + struct.pack("<H", len(part) - 1) + part
    return bytes(out)


def run(*command):
    result = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{result.stderr[-3000:]}")
    return result.stdout


def parse_dump(text):
    """Lines of `promtool tsdb dump` as {(labels, time): value}."""
    samples = {}
    for line in text.splitlines():
        match = re.fullmatch(r"(\{.*\}) (\S+) (-?\d+)", line)
        if not match:
            sys.exit(f"not a line of a dump: {line!r}")
        samples[match[1], int(match[3])] = float(match[2])
    return samples


def promtool_dump(data):
    (data / "wal").mkdir(exist_ok=True)
    return parse_dump(run("promtool", "tsdb", "dump", data))


def expect_same(what, got, want):
    missing = [k for k in want if k not in got]
    extra = [k for k in got if k not in want]
    wrong = [k for k in want if k in got and got[k] != want[k] and (got[k] == got[k] or want[k] == want[k])]
    if missing or extra or wrong:
        sys.exit(f"{what}: {len(missing)} samples missing {missing[:3]}, {len(extra)} too much {extra[:3]}, {len(wrong)} wrong {wrong[:3]}")
    print(f"ok: {what}: {len(want)} samples")


def expect_answers(what, server, samples):
    """Every sample, asked for with a range selector that ends between samples."""
    newest = max(t for _, t in samples) + 500
    got = {}
    for series in server.query('{__name__=~".+"}[100d]', newest):
        labels = "{" + ", ".join(f'{k}="{v}"' for k, v in sorted(series["metric"].items())) + "}"
        for t, v in series["values"]:
            got[labels, round(t * 1000)] = float(v)
    expect_same(what, got, samples)


def copy_of(data, name):
    target = data.parent / name
    shutil.copytree(data, target)
    with contextlib.suppress(FileNotFoundError):
        (target / "lock").unlink()
    return target


def blocks_in(data):
    return [d for d in data.iterdir() if d.is_dir() and re.fullmatch(r"[0-9A-Z]{26}", d.name)]


def newest_end(data):
    ends = [0]
    for block in blocks_in(data):
        with contextlib.suppress(FileNotFoundError):  # Being replaced by a larger one.
            ends.append(json.loads((block / "meta.json").read_text())["maxTime"])
    return max(ends)


def wait_for(what, condition):
    for _ in range(1200):
        if condition():
            return
        time.sleep(0.1)
    sys.exit(f"{what}: waited in vain")


def ours_in_theirs(tool, root):
    data = root / "ours"
    run(tool, "write", data, START, 15_000, 6 * 240 + 100)
    assert len(blocks_in(data)) >= 2, "the store must have cut blocks"
    assert any((data / "chunks_head").iterdir())
    samples = parse_dump(run(tool, "dump", copy_of(data, "ours-dumped")))
    assert len(samples) == 7 * (6 * 240 + 100)
    listing = run("promtool", "tsdb", "list", copy_of(data, "ours-listed"))
    assert len(listing.splitlines()) == 1 + len(blocks_in(data)), listing
    analysis = run("promtool", "tsdb", "analyze", copy_of(data, "ours-analysed"))
    assert re.search(r"^Series: [78]$", analysis, re.M), analysis
    expect_same("promtool dumps our directory", promtool_dump(copy_of(data, "ours-promtool")), samples)
    opened = copy_of(data, "ours-prometheus")
    with Prometheus(opened) as server:
        expect_answers("Prometheus answers from our directory", server, samples)
        rate = server.query("sum(rate(tokens_total[6h]))", START + 6 * HOUR + 500)
        assert 2.26 < float(rate[0]["value"][1]) < 2.27, rate  # Two series, 17 every 15 seconds.
    # What Prometheus left after its stop is read by us again.
    expect_same("we read our directory back from Prometheus", parse_dump(run(tool, "dump", opened)), samples)


def theirs_in_ours(tool, root):
    data = root / "theirs"
    want = {}
    server = Prometheus(data, "--web.enable-remote-write-receiver", "--storage.tsdb.wal-segment-size=10MB")
    with contextlib.ExitStack() as stack:
        stack.callback(server.kill, signal.SIGKILL)
        server.__enter__()
        for minute in range(HOURS * 60):
            batch = []
            for number in range(40):
                # Half of the series live for an hour.
                name = str(number if number % 2 == 0 else number + 100 * (minute // 60))
                labels = {"__name__": "load", "instance": name}
                samples = [(START + minute * 60_000 + s * 15_000, minute * 0.5 + s + number) for s in range(4)]
                batch.append((labels, samples))
                key = f'{{__name__="load", instance="{name}"}}'
                want.update({(key, t): v for t, v in samples})
            server.write(batch)
            # Each block that is cut begins a segment of the log, and after a few there is a checkpoint.
            if minute % 120 == 119 and minute > 240:
                wait_for("a block", lambda: newest_end(data) >= START + (minute + 1) * 60_000 - 2 * HOUR)
        wait_for("a checkpoint", lambda: any((data / "wal").glob("checkpoint.*[0-9]")))
    expect_same("promtool reads what Prometheus wrote", promtool_dump(copy_of(data, "theirs-promtool")), want)
    opened = copy_of(data, "theirs-opened")
    expect_same("we read a directory of a killed Prometheus", parse_dump(run(tool, "dump", opened)), want)
    # And back: with what we write into it, Prometheus goes on.
    run(tool, "write", opened, START + HOURS * HOUR, 15_000, 300)
    both = parse_dump(run(tool, "dump", copy_of(opened, "theirs-written")))
    assert len(both) == len(want) + 7 * 300
    with Prometheus(opened) as server:
        expect_answers("Prometheus goes on with its directory after us", server, both)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if not shutil.which("prometheus") or not shutil.which("promtool"):
        print("skipped: prometheus and promtool are not installed")
        sys.exit(77)
    tool = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory(prefix="sonde-compat-") as root:
        root = pathlib.Path(root)
        ours_in_theirs(tool, root)
        theirs_in_ours(tool, root)


if __name__ == "__main__":
    main()
