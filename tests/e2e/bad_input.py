"""What the world may do to a monitor: targets that hang or talk nonsense, bodies without end, clients that dribble, a log that was
cut. Each gets a clear answer; its neighbours and what is stored are untouched."""
import contextlib
import gzip
import socket
import time

from harness import QuietHandler, Server, http_server, remote_write, request, temporary_folder, wait_for


# 200 MB in 200 kB: a page that is larger than its job allows. Made once: packing it takes longer than a scrape may.
HUGE = gzip.compress(b"# " + b"x" * (200 << 20) + b"\n", 1)


class Targets(QuietHandler):
    """One server, a target for each path."""

    def do_GET(self):
        if self.path == "/good":
            self.reply(200, "good_metric 1\n", "text/plain; version=0.0.4")
        elif self.path == "/malformed":
            self.reply(200, "fine 1\nbroken{a=\"b\" 2\n", "text/plain; version=0.0.4")
        elif self.path == "/hangs":
            time.sleep(30)
        elif self.path == "/labels":
            labels = ",".join(f'label_{i}="{"x" * 100}"' for i in range(2000))
            self.reply(200, f"many{{{labels}}} 1\n", "text/plain; version=0.0.4")
        elif self.path == "/huge":
            self.send_response(200)
            self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(HUGE)))
            self.end_headers()
            with contextlib.suppress(OSError):  # The other side hangs up when it has seen enough.
                self.wfile.write(HUGE)


def memory_bytes(server):
    with open(f"/proc/{server.process.pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))


QUIET = ("--no-host", "--no-gateway", "--no-engine.autodetect")
with temporary_folder() as folder, http_server(Targets) as port:
    config = f"""
global: {{scrape_interval: 1s, scrape_timeout: 1s, label_limit: 64, body_size_limit: 10MB}}
sonde: {{self: {{interval: 1s}}}}
scrape_configs:
"""
    for name in ("good", "malformed", "hangs", "labels", "huge"):
        config += f"  - {{job_name: {name}, metrics_path: /{name}, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}\n"
    with Server(folder, *QUIET, config=config) as server:
        wait_for("the good target", lambda: server.value('up{job="good"}') == 1)
        for name, reason in (("malformed", "2:"), ("hangs", "deadline exceeded"), ("labels", "label_limit"), ("huge", "limit")):
            wait_for(f"{name} to be down", lambda: server.value(f'up{{job="{name}"}}') == 0)
            target = next(t for t in server.get("targets")["activeTargets"] if t["labels"]["job"] == name)
            assert reason in target["lastError"], target
        assert server.query('fine') == [] and server.query("many") == []
        before = memory_bytes(server)

        # Remote write: not 100 MB, neither as they are nor packed.
        status, _, body = request("POST", server.url + "/api/v1/write", b"\x00" * (100 << 20),
                                  {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"})
        assert status == 413, (status, body)
        # A query of a megabyte of parentheses, and a form of 100 MB.
        status, _, body = request("POST", server.url + "/api/v1/query", b"query=" + b"(" * 1_000_000,
                                  {"Content-Type": "application/x-www-form-urlencoded"})
        assert status == 400 and b"bad_data" in body, (status, body[:300])
        status, _, body = request("POST", server.url + "/api/v1/query", b"query=" + b"1" * (100 << 20),
                                  {"Content-Type": "application/x-www-form-urlencoded"})
        assert status == 400 and b"larger than" in body, (status, body[:300])

        # Slow loris: a hundred clients that never end their header; the server answers others meanwhile and lets them go.
        slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(100)]
        for client in slow:
            client.sendall(b"GET /api/v1/query?query=up HTTP/1.1\r\nHost: x\r\nX-")
        assert server.value('up{job="good"}') == 1
        deadline = time.monotonic() + 30
        for client in slow:
            client.settimeout(max(0.1, deadline - time.monotonic()))
            answer = client.recv(1000)
            assert answer == b"" or b" 408 " in answer.split(b"\r\n")[0], answer
            client.close()

        # What is no HTTP at all.
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 100)
            client.settimeout(15)
            answer = client.recv(1000)
            assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer
        good_until = server.value('timestamp(good_metric)')
        wait_for("the good target to go on", lambda: server.value('timestamp(good_metric)') > good_until)
        # Sanitizers keep freed memory for a while: the bound is generous, a copy of what was sent a hundred times is not in it.
        assert memory_bytes(server) < before + (400 << 20), (before, memory_bytes(server))

        # The end: killed, and the newest part of the log cut in the middle of a record.
        now = int(time.time() * 1000)
        for i in range(50):
            assert remote_write(server.url, [({"__name__": "kept"}, [(float(i), now + i)])])[0] == 204
        server.kill()
    segment = max((folder / "data" / "wal").glob("0*"))
    segment.write_bytes(segment.read_bytes()[:-3])
    with Server(folder, *QUIET) as server:
        values = [int(float(v)) for _, v in server.query("kept[1h]", time=(now + 100) / 1000)[0]["values"]]
        assert values == list(range(49)), values  # All but the one whose record was cut.
        log = server.log_text()
        assert "damaged_places=1" in log, log[-2000:]
print("ok")
