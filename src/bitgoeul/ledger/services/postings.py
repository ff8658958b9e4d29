"""Posting transfers: award, tranche, recall, reallocation, expiry, refund and corrections."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from bitgoeul.kernel import canonical, clock
from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.text import N_

from ..rules import Entry, check_batch, check_memo, check_posting, check_zone, request_digest
from ..types import PostingRequest, PostingView, Reason
from .book import Draft, apply, atomic_once_more, facts_of, known_postings, lock, posting_views, write_postings


@atomic_once_more
def post_many(*, postings: Sequence[PostingRequest], actor: str) -> list[PostingView]:
    """Make postings, all or nothing, and return them in their order.

    A posting whose id is already posted with the same content is returned as it stands. Raises Conflict (same
    id, other content), UnknownAccount, BadInput, InsufficientBalance (a limited account would go below what it
    holds).
    """
    check_batch(postings)
    for request in postings:
        check_posting(request)
    digests = {request.id: request_digest(request) for request in postings}
    if len(digests) != len(postings):
        raise BadInput(N_("The same id stands twice in one call."), field="id")
    sides = {side for request in postings for line in request.lines for side in (line.debit, line.credit)}
    facts = facts_of(sides)
    lock(facts.touched_by(sides))
    known = known_postings(digests)
    fresh = [request for request in postings if request.id not in known]
    drafts = [_draft(request, digests[request.id]) for request in fresh]
    apply(write_postings(drafts, facts, actor=actor, recorded_at=clock.now()))
    views = posting_views([request.id for request in postings])
    return [views[request.id] for request in postings]


def _draft(request: PostingRequest, digest: str) -> Draft:
    entries = [Entry(line.debit, line.credit, line.amount, request.reason) for line in request.lines]
    return Draft(request.id, request.effective_at, request.memo, digest, entries)


@atomic_once_more
def post_available(
    *,
    id: UUID,
    debit: UUID,
    credit: UUID,
    reason: Reason,
    actor: str,
    effective_at: datetime,
    at_most: int | None = None,
    memo: str = "",
) -> PostingView | None:
    """Move what is free on ``debit`` (``at_most`` of it) to ``credit``; None when nothing is free.

    What is held stays. The same id again gives the same posting, other content Conflict.
    """
    check_memo(memo)
    check_zone(effective_at, "effective_at")
    digest = canonical.digest(["available", str(debit), str(credit), str(at_most), str(reason), memo])
    facts = facts_of([debit, credit])
    row = lock(facts.touched_by({debit, credit}))[debit]
    if known_postings({id: digest}):
        return posting_views([id])[id]
    free = max(0, row.credits - row.debits - row.held)
    amount = free if at_most is None else min(free, at_most)
    if amount == 0:
        return None
    draft = Draft(id, effective_at, memo, digest, [Entry(debit, credit, amount, reason)])
    apply(write_postings([draft], facts, actor=actor, recorded_at=clock.now()))
    return posting_views([id])[id]
