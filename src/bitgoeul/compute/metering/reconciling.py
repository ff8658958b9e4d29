"""Three tellings of the same use held against each other, every difference under a named cause. Pure.

For each account and resource: what the cluster's own roll-up says, less what the books charged, is the sum of the
causes and what none of them explains. Each cause is computed from the records one by one. Amounts are thousandths
of a core or device times seconds; moments are seconds since 1970 in UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

from bitgoeul.kernel.text import N_, Text

from .periods import share
from .policy import PERMILLE, charged, policy, units
from .sacct import Record
from .stamps import moment
from .states import RecordState
from .tres import MILLI, NOTHING, parse_tres

# What the supervisor and Slurm may be apart at a job's end before it counts as seen late.
LATE_MS = 10_000


class Cause(StrEnum):
    """Why the roll-up and the books differ. The values are what programs read; they do not change."""

    NOT_ROLLED_UP = "not_rolled_up"
    RESERVED = "reserved"
    RUNAWAY = "runaway"
    LEFT_OUT = "left_out"
    NOT_READ = "not_read"
    OLDER_READING = "older_reading"
    OTHER_ACCOUNT = "other_account"
    ONLY_IN_BOOKS = "only_in_books"
    SUSPENDED = "suspended"
    PORTAL_UNFINISHED = "portal_unfinished"
    PORTAL_BORDER = "portal_border"
    PORTAL_AROUND = "portal_around"
    PORTAL_SEEN_LATE = "portal_seen_late"
    PORTAL_OVER_LIMIT = "portal_over_limit"
    PORTAL_CLOCK = "portal_clock"
    PORTAL_SUSPENDED = "portal_suspended"
    PORTAL_ALLOTTED = "portal_allotted"
    PORTAL_UNMEASURED = "portal_unmeasured"
    PORTAL_ONLY = "portal_only"
    CHARGED_TWICE = "charged_twice"
    NO_PROJECT = "no_project"
    NO_ALLOCATION = "no_allocation"
    NO_UNIT = "no_unit"
    CENTRE_PAYS = "centre_pays"
    REFUNDED = "refunded"
    LATE = "late"
    ROUNDING = "rounding"


CAUSE_TEXTS: Mapping[Cause, Text] = {
    Cause.NOT_ROLLED_UP: Text(N_("The cluster's hourly roll-up has not come so far yet")),
    Cause.RESERVED: Text(N_("A reservation's unused time, which the roll-up gives to the account")),
    Cause.RUNAWAY: Text(N_("The accounting says it runs; the controller does not have it")),
    Cause.LEFT_OUT: Text(N_("The record cannot be read and was left out")),
    Cause.NOT_READ: Text(N_("Known to the cluster, not read into the books yet")),
    Cause.OLDER_READING: Text(N_("The books hold an older reading of the record, as of a running job")),
    Cause.OTHER_ACCOUNT: Text(N_("The books hold the record under another account")),
    Cause.ONLY_IN_BOOKS: Text(N_("Known to the books, not to the cluster's accounting any more")),
    Cause.SUSPENDED: Text(N_("Suspended time of a job over a border, spread evenly by the books")),
    Cause.PORTAL_UNFINISHED: Text(N_("A portal job that runs; it is charged when it ends")),
    Cause.PORTAL_BORDER: Text(N_("A portal job over the period's border; it counts whole where it ends")),
    Cause.PORTAL_AROUND: Text(N_("Nodes held before and after the job's supervisor ran")),
    Cause.PORTAL_SEEN_LATE: Text(N_("The controller saw the job's end late, as after an outage")),
    Cause.PORTAL_OVER_LIMIT: Text(N_("A portal job over its time limit; it is charged up to the limit")),
    Cause.PORTAL_CLOCK: Text(N_("The supervisor's measured time and its clock differ")),
    Cause.PORTAL_SUSPENDED: Text(N_("A portal job was suspended at the cluster")),
    Cause.PORTAL_ALLOTTED: Text(N_("Slurm allotted another amount than was charged")),
    Cause.PORTAL_UNMEASURED: Text(N_("The supervisor left no record; nothing was charged")),
    Cause.PORTAL_ONLY: Text(N_("A portal job that the cluster's accounting does not know")),
    Cause.CHARGED_TWICE: Text(N_("A portal job that stands in the metered records too: charged twice")),
    Cause.NO_PROJECT: Text(N_("The account is no project's; charged to nobody")),
    Cause.NO_ALLOCATION: Text(N_("The project has no allocation of it; charged to nobody")),
    Cause.NO_UNIT: Text(N_("No unit is kept for the device; charged to nobody")),
    Cause.CENTRE_PAYS: Text(N_("The centre pays, by the state in which the job ended")),
    Cause.REFUNDED: Text(N_("Given back by hand")),
    Cause.LATE: Text(N_("Read after its month was closed; it stands in a later month")),
    Cause.ROUNDING: Text(N_("Rounding to whole thousandths of a second")),
}


class Part(NamedTuple):
    """What a cause explains: an amount, and how many records it was computed from."""

    amount: int
    records: int


@dataclass(frozen=True)
class Line:
    """What is told of one account (a project's number; empty: accounts of no project) and resource.

    ``slurm`` − ``charged`` = the causes together + ``unexplained``; ``used`` is what the books metered, charged
    or not, with what portal jobs were charged.
    """

    account: str
    resource: str
    slurm: int
    used: int
    charged: int
    causes: Mapping[Cause, Part]
    unexplained: int

    @property
    def difference(self) -> int:
        """What the roll-up says more than was charged."""
        return self.slurm - self.charged


@dataclass(frozen=True)
class Booked:
    """A metered record in the books: what was charged of it in all by resource, and what was given back."""

    record: Record
    charged: Mapping[str, int]
    refunded_permille: int = 0


@dataclass(frozen=True)
class PortalJob:
    """An ended job of the platform by its supervisor's record: moments and the wall clock in milliseconds.

    ``charged`` is by resource, ``cores`` what it was charged for; ``started_ms`` is None where there is no record.
    """

    started_ms: int | None
    ended_ms: int
    wall_ms: int
    cores: int
    charged: Mapping[str, int]


def part(record: Record, amount: int, since: int, until: int) -> int:
    """What of an amount spread over the record falls in a span, as ``Borders.split_amount`` cuts it."""
    span = record.end - record.start
    if span <= 0:
        return amount if since <= record.start < until else 0
    begin, end = (min(max(each - record.start, 0), span) for each in (since, max(since, until)))
    return share(amount, end, span) - share(amount, begin, span)


def rates(record: Record) -> dict[str, int]:
    """Thousandths of each resource that the record held."""
    held = record.allocated
    return {name: rate for name, rate in {"cpu": held.cores_milli, **held.devices}.items() if rate}


def held(record: Record, since: int, until: int) -> dict[str, int]:
    """What the record held of each resource in a span."""
    seconds = part(record, record.elapsed, since, until)
    return {name: rate * seconds for name, rate in rates(record).items() if seconds}


@dataclass
class Comparison:
    """Takes in what each side tells of ``[since, until)``; the roll-up reaches up to ``rolled``.

    Every record of the accounting comes in once, by ``metered`` or ``portal``.
    """

    since: int
    until: int
    rolled: int
    slurm: dict[tuple[str, str], int] = field(default_factory=dict)
    used: dict[tuple[str, str], int] = field(default_factory=dict)
    charged: dict[tuple[str, str], int] = field(default_factory=dict)
    _causes: dict[tuple[str, str], dict[Cause, Part]] = field(default_factory=dict)
    _spread: dict[tuple[str, str], int] = field(default_factory=dict)

    def say(self, side: dict[tuple[str, str], int], account: str, amounts: Mapping[str, int]) -> None:
        """Add what one side (``slurm``, ``used`` or ``charged``) tells of an account."""
        for resource, amount in amounts.items():
            if amount:
                side[account, resource] = side.get((account, resource), 0) + amount

    def explain(self, account: str, cause: Cause, amounts: Mapping[str, int]) -> None:
        """Put amounts under a cause: above zero where the roll-up tells more than the books."""
        for resource, amount in amounts.items():
            if amount:
                causes = self._causes.setdefault((account, resource), {})
                known = causes.get(cause, Part(0, 0))
                causes[cause] = Part(known.amount + amount, known.records + 1)

    def metered(self, account: str, record: Record, booked: Booked | None, otherwise: Cause) -> None:
        """A record of everybody's work and what the books hold of it.

        ``otherwise`` is why they differ in what was held: ``not_read``, ``runaway`` or ``left_out`` where the
        books have nothing, else as a rule ``older_reading``.
        """
        there = self._accounted(account, record)
        known = held(booked.record, self.since, self.until) if booked else {}
        self.explain(account, otherwise, _less(there, known))
        if booked:
            self._charges(account, booked)

    def portal(self, account: str, record: Record, job: PortalJob | None) -> None:
        """A record of the platform's own job; ``job`` is None while that has not ended."""
        there = self._accounted(account, record)
        if job is None:
            return self.explain(account, Cause.PORTAL_UNFINISHED, there)
        whole = {name: rate * record.elapsed for name, rate in rates(record).items()}
        if not self.since * MILLI <= job.ended_ms < self.until * MILLI:
            return self.explain(account, Cause.PORTAL_BORDER, there)
        self.explain(account, Cause.PORTAL_BORDER, _less(there, whole))
        for cause, amounts in supervised(record, job):
            self.explain(account, cause, amounts)
        return None

    def only_booked(self, account: str, booked: Booked, cause: Cause = Cause.ONLY_IN_BOOKS) -> None:
        """A metered record that stands for nothing in the accounting, or for what was charged otherwise."""
        known = held(booked.record, self.since, self.until)
        self.explain(account, cause, {name: -amount for name, amount in known.items()})
        self._charges(account, booked)

    def only_portal(self, account: str, amounts: Mapping[str, int]) -> None:
        """A portal job, ended in the period, that the accounting does not tell."""
        self.explain(account, Cause.PORTAL_ONLY, {name: -amount for name, amount in amounts.items()})

    def lines(self) -> list[Line]:
        """Everything told, what is unexplained first, then by the size of the difference."""
        keys = {*self.slurm, *self.used, *self.charged, *self._causes}
        found = [self._line(*key) for key in keys]
        return sorted(
            found, key=lambda one: (-abs(one.unexplained), -abs(one.difference), one.account, one.resource)
        )

    def _line(self, account: str, resource: str) -> Line:
        key = (account, resource)
        slurm, charged_, causes = self.slurm.get(key, 0), self.charged.get(key, 0), self._causes.get(key, {})
        left = slurm - charged_ - sum(each.amount for each in causes.values())
        # When in its span a job was suspended no record tells, only for how long: it explains up to that.
        if left and (bound := self._spread.get(key, 0)):
            explained = max(-bound, min(bound, left))
            causes, left = {**causes, Cause.SUSPENDED: Part(explained, 1)}, left - explained
        kept = {cause: each for cause, each in causes.items() if each.amount}
        return Line(account, resource, slurm, self.used.get(key, 0), charged_, kept, left)

    def _accounted(self, account: str, record: Record) -> dict[str, int]:
        """What the accounting says of the period; what of it the roll-up cannot know yet is explained."""
        there = held(record, self.since, self.until)
        self.explain(account, Cause.NOT_ROLLED_UP, _less(held(record, self.since, self.rolled), there))
        borders = (self.since, self.rolled, self.until)
        if record.suspended > 0 and any(record.start < each <= record.end for each in borders):
            bounds = {name: rate * record.suspended for name, rate in rates(record).items()}
            self.say(self._spread, account, bounds)
        return there

    def _charges(self, account: str, booked: Booked) -> None:
        """Why a metered record was charged less than it held."""
        record, pays_nothing = booked.record, not account
        known = held(record, self.since, self.until)
        for name in known.keys() | booked.charged.keys():
            used, paid = known.get(name, 0), self._in(record, booked.charged.get(name, 0))
            if pays_nothing:
                self.explain(account, Cause.NO_PROJECT, {name: used - paid})
            elif name not in units():
                self.explain(account, Cause.NO_UNIT, {name: used - paid})
            else:
                self._policy(account, booked, name, used)

    def _policy(self, account: str, booked: Booked, name: str, used: int) -> None:
        record = booked.record
        amount = rates(record).get(name, 0) * record.elapsed
        permille = policy().rule(record.state, record.start).projects_permille
        before = charged(amount, permille)
        pays = charged(amount, permille, booked.refunded_permille)
        paid = booked.charged.get(name, 0)
        centre = Cause.CENTRE_PAYS if permille < PERMILLE else Cause.ROUNDING
        self.explain(account, centre, {name: used - self._in(record, before)})
        self.explain(account, Cause.REFUNDED, {name: self._in(record, before) - self._in(record, pays)})
        if paid < pays:  # more than it pays is nothing that a rule explains
            missing = self._in(record, pays) - self._in(record, paid)
            self.explain(account, Cause.NO_ALLOCATION, {name: missing})

    def _in(self, record: Record, amount: int) -> int:
        return part(record, amount, self.since, self.until)


def supervised(record: Record, job: PortalJob) -> Iterable[tuple[Cause, dict[str, int]]]:
    """From what Slurm allotted a portal job in all down to what was charged, step by step.

    The steps add up: Slurm's start and end, the supervisor's start and end, its wall clock, the limit, the amount.
    """
    there = rates(record)
    names = there.keys() | job.charged.keys()
    if job.started_ms is None or not job.charged:
        yield (
            Cause.PORTAL_UNMEASURED,
            {name: there.get(name, 0) * record.elapsed - job.charged.get(name, 0) for name in names},
        )
        return
    limited_ms = job.charged.get("cpu", 0) // job.cores if job.cores else job.wall_ms
    before, after = job.started_ms - record.start * MILLI, record.end * MILLI - job.ended_ms
    late = after > LATE_MS
    steps = (
        (Cause.PORTAL_AROUND, before if late else before + after),
        (Cause.PORTAL_SEEN_LATE, after if late else 0),
        (Cause.PORTAL_SUSPENDED, -record.suspended * MILLI),
        (Cause.PORTAL_CLOCK, job.ended_ms - job.started_ms - job.wall_ms),
        (Cause.PORTAL_OVER_LIMIT, job.wall_ms - limited_ms),
    )
    for cause, milliseconds in steps:
        yield cause, {name: rate * milliseconds // MILLI for name, rate in there.items()}
    # What is charged is a whole number of places times the time; anything else is no other allotment.
    yield (
        Cause.PORTAL_ALLOTTED,
        {
            name: there.get(name, 0) * limited_ms // MILLI - job.charged.get(name, 0)
            for name in names
            if limited_ms and job.charged.get(name, 0) % limited_ms == 0
        },
    )


def _less(some: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {name: some.get(name, 0) - other.get(name, 0) for name in some.keys() | other.keys()}


def salvaged(header: str, line: str, cluster: str) -> Record | None:
    """What can be made out of a line that is not metered, as far as it tells a start, an end and an amount."""
    cells = dict(zip(header.split("|"), line.split("|"), strict=False))
    try:
        begin, end = (moment(cells.get(name, ""), ZoneInfo("UTC")) for name in ("Start", "End"))
        allocated = parse_tres(cells.get("AllocTRES", ""))
    except ValueError:
        return None
    if begin is None or end is None or end < begin:
        return None
    number = cells.get("JobIDRaw", "")
    return Record(
        cluster=cluster, raw_id=number, job_id=number, account=cells.get("Account", ""), user="",
        state=RecordState.COMPLETED, submit=begin, start=begin, end=end, elapsed=end - begin, final=True,
        allocated=allocated, requested=NOTHING,
    )  # fmt: skip
