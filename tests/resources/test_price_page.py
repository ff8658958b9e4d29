"""The page of prices: everybody signed in reads it, elevated staff set a dated price on it."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from io import BytesIO

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import localdate
from openpyxl import load_workbook

from bitgoeul.kernel.ids import new_id
from bitgoeul.resources.models import Price as Row
from people import elevate

from .test_prices import price, put

pytestmark = pytest.mark.django_db


def english(client):
    client.cookies["django_language"] = "en"
    return client


@pytest.fixture
def staff_page(sign_in, staff):
    """Elevated staff's browser, in English."""
    client = english(sign_in(staff))
    elevate(client, staff)
    return client


def seen(client, path: str = "/prices/", status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status
    return html.unescape(answer.content.decode())


def fields(client, **changes: object) -> dict[str, object]:
    identity = re.search(r'name="id" value="([^"]+)"', seen(client)).group(1)
    values = {"id": identity, "unit": "core_ms", "krw": "50", "since": localdate().isoformat(), "source": "d 7"}
    return {**values, **changes}


def test_staff_set_a_price_and_it_holds_from_its_day(staff_page):
    form = fields(staff_page)
    for _again in range(2):
        answer = staff_page.post("/prices/", form)
        assert answer.status_code == 302, answer.content.decode()
    row = Row.objects.get()
    assert (row.krw, row.amount, row.unit_id, row.since) == (50, 3_600_000, "core_ms", localdate())
    later = fields(staff_page, krw="60", since=(localdate() + timedelta(days=9)).isoformat())
    assert staff_page.post("/prices/", later).status_code == 302
    shown = seen(staff_page)
    assert "KRW 50 / 1 core·h" in shown
    assert "KRW 60 / 1 core·h from" in shown
    assert shown.index("KRW 60 / 1 core·h</td>") < shown.rindex("KRW 50 / 1 core·h"), "newest first"


@pytest.mark.parametrize(
    ("unit", "amount"), [("gpu_h100_ms", 3_600_000), ("mib_hour", 1024), ("seat", 1), ("advice_minute", 60)]
)
def test_a_price_is_for_what_people_count(staff_page, unit, amount):
    assert staff_page.post("/prices/", fields(staff_page, unit=unit)).status_code == 302
    assert Row.objects.get().amount == amount


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"since": (localdate() - timedelta(days=2)).isoformat()}, "A price begins today or later"),
        ({"since": "9999-12-31"}, "Give a day of the years"),
        ({"since": "soon"}, "valid date"),
        ({"krw": "-1"}, "greater than or equal to 0"),
        ({"krw": "1.5"}, "whole number"),
        ({"krw": "9" * 30}, "less than or equal to"),
        ({"source": " "}, "required"),
        ({"source": "x" * 201}, "at most 200"),
        ({"unit": "krw"}, "valid choice"),
        ({"id": "x"}, "damaged on its way"),
    ],
)
def test_a_mistake_stands_beside_its_field_and_nothing_is_lost(staff_page, changes, words):
    form = fields(staff_page, **changes)
    answer = staff_page.post("/prices/", form)
    assert answer.status_code == 422
    shown = html.unescape(answer.content.decode())
    assert words in shown
    kept = form["source"] if len(form["source"]) > 1 else "50"
    assert f'value="{kept}"' in shown
    assert Row.objects.count() == 0


def test_other_content_under_the_same_id_is_refused(staff_page):
    form = fields(staff_page)
    staff_page.post("/prices/", form)
    answer = staff_page.post("/prices/", {**form, "krw": "51"})
    assert answer.status_code == 422
    assert Row.objects.count() == 1


def test_who_may(client, sign_in, ara, staff, engineer):
    assert client.get("/prices/").status_code == 302
    english(client)
    form = {"id": str(new_id()), "unit": "core_ms", "krw": "50", "since": "2100-01-01", "source": "d"}
    for person in (ara, engineer, staff):
        sign_in(person)
        shown = seen(client)
        assert "Set the price" not in shown
        assert ("?verb=resources.set_price" in shown) == (person is staff), "only who may be elevated is told how"
        assert client.post("/prices/", form).status_code == 403
    assert Row.objects.count() == 0


def test_the_history_is_filtered_paged_and_handed_out(client, sign_in, ara):
    sign_in(ara)
    english(client)
    for number in range(45):
        put(price(since=localdate() - timedelta(days=number), krw=1000 + number, source="=evil"))
    put(price(unit="seat", amount=1, krw=7))
    page = seen(client, "/prices/?unit=seat")
    assert page.split("all-title", 1)[1].count("/ 1 seats") == 1
    assert "KRW 1,044 / 1 core·h" in seen(client, "/prices/?page=3")
    assert seen(client, "/prices/?unit=nonsense").count("KRW 1,000 / 1 core·h") == 2, "today and in the history"
    sheet = load_workbook(BytesIO(client.get("/prices.xlsx?unit=core_ms").content)).active
    rows = list(sheet.iter_rows(values_only=True))
    assert len(rows) == 46
    assert rows[1][1:6] == ("core_ms", 1000, 3_600_000, localdate().isoformat(), "=evil")


def test_a_long_history_costs_the_same_queries(client, sign_in, ara):
    sign_in(ara)

    def cost(path: str) -> int:
        with CaptureQueriesContext(connection) as found:
            assert client.get(path).status_code == 200
        return len(found)

    paths = ("/prices/", "/prices.xlsx")
    for path in paths:
        cost(path)
    before = [cost(path) for path in paths]
    for number in range(120):
        put(price(since=localdate() - timedelta(days=number)))
    assert [cost(path) for path in paths] == before
    assert max(before) <= 9


def test_it_is_linked_from_where_the_operator_looks(client, sign_in, engineer):
    sign_in(engineer)
    assert 'href="/prices/"' in client.get("/fleet/").content.decode()
