"""How the portal writes amounts, times and digests for people; stored values stay exact elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext, ngettext

from bitgoeul.kernel.clock import SEOUL
from bitgoeul.kernel.quantity import divide_half_up
from bitgoeul.kernel.text import N_

DIGEST_HEAD = 12
WEEKDAYS = (N_("Mon"), N_("Tue"), N_("Wed"), N_("Thu"), N_("Fri"), N_("Sat"), N_("Sun"))


@dataclass(frozen=True)
class Step:
    """One size of a unit: ``scale`` ledger amounts make one, ``words`` is the msgid with ``{amount}``."""

    scale: int
    words: str


def _time(seconds: str, hours: str) -> tuple[Step, ...]:
    return (Step(3_600_000, hours), Step(1_000, seconds))


# Largest first; the first step that the amount fills is used, the last one for anything smaller.
STEPS: dict[str, tuple[Step, ...]] = {
    "core_ms": _time(N_("{amount} core·s"), N_("{amount} core·h")),
    "target_ms": _time(N_("{amount} target·s"), N_("{amount} target·h")),
    "gpu_h100_ms": _time(N_("{amount} H100·s"), N_("{amount} H100·h")),
    "npu_atom_ms": _time(N_("{amount} ATOM·s"), N_("{amount} ATOM·h")),
    "npu_rngd_ms": _time(N_("{amount} RNGD·s"), N_("{amount} RNGD·h")),
    "mib_hour": (Step(1024, N_("{amount} GiB·h")), Step(1, N_("{amount} MiB·h"))),
    "bench_minute": (Step(60, N_("{amount} bench hours")), Step(1, N_("{amount} bench minutes"))),
    "site_day": (Step(1, N_("{amount} site days")),),
    "desk_day": (Step(1, N_("{amount} desk days")),),
    "advice_minute": (Step(60, N_("{amount} hours of advice")), Step(1, N_("{amount} minutes of advice"))),
    "seat": (Step(1, N_("{amount} seats")),),
    "krw": (Step(1, N_("KRW {amount}")),),
}


def decimal(amount: int, scale: int, places: int) -> str:
    """``amount / scale`` with at most ``places`` decimals, rounded half up, thousands separated.

    Whole numbers throughout: 12345 at scale 1000 with one place is ``12.3``; trailing zeros are dropped.
    """
    sign, size = ("−", -amount) if amount < 0 else ("", amount)
    whole, rest = divmod(divide_half_up(size * 10**places, scale), 10**places)
    fraction = f"{rest:0{places}d}".rstrip("0") if places and rest else ""
    return f"{sign}{whole:,}{'.' + fraction if fraction else ''}"


def step_of(amount: int, unit: str) -> Step:
    """The largest size of a unit that has sizes which the amount fills, or its smallest."""
    steps = STEPS[unit]
    return next((step for step in steps if abs(amount) >= step.scale), steps[-1])


def human_amount(amount: int, unit: str) -> str:
    """An amount of ``unit`` in the largest size it fills, in the reader's language: ``12.3 core·s``."""
    steps = STEPS.get(unit)
    if steps is None:
        return f"{amount:,} {unit}"
    step = step_of(amount, unit)
    size = abs(amount) // step.scale
    places = 0 if step.scale == 1 else 3 if size < 10 and step.scale > 1_000 else 1 if size < 1_000 else 0
    return gettext(step.words).format(amount=decimal(amount, step.scale, places))


def kst(moment: datetime | None) -> str:
    """A time as ``2026-11-22 (일) 14:03`` in Seoul; an en dash for no time."""
    if moment is None:
        return "–"
    local = moment.astimezone(SEOUL)
    return f"{kst_date(local)} {local:%H:%M}"


def kst_date(moment: datetime | None) -> str:
    """A day as ``2026-11-22 (일)`` in Seoul; plain dates are taken as they are."""
    if moment is None:
        return "–"
    local = moment.astimezone(SEOUL) if isinstance(moment, datetime) else moment
    return f"{local:%Y-%m-%d} ({gettext(WEEKDAYS[local.weekday()])})"


def krw(amount: int | None) -> str:
    """Won without decimals, thousands separated; an en dash for no value."""
    return "–" if amount is None else gettext("KRW {amount}").format(amount=f"{amount:,}")


def duration(seconds: int | None) -> str:
    """A span of whole seconds in its two largest parts: ``2 h 5 min``; an en dash for no value."""
    if seconds is None:
        return "–"
    if seconds == 0:
        return gettext("under 1 s")
    days, rest = divmod(max(0, seconds), 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, left = divmod(rest, 60)
    parts = [
        (days, gettext("{n} d")),
        (hours, gettext("{n} h")),
        (minutes, gettext("{n} min")),
        (left, gettext("{n} s")),
    ]
    shown = [words.format(n=number) for number, words in parts if number][:2]
    return " ".join(shown)


def working_days(days: int | None) -> str:
    """``5 working days left``, ``closes today`` or ``closed``."""
    if days is None:
        return gettext("no closing date")
    if days < 0:
        return gettext("closed")
    if days == 0:
        return gettext("closes today")
    return ngettext("{n} working day left", "{n} working days left", days).format(n=days)


def days_left(days: int) -> str:
    """``due in 3 days``, ``due today`` or ``2 days late``."""
    if days < 0:
        return ngettext("{n} day late", "{n} days late", -days).format(n=-days)
    if days == 0:
        return gettext("due today")
    return ngettext("due in {n} day", "due in {n} days", days).format(n=days)


def digest_short(digest: str) -> str:
    """The head of a digest, enough to tell it apart by eye."""
    head = digest.removeprefix("sha256:")
    return f"{head[:DIGEST_HEAD]}…" if len(head) > DIGEST_HEAD else head
