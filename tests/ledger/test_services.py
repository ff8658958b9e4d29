"""Transfers, holds, overruns, corrections, statements; and what verify finds."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction

from bitgoeul.audit import facade as audit
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import BadInput, Conflict, LimitReached
from bitgoeul.kernel.ids import new_id
from bitgoeul.ledger import facade as ledger
from bitgoeul.ledger.facade import AccountInOverrun, HoldResolved, InsufficientBalance, Resolution, UnknownHold
from bitgoeul.ledger.models import Account, OpenHold, Posting, Transfer
from ledger.book import ACTOR, open_book
from tampering import without_triggers

pytestmark = pytest.mark.django_db


@pytest.fixture
def book():
    book = open_book()
    book.award(1_000)
    return book


def test_hold_settle_frees_the_rest(book):
    hold = book.hold(600)
    assert (book.view().available, book.view().held) == (400, 600)
    settled = book.use(450, hold.id)
    assert (settled.settled, settled.released, settled.from_free, settled.overrun) == (450, 150, 0, 0)
    assert (book.view().available, book.view().held) == (550, 0)
    assert ledger.verify().ok


def test_what_is_not_there_cannot_be_held(book):
    with pytest.raises(InsufficientBalance) as caught:
        book.hold(1_001)
    assert caught.value.detail["available"] == "1000"
    assert caught.value.field == "amount"
    assert book.view().held == 0


def test_a_batch_of_holds_is_all_or_nothing(book):
    requests = [ledger.HoldRequest(new_id(), book.account, 400, now() + timedelta(hours=1)) for _ in range(3)]
    with pytest.raises(InsufficientBalance):
        ledger.hold_many(holds=requests, actor=ACTOR)
    assert book.view().held == 0


def test_the_same_id_again_changes_nothing_and_other_content_is_a_conflict(book):
    posting, hold, use, moment = new_id(), new_id(), new_id(), now()
    line = ledger.TransferLine(book.supply, book.account, 5)
    again = [ledger.PostingRequest(posting, [line], ledger.Reason.AWARD, moment)]
    assert ledger.post_many(postings=again, actor=ACTOR) == ledger.post_many(postings=again, actor=ACTOR)
    assert book.view().available == 1_005
    with pytest.raises(Conflict):
        book.award(6, posting)
    book.hold(100, hold)
    book.hold(100, hold)
    assert book.view().held == 100
    with pytest.raises(Conflict):
        book.hold(101, hold)
    assert book.use(60, hold, use, moment) == book.use(60, hold, use, moment)
    assert book.view().available == 945
    with pytest.raises(Conflict):
        book.use(61, hold, use, moment)


def test_a_hold_ends_once(book):
    hold = book.hold(100)
    book.use(10, hold.id)
    with pytest.raises(HoldResolved):
        book.use(10, hold.id)
    with pytest.raises(HoldResolved):
        ledger.release_many(hold_ids=[hold.id], actor=ACTOR)
    with pytest.raises(UnknownHold):
        ledger.release_many(hold_ids=[new_id()], actor=ACTOR)
    other = book.hold(100)
    for _ in range(2):
        assert ledger.release_many(hold_ids=[other.id], actor=ACTOR)[0].resolution is Resolution.RELEASED
    assert book.view().available == 990


def test_overdue_holds_expire_and_a_late_use_is_still_posted(book):
    hold = book.hold(1_000, minutes=-1)
    assert [view.id for view in ledger.expire_holds(now=now(), actor=ACTOR)] == [hold.id]
    assert ledger.expire_holds(now=now(), actor=ACTOR) == []
    settled = book.use(300, hold.id)
    assert (settled.settled, settled.from_free, settled.overrun) == (0, 300, 0)


def test_use_beyond_the_hold_takes_the_free_balance_then_overruns_and_blocks_new_holds(book):
    hold = book.hold(100)
    settled = book.use(1_200, hold.id)
    assert (settled.settled, settled.from_free, settled.overrun) == (100, 900, 200)
    assert (book.view().available, book.view().overrun) == (0, 200)
    book.award(500)
    with pytest.raises(AccountInOverrun):
        book.hold(1)
    assert len(ledger.clear_overruns(account_ids=[book.account], actor=ACTOR)) == 1
    assert ledger.clear_overruns(account_ids=[book.account], actor=ACTOR) == []
    assert (book.view().available, book.view().overrun) == (300, 0)
    book.hold(300)
    assert ledger.verify().ok


def test_a_correction_lowers_the_overrun_first(book):
    book.use(1_150)
    given = ledger.give_back_many(lines=[book.request(200)], actor=ACTOR)[0]
    assert sorted(t.amount for t in given.transfers) == [50, 150]
    assert (book.view().available, book.view().overrun) == (50, 0)
    assert ledger.verify().ok


def test_what_is_free_goes_back_and_what_is_held_stays(book):
    book.hold(300)
    call = {
        "id": new_id(), "debit": book.account, "credit": book.supply, "reason": ledger.Reason.RECALL,
        "actor": ACTOR, "effective_at": now(),
    }  # fmt: skip
    assert ledger.post_available(**call).transfers[0].amount == 700
    assert ledger.post_available(**call).transfers[0].amount == 700, "the same posting"
    assert ledger.post_available(**{**call, "id": new_id()}) is None
    assert (book.view().available, book.view().held) == (0, 300)


@pytest.mark.parametrize("amount", [0, -1, 2**63, 1.5])
def test_amounts_are_positive_whole_numbers_of_64_bits(book, amount):
    with pytest.raises(BadInput):
        book.award(amount)
    with pytest.raises(BadInput):
        book.hold(amount)


def test_a_column_never_leaves_64_bits(book):
    with pytest.raises(LimitReached):
        book.award(2**63 - 1)
    assert book.view().available == 1_000


def test_units_do_not_mix(book):
    other = open_book("krw")
    line = ledger.TransferLine(book.account, other.account, 1)
    with pytest.raises(BadInput):
        ledger.post_many(
            postings=[ledger.PostingRequest(new_id(), [line], ledger.Reason.REFUND, now())], actor=ACTOR
        )


def test_the_store_itself_refuses_to_go_below_zero(book):
    with pytest.raises(DatabaseError), transaction.atomic():
        Account.objects.filter(pk=book.account).update(debits=1_001)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_transfer SET amount = 1",
        "DELETE FROM ledger_transfer",
        "INSERT OR REPLACE INTO ledger_transfer SELECT * FROM ledger_transfer",
        "UPDATE ledger_unit SET scale = 1",
        "DELETE FROM ledger_hold",
    ],
)
def test_entries_cannot_be_changed(book, statement):
    if connection.vendor != "sqlite" and "REPLACE" in statement:
        statement = "SET CONSTRAINTS ALL IMMEDIATE; TRUNCATE ledger_transfer"
    book.hold(1)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize(
    ("statement", "checks"),
    [
        (
            "UPDATE ledger_account SET credits = credits + 1, debits = debits + 1 WHERE purpose = 'USED'",
            {"balance"},
        ),
        ("UPDATE ledger_account SET credits = credits + 1 WHERE purpose = 'ALLOCATION'", {"balance", "zero_sum"}),
        ("UPDATE ledger_transfer SET amount = amount + 1 WHERE reason = 'USE'", {"balance", "posting"}),
        ("UPDATE ledger_transfer SET reason = 'REFUND' WHERE reason = 'USE'", {"posting"}),
        ("UPDATE ledger_posting SET memo = 'other' WHERE memo = ''", {"posting"}),
        ("UPDATE ledger_transfer SET reason = 'GIFT' WHERE reason = 'USE'", {"posting"}),
        ("UPDATE ledger_transfer SET recorded_at = effective_at WHERE reason = 'AWARD'", {"posting"}),
        ("UPDATE ledger_hold SET amount = amount + 1", {"balance"}),
        ("UPDATE ledger_holdresolution SET settled = settled + 1", {"hold"}),
        ("DELETE FROM ledger_openhold", {"open_hold"}),
    ],
)
def test_tampering_is_named(book, statement, checks):
    book.use(10, book.hold(20).id, at=now() - timedelta(hours=1))
    book.hold(5)
    assert ledger.verify().ok
    without_triggers("ledger_transfer", "ledger_posting", "ledger_hold", "ledger_holdresolution")
    with connection.cursor() as cursor:
        cursor.execute(statement)
    assert {finding.check for finding in ledger.verify().findings} - {"append_only"} == checks


def test_a_removed_posting_is_noticed_even_when_the_balances_were_made_to_agree(book):
    gone = book.award(7).id
    without_triggers("ledger_transfer", "ledger_posting")
    Transfer.objects.filter(posting_id=gone).delete()
    Posting.objects.filter(pk=gone).delete()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE ledger_account SET credits = credits - 7 WHERE purpose = 'ALLOCATION'")
        cursor.execute("UPDATE ledger_account SET debits = debits - 7 WHERE purpose = 'SUPPLY'")
    found = {(finding.check, finding.subject) for finding in ledger.verify().findings}
    assert {pair for pair in found if pair[0] != "append_only"} == {("posting_gone", str(gone))}


def test_looking_for_due_holds_does_not_read_ended_ones(book):
    for _ in range(3):
        ledger.release_many(hold_ids=[book.hold(1, minutes=-5).id], actor=ACTOR)
    assert OpenHold.objects.count() == 0
    due, later = book.hold(1, minutes=-5), book.hold(1)
    assert [view.id for view in ledger.expire_holds(now=now(), actor=ACTOR)] == [due.id]
    assert list(OpenHold.objects.values_list("hold_id", flat=True)) == [later.id]


def test_a_removed_audit_event_is_noticed(book):
    without_triggers("audit_event")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE audit_event SET verb = 'other' WHERE verb = 'ledger.post'")
    assert {finding.check for finding in ledger.verify().findings} == {"audit_event"}
    assert "event" in {finding.check for finding in audit.verify().findings} or audit.missing_triggers()


def test_a_statement_opens_runs_and_closes(book, django_assert_num_queries):
    for amount in (10, 20, 30):
        book.use(amount)
    middle = Transfer.objects.order_by("recorded_at", "posting_id")[2].recorded_at
    until = now() + timedelta(seconds=1)
    with django_assert_num_queries(7):
        shown = ledger.statement(account_ids=[book.account], since=middle, until=until)
    assert (shown.opening, shown.closing, shown.total) == (990, 940, 2)
    assert [(line.change, line.balance) for line in shown.lines] == [(-20, 970), (-30, 940)]
    second = ledger.statement(account_ids=[book.account], since=middle, until=until, page=2, per_page=1)
    assert [(line.change, line.balance) for line in second.lines] == [(-30, 940)]
    assert (second.previous, second.next) == (1, None)


def test_balances_of_many_accounts_are_one_query(django_assert_num_queries):
    books = [open_book() for _ in range(5)]
    with django_assert_num_queries(1):
        assert len(ledger.accounts([book.account for book in books])) == 5
