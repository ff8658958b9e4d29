"""Search, by page and REST: who finds what, what nobody finds out, and what it costs."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bitgoeul.accounts import facade as accounts
from bitgoeul.kernel.ids import new_id
from bitgoeul.site.pages.search import FEW, KINDS, PAGES_MAX, PER_PAGE
from portal_world import SECRET

# The beginning of all of Ara's names, and of nobody else's.
HERS = SECRET[:2]
OPEN = {"resource", "call", "figure"}


def found(client, q, **query):
    """What the REST interface finds, by kind."""
    answer = client.get("/api/v1/search", {"q": q, **query})
    assert answer.status_code == 200, answer.content
    return {group["kind"]: group for group in answer.json()["groups"]}


def titles(groups):
    return {kind: {item["title"] for item in group["items"]} for kind, group in groups.items()}


@pytest.mark.parametrize("name", ["ara", "staff", "auditor", "engineer"])
def test_who_may_see_them_find_things_by_the_beginning_of_their_names(enter, world, name):
    groups = titles(found(enter(name), HERS))
    assert groups["project"] == {world.project.title}
    assert groups["organisation"] == {world.company.name}
    assert groups["subject"] == {world.subject.name}
    assert groups["trial"] == {world.subject.name}
    assert ("application" in groups) is (name != "engineer"), "an engineer may not see applications"


def test_who_works_in_the_project_alone_finds_what_is_the_projects(enter):
    assert found(enter("bora"), HERS).keys() == {"project", "job", "subject", "trial"}


@pytest.mark.parametrize("name", ["chan", "dami", "anonymous"])
@pytest.mark.parametrize("kind", ["", *KINDS])
def test_others_find_nothing_of_it_in_any_kind(enter, world, name, kind):
    client = enter(name)
    for q in (HERS, world.project.number, str(world.running.job_id), str(world.subject.id), str(world.company.id)):
        assert found(client, q, kind=kind) == {}
        page = client.get("/search/", {"q": q, "kind": kind})
        assert page.status_code == 200
        assert SECRET not in page.content.decode()
        assert 'class="found"' not in page.content.decode()


@pytest.mark.parametrize("name", ["chan", "anonymous"])
def test_a_hidden_thing_answers_as_one_that_does_not_exist(enter, world, name):
    client = enter(name)
    hidden = client.get("/api/v1/search", {"q": str(world.project.id)})
    absent = client.get("/api/v1/search", {"q": str(new_id())})
    assert hidden.content == absent.content


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("ara", {"private", "named", "public", "embargo"}),
        ("bora", {"private", "named", "public", "embargo"}),
        ("staff", {"private", "named", "public", "embargo"}),
        ("dami", {"named", "public"}),
        ("chan", {"public"}),
        ("anonymous", {"public"}),
    ],
)
def test_evidence_is_found_by_its_digest_by_those_who_may_see_it(enter, world, name, seen):
    client = enter(name)
    for kind, digest in world.evidence.items():
        for q in (digest, digest[:12], digest[:12].upper()):
            items = found(client, q).get("evidence", {"items": []})["items"]
            assert [item["id"] for item in items] == ([digest] if kind in seen else [])
    assert "evidence" not in found(client, world.evidence["public"][:7]), "seven digits are too few"


def test_every_found_thing_opens(enter, world):
    client = enter("ara")
    lines = [item for q in (HERS, "cpu", world.evidence["private"], "바로") for group in found(client, q).values()
             for item in group["items"]]  # fmt: skip
    assert len(lines) > 6
    for item in lines:
        assert client.get(item["url"]).status_code in (200, 302), item


def test_numbers_and_ids_come_first_and_a_thing_once(enter, world):
    client = enter("staff")
    assert found(client, world.project.number.lower())["project"]["items"][0]["id"] == str(world.project.id)
    job = str(world.running.job_id)
    for q in (job, job.replace("-", ""), job.upper()):
        assert [item["id"] for item in found(client, q)["job"]["items"]] == [job]
    own = accounts.actor_for(user_id=world.people["ara"])
    made = _subject(own, world, f"{world.subject.id} copy")
    items = found(enter("ara"), str(world.subject.id))["subject"]["items"]
    assert [item["id"] for item in items] == [str(world.subject.id), str(made.id)]


def _subject(actor, world, name):
    from bitgoeul.trials import facade as trials

    return trials.create_subject(actor=actor, id=new_id(), project_id=world.project.id, name=name, kind="onnx")


def test_case_does_not_matter_and_signs_stand_for_themselves(enter, world):
    own = accounts.actor_for(user_id=world.people["ara"])
    for name in ("Edge Vision 1", "50% pruned", "a_b model"):
        _subject(own, world, name)
    client = enter("ara")
    assert titles(found(client, "EDGE vis"))["subject"] == {"Edge Vision 1"}
    assert titles(found(client, "50%"))["subject"] == {"50% pruned"}
    assert titles(found(client, "a_b"))["subject"] == {"a_b model"}
    for q in ("%%", "__", "a%", "' OR 1=1 --", "vision"):
        assert "subject" not in found(client, q)


def test_public_things_are_found_by_any_part_in_both_languages(enter, world):
    client = enter("anonymous")
    for q in ("바로 쓰기", "quick start", "QUICK-"):
        assert "quick-start" in {item["id"] for item in found(client, q)["call"]["items"]}
    assert any(item["id"] == "cpu-core" for item in found(client, "cpu-co")["resource"]["items"])


def test_few_of_each_kind_then_pages_of_one_and_no_count(enter, world):
    own = accounts.actor_for(user_id=world.people["ara"])
    for number in range(PER_PAGE + 2):
        _subject(own, world, f"많은 모델 {number:02}")
    client = enter("ara")
    group = found(client, "많은")["subject"]
    assert (len(group["items"]), group["more"]) == (FEW, True)
    first, second = (found(client, "많은", kind="subject", page=number)["subject"] for number in (1, 2))
    assert (len(first["items"]), first["more"], len(second["items"]), second["more"]) == (PER_PAGE, True, 2, False)
    names = [item["title"] for page in (first, second) for item in page["items"]]
    assert names == [f"많은 모델 {number:02}" for number in range(PER_PAGE + 2)]
    assert found(client, "많은", kind="subject", page=3) == {}
    page = client.get("/search/", {"q": "많은"}).content.decode()
    assert "kind=subject" in page
    assert page.count('<li><a href="/subjects/') == FEW
    assert found(enter("chan"), "많은") == {}


@pytest.mark.parametrize("name", ["ara", "staff", "anonymous"])
def test_the_number_of_queries_does_not_grow(enter, world, name):
    def queries(q):
        with CaptureQueriesContext(
            connection,
        ) as seen:
            assert client.get("/search/", {"q": q}).status_code == 200
        return len(seen)

    own = accounts.actor_for(user_id=world.people["ara"])
    _subject(own, world, "하나 모델")
    client = enter(name)
    queries("하나")
    one = queries("하나")
    for number in range(30):
        _subject(own, world, f"하나 {number}")
    assert queries("하나") == one


LARGE = ("accounts_project", "accounts_organisation", "compute_job", "programmes_application", "trials_subject",
         "trials_trial", "trials_evidence")  # fmt: skip


@pytest.mark.parametrize("name", ["ara", "staff", "anonymous"])
@pytest.mark.parametrize("q", [HERS, "PRJ-2026-0", "0123abcd"])
def test_no_search_reads_a_large_table_from_end_to_end(enter, name, q):
    client = enter(name)
    with CaptureQueriesContext(connection) as seen:
        assert client.get("/search/", {"q": q}).status_code == 200
    looked = [
        one["sql"]
        for one in seen
        if one["sql"].startswith("SELECT") and any(f'"{t}"' in one["sql"] for t in LARGE)
    ]
    assert looked or name == "anonymous"
    with connection.cursor() as cursor:
        postgresql = connection.vendor == "postgresql"
        if postgresql:
            # With few rows a scan is cheaper; forbidden, it stays only where no index can serve.
            cursor.execute("SET LOCAL enable_seqscan = off")
        for sql in looked:
            cursor.execute(f"EXPLAIN {sql}" if postgresql else f"EXPLAIN QUERY PLAN {sql}")
            plan = "\n".join(str(row[-1]) for row in cursor.fetchall())
            scan = "Seq Scan on" if postgresql else "SCAN"
            assert [table for table in LARGE if f"{scan} {table}" in plan] == [], f"{sql}\n{plan}"


@pytest.mark.parametrize("q", ["", "a", " ", "\0a", "x" * 81])
def test_too_short_or_long_a_text_says_so_and_is_kept(enter, q):
    answer = enter("ara").get("/api/v1/search", {"q": q})
    assert answer.status_code == 400
    told = answer.json()
    assert (told["code"], told["detail"]["field"]) == ("bad_input", "q")
    assert told["detail"]["remedy"]
    if q:
        page = enter("ara").get("/search/", {"q": q})
        assert page.status_code == 400
        assert 'role="alert"' in page.content.decode()


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ({"q": "ab", "kind": "user"}, 400, "kind"),
        ({"q": "ab", "kind": "job\0"}, 400, "kind"),
        ({"q": "ab", "page": PAGES_MAX + 1}, 422, None),
        ({"q": "ab", "page": 0}, 422, None),
        ({}, 422, None),
    ],
)
def test_other_bad_questions_are_refused(enter, query, status, field):
    answer = enter("ara").get("/api/v1/search", query)
    assert answer.status_code == status, answer.content
    assert answer.json()["detail"].get("field") == field


def test_odd_pages_of_the_page_are_the_nearest_there_is(enter):
    for page in ("0", "-3", "x", "999999"):
        assert enter("ara").get("/search/", {"q": HERS, "kind": "subject", "page": page}).status_code == 200
    assert enter("ara").get("/search/", {"q": HERS, "kind": "user"}).status_code == 400
    assert enter("ara").post("/search/", {"q": HERS}).status_code in (403, 405)


def test_a_token_finds_only_what_its_scopes_open(world, db, client):
    ara = accounts.actor_for(user_id=world.people["ara"])

    def with_scope(*scopes):
        made = accounts.issue_token(actor=ara, id=new_id(), name="t", days=1, scopes=scopes)
        return client.get("/api/v1/search", {"q": HERS}, headers={"Authorization": f"Bearer {made.secret}"}).json()

    kinds = {group["kind"] for group in with_scope("trials:read")["groups"]}
    assert kinds == {"project", "organisation", "subject", "trial"}


def test_every_page_has_the_box(enter):
    for name in ("ara", "anonymous"):
        for path in ("/", "/search/", "/catalogue/"):
            page = enter(name).get(path).content.decode()
            assert 'action="/search/"' in page
            assert 'class="site-search"' in page
