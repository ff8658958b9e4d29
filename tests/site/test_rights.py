"""Who gets what at every address: each page and REST operation called as each person, with real rows behind it.

Ara owns the company and the project, Bora is on the project's team, Chan has a company of their own and must not
get in. What an outsider must not know answers exactly like what does not exist.
"""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import pytest
from django.urls import URLPattern, URLResolver, get_resolver, resolve

from portal_world import SECRET, body_of, call, says_why

PEOPLE = ("anonymous", "chan", "bora", "ara", "staff", "engineer", "auditor")

# One line an address: the path, which of its forms, and the status for each of PEOPLE in their order.
GETS = """
/example/sign-in/                                 404 404 404 404 404 404 404
/mail/                                            404 404 404 404 404 404 404
/mail/nothing/                                    404 404 404 404 404 404 404
/account/                                         302 200 200 200 200 200 200
/account/elevation/                               302 403 403 403 200 200 200
/operators/                                       302 403 403 403 200 403 200
/operators/elevations/                            302 403 403 403 200 403 200
/operators/person/                                302 403 403 403 200 403 403
/organisations/{company}/                         302 404 404 200 200 200 200
/organisations/new/                               302 200 200 200 200 200 200
/home/                                            302 200 200 200 200 200 200
/projects/{project}/                              302 404 200 200 200 200 200
/projects/{project}/members/                      302 404 200 200 200 403 200
/projects/{project}/statement/                    302 404 200 200 200 200 200
/projects/{project}/statement/?format=xlsx        302 404 200 200 200 200 200
/projects/{project}/subjects/new/                 302 404 200 200 403 403 403
/projects/{project}/trials/new/                   302 404 200 200 403 403 403
/decisions/                                       302 403 403 403 200 403 200
/trail/project/{project}/                         302 404 200 200 200 200 200
/trail/organisation/{company}/                    302 404 404 200 200 200 200
/trail/application/{application}/                 302 404 404 200 200 404 200
/trail/agreement/{agreement}/                     302 404 404 200 200 404 200
/trail/allocation/{allocation}/                   302 404 200 200 200 200 200
/trail/job/{job}/                                 302 404 200 200 200 200 200
/trail/subject/{subject}/                         302 404 200 200 200 200 200
/trail/trial/{trial}/                             302 404 200 200 200 200 200
/trail/evidence/{public}/                         302 404 200 200 200 200 200
/trail/evidence/{private}/?format=xlsx            302 404 200 200 200 200 200
/subjects/{subject}/                              302 404 200 200 200 200 200
/trials/{trial}/                                  302 404 200 200 200 200 200
/trials/{running}/status/                         302 404 302 302 302 302 302
/trials/{trial}/record.json                       302 404 200 200 200 200 200
/trials/{trial}/logs.tar                          302 404 200 200 200 200 200
/verify/                                          200 200 200 200 200 200 200
/verify/{private}/                                404 404 200 200 200 200 200
/verify/{named}/                                  404 404 200 200 200 200 200
/verify/{embargo}/                                404 404 200 200 200 200 200
/verify/{public}/                                 200 200 200 200 200 200 200
/verify/{private}/evidence.json                   404 404 200 200 200 200 200
/verify/{named}/evidence.json                     404 404 200 200 200 200 200
/verify/{embargo}/evidence.json                   404 404 200 200 200 200 200
/verify/{public}/evidence.json                    200 200 200 200 200 200 200
/verify/{private}/verifier.html                   404 404 200 200 200 200 200
/verify/{public}/verifier.html                    200 200 200 200 200 200 200
/evidence/{private}/                              302 404 200 200 200 200 200
/evidence/{named}/                                302 404 200 200 200 200 200
/evidence/{embargo}/                              302 404 200 200 200 200 200
/evidence/{public}/                               302 302 200 200 200 200 200
/keys/centre.pub                                  200 200 200 200 200 200 200
/start/                                           302 302 302 302 302 302 302
/start/all/                                       200 200 200 200 200 200 200
/start/1/                                         200 200 200 200 200 200 200
/plan/                                            200 200 200 200 200 200 200
/calls/                                           200 200 200 200 200 200 200
/calls/quick-start/                               200 200 200 200 200 200 200
/calls/quick-start/apply/                         302 200 200 200 200 200 200
/calls/quick-start/apply/?draft={draft}           302 404 404 200 403 404 403
/partners/                                        302 403 403 403 200 403 200
/partners.xlsx                                    302 403 403 403 200 403 200
/applications/                                    302 200 200 200 200 200 200
/applications.xlsx                                302 200 200 200 200 200 200
/applications/{application}/                      302 404 404 200 200 404 200
/applications/{draft}/                            302 404 404 200 200 404 200
/agreements/                                      302 200 200 200 200 200 200
/agreements/?waiting                              302 403 403 403 200 403 200
/agreements.xlsx                                  302 403 403 403 200 403 200
/agreements/{agreement}/                          302 404 404 200 200 404 200
/agreements/{agreement}/text/                     302 404 404 200 200 404 200
/catalogue/                                       200 200 200 200 200 200 200
/catalogue.xlsx                                   200 200 200 200 200 200 200
/catalogue/cpu-core/                              200 200 200 200 200 200 200
/fleet/                                           302 403 403 403 200 200 200
/fleet/nodes/                                     302 403 403 403 200 200 200
/fleet/nodes.xlsx                                 302 403 403 403 200 200 200
/figures/                                         200 200 200 200 200 200 200
/figures.xlsx                                     200 200 200 200 200 200 200
/figures/{figure}/                                200 200 200 200 200 200 200
/api/v1/me                                        401 200 200 200 200 200 200
/api/v1/tokens                                    401 200 200 200 200 200 200
/api/v1/projects                                  401 200 200 200 200 200 200
/api/v1/projects/{project}                        401 404 200 200 200 200 200
/api/v1/decisions                                 401 403 403 403 200 403 200
/api/v1/trail/project/{project}                   401 404 200 200 200 200 200
/api/v1/trail/evidence/{private}                  401 404 200 200 200 200 200
/api/v1/figures                                   200 200 200 200 200 200 200
/api/v1/figures/{figure}                          200 200 200 200 200 200 200
/api/v1/figures/{figure}/claims                   200 200 200 200 200 200 200
/api/v1/questions                                 200 200 200 200 200 200 200
/api/v1/calls                                     200 200 200 200 200 200 200
/api/v1/calls/quick-start                         200 200 200 200 200 200 200
/api/v1/applications                              401 200 200 200 200 200 200
/api/v1/applications/{application}                401 404 404 200 200 404 200
/api/v1/agreements                                401 200 200 200 200 200 200
/api/v1/agreements?waiting=true                   401 403 403 403 200 403 200
/api/v1/agreements/{agreement}                    401 404 404 200 200 404 200
/api/v1/projects/{project}/allocations            401 404 200 200 200 200 200
/api/v1/allocations/{allocation}                  401 404 200 200 200 200 200
/api/v1/resources                                 401 200 200 200 200 200 200
/api/v1/fleet                                     401 403 403 403 200 200 200
/api/v1/fleet/queue                               401 403 403 403 200 200 200
/api/v1/catalogue                                 200 200 200 200 200 200 200
/api/v1/catalogue/cpu-core                        200 200 200 200 200 200 200
/api/v1/projects/{project}/subjects               401 404 200 200 200 200 200
/api/v1/subjects/{subject}                        401 404 200 200 200 200 200
/api/v1/subjects/{subject}/versions               401 404 200 200 200 200 200
/api/v1/protocols                                 401 200 200 200 200 200 200
/api/v1/trials?project_id={project}               401 404 200 200 200 200 200
/api/v1/trials/{trial}                            401 404 200 200 200 200 200
/api/v1/trials/{trial}/record                     401 404 200 200 200 200 200
/api/v1/evidence?project_id={project}             401 404 200 200 200 200 200
/api/v1/evidence/{private}                        404 404 200 200 200 200 200
/api/v1/evidence/{named}                          404 404 200 200 200 200 200
/api/v1/evidence/{embargo}                        404 404 200 200 200 200 200
/api/v1/evidence/{public}                         200 200 200 200 200 200 200
/api/v1/evidence/{private}/file                   404 404 200 200 200 200 200
/api/v1/evidence/{public}/file                    200 200 200 200 200 200 200
"""

POSTS = """
/example/sign-in/                                 404 404 404 404 404 404 404
/account/                                         302 302 302 302 302 302 302
/account/tokens/                                  302 200 200 200 200 200 200
/account/tokens/{token}/end/                      302 302 302 302 302 302 302
/account/elevation/                               302 403 403 403 422 422 422
/account/elevation/{token}/end/                   302 404 404 404 404 404 404
/account/sign-ins/{token}/end/                    302 302 302 302 302 302 302
/account/sign-ins/end/                            302 302 302 302 302 302 302
/operators/                                       302 403 403 403 403 403 403
/operators/person/                                302 403 403 403 422 403 403
/operators/{bora}/STAFF/revoke/                   302 403 403 403 403 403 403
/operators/{bora}/end-access/                     302 403 403 403 403 403 403
/organisations/{company}/                         302 404 404 302 403 403 403
/organisations/{company}/members/{bora}/remove/   302 404 404 302 403 403 403
/projects/{project}/members/{bora}/owner/         302 404 403 302 403 403 403
/organisations/new/                               302 302 302 302 302 302 302
/projects/{project}/members/                      302 404 403 302 403 403 403
/projects/{project}/members/{bora}/remove/        302 404 403 302 403 403 403
/projects/{project}/subjects/new/                 302 404 302 302 403 403 403
/projects/{project}/trials/new/                   302 404 302 302 403 403 403
/subjects/{subject}/versions/new/                 302 404 302 302 403 403 403
/trials/{running}/stop/                           302 404 302 302 403 302 403
/trials/{trial}/judge/                            302 404 403 403 302 302 403
/evidence/{private}/ audience                     302 404 403 302 403 403 403
/evidence/{public}/ audience                      302 403 403 302 403 403 403
/evidence/{private}/ reason                       302 404 403 403 302 302 403
/evidence/{public}/ reason                        302 403 403 403 302 302 403
/start/1/                                         302 302 302 302 302 302 302
/start/all/                                       302 302 302 302 302 302 302
/start/again/                                     302 302 302 302 302 302 302
/calls/quick-start/apply/                         302 400 200 302 200 200 200
/applications/{selected}/withdraw/                302 404 404 302 403 404 403
/agreements/{agreement}/sign/ applicant           302 404 404 302 403 404 403
/agreements/{agreement}/sign/ operator            302 404 404 403 302 404 403
/api/v1/tokens                                    401 201 201 201 201 201 201
/api/v1/tokens/{token}/end                        401 204 204 204 204 204 204
/api/v1/plan                                      200 200 200 200 200 200 200
/api/v1/applications                              401 403 403 200 403 403 403
/api/v1/applications/{selected}/decide            401 404 404 403 409 404 403
/api/v1/applications/{selected}/withdraw          401 404 404 200 403 404 403
/api/v1/agreements/{agreement}/sign applicant     401 404 404 200 403 404 403
/api/v1/agreements/{agreement}/sign operator      401 404 404 403 200 404 403
/api/v1/projects/{project}/subjects               401 404 201 201 403 403 403
/api/v1/subjects/{subject}/versions               401 404 201 201 403 403 403
/api/v1/trials                                    401 404 201 201 403 403 403
/api/v1/trials/estimate                           401 404 200 200 403 403 403
/api/v1/trials/{running}/stop                     401 404 200 200 403 200 403
/api/v1/trials/{trial}/judgements                 401 404 403 403 200 200 403
/api/v1/evidence/{private}/visibility             401 404 403 200 403 403 403
/api/v1/evidence/{public}/visibility              401 403 403 200 403 403 403
/api/v1/evidence/{private}/invalidation           401 404 403 403 200 200 403
/api/v1/evidence/{public}/invalidation            401 403 403 403 200 200 403
"""

NOBODYS, UNSEEN = UUID(int=7), "5" * 64
# Operations whose rights are not held to a table yet.
UNASKED = ("jobs", "organisations", "projects/<uuidstr:project_id>/members", "allocations/", "board", "catalogue")
UNASKED += ("fleet/", "subjects/", "versions/", "trials/", "evidence/")
KEPT = ("figure", "company", "protocol", "digest", "version", "public", "call", "question")
ELSEWHERE = ("bitgoeul.compute", "bitgoeul.site", "allauth.", "django.", "ninja.openapi", "functools")
# What Ara made public names her chip.
OPEN = ("/verify/", "/verify/{public}/", "/api/v1/evidence/{public}")
# What differs from one answer to the next, whatever it is about.
PASSING = re.compile(r'csrfmiddlewaretoken" value="[^"]+"|[0-9a-f]{8}-[0-9a-f-]{27}|"X-CSRFToken": "[^"]+"')


def lines(table: str) -> list[tuple[str, str, tuple[int, ...]]]:
    """(path, variant, statuses) of a table."""
    found = []
    for line in table.strip().splitlines():
        words = line.split()
        codes = tuple(map(int, words[-len(PEOPLE) :]))
        head = words[: -len(PEOPLE)]
        found.append((head[0], head[1] if len(head) > 1 else "", codes))
    return found


@pytest.mark.parametrize("person", PEOPLE)
@pytest.mark.parametrize(("method", "table"), [("GET", GETS), ("POST", POSTS)])
def test_every_address_answers_each_person_as_the_table_says(enter, ids, person, method, table):
    client, column = enter(person), PEOPLE.index(person)
    wrong = []
    for path, variant, codes in lines(table):
        response = call(client, method, path, ids, variant)
        if response.status_code != codes[column]:
            wrong.append(f"{path} {variant}: {response.status_code}, not {codes[column]}")
        elif not says_why(response, path):
            wrong.append(f"{path} {variant}: {response.status_code} without a reason")
    assert wrong == []


def unknown(ids: dict[str, Any]) -> dict[str, Any]:
    """The same names with ids under which there is nothing."""
    kept = {
        name: ids[name]
        for name in ("figure", "company", "protocol", "digest", "version", "public", "call", "question")
    }
    return {name: NOBODYS if isinstance(one, UUID) else UNSEEN for name, one in ids.items()} | kept


def same_words(response: Any, ids: dict[str, Any]) -> str:
    """The answer without what was asked for: its id, the request's own, the token of its forms."""
    text = str(response.text_seen)
    for one in ids.values():
        text = text.replace(str(one), "ID") if len(str(one)) > 30 else text
    return PASSING.sub("", text)


@pytest.mark.parametrize("person", ["anonymous", "chan"])
@pytest.mark.parametrize(("method", "table"), [("GET", GETS), ("POST", POSTS)])
def test_what_an_outsider_must_not_know_answers_like_what_does_not_exist(enter, ids, person, method, table):
    client, column, nothing = enter(person), PEOPLE.index(person), unknown(ids)
    told = []
    for path, variant, codes in lines(table):
        if codes[column] != 404 or "{" not in path:
            continue
        body = body_of(path, variant, ids)
        there = call(client, method, path, ids, variant, body=body)
        for one in body.values():
            if hasattr(one, "seek"):
                one.seek(0)
        absent = call(client, method, path, nothing, variant, body=body)
        if (absent.status_code, same_words(absent, nothing)) != (404, same_words(there, ids)):
            told.append(f"{path} {variant}: {absent.status_code}")
        if dict(there.items()).keys() != dict(absent.items()).keys():
            told.append(f"{path} {variant}: other headers")
    assert told == []


@pytest.mark.parametrize("person", ["anonymous", "chan"])
def test_no_page_that_an_outsider_may_open_names_aras_company(enter, ids, person):
    client, column = enter(person), PEOPLE.index(person)
    leaks = [
        path
        for path, variant, codes in lines(GETS)
        if codes[column] == 200
        and not path.startswith(OPEN[1:])
        and path != OPEN[0]
        and SECRET in call(client, "GET", path, ids, variant).text_seen
    ]
    assert leaks == []


def test_a_named_reader_sees_the_evidence_and_not_whom_else_it_names(enter, ids):
    dami = enter("dami")
    assert call(dami, "GET", "/verify/{named}/", ids).status_code == 200
    page = call(dami, "GET", "/evidence/{named}/", ids)
    assert (page.status_code, page["Location"]) == (302, f"/verify/{ids['named']}/")
    assert call(dami, "GET", "/api/v1/evidence/{named}", ids).json()["organisations"] == []
    assert call(enter("ara"), "GET", "/api/v1/evidence/{named}", ids).json()["organisations"] != []
    for closed in ("private", "embargo"):
        assert call(dami, "GET", f"/verify/{{{closed}}}/", ids).status_code == 404
    assert call(dami, "POST", "/evidence/{named}/", ids, body={"visibility": "public"}).status_code == 404


def test_a_reader_of_public_evidence_gets_no_history_out_of_a_form_with_faults(enter, ids):
    answer = call(enter("chan"), "POST", "/evidence/{public}/", ids, body={"visibility": "nonsense"})
    assert answer.status_code == 403
    assert SECRET not in answer.text_seen


def test_a_token_that_may_only_read_says_so(enter, ids):
    made = enter("ara").post("/api/v1/tokens", {"read_only": True}, content_type="application/json").json()
    headers = {"headers": {"Authorization": f"Bearer {made['secret']}"}}
    nobody = enter("anonymous")
    assert call(nobody, "GET", "/api/v1/trials/{trial}", ids, **headers).status_code == 200
    for key in ("/api/v1/projects/{project}/subjects", "/api/v1/trials", "/api/v1/tokens"):
        refused = call(nobody, "POST", key, ids, **headers)
        assert (refused.status_code, refused.json()["message"]) == (403, "This token may only read."), key


def test_a_method_that_an_address_does_not_take_is_refused_in_words(enter, ids):
    page = call(enter("ara"), "GET", "/trials/{running}/stop/", ids)
    assert (page.status_code, page["Allow"]) == (405, "POST")
    assert "버튼이 있는 화면으로 돌아가" in page.text_seen
    answer = enter("ara").put("/api/v1/me")
    assert (answer.status_code, answer.json()["code"]) == (405, "http_405")


def routes(resolver: URLResolver, before: str = "") -> list[tuple[str, URLPattern]]:
    """Every address of the installation with the view behind it."""
    found = []
    for one in resolver.url_patterns:
        path = before + str(one.pattern)
        found += routes(one, path) if isinstance(one, URLResolver) else [(path, one)]
    return found


def test_every_address_stands_in_the_tables(ids):
    asked = {resolve(path.split("?")[0].format(**ids)).route for path, _, _ in lines(GETS) + lines(POSTS)}
    missing = []
    for route, pattern in routes(get_resolver()):
        view = pattern.callback
        module = getattr(view, "__module__", "")
        held = module == "ninja.operation" and not route.removeprefix("api/v1/").startswith(UNASKED)
        if held or module.startswith("bitgoeul."):
            missing += [route] if route not in asked and not module.startswith(ELSEWHERE) else []
    assert missing == []
