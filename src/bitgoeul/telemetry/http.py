"""One HTTP request that ends by a deadline, whatever the other side does, and is bounded in size."""

from __future__ import annotations

import base64
import http.client
import io
import socket
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .reading import READ_SECONDS, Cause, Failed
from .source import Source

BYTES_MAX = 1024 * 1024
SECRET_MAX = 4_096
PIECE = 65_536


@dataclass(frozen=True)
class Answer:
    """A whole body of an answer with status 200."""

    body: bytes


def fetch(source: Source, path: str = "", *, deadline: float | None = None, bytes_max: int = BYTES_MAX) -> Answer:
    """GET the source's address, or another path there, until ``deadline`` of the monotonic clock.

    Redirects are not followed and proxies not asked. Raises Failed. Only the look-up of a host's name is not
    bounded by us: name machines by their number where that matters.
    """
    until = time.monotonic() + READ_SECONDS if deadline is None else deadline
    parts = urlsplit(source.url)
    target = path or f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    headers = {"Accept-Encoding": "identity", "Connection": "close", **_authorization(source)}
    connection = _Connection(source, until)
    try:
        connection.request("GET", target, headers=headers)
        answer = connection.getresponse()
        if answer.status in (401, 403):
            raise Failed(Cause.NOT_ALLOWED, f"HTTP {answer.status}")
        if answer.status != 200:
            raise Failed(Cause.REFUSED, f"HTTP {answer.status}")
        return Answer(_body(answer, bytes_max))
    except TimeoutError as error:
        raise Failed(Cause.TOO_SLOW) from error
    except ssl.SSLCertVerificationError as error:
        raise Failed(Cause.UNTRUSTED, error.verify_message) from error
    except http.client.IncompleteRead as error:
        raise Failed(Cause.CUT_OFF, f"after {len(error.partial)} bytes") from error
    except http.client.RemoteDisconnected as error:
        raise Failed(Cause.CUT_OFF, "before it began") from error
    except (http.client.HTTPException, ValueError) as error:
        raise Failed(Cause.MALFORMED, f"no HTTP: {type(error).__name__}") from error
    except OSError as error:
        raise Failed(Cause.UNREACHABLE, error.strerror or str(error)) from error
    finally:
        connection.close()
        connection.hang_up()


def _body(answer: http.client.HTTPResponse, bytes_max: int) -> bytes:
    told = answer.length
    if told is not None and told > bytes_max:
        raise Failed(Cause.TOO_LARGE, f"{told} bytes")
    pieces: list[bytes] = []
    size = 0
    while piece := answer.read(PIECE):
        pieces.append(piece)
        size += len(piece)
        if size > bytes_max:
            raise Failed(Cause.TOO_LARGE, f"more than {bytes_max} bytes")
    if told is not None and size < told:
        raise Failed(Cause.CUT_OFF, f"after {size} of {told} bytes")
    return b"".join(pieces)


def _authorization(source: Source) -> dict[str, str]:
    if not source.credentials_file:
        return {}
    try:
        with Path(source.credentials_file).open("rb") as file:
            line = file.read(SECRET_MAX).decode("latin-1").splitlines()[0].strip()
    except (OSError, IndexError) as error:
        raise Failed(Cause.NOT_ALLOWED, "the credentials file cannot be read") from error
    if line.startswith("Bearer "):
        return {"Authorization": line}
    return {"Authorization": "Basic " + base64.b64encode(line.encode("latin-1")).decode()}


class _Connection(http.client.HTTPConnection):
    """A connection each of whose steps waits only until the deadline: a slow other side cannot add up waits."""

    def __init__(self, source: Source, deadline: float) -> None:
        parts = urlsplit(source.url)
        self.secure = parts.scheme == "https"
        super().__init__(parts.hostname or "", parts.port or (443 if self.secure else 80))
        self.deadline, self.ca_file = deadline, source.ca_file
        self._open: socket.socket | None = None

    def connect(self) -> None:
        """Connect, and shake hands where the address is https; raises OSError and Failed."""
        context = _context(self.ca_file) if self.secure else None
        self._open = _connected(self.host, self.port, self.deadline)
        if context is not None:
            self._open.settimeout(left(self.deadline))
            self._open = context.wrap_socket(self._open, server_hostname=self.host)
        self.sock: Any = _Bounded(self._open, self.deadline)

    def hang_up(self) -> None:
        """Close the socket itself; http.client closes what it has before the answer is read."""
        if self._open is not None:
            self._open.close()


def _context(ca_file: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except OSError as error:  # a setting is wrong, whether anybody answers or not
        raise Failed(Cause.UNTRUSTED, f"the ca_file cannot be read: {error.strerror or error}") from error


def _opened(fresh: socket.socket, address: Any, seconds: float) -> socket.socket:
    try:
        fresh.settimeout(seconds)
        fresh.connect(address)
    except OSError:
        fresh.close()
        raise
    return fresh


def _connected(host: str, port: int, deadline: float) -> socket.socket:
    """A socket to the first of a host's addresses that answers, each with its share of the time that is left."""
    refused: OSError = TimeoutError()
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for place, (family, kind, protocol, _name, address) in enumerate(addresses):
        try:
            return _opened(
                socket.socket(family, kind, protocol), address, left(deadline) / (len(addresses) - place)
            )
        except OSError as error:
            refused = error
    raise refused


class _Bounded:
    """The few methods of a socket that http.client needs, each bounded by one deadline."""

    def __init__(self, wrapped: socket.socket, deadline: float) -> None:
        self.wrapped, self.deadline = wrapped, deadline

    def sendall(self, data: bytes) -> None:
        """Send; raises TimeoutError."""
        self.wrapped.settimeout(left(self.deadline))
        self.wrapped.sendall(data)

    def makefile(self, *_mode: object) -> io.BufferedReader:
        """A file to read the answer from."""
        return io.BufferedReader(_Raw(self.wrapped, self.deadline))

    def close(self) -> None:
        """The socket is closed when the answer was read."""


class _Raw(io.RawIOBase):
    def __init__(self, wrapped: socket.socket, deadline: float) -> None:
        self.wrapped, self.deadline = wrapped, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.wrapped.settimeout(left(self.deadline))
        return self.wrapped.recv_into(buffer)


def left(deadline: float) -> float:
    """Seconds until the deadline; raises TimeoutError when it has passed."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds
