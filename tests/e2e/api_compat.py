"""The same requests to Debian's Prometheus and to Sonde, over the same samples: same codes, same shapes, same numbers.

Debian's Prometheus is older than the reference version; what changed since is left out of the list or said beside it.
"""
import json
import time
import urllib.parse

from harness import Api, Server, free_port, need_program, program, remote_write, request, temporary_folder

prometheus = need_program("prometheus")
NOW = int(time.time()) // 60 * 60
START = NOW - 1800

# (method, path, parameters). Times are never a sample's own: the left edge of a range belongs to it in Prometheus 2 only.
AT = str(NOW - 100 + 0.5)
RANGE = [("start", str(START + 600.5)), ("end", str(NOW - 300.5)), ("step", "60")]


def q(expression, *more):
    return ("GET", "query", [("query", expression), ("time", AT), *more])


def r(expression, *more):
    return ("GET", "query_range", [("query", expression), *RANGE, *more])


REQUESTS = [
    q("requests_total"), q("1"), q("-1e300 * 1e10"), q("0/0"), q("1.5e-7"), q("123456789012345678"), q("0.1 + 0.2"), q('"text"'),
    q("requests_total[1m]"), q("sum by (job) (rate(requests_total[5m]))"), q("topk(2, temperature)"), q("absent(nothing)"),
    q("count_values('v', temperature > 22)"), q("sort_desc(temperature)"), q("histogram_quantile(0.9, rate(latency_bucket[10m]))"),
    q("label_replace(temperature, 'x', '$1', 'instance', 'host-(.*)')"), q("temperature > bool 21"), q("vector(1)"), q("time()"),
    q("requests_total offset 5m"), q("requests_total @ end()"), q("max_over_time(temperature[10m:1m])"), q("predict_linear(temperature[10m], 600)"),
    q("nothing"), q("requests_total * on(instance) group_left() temperature{job='web'}"), q("quantile(0.5, temperature)"), q("stddev(temperature)"),
    ("POST", "query", [("query", "temperature"), ("time", AT)]),
    ("GET", "query", [("query", "temperature"), ("time", "2020-01-01T00:00:00Z")]),
    r("temperature"), r("rate(requests_total[5m])"), r("sum(temperature)"), r("temperature > 22"), r("1"), r("time()"),
    ("POST", "query_range", [("query", "sum by (job) (temperature)"), *RANGE]),
    ("GET", "series", [("match[]", 'requests_total{job="web"}'), ("start", str(START)), ("end", str(NOW))]),
    ("GET", "series", [("match[]", "temperature"), ("match[]", "requests_total")]),
    ("POST", "series", [("match[]", '{instance=~"host-[01]"}')]),
    ("GET", "labels", []), ("GET", "labels", [("match[]", "latency_bucket")]), ("POST", "labels", []),
    ("GET", "label/job/values", []), ("GET", "label/__name__/values", []), ("GET", "label/le/values", [("match[]", "latency_bucket")]),
    ("GET", "label/nothing/values", []),
    ("GET", "format_query", [("query", "sum  by(job)( rate( requests_total [5m] ))")]),
    ("GET", "query_exemplars", [("query", "requests_total"), ("start", str(START)), ("end", str(NOW))]),
    ("GET", "targets", []), ("GET", "metadata", []), ("GET", "alertmanagers", []), ("GET", "alerts", []), ("GET", "rules", []),
]
# Here the code, the error type and the members must agree; texts have changed between versions.
ERRORS = [
    q("sum("), q("foo{"), q("rate(requests_total)"), q(""), q("requests_total", ("timeout", "x")), q("temperature + on(instance) group_left(job) temperature[1m]"),
    ("GET", "query", [("query", "up"), ("time", "yesterday")]), ("GET", "query", []),
    ("GET", "query_range", [("query", "up"), ("start", "10"), ("end", "5"), ("step", "1")]),
    ("GET", "query_range", [("query", "up"), ("start", "0"), ("end", "1000000"), ("step", "1")]),
    ("GET", "query_range", [("query", "up"), ("start", "0"), ("end", "10"), ("step", "0")]),
    ("GET", "query_range", [("query", "up"), ("start", "0"), ("end", "10")]),
    ("GET", "query_range", [("query", "up[5m]"), ("start", "0"), ("end", "10"), ("step", "1")]),
    ("GET", "series", []), ("GET", "series", [("match[]", "{}")]), ("GET", "series", [("match[]", '{x=~".*"}')]), ("GET", "series", [("match[]", "a[")]),
    ("GET", "label/a:b/values", [("match[]", "1")]), ("GET", "labels", [("start", "x")]), ("GET", "format_query", [("query", "sum(")]),
    q("requests_total * on(job) temperature"),
]


def ask(url, method, path, parameters):
    encoded = urllib.parse.urlencode(parameters)
    if method == "POST":
        status, headers, body = request("POST", f"{url}/api/v1/{path}", encoded.encode(), {"Content-Type": "application/x-www-form-urlencoded"})
    else:
        status, headers, body = request("GET", f"{url}/api/v1/{path}?{encoded}")
    return status, headers.get("Content-Type", ""), json.loads(body)


def comparable(answer):
    """Without what is about the run, and with the order that is not specified removed."""
    data = answer.get("data")
    if isinstance(data, dict):
        data.pop("droppedTargetCounts", None)  # Newer than Debian's.
    if isinstance(data, dict) and isinstance(data.get("result"), list) and data["result"] and isinstance(data["result"][0], dict):
        data["result"].sort(key=lambda row: json.dumps(row["metric"], sort_keys=True))
    if isinstance(data, list):
        data.sort(key=lambda row: json.dumps(row, sort_keys=True))
    return answer


def same(ours, theirs):
    """Equal, numbers up to the rounding of another order of addition."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(same(ours[k], theirs[k]) for k in ours)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if ours == theirs:
        return True
    try:
        a, b = float(ours), float(theirs)
    except (TypeError, ValueError):
        return False
    return abs(a - b) <= 1e-12 * max(abs(a), abs(b))


def fill(url):
    for host in range(4):
        labels = {"instance": f"host-{host}", "job": "api" if host % 2 else "web"}
        times = range(START, NOW, 15)
        series = [({"__name__": "requests_total", **labels}, [((t - START) * (host + 1) / 15, t * 1000) for t in times]),
                  ({"__name__": "temperature", **labels}, [(20 + (t // 15 * (host + 3)) % 17 / 4, t * 1000) for t in times])]
        for i, le in enumerate(("0.1", "0.5", "1", "+Inf")):
            series.append(({"__name__": "latency_bucket", **labels, "le": le}, [((t - START) * (i + 1 + host) / 15, t * 1000) for t in times]))
        assert remote_write(url, series)[0] == 204


with temporary_folder() as folder:
    port = free_port()
    (folder / "empty.yml").write_text("global: {scrape_interval: 1h}\n")
    (folder / "sonde").mkdir()
    with program(prometheus, f"--config.file={folder / 'empty.yml'}", f"--storage.tsdb.path={folder / 'theirs'}",
                 f"--web.listen-address=127.0.0.1:{port}", "--web.enable-remote-write-receiver", "--log.level=warn",
                 ready_url=f"http://127.0.0.1:{port}/-/ready"), \
            Server(folder / "sonde", "--no-host", "--no-self", "--no-gateway", "--no-engine.autodetect", "--no-rule-packs") as server:
        theirs = Api(f"http://127.0.0.1:{port}")
        for url in (server.url, theirs.url):
            fill(url)
        differences = []
        for method, path, parameters in REQUESTS:
            mine, other = ask(server.url, method, path, parameters), ask(theirs.url, method, path, parameters)
            if mine[:2] != other[:2] or not same(comparable(mine[2]), comparable(other[2])):
                differences.append((method, path, parameters, mine, other))
        for method, path, parameters in ERRORS:
            mine, other = ask(server.url, method, path, parameters), ask(theirs.url, method, path, parameters)
            if mine[:2] != other[:2] or mine[2].keys() != other[2].keys() or mine[2].get("errorType") != other[2].get("errorType"):
                differences.append((method, path, parameters, mine, other))
        for method, path, parameters, mine, other in differences:
            print(f"{method} {path} {parameters}\n  Sonde:      {str(mine)[:700]}\n  Prometheus: {str(other)[:700]}")
        assert not differences, f"{len(differences)} differences"
        print(f"{len(REQUESTS)} answers and {len(ERRORS)} errors are the same")
