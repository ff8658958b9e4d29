"""Taking a cluster's accounting into the books: records, their charges and the sums by day, in one transaction.

Each record is taken in once; read again unchanged it changes nothing, changed it becomes correction entries. A
running record accrues and is replaced. Batches of one cluster follow each other, for each locks the cluster's row.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from itertools import islice
from operator import add
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q

from bitgoeul.accounts import facade as accounts
from bitgoeul.audit import facade as audit
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import BadInput, Conflict, NotFound
from bitgoeul.kernel.ids import derive
from bitgoeul.kernel.text import N_
from bitgoeul.resources import facade as resources

from .. import metering
from ..metering import LeftOut, Record, RecordState, Tres
from ..models import ClosedMonth, Job, MeteredCluster, MeteredRecord
from ..ports import SCHEDULER_NUMBER, SCHEDULER_NUMBERS
from ..states import UNFINISHED
from .charging import CLOSING, DAYS, MONTHS, Books, Charge, Known, Reading, totals

BATCH = 1_000
CHUNK = 500
REASON_MAX = 200
COLUMNS = (
    *("id", "cluster", "raw_id", "job_id", "account", "project", "state", "submit", "start", "end", "elapsed"),
    *("final", "cores_milli", "memory_mib", "nodes", "devices", "requested", "digest", "revision", "charges"),
    *("is_settled", "refunded_permille"),
)
CHANGING = tuple(name for name in COLUMNS if name not in {"id", "cluster", "raw_id", "submit", "start"})
INTO = ("id", "day", "cluster_id", "project_id", "resource", *metering.FIELDS)
SUMS = ", ".join(f"{name} = compute_dayuse.{name} + excluded.{name}" for name in metering.FIELDS)
ADD = (
    f"INSERT INTO compute_dayuse ({', '.join(INTO)}) VALUES ({', '.join(['%s'] * len(INTO))})"  # noqa: S608
    f" ON CONFLICT (id) DO UPDATE SET {SUMS}"
)


@dataclass
class Ingested:
    """What became of the records: counts of records, and of the uses that were charged or corrected."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    entries: int = 0
    left_out: Counter[LeftOut] = field(default_factory=Counter)

    def add(self, other: Ingested) -> None:
        """Take in the counts of a batch."""
        self.new += other.new
        self.changed += other.changed
        self.unchanged += other.unchanged
        self.entries += other.entries
        self.left_out += other.left_out


def ingest(*, actor: accounts.Actor, cluster: str, records: Iterable[Record]) -> Ingested:
    """Take records of a cluster in, BATCH a transaction; what was taken in before changes nothing.

    A record whose account is no project's is metered under none and charged to nobody, and charged when it is read
    again after the project came to be; so is a part without an allocation. Jobs of this platform are left out.
    Stopped in between, reading the same again goes on.
    """
    if not actor.is_system:
        raise BadInput(N_("The accounting of a cluster is taken in by the platform itself."))
    MeteredCluster.objects.get_or_create(pk=cluster)
    done, source, known = Ingested(), iter(records), Known()
    while batch := list(islice(source, BATCH)):
        done.add(_take_in(cluster, batch, actor, known))
    return done


@transaction.atomic
def _take_in(cluster: str, records: Sequence[Record], actor: accounts.Actor, known: Known) -> Ingested:
    _lock(cluster)
    done = Ingested()
    projects = accounts.projects_by_number({metering.project_number(each.account) for each in records})
    newest = _newest(records, own_jobs(records, projects), done)
    rows = rows_of(newest)
    readings: list[tuple[UUID, str, Reading, MeteredRecord | None]] = []
    for pk, record in newest.items():
        row, project_id = rows.get(pk), projects.get(metering.project_number(record.account))
        digest = _digest(record)
        if row is not None and row.is_settled and row.digest == digest and row.project_id == project_id:
            done.unchanged += 1
        elif row is not None and row.digest != digest and not record.replaces(record_of(row)):
            done.left_out[LeftOut.REPEATED] += 1
        else:
            readings.append((pk, digest, _reading(record, project_id, row), row))
    _book(cluster, readings, done, actor, known)
    return done


def _lock(cluster: str) -> None:
    if not MeteredCluster.objects.select_for_update().filter(pk=cluster).exists():
        raise NotFound()
    MeteredCluster.objects.filter(pk=cluster).update(read_at=now())


def own_jobs(records: Sequence[Record], projects: Mapping[str, UUID]) -> dict[str, Job]:
    """Jobs that this platform submitted for the project they are accounted to, by the identity of the record.

    A comment is the user's to write: naming somebody else's job, none that there is, or one that ran under
    another number of the scheduler frees nobody.
    """
    named = {each.identity: id for each in records if each.comment and (id := metering.own_job(each.comment))}
    if not named:
        return {}
    jobs = _named_jobs(set(named.values()))
    return {
        each.identity: job
        for each in records
        if each.identity in named
        and (job := jobs.get(named[each.identity])) is not None
        and job.project_id == projects.get(metering.project_number(each.account))
        and (job.state in UNFINISHED or each.raw_id in _numbers(job))
    }


# Of a job what says whose it is, and what its supervisor told.
OF_A_JOB = (
    *("project_id", "state", "environment", "sweep_id", "sweep_index"),
    *("started_at", "ended_at", "charged", "measured"),
)


def _numbers(job: Job) -> set[str]:
    """The numbers that a job ever had at its scheduler: it may have been put in the queue several times."""
    told = job.environment
    return {told.get(SCHEDULER_NUMBER, ""), *told.get(SCHEDULER_NUMBERS, "").split(",")} - {""}


def _named_jobs(names: set[str]) -> dict[str, Job]:
    """Jobs by what a comment may call them: their id, or their sweep's with their index in it."""
    ids = {UUID(name) for name in names if "_" not in name}
    sweeps = {UUID(name.partition("_")[0]) for name in names if "_" in name}
    rows = Job.objects.filter(Q(pk__in=ids) | Q(sweep_id__in=sweeps))
    found = {}
    for row in rows.only(*OF_A_JOB):
        found[str(row.pk)] = found[f"{row.sweep_id}_{row.sweep_index}"] = row
    return found


def _newest(records: Sequence[Record], own: Collection[str], done: Ingested) -> dict[UUID, Record]:
    """Of each record the reading that says most, by the id of its row."""
    found: dict[UUID, Record] = {}
    for record in records:
        if own and record.identity in own:
            done.left_out[LeftOut.OWN_JOB] += 1
            continue
        pk = record_id(record)
        other = found.get(pk)
        if other is None or record.replaces(other):
            found[pk] = record
        done.left_out[LeftOut.REPEATED] += other is not None
    done.left_out += Counter()
    return found


def record_id(record: Record) -> UUID:
    """The id of the record's row."""
    return derive("compute.metered", record.identity)


def rows_of(ids: Iterable[UUID]) -> dict[UUID, MeteredRecord]:
    """What the books hold of records, by the ids derived from their identities."""
    wanted, found = list(ids), dict[UUID, MeteredRecord]()
    for start in range(0, len(wanted), CHUNK):
        found |= MeteredRecord.objects.in_bulk(wanted[start : start + CHUNK])
    return found


def _reading(record: Record, project_id: UUID | None, row: MeteredRecord | None) -> Reading:
    if row is None:
        return Reading(record, project_id)
    return Reading(
        record, project_id, row.refunded_permille, [Charge(*each) for each in row.charges], row.project_id
    )


def _book(
    cluster: str,
    readings: Sequence[tuple[UUID, str, Reading, MeteredRecord | None]],
    done: Ingested,
    actor: accounts.Actor,
    known: Known,
) -> None:
    """Charge what is new or changed, add to the days, keep the rows, and record it as one event."""
    books = Books.of({each.project_id for _pk, _digest, each, _row in readings if each.project_id}, known)
    lines: list[resources.UseLine] = []
    sums: dict[str, metering.Sums] = {}
    fresh: list[tuple[str | int | bool | None, ...]] = []
    changed: list[MeteredRecord] = []
    for pk, digest, reading, row in readings:
        reading.work_out(books)
        done.left_out.update(reading.missing)
        own_lines = list(reading.lines(books))
        if row is None:
            fresh.append(_cells(pk, cluster, digest, reading))
        elif row.digest == digest and row.project_id == reading.project_id and not own_lines:
            done.unchanged += 1
            continue
        else:
            _add(sums, record_of(row), row.project_id, totals(reading.before), -1)
            changed.append(_changed(row, digest, reading))
        lines += own_lines
        _add(sums, reading.record, reading.project_id, totals(reading.charges), 1)
    if not fresh and not changed:
        return
    if lines:
        resources.settle_use(lines=lines, actor=actor.id)
    audit.insert_rows(MeteredRecord, COLUMNS, fresh)
    if changed:
        MeteredRecord.objects.bulk_update(changed, CHANGING, batch_size=20)
    _write(cluster, books, sums)
    done.new += len(fresh)
    done.changed += len(changed)
    done.entries += len(lines)
    audit.record(
        verb="compute.ingest",
        subject_kind="cluster",
        subject_id=cluster,
        actor=actor.id,
        after={"new": len(fresh), "changed": len(changed), "digest": _digest_of(readings)},
    )


def _add(
    sums: dict[str, metering.Sums], record: Record, project_id: UUID | None, charges: Mapping[str, int], sign: int
) -> None:
    project = project_id.hex if project_id else ""
    metering.add_to_days(sums.setdefault(project, {}), record, DAYS, charges, sign)


def _write(cluster: str, books: Books, sums: Mapping[str, metering.Sums]) -> None:
    rows: dict[tuple[str, str, str], list[int]] = {}
    for project, days in sums.items():
        for day, cells in days.items():
            booked = books.booked_day(day) if books.closed else day
            for resource, added in cells.items():
                key = (booked, project, resource)
                known = rows.get(key)
                rows[key] = added if known is None else [*map(add, known, added)]
    # In the order of their ids, so that nobody waits in a circle.
    ordered = sorted(
        (_day_id(day, cluster, project, resource), day, cluster, project or None, resource, *added)
        for (day, project, resource), added in rows.items() if any(added)
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.executemany(ADD, ordered)


@lru_cache(maxsize=65536)
def _day_id(day: str, cluster: str, project: str, resource: str) -> str:
    return derive("compute.day_use", day, cluster, project, resource).hex


def _cells(pk: UUID, cluster: str, digest: str, reading: Reading) -> tuple[str | int | bool | None, ...]:
    record, held = reading.record, reading.record.allocated
    project = reading.project_id.hex if reading.project_id else None
    return (
        *(pk.hex, cluster, record.raw_id, record.job_id[:80], record.account[:120], project, str(record.state)),
        *(record.submit, record.start, record.end, record.elapsed, record.final, held.cores_milli),
        *(held.memory_mib, held.nodes, _json(held.devices), _asked_json(record.requested)),
        *(digest, 0, audit.stored_json(reading.charges), not reading.missing, reading.refunded_permille),
    )


def _changed(row: MeteredRecord, digest: str, reading: Reading) -> MeteredRecord:
    record, held = reading.record, reading.record.allocated
    values = {
        "job_id": record.job_id[:80],
        "account": record.account[:120],
        "project_id": reading.project_id,
        "state": str(record.state),
        "end": record.end,
        "elapsed": record.elapsed,
        "final": record.final,
        "cores_milli": held.cores_milli,
        "memory_mib": held.memory_mib,
        "nodes": held.nodes,
        "devices": dict(held.devices),
        "requested": _asked(record.requested),
        "digest": digest,
        "revision": row.revision + 1,
        "charges": [list(charge) for charge in reading.charges],
        "is_settled": not reading.missing,
        "refunded_permille": reading.refunded_permille,
    }
    changed = MeteredRecord(
        pk=row.pk, cluster_id=row.cluster_id, raw_id=row.raw_id, submit=row.submit, start=row.start
    )
    for name, value in values.items():
        setattr(changed, name, value)
    return changed


def _asked(asked: Tres) -> dict[str, object]:
    return {"cores_milli": asked.cores_milli, "memory_mib": asked.memory_mib, "devices": dict(asked.devices)}


def _asked_json(asked: Tres) -> str:
    numbers = f'"cores_milli": {asked.cores_milli}, "memory_mib": {asked.memory_mib}'
    return f'{{{numbers}, "devices": {_json(asked.devices)}}}'


def _json(devices: Mapping[str, int]) -> str:
    return json.dumps(dict(devices)) if devices else "{}"


def record_of(row: MeteredRecord) -> Record:
    """The record as it was read last."""
    return Record(
        cluster=row.cluster_id,
        raw_id=row.raw_id,
        job_id=row.job_id,
        account=row.account,
        user="",
        state=RecordState(row.state),
        submit=row.submit,
        start=row.start,
        end=row.end,
        elapsed=row.elapsed,
        final=row.final,
        allocated=Tres(row.cores_milli, row.memory_mib, row.nodes, row.devices),
        requested=Tres(),
    )


def _digest(record: Record) -> str:
    """The SHA-256 of what was read, as far as it counts."""
    held = record.allocated
    told = (
        *(record.account, str(record.state), record.end, record.elapsed, record.final),
        *(held.cores_milli, held.memory_mib, held.nodes, sorted(held.devices.items())),
    )
    return sha256(repr(told).encode()).hexdigest()


def _digest_of(readings: Sequence[tuple[UUID, str, Reading, MeteredRecord | None]]) -> str:
    return sha256("".join(f"{pk.hex}{digest}" for pk, digest, _reading, _row in readings).encode()).hexdigest()


@transaction.atomic
def refund(*, actor: accounts.Actor, record_id: UUID, permille: int, reason: str) -> None:
    """Give back thousandths of what a metered record's project pays for it; 0 takes a refund back.

    The difference becomes correction entries, and the refund holds for later readings of the record too. Raises
    NotFound, BadInput.
    """
    if not actor.is_system:
        raise BadInput(N_("Refunds are made by the platform itself."))
    reason = " ".join(reason.split())
    if not 0 <= permille <= metering.PERMILLE or not 0 < len(reason) <= REASON_MAX:
        raise BadInput(N_("A refund is from 0 to 1000 thousandths and has a reason."), field="permille")
    found = MeteredRecord.objects.filter(pk=record_id).first()
    if found is None:
        raise NotFound()
    _lock(found.cluster_id)
    row = MeteredRecord.objects.get(pk=record_id)
    reading = _reading(record_of(row), row.project_id, row)
    reading.refunded_permille = permille
    audit.record(
        verb="compute.refund",
        subject_kind="metered_record",
        subject_id=str(record_id),
        actor=actor.id,
        before={"permille": row.refunded_permille},
        after={"permille": permille, "reason": reason},
    )
    _book(row.cluster_id, [(row.pk, row.digest, reading, row)], Ingested(), actor, Known())


@transaction.atomic
def close_month(*, actor: accounts.Actor, month: str) -> None:
    """Close a month of the site's zone (``2026-10``): its sums stay, later news enters the next open one.

    Raises BadInput for a month that is none or not over, and Conflict for one that is closed.
    """
    if not actor.is_system:
        raise BadInput(N_("Months are closed by the platform itself."))
    try:
        end = MONTHS.start_of(metering.next_month(month))
    except ValueError:
        raise BadInput(N_("Write a month as 2026-10."), field="month") from None
    if len(month) != len("2026-10") or end > now().timestamp():
        raise BadInput(N_("Only a month that is over can be closed."), field="month")
    audit.take_turn(CLOSING)  # a portal job that ends meanwhile is booked before it or after it
    # Every cluster: a batch that is being taken in ends first, and the next one sees the month closed.
    list(MeteredCluster.objects.select_for_update().order_by("pk"))
    if ClosedMonth.objects.filter(pk=month).exists():
        raise Conflict(N_("The month is closed already."), field="month")
    ClosedMonth.objects.create(pk=month, closed_by=actor.id)
    audit.record(verb="compute.close_month", subject_kind="month", subject_id=month, actor=actor.id)
