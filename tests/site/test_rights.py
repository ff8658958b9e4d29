"""Who gets what: every registered verb × every person × every address where it can be done, over real HTTP.

Ara owns the company and the project; a manager, Bora, a viewer and a coworker stand beside her. Chan has a
company of their own and must not get in; Dami's is named as a reader of one piece of evidence. `may()` says what
each is to get, and the answer must agree; what an outsider must not know answers like what does not exist.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.urls import URLPattern, URLResolver, get_resolver, resolve

from bitgoeul.accounts import facade as accounts
from portal_cast import OUTSIDERS, PEOPLE, TOKENS, cast, furnish
from portal_world import SECRET, body_of, call, names_of, says_why
from rights_table import ELSEWHERE, LINES, UNHELD, Line

NOBODYS, UNSEEN = UUID(int=7), "5" * 64
# What everybody may see is there for an outsider too.
PUBLIC_NAMES = frozenset({"figure", "protocol", "digest", "public", "call"})
# What differs from one answer to the next, whatever it is about.
PASSING = re.compile(
    r'csrfmiddlewaretoken" value="[^"]+"|[0-9a-f]{8}-[0-9a-f-]{27}|"X-CSRFToken": "[^"]+"|<dcterms:[^<]*'
)
WRITES = re.compile(r'\s*(?:INSERT INTO|UPDATE|DELETE FROM|REPLACE INTO)\s+"?(\w+)', re.IGNORECASE)
# That somebody asked, not what they asked for: the session, when it was last seen, who looked at whom.
ASKED = frozenset({"django_session", "accounts_signin", "accounts_apitoken", "audit_accessrecord"})
# What Ara made public names her chip.
NAMES_HER = ("/", "/board/", "/api/v1/board", "/api/v1/evidence/latest", "/verify/")
# And so does the page that says that there is no such evidence.
NAMES_HER += tuple(f"/verify/{{{name}}}/" for name in ("private", "named", "embargo"))


@pytest.fixture(scope="module")
def stage(world):
    """The cast with its clients, and the names in the paths, once for all."""
    furnish(world)
    ids = names_of(world) | {"done": world.trials["private"].job_id}
    return SimpleNamespace(people=cast(world), ids=ids, things=things(world))


def things(world: Any) -> dict[str, accounts.Thing]:
    """What stands for the things in the table."""
    project, company = world.project.id, world.company.id

    def of_project(kind: str, id: object) -> accounts.Thing:
        return accounts.Thing(kind, str(id), project_id=project)

    evidence = {
        name: accounts.Thing("evidence", digest, project_id=project, public=name == "public")
        for name, digest in world.evidence.items()
    }
    return {
        "portal": accounts.PORTAL,
        "installation": accounts.Thing("installation", "agreements"),
        "project": accounts.Thing("project", str(project), project_id=project, organisation_id=company),
        "organisation": accounts.Thing("organisation", str(company), organisation_id=company),
        "application": accounts.Thing("application", str(world.application.id), organisation_id=company),
        "allocation": of_project("allocation", world.allocation.id),
        "job": of_project("job", world.running.job_id),
        "subject": of_project("subject", world.subject.id),
        "trial": of_project("trial", world.running.id),
        **evidence,
    }


def expected(line: Line, name: str, stage: SimpleNamespace) -> frozenset[int]:
    """The statuses that the rules allow this person at this address."""
    actor = stage.people[name].actor
    if line.verb == "public" or (actor.is_signed_in and line.verb == "self" and not writes_by_token(line, name)):
        return line.good
    if not actor.is_signed_in and not line.open:
        return frozenset({401 if line.surface == "api" else 302})
    if writes_by_token(line, name):
        return frozenset({403})
    thing = stage.things[line.thing]
    decision = accounts.may(actor=actor, verb=line.verb, thing=thing)
    if decision.allowed or (line.verb == "trials.view_evidence" and (name, line.thing) == ("dami", "named")):
        return line.good
    return frozenset({refusal(line, actor, thing, decision)})


def writes_by_token(line: Line, name: str) -> bool:
    """A token that may only read is refused whatever it wants to write."""
    return name in TOKENS and line.method != "GET"


def refusal(line: Line, actor: accounts.Actor, thing: accounts.Thing, decision: accounts.Decision) -> int:
    """404 for who may not know of the thing, 403 for who may and gets the reason."""
    if line.open or (thing.kind == "evidence" and not sees_evidence(actor, thing)):
        return 404
    if decision.code:
        return 403
    own = f"{line.verb.partition('.')[0]}.view_{thing.kind}"
    known = {verb.name for verb in accounts.verbs()}
    seen_by = own if own in known else "accounts.view_project" if thing.kind == "project" else None
    if seen_by is None:
        return 403
    seen = accounts.may(actor=actor, verb=seen_by, thing=thing)
    return 403 if seen.allowed or seen.code else 404


def sees_evidence(actor: accounts.Actor, thing: accounts.Thing) -> bool:
    """Evidence is looked up before anything is asked about it: even a lacking scope does not tell of it."""
    return accounts.may(actor=actor, verb="trials.view_evidence", thing=thing).allowed


@contextmanager
def written():
    """The tables written to meanwhile, but for those that only tell that somebody asked."""
    tables: set[str] = set()

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        found = WRITES.match(sql)
        if found and found[1] not in ASKED:
            tables.add(found[1])
        return execute(sql, params, many, context)

    with connection.execute_wrapper(watch):
        yield tables


def asked(stage: SimpleNamespace, name: str, line: Line, ids: dict[str, Any], body: Any = None) -> Any:
    """The answer to this person at this address."""
    part = stage.people[name]
    return call(part.client, line.method, line.path, ids, line.variant, body=body, headers=part.headers)


def faults(stage: SimpleNamespace, name: str, line: Line) -> list[str]:
    """What is wrong with the answer: its status, a refusal without a reason, something written all the same."""
    good = expected(line, name, stage)
    with written() as tables:
        answer = asked(stage, name, line, stage.ids)
    if answer.status_code not in good:
        return [f"{line.name}: {answer.status_code}, not {sorted(good)}"]
    if answer.status_code < 400 or answer.status_code in line.good:
        return []
    found = [] if says_why(answer, line.path) else [f"{line.name}: {answer.status_code} without a reason"]
    return found + ([f"{line.name}: refused, and wrote {sorted(tables)}"] if tables else [])


def reachable(name: str) -> list[Line]:
    """Tokens open the interface only."""
    return [line for line in LINES if line.surface == "api" or name not in TOKENS]


@pytest.mark.parametrize("name", PEOPLE)
def test_every_address_answers_each_person_as_the_rules_say(stage, db, name):
    assert [fault for line in reachable(name) for fault in faults(stage, name, line)] == []


def unknown(ids: dict[str, Any]) -> dict[str, Any]:
    """The same names with ids under which there is nothing."""
    nothing = {name: NOBODYS if isinstance(one, UUID) else UNSEEN for name, one in ids.items()}
    return nothing | {name: one for name, one in ids.items() if name in PUBLIC_NAMES}


def same_words(response: Any, ids: dict[str, Any]) -> str:
    """The answer without what was asked for: its id, the request's own, the token of its forms."""
    text = str(response.text_seen)
    for one in ids.values():
        text = text.replace(str(one), "ID") if len(str(one)) > 30 else text
    return PASSING.sub("", text)


@pytest.mark.parametrize("name", OUTSIDERS)
def test_what_an_outsider_must_not_know_answers_like_what_does_not_exist(stage, db, name):
    ids, nothing, told = stage.ids, unknown(stage.ids), []
    for line in LINES:
        if expected(line, name, stage) != {404} or "{" not in line.path or 404 in line.good:
            continue
        body = body_of(line.path, line.variant, ids)
        there = asked(stage, name, line, ids, body)
        for one in body.values():
            if hasattr(one, "seek"):
                one.seek(0)
        absent = asked(stage, name, line, nothing, body)
        if (absent.status_code, same_words(absent, nothing)) != (404, same_words(there, ids)):
            told.append(f"{line.name}: {absent.status_code}")
        if dict(there.items()).keys() != dict(absent.items()).keys():
            told.append(f"{line.name}: other headers")
    assert told == []


def seen(stage: SimpleNamespace, name: str) -> dict[str, str]:
    """Every answer that this person gets when they only look, in words."""
    looked = {}
    for line in LINES:
        if line.method == "GET" and expected(line, name, stage) == line.good:
            answer = asked(stage, name, line, stage.ids)
            looked[line.name] = same_words(answer, stage.ids)
    return looked


def more_of_aras(world: Any) -> None:
    """What the people of Ara's project may add to it and keep to themselves."""
    from bitgoeul.kernel.ids import new_id
    from bitgoeul.trials import facade as trials
    from portal_world import apply_for

    ara = accounts.actor_for(user_id=world.people["ara"])
    subject = trials.create_subject(
        actor=ara, id=new_id(), project_id=world.project.id, name=f"{SECRET} 새 모델", kind="onnx"
    )
    version = trials.add_version(actor=ara, id=new_id(), subject_id=subject.id, filename="n.onnx", data=b"new")
    trials.request_trial(
        actor=ara, id=new_id(), subject_version_id=version.id, protocol_digest=world.protocol.digest, parameters={}
    )
    apply_for(world.people["ara"], world.company, f"{SECRET} 또 한 과제", submit=False)
    accounts.add_member(
        actor=ara, project_id=world.project.id, user_id=world.people["coworker"], role=accounts.ProjectRole.VIEWER
    )


@pytest.mark.parametrize("name", ["anonymous", "chan"])
def test_what_a_project_keeps_to_itself_changes_no_page_list_count_or_workbook_of_an_outsider(
    stage, world, db, name
):
    before = seen(stage, name)
    more_of_aras(world)
    after = seen(stage, name)
    assert [key for key in before if before[key] != after[key]] == []
    assert len(before) > 30


@pytest.mark.parametrize("name", ["anonymous", "chan"])
def test_nothing_that_an_outsider_may_open_names_aras_company(stage, db, name):
    leaks = [
        line.name
        for line in LINES
        if line.method == "GET" and line.thing != "public" and line.path not in NAMES_HER
        if SECRET in asked(stage, name, line, stage.ids).text_seen
    ]
    assert leaks == []


def test_every_verb_has_a_surface_or_says_where_it_is_done():
    registered = {verb.name for verb in accounts.verbs()}
    held = {line.verb for line in LINES} - {"self", "public"}
    assert registered - held - ELSEWHERE.keys() == set(), "give the verb a line in tests/rights_table.py"
    assert held - registered == set()
    assert held & ELSEWHERE.keys() == set()


def test_every_line_asks_about_the_kind_of_thing_that_its_verb_acts_on(stage):
    kinds = {verb.name: verb.kind for verb in accounts.verbs()}
    wrong = [
        line.name for line in LINES if line.thing != "-" and stage.things[line.thing].kind != kinds[line.verb]
    ]
    assert wrong == []


def routes(resolver: URLResolver, before: str = "") -> list[str]:
    """Every address of the installation."""
    found = []
    for one in resolver.url_patterns:
        path = before + str(one.pattern)
        found += (
            routes(one, path) if isinstance(one, URLResolver) else [path] if isinstance(one, URLPattern) else []
        )
    return found


def test_every_address_has_a_line(stage):
    held = {resolve(line.path.split("?")[0].format(**stage.ids)).route for line in LINES}
    missing = [route for route in routes(get_resolver()) if route not in held and not route.startswith(UNHELD)]
    assert missing == [], "say in tests/rights_table.py which verb guards it"


def test_every_operation_has_a_line_for_each_of_its_methods(stage):
    from bitgoeul.site.rest import api

    held = {(line.method, resolve(line.path.split("?")[0].format(**stage.ids)).route) for line in LINES}
    plain = {(method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route)) for method, route in held}
    paths = api.get_openapi_schema()["paths"]
    missing = [
        f"{method.upper()} {path}"
        for path, item in paths.items()
        for method in item
        if (method.upper(), path.lstrip("/")) not in plain
    ]
    assert missing == []


def test_each_refusal_of_a_right_is_documented(stage, db):
    """Whatever refusal of a right somebody gets stands in the document."""
    from bitgoeul.site.rest import api

    told = {
        (method.upper(), path.lstrip("/")): {int(status) for status in one["responses"]}
        for path, item in api.get_openapi_schema()["paths"].items()
        for method, one in item.items()
    }
    wrong = []
    for line in LINES:
        if line.surface != "api" or line.path in ("/api/v1/", "/api/v1/openapi.json"):
            continue
        route = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", resolve(line.path.split("?")[0].format(**stage.ids)).route)
        met = {status for name in PEOPLE for status in expected(line, name, stage) - line.good}
        undocumented = met - told[line.method, route]
        wrong += [f"{line.name}: {sorted(undocumented)} is not in the document"] if undocumented else []
    assert wrong == []


def test_a_named_reader_sees_the_evidence_and_not_whom_else_it_names(stage, db):
    dami, ids = stage.people["dami"].client, stage.ids
    page = call(dami, "GET", "/evidence/{named}/", ids)
    assert (page.status_code, page["Location"]) == (302, f"/verify/{ids['named']}/")
    assert call(dami, "GET", "/api/v1/evidence/{named}", ids).json()["organisations"] == []
    own = call(stage.people["ara"].client, "GET", "/api/v1/evidence/{named}", ids).json()
    assert own["organisations"] != []
    assert call(dami, "GET", "/api/v1/evidence/{named}/history", ids).status_code == 404
    assert call(dami, "POST", "/evidence/{named}/", ids, body={"visibility": "public"}).status_code == 404


def test_a_reader_of_public_evidence_gets_no_history_out_of_a_form_with_faults(stage, db):
    chan = stage.people["chan"].client
    answer = call(chan, "POST", "/evidence/{public}/", stage.ids, body={"visibility": "nonsense"})
    assert answer.status_code == 403
    assert SECRET not in answer.text_seen


def test_a_token_that_may_only_read_says_so(stage, db):
    part = stage.people["token_read"]
    for path in ("/api/v1/projects/{project}/subjects", "/api/v1/trials", "/api/v1/tokens"):
        refused = call(part.client, "POST", path, stage.ids, headers=part.headers)
        assert (refused.status_code, refused.json()["message"]) == (403, "This token may only read."), path


def test_a_method_that_an_address_does_not_take_is_refused_in_words(stage, db):
    ara = stage.people["ara"].client
    page = call(ara, "GET", "/trials/{running}/stop/", stage.ids)
    assert (page.status_code, page["Allow"]) == (405, "POST")
    assert "버튼이 있는 화면으로 돌아가" in page.text_seen
    answer = ara.put("/api/v1/me")
    assert (answer.status_code, answer.json()["code"]) == (405, "http_405")
