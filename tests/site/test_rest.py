"""The REST root: one error shape, a published document that tells the truth, and the page that shows it."""

from __future__ import annotations

import json
import sys
from collections import Counter

import pytest
from ninja import Schema

from bitgoeul.site.rest import MEANINGS, api

pytestmark = pytest.mark.django_db
METHODS = frozenset({"get", "post", "put", "patch", "delete"})
REFUSAL = {"$ref": "#/components/schemas/RefusalOut"}


@pytest.fixture(scope="module")
def document():
    return json.loads(json.dumps(api.get_openapi_schema(), default=str))


def operations(document):
    return [
        (method, path, one)
        for path, item in document["paths"].items()
        for method, one in item.items()
        if method in METHODS
    ]


def test_every_room_stands_in_the_document_and_on_the_page(client, document):
    assert client.get("/api/v1/openapi.json").json()["paths"].keys() == document["paths"].keys()
    assert len(document["paths"]) >= 60
    page = client.get("/api/").content.decode()
    assert [path for path in document["paths"] if path not in page] == []
    assert "``" not in page
    assert "<code>id</code>" in page


def test_every_operation_says_what_it_does_and_who_may(document):
    silent = [
        f"{method} {path}"
        for method, path, one in operations(document)
        if len(one.get("description", "")) < 20 or not one.get("summary")
    ]
    assert silent == []


def test_every_operation_has_a_name_of_its_own(document):
    names = Counter(one["operationId"] for _, _, one in operations(document))
    assert [name for name, count in names.items() if count > 1] == []
    assert [name for name in names if not name.isidentifier() or name.startswith("bitgoeul")] == []


def test_no_two_shapes_share_a_name():
    """Two classes of one name would overwrite each other in the document."""
    rooms = [module for name, module in sys.modules.items() if name.startswith("bitgoeul.") and "rest" in name]
    shapes = {one for module in rooms for one in vars(module).values() if isinstance(one, type)}
    names = Counter(one.__name__ for one in shapes if issubclass(one, Schema))
    assert [name for name, count in names.items() if count > 1] == []


def test_paged_answers_have_one_shape(document):
    schemas = document["components"]["schemas"]
    paged = {name: set(one["properties"]) for name, one in schemas.items() if "page" in one.get("properties", {})}
    assert len(paged) >= 20
    wrong = [name for name, keys in paged.items() if not keys >= {"items", "page", "last", "total"}]
    # The inbox joins lists of several kinds and counts none of them.
    assert wrong == ["InboxOut"]


def test_every_list_comes_in_pages(document):
    schemas = document["components"]["schemas"]
    whole = []
    for method, path, one in operations(document):
        for status, answer in one["responses"].items():
            shape = answer.get("content", {}).get("application/json", {}).get("schema", {})
            name = shape.get("$ref", "").rpartition("/")[2]
            keys = schemas.get(name, {}).get("properties", {})
            if shape.get("type") == "array" or ("items" in keys and "page" not in keys):
                whole.append(f"{method} {path} {status}")
    # A person never has more living tokens than a page holds.
    assert whole == ["get /api/v1/tokens 200"]


def test_every_refusal_in_the_document_has_the_one_shape(document):
    wrong = [
        f"{method} {path} {status}"
        for method, path, one in operations(document)
        for status, answer in one["responses"].items()
        if int(status) >= 400 and answer["content"]["application/json"]["schema"] != REFUSAL
    ]
    assert wrong == []
    unsaid = {int(status) for _, _, one in operations(document) for status in one["responses"]} - MEANINGS.keys()
    assert unsaid == set()


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/v1/me", 401, "sign_in_needed"),
        ("/api/v1/nothing", 404, "http_404"),
        ("/api/v1/figures/nothing", 404, "not_found"),
        ("/api/v1/calls?page=0", 422, "malformed"),
        ("/api/v1/calls?page=99999999999999999999", 422, "malformed"),
    ],
)
def test_errors_have_one_shape(client, path, status, code):
    answer = client.get(path)
    assert answer.status_code == status
    body = answer.json()
    assert set(body) == {"code", "message", "detail"}
    assert body["code"] == code


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (None, "Sign in first."),
        ("ko", "먼저 로그인하십시오."),
        ("en", "Sign in first."),
        ("fr, ko;q=0.5", "먼저"),
        ("*", "Sign"),
    ],
)
def test_accept_language_decides_the_words(client, asked, said):
    client.cookies["django_language"] = "ko"
    answer = client.get("/api/v1/me", headers={"Accept-Language": asked} if asked else {})
    assert answer.json()["message"].startswith(said)
    refusal = client.get("/api/v1/figures/nothing", headers={"Accept-Language": asked} if asked else {}).json()
    assert ("figure" in refusal["message"]) == (said[0] == "S")


def test_a_caller_without_cookie_or_token_is_told_to_sign_in(client):
    from django.test import Client

    answer = Client(enforce_csrf_checks=True).post("/api/v1/tokens", {}, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (401, "sign_in_needed")


def test_a_fault_of_ours_has_the_one_shape_too(monkeypatch, ara, sign_in):
    from bitgoeul.accounts import rest

    monkeypatch.setattr(rest.queries, "account", lambda _actor: 1 / 0)
    client = sign_in(ara)
    client.raise_request_exception = False
    answer = client.get("/api/v1/me")
    assert (answer.status_code, answer.json()["code"]) == (500, "http_500")
    assert "ZeroDivision" not in answer.content.decode()


def test_a_body_that_is_too_large_is_told_so_to_a_token(client, ara):
    from bitgoeul.accounts import facade as accounts
    from bitgoeul.kernel.ids import new_id

    secret = accounts.issue_token(actor=ara, id=new_id(), name="t", days=1).secret
    large = json.dumps({"name": "x" * 3 * 2**20})
    answer = client.post(
        "/api/v1/tokens", large, content_type="application/json", headers={"Authorization": f"Bearer {secret}"}
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "http_413")


def test_malformed_input_names_its_field(ara, sign_in):
    answer = sign_in(ara).post("/api/v1/tokens", {"days": "many"}, content_type="application/json")
    assert answer.status_code == 422
    assert answer.json()["detail"]["faults"][0]["field"].endswith("days")
