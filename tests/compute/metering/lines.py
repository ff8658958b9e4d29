"""Lines of sacct with a header, made by name: ``export(line(start="…"))``."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from bitgoeul.compute.metering import Borders, Reader, Tally

NAMES = (
    *("JobID", "JobIDRaw", "Cluster", "Account", "User", "Submit", "Start", "End", "Elapsed", "Suspended"),
    *("State", "ReqTRES", "AllocTRES", "NodeList", "Comment", "JobName"),
)
USUAL = {
    "JobID": "7",
    "Cluster": "moa",
    "Account": "bg-2026-0001",
    "User": "ara",
    "Submit": "2026-11-25T08:00:00",
    "Start": "2026-11-25T09:00:00",
    "End": "2026-11-25T10:00:00",
    "Elapsed": "01:00:00",
    "State": "COMPLETED",
    "AllocTRES": "billing=2,cpu=2,mem=4G,node=1",
    "NodeList": "n1",
    "JobName": "train",
}
HOUR = 3_600_000  # thousandths of a second


def line(**changes: str) -> str:
    cells = {**USUAL, **changes}
    cells.setdefault("JobIDRaw", cells["JobID"])
    return "|".join(cells.get(name, "") for name in NAMES)


def export(*lines: str) -> list[str]:
    return ["|".join(NAMES), *lines]


def read(*lines: str, zone: str = "UTC", header: bool = True):
    """The records of these lines and the reader that read them."""
    reader = Reader(cluster="moa", source_zone=ZoneInfo(zone))
    return list(reader.records(export(*lines) if header else lines)), reader


def one(**changes: str):
    """The record of one line."""
    (record,), _reader = read(line(**changes))
    return record


def sums(records, *, zone: str = "UTC", kind: str = "day") -> dict[tuple[str, str], int]:
    """Every figure that is not zero, by metric and period."""
    tally = Tally(Borders(ZoneInfo(zone), kind))
    for record in records:
        tally.add(record)
    return {(figure.metric, figure.period): figure.value for figure in tally.figures() if figure.value}
