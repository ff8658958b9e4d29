"""What a reader answers: samples, or why there are none and what to do about it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from bitgoeul.kernel.text import N_

from .samples import Sample

# A reader that is asked while a job runs must not hold anything up.
READ_SECONDS = 0.5
DEVICES_MAX = 4_096
TEXT_MAX = 200


class Cause(StrEnum):
    """Why a reader has nothing; each differs from its neighbour in who has to do something."""

    NOT_INSTALLED = "not_installed"
    NO_DRIVER = "no_driver"
    NO_DEVICE = "no_device"
    NOT_ALLOWED = "not_allowed"
    UNREACHABLE = "unreachable"
    UNTRUSTED = "untrusted"
    REFUSED = "refused"
    TOO_SLOW = "too_slow"
    TOO_LARGE = "too_large"
    CUT_OFF = "cut_off"
    MALFORMED = "malformed"
    NOTHING_KNOWN = "nothing_known"
    BROKEN = "broken"


CAUSE_TEXTS: Mapping[Cause, str] = {
    Cause.NOT_INSTALLED: N_("The library for it is not installed."),
    Cause.NO_DRIVER: N_("No driver of such devices answers here."),
    Cause.NO_DEVICE: N_("There is no such device here."),
    Cause.NOT_ALLOWED: N_("This user may not read it."),
    Cause.UNREACHABLE: N_("Nothing answers at its address."),
    Cause.UNTRUSTED: N_("Its certificate is not trusted."),
    Cause.REFUSED: N_("It refused the request."),
    Cause.TOO_SLOW: N_("It did not answer in time."),
    Cause.TOO_LARGE: N_("Its answer is too large."),
    Cause.CUT_OFF: N_("Its answer was cut off."),
    Cause.MALFORMED: N_("Its answer cannot be understood."),
    Cause.NOTHING_KNOWN: N_("Its answer has no figures of a device that are known here."),
    Cause.BROKEN: N_("Reading failed in a way that was not foreseen."),
}
REMEDY_TEXTS: Mapping[Cause, str] = {
    Cause.NOT_INSTALLED: N_("Install it in the environment that bitgoeul runs in."),
    Cause.NO_DRIVER: N_("Install the vendor's driver on this machine, or read where the devices are."),
    Cause.NO_DEVICE: N_("Read on the machine that has them."),
    Cause.NOT_ALLOWED: N_("Let this user read it, for example by a group and a udev rule."),
    Cause.UNREACHABLE: N_("Start the exporter there, or correct the address."),
    Cause.UNTRUSTED: N_("Name the authority that signed it as ca_file."),
    Cause.REFUSED: N_("Correct the address or the credentials file."),
    Cause.TOO_SLOW: N_("Read a nearer exporter, or let it collect less."),
    Cause.TOO_LARGE: N_("Read one machine's exporter and not a collection of many."),
    Cause.CUT_OFF: N_("Look at the exporter's own log."),
    Cause.MALFORMED: N_("See that the address is that of metrics or of a Redfish service."),
    Cause.NOTHING_KNOWN: N_("Describe the exporter's names in a data file, see docs/reference/telemetry.md."),
    Cause.BROKEN: N_("Report it with the detail."),
}


class Failed(Exception):
    """A reader could not read; it never leaves the reader."""

    def __init__(self, cause: Cause, detail: str = "") -> None:
        super().__init__(f"{cause}: {detail}")
        self.cause, self.detail = cause, plain(detail)


@dataclass(frozen=True)
class Reading:
    """One answer of a reader at ``at_ms`` of this machine's monotonic clock; either samples or a cause."""

    reader: str
    at_ms: int
    samples: tuple[Sample, ...] = ()
    cause: Cause | None = None
    detail: str = ""

    @property
    def why(self) -> str:
        """In English, why there is nothing; empty where there is something."""
        if self.cause is None:
            return ""
        said = CAUSE_TEXTS[self.cause]
        return f"{said} ({self.detail})" if self.detail else said

    @property
    def remedy(self) -> str:
        """In English, what to do about it."""
        return "" if self.cause is None else REMEDY_TEXTS[self.cause]


class Reader(Protocol):
    """Something that measures devices.

    ``read`` returns within its time limit as far as the system lets it, and never raises: what went wrong is the
    reading's ``cause``. It may be called from any thread, by one at a time.
    """

    name: str

    def read(self) -> Reading:
        """Every device that can be read now."""
        ...


def reading(name: str, read: Callable[[], list[Sample]]) -> Reading:
    """What ``read`` found or why it failed; whatever a stranger's library raises ends here."""
    began = time.monotonic()
    samples: list[Sample] = []
    failed: Failed | None = None
    try:
        samples = read()
        if not samples:
            failed = Failed(Cause.NO_DEVICE)
        elif len(samples) > DEVICES_MAX:
            failed = Failed(Cause.TOO_LARGE, f"{len(samples)} devices")
    except Failed as error:
        failed = error
    except Exception as error:  # noqa: BLE001  (vendors' libraries raise anything; the caller's loop must go on)
        failed = Failed(Cause.BROKEN, f"{type(error).__name__}: {error}")
    at_ms = round((began + time.monotonic()) * 500)  # its middle: when the figures were true
    if failed is not None:
        return Reading(name, at_ms, cause=failed.cause, detail=failed.detail)
    return Reading(name, at_ms, tuple(samples))


def plain(text: str) -> str:
    """A stranger's text as one short printable line."""
    return "".join(each if each.isprintable() else " " for each in text[:TEXT_MAX]).strip()


def half_up(value: float) -> int:
    """The nearest whole number, halves upward."""
    return int(value + 0.5) if value >= 0 else -int(-value + 0.5)
