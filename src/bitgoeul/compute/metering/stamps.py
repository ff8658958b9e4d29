"""Times and durations as sacct writes them, in whole seconds. Pure."""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

UNKNOWN = frozenset({"", "unknown", "none", "n/a", "0"})
EARLIEST, LATEST = 631_152_000, 4_102_444_800  # 1990 and 2100
MINUTE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d", re.ASCII)
SECONDS = {f":{second:02d}": second for second in range(60)}
DURATION = re.compile(r"(?:(\d{1,6})-)?(?:(\d{1,6}):)?(\d{1,3}):(\d{2})(?:\.\d+)?", re.ASCII)


def moment(text: str, zone: ZoneInfo, fold: int = 0) -> int | None:
    """Seconds since 1970 in UTC of ``2016-12-22T07:15:12`` in ``zone``, or of ``%s`` (a number); None if unknown.

    A stamp of the hour that a clock change repeats is of the first pass with ``fold`` 0. Raises ValueError for no
    time, and for one outside 1990 to 2100.
    """
    second = SECONDS.get(text[16:])
    if second is not None and len(text) == 19:
        found = _minute(text[:16], zone, fold) + second
    elif text.lower() in UNKNOWN:
        return None
    elif text.isdecimal():
        found = int(text[:12])
    else:
        raise ValueError(f"no time: {text}")
    if not EARLIEST <= found < LATEST:
        raise ValueError(f"a time out of range: {text}")
    return found


@lru_cache(maxsize=65536)
def _minute(text: str, zone: ZoneInfo, fold: int) -> int:
    if not MINUTE.fullmatch(text):
        raise ValueError(f"no time: {text}")
    return int(datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).timestamp())


@lru_cache(maxsize=65536)
def duration(text: str) -> int:
    """Seconds of ``[days-]hours:minutes:seconds``, ``minutes:seconds`` or a plain count; raises ValueError."""
    text = text.strip()
    if text.isdecimal():
        return int(text[:12])
    found = DURATION.fullmatch(text)
    if found is None:
        raise ValueError(f"no duration: {text}")
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
