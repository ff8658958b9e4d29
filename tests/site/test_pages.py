"""The pages that join rooms, through HTTP."""

from __future__ import annotations

import re
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bitgoeul.kernel.clock import now
from bitgoeul.kernel.ids import new_id

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "gwangju"
QUERIES_MAX = 30
PUBLIC = ["/", "/board/"]

pytestmark = pytest.mark.django_db


class Outline(HTMLParser):
    """Headings, ids and labels of a page, for rules about its structure."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.headings: list[int] = []
        self.ids: list[str] = []
        self.controls: list[dict[str, str | None]] = []
        self.labels: set[str] = set()
        self.language: str | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if values.get("id"):
            self.ids.append(str(values["id"]))
        if tag == "html":
            self.language = values.get("lang")
        if tag in {"input", "select", "textarea"} and values.get("type") not in {"hidden", "submit"}:
            self.controls.append(values)
        if tag == "label" and values.get("for"):
            self.labels.add(str(values["for"]))


def count_queries(client, path: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as seen:
        assert client.get(path).status_code == 200
    return len(seen)


def check_structure(html: str) -> None:
    outline = Outline(html)
    assert outline.headings.count(1) == 1
    assert len(set(outline.ids)) == len(outline.ids)
    assert 'id="krds-skip-link"' in html
    assert 'href="#content"' in html
    assert "content" in outline.ids
    for control in outline.controls:
        assert control.get("id") in outline.labels or control.get("aria-label"), control


@pytest.mark.parametrize("path", PUBLIC)
def test_public_pages_are_sound_and_say_that_they_are_an_example(client, path):
    response = client.get(path)
    html = response.content.decode()
    assert response.status_code == 200
    check_structure(html)
    assert "예시 설치, 공식 누리집 아님" in html
    assert 'lang="ko"' in html
    assert "nonce-" not in response["Content-Security-Policy"]
    assert "unsafe" not in response["Content-Security-Policy"]


def test_the_front_page_says_what_to_do_when_nothing_is_there(client):
    html = client.get("/").content.decode()
    assert "기업 시작하기" in html
    assert "등록된 지표가 없습니다" in html
    assert "접수 중인 공모가 없습니다" in html
    assert "공개된 증거가 아직 없습니다" in html
    assert "아직 사례 없음" in html


def test_the_front_page_shows_both_registers_side_by_side(client, example_data):
    html = client.get("/").content.decode()
    cards = re.findall(r'<li class="register">.*?</li>', html, flags=re.S)
    assert len(cards) == 6
    for card in cards:
        assert "보도값" in card
        assert "이 설치에서 검증된 값" in card
        assert re.search(r'href="/figures/[a-z0-9_-]+/"', card)
        assert re.search(r"\d{4}", card), "the date of the source"


def test_the_front_page_lists_open_calls_with_working_days_left(client, example_data):
    html = client.get("/").content.decode()
    assert re.search(r'href="/calls/[a-z0-9_-]+/"', html)
    assert re.search(r"영업일 \d+일 남음|오늘 마감", html)


def test_english_readers_get_english_and_keep_their_page(client):
    response = client.post("/language/", {"language": "en", "next": "/board/?page=1"})
    assert response.status_code == 302
    assert response["Location"] == "/board/?page=1"
    html = client.get("/board/").content.decode()
    assert Outline(html).language == "en"
    assert "Stage board" in html
    assert not re.search(r"[가-힣]", re.sub(r'<[^>]*lang="ko".*?</[a-z]+>|빛고을|한국어', "", html))


def test_the_language_switch_does_not_lead_away(client):
    response = client.post("/language/", {"language": "en", "next": "https://elsewhere.example/"})
    assert response.status_code == 302
    assert "elsewhere" not in response["Location"]


def test_home_needs_a_sign_in_and_comes_back(client):
    response = client.get("/home/")
    assert response.status_code == 302
    assert response["Location"].endswith("?next=/home/")


def test_home_of_somebody_new_says_where_to_begin(sign_in, chan):
    html = sign_in(chan).get("/home/").content.decode()
    check_structure(html)
    assert "아직 과제가 없습니다" in html
    assert 'href="/start/"' in html


def test_home_lists_my_projects_with_their_balances(sign_in, ara, project, allocation):
    client = sign_in(ara)
    response = client.get("/home/")
    html = response.content.decode()
    assert project.title in html
    assert "50 코어·시간" in html
    assert "사용" in html
    assert response["Cache-Control"] == "no-store"
    client.post("/language/", {"language": "en"})
    assert "50 core·h" in client.get("/home/").content.decode(), "a row drawn before is not shown in its language"


def test_the_project_page_shows_what_is_left_and_what_can_be_done(sign_in, ara, bora, project, allocation):
    html = sign_in(ara).get(f"/projects/{project.id}/").content.decode()
    check_structure(html)
    assert "이 과제에 얼마나 남았습니까?" in html
    assert "50 코어·시간" in html
    assert "Bora" in html
    assert "시험 신청" in html


def test_the_project_page_is_for_its_people(sign_in, chan, project):
    response = sign_in(chan).get(f"/projects/{project.id}/")
    assert response.status_code == 404
    assert project.title not in response.content.decode()


def test_a_viewer_sees_why_an_action_is_closed(sign_in, person, project):
    from bitgoeul.accounts import facade as accounts

    viewer = person("viewer")
    accounts.add_member(
        actor=accounts.Actor.system("test"),
        project_id=project.id,
        user_id=viewer.user_id,
        role=accounts.ProjectRole.VIEWER,
    )
    html = sign_in(viewer).get(f"/projects/{project.id}/").content.decode()
    closed = re.findall(r"<button[^>]*disabled[^>]*aria-describedby=\"(why-\d+)\"", html)
    assert len(closed) == 4
    for name in closed:
        assert re.search(rf'id="{name}">[^<]+<', html)


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [("/nothing/here/", 404, "이 주소에는 아무것도 없습니다"), (f"/projects/{UUID(int=1)}/", 404, "이제 할 일")],
)
def test_an_error_page_says_what_now(sign_in, chan, path, status, words):
    response = sign_in(chan).get(path)
    html = response.content.decode()
    assert response.status_code == status
    assert words in html
    assert "이제 할 일" in html
    assert "예시 설치" in html


def test_a_form_without_its_token_gets_the_403_page():
    from django.test import Client

    response = Client(enforce_csrf_checks=True).post("/language/", {"language": "en"})
    assert response.status_code == 403
    assert "이제 할 일" in response.content.decode()


@pytest.mark.parametrize("status", [400, 403, 404, 409, 429, 503])
def test_every_error_page_has_a_way_on(rf, status):
    from django.contrib.auth.models import AnonymousUser

    from bitgoeul.site.pages import errors

    request = rf.get("/x/")
    request.user = AnonymousUser()
    request.session = {}
    html = errors.page(request, status).content.decode()
    assert "이제 할 일" in html
    assert 'href="/"' in html
    answer = errors.page(rf.get("/api/v1/x"), status)
    assert answer["Content-Type"] == "application/json"
    assert f"http_{status}" in answer.content.decode()


def test_the_500_page_needs_no_database(rf, django_db_blocker):
    from bitgoeul.site.pages import errors

    with django_db_blocker.block():
        response = errors.server_error(rf.get("/"))
    assert response.status_code == 500
    assert "두 번 처리되지는 않습니다" in response.content.decode()


@pytest.mark.parametrize("path", PUBLIC)
def test_public_pages_stay_within_thirty_queries(client, example_data, path):
    assert count_queries(client, path) <= QUERIES_MAX


def test_home_does_not_grow_with_projects(sign_in, ara, organisation, project, allocation):
    client = sign_in(ara)
    client.get("/home/")
    before = count_queries(client, "/home/")
    for number in range(4):
        another = _project(ara, organisation, number)
        _grant(another)
    assert count_queries(client, "/home/") == before <= QUERIES_MAX


def test_the_project_page_does_not_grow_with_rows(sign_in, ara, project, allocation):
    from bitgoeul.trials import facade as trials

    client = sign_in(ara)
    _subject(ara, project, "first")
    client.get(f"/projects/{project.id}/")
    before = count_queries(client, f"/projects/{project.id}/")
    for number in range(4):
        _subject(ara, project, f"more {number}")
        _grant(project)
    assert len(trials.subjects(actor=_again(ara), project_id=project.id).items) == 5
    assert count_queries(client, f"/projects/{project.id}/") == before <= QUERIES_MAX


def _again(actor):
    """The same person with the roles of this moment."""
    from bitgoeul.accounts import facade as accounts

    return accounts.actor_for(user_id=actor.user_id)


def _subject(actor, project, name):
    from bitgoeul.trials import facade as trials

    trials.create_subject(
        actor=_again(actor),
        id=new_id(),
        project_id=project.id,
        name=name,
        kind=trials.SubjectKind.ONNX,
    )


def _project(actor, organisation, number):
    from bitgoeul.accounts import facade as accounts

    return accounts.create_project(
        actor=accounts.Actor.system("test"),
        id=new_id(),
        organisation_id=organisation.id,
        title=f"과제 {number} (예시)",
        owner_user_id=actor.user_id,
    )


def _grant(project):
    from bitgoeul.accounts import facade as accounts
    from bitgoeul.resources import facade as resources

    return resources.grant(
        actor=accounts.Actor.system("test"),
        id=new_id(),
        project_id=project.id,
        resource_code="cpu-core",
        amount=50 * 3_600_000,
        starts_at=now() - timedelta(days=1),
        ends_at=now() + timedelta(days=90),
        origin=resources.Origin("test", "1", "시험 (예시)"),
    )


@pytest.fixture
def example_data(db):
    """The calls, figures and indicators of the example."""
    from bitgoeul.accounts import facade as accounts
    from bitgoeul.outcomes import facade as outcomes
    from bitgoeul.programmes import facade as programmes
    from bitgoeul.resources import facade as resources

    system = accounts.Actor.system("test")
    resources.load_example(actor=system, directory=EXAMPLES)
    programmes.load_example(actor=system, directory=EXAMPLES)
    outcomes.load_example(actor=system, directory=EXAMPLES)


@pytest.fixture
def allocation(project):
    """Fifty core-hours for Ara's project."""
    from bitgoeul.accounts import facade as accounts
    from bitgoeul.resources import facade as resources

    resources.load_example(actor=accounts.Actor.system("test"), directory=EXAMPLES)
    return _grant(project)
