"""Structured logs: one JSON line an event on standard error, with the request's id and without secrets."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

TEXT_LENGTH_MAX = 16_000
HIDDEN = "[hidden]"
SECRET_NAME = re.compile(
    r"passw|secret|token|cookie|authorization|csrf|session|api_?key|private|credential|body$|^payload$|^post$",
    re.IGNORECASE,
)
# What must not be in a log wherever it stands: in a message, an argument or a traceback. Every repetition that
# can begin anywhere is bounded, or a long line would take its length squared to search.
PAIRS = "sessionid|csrftoken|messages|password|passwd|secret|token|code|state"
SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"bgt_[A-Za-z0-9_-]+"), HIDDEN),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]+"), rf"\1 {HIDDEN}"),
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]{0,20}://)[^\s/:@]{0,200}:[^\s/@]{1,200}@"), rf"\1{HIDDEN}@"),
    (re.compile(rf"(?i)((?:{PAIRS})=)[^\s;&\"']+"), rf"\1{HIDDEN}"),
    (re.compile(r"(/accounts/(?:confirm-email|password/reset/key)/)[^\s/\"']+"), rf"\1{HIDDEN}"),
    (re.compile(r"(/[^\s?\"']{0,300})\?[^\s\"']+"), rf"\1?{HIDDEN}"),
    (re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,255}"), "[e-mail]"),
)  # fmt: skip


def hide(text: str) -> str:
    """``text`` without tokens, passwords, cookies, query strings and e-mail addresses, and not too long."""
    cut = text[:TEXT_LENGTH_MAX]
    for pattern, instead in SECRETS:
        cut = pattern.sub(instead, cut)
    return cut if len(text) <= TEXT_LENGTH_MAX else cut + " …"


def _clean(name: str, value: Any) -> Any:
    if name == "route":  # a pattern of the code's own, which may look like an address with a query
        return value
    if SECRET_NAME.search(name):
        return HIDDEN
    if isinstance(value, Mapping):
        return {str(key): _clean(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean("", item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return hide(str(value))


def hide_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The last processor before the line is written: nothing gets round it, tracebacks included."""
    return {name: _clean(name, value) for name, value in event.items() if not name.startswith("_")}


def _request_id(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    # The web server logs before the rooms are loaded; loading one here would load it too early.
    audit = sys.modules.get("bitgoeul.audit.request")
    if audit is not None and (request_id := audit.request_id()):
        event.setdefault("request_id", request_id)
    return event


# A request in an ``extra`` would be written with all its headers.
UNWANTED = frozenset({"request", "server_time"})


def _without_objects(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {name: value for name, value in event.items() if name not in UNWANTED}


SHARED: list[Any] = [
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    _request_id,
    _without_objects,
]


def config(level: str = "INFO") -> dict[str, Any]:
    """The logging configuration of every process: web, worker, follower, command line."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.format_exc_info,
                    hide_secrets,
                    structlog.processors.JSONRenderer(ensure_ascii=False, sort_keys=True),
                ],
                "foreign_pre_chain": SHARED,
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Our own line says that a request was refused; a fault keeps its traceback.
            "django": {"handlers": [], "propagate": True, "level": level},
            "django.request": {"level": "ERROR"},
            "django.security": {"level": "WARNING"},
            "django.server": {"handlers": [], "propagate": True},
            "gunicorn.error": {"handlers": [], "propagate": True, "level": "WARNING"},
            # Both tell whole addresses, and SQL its parameters.
            "django.db.backends": {"level": "WARNING"},
            "httpx": {"level": "WARNING"},
        },
    }
