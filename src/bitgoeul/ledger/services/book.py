"""What all writes share: locks in one order, conditional updates, postings with their audit event.

The database decides every race. A balance is only changed by an UPDATE that names its condition, and every write
locks its accounts before it reads anything else: on SQLite by the IMMEDIATE transaction, on PostgreSQL by SELECT
FOR UPDATE. So who repeats an id is answered with what the first one posted (reading before the lock, seven of
eight racers with one id were refused), and a refusal names the balance that caused it. Accounts are locked in the
order of their ids, so that two writers never wait for each other in a ring. The CHECK constraints stand behind it
all.

Everything here is done for thousands of postings at once: rows are tuples, and the number of statements of a call
grows by the chunk, not by the posting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import wraps
from itertools import islice
from typing import Any, NamedTuple, ParamSpec, TypeVar
from uuid import UUID

from django.db import IntegrityError, connection, transaction

from bitgoeul.audit import facade as audit
from bitgoeul.audit.facade import as_uuid, insert_rows, run_among, stored_time
from bitgoeul.kernel.errors import Conflict, LimitReached
from bitgoeul.kernel.ids import new_id
from bitgoeul.kernel.quantity import MAX_AMOUNT
from bitgoeul.kernel.text import N_

from ..models import Account, Posting, Transfer
from ..rules import (
    LAYOUT,
    POST,
    POST_BATCH,
    AccountInOverrun,
    Change,
    Changes,
    InsufficientBalance,
    UnknownAccount,
    digest_of,
    line_text,
    posting_text,
)
from ..types import PostingView, Reason, TransferView

P = ParamSpec("P")
R = TypeVar("R")
CHUNK = 500
ROWS = 2_000
# Bounds an event to about 25 kB.
EVENT_POSTINGS_MAX = 250


def atomic_once_more(service: Callable[P, R]) -> Callable[P, R]:
    """Run ``service`` in a transaction, and once more when another writer inserted the same id first.

    The second run finds the other's row and answers with it, or refuses. On SQLite writers come one by one and
    this never happens; on PostgreSQL two may insert the same key and one gets an IntegrityError.
    """

    @wraps(service)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with transaction.atomic():
                return service(*args, **kwargs)
        except IntegrityError:
            with transaction.atomic():
                return service(*args, **kwargs)

    return run


KNOWN = "SELECT id, request_digest FROM ledger_posting WHERE id {among}"
# With the accounts that cover these and that these cover: transfers change them too. One statement, so that all of
# them are locked in the one order; a UNION, for with an OR PostgreSQL would read every account.
LOCK = """
SELECT id, unit_id, covers_id, credits, debits, held, overrun FROM ledger_account WHERE id IN (
  SELECT id FROM ledger_account WHERE id {among}
  UNION SELECT id FROM ledger_account WHERE covers_id {among}
  UNION SELECT covers_id FROM ledger_account WHERE id {among} AND covers_id IS NOT NULL
) ORDER BY id
"""


def chunks(items: Sequence[R], size: int = CHUNK) -> list[Sequence[R]]:
    """``items`` in pieces that fit a statement's parameter limit."""
    return [items[start : start + size] for start in range(0, len(items), size)]


class Balance(NamedTuple):
    """The columns of a locked account."""

    credits: int
    debits: int
    held: int
    overrun: int

    @property
    def free(self) -> int:
        """What no hold claims."""
        return self.credits - self.debits - self.held


def lock(account_ids: Iterable[UUID]) -> tuple[Changes, dict[UUID, Balance]]:
    """Lock accounts and those that go with them, in the order of their ids; call inside a transaction only.

    Returns changes, none so far, and balances. Raises UnknownAccount.
    """
    wanted = set(account_ids)
    # SQLite's transaction is IMMEDIATE and holds every lock there is.
    wait = "FOR UPDATE" if connection.vendor == "postgresql" else ""
    changes, balances, covers = Changes(), dict[UUID, Balance](), dict[UUID, UUID]()
    for cell, unit, covered, *columns in run_among(LOCK + wait, wanted):
        pk = as_uuid(cell)
        changes.of(pk).unit, balances[pk] = unit, Balance(*columns)
        if covered:
            covers[pk] = as_uuid(covered)
    if missing := wanted - balances.keys():
        raise UnknownAccount(detail={"account": str(min(missing))})
    for pk, covered in covers.items():
        if covered.int in changes:
            one, other = changes.of(pk), changes.of(covered)
            one.covered, other.cover = other, one
    return changes, balances


# A limited account's free balance covers what the change takes, by a comparison that cannot overflow: SQLite would
# go over to floats beyond 64 bits without a word.
APPLY = """
WITH change (id, credits, debits, held, overrun, need, new_holds) AS ({changes})
UPDATE ledger_account SET
  credits = ledger_account.credits + change.credits, debits = ledger_account.debits + change.debits,
  held = ledger_account.held + change.held, overrun = ledger_account.overrun + change.overrun
FROM change WHERE ledger_account.id = change.id
  AND CASE WHEN ledger_account.limited AND change.need > 0
      THEN ledger_account.credits - ledger_account.debits - ledger_account.held >= change.need
      ELSE 1 = 1 END
  AND ledger_account.credits <= 9223372036854775807 - change.credits
  AND ledger_account.debits <= 9223372036854775807 - change.debits
  AND CASE WHEN change.held > 0 THEN ledger_account.held <= 9223372036854775807 - change.held
      ELSE ledger_account.held >= -change.held END
  AND CASE WHEN change.overrun > 0 THEN ledger_account.overrun <= 9223372036854775807 - change.overrun
      ELSE ledger_account.overrun >= -change.overrun END
  AND (change.new_holds = 0 OR ledger_account.overrun = 0)
RETURNING ledger_account.id
"""
UNNEST = """
SELECT * FROM unnest(
  %s::uuid[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::int[]
)
"""


def apply(changes: Changes, *, new_holds: frozenset[UUID] = frozenset()) -> None:
    """Write the changes by one conditional UPDATE a chunk; the caller has locked the accounts.

    ``new_holds`` names accounts that get new holds: those must have no overrun. Raises InsufficientBalance,
    AccountInOverrun or LimitReached (a column would leave 64 bits), for the first account that refuses; the
    caller's transaction ends then.
    """
    made = sorted((change for change in changes.values() if change.is_one), key=lambda change: change.id.int)
    for chunk in chunks(made):
        held = _update([_row(change, change.id in new_holds) for change in chunk])
        for change in chunk:
            if change.id not in held:
                raise _refusal(change, no_overrun=change.id in new_holds)


def _row(change: Change, no_overrun: bool) -> tuple[str | int, ...]:
    cells = (change.credits, change.debits, change.held, change.overrun, change.need)
    if max(cells) > MAX_AMOUNT or min(cells) < -MAX_AMOUNT:
        raise LimitReached(N_("The account cannot hold this amount."), field="amount")
    return (change.hex, *cells, int(no_overrun))


def _update(rows: Sequence[tuple[str | int, ...]]) -> set[UUID]:
    """Update the accounts whose condition holds, and return their ids."""
    if connection.vendor == "postgresql":
        values = UNNEST
        parameters: list[Any] = [list(column) for column in zip(*rows, strict=True)]
    else:
        values = f"VALUES {', '.join(['(%s, %s, %s, %s, %s, %s, %s)'] * len(rows))}"
        parameters = [cell for row in rows for cell in row]
    with connection.cursor() as cursor:
        cursor.execute(APPLY.replace("{changes}", values), parameters)
        return {as_uuid(row[0]) for row in cursor.fetchall()}


def _refusal(change: Change, *, no_overrun: bool) -> LimitReached | UnknownAccount:
    """Say why the conditional UPDATE found no row."""
    row = Account.objects.filter(pk=change.id).first()
    if row is None:
        return UnknownAccount(detail={"account": str(change.id)})
    detail: dict[str, object] = {"account": str(row.pk), "unit": row.unit_id}
    if no_overrun and row.overrun:
        return AccountInOverrun(field="amount", detail={**detail, "overrun": str(row.overrun)})
    available = row.credits - row.debits - row.held
    if row.limited and available < change.need:
        return InsufficientBalance(
            N_("{needed} are needed and {available} are left ({unit})."),
            field="amount",
            detail={**detail, "needed": str(change.need), "available": str(available)},
            needed=str(change.need),
            available=str(available),
            unit=row.unit_id,
        )
    return LimitReached(N_("The account cannot hold this amount."), field="amount", detail=detail)


class Draft(NamedTuple):
    """A posting about to be written; ``request_digest`` is empty when its rows say all that was asked for."""

    id: UUID
    effective_at: datetime
    memo: str
    request_digest: str
    transfers: tuple[TransferView, ...]


def known_postings(ids: Iterable[UUID]) -> dict[UUID, str]:
    """The request digests of those ids that are already posted, one query."""
    return {as_uuid(pk): digest for pk, digest in run_among(KNOWN, ids)}


def refuse_other_content(known: Mapping[UUID, str], same: Callable[[UUID], bool]) -> None:
    """Raise Conflict for a known id that was posted with other content."""
    for pk in known:
        if not same(pk):
            raise Conflict(field="id", detail={"posting": str(pk)})


POSTING = ("id", "batch", "effective_at", "recorded_at", "actor", "memo", "request_digest", "digest")
TRANSFER = ("posting", "line", "debit", "credit", "amount", "reason", "effective_at", "recorded_at")


def write_postings(
    drafts: Iterable[Draft], changes: Changes, *, actor: str, recorded_at: datetime
) -> list[PostingView]:
    """Insert postings, their transfers and the audit events that cover them.

    What they change is added to ``changes``, which know every account; the caller then lets the database decide by
    ``apply``.
    """
    views: list[PostingView] = []
    source = iter(drafts)
    while chunk := list(islice(source, ROWS)):
        rows = Rows(actor, recorded_at)
        for start in range(0, len(chunk), EVENT_POSTINGS_MAX):
            part = chunk[start : start + EVENT_POSTINGS_MAX]
            batch = new_id() if len(part) > 1 else None
            posted = [rows.add(draft, changes, batch) for draft in part]
            rows.events.append(_covering(posted, batch, actor))
            views += posted
        insert_rows(Posting, POSTING, rows.postings)
        insert_rows(Transfer, TRANSFER, rows.transfers)
        audit.record_many(rows.events)
    return views


class Rows:
    """The rows of some postings, each account named by the digits that its change has at hand."""

    def __init__(self, actor: str, recorded_at: datetime) -> None:
        self.actor, self.recorded_at, self.recorded = actor, recorded_at, stored_time(recorded_at)
        self.postings: list[tuple[str | None, ...]] = []
        self.transfers: list[tuple[str | int, ...]] = []
        self.events: list[audit.EventDraft] = []

    def add(self, draft: Draft, changes: Changes, batch: UUID | None) -> PostingView:
        """Add a posting and what it changes."""
        id, effective_at, memo, asked, transfers = draft
        key, effective, recorded = id.hex, stored_time(effective_at), self.recorded
        lines = []
        for line, debit_id, credit_id, amount, reason in transfers:
            debit, credit = changes.move(debit_id, credit_id, amount)
            why = reason.value
            lines.append(line_text(debit, credit, amount, why))
            self.transfers.append((key, line, debit, credit, amount, why, effective, recorded))
        digest = digest_of(posting_text(key, effective_at, self.recorded_at, self.actor, memo), lines)
        covered = batch.hex if batch else None
        self.postings.append((key, covered, effective, recorded, self.actor, memo, asked, digest))
        return PostingView(id, effective_at, self.recorded_at, self.actor, memo, digest, transfers)


def _covering(views: Sequence[PostingView], batch: UUID | None, actor: str) -> audit.EventDraft:
    """The audit event that covers the postings: of a batch, or of the only one."""
    said: dict[str, object]
    if batch is None:
        (view,) = views
        said = {"digest": view.digest, "transfers": len(view.transfers), "layout": LAYOUT}
        return audit.EventDraft(POST, "posting", str(view.id), actor, after=said)
    said = {"digests": batch_text(views), "postings": len(views), "layout": LAYOUT}
    return audit.EventDraft(POST_BATCH, "posting_batch", str(batch), actor, after=said)


def batch_text(views: Iterable[PostingView]) -> str:
    """The postings of a batch as its audit event names them: ``<id>:<digest>``, in their order, between commas."""
    return ",".join([f"{view.id.hex}:{view.digest}" for view in views])


def posting_views(ids: Iterable[UUID]) -> dict[UUID, PostingView]:
    """Postings with their transfers as they are stored, by id, two queries a chunk; unknown ids are left out."""
    views: dict[UUID, PostingView] = {}
    for chunk in chunks(list(ids)):
        lines: dict[UUID, list[TransferView]] = {}
        for row in Transfer.objects.filter(posting_id__in=chunk).order_by("posting_id", "line"):
            view = TransferView(row.line, row.debit_id, row.credit_id, row.amount, Reason(row.reason))
            lines.setdefault(row.posting_id, []).append(view)
        for posting in Posting.objects.filter(pk__in=chunk):
            views[posting.pk] = PostingView(
                id=posting.pk,
                effective_at=posting.effective_at,
                recorded_at=posting.recorded_at,
                actor=posting.actor,
                memo=posting.memo,
                digest=posting.digest,
                transfers=tuple(lines.get(posting.pk, ())),
            )
    return views
