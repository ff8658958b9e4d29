"""The one clock: aware UTC times and their RFC 3339 form."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

# Days, months and deadlines are those of the city.
SEOUL = ZoneInfo("Asia/Seoul")


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)  # noqa: TID251  (the one place)


def rfc3339(moment: datetime) -> str:
    """``2026-11-22T05:03:01.123456Z``; a naive time raises ValueError, for it names no moment."""
    if moment.tzinfo is None:
        raise ValueError("a time without a zone cannot be written")
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse_rfc3339(text: str) -> datetime:
    """Read an RFC 3339 time; raises ValueError when it has no zone."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"a time without a zone: {text}")
    return moment.astimezone(UTC)
