"""The partner organisations: who may read them, in pages, at the same cost, in both languages."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bitgoeul.accounts import facade as accounts
from bitgoeul.kernel.ids import new_id
from bitgoeul.programmes import facade as programmes

FIRST = date(2024, 1, 1)


@pytest.fixture
def recorded(db):
    """Record so many partners, every second with an office: ``recorded(3)``."""

    def record(count, start=0):
        system = accounts.Actor.system("test")
        kind = accounts.OrganisationKind.START_UP
        firms = [
            accounts.NewOrganisation(new_id(), f"협력사 {number:02d}", kind, "", is_example=True)
            for number in range(start, start + count)
        ]
        accounts.create_organisations(actor=system, lines=firms)
        lines = [
            programmes.PartnershipLine(
                firm.id,
                FIRST + timedelta(days=number),
                FIRST + timedelta(days=number + 90) if number % 2 else None,
            )
            for number, firm in enumerate(firms)
        ]
        return programmes.record_partnerships(actor=system, lines=lines, is_example=True)

    return record


def read(client, query="", language="ko"):
    client.cookies["django_language"] = language
    answer = client.get(f"/partners/{query}")
    assert answer.status_code == 200
    return answer.content.decode()


def test_only_the_operators_people_read_the_partners(client, sign_in, recorded, ara, staff):
    recorded(1)
    assert client.get("/partners/").status_code == 302
    assert "협력사 00" not in sign_in(ara).get("/partners/").content.decode()
    assert client.get("/partners/").status_code in {403, 404}
    sign_in(staff)
    assert "협력사 00" in read(client)


def test_the_partners_come_in_pages_and_counts_are_of_all(sign_in, recorded, staff):
    recorded(25)
    client = sign_in(staff)
    first, second = read(client, "?order=name"), read(client, "?order=name&page=2")
    assert ("협력사 19" in first, "협력사 20" in first) == (True, False)
    assert ("협력사 19" in second, "협력사 24" in second) == (False, True)
    assert "25 memoranda signed, 12 offices" in read(client, language="en")
    residents = read(client, "?resident=on&order=name")
    assert ("협력사 00" in residents, "협력사 01" in residents) == (False, True)


def test_the_page_costs_the_same_however_many_partners_there_are(sign_in, recorded, staff):
    recorded(3)
    client = sign_in(staff)
    read(client)
    with CaptureQueriesContext(connection) as few:
        read(client)
    recorded(40, start=3)
    with CaptureQueriesContext(connection) as many:
        read(client)
    assert len(many) == len(few)


def test_the_partners_read_in_korean_and_in_english(sign_in, recorded, staff):
    recorded(2)
    client = sign_in(staff)
    korean, english = read(client), read(client, language="en")
    assert '<html lang="ko">' in korean
    assert "Memorandum signed" not in korean
    assert '<html lang="en">' in english
    assert "2 memoranda signed, 1 offices or labs opened" in english
