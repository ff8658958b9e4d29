"""The example's calls, read as data, with a fixed period."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from bitgoeul.programmes import rules
from bitgoeul.programmes.types import CallBody, OpenCall

CALLS = Path(__file__).resolve().parents[2] / "examples" / "gwangju" / "calls"
NOON = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)  # a Tuesday, noon in Seoul


def call_data(code: str = "quick-start") -> dict[str, object]:
    data = json.loads((CALLS / f"{code}.json").read_text())
    del data["window"]
    return {**data, "opens_at": "2026-11-02T00:00:00Z", "closes_at": "2026-12-31T09:00:00Z"}


def standing(code: str = "quick-start") -> OpenCall:
    body = rules.parse_call(call_data(code))
    return OpenCall(UUID(int=1), 1, "0" * 64, body, True, 20)


@pytest.fixture
def body() -> CallBody:
    return rules.parse_call(call_data())


@pytest.fixture
def calls() -> list[OpenCall]:
    return [standing("quick-start"), standing("campus")]


@pytest.fixture
def answers() -> dict[str, str | int]:
    return {
        "organisation_kind": "START_UP",
        "based_in": "gwangju",
        "subject_kind": "chip",
        "have_now": "model_file",
        "core_hours": 2,
        "needed_within_days": 7,
        "result_for": "public",
    }


ANSWERS = {
    "organisation_kind": "START_UP",
    "based_in": "gwangju",
    "subject_kind": "chip",
    "have_now": "model_file",
    "core_hours": 2,
    "needed_within_days": 7,
    "result_for": "public",
}
FIELDS = {"purpose": "INT8 양자화 모델의 정확도와 지연을 잽니다.", "model_licence": "own"}
TITLE = "엣지 NPU 실증 (예시)"


@pytest.fixture
def catalogue(db):
    """The example's resources."""
    from bitgoeul.accounts.facade import Actor
    from bitgoeul.resources import facade as resources

    return resources.load_example(Actor.system("test"), CALLS.parent)


@pytest.fixture
def loaded(catalogue):
    """Both calls of the example, published and open."""
    from bitgoeul.accounts.facade import Actor
    from bitgoeul.programmes import facade

    return facade.load_example(actor=Actor.system("test"), directory=CALLS.parent)


@pytest.fixture
def company(ara):
    """Ara's registered start-up."""
    from bitgoeul.accounts import facade as accounts
    from bitgoeul.kernel.ids import new_id

    return accounts.create_organisation(
        actor=ara,
        id=new_id(),
        name="가온칩 (예시)",
        kind=accounts.OrganisationKind.START_UP,
        registration_number="000-00-00015",
        is_example=True,
    )


@pytest.fixture
def founder(ara, company):
    """Ara as the owner of her company."""
    from bitgoeul.accounts import facade as accounts

    return accounts.actor_for(user_id=ara.user_id)


@pytest.fixture
def colleague(person, company):
    """Bora, a member of Ara's company: she may apply, not sign."""
    from bitgoeul.accounts import facade as accounts

    actor = person("bora")
    accounts.add_organisation_member(
        actor=accounts.Actor.system("test"),
        organisation_id=company.id,
        user_id=actor.user_id,
        role=accounts.OrganisationRole.MEMBER,
    )
    return accounts.actor_for(user_id=actor.user_id)


@pytest.fixture
def handed_in(loaded, founder, company):
    """Hand in an application: ``handed_in()``, or with other content by keyword."""
    from bitgoeul.kernel.ids import new_id
    from bitgoeul.programmes import facade

    def go(actor=founder, **changes):
        content = {
            "id": new_id(),
            "call_code": "quick-start",
            "tier_code": "first",
            "organisation_id": company.id,
            "title": TITLE,
            "answers": ANSWERS,
            "fields": FIELDS,
        }
        return facade.apply(actor=actor, **{**content, **changes})

    return go
