"""Records out of ``sacct --parsable2`` exports, line by line. Pure.

With a header the header says what each column is, in any order and case; without one the columns are in Open
XDMoD's order. A line that cannot be metered is counted under a named reason and never stops the reading.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import itemgetter
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.text import N_, Text

from . import stamps
from .left_out import LeftOut
from .states import PHASES, Phase, RecordState, read_state
from .tres import NOTHING, Tres, parse_tres

XDMOD_ORDER = (
    *("jobid", "jobidraw", "cluster", "partition", "qos", "account", "group", "gid", "user", "uid", "submit"),
    *("eligible", "start", "end", "elapsed", "exitcode", "state", "nnodes", "ncpus", "reqcpus", "reqmem"),
    *("reqtres", "alloctres", "timelimit", "nodelist", "jobname"),
)
# One of each group must be among the columns.
NEEDED: tuple[tuple[str, ...], ...] = (
    *(("JobIDRaw", "JobID"), ("Submit",), ("Start",), ("End",), ("State",), ("Elapsed", "ElapsedRaw")),
    ("AllocTRES",),
)
KNOWN_BY = frozenset({"jobid", "jobidraw", "submit", "start", "end", "state", "elapsed", "alloctres"})
NO_NODES = frozenset({"none assigned", "(null)"})
ID = re.compile(r"\d{1,18}(?:[_+]\d{1,18})?", re.ASCII)
RANGE = re.compile(r"(\d+)(?:-(\d+)(?::(\d+))?)?", re.ASCII)
RANGES_MAX = 10_000_000
T = TypeVar("T")


class Record(NamedTuple):
    """One allocation of one job: what it held, from when to when.

    Moments are seconds since 1970 in UTC. Of a running record (``final`` false) ``end`` is the moment up to which
    its use is known. ``elapsed`` is the seconds it held them, without those it was suspended, at most
    ``end - start``. ``allocated`` is what is metered; ``requested`` stands beside it.
    """

    cluster: str
    raw_id: str
    job_id: str
    account: str
    user: str
    state: RecordState
    submit: int
    start: int
    end: int
    elapsed: int
    final: bool
    allocated: Tres
    requested: Tres
    comment: str = ""

    @property
    def identity(self) -> str:
        """What the record is, whatever it says: ``cluster:raw id:submit:start``.

        Never the job id alone: ids wrap, and every attempt of a requeued job has the same one.
        """
        return f"{self.cluster}:{self.raw_id}:{self.submit}:{self.start}"

    @property
    def suspended(self) -> int:
        """Seconds between start and end in which nothing was held."""
        return self.end - self.start - self.elapsed

    def replaces(self, other: Record) -> bool:
        """Whether this newer reading of the same record says more: a final figure, or a later running one."""
        if self.final or other.final:
            return self.final and self != other
        return self.elapsed > other.elapsed


class Row(NamedTuple):
    """The cells that metering reads, as texts; a column that is not there is empty."""

    jobid: str
    jobidraw: str
    cluster: str
    account: str
    user: str
    submit: str
    start: str
    end: str
    elapsed: str
    elapsedraw: str
    suspended: str
    state: str
    reqtres: str
    alloctres: str
    nodelist: str
    comment: str
    admincomment: str


class _Skip(Exception):
    def __init__(self, reason: LeftOut) -> None:
        self.reason = reason


class Reader:
    """Reads one export; afterwards ``left_out`` says what was not metered and why.

    ``first_lines`` has the number of the first line of each reason, ``waiting`` the jobs that wait or never
    started, each element of an array as one.
    """

    def __init__(self, *, cluster: str, source_zone: ZoneInfo, needs: Sequence[str] = ()) -> None:
        self.cluster, self.zone = cluster, source_zone
        self.left_out: Counter[LeftOut] = Counter()
        self.first_lines: dict[LeftOut, int] = {}
        self.waiting: Counter[LeftOut] = Counter()
        self._needs = (*NEEDED, *((name,) for name in needs))
        self._source_cluster: str | None = None
        self._number = 0

    def records(self, lines: Iterable[str]) -> Iterator[Record]:
        """Every record that can be metered, in the order of the lines.

        Raises BadInput for a header without a needed column, and for a file of several clusters of which the one
        asked for is not the first.
        """
        columns: Columns | None = None
        for number, line in enumerate(lines, 1):
            self._number = number
            text = line.rstrip("\r\n")
            if not text:
                continue
            if columns is None:
                columns, is_header = self._columns(text.removeprefix("\ufeff"))
                if is_header:
                    continue
            try:
                yield self._record(columns.row(text))
            except _Skip as skip:
                self.leave_out(skip.reason)

    def leave_out(self, reason: LeftOut) -> None:
        """Count the line last read under a reason."""
        self.left_out[reason] += 1
        self.first_lines.setdefault(reason, self._number)

    def _columns(self, first: str) -> tuple[Columns, bool]:
        names = [name.strip().lower() for name in first.split("|")]
        if not KNOWN_BY & set(names):
            return Columns(XDMOD_ORDER), False
        trailing = names[-1] == ""
        columns = Columns(names[:-1] if trailing else names, trailing)
        for group in self._needs:
            if not any(name.lower() in names for name in group):
                raise BadInput(
                    N_("The header has no column {name}."),
                    field="header",
                    name=group[0],
                    remedy=Text(
                        N_("Export it too: sacct --parsable2 --format={names}"),
                        {"names": ",".join(NAMES_TO_EXPORT)},
                    ),
                )
        return columns, True

    def _record(self, row: Row | None) -> Record:
        if row is None:
            raise _Skip(LeftOut.COLUMNS)
        if row.cluster and row.cluster != self._source_cluster:
            self._other_cluster(row.cluster)
        raw_id, state, phase = self._who(row)
        final = phase is not Phase.RUNS
        submit, start = self._moment(row.submit), self._moment(row.start)
        if final and (start is None or row.nodelist.lower() in NO_NODES):
            raise self._demand(LeftOut.NEVER_STARTED, row.jobid)
        if start is None or submit is None:
            raise _Skip(LeftOut.TIME)
        start, end, elapsed = self._span(row, start, final)
        allocated = _read(parse_tres, row.alloctres, LeftOut.TRES)
        if allocated is NOTHING and not row.nodelist:
            raise self._demand(LeftOut.NEVER_STARTED, row.jobid)
        return Record(
            cluster=self.cluster,
            raw_id=raw_id,
            job_id=row.jobid or raw_id,
            account=row.account,
            user=row.user,
            state=state,
            submit=submit,
            start=start,
            end=end,
            elapsed=elapsed,
            final=final,
            allocated=allocated,
            requested=_requested(row.reqtres),
            comment=row.comment or row.admincomment,
        )

    def _other_cluster(self, name: str) -> None:
        if self._source_cluster is None:
            self._source_cluster = name
            return
        if name == self.cluster:
            raise BadInput(
                N_("The file holds records of several clusters, first of {name}."),
                field="cluster",
                name=self._source_cluster,
                remedy=Text(N_("Export one cluster at a time: sacct -M {name}"), {"name": name}),
            )
        raise _Skip(LeftOut.OTHER_CLUSTER)

    def _who(self, row: Row) -> tuple[str, RecordState, Phase]:
        raw_id = row.jobidraw or row.jobid
        if "." in raw_id or "." in row.jobid:
            raise _Skip(LeftOut.STEP)
        state = _read(read_state, row.state, LeftOut.STATE)
        phase = PHASES[state]
        if phase is Phase.ATTEMPT:
            phase = _attempt(state, row.end)
        if phase is Phase.WAITS:
            raise self._demand(LeftOut.PENDING, row.jobid)
        if not ID.fullmatch(raw_id):
            raise self._demand(LeftOut.NEVER_STARTED, row.jobid) if "[" in row.jobid else _Skip(LeftOut.ID)
        return raw_id, state, phase

    def _span(self, row: Row, start: int, final: bool) -> tuple[int, int, int]:
        """Start, end (of a running record: up to when its use is known) and the seconds held between."""
        elapsed = _read(stamps.duration, row.elapsed or row.elapsedraw, LeftOut.ELAPSED)
        if not final:
            return start, start + elapsed + _read(stamps.duration, row.suspended or "0", LeftOut.ELAPSED), elapsed
        end = self._moment(row.end)
        if end is None:
            raise _Skip(LeftOut.TIME)
        if end - start != elapsed:
            start, end = self._unfolded(row, start, end, elapsed)
        if end < start:
            raise _Skip(LeftOut.ENDS_BEFORE_START)
        return start, end, min(elapsed, end - start)

    def _moment(self, text: str, fold: int = 0) -> int | None:
        try:
            return stamps.moment(text, self.zone, fold)
        except ValueError:
            raise _Skip(LeftOut.TIME) from None

    def _unfolded(self, row: Row, start: int, end: int, elapsed: int) -> tuple[int, int]:
        """Start and end, read so that they fit the elapsed time where a clock change repeats their hour."""
        starts = sorted({start, self._moment(row.start, 1) or start})
        ends = sorted({end, self._moment(row.end, 1) or end})
        pairs = [(one, other) for one in starts for other in ends]
        fitting = [(one, other) for one, other in pairs if other - one == elapsed]
        if fitting or end >= start:
            return (*fitting, (start, end))[0]
        return next(((one, other) for one, other in pairs if other >= one), (start, end))

    def _demand(self, reason: LeftOut, job_id: str) -> _Skip:
        self.waiting[reason] += elements(job_id)
        return _Skip(reason)


NAMES_TO_EXPORT = (
    *(
        "JobID",
        "JobIDRaw",
        "Cluster",
        "Account",
        "User",
        "Submit",
        "Start",
        "End",
        "Elapsed",
        "Suspended",
        "State",
    ),
    *("ReqTRES", "AllocTRES", "NodeList", "Comment"),
)


# What users write: a bar in it must not take their work out of the reading.
FREE_TEXT = ("jobname", "comment")


class Columns:
    """Which column is where; the last one may hold the separator when users write it."""

    def __init__(self, names: Sequence[str], trailing: bool = False) -> None:
        self.count, self.trailing = len(names), trailing
        self.free_text = names[-1] in FREE_TEXT
        places = {name: place for place, name in enumerate(names)}
        # A column that is not there has the place of an empty cell put behind the last one.
        self._pick = itemgetter(*[places.get(name, self.count) for name in Row._fields])

    def row(self, line: str) -> Row | None:
        """The line's cells; None when it has too few, or more than its header explains."""
        if self.trailing:
            if not line.endswith("|"):
                return None
            line = line[:-1]
        cells = line.split("|", self.count - 1)
        if len(cells) != self.count or (not self.free_text and "|" in cells[-1]):
            return None
        cells.append("")
        return Row._make(map(str.strip, self._pick(cells)))


def _attempt(state: RecordState, end: str) -> Phase:
    """An attempt with an end has ended; one without waits again, or runs on when it changes its size."""
    if end.lower() not in stamps.UNKNOWN:
        return Phase.ENDED
    return Phase.RUNS if state is RecordState.RESIZING else Phase.WAITS


def elements(job_id: str) -> int:
    """How many jobs an id stands for: ``7_[2-5,9%2]`` → 5; any other id is one."""
    _job, bracket, rest = job_id.partition("[")
    if not bracket:
        return 1
    count = 0
    for part in rest.rstrip("]").partition("%")[0].split(","):
        found = RANGE.fullmatch(part.strip())
        if found is None:
            continue
        first, last, step = found.groups()
        count += (int(last or first) - int(first)) // max(1, int(step or 1)) + 1
    return min(max(count, 1), RANGES_MAX)


def _requested(text: str) -> Tres:
    """What was asked for; only shown, so one that cannot be read is nothing."""
    try:
        return parse_tres(text)
    except ValueError:
        return NOTHING


def _read(read: Callable[[str], T], text: str, reason: LeftOut) -> T:
    try:
        return read(text)
    except ValueError:
        raise _Skip(reason) from None
