"""Holding a cluster's own roll-up against the books and the supervisors' records; the cluster alone is asked.

Nothing is mended: what differs is told with its causes, and kept for the page until the next time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import islice
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import QuerySet, Sum

from bitgoeul.accounts import facade as accounts
from bitgoeul.audit import facade as audit
from bitgoeul.kernel.clock import SEOUL, now
from bitgoeul.kernel.errors import BadInput, NotFound
from bitgoeul.kernel.text import N_
from bitgoeul.resources import facade as resources

from .. import metering
from ..engines import engine_of
from ..metering import Booked, Cause, Comparison, LeftOut, Line, PortalJob, Record
from ..models import ClosedMonth, Cluster, DayUse, Job, MeteredCluster, MeteredRecord, Reconciliation
from ..ports import UseReporter
from ..states import UNFINISHED
from .charging import MONTHS, Charge, moment, totals
from .metering import BATCH, own_jobs, record_id, record_of, rows_of

DAYS_MAX = 400
WINDOW = timedelta(days=1)
# A job may have ended here and at the cluster on two sides of a border.
MARGIN = timedelta(days=1)
# What is kept for the page: what is unexplained and differs most comes first; the counts are whole.
KEPT_MAX = 500
# Lines of the accounting that stand for no use.
NO_USE = frozenset({LeftOut.STEP, LeftOut.PENDING, LeftOut.NEVER_STARTED, LeftOut.OTHER_CLUSTER, LeftOut.REPEATED})


@dataclass
class Reconciled:
    """What was found: ``lines`` of each account and resource, ``records`` read, ``left_out`` lines by reason.

    ``nobodys`` has, by resource and kind, what the cluster had and was no account's.
    """

    cluster: str
    since: date
    until: date
    rolled_until: datetime
    read_until: datetime | None
    lines: list[Line] = field(default_factory=list)
    nobodys: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    records: int = 0
    left_out: Counter[LeftOut] = field(default_factory=Counter)

    @property
    def unexplained(self) -> int:
        """How many lines have something that no cause explains."""
        return sum(bool(line.unexplained) for line in self.lines)


def month_days(month: str) -> tuple[date, date]:
    """The first day of a month and of the next; raises BadInput for a month that is none."""
    try:
        return date.fromisoformat(f"{month}-01"), date.fromisoformat(f"{metering.next_month(month)}-01")
    except ValueError:
        raise BadInput(N_("Write a month as 2026-10."), field="month") from None


def reconcile(code: str, *, since: date, until: date, actor: accounts.Actor) -> Reconciled:
    """Compare the days from ``since`` up to, not with, ``until``, and keep what was found for the page.

    Raises NotFound for no such cluster, BadInput for one without a roll-up of its own and for a period that is
    none, EngineUnavailable when it cannot be asked.
    """
    cluster = Cluster.objects.filter(pk=code).first()
    if cluster is None:
        raise NotFound(N_("There is no cluster “{name}”."), field="cluster", name=code)
    engine = engine_of(cluster)
    if not isinstance(engine, UseReporter):
        raise BadInput(N_("The cluster “{name}” sums nothing up by itself."), field="cluster", name=code)
    if not since < until <= since + timedelta(days=DAYS_MAX) or _midnight(since) >= now():
        raise BadInput(N_("A period has from 1 to {days} days and has begun."), field="until", days=DAYS_MAX)
    found = _Work(cluster, engine, since, until).done()
    _keep(found, actor)
    return found


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=SEOUL).astimezone(UTC)


class _Work:
    """One comparison while it is made."""

    def __init__(self, cluster: Cluster, engine: UseReporter, since: date, until: date) -> None:
        self.cluster, self.engine, self.days = cluster, engine, (since, until)
        self.since, self.until = _midnight(since), _midnight(until)
        self.rolled = engine.rolled_up(self.since, self.until)
        since_s, until_s, rolled_s = (
            int(each.timestamp()) for each in (self.since, self.until, self.rolled.until)
        )
        self.told = Comparison(since_s, until_s, rolled_s)
        self.left_out: Counter[LeftOut] = Counter()
        self.numbers: dict[UUID | None, str] = {None: ""}
        self.projects: dict[str, UUID] = {}
        self.seen: set[UUID] = set()
        self.unread: set[str] = set()
        self.seen_jobs: set[UUID] = set()

    def done(self) -> Reconciled:
        """Every telling taken in, and what comes of it."""
        self._slurm_says()
        self._books_say()
        for batch in _batches(self._records()):
            self._compare(batch)
        self._only_here()
        self._late()
        read = MeteredCluster.objects.filter(pk=self.cluster.pk).values_list("pulled_until", flat=True).first()
        return Reconciled(
            cluster=self.cluster.pk,
            since=self.days[0],
            until=self.days[1],
            rolled_until=self.rolled.until,
            read_until=read,
            lines=self.told.lines(),
            nobodys={kind: _amounts(each) for kind, each in self.rolled.nobodys.items()},
            records=len(self.seen),
            left_out=self.left_out,
        )

    # What each side says in all

    def _slurm_says(self) -> None:
        self._know({*self.rolled.accounts, *self.rolled.reserved})
        for account, seconds in self.rolled.accounts.items():
            self.told.say(self.told.slurm, self._name(account), _amounts(seconds))
        for account, seconds in self.rolled.reserved.items():
            self.told.say(self.told.slurm, self._name(account), _amounts(seconds))
            self.told.explain(self._name(account), Cause.RESERVED, _amounts(seconds))

    def _books_say(self) -> None:
        rows = DayUse.objects.filter(cluster_id=self.cluster.pk, day__gte=self.days[0], day__lt=self.days[1])
        sums = list(rows.values_list("project_id", "resource").annotate(Sum("amount"), Sum("charged")))
        self._name_projects({project_id for project_id, *_rest in sums if project_id})
        for project_id, resource, used, charged in sums:
            self.told.say(self.told.used, self.numbers[project_id], {resource: used})
            self.told.say(self.told.charged, self.numbers[project_id], {resource: charged})
        own = resources.usage_sums(prefix=f"{self.cluster.pk}:", since=self.since, until=self.until)
        self._name_projects(project_id for project_id, *_rest in own)
        for project_id, unit, charged in own:
            for side in (self.told.used, self.told.charged):
                self.told.say(side, self.numbers[project_id], {_resource(unit): charged})

    def _jobs(self) -> QuerySet[Job]:
        ended = {"ended_at__gte": self.since, "ended_at__lt": self.until}
        return Job.objects.filter(cluster_id=self.cluster.pk, **ended).exclude(charged={})

    # Record by record

    def _records(self) -> Iterator[tuple[Record, Cause]]:
        """Every record of the accounting once, with why it may differ from the books."""
        end, begin = min(self.until + MARGIN, now()), self.since - MARGIN
        yield from self._read(self.engine.runaway(), Cause.RUNAWAY)
        while begin < end:
            yield from self._read(self.engine.accounting(begin, min(begin + WINDOW, end)), Cause.OLDER_READING)
            begin += WINDOW

    def _read(self, lines: Iterable[str], cause: Cause) -> Iterator[tuple[Record, Cause]]:
        reader = metering.Reader(cluster=self.cluster.pk, source_zone=ZoneInfo("UTC"), needs=("Account",))
        watched = Watched(reader, lines)
        for record in reader.records(watched):
            if self._is_new(record):
                yield record, cause
        for reason, line in watched.left_out:
            self._leave_out(reason, metering.salvaged(watched.header, line, self.cluster.pk), line)

    def _is_new(self, record: Record) -> bool:
        pk = record_id(record)
        fresh = pk not in self.seen
        self.seen.add(pk)
        return fresh

    def _leave_out(self, reason: LeftOut, record: Record | None, line: str) -> None:
        """A line that is not metered: what can be read of it is explained, the rest counted alone."""
        if line in self.unread:
            return
        self.unread.add(line)
        self.left_out[reason] += 1
        if record is not None and self._is_new(record):
            self._know({record.account})
            self.told.metered(self._name(record.account), record, None, Cause.LEFT_OUT)

    def _compare(self, batch: Sequence[tuple[Record, Cause]]) -> None:
        records = [record for record, _cause in batch]
        self._know({each.account for each in records})
        own = own_jobs(records, self.projects)
        rows = rows_of(record_id(each) for each in records)
        self._name_projects(row.project_id for row in rows.values())
        for record, cause in batch:
            job, row = own.get(record.identity), rows.get(record_id(record))
            if job is not None:
                self._portal(record, job, row)
            else:
                self._metered(record, cause, row)

    def _portal(self, record: Record, job: Job, row: MeteredRecord | None) -> None:
        self.seen_jobs.add(job.pk)
        self.told.portal(self._name(record.account), record, None if job.state in UNFINISHED else _supervised(job))
        if row is not None:
            self.told.only_booked(self.numbers[row.project_id], _booked(row), Cause.CHARGED_TWICE)

    def _metered(self, record: Record, cause: Cause, row: MeteredRecord | None) -> None:
        account = self._name(record.account)
        if row is None:
            self.told.metered(account, record, None, cause if cause is Cause.RUNAWAY else Cause.NOT_READ)
        elif self.numbers[row.project_id] == account:
            self.told.metered(account, record, _booked(row), cause)
        else:
            self.told.metered(account, record, None, Cause.OTHER_ACCOUNT)
            self.told.only_booked(self.numbers[row.project_id], _booked(row), Cause.OTHER_ACCOUNT)

    # What only the books know

    def _only_here(self) -> None:
        """Metered records and portal jobs of the period that the accounting does not tell."""
        alone = [
            pk for pk in self._overlapping().values_list("pk", flat=True).iterator(BATCH) if pk not in self.seen
        ]
        for start in range(0, len(alone), BATCH):
            for row in rows_of(alone[start : start + BATCH]).values():
                self._name_projects({row.project_id})
                self.told.only_booked(self.numbers[row.project_id], _booked(row))
        for pk, project_id, charged in self._jobs().values_list("pk", "project_id", "charged").iterator(BATCH):
            if pk not in self.seen_jobs:
                self.told.only_portal(self.numbers[project_id], _by_resource(charged))

    def _late(self) -> None:
        """What was charged after its month was closed: it stands on the first day of a later month."""
        closed = set(ClosedMonth.objects.values_list("month", flat=True))
        if not closed:
            return
        begins, month, present = [], self.days[0].isoformat()[:7], f"{now().astimezone(SEOUL):%Y-%m}"
        while month <= present:
            begins.append(moment(MONTHS.start_of(month)))
            month = metering.next_month(month)
        for prefix in (f"{self.cluster.pk}:", f"sacct:{self.cluster.pk}:"):
            for use in resources.late_usage(prefix=prefix, booked_at=begins):
                self._name_projects({use.project_id})
                moved = self._holds(use.ended_at) - self._holds(use.booked_at)
                self.told.explain(
                    self.numbers[use.project_id], Cause.LATE, {_resource(use.unit): moved * use.change}
                )

    def _holds(self, moment: datetime) -> bool:
        return self.since <= moment < self.until

    def _overlapping(self) -> QuerySet[MeteredRecord]:
        span = {"start__lt": self.told.until, "end__gte": self.told.since}
        return MeteredRecord.objects.filter(cluster_id=self.cluster.pk, **span)

    # Whose an account is

    def _know(self, names: set[str]) -> None:
        fresh = {metering.project_number(each) for each in names} - self.projects.keys()
        found = accounts.projects_by_number(fresh) if fresh else {}
        self.projects |= found
        self._name_projects(set(found.values()))

    def _name_projects(self, ids: Iterable[UUID | None]) -> None:
        fresh = {each for each in ids if each is not None} - self.numbers.keys()
        if fresh:
            self.numbers |= {pk: view.number for pk, view in accounts.projects(fresh).items()}

    def _name(self, account: str) -> str:
        return self.numbers[self.projects.get(metering.project_number(account))]


class Watched:
    """The lines of an export on their way to a reader, and those that it left out though they stand for use."""

    def __init__(self, reader: metering.Reader, lines: Iterable[str]) -> None:
        self._reader, self._lines = reader, lines
        self.header = ""
        self.left_out: list[tuple[LeftOut, str]] = []

    def __iter__(self) -> Iterator[str]:
        before, last = Counter[LeftOut](), ""
        for line in self._lines:
            before = self._see(before, last)
            self.header, last = self.header or line, line
            yield line
        self._see(before, last)

    def _see(self, before: Counter[LeftOut], line: str) -> Counter[LeftOut]:
        present = Counter(self._reader.left_out)
        self.left_out += [(reason, line) for reason in present - before if reason not in NO_USE]
        return present


def _batches(records: Iterator[tuple[Record, Cause]]) -> Iterator[list[tuple[Record, Cause]]]:
    while batch := list(islice(records, BATCH)):
        yield batch


def _amounts(seconds: Mapping[str, int]) -> dict[str, int]:
    """Seconds by Slurm's names as amounts by ours; where a family and its types both stand, each counts once."""
    text = ",".join(f"{name}={amount}" for name, amount in seconds.items() if _counts(name))
    held = metering.parse_tres(text)
    return {name: amount for name, amount in {"cpu": held.cores_milli, **held.devices}.items() if amount}


def _counts(name: str) -> bool:
    return name == "cpu" or name.startswith("gres/")


@cache
def _resources() -> Mapping[str, str]:
    return {unit: resource for resource, unit in metering.units().items()}


def _resource(unit: str) -> str:
    """The resource that is charged in a unit; the unit itself where the accounting knows none."""
    return _resources().get(unit, unit)


def _by_resource(charged: Mapping[str, int]) -> dict[str, int]:
    return {_resource(unit): amount for unit, amount in charged.items()}


def _booked(row: MeteredRecord) -> Booked:
    return Booked(record_of(row), totals(Charge(*each) for each in row.charges), row.refunded_permille)


def _supervised(job: Job) -> PortalJob:
    assert job.ended_at is not None
    return PortalJob(
        started_ms=_milliseconds(job.started_at) if job.started_at and job.measured else None,
        ended_ms=_milliseconds(job.ended_at),
        wall_ms=job.measured.get("wall_ms", 0),
        cores=job.measured.get("cores", 0),
        charged=_by_resource(job.charged),
    )


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000)


@transaction.atomic
def _keep(found: Reconciled, actor: accounts.Actor) -> None:
    lines = [
        [each.account, each.resource, each.slurm, each.used, each.charged, each.unexplained,
         [[cause, *told] for cause, told in each.causes.items()]]
        for each in found.lines[:KEPT_MAX]
    ]  # fmt: skip
    kept = {
        "since": found.since,
        "until": found.until,
        "made_at": now(),
        "rolled_until": found.rolled_until,
        "read_until": found.read_until,
        "records": found.records,
        "count": len(found.lines),
        "unexplained": found.unexplained,
        "lines": lines,
        "nobodys": {kind: dict(each) for kind, each in found.nobodys.items()},
        "left_out": {str(reason): count for reason, count in found.left_out.items()},
    }
    Reconciliation.objects.update_or_create(pk=found.cluster, defaults=kept)
    told = {
        "since": str(found.since),
        "until": str(found.until),
        "lines": kept["count"],
        "open": found.unexplained,
    }
    audit.record(
        verb="compute.reconcile", subject_kind="cluster", subject_id=found.cluster, actor=actor.id, after=told
    )
