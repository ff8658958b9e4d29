"""The catalogue: what the example has of it, its list, its entries, its sheet and REST."""

from __future__ import annotations

from collections import Counter
from io import BytesIO
from pathlib import Path

import pytest
from django.conf import settings
from openpyxl import load_workbook

from bitgoeul.accounts.facade import Actor
from bitgoeul.audit import facade as audit
from bitgoeul.kernel.errors import BadInput
from bitgoeul.programmes import facade as programmes
from bitgoeul.resources import facade as resources
from bitgoeul.resources.example import entries_of
from bitgoeul.resources.models import Resource

pytestmark = pytest.mark.django_db
SYSTEM = Actor.system("test")
EXAMPLES = Path(settings.EXAMPLES)
EVERYTHING = resources.CatalogueFilter()


@pytest.fixture
def small():
    return resources.load_example(SYSTEM, EXAMPLES)


@pytest.fixture
def full():
    return resources.load_example(SYSTEM, EXAMPLES, full=True)


def test_the_whole_example_has_what_the_reports_count():
    entries = list(entries_of(EXAMPLES, full=True))
    kinds = [one for one in entries if one["category"] == "EQUIPMENT"]
    late = Counter(one["sector"] for one in kinds if one["in_service_by"] == 2022)
    assert (len(kinds), sum(one["in_service_by"] <= 2021 for one in kinds)) == (77, 63)
    assert late == {"AUTOMOTIVE": 11, "ENERGY": 1, "HEALTHCARE": 2}
    assert {one["centre"] for one in kinds} == {"automotive", "healthcare", "energy"}
    counts = Counter(str(one["category"]) for one in entries)
    assert (counts["SITE"], counts["SIMULATOR"]) == (146, 3)
    assert {one["centre"] for one in entries if one["category"] == "DESK"} == {"camp-1", "camp-2"}
    assert len({one["code"] for one in entries}) == len(entries)


def test_what_is_invented_says_so_in_both_languages():
    for one in entries_of(EXAMPLES, full=True):
        if one["is_invented"]:
            assert "예시" in one["label"]["ko"], one["code"]
            assert "example" in one["label"]["en"], one["code"]


def test_the_small_part_lies_in_the_whole_and_a_second_load_changes_nothing(small):
    before = list(Resource.objects.order_by("pk").values())
    events = audit.Event.objects.count()
    resources.load_example(SYSTEM, EXAMPLES)
    assert list(Resource.objects.order_by("pk").values()) == before
    assert audit.Event.objects.count() == events
    resources.load_example(SYSTEM, EXAMPLES, full=True)
    codes = {row["code"] for row in before}
    assert list(Resource.objects.filter(pk__in=codes).order_by("pk").values()) == before
    assert small["resources"] < 25


def test_only_the_platform_defines_the_catalogue(ara):
    with pytest.raises(BadInput):
        resources.define_centre(actor=ara, centre=resources.centres()[0] if resources.centres() else None)


def test_filters_narrow_and_every_order_shows_every_entry_once(full):
    C = resources.Category
    wanted = resources.CatalogueFilter(category=C.EQUIPMENT, sector=resources.Sector.HEALTHCARE)
    assert resources.entries(wanted).total == 18
    assert resources.entries(resources.CatalogueFilter(text="라이다")).total == 1
    assert resources.entries(resources.CatalogueFilter(text="lidar", centre="energy")).total == 0
    assert resources.entries(resources.CatalogueFilter(text="%")).total == 0
    for order in (*resources.ORDERS, "no such order"):
        seen: list[str] = []
        first = resources.entries(resources.CatalogueFilter(order=order))
        for number in range(1, first.last + 1):
            seen += [one.code for one in resources.entries(resources.CatalogueFilter(order=order), number).items]
        assert len(seen) == len(set(seen)) == full["resources"], order


def test_the_page_is_public_in_both_languages_and_costs_the_same_for_any_length(
    client, small, django_assert_max_num_queries
):
    with django_assert_max_num_queries(4) as few:
        page = client.get("/catalogue/").content.decode()
    assert "무엇을 쓸 수 있습니까?" in page
    resources.load_example(SYSTEM, EXAMPLES, full=True)
    with django_assert_max_num_queries(len(few.captured_queries)):
        english = client.get(
            "/catalogue/?category=SITE&page=3", headers={"Accept-Language": "en"}
        ).content.decode()
    assert "146 entries" in english
    assert "(example)" in english
    assert "(예시)" not in english.split("<main")[1].split("<form")[1].split("</form>")[1]


@pytest.mark.parametrize(
    "query", ["category=NONE", "sector=%00", "centre=no", "order=x", "q=%00", "page=-1", "q=" + "가" * 500]
)
def test_any_filter_leads_to_a_page(client, small, query):
    assert client.get(f"/catalogue/?{query}").status_code == 200
    assert client.get(f"/catalogue.xlsx?{query}").status_code == 200


def test_an_entry_says_how_to_get_it_how_it_is_counted_and_what_is_granted(client, small, project):
    programmes.load_example(actor=SYSTEM, directory=EXAMPLES)
    page = client.get("/catalogue/cpu-core/").content.decode()
    assert 'href="/calls/quick-start/"' in page
    assert "아직 배정되지 않았습니다" in page
    planned = client.get("/catalogue/npu-atom/").content.decode()
    assert "아직 열리지 않았습니다" in planned
    bench = client.get("/catalogue/bench-tester-meter/").content.decode()
    assert "최소 예약은 30분" in bench
    assert "예시로 지어낸 것" in bench
    assert client.get("/catalogue/no-such-entry/").status_code == 404


def test_the_sheet_holds_what_the_filter_shows(client, full):
    answer = client.get("/catalogue.xlsx?category=EQUIPMENT&sector=ENERGY")
    sheet = load_workbook(BytesIO(answer.content)).active
    assert sheet.max_row == 1 + 17
    assert client.get("/catalogue.xlsx").status_code == 200


def test_rest_reads_the_catalogue_without_signing_in(client, full):
    found = client.get("/api/v1/catalogue?category=SIMULATOR").json()
    assert (found["total"], {one["grid_minutes"] for one in found["items"]}) == (3, {30})
    one = client.get("/api/v1/catalogue/bench-sled-crash").json()
    assert (one["in_service_by"], one["is_invented"], one["provider"]["en"]) == (
        2022, True, "Automotive demonstration centre",
    )  # fmt: skip
    assert client.get("/api/v1/catalogue?category=NONE").status_code == 422
    assert client.get("/api/v1/catalogue/none").status_code == 404
