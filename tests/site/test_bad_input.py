"""Bad input at every form and every operation: a named refusal, never a fault of the server, and nothing lost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction

from portal_world import ANSWERS, SECRET, body_of, call, page_bodies, rest_bodies, says_why

TEXTS = ["", "\0x", "가" * 5000, "-1", "9" * 5000, "0001-01-01T00:00"]
ANSWER_TEXTS = ["\0x", "9" * 5000]
SURROGATE = "half of a pair"
VALUES = [
    None, "\0x", "가" * 5000, -1, 10**400, 1.5, [], {"\0": 1}, SURROGATE, {SURROGATE: 1}, {"cpu-core": 2**53 - 1},
    "0001-01-01T00:00:00+09:00", "9999-12-31T23:59:59-09:00", "2026-01-01T00:00:00", [str(i) for i in range(500)],
]  # fmt: skip
LISTS = [
    "/home/", "/applications/", "/agreements/", "/calls/", "/calls/?past=1", "/board/", "/catalogue/",
    "/figures/{figure}/",
    "/subjects/{subject}/", "/projects/{project}/statement/", "/projects/{project}/sweeps/", "/sweeps/{sweep}/",
    "/prices/",
]  # fmt: skip
REST_LISTS = [
    "/api/v1/projects", "/api/v1/calls", "/api/v1/applications", "/api/v1/agreements", "/api/v1/resources",
    "/api/v1/catalogue",
    "/api/v1/figures/{figure}/claims", "/api/v1/projects/{project}/subjects",
    "/api/v1/trials?project_id={project}", "/api/v1/evidence?project_id={project}",
]  # fmt: skip
BAD_JSON = [
    b"", b"{", b"[]", b"null", b'"text"', b"\xff\xfe", b'{"a":1,"a":2}', b'{"a":NaN}', b"[" * 100_000,
    b'{"name":"\\ud800"}', b'{"name":"\\u0000"}', b'{"n":' + b"9" * 5000 + b"}",
]  # fmt: skip
ACCOUNT_PAGES = [
    "login/", "signup/", "logout/", "inactive/", "email/", "confirm-email/", "confirm-email/x:y/",
    "password/change/", "password/set/", "password/reset/", "password/reset/key/1-x/", "password/reset/done/",
    "reauthenticate/", "login/code/confirm/", "2fa/", "2fa/authenticate/", "2fa/totp/activate/",
    "2fa/totp/deactivate/", "2fa/recovery-codes/", "2fa/recovery-codes/generate/",
]  # fmt: skip
# A token is new each time it is asked for: its secret is not kept.
NOT_REPEATABLE = frozenset({"/account/tokens/", "/api/v1/tokens"})
STAFFS = (
    "operator", "reason", "invalidation", "suspend", "resume", "recall", "allocations", "judgements", "write-off",
    "write-off/", "/operators/", "/operators", "prices", "/prices/",
)  # fmt: skip
# Refused to everybody without an elevation.
REFUSED = ("/operators/", "/write-off/", "/prices", "/prices/")
# The same again is 200 and not 201.
AGAIN = {"/api/v1/jobs": 200, "/api/v1/projects/{project}/sweeps": 200}
# These need no field at all: withdrawing, judging again, the price of what is typed so far.
NEED_NOTHING = ("/withdraw/", "/withdraw", "/judgements", "/jobs/price/", "/sweeps/price/")


def split(key: str) -> tuple[str, str]:
    """The path and the form of a key of the bodies."""
    path, _, variant = key.partition(" ")
    return path, variant


def who_may(key: str) -> str:
    """Who may send that body."""
    return "staff" if key.endswith(STAFFS) else "ara"


@pytest.fixture
def people(enter):
    """A client each of Ara and the staff."""
    return {name: enter(name) for name in ("ara", "staff")}


def written() -> int:
    """How many acts were recorded so far."""
    from bitgoeul.audit.models import Event

    return Event.objects.count()


def faults_of(response: Any, key: str, said: str) -> list[str]:
    """What is wrong with an answer to bad input."""
    if response.status_code >= 500:
        return [f"{key} {said[:60]}: {response.status_code}"]
    return [] if says_why(response, key) else [f"{key} {said[:60]}: {response.status_code} without a reason"]


def test_bad_text_in_any_field_of_any_form_is_refused_in_words(people, ids):
    wrong = []
    for key, good in page_bodies(ids).items():
        path, variant = split(key)
        for field in good:
            if field in ANSWERS and "/calls/" in path:
                continue
            for text in ANSWER_TEXTS if field in ANSWERS else TEXTS:
                body = body_of(path, variant, ids) | {field: text}
                answer = call(people[who_may(key)], "POST", path, ids, variant, body=body)
                wrong += faults_of(answer, key, f"{field}={text[:12]!r}")
    assert wrong == []


def test_bad_values_in_any_operation_are_refused_with_a_code(people, ids):
    wrong = []
    for key, good in rest_bodies(ids).items():
        path, variant = split(key)
        for field in good:
            for value in VALUES:
                if "file" in good:
                    continue
                body = json.dumps(body_of(path, variant, ids) | {field: value}).replace(SURROGATE, "\\ud800")
                answer = call(people[who_may(key)], "POST", path, ids, variant, body=body)
                wrong += faults_of(answer, key, f"{field}={str(value)[:12]!r}")
    assert wrong == []


@pytest.mark.parametrize("page", ["-1", "0", "99999999999999999999", "x", "%00", "1.5", "٣"])
def test_any_page_number_leads_to_a_page(people, ids, page):
    answers = {}
    for path in LISTS:
        asked = f"{path}{'&' if '?' in path else '?'}page={page}"
        answers[path] = call(people["ara"], "GET", asked, ids).status_code
    assert set(answers.values()) == {200}, answers
    for path in REST_LISTS:
        answer = call(people["ara"], "GET", f"{path}{'&' if '?' in path else '?'}page={page}", ids)
        assert answer.status_code in (200, 422), path
        assert says_why(answer, path)


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "2026-02-31", "x", "-1", "%00"])
def test_any_date_of_a_statement_leads_to_a_statement(people, ids, day):
    for name in ("since", "until"):
        answer = call(people["ara"], "GET", f"/projects/{{project}}/statement/?{name}={day}", ids)
        assert answer.status_code == 200, name


@pytest.mark.parametrize("data", BAD_JSON, ids=lambda data: data[:12].decode("latin-1"))
def test_what_is_no_json_or_not_the_documented_one_is_refused_with_a_code(people, ids, data):
    wrong = []
    for key, good in rest_bodies(ids).items():
        if "file" not in good:
            path, variant = split(key)
            answer = call(people[who_may(key)], "POST", path, ids, variant, body=data)
            wrong += faults_of(answer, key, "")
            fine = (200,) if not data and path.endswith(NEED_NOTHING) else (400, 422)
            wrong += [f"{key}: {answer.status_code}"] if answer.status_code not in fine else []
    assert wrong == []


def test_another_content_type_is_refused_and_nothing_is_written(people, ids):
    before, wrong = written(), []
    for key in {**page_bodies(ids), **rest_bodies(ids)}:
        path, _ = split(key)
        if path.startswith("/start/"):
            continue
        client = people[who_may(key)]
        json_page = client.post(path.format(**ids), b"{}", content_type="application/json")
        xml = client.post(path.format(**ids), b"<a/>", content_type="text/xml")
        broken = client.post(path.format(**ids), b"--x", content_type="multipart/form-data; boundary=y")
        for answer in (xml, broken) if path.startswith("/api/") else (json_page, xml, broken):
            answer.text_seen = answer.content.decode()
            if not path.endswith(NEED_NOTHING) and not 400 <= answer.status_code < 500:
                wrong.append(f"{key}: {answer.status_code}")
            wrong += faults_of(answer, key, "")
    assert wrong == []
    # Withdrawing, judging again and a token, each in the only form of its body that needs no field.
    assert written() - before <= 3


def test_a_form_without_its_token_writes_nothing(enter, ids):
    before, wrong = written(), []
    for key in {**page_bodies(ids), **rest_bodies(ids)}:
        path, variant = split(key)
        answer = call(enter(who_may(key), enforce_csrf_checks=True), "POST", path, ids, variant)
        if answer.status_code != 403 and path != "/api/v1/plan":
            wrong.append(f"{key}: {answer.status_code}")
        wrong += faults_of(answer, key, "")
    assert wrong == []
    assert written() == before


def test_the_same_form_sent_again_leads_to_the_same_place_and_writes_nothing_more(people, ids):
    wrong = []
    for key, good in {**page_bodies(ids), **rest_bodies(ids)}.items():
        path, variant = split(key)
        if path in NOT_REPEATABLE or not ("id" in good or "version_id" in good or "/api/" not in path):
            continue
        body = body_of(path, variant, ids)
        sends = {"content_type": "application/json"} if "/api/" in path and "file" not in body else {}
        answers, acts = [], []
        with transaction.atomic():
            for _ in range(2):
                for one in body.values():
                    if hasattr(one, "seek"):
                        one.seek(0)
                answers.append(people[who_may(key)].post(path.format(**ids), body, **sends))
                acts.append(written())
            transaction.set_rollback(True)
        first, second = answers
        done = (403,) if path.endswith(REFUSED) else (200, 201, 302)
        if first.status_code not in done or second.status_code != AGAIN.get(path, first.status_code):
            wrong.append(f"{key}: {first.status_code}, then {second.status_code}")
        if first.get("Location") != second.get("Location"):
            wrong.append(f"{key}: {first['Location']}, then {second['Location']}")
        if acts[0] != acts[1]:
            wrong.append(f"{key}: written {acts[1] - acts[0]} times more")
    assert wrong == []


def test_what_is_too_large_is_refused_by_its_size(people, ids):
    form = call(people["ara"], "POST", "/organisations/new/", ids, body={"name": "x" * 3 * 2**20})
    assert form.status_code == 413
    assert "요청이 너무 큽니다" in form.text_seen
    many = call(people["ara"], "POST", "/start/all/", ids, body={f"f{n}": "1" for n in range(1100)})
    assert many.status_code == 413
    rest = call(people["ara"], "POST", "/api/v1/tokens", ids, body=json.dumps({"name": "x" * 3 * 2**20}))
    assert (rest.status_code, rest.json()["code"]) == (413, "http_413")


def test_a_file_above_the_limit_leaves_no_subject_behind(people, ids, world, monkeypatch):
    from bitgoeul.content.models import Blob
    from bitgoeul.trials.models import Subject
    from bitgoeul.trials.services import subjects

    monkeypatch.setattr(subjects, "SUBJECT_BYTES_MAX", 2**20)
    before = (Subject.objects.count(), Blob.objects.count(), written())
    for key in (
        "/projects/{project}/subjects/new/",
        "/subjects/{subject}/versions/new/",
        "/api/v1/subjects/{subject}/versions",
    ):
        large = {**body_of(key, "", ids), "file": SimpleUploadedFile("m.onnx", b"x" * (2**20 + 1))}
        answer = people["ara"].post(key.format(**ids), large)
        assert answer.status_code == 400, key
        assert "2 MiB" in answer.content.decode(), key
    assert (Subject.objects.count(), Blob.objects.count(), written()) == before


def test_ids_of_another_project_in_a_form_are_refused(enter, ids, world):
    chan = enter("chan")
    own = {**ids, "project": world.other_project.id, "subject": world.other_subject.id}
    own |= {"version": world.other_version.id, "company": world.others.id}
    stolen = {
        ("/organisations/new/", "id"): (ids["company"], 422),
        ("/projects/{project}/subjects/new/", "id"): (ids["subject"], 400),
        ("/projects/{project}/subjects/new/", "version_id"): (ids["version"], 400),
        ("/subjects/{subject}/versions/new/", "version_id"): (ids["version"], 400),
        ("/projects/{project}/trials/new/", "version"): (ids["version"], 400),
        ("/projects/{project}/trials/new/", "id"): (ids["trial"], 400),
        ("/calls/quick-start/apply/", "organisation"): (ids["company"], 400),
        ("/calls/quick-start/apply/", "id"): (ids["selected"], 400),
        ("/api/v1/projects/{project}/subjects", "id"): (ids["subject"], 409),
        ("/api/v1/trials", "subject_version_id"): (ids["version"], 404),
        ("/api/v1/trials", "id"): (ids["trial"], 409),
        ("/api/v1/trials/estimate", "subject_version_id"): (ids["version"], 404),
        ("/api/v1/applications", "organisation_id"): (ids["company"], 403),
        ("/api/v1/applications", "id"): (ids["selected"], 404),
    }
    before, wrong = written(), []
    for (path, field), (theirs, status) in stolen.items():
        body = body_of(path, "", own) | {field: str(theirs)}
        answer = call(chan, "POST", path, own, body=body)
        if answer.status_code != status or SECRET in answer.text_seen:
            wrong.append(f"{path} {field}: {answer.status_code}, not {status}")
        wrong += faults_of(answer, path, field)
    assert wrong == []
    assert written() == before


def test_a_page_without_a_refusal_is_not_taken_for_one(people, ids):
    for path in ("/home/", "/organisations/new/", "/evidence/{private}/", "/projects/{project}/trials/new/"):
        answer = call(people["ara"], "GET", path, ids)
        answer.status_code = 400
        assert not says_why(answer, path), path


@pytest.mark.parametrize("person", ["anonymous", "ara"])
def test_the_sign_in_pages_take_anything(enter, ids, person, settings):
    settings.ACCOUNT_RATE_LIMITS = {}
    client, wrong = enter(person), []
    fields = ("login", "email", "password", "password1", "password2", "display_name", "code", "oldpassword")
    for name in ACCOUNT_PAGES:
        path = f"/accounts/{name}"
        wrong += faults_of(call(client, "GET", path, ids), path, "GET")
        for text in ("\0x", "가" * 5000, "a@" + "b" * 400 + ".kr"):
            wrong += faults_of(call(client, "POST", path, ids, body=dict.fromkeys(fields, text)), path, text)
    assert wrong == []
