"""Usage records become ledger entries, each record once; a changed record becomes a correction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from bitgoeul.audit import facade as audit
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import BadInput, Conflict
from bitgoeul.kernel.ids import derive
from bitgoeul.kernel.text import N_
from bitgoeul.ledger import facade as ledger
from bitgoeul.ledger.facade import Reason

from .models import Allocation, Usage
from .queries import usage
from .services import locked
from .sums import add_up
from .types import Entry, UsageView, UseLine

KEY_LENGTH_MAX = 200


def _new_entry(line: UseLine, revision: int, change: int) -> Entry:
    return Entry(line, revision, change, derive("resources.use", line.source_key, revision))


@transaction.atomic
def settle_use(*, lines: Sequence[UseLine], actor: str) -> list[UsageView]:
    """Charge what was used, all or nothing, and return the records as they stand, in their order.

    A new source key is settled against its hold, then the free balance, then the overrun account. A known key
    with the same amount changes nothing; with another amount the difference is posted as a correction. A use is
    never refused for want of balance; what becomes free pays an overrun first. Raises NotFound, BadInput, and
    Conflict for a key of another allocation.
    """
    _check(lines)
    keys = [line.source_key for line in lines]
    rows = locked(line.allocation_id for line in lines)
    known = usage(keys)
    entries = [entry for line in lines if (entry := _entry(line, known.get(line.source_key)))]
    charged = [entry for entry in entries if entry.revision == 0 or entry.change > 0]
    returned = [entry for entry in entries if entry.revision > 0 and entry.change < 0]
    if charged:
        ledger.settle_many(lines=[_request(entry, rows) for entry in charged], actor=actor)
    if returned:
        ledger.give_back_many(lines=[_request(entry, rows) for entry in returned], actor=actor)
    account_ids = [row.account_id for row in rows.values()]
    ledger.clear_overruns(account_ids=account_ids, actor=actor)
    recorded_at, units = now(), {pk: view.unit for pk, view in ledger.accounts(account_ids).items()}
    written = [_written(entry, units[rows[entry.line.allocation_id].account_id], recorded_at) for entry in entries]
    audit.insert_rows(Usage, USAGE, [_row(view) for view in written])
    add_up(entries)
    found = {**known, **{view.source_key: view for view in written}}
    return [found[key] for key in keys]


def _check(lines: Sequence[UseLine]) -> None:
    keys = {line.source_key for line in lines}
    if len(keys) != len(lines):
        raise BadInput(N_("The same source record stands twice in one call."), field="source_key")
    for line in lines:
        if not 0 < len(line.source_key) <= KEY_LENGTH_MAX:
            raise BadInput(
                N_("A source key has from 1 to {limit} characters."), field="source_key", limit=KEY_LENGTH_MAX
            )
        if line.ended_at < line.started_at:
            raise BadInput(N_("A use ends after it starts."), field="ended_at")


def _entry(line: UseLine, known: UsageView | None) -> Entry | None:
    if known is None:
        return _new_entry(line, 0, line.amount)
    if known.allocation_id != line.allocation_id:
        raise Conflict(N_("This record was charged to another allocation."), field="source_key")
    if known.amount == line.amount:
        return None
    return _new_entry(line, known.revision + 1, line.amount - known.amount)


def _request(entry: Entry, rows: Mapping[UUID, Allocation]) -> ledger.SettleRequest:
    row = rows[entry.line.allocation_id]
    return ledger.SettleRequest(
        posting_id=entry.posting_id,
        account_id=row.account_id,
        used_account_id=row.used_account_id,
        amount=abs(entry.change),
        effective_at=entry.line.ended_at,
        hold_id=entry.line.hold_id if entry.revision == 0 else None,
        reason=Reason.USE if entry.revision == 0 else Reason.CORRECTION,
        memo=str(entry.line.detail.get("name", entry.line.source_key))[:200],
    )


def _written(entry: Entry, unit: str, recorded_at: datetime) -> UsageView:
    line = entry.line
    return UsageView(
        id=derive("resources.usage", line.source_key, entry.revision),
        source_key=line.source_key,
        revision=entry.revision,
        allocation_id=line.allocation_id,
        unit=unit,
        amount=line.amount,
        posting_id=entry.posting_id,
        started_at=line.started_at,
        ended_at=line.ended_at,
        recorded_at=recorded_at,
        detail=dict(line.detail),
    )


USAGE = (
    *("id", "source_key", "revision", "allocation", "amount", "posting_id"),
    *("started_at", "ended_at", "recorded_at", "detail"),
)


def _row(view: UsageView) -> tuple[str | int | None, ...]:
    times = (view.started_at, view.ended_at, view.recorded_at)
    return (
        *(view.id.hex, view.source_key, view.revision, view.allocation_id.hex, view.amount, view.posting_id.hex),
        *map(audit.stored_time, times),
        audit.stored_json(view.detail),
    )
