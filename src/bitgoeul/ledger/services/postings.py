"""Posting transfers: award, tranche, recall, reallocation, expiry, refund and corrections."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from bitgoeul.kernel import canonical, clock
from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.text import N_

from ..rules import (
    check_batch,
    check_memo,
    check_posting,
    check_zone,
    first_request_digest,
    in_order,
    same_request,
)
from ..types import PostingRequest, PostingView, Reason, TransferView
from .book import (
    Draft,
    apply,
    atomic_once_more,
    known_postings,
    lock,
    posting_views,
    refuse_other_content,
    write_postings,
)


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
    if len({request.id for request in postings}) != len(postings):
        raise BadInput(N_("The same id stands twice in one call."), field="id")
    sides = {side for request in postings for line in request.lines for side in (line.debit, line.credit)}
    changes, _ = lock(sides)
    known = _known(postings)
    drafts = (_draft(request) for request in postings if request.id not in known)
    fresh = write_postings(drafts, changes, actor=actor, recorded_at=clock.now())
    apply(changes)
    if not known:
        return fresh
    views = known | {view.id: view for view in fresh}
    return [views[request.id] for request in postings]


def _known(postings: Sequence[PostingRequest]) -> dict[UUID, PostingView]:
    """Those of the requests that are already posted; raises Conflict for one with other content."""
    digests = known_postings([request.id for request in postings])
    if not digests:
        return {}
    views, requests = posting_views(digests), {request.id: request for request in postings}

    def same(pk: UUID) -> bool:
        said = digests[pk]
        return said == first_request_digest(requests[pk]) if said else same_request(requests[pk], views[pk])

    refuse_other_content(digests, same)
    return views


def _draft(request: PostingRequest) -> Draft:
    reason = request.reason
    transfers = [
        TransferView(n, line.debit, line.credit, line.amount, reason) for n, line in enumerate(request.lines)
    ]
    return Draft(request.id, request.effective_at, request.memo, "", tuple(transfers))


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
    changes, balances = lock([debit, credit])
    if known := known_postings([id]):
        refuse_other_content(known, lambda pk: known[pk] == digest)
        return posting_views([id])[id]
    free = max(0, balances[debit].free)
    amount = free if at_most is None else min(free, at_most)
    if amount == 0:
        return None
    draft = Draft(id, effective_at, memo, digest, in_order((debit, credit, amount, reason)))
    (view,) = write_postings([draft], changes, actor=actor, recorded_at=clock.now())
    apply(changes)
    return view
