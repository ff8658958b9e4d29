"""What a metered record charges, from which allocations, and how that differs from what it charged before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import NamedTuple
from uuid import UUID

from bitgoeul.audit import facade as audit
from bitgoeul.kernel.clock import now, rfc3339
from bitgoeul.resources import facade as resources

from .. import metering
from ..metering import Borders, LeftOut, Record
from ..models import ClosedMonth

# The turn of who closes a month or books into one that is over.
CLOSING = "compute.close_month"
SITE = metering.zone(metering.SITE_ZONE, "zone")
DAYS, MONTHS = Borders(SITE, "day"), Borders(SITE, "month")


class Charge(NamedTuple):
    """What a record charges an allocation for its time in one month; ``allocation`` is the id's hex."""

    resource: str
    month: str
    allocation: str
    amount: int


class Source(NamedTuple):
    """An allocation that a record could be charged to."""

    allocation: str
    unit: str
    since: int
    until: int
    active: bool


class Known:
    """The allocations of the projects that one reading has met so far: which there are, not what is left."""

    def __init__(self) -> None:
        self.sources: dict[UUID, Sequence[Source]] = {}
        self.ids: dict[str, UUID] = {}

    def look_up(self, project_ids: Iterable[UUID]) -> None:
        """Read those of projects that were not met before."""
        fresh = set(project_ids) - self.sources.keys()
        if not fresh:
            return
        for project_id, views in resources.allocations(project_ids=fresh).items():
            self.sources[project_id] = [_source(view) for view in views]
            self.ids |= {view.id.hex: view.id for view in views}


@dataclass
class Books:
    """What a batch needs to know of periods and allocations."""

    closed: frozenset[str]
    sources: Mapping[UUID, Sequence[Source]]
    ids: Mapping[str, UUID]

    @classmethod
    def of(cls, project_ids: Iterable[UUID], known: Known) -> Books:
        """The books of some projects; which months are closed is read now."""
        known.look_up(project_ids)
        closed = frozenset(ClosedMonth.objects.values_list("month", flat=True))
        return cls(closed, known.sources, known.ids)

    def open_month(self, month: str) -> str:
        """The month itself, or the next one that is open."""
        while month in self.closed:
            month = metering.next_month(month)
        return month

    def booked_day(self, day: str) -> str:
        """The day on which a change of that day stands: itself, or the first of the next open month."""
        month = self.open_month(day[:7])
        return day if month == day[:7] else f"{month}-01"

    def source(self, project_id: UUID, resource: str, start: int) -> str | None:
        """The allocation for use that begins then: valid then, active, ending first; else the nearest in time.

        Use is charged even where no allocation was valid any more: it happened, and shows as overrun.
        """
        unit = metering.units()[resource]
        fitting = [each for each in self.sources.get(project_id, ()) if each.unit == unit]
        if len(fitting) <= 1:
            return fitting[0].allocation if fitting else None
        return min(fitting, key=lambda each: _distance(each, start)).allocation


def _source(view: resources.AllocationView) -> Source:
    active = view.state is resources.AllocationState.ACTIVE
    return Source(view.id.hex, view.unit, int(view.starts_at.timestamp()), int(view.ends_at.timestamp()), active)


def _distance(source: Source, start: int) -> tuple[int, bool, int, str]:
    away = max(source.since - start, start - source.until + 1, 0)
    return away, not source.active, source.until, source.allocation


NOTHING_MISSING: frozenset[LeftOut] = frozenset()
NOTHING_KEPT: Mapping[tuple[str, str], Charge] = MappingProxyType({})


class Reading:
    """A record as read now, whose it is, and what the same record charged before."""

    __slots__ = (
        *("before", "before_project", "charges", "first_month", "kept", "last_month", "missing", "project_id"),
        *("record", "refunded_permille"),
    )

    def __init__(
        self,
        record: Record,
        project_id: UUID | None,
        refunded_permille: int = 0,
        before: Sequence[Charge] = (),
        before_project: UUID | None = None,
    ) -> None:
        self.record, self.project_id, self.refunded_permille = record, project_id, refunded_permille
        self.before, self.before_project = before, before_project
        self.first_month = self.last_month = MONTHS.at(record.start)
        if record.end >= self.first_month.end:
            self.last_month = MONTHS.at(record.end)
        self.missing = NOTHING_MISSING
        self.charges: list[Charge] = []
        same = before if project_id == before_project else ()
        self.kept = {(charge.resource, charge.month): charge for charge in same} if same else NOTHING_KEPT

    def work_out(self, books: Books) -> None:
        """Fill ``charges``, and ``missing`` with why a part of the record is charged to nobody."""
        if self.project_id is None:
            self.missing |= {LeftOut.UNKNOWN_ACCOUNT}
        elif self.record.allocated.devices and self.record.allocated.devices.keys() - metering.units().keys():
            self.missing |= {LeftOut.NO_UNIT}
        if self.project_id is not None:
            self.charges = list(self._charges(self.project_id, books))
        if self.kept:
            found = {(charge.resource, charge.month) for charge in self.charges}
            # What is charged no more stays as nothing, so that its allocation is remembered.
            self.charges += [each._replace(amount=0) for key, each in self.kept.items() if key not in found]

    def _charges(self, project_id: UUID, books: Books) -> Iterator[Charge]:
        record, first = self.record, self.first_month.name
        permille = metering.policy().rule(record.state, record.start).projects_permille
        for resource, amount in metering.used(record).items():
            pays = metering.charged(amount, permille, self.refunded_permille)
            for month, part in self._by_month(pays):
                kept = self.kept.get((resource, month))
                start = record.start if month == first else MONTHS.start_of(month)
                source = kept.allocation if kept else books.source(project_id, resource, start)
                if source is None:
                    self.missing |= {LeftOut.NO_ALLOCATION}
                elif part or kept:
                    yield Charge(resource, month, source, part)

    def _by_month(self, amount: int) -> list[tuple[str, int]]:
        if self.first_month is self.last_month:
            return [(self.first_month.name, amount)] if amount else []
        return MONTHS.split_amount(self.record.start, self.record.end, amount)

    def lines(self, books: Books) -> Iterator[resources.UseLine]:
        """The uses to settle: new ones, those whose amount changed, and those that moved to another project."""
        if self.before_project not in (None, self.project_id):
            for charge in self.before:
                if charge.amount:
                    yield self._line(charge._replace(amount=0), self.before_project, books)
        for charge in self.charges:
            kept = self.kept.get((charge.resource, charge.month))
            if charge.amount != (kept.amount if kept else 0):
                yield self._line(charge, self.project_id, books)

    def _line(self, charge: Charge, project_id: UUID | None, books: Books) -> resources.UseLine:
        record, month = self.record, charge.month
        start, end = record.start, record.end
        detail: dict[str, object] = {"job": record.job_id, "state": record.state.value}
        if self.first_month is not self.last_month or month != self.first_month.name:
            first = MONTHS.start_of(month)
            start, end = max(start, first), max(first, min(end, MONTHS.start_of(metering.next_month(month)) - 1))
        if (booked := books.open_month(month)) != month:
            detail |= {"late_for": month, "ended_at": rfc3339(moment(end))}
            end = max(end, MONTHS.start_of(booked))
        return resources.UseLine(
            allocation_id=books.ids.get(charge.allocation) or UUID(hex=charge.allocation),
            amount=charge.amount,
            source_key=source_key(record, charge, project_id),
            started_at=moment(min(start, end)),
            ended_at=moment(end),
            detail=detail,
        )


class Bookings:
    """When uses are booked, within one transaction: no month is closed under it."""

    def __init__(self) -> None:
        self._books: Books | None = None

    def when(self, ended_at: datetime) -> tuple[datetime, dict[str, object]]:
        """When a use that ended then is booked, and what its entry keeps of the truth.

        At its end; when its month is closed, on the first day of the next open one, as late news of accounting.
        """
        month = MONTHS.at(int(ended_at.timestamp()))
        if month.end > now().timestamp():  # nobody can have closed it
            return ended_at, {}
        if self._books is None:
            audit.take_turn(CLOSING)
            self._books = Books.of((), Known())
        booked = self._books.open_month(month.name)
        if booked == month.name:
            return ended_at, {}
        return moment(MONTHS.start_of(booked)), {"late_for": month.name, "ended_at": rfc3339(ended_at)}


def totals(charges: Iterable[Charge]) -> dict[str, int]:
    """Charged amounts by resource."""
    found: dict[str, int] = {}
    for charge in charges:
        if charge.amount:
            found[charge.resource] = found.get(charge.resource, 0) + charge.amount
    return found


def source_key(record: Record, charge: Charge, project_id: UUID | None) -> str:
    """The identity of a use: one for each record, resource and month, of the project that pays."""
    payer = project_id.hex[-12:] if project_id else ""
    return f"sacct:{record.identity}:{charge.resource}:{charge.month}:{payer}"


def moment(seconds: int) -> datetime:
    """A moment of the accounting as a time."""
    return datetime.fromtimestamp(seconds, UTC)
