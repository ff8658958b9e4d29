"""Is the process alive, and can the installation serve: two answers for probes."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse

from .schema import schema
from .supervisor import beat_age

FREE_MIB_MIN = 100
SILENT_SECONDS_MAX = 60.0
KEPT_SECONDS = 1.0
LOOPS = ("worker", "follower")


def live(_request: HttpRequest) -> JsonResponse:
    """The process answers; asks nothing of anybody."""
    return JsonResponse({"status": "ok"})


def database() -> str:
    """The database answers."""
    try:
        connection.ensure_connection()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return "does not answer"
    return ""


def migrations() -> str:
    """The database has the form that this code expects."""
    try:
        return schema().fault
    except DatabaseError:
        return "cannot be read"


def loop(name: str) -> str:
    """Worker or follower came round lately."""
    age = beat_age(Path(settings.HOME), name)
    if age is None:
        return "has not been seen"
    return f"silent for {age:.0f} s" if age > SILENT_SECONDS_MAX else ""


def disk() -> str:
    """There is room where the installation writes."""
    free = shutil.disk_usage(settings.HOME).free // 2**20
    return f"{free} MiB free" if free < FREE_MIB_MIN else ""


def keys() -> str:
    """The centre's private key can be read, or is not made yet."""
    path = Path(settings.KEYS) / "centre.key"
    return "cannot be read" if path.exists() and not os.access(path, os.R_OK) else ""


CHECKS: Mapping[str, Callable[[], str]] = {
    "database": database,
    "migrations": migrations,
    **{name: partial(loop, name) for name in LOOPS},
    "disk": disk,
    "keys": keys,
}


def faults() -> dict[str, str]:
    """What is wrong by check; an empty text is good."""
    return {name: check() for name, check in CHECKS.items()}


class _Kept:
    """One answer a second, however often it is asked for: a probe that everybody may call must stay cheap."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.until = 0.0
        self.found: dict[str, str] = {}

    def get(self) -> dict[str, str]:
        with self.lock:
            if time.monotonic() >= self.until:
                self.found = faults()
                self.until = time.monotonic() + KEPT_SECONDS
            return self.found


KEPT = _Kept()


def ready(_request: HttpRequest) -> JsonResponse:
    """Every check by name with ``ok`` or what is wrong; 503 when one of them is."""
    found = KEPT.get()
    checks = {name: fault or "ok" for name, fault in found.items()}
    wrong = any(found.values())
    body = {"status": "not ready" if wrong else "ok", "checks": checks}
    return JsonResponse(body, status=503 if wrong else 200, headers={"Cache-Control": "no-store"})
