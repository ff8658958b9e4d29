"""Limits on what is sent, held while it arrives: by file, by request, and by time."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Protocol

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler

READ_MAX = 2**16
GRACE_SECONDS = 30.0
BYTES_A_SECOND_MIN = 16 * 1024


class LimitedUpload(FileUploadHandler):
    """The first upload handler: refuses a file or a request that is too large before it is kept anywhere."""

    def handle_raw_input(
        self, input_data: Any, META: Mapping[str, Any], content_length: int, boundary: Any, encoding: Any = None
    ) -> None:
        """Refuse by the length that was announced; nothing of it has been read."""
        if content_length > settings.UPLOAD_TOTAL_BYTES:
            raise RequestDataTooBig("The request is larger than everything that may be sent at once.")

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """Count each file from nothing."""
        super().new_file(*args, **kwargs)
        self.received = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        """Pass a piece on, or stop at the first one beyond the limit."""
        self.received += len(raw_data)
        if self.received > settings.UPLOAD_LIMIT_BYTES:
            raise RequestDataTooBig("A file is larger than the limit.")
        return raw_data

    def file_complete(self, file_size: int) -> None:
        """The next handler keeps it."""


class Body(Protocol):
    """A request's body as the server gives it."""

    def read(self, size: int = ...) -> bytes:
        """Up to ``size`` bytes."""

    def readline(self, size: int = ...) -> bytes:
        """One line."""


class InTime:
    """A body that must arrive: so many seconds, and one more for each 16 KiB that did.

    A thread waits for each request that is being read; a visitor who sends a byte now and then must not keep one.
    """

    def __init__(self, body: Body) -> None:
        self.body, self.received, self.began = body, 0, time.monotonic()

    def _took(self, data: bytes) -> bytes:
        self.received += len(data)
        if time.monotonic() - self.began > GRACE_SECONDS + self.received / BYTES_A_SECOND_MIN:
            raise TimeoutError("the request arrives too slowly")
        return data

    def read(self, size: int = -1) -> bytes:
        """Up to ``size`` bytes, in pieces small enough to look at the time between them."""
        whole = bytearray()
        while size < 0 or len(whole) < size:
            piece = self._took(self.body.read(READ_MAX if size < 0 else min(READ_MAX, size - len(whole))))
            if not piece:
                break
            whole += piece
        return bytes(whole)

    def readline(self, size: int = -1) -> bytes:
        """One line."""
        return self._took(self.body.readline(size))


def in_time(application: Any) -> Any:
    """A WSGI application whose requests arrive in time; a read that hears nothing for GRACE_SECONDS ends."""

    def answer(environ: dict[str, Any], start_response: Any) -> Any:
        connection = environ.get("gunicorn.socket")
        if connection is not None:
            connection.settimeout(GRACE_SECONDS)
        environ["wsgi.input"] = InTime(environ["wsgi.input"])
        return application(environ, start_response)

    return answer
