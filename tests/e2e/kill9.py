"""kill -9 under load, again and again: every sample that was acknowledged is there afterwards. Rounds: KILLS (default 8)."""
import os
import random
import threading
import time

from harness import Server, remote_write, temporary_folder

KILLS = int(os.environ.get("KILLS", "8"))
WRITERS = 3
SERIES_PER_WRITER = 20
ALONE = ("--no-host", "--no-self", "--no-gateway", "--no-engine.autodetect")


class Writer(threading.Thread):
    """Sends ever newer samples and remembers the newest timestamp that was acknowledged."""

    def __init__(self, number, url, start):
        super().__init__(daemon=True)
        self.number, self.url = number, url
        self.acknowledged = start  # Milliseconds; one sample per millisecond number.
        self.sent = start
        self.running = True

    def run(self):
        while self.running:
            t = self.sent + 1
            series = [({"__name__": "load", "writer": str(self.number), "series": str(i)}, [(float(t), t)])
                      for i in range(SERIES_PER_WRITER)]
            self.sent = t
            try:
                status, _, _ = remote_write(self.url, series, timeout=5)
            except OSError:
                return  # The server was killed; what was sent last may or may not be there.
            if status == 204:
                self.acknowledged = t


with temporary_folder() as folder:
    base = int(time.time() * 1000) - 3_600_000
    newest = {number: base for number in range(WRITERS)}
    acknowledged = {number: [] for number in range(WRITERS)}
    random.seed(1)
    for kill in range(KILLS):
        server = Server(folder, *ALONE, "--log.level=warn")
        writers = [Writer(number, server.url, newest[number]) for number in range(WRITERS)]
        for writer in writers:
            writer.start()
        time.sleep(random.uniform(0.05, 0.6))
        server.kill()
        server.log.close()
        for writer in writers:
            writer.running = False
            writer.join()
            acknowledged[writer.number].append((newest[writer.number] + 1, writer.acknowledged))
            newest[writer.number] = writer.sent
    total = 0
    with Server(folder, *ALONE) as server:
        for number in range(WRITERS):
            for i in range(SERIES_PER_WRITER):
                selector = f'load{{writer="{number}",series="{i}"}}'
                stored = set()
                data = server.query(f"{selector}[2h]", time=(base + 3_600_000) / 1000)
                for _, value in data[0]["values"] if data else []:
                    stored.add(int(float(value)))
                for first, last in acknowledged[number]:
                    missing = [t for t in range(first, last + 1) if t not in stored]
                    assert not missing, f"{selector}: {len(missing)} acknowledged samples lost, first {missing[0]}"
                    total += last - first + 1
    assert total > 0
    print(f"{KILLS} kills, {total} acknowledged samples, none lost")
