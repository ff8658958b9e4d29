"""List pages a second against a bare Django list page, in one run: the same server, database and moment.

    python bench/list_pages.py [--rounds N] [--share N] [--home HOME] [--processor]

The bare page (``bench/bare``): 2,200 rows, filter, count, 20 joined rows, sessions, sign-in, a small template.
Ours on the example's history with sixty pieces of public evidence (``--share`` one part in N, or ``--home``, a
copy of a home that has the history; the evidence is added to it). Both under gunicorn gthread
with two workers of four threads, asked over eight kept connections, in alternating rounds. One JSON line.
With ``--processor`` no server: processor time of each page in one process, for a machine that is busy.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
CONNECTIONS = 8
SECONDS = 4.0


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--share", type=int, default=10)
    options.add_argument("--home")
    options.add_argument("--processor", action="store_true")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as root:
        home = chosen.home or root
        bare = prepare(["bare", root])
        ours = prepare(["ours", home, "0" if chosen.home else str(chosen.share)])
        if chosen.processor:
            print(json.dumps({"bench": "list_pages", **processor(root, home, bare, ours, chosen.rounds)}))
            return
        found = measure(root, home, bare, ours, chosen.rounds)
        print(json.dumps({"bench": "list_pages", "rounds": chosen.rounds, **found}))


def prepare(arguments: list[str]) -> dict[str, str]:
    """Fill a database in a process of its own; it tells the session and the addresses."""
    done = subprocess.run(
        [sys.executable, str(HERE / "bare" / "prepare.py"), *arguments], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def processor(root: str, home: str, bare: dict[str, str], ours: dict[str, str], rounds: int) -> dict[str, object]:
    """The least processor time of each page and its ratio; bare is asked before and after."""
    django = "DJANGO_SETTINGS_MODULE"
    sides = {
        "bare.wsgi": (bare, {"BARE_HOME": root, django: "bare.settings"}),
        "bitgoeul.site.wsgi": (ours, {"BITGOEUL_HOME": home, django: "bitgoeul.site.settings"}),
    }
    times: dict[str, float] = {}
    for application in ("bare.wsgi", "bitgoeul.site.wsgi", "bare.wsgi"):
        asked, environment = sides[application]
        done = subprocess.run(
            [sys.executable, str(HERE / "bare" / "processor.py"), application, str(rounds)],
            input=json.dumps(asked), env=os.environ | environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        for name, one in json.loads(done.stdout.splitlines()[-1]).items():
            times[name] = min(one["least_ms"], times.get(name, one["least_ms"]))
    least = times.pop("list")
    ratio = {name: round(least / took, 3) for name, took in times.items()}
    return {"rounds": rounds, "least_ms": {"bare": least, **times}, "ratio": ratio}


class Server:
    """gunicorn on a free port, for one application."""

    def __init__(self, application: str, **environment: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        command = [sys.executable, "-m", "gunicorn", "-b", f"127.0.0.1:{self.port}", "-k", "gthread", "-w", "2",
                   "--threads", "4", "--keep-alive", "30", application]  # fmt: skip
        self.process = subprocess.Popen(
            command, cwd=HERE, env=os.environ | environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=20)


def measure(root: str, home: str, bare: dict[str, str], ours: dict[str, str], rounds: int) -> dict[str, object]:
    django = "DJANGO_SETTINGS_MODULE"
    servers = (
        Server("bare.wsgi:application", BARE_HOME=root, **{django: "bare.settings"}),
        Server("bitgoeul.site.wsgi:application", BITGOEUL_HOME=home, **{django: "bitgoeul.site.settings"}),
    )
    try:
        pages = {
            name: (servers[1].port, ours["session"], path) for name, path in ours.items() if name != "session"
        }
        bare_page = (servers[0].port, bare["session"], bare["list"])
        for page in (bare_page, *pages.values()):
            ready(page)
        rates: dict[str, list[float]] = {name: [] for name in ("bare", *pages)}
        ratios: dict[str, list[float]] = {name: [] for name in pages}
        for _round in range(rounds):
            for name, page in pages.items():
                # Each page beside a bare round of its own, so that a busy neighbour slows both.
                bare_rate, rate = rate_of(bare_page), rate_of(page)
                rates["bare"].append(bare_rate)
                rates[name].append(rate)
                ratios[name].append(rate / bare_rate)
    finally:
        for server in servers:
            server.stop()
    return {
        "pages_per_second": {name: round(statistics.median(found), 1) for name, found in rates.items()},
        "ratio": {name: round(statistics.median(found), 3) for name, found in ratios.items()},
    }


def ready(page: tuple[int, str, str]) -> None:
    limit = time.monotonic() + 240
    while True:
        try:
            ask(http.client.HTTPConnection("127.0.0.1", page[0], timeout=200), page)
            return
        except OSError:
            if time.monotonic() > limit:
                raise
            time.sleep(0.2)


def ask(connection: http.client.HTTPConnection, page: tuple[int, str, str]) -> None:
    connection.request("GET", page[2], headers={"Cookie": f"sessionid={page[1]}", "Host": "localhost"})
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200, (page[2], answer.status)


def rate_of(page: tuple[int, str, str]) -> float:
    """Answers a second over CONNECTIONS kept connections for SECONDS."""
    counts, until = [0] * CONNECTIONS, time.monotonic() + SECONDS

    def run(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", page[0], timeout=60)
        while time.monotonic() < until:
            ask(connection, page)
            counts[number] += 1

    started = time.monotonic()
    threads = [threading.Thread(target=run, args=(number,)) for number in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.monotonic() - started)


if __name__ == "__main__":
    main()
