"""What the job form tells before a job is submitted: its price, its worth, and how it would stand."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import localdate

from bitgoeul.accounts.facade import Actor
from bitgoeul.compute import offers
from bitgoeul.compute.job_templates import TEMPLATES
from bitgoeul.compute.models import Job
from bitgoeul.compute.ports import Slots
from bitgoeul.compute.queries import default_cluster
from bitgoeul.kernel.ids import new_id
from bitgoeul.resources import facade as resources

from .asking import python

HOUR_MS = 3_600_000


@pytest.fixture
def english(sign_in, ara):
    client = sign_in(ara)
    client.cookies["django_language"] = "en"
    return client


def set_price(krw: int, unit: str = "core_ms", is_example: bool = False) -> None:
    price = resources.Price(
        new_id(), unit, krw, HOUR_MS, localdate() - timedelta(days=1), "decision 7", is_example
    )
    resources.set_price(actor=Actor.system("test"), price=price)


def shown(client, project, template: str = "") -> str:
    answer = client.get(f"/projects/{project.id}/jobs/new/?template={template}")
    assert answer.status_code == 200
    return html.unescape(answer.content.decode())


@pytest.mark.django_db
class TestThePrice:
    def test_is_in_won_where_every_unit_has_a_price(self, project, cores):
        needs = {"core_ms": 2 * HOUR_MS, "target_ms": HOUR_MS}
        assert offers.price(project.id, needs).krw is None
        set_price(45)
        assert [line.krw for line in offers.price(project.id, needs).lines] == [90, None]
        assert offers.price(project.id, needs).krw is None, "a part would mislead"
        set_price(100, "target_ms", is_example=True)
        priced = offers.price(project.id, needs)
        assert (priced.krw, priced.is_example) == (190, True)

    def test_is_rounded_half_up_once(self, project):
        set_price(1)
        assert offers.price(project.id, {"core_ms": HOUR_MS // 2}).krw == 1
        assert offers.price(project.id, {"core_ms": HOUR_MS // 2 - 1}).krw == 0

    def test_stands_on_the_page_with_what_it_is_not(self, english, project, cores):
        assert "Worth" not in shown(english, project)
        set_price(3_600, is_example=True)
        page = shown(english, project)
        assert "Worth KRW 60 at most." in page
        assert "no real tariff" in page
        assert "Nobody is billed" in page


class TestHowItWouldStand:
    def of(
        self, ahead: int = 0, problem: object = None, **places: tuple[int, int, int, int | None]
    ) -> offers.Room:
        made = tuple(offers.Place(name, asked, Slots(total, free), most) for name, (asked, total, free, most) in
                     places.items())  # fmt: skip
        return offers.Room("c", ahead, made, problem)  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("room", "says", "tone"),
        [
            ({"core": (2, 8, 2, 4)}, "It could start at once.", "good"),
            ({"core": (3, 8, 2, 4)}, "It would be the next to start, as soon as enough is free.", "neutral"),
            ({"core": (5, 8, 8, 4)}, "No node has that much: the job would be refused.", "bad"),
            ({"core": (9, 8, 8, None)}, "No node has that much: the job would be refused.", "bad"),
            ({"core": (1, 8, 8, 4), "ahead": 3}, "Jobs waiting before it: 3.", "neutral"),
        ],
    )
    def test_is_said_in_a_sentence(self, room, says, tone):
        found = self.of(**room)
        assert (str(found.says), found.tone) == (says, tone)


@pytest.mark.django_db
class TestTheQueue:
    def test_counts_those_that_wait_here(self, submit, project, english):
        assert offers.room(default_cluster(), 1, 1, {}).ahead == 0
        submit(python("print(1)"))
        assert offers.room(default_cluster(), 1, 1, {}).ahead == 1
        assert "Jobs waiting before it: 1." in shown(english, project)

    def test_a_cluster_that_does_not_answer_breaks_no_form(self, english, project, cores, monkeypatch):
        cluster = default_cluster()
        cluster.config = {"cores": -1}
        cluster.save()
        monkeypatch.setattr(offers, "_asked", {})
        page = shown(english, project)
        assert "does not answer at the moment" in page

    def test_typing_asks_the_cluster_once_and_the_database_little(self, english, project, cores, monkeypatch):
        asked = []
        monkeypatch.setattr(offers, "_asked", {})
        real = offers.engine_of
        monkeypatch.setattr(offers, "engine_of", lambda row: asked.append(row) or real(row))
        fields = {"cores": 1, "wall_seconds": 60, "memory_mib": 512}
        address = f"/projects/{project.id}/jobs/price/"
        for _letter in range(3):
            assert english.post(address, fields).status_code == 200
        assert len(asked) == 1
        with CaptureQueriesContext(connection) as found:
            english.post(address, fields)
        assert len(found) <= 16


@pytest.mark.django_db
@pytest.mark.parametrize("template", [each.code for each in TEMPLATES])
def test_a_template_runs_as_it_stands(template, english, project, cores, follow):
    page = shown(english, project, template)
    fields = dict(re.findall(r'<input[^>]* name="([^"]+)"[^>]* value="([^"]*)"', page))
    fields["script"] = re.search(r'<textarea name="script"[^>]*>\s*(.*?)</textarea>', page, re.DOTALL).group(1)
    fields |= {"wall_seconds": 60, "cores": 1, "memory_mib": 512, "device_software-target": 0}
    answer = english.post(f"/projects/{project.id}/jobs/new/", fields)
    assert answer.status_code == 302, answer.content.decode()
    job = Job.objects.get(pk=UUID(answer["Location"].split("/")[2]))
    assert follow(job).state == "SUCCEEDED"
