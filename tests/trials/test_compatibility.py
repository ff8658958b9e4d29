"""A stack as a subject: the form offers its protocol, the verdict page shows operators, opsets and models."""

from __future__ import annotations

import pytest
from django.urls import reverse

from bitgoeul.kernel.clock import now, rfc3339
from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.ids import new_id
from bitgoeul.targets.stack import Stack, stack_file
from bitgoeul.trials.types import Outcome, TrialState

STACK = stack_file(Stack("onnxruntime", {}))


@pytest.fixture
def english(client):
    client.cookies["django_language"] = "en"
    return client


@pytest.fixture
def ara_in(sign_in, owner, english):
    return sign_in(owner)


@pytest.fixture
def compatibility(protocol):
    """The protocol, entered by the same set-up as the other."""
    from bitgoeul.trials import facade as trials

    return next(view for view in trials.protocols() if view.code == "compatibility")


@pytest.fixture
def stack(owner, project):
    from bitgoeul.trials.services import bring_in

    return bring_in(
        actor=owner, id=new_id(), project_id=project.id, name="Chip one", kind="stack", version_id=new_id(),
        filename="stack.json", data=STACK,
    )  # fmt: skip


@pytest.fixture
def asked(owner, stack, compatibility, funded):
    from bitgoeul.trials import facade as trials

    return trials.request_trial(
        actor=owner, id=new_id(), subject_version_id=stack.id, protocol_digest=compatibility.digest, parameters={}
    )


def record_of(view, protocol, refused=0):
    definition = protocol.definition
    required = definition["acceptance"]["required_operators"]
    left = definition["suite"]["cases"] - 9 - len(required)
    groups = [["light", f"model{number}", 9, "P"] for number in range(9)]
    groups += [["node", name, 13, "P"] for name in required] + [["node", "Zap", 28, "P" * (left - refused)]]
    if refused:
        groups.append(["node", "Zip", 28, "R" * refused])
    counts = {**dict.fromkeys("AWRCT", 0), "P": definition["suite"]["cases"] - refused, "R": refused}
    return {
        "schema": "bitgoeul.compatibility.record/1", "trial_id": str(view.id), "attempt": view.attempt,
        "protocol": {"code": "compatibility", "version": protocol.version, "digest": protocol.digest},
        "subject": {"kind": "stack", "digest": view.subject_digest}, "parameters": dict(view.parameters),
        "target": {"code": "stack", "statement": definition["targets"]["stack"]["statement"]},
        "notice": definition["notice"], "started_at": rfc3339(now()), "ended_at": rfc3339(now()),
        "environment": {
            "packages": [{"name": "onnx", "version": "1.23.2", "digest": "2" * 64}], "processor": "one",
            "cores": 2, "system": "Linux", "python": "3.11", "before": {"load_1min_milli": 10},
            "target": {"chip": "Chip-1 <b>", "sdk": "SDK 4.2", "driver": "driver 9"},
        },
        "inputs": [{"name": "subject.bin", "digest": view.subject_digest, "bytes": 1}],
        "suite": {"package": "onnx 1.23.2", "cases": definition["suite"]["cases"], "left_out": [],
                  "case_list_digest": definition["suite"]["case_list_digest"], "data_digest": "9" * 64},
        "canary": {"passed": definition["validity"]["canary_cases"], "missed": []},
        "groups": groups, "counts": counts,
        "details": [["node", f"test_zip_{n}", "R", "load: Zip <script>"] for n in range(min(refused, 150))],
        "details_left_out": max(0, refused - 150), "finding": None,
        "models": [{"name": "mine.onnx", "digest": "3" * 64, "result": "P", "detail": "loaded and run"}],
    }  # fmt: skip


def test_a_stack_is_brought_in_and_asked_for_on_pages(ara_in, project, compatibility, stack, funded):
    page = ara_in.get(reverse("trials:subject_new", args=[project.id])).content.decode()
    assert "Stack: a chip with its software" in page
    address = reverse("trials:trial_new", args=[project.id])
    form = ara_in.get(f"{address}?version={stack.id}").content.decode()
    assert "Compatibility: ONNX operators and models" in form
    assert "Time for one case (seconds)" in form
    assert "Three scenarios" not in form
    wish = {
        "id": str(new_id()), "version": str(stack.id), "protocol": compatibility.digest, "visibility": "private",
        "case_seconds": 30,
    }  # fmt: skip
    assert ara_in.post(address, wish).status_code == 302


def test_a_form_offers_what_its_protocol_takes_and_names_the_other_protocols(
    ara_in, project, version, stack, compatibility
):
    address = reverse("trials:trial_new", args=[project.id])
    for chosen, other, words in (
        (version, stack, "Compatibility: ONNX operators and models"),
        (stack, version, "Inference: digits classifier"),
    ):
        form = ara_in.get(f"{address}?version={chosen.id}").content.decode()
        assert f'value="{chosen.id}"' in form
        assert f'value="{other.id}"' not in form
        assert "Other protocols" in form
        assert words in form


def test_a_stack_is_not_taken_by_a_protocol_of_models_nor_a_model_by_this_one(
    owner, version, stack, protocol, compatibility, funded
):
    from bitgoeul.trials import facade as trials

    for subject, under in ((stack, protocol), (version, compatibility)):
        with pytest.raises(BadInput):
            trials.request_trial(
                actor=owner,
                id=new_id(),
                subject_version_id=subject.id,
                protocol_digest=under.digest,
                parameters={},
            )


def test_a_judged_trial_is_signed_and_shows_operators_opsets_and_models(
    ara_in, owner, asked, compatibility, finish
):
    from bitgoeul.trials import facade as trials

    finish(asked, record_of(asked, compatibility, refused=200))
    done = trials.trial(actor=owner, trial_id=asked.id)
    assert (done.state, done.outcome) == (TrialState.SIGNED, Outcome.PASSED)
    body = ara_in.get(reverse("trials:trial", args=[asked.id])).content.decode()
    for words in (
        "It passed.", "1833 of 2033 cases pass", "operator-chart", "Zip has most of them: 200 of its 200 cases",
        "18 of 19 operators pass", "Opset versions of ai.onnx", "model8", "mine.onnx", "200 cases",
        "100 more stand in the record", "Chip-1 &lt;b&gt;", "driver 9", "load: Zip &lt;script&gt;",
        "Compatibility alone was tried; no speed was measured.",
    ):  # fmt: skip
        assert words in body, words
    assert "Firmware" not in body


def test_a_trial_without_a_single_case_shows_its_reason_alone(ara_in, asked, compatibility, finish):
    record = record_of(asked, compatibility)
    for name in ("groups", "counts", "details", "details_left_out", "models", "suite", "canary"):
        del record[name]
    record["finding"] = {"party": "harness", "code": "not_ready", "detail": "no chip here", "step": "stack"}
    finish(asked, record)
    body = ara_in.get(reverse("trials:trial", args=[asked.id])).content.decode()
    assert "The measurement cannot be relied on" in body
    assert "no chip here" in body
    assert "operator-chart" not in body


@pytest.mark.parametrize(
    "damage", [{"groups": [7]}, {"groups": [["node"]]}, {"details": [["x"]]}, {"models": [7]}]
)
def test_a_damaged_record_is_offered_and_never_drawn(ara_in, asked, compatibility, finish, damage):
    finish(asked, {**record_of(asked, compatibility), **damage})
    answer = ara_in.get(reverse("trials:trial", args=[asked.id]))
    assert answer.status_code == 200
    assert "Download the record" in answer.content.decode()
