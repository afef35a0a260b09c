"""Remote write in: what was acknowledged can be queried, what is wrong is refused as a whole, and nothing is lost by kill -9."""
import time

from harness import Server, remote_write, request, snappy_literal, temporary_folder

with temporary_folder() as folder:
    now = int(time.time() * 1000) // 1000 * 1000
    server = Server(folder, "--no-host")
    labels = {"__name__": "requests_total", "job": "api"}
    with server:
        assert remote_write(server.url, [(labels, [(1, now - 2000), (2, now - 1000)])])[0] == 204
        assert server.value("requests_total", time=now / 1000) == 2
        # Out of order: the whole request is rolled back.
        other = {"__name__": "other_total", "job": "api"}
        status, _, body = remote_write(server.url, [(other, [(7, now)]), (labels, [(0, now - 5000)])])
        assert status == 400 and b"out of order" in body, (status, body)
        assert server.query("other_total") == []
        # Not snappy, not protobuf, not the right type: an error, never a crash.
        headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
        assert request("POST", server.url + "/api/v1/write", b"\xff\xff\xff\xff", headers)[0] == 400
        assert request("POST", server.url + "/api/v1/write", snappy_literal(b"\x0a\xff\x01"), headers)[0] == 400
        assert request("POST", server.url + "/api/v1/write", b"{}", {"Content-Type": "application/json"})[0] == 415
        # A header that promises gigabytes is not believed.
        assert request("POST", server.url + "/api/v1/write", b"\xff\xff\xff\xff\x0f" + b"\x00" * 100, headers)[0] == 413
        assert remote_write(server.url, [(labels, [(3, now)])])[0] == 204
        server.kill()
    server.log.close()
    again = Server(folder, "--no-host")
    with again:
        assert again.value("requests_total", time=now / 1000) == 3
        assert again.value("count_over_time(requests_total[1h])", time=now / 1000) == 3
print("ok")
