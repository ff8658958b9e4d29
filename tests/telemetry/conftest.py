"""A real HTTP server on loopback that answers as a test tells it to."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

Handler = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Loopback:
    """``pages`` maps a path to a body or to what writes the answer itself; ``seen`` has each request's headers."""

    url: str
    pages: dict[str, bytes | Handler] = field(default_factory=dict)
    seen: list[tuple[str, str | None]] = field(default_factory=list)


def serve(server: ThreadingHTTPServer, there: Loopback) -> threading.Thread:
    class Answering(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            there.seen.append((self.path, self.headers.get("Authorization")))
            page = there.pages.get(self.path)
            if callable(page):
                page(self)
                return
            self.send_response(404 if page is None else 200)
            self.send_header("Content-Length", str(len(page or b"")))
            self.end_headers()
            self.wfile.write(page or b"")

        def log_message(self, *_told):
            pass

    server.RequestHandlerClass = Answering
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    return thread


@pytest.fixture
def loopback():
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.daemon_threads = True
    there = Loopback(f"http://127.0.0.1:{server.server_address[1]}")
    thread = serve(server, there)
    yield there
    server.shutdown()
    server.server_close()
    thread.join(5)
