"""Dated prices: set by staff within an elevation, from today on, once and for all."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import localdate

from bitgoeul.accounts.facade import Actor
from bitgoeul.kernel.errors import BadInput, Conflict, NotAllowed
from bitgoeul.kernel.ids import new_id
from bitgoeul.resources import facade as resources
from bitgoeul.resources.models import Price as Row
from people import elevate

pytestmark = pytest.mark.django_db
HOUR_MS = 3_600_000


def price(**changes: object) -> resources.Price:
    values = {
        "id": new_id(), "unit": "core_ms", "krw": 50, "amount": HOUR_MS, "since": localdate(),
        "source": "decision 7",
    }  # fmt: skip
    return resources.Price(**{**values, **changes})


def put(given: resources.Price) -> resources.Price:
    return resources.set_price(actor=Actor.system("test"), price=given)


def test_the_price_that_began_last_holds():
    today = localdate()
    put(price(since=today - timedelta(days=30), krw=10))
    put(price(since=today - timedelta(days=10), krw=20))
    put(price(since=today + timedelta(days=1), krw=99))
    assert resources.prices_on()["core_ms"].krw == 20
    assert resources.prices_on(today - timedelta(days=11))["core_ms"].krw == 10
    assert resources.prices_on(today - timedelta(days=31)) == {}
    put(price(since=today - timedelta(days=10), krw=21))
    assert resources.prices_on()["core_ms"].krw == 21, "of two that began on a day the one set last"
    assert [each.krw for each in resources.prices().items] == [99, 21, 20, 10]


def test_the_same_again_changes_nothing_and_other_content_is_refused():
    given = put(price())
    assert put(given) == given
    with pytest.raises(Conflict) as refused:
        put(replace(given, krw=51))
    assert refused.value.field == "id"
    assert Row.objects.count() == 1


def test_a_price_stays_as_it_was_set():
    put(price())
    with pytest.raises(DatabaseError), transaction.atomic():
        Row.objects.update(krw=1)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"unit": "core_hours"}, "unit"),
        ({"unit": "krw"}, "unit"),
        ({"krw": -1}, "krw"),
        ({"krw": 10**13}, "krw"),
        ({"amount": 0}, "amount"),
        ({"source": " "}, "source"),
        ({"source": "x" * 201}, "source"),
    ],
)
def test_a_mistake_names_its_field(changes, field):
    with pytest.raises(BadInput) as refused:
        put(price(**changes))
    assert refused.value.field == field
    assert not Row.objects.exists()


def test_a_person_sets_no_price_for_days_gone_by_and_needs_an_elevation(staff, ara, client, sign_in):
    given = price()
    for who in (ara, staff):
        with pytest.raises(NotAllowed):
            resources.set_price(actor=who, price=given)
    browser = sign_in(staff)
    elevate(browser, staff)
    body = {"id": str(given.id), "unit": "core_ms", "krw": 50, "amount": HOUR_MS, "source": "decision 7"}
    past = {**body, "since": str(localdate() - timedelta(days=1))}
    answer = browser.post("/api/v1/prices", past, content_type="application/json")
    assert (answer.status_code, answer.json()["detail"]["field"]) == (400, "since")
    answer = browser.post("/api/v1/prices", {**body, "since": str(localdate())}, content_type="application/json")
    assert answer.status_code == 201, answer.content
    assert resources.prices_on()["core_ms"].krw == 50


def test_prices_are_read_in_one_query():
    put(price())
    put(price(unit="target_ms"))
    with CaptureQueriesContext(connection) as found:
        assert set(resources.prices_on()) == {"core_ms", "target_ms"}
    assert len(found) == 1
