"""Allocations: granted once, held within their period, charged by source record, taken back."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings

from bitgoeul.accounts.facade import Actor
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import BadInput, Conflict, NotAllowed, NotFound
from bitgoeul.kernel.ids import new_id
from bitgoeul.ledger import facade as ledger
from bitgoeul.resources import facade as resources
from bitgoeul.resources.models import Allocation, Usage
from people import elevation_of

pytestmark = pytest.mark.django_db
SYSTEM = Actor.system("test")


@pytest.fixture(autouse=True)
def catalogue():
    resources.load_example(SYSTEM, Path(settings.EXAMPLES))
    return resources.load_example(SYSTEM, Path(settings.EXAMPLES))


@pytest.fixture
def grant(project):
    def make(amount=1_000, id=None, days=30, start=0, resource="cpu-core", actor=SYSTEM):
        starts_at = now() + timedelta(days=start, seconds=-1)
        return resources.grant(
            actor=actor,
            id=id or new_id(),
            project_id=project.id,
            resource_code=resource,
            amount=amount,
            starts_at=starts_at,
            ends_at=starts_at + timedelta(days=days),
            origin=resources.Origin("agreement", "1", "협약 (예시)"),
        )

    return make


def hold(allocation, amount, hold_id=None):
    line = resources.HoldLine(hold_id or new_id(), allocation.id, amount)
    resources.hold_for(lines=[line], expires_at=now() + timedelta(hours=1), actor="system:test")
    return line.hold_id


def use(allocation, amount, key="local:1", hold_id=None):
    line = resources.UseLine(allocation.id, amount, key, now(), now(), hold_id)
    return resources.settle_use(lines=[line], actor="system:test")[0]


def view(allocation):
    return resources.allocation(actor=SYSTEM, allocation_id=allocation.id)


def test_the_catalogue_is_loaded_once(catalogue):
    found = resources.entries(resources.CatalogueFilter())
    assert found.total == catalogue["resources"]
    assert all("예시" in one.label.ko for one in found.items if one.category == "EQUIPMENT")


def test_a_grant_is_an_award_in_the_ledger_and_happens_once(grant):
    id = new_id()
    assert grant(id=id) == grant(id=id)
    assert (view(grant(id=id)).available, Allocation.objects.count()) == (1_000, 1)
    with pytest.raises(Conflict):
        grant(amount=1_001, id=id)
    assert ledger.verify().ok


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"days": 0}, "ends_at"), ({"amount": 0}, "amount"), ({"resource": "no"}, "resource_code")],
)
def test_a_grant_that_makes_no_sense_is_refused_by_field(grant, changes, field):
    with pytest.raises(BadInput) as caught:
        grant(**changes)
    assert caught.value.field == field
    assert Allocation.objects.count() == 0


def test_only_staff_grant(grant, bora, staff):
    with pytest.raises(NotAllowed):
        grant(actor=bora)
    assert grant(actor=staff).available == 1_000


def test_outsiders_see_nothing(grant, bora, chan):
    allocation = grant()
    assert resources.allocation(actor=bora, allocation_id=allocation.id).available == 1_000
    with pytest.raises(NotFound):
        resources.allocation(actor=chan, allocation_id=allocation.id)


def test_hold_and_use(grant):
    allocation = grant()
    used = use(allocation, 450, hold_id=hold(allocation, 600))
    assert (used.amount, used.revision, used.unit) == (450, 0, "core_ms")
    after = view(allocation)
    assert (after.used, after.held, after.available, after.overrun) == (450, 0, 550, 0)


def test_holds_for_several_allocations_are_all_or_nothing(grant):
    first, second = grant(), grant(amount=10, resource="software-target")
    lines = [resources.HoldLine(new_id(), first.id, 500), resources.HoldLine(new_id(), second.id, 11)]
    with pytest.raises(ledger.InsufficientBalance):
        resources.hold_for(lines=lines, expires_at=now() + timedelta(hours=1), actor="system:test")
    assert (view(first).held, view(second).held) == (0, 0)


def test_nothing_starts_outside_the_period_or_when_suspended(grant, staff):
    for allocation in (grant(start=1), grant(start=-40)):
        with pytest.raises(resources.AllocationNotUsable):
            hold(allocation, 1)
    allocation = grant()
    resources.suspend(actor=staff, allocation_id=allocation.id, reason="점검")
    with pytest.raises(resources.AllocationNotUsable):
        hold(allocation, 1)
    resources.resume(actor=staff, allocation_id=allocation.id, reason="재개")
    hold(allocation, 1)


def test_the_same_record_is_charged_once_and_a_changed_one_is_corrected(grant):
    allocation = grant()
    for _ in range(3):
        use(allocation, 400)
    assert (view(allocation).used, Usage.objects.count()) == (400, 1)
    assert use(allocation, 700).revision == 1
    assert use(allocation, 100).revision == 2
    assert (view(allocation).used, view(allocation).available) == (100, 900)
    assert ledger.verify().ok
    with pytest.raises(Conflict):
        use(grant(), 100)


def test_use_is_never_lost_for_want_of_balance(grant):
    allocation = grant(amount=100)
    use(allocation, 130)
    assert (view(allocation).available, view(allocation).overrun) == (0, 30)
    with pytest.raises(ledger.AccountInOverrun):
        hold(allocation, 1)


def test_what_becomes_free_pays_the_overrun_and_new_work_can_start_again(grant):
    allocation = grant(amount=100)
    waiting = hold(allocation, 60)
    use(allocation, 70)
    assert (view(allocation).available, view(allocation).overrun) == (0, 30)
    resources.release_holds(hold_ids=[waiting], actor="system:test")
    assert (view(allocation).available, view(allocation).overrun) == (30, 0)
    hold(allocation, 30)
    assert ledger.verify().ok


def test_a_smaller_use_than_its_hold_pays_the_overrun(grant):
    allocation = grant(amount=100)
    waiting = hold(allocation, 60)
    use(allocation, 70, key="one")
    use(allocation, 20, hold_id=waiting, key="two")
    assert (view(allocation).available, view(allocation).overrun, view(allocation).used) == (10, 0, 90)
    assert ledger.verify().ok


def test_holds_that_expired_pay_the_overrun_too(grant):
    allocation = grant(amount=100)
    hold(allocation, 60)
    use(allocation, 70)
    ledger.expire_holds(now=now() + timedelta(days=1), actor="system:test")
    assert resources.expire_due(now()) == 1
    assert resources.expire_due(now()) == 0
    assert (view(allocation).available, view(allocation).overrun) == (30, 0)


def test_a_recall_pays_the_overrun_before_it_takes_the_rest(grant, staff):
    allocation = grant(amount=100)
    hold(allocation, 60)
    use(allocation, 70)
    ledger.expire_holds(now=now() + timedelta(days=1), actor="system:test")
    assert resources.recall(actor=elevation_of(staff), allocation_id=allocation.id, reason="끝") == 30
    assert (view(allocation).available, view(allocation).overrun) == (0, 0)
    assert ledger.verify().ok


def test_no_more_comes_back_than_was_used(grant):
    row = Allocation.objects.get(pk=grant().id)
    use(grant(), 10)
    line = ledger.SettleRequest(new_id(), row.account_id, row.used_account_id, 1, now())
    with pytest.raises(ledger.InsufficientBalance):
        ledger.give_back_many(lines=[line], actor="system:test")


def test_recall_takes_what_is_free_and_later_what_was_held(grant, staff):
    allocation = grant()
    hold_id = hold(allocation, 300)
    assert resources.recall(actor=elevation_of(staff), allocation_id=allocation.id, reason="사용 저조") == 700
    use(allocation, 100, hold_id=hold_id)
    assert view(allocation).available == 200
    assert resources.expire_due(now()) == 1
    assert resources.expire_due(now()) == 0
    assert (view(allocation).available, view(allocation).state) == (0, resources.AllocationState.RECALLED)
    assert ledger.verify().ok


def test_an_allocation_whose_period_is_over_goes_back_by_itself(grant):
    allocation = grant()
    assert resources.expire_due(now() + timedelta(days=31)) == 1
    assert resources.expire_due(now() + timedelta(days=31)) == 0
    assert (view(allocation).available, view(allocation).state) == (0, resources.AllocationState.EXPIRED)


def test_bulk_reading_is_one_query(grant, project, django_assert_num_queries):
    for _ in range(4):
        grant()
    with django_assert_num_queries(1):
        assert len(resources.allocations(project_ids=[project.id, new_id()])[project.id]) == 4
