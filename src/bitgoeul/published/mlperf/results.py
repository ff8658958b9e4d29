"""A submission tree as rows: what was claimed, of whom, and what is remarkable about it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

from . import accuracy
from .agreement import derived, differences, inconsistencies, logged, not_logged
from .flags import Flag
from .logs import Detail, Summary, known, read_detail, read_summary
from .power import Power, read_power

SUMMARY, DETAIL, METER = "mlperf_log_summary.txt", "mlperf_log_detail.txt", "spl.txt"
SUMMARY_BYTES_MAX = 2**20
TEXT_BYTES_MAX = 4 * 2**20
DETAIL_BYTES_MAX = 2**28
ROUND = re.compile(r"v\d+\.\d+")
RUN = re.compile(r"run_\d+")
ACCELERATORS_MAX = 10**9
WORD_MAX = 160
# By scenario of the log: the labels that may be the headline, the newest wording last, what it is, and its unit.
HEADLINES = {
    "Offline": (("Samples per second",), "samples_per_second", "samples/s"),
    "Server": (("Scheduled samples per second",), "scheduled_samples_per_second", "samples/s"),
    "SingleStream": (("90th percentile latency (ns)",), "p90_latency_ns", "ns"),
    "MultiStream": (("99th percentile latency (ns)",), "p99_query_latency_ns", "ns"),
}
SAMPLES_A_MULTISTREAM_QUERY = 8


NOT_IN_A_ROW = (
    "power", "path", "accelerator", "system_type", "status", "logged_value", "derived_value", "log_digest",
)  # fmt: skip


@dataclass(frozen=True)
class Result:
    """One published result, third-party: never measured here, never a stage or a rank.

    ``benchmark`` and ``scenario`` as the folder names them, ``value`` as logged in ``unit`` (``ns`` or
    ``samples/s``); ``inferred_value`` is what the rules infer for the folder's scenario from the log of another.
    ``accelerators`` counts all nodes; None where no description says it. ``accelerator``, ``system_type`` and
    ``status`` are the description's own words, ``logged_value`` is the headline as the detail log has it,
    ``derived_value`` the same from other numbers of that log, and ``log_digest`` that log's SHA-256.
    """

    round: str
    division: str
    submitter: str
    system: str
    accelerators: int | None
    benchmark: str
    scenario: str
    log_scenario: str
    inferred: bool
    result: str
    metric: str
    value: float | None
    unit: str
    inferred_value: float | None
    errors: int
    accuracy: str
    flags: tuple[Flag, ...]
    power: Power | None = None
    path: str = ""
    accelerator: str = ""
    system_type: str = ""
    status: str = ""
    logged_value: float | None = None
    derived_value: float | None = None
    log_digest: str = ""

    def __str__(self) -> str:
        """A line for people."""
        value = "?" if self.value is None else f"{self.value:,.10g} {self.unit}"
        also = f", inferred {self.inferred_value:,.10g}" if self.inferred_value is not None else ""
        power = f", {self.power.watts:.2f} W at the wall" if self.power else ""
        remarks = f"  [{', '.join(self.flags)}]" if self.flags else ""
        of = f"{self.round} {self.division} {self.submitter} {self.system} × {self.accelerators or '?'}"
        said = f"{value}{also}{power}, {self.result}, {self.accuracy or '?'}"
        return f"{of}  {self.benchmark} {self.scenario}: {said}{remarks}"

    def to_json(self) -> dict[str, Any]:
        """A row as the command prints it."""
        row = asdict(self) | {"flags": [str(each) for each in self.flags]}
        return {name: row[name] for name in ROW}

    def stored(self) -> dict[str, Any]:
        """Every field but the path, which is the reading machine's; ``from_stored`` gives the result back."""
        row = asdict(self) | {"flags": [str(each) for each in self.flags]}
        del row["path"]
        return row

    @classmethod
    def from_stored(cls, row: Mapping[str, Any]) -> Result:
        """A result that was kept."""
        power = Power(**row["power"]) if row["power"] else None
        return cls(**{**row, "flags": tuple(map(Flag, row["flags"])), "power": power})


# The fields of a row, in their order.
ROW = tuple(each.name for each in fields(Result) if each.name not in NOT_IN_A_ROW)
# Remarks that somebody has to look at before the result is believed.
FINDINGS = frozenset(
    {
        Flag.DISAGREES, Flag.NOT_IN_LOG, Flag.DOES_NOT_ADD_UP, Flag.ACCURACY, Flag.INVALID, Flag.ERRORS,
        Flag.WRONG_SCENARIO, Flag.NOT_PERFORMANCE, Flag.NO_POWER, Flag.NO_LOG, Flag.UNREADABLE_LOG,
        Flag.UNREADABLE,
    }
)  # fmt: skip


class NoResults(ValueError):
    """There is no performance run below the path."""


def read_tree(path: Path) -> Iterator[Result]:
    """Every performance run at or below ``path``, any level of a submission tree, in the order of the folders.

    No link is followed, to a folder or to a file; rehearsals and compliance runs are no results. Raises NoResults,
    and OSError for a path that cannot be read.
    """
    seen: set[str] = set()
    runs = 0
    for run in _runs(path.resolve(strict=True)):
        runs += 1
        result, log = _read(run)
        # An inferred result shares the log that it is inferred from.
        again = log in seen and not result.inferred
        if log and not result.inferred:
            seen.add(log)
        yield replace(result, flags=(*result.flags, Flag.DUPLICATE)) if again else result
    if not runs:
        raise NoResults(str(path))


def _runs(path: Path) -> Iterator[Path]:
    if path.is_file():
        path = path.parent
    if _is_run(path):
        yield path
        return
    for child in sorted(path.iterdir()):
        if child.is_dir() and not child.is_symlink() and child.name not in ("compliance", "ranging", "power"):
            yield from _runs(child)


def _is_run(path: Path) -> bool:
    where = path.parts
    return (
        RUN.fullmatch(path.name) is not None
        and path.parent.name == "performance"
        and "compliance" not in where
        and _is_plain(path / SUMMARY)
    )


@dataclass(frozen=True)
class _Place:
    """Where a run stands in its tree."""

    round: str
    division: str
    submitter: str
    system: str
    benchmark: str
    scenario: str
    root: Path  # of the submitter


def _place(run: Path) -> _Place:
    """By the folders: …/vN.N/DIVISION/SUBMITTER/results/SYSTEM/BENCHMARK/SCENARIO/performance/run_1."""
    names = [
        _printable(parent.name) for parent in run.parents
    ]  # performance, scenario, benchmark, system, results, …
    names += [""] * (8 - len(names))
    round_ = next((name for name in names if ROUND.fullmatch(name)), "")
    root = run.parents[5] if len(run.parents) > 5 else run
    return _Place(round_, names[6], names[5], names[3], names[2], names[1], root)


def _read(run: Path) -> tuple[Result, str]:
    """The result of a run, and the digest of its detail log."""
    place = _place(run)
    summary = read_summary(_text(run / SUMMARY, SUMMARY_BYTES_MAX))
    detail, log, flags = _detail(run / DETAIL)
    ran = summary.fields.get("Scenario", "")
    labels, metric, unit = HEADLINES.get(ran, ((), "", ""))
    value = next((found for label in labels if (found := summary.number(label)) is not None), None)
    inferred_value = _inferred(place.scenario, ran, summary, detail)
    system = _system(place.root / "systems" / f"{run.parents[3].name if len(run.parents) > 3 else ''}.json")
    said_accuracy, remarks = _accuracy(run.parents[1] / "accuracy" / "accuracy.txt")
    flags += _judged(summary, detail, value)
    if detail is not None and any(not_logged(labels, detail)):
        flags.append(Flag.NOT_IN_LOG)
    flags += _of_place(place, ran, inferred_value, system)
    flags += remarks
    power = _power(run, detail)
    if power is not None:
        flags.append(Flag.POWER)
    elif _is_plain(run / METER):
        flags.append(Flag.NO_POWER)
    errors = max(summary.errors, detail.errors if detail else 0)
    said = summary.fields.get("Result is", "")
    accelerators = _accelerators(system)
    return Result(
        place.round, place.division, place.submitter, place.system, accelerators, place.benchmark, place.scenario,
        ran, ran != place.scenario and inferred_value is not None, said, metric, value, unit, inferred_value,
        errors, said_accuracy, tuple(flags), power, str(run), _word(system, "accelerator_model_name"),
        _word(system, "system_type"), _word(system, "status"), logged(labels, detail), derived(detail), log,
    ), log  # fmt: skip


def _text(path: Path, bytes_max: int) -> str:
    with path.open("rb") as file:
        return file.read(bytes_max).decode("utf-8", "replace")


def _detail(path: Path) -> tuple[Detail | None, str, list[Flag]]:
    """A run's detail log with its digest, or the remark why there is none."""
    if not _is_plain(path):
        return None, "", [Flag.NO_LOG]
    if path.stat().st_size > DETAIL_BYTES_MAX:
        return None, "", [Flag.UNREADABLE_LOG]
    digest = sha256()

    def lines(file: BinaryIO) -> Iterator[str]:
        for line in file:
            digest.update(line)
            yield line.decode("utf-8", "replace")

    with path.open("rb") as file:
        detail = read_detail(lines(file))
    return (detail, digest.hexdigest(), []) if detail.lines else (None, "", [Flag.UNREADABLE_LOG])


def _judged(summary: Summary, detail: Detail | None, value: float | None) -> list[Flag]:
    """What the logs themselves say against the result."""
    flags = []
    if value is None:
        flags.append(Flag.UNREADABLE)
    if detail is not None and any(differences(summary, detail)):
        flags.append(Flag.DISAGREES)
    if detail is not None and any(inconsistencies(detail)):
        flags.append(Flag.DOES_NOT_ADD_UP)
    said = {
        summary.fields.get("Result is", ""),
        str(detail.values.get("result_validity", "VALID")) if detail else "VALID",
    }
    if said != {"VALID"}:
        flags.append(Flag.INVALID)
    elif summary.errors or (detail is not None and detail.errors):
        flags.append(Flag.ERRORS)
    if summary.fields.get("Mode") != "PerformanceOnly":
        flags.append(Flag.NOT_PERFORMANCE)
    return flags


def _of_place(place: _Place, logged: str, inferred: float | None, system: Mapping[str, Any]) -> list[Flag]:
    """What division, folder and system say about it."""
    flags = []
    if logged != place.scenario:
        flags.append(Flag.WRONG_SCENARIO if inferred is None else Flag.INFERRED)
    if place.division == "open":
        flags.append(Flag.OPEN)
    if not system:
        flags.append(Flag.NO_SYSTEM)
    status = str(system.get("status", "")).strip().lower()
    flags += [flag for flag in (Flag.PREVIEW, Flag.RDI) if flag == status]
    if (_accelerators(system) or 0) > 1:
        flags.append(Flag.SEVERAL)
    return flags


def _inferred(scenario: str, logged: str, summary: Summary, detail: Detail | None) -> float | None:
    """What the rules let an edge system infer from a SingleStream log: Offline in samples/s, MultiStream in ns.

    Offline is a second over the mean latency, MultiStream eight times the 99th percentile, by early stopping where
    the log has it (inference rules, "inferring offline performance").
    """
    if logged != "SingleStream" or scenario == logged:
        return None
    if scenario == "Offline":
        mean = summary.number("Mean latency (ns)")
        return _finite(1e9 / mean) if mean else None
    if scenario == "MultiStream":
        estimate = summary.number("Early stopping 99th percentile estimate")
        p99 = estimate or summary.number("99.00 percentile latency (ns)")
        return SAMPLES_A_MULTISTREAM_QUERY * p99 if p99 else None
    return None


def _finite(number: float) -> float | None:
    return number if known(number) is not None else None


def _system(path: Path) -> Mapping[str, Any]:
    try:
        data = json.loads(_text(path, TEXT_BYTES_MAX)) if _is_plain(path) else {}
    except (OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _power(run: Path, detail: Detail | None) -> Power | None:
    path, host = run / METER, run.parent / "power" / "server.json"
    if detail is None or not _is_plain(path):
        return None
    try:
        seconds = json.loads(_text(host, TEXT_BYTES_MAX))["timezone"] if _is_plain(host) else 0
        offset = timedelta(seconds=float(seconds))
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        offset = timedelta()
    with path.open(encoding="utf-8", errors="replace") as file:
        return read_power(file, detail, offset)


def _accelerators(system: Mapping[str, Any]) -> int | None:
    try:
        count = int(system["number_of_nodes"]) * int(system["accelerators_per_node"])
    except (KeyError, ValueError, TypeError, OverflowError):
        return None
    return count if 0 <= count <= ACCELERATORS_MAX else None


def _word(system: Mapping[str, Any], name: str) -> str:
    """A word of the description in one line."""
    value = system.get(name)
    return " ".join(_printable(value).split())[:WORD_MAX] if isinstance(value, str) else ""


def _accuracy(path: Path) -> tuple[str, list[Flag]]:
    """What is stated in the file, and what is remarkable about it."""
    try:
        text = _text(path, TEXT_BYTES_MAX) if _is_plain(path) else ""
    except OSError:
        text = ""
    if not (said := accuracy.stated(text)):
        return "", [Flag.NO_ACCURACY]
    return said, [] if accuracy.adds_up(text) else [Flag.ACCURACY]


def _is_plain(path: Path) -> bool:
    """Whether it is a file, neither it nor its folder reached by a link."""
    return path.is_file() and not path.is_symlink() and not path.parent.is_symlink()


def _printable(name: str) -> str:
    """A folder's name; of one that is no UTF-8 what can be printed."""
    return name.encode("utf-8", "replace").decode()
