"""Many at once: as few statements as chunks, the same outcome as one by one, and every tampering still found."""

from __future__ import annotations

from datetime import timedelta
from math import ceil

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bitgoeul.audit import facade as audit
from bitgoeul.audit.models import Event
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import BadInput, Conflict, DomainError
from bitgoeul.kernel.ids import new_id
from bitgoeul.ledger import facade as ledger
from bitgoeul.ledger.facade import InsufficientBalance, Reason
from bitgoeul.ledger.models import Posting, Transfer
from bitgoeul.ledger.rules import posting_digest
from bitgoeul.ledger.services.book import EVENT_POSTINGS_MAX, ROWS
from ledger.book import ACTOR, open_book
from tampering import without_triggers

pytestmark = pytest.mark.django_db
STATEMENTS = 14


def award(book, amount=1, **changes):
    line = ledger.TransferLine(book.supply, book.account, amount)
    return ledger.PostingRequest(**{
        "id": new_id(), "lines": [line], "reason": Reason.AWARD, "effective_at": now(), **changes,
    })  # fmt: skip


def spend(book, amount):
    line = ledger.TransferLine(book.account, book.used, amount)
    return ledger.PostingRequest(new_id(), [line], Reason.USE, now())


def checks() -> set[tuple[str, str]]:
    found = {(finding.check, finding.subject) for finding in ledger.verify().findings}
    return {pair for pair in found if pair[0] != "append_only"}


@pytest.mark.parametrize("count", [1, 400, ROWS + 1])
def test_postings_take_statements_by_the_chunk(count):
    book = open_book()
    with CaptureQueriesContext(
        connection,
    ) as seen:
        ledger.post_many(postings=[award(book) for _ in range(count)], actor=ACTOR)
    assert len(seen) <= STATEMENTS * ceil(count / ROWS)


@pytest.mark.parametrize("count", [10, 600])
def test_settlements_of_many_accounts_take_statements_by_the_chunk(count):
    books = [open_book() for _ in range(5)]
    ledger.post_many(postings=[award(book, 10_000) for book in books], actor=ACTOR)
    holds = [
        ledger.HoldRequest(new_id(), books[n % 5].account, 2, now() + timedelta(hours=1)) for n in range(count)
    ]
    with CaptureQueriesContext(connection) as seen:
        ledger.hold_many(holds=holds, actor=ACTOR)
        lines = [books[n % 5].request(1, holds[n].id) for n in range(count)]
        ledger.settle_many(lines=lines, actor=ACTOR)
    assert len(seen) <= 2 * STATEMENTS + 4 * ceil(count / 500)
    assert checks() == set()


def test_accounts_open_in_bulk_once_and_covered_ones_first():
    covered, cover = new_id(), new_id()
    shapes = [
        ledger.NewAccount(cover, "core_ms", "test", "1", ledger.Purpose.OVERRUN, False, covered),
        ledger.NewAccount(covered, "core_ms", "test", "1", ledger.Purpose.ALLOCATION, True),
    ]
    with CaptureQueriesContext(connection) as seen:
        assert ledger.open_accounts(accounts=shapes, actor=ACTOR) == [cover, covered]
    assert len(seen) <= STATEMENTS
    assert ledger.open_accounts(accounts=shapes, actor=ACTOR) == [cover, covered]
    assert Event.objects.filter(verb="ledger.open_account").count() == 2
    with pytest.raises(Conflict):
        ledger.open_accounts(accounts=[shapes[1]._replace(limited=False)], actor=ACTOR)
    with pytest.raises(BadInput):
        ledger.open_accounts(accounts=[shapes[1]] * 2, actor=ACTOR)


def use_of(amounts, book, holds):
    return [book.request(amount, hold) for amount, hold in zip(amounts, holds, strict=True)]


def outcome(work):
    try:
        with transaction.atomic():
            return [tuple(view)[1:] for view in work()]
    except DomainError as error:
        return error.code


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    room=st.integers(1, 400),
    uses=st.lists(st.tuples(st.integers(0, 120), st.none() | st.integers(1, 60)), min_size=1, max_size=8),
)
def test_settling_at_once_is_settling_one_by_one(room, uses):
    results = []
    for at_once in (True, False):
        book = open_book()
        book.award(room)
        holds = []
        for _, held in uses:
            free = book.view().available
            holds.append(book.hold(min(held, free)).id if held and free else None)
        lines = use_of([amount for amount, _ in uses], book, holds)
        parts = [lines] if at_once else [[line] for line in lines]
        views = [view[1:] for part in parts for view in ledger.settle_many(lines=part, actor=ACTOR)]
        used = ledger.accounts([book.used])[book.used]
        balance = book.view()
        results.append((views, balance.available, balance.held, balance.overrun, used.balance))
    assert results[0] == results[1]
    assert {check for check, _ in checks()} == set()


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(room=st.integers(1, 200), amounts=st.lists(st.integers(-1, 120), min_size=1, max_size=8))
def test_posting_at_once_is_refused_when_one_by_one_is(room, amounts):
    results = []
    for at_once in (True, False):
        book = open_book()
        book.award(room)
        requests = [spend(book, amount) for amount in amounts]
        parts = [requests] if at_once else [[request] for request in requests]

        def work(parts=parts):
            return [
                (view.id, *view.transfers)
                for part in parts
                for view in ledger.post_many(postings=part, actor=ACTOR)
            ]

        said = outcome(work)
        amounts_of = said if isinstance(said, str) else [transfer[0].amount for transfer in said]
        results.append((amounts_of, book.view().available))
    # Which fault is named may differ: one by one an earlier posting may lack balance before a later one is bad.
    assert isinstance(results[0][0], str) == isinstance(results[1][0], str)
    assert results[0][1] == results[1][1]
    if not isinstance(results[0][0], str):
        assert results[0] == results[1]


def test_a_refused_batch_names_the_first_account_that_lacks():
    rich, poor = open_book(), open_book()
    rich.award(100)
    poor.award(5)
    with pytest.raises(InsufficientBalance) as caught:
        ledger.post_many(postings=[spend(rich, 50), spend(poor, 6)], actor=ACTOR)
    assert caught.value.detail["account"] == str(poor.account)
    assert (rich.view().available, poor.view().available) == (100, 5)


def test_a_batch_repeated_answers_the_same_and_other_content_is_a_conflict():
    book = open_book()
    requests = [award(book, n + 1) for n in range(EVENT_POSTINGS_MAX + 5)]
    first = ledger.post_many(postings=requests, actor=ACTOR)
    assert ledger.post_many(postings=[*requests, award(book)], actor=ACTOR)[:-1] == first
    for changes in (
        {"lines": [ledger.TransferLine(book.supply, book.account, 9)]},
        {"reason": Reason.REFUND},
        {"memo": "other"},
        {"effective_at": requests[0].effective_at + timedelta(microseconds=1)},
        {"lines": [*requests[0].lines, ledger.TransferLine(book.supply, book.account, 9)]},
    ):
        with pytest.raises(Conflict):
            ledger.post_many(postings=[award(book, 1, id=requests[0].id, **changes)], actor=ACTOR)
    with pytest.raises(Conflict):
        ledger.settle_many(lines=[book.request(1, id=requests[0].id)], actor=ACTOR)
    assert checks() == set()


def test_half_a_surrogate_pair_is_refused_by_field():
    with pytest.raises(BadInput) as caught:
        ledger.post_many(postings=[award(open_book(), memo="\ud800")], actor=ACTOR)
    assert caught.value.field == "memo"


@pytest.fixture
def batch():
    """Three postings that share one event."""
    book = open_book()
    book.award(5)
    return ledger.post_many(postings=[award(book, n + 1, memo=str(n)) for n in range(3)], actor=ACTOR)


def test_postings_of_a_batch_share_one_event(batch):
    events = Event.objects.filter(verb="ledger.post_batch")
    assert [event.after["postings"] for event in events] == [3]
    assert Posting.objects.filter(batch__isnull=False).count() == 3
    assert checks() == set()
    assert audit.verify().ok


def test_a_changed_posting_of_a_batch_is_named(batch):
    without_triggers("ledger_posting", "ledger_transfer")
    Posting.objects.filter(pk=batch[1].id).update(memo="other")
    assert checks() == {("posting", str(batch[1].id))}


def test_a_changed_posting_whose_own_digest_was_made_to_agree_is_named(batch):
    without_triggers("ledger_posting", "ledger_transfer")
    view = batch[1]
    forged = posting_digest(
        posting_id=view.id,
        effective_at=view.effective_at,
        recorded_at=view.recorded_at,
        actor=view.actor,
        memo="other",
        transfers=view.transfers,
    )
    Posting.objects.filter(pk=view.id).update(memo="other", digest=forged)
    assert checks() == {("posting", str(view.id))}


def test_a_removed_posting_of_a_batch_is_named(batch):
    without_triggers("ledger_posting", "ledger_transfer")
    Transfer.objects.filter(posting_id=batch[1].id).delete()
    Posting.objects.filter(pk=batch[1].id).delete()
    assert ("posting_gone", str(batch[1].id)) in checks()


@pytest.mark.parametrize("other", ["none", "another batch", "a batch that is not"])
def test_a_posting_taken_out_of_its_batch_is_named(batch, other):
    second = ledger.post_many(postings=[award(open_book()) for _ in range(2)], actor=ACTOR)
    there = Posting.objects.get(pk=second[0].id).batch
    without_triggers("ledger_posting", "ledger_transfer")
    into = {"none": None, "another batch": there, "a batch that is not": new_id()}[other]
    Posting.objects.filter(pk=batch[0].id).update(batch=into)
    assert checks() == {("posting_gone", str(batch[0].id)), ("audit_event", str(batch[0].id))}


def test_a_posting_smuggled_into_a_batch_is_named(batch):
    row = Posting.objects.get(pk=batch[0].id)
    smuggled = Posting(
        id=new_id(), batch=row.batch, effective_at=now(), recorded_at=now(), actor=ACTOR, digest=row.digest
    )
    Posting.objects.bulk_create([smuggled])
    assert checks() == {("audit_event", str(smuggled.pk))}


def test_a_removed_event_of_a_batch_is_noticed(batch):
    without_triggers("audit_event")
    Event.objects.filter(verb="ledger.post_batch").update(verb="other")
    assert checks() == {("audit_event", str(view.id)) for view in batch}


@pytest.mark.parametrize(("column", "value"), [("after", {"digests": "x:y,:"}), ("subject_id", "no id")])
def test_an_event_of_a_batch_changed_into_nonsense_covers_nothing(batch, column, value):
    without_triggers("audit_event")
    Event.objects.filter(verb="ledger.post_batch").update(**{column: value})
    assert {("audit_event", str(view.id)) for view in batch} <= checks()
