"""Processor time of pages in one process without a server, for ``bench/list_pages.py --processor``.

    python bench/bare/processor.py APPLICATION ROUNDS   (session and addresses as JSON on standard input)

By name the smallest and the median milliseconds of ``time.thread_time`` over ROUNDS answers, as one JSON line.
What else runs on the machine makes it wait, but hardly counts.
"""

from __future__ import annotations

import io
import json
import statistics
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any


def main() -> None:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    application, rounds = import_module(sys.argv[1]).application, int(sys.argv[2])
    asked = json.load(sys.stdin)
    session = asked.pop("session")
    found = {}
    for name, path in asked.items():
        for _warm in range(3):
            spent(application, session, path)
        times = sorted(spent(application, session, path) for _round in range(rounds))
        found[name] = {"least_ms": round(times[0], 2), "median_ms": round(statistics.median(times), 2)}
    print(json.dumps(found))


def spent(application: Any, session: str, address: str) -> float:
    """Milliseconds of processor for one answer, which must be 200."""
    path, _, query = address.partition("?")
    request = {
        "REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": query, "SCRIPT_NAME": "",
        "SERVER_NAME": "localhost", "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_HOST": "localhost", "REMOTE_ADDR": "127.0.0.1",
        "HTTP_COOKIE": f"sessionid={session}", "wsgi.input": io.BytesIO(), "wsgi.errors": io.StringIO(),
        "wsgi.url_scheme": "http", "wsgi.version": (1, 0), "wsgi.multithread": True, "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }  # fmt: skip
    said: list[str] = []
    started = time.thread_time()
    answer = application(request, lambda status, headers, error=None: said.append(status))
    body = b"".join(answer)
    answer.close()
    took = (time.thread_time() - started) * 1_000
    assert said[0].startswith("200"), (address, said)
    assert body
    return took


if __name__ == "__main__":
    main()
