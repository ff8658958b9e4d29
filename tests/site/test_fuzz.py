"""The whole REST interface fuzzed from its own document, against the real WSGI application, as several people.

No server error, no status and no shape that the document does not tell. The same requests each time; with
``SOAK=1`` hundreds an operation, other ones each time.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import checks

from bitgoeul.accounts import facade as accounts
from bitgoeul.kernel.ids import new_id
from portal_world import names_of

pytestmark = pytest.mark.slow
SOAK = os.environ.get("SOAK") == "1"
EXAMPLES = 300 if SOAK else 4
PEOPLE = ("anonymous", "ara", "staff", "chan")
# By the name of a parameter or of a body's field, what there really is of it.
REAL = {
    "project_id": "project", "organisation_id": "company", "allocation_id": "allocation", "job_id": "job",
    "subject_id": "subject", "version_id": "version", "trial_id": "trial", "application_id": "application",
    "agreement_id": "agreement", "user_id": "bora", "digest": "private", "code": "figure",
    "subject_version_id": "version", "protocol_digest": "protocol",
}  # fmt: skip
checks.load_all_checks()
TOLD = [
    checks.CHECKS.get_one(name)
    for name in (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_schema_conformance",
    )
]


@pytest.fixture(scope="module")
def operations(world):
    """Each operation of the document with what may be sent to it.

    The interface is asked without Django's client, so its care for an open transaction is taken here: no request
    closes the connection that the world lives in.
    """
    from bitgoeul.site.wsgi import application

    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    document = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", application)
    yield [found.ok().as_strategy() for found in document.get_all_operations()]
    for signal in signals:
        signal.connect(close_old_connections)


def key_of(name: str, world: Any) -> dict[str, str]:
    """This person's Authorization header."""
    if name == "anonymous":
        return {}
    actor = accounts.actor_for(user_id=world.people[name])
    made = accounts.issue_token(actor=actor, id=new_id(), name="fuzz", days=1)
    return {"Authorization": f"Bearer {made.secret}"}


def aim(case: Any, ids: dict[str, Any]) -> None:
    """Make a request one about things that there are."""
    for place in (case.path_parameters, case.query, case.body):
        for name in place if isinstance(place, dict) else ():
            if name in REAL:
                place[name] = str(ids[REAL[name]])


@pytest.mark.parametrize("name", PEOPLE)
def test_no_request_breaks_the_interface_or_its_document(operations, world, db, name):
    ids, key, met = names_of(world), key_of(name, world), Counter[int]()
    for operation in operations:

        @settings(
            max_examples=EXAMPLES, deadline=None, database=None, derandomize=not SOAK, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=operation, real=st.booleans())
        def ask(case: Any, real: bool) -> None:
            if real:
                aim(case, ids)
            with transaction.atomic():
                answer = case.call(headers=key)
                transaction.set_rollback(True)
            case.validate_response(answer, checks=TOLD)
            met[answer.status_code] += 1

        ask()
    assert len(operations) > 60
    # Not only refusals: what is behind them was reached too.
    assert met[200] > 10
    assert met.total() >= len(operations)
