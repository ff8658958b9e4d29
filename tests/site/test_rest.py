"""The REST root: one error shape, a published document, and the page that shows it."""

from __future__ import annotations

import pytest

from bitgoeul.site.rest import api

pytestmark = pytest.mark.django_db


def test_every_room_stands_in_the_document_and_on_the_page(client):
    document = client.get("/api/v1/openapi.json").json()
    assert len(document["paths"]) >= 25
    page = client.get("/api/").content.decode()
    missing = [path for path in document["paths"] if path.replace("{", "{") not in page]
    assert missing == []
    assert "``" not in page
    assert "<code>id</code>" in page


def test_every_operation_says_what_it_does():
    paths = api.get_openapi_schema()["paths"]
    silent = [
        f"{method} {path}"
        for path, item in paths.items()
        for method, one in item.items()
        if not one.get("description")
    ]
    assert silent == []


def test_paged_answers_have_one_shape():
    schemas = api.get_openapi_schema()["components"]["schemas"]
    paged = {name: set(one["properties"]) for name, one in schemas.items() if "page" in one.get("properties", {})}
    assert len(paged) >= 7
    assert {name for name, keys in paged.items() if keys != {"items", "page", "last", "total"}} == set()


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/v1/me", 401, "sign_in_needed"),
        ("/api/v1/nothing", 404, "http_404"),
        ("/api/v1/figures/nothing", 404, "not_found"),
    ],
)
def test_errors_have_one_shape(client, path, status, code):
    answer = client.get(path)
    assert answer.status_code == status
    body = answer.json()
    assert set(body) == {"code", "message", "detail"}
    assert body["code"] == code


def test_malformed_input_names_its_field(ara, sign_in):
    answer = sign_in(ara).post("/api/v1/tokens", {"days": "many"}, content_type="application/json")
    assert answer.status_code == 422
    assert answer.json()["detail"]["faults"][0]["field"].endswith("days")
