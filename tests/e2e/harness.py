"""What the end-to-end tests share: start the real binary in a temporary folder, talk HTTP to it, wait for facts.

Every test is a user's story, run as `python3 tests/e2e/NAME.py` with SONDE=path of the binary. Exit 0 passed, 1 failed,
77 skipped (with the reason as "Skipped: …" on standard output). Ports are 0 or asked from the system.
"""
import contextlib
import http.server
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SONDE = os.environ.get("SONDE", str(ROOT / "build/dev/sonde"))
SHARED = ROOT.parent / "shared"
WAIT_S = 60


def skip(reason):
    print(f"Skipped: {reason}")
    sys.exit(77)


def need_program(*names):
    """The path of each program, or skip."""
    paths = [shutil.which(name) for name in names]
    for name, path in zip(names, paths):
        if path is None:
            skip(f"{name} is not installed")
    return paths if len(paths) > 1 else paths[0]


def need_shared(relative):
    path = SHARED / relative
    if not path.exists():
        skip(f"../shared/{relative} is not here")
    return path


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, condition, timeout=WAIT_S, interval=0.1):
    """Calls `condition` until it returns something true; returns that. Fails with the last answer."""
    deadline = time.monotonic() + timeout
    last = None
    while time.monotonic() < deadline:
        try:
            last = condition()
        except (OSError, urllib.error.URLError, ValueError, KeyError, IndexError) as error:
            last = error
        if last and not isinstance(last, Exception):
            return last
        time.sleep(interval)
    raise AssertionError(f"waited {timeout} s for {what}; last: {last!r}")


def request(method, url, body=None, headers=None, timeout=30):
    """(status, headers, body bytes); never raises for an HTTP status."""
    req = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(req, timeout=timeout) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


class Api:
    """The Prometheus API below `url`."""

    def __init__(self, url):
        self.url = url

    def get(self, path, **parameters):
        pairs = [(k.rstrip("_").replace("match", "match[]") if k.startswith("match") else k, v)
                 for k, values in parameters.items() for v in (values if isinstance(values, list) else [values])]
        status, _, body = request("GET", f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(pairs)}")
        answer = json.loads(body)
        assert status == 200, f"{path}: {status} {answer}"
        return answer["data"]

    def query(self, expression, **parameters):
        return self.get("query", query=expression, **parameters)["result"]

    def query_range(self, expression, start, end, step):
        return self.get("query_range", query=expression, start=start, end=end, step=step)["result"]

    def value(self, expression, **parameters):
        """The single value of an instant query, or None if there is no series."""
        result = self.query(expression, **parameters)
        if not result:
            return None
        if isinstance(result[0], (int, float)):
            return float(result[1])
        assert len(result) == 1, result
        return float(result[0]["value"][1])


class Server(Api):
    """`sonde serve` in `folder`, with its log in folder/serve.log."""

    def __init__(self, folder, *arguments, gateway=False, wait_ready=True, config=None, binary=None, env=None):
        self.folder = pathlib.Path(folder)
        self.killed = False
        self.port = free_port()
        self.gateway_port = free_port()
        super().__init__(f"http://127.0.0.1:{self.port}")
        command = [binary or SONDE, "serve", f"--web.listen-address=127.0.0.1:{self.port}", "--storage.path",
                   str(self.folder / "data"), f"--gateway.listen-address=127.0.0.1:{self.gateway_port}"]
        if config is not None:
            path = self.folder / "sonde.yml"
            path.write_text(config)
            command.append(f"--config.file={path}")
        self.log_path = self.folder / "serve.log"
        self.log = open(self.log_path, "ab")
        self.process = subprocess.Popen(command + list(arguments), stdout=self.log, stderr=self.log, env=env)
        if wait_ready:
            self.wait_ready()

    @property
    def gateway_url(self):
        return f"http://127.0.0.1:{self.gateway_port}"

    def wait_ready(self):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"sonde ended with {self.process.returncode}:\n{self.log_text()[-3000:]}")
            return request("GET", f"{self.url}/-/ready")[0] == 200
        wait_for("/-/ready", ready)

    def log_text(self):
        self.log.flush()
        return self.log_path.read_text(errors="replace")

    def kill(self):
        """`kill -9`. What follows in the story looks at what is left."""
        self.killed = True
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """Asks it to end, unless it was killed; it must do so cleanly."""
        if self.killed:
            self.log.close()
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=WAIT_S)
        self.log.close()
        assert code == 0, f"exit code {code}:\n{self.log_path.read_text(errors='replace')[-3000:]}"

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
            return
        if self.process.poll() is None:
            self.kill()
        sys.stderr.write(self.log_path.read_text(errors="replace")[-5000:])


@contextlib.contextmanager
def temporary_folder():
    folder = tempfile.mkdtemp(prefix="sonde-e2e-")
    try:
        yield pathlib.Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class ThreadedServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that hangs up is no news; anything else is printed."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@contextlib.contextmanager
def http_server(handler_class):
    """A threaded HTTP server on a free port; gives its port."""
    server = ThreadedServer(("127.0.0.1", 0), handler_class)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


class QuietHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, status, body, content_type="text/plain; charset=utf-8"):
        data = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextlib.contextmanager
def program(*command, ready_url=None, **options):
    """Another program for the length of the block."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
    try:
        if ready_url:
            wait_for(ready_url, lambda: request("GET", ready_url)[0] == 200)
        yield process
    finally:
        process.terminate()
        process.wait()


# ------------------------------------------------------------------------------- remote write, by hand

def varint(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def write_request(series):
    """`series`: [(labels dict, [(value, timestamp ms)])] as a protobuf WriteRequest."""
    import struct
    out = b""
    for labels, samples in series:
        body = b"".join(field(1, field(1, k.encode()) + field(2, v.encode())) for k, v in sorted(labels.items()))
        for value, t in samples:
            body += field(2, b"\x09" + struct.pack("<d", value) + b"\x10" + varint(t & (1 << 64) - 1))
        out += field(1, body)
    return out


def snappy_literal(raw):
    """A valid snappy block without compression."""
    out = bytearray(varint(len(raw)))
    for i in range(0, len(raw), 65536):
        piece = raw[i:i + 65536]
        n = len(piece) - 1
        out += bytes([61 << 2, n & 0xFF, n >> 8]) + piece
    return bytes(out)


def remote_write(url, series, timeout=30):
    """The HTTP status of one remote write."""
    return request("POST", f"{url}/api/v1/write", snappy_literal(write_request(series)),
                   {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy",
                    "X-Prometheus-Remote-Write-Version": "0.1.0"}, timeout=timeout)
