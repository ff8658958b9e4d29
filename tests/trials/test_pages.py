"""Pages of subjects and trials: what stands there, for whom, in how many queries."""

from __future__ import annotations

import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from bitgoeul.kernel.ids import new_id
from bitgoeul.trials import facade as trials

pytestmark = pytest.mark.django_db
QUERIES_MAX = 30


@pytest.fixture
def english(client):
    client.cookies["django_language"] = "en"
    return client


@pytest.fixture
def ara_in(sign_in, owner, english):
    return sign_in(owner)


def upload(name="m.onnx", data=b"bytes"):
    return SimpleUploadedFile(name, data)


def hidden(page, name):
    return re.search(rf'name="{name}" value="([^"]+)"', page.content.decode()).group(1)


def test_ara_uploads_a_subject_and_finds_the_way_to_a_trial(ara_in, owner, project):
    address = reverse("trials:subject_new", args=[project.id])
    page = ara_in.get(address)
    sent = {
        "id": hidden(page, "id"), "version_id": hidden(page, "version_id"),
        "name": "INT8", "kind": "onnx", "note": "", "file": upload(),
    }  # fmt: skip
    answer = ara_in.post(address, sent, follow=True)
    body = answer.content.decode()
    subject = trials.subjects(actor=owner, project_id=project.id).items[0]
    assert answer.redirect_chain[-1][0] == reverse("trials:subject", args=[subject.id])
    assert reverse("trials:trial_new", args=[project.id]) in body
    assert "for a trial" in body
    # The same form sent twice (a double click, a reload) makes one subject.
    ara_in.post(address, {**sent, "file": upload()}, follow=True)
    assert trials.subjects(actor=owner, project_id=project.id).total == 1


@pytest.mark.parametrize(("data", "words"), [(b"", "empty")])
def test_a_bad_file_is_said_beside_the_field(ara_in, project, data, words):
    address = reverse("trials:subject_new", args=[project.id])
    answer = ara_in.post(
        address,
        {"id": str(new_id()), "version_id": str(new_id()), "name": "x", "kind": "onnx", "file": upload(data=data)},
    )
    assert answer.status_code == 400
    assert words in answer.content.decode()


def test_the_trial_form_comes_from_the_schema_and_estimates(ara_in, project, version, protocol, funded):
    body = ara_in.get(reverse("trials:trial_new", args=[project.id]) + f"?version={version.id}").content.decode()
    for name, rule in protocol.definition["parameters"]["properties"].items():
        assert f'name="{name}"' in body
        assert rule["title"] in body
    assert "no NPU was measured" in body
    assert "not an MLPerf result" in body
    assert "about 18 seconds" in body


def test_asking_for_a_trial_leads_to_its_page(ara_in, project, version, protocol, funded):
    address = reverse("trials:trial_new", args=[project.id])
    page = ara_in.get(address)
    sent = {
        "id": hidden(page, "id"), "protocol": protocol.digest, "version": str(version.id), "visibility": "private",
        "seconds": "3", "batch": "16", "server_rate": "300", "server_latency_ms": "100",
    }  # fmt: skip
    for _ in range(2):
        answer = ara_in.post(address, sent)
        assert answer["Location"] == reverse("trials:trial", args=[sent["id"]])
    body = ara_in.get(answer["Location"]).content.decode()
    assert "hx-get" in body
    assert "every 2s" in body
    assert "Not judged yet" in body


def test_a_bad_parameter_is_said_beside_its_field(ara_in, project, version, protocol, funded):
    address = reverse("trials:trial_new", args=[project.id])
    sent = {
        "id": str(new_id()), "protocol": protocol.digest, "version": str(version.id), "visibility": "private",
        "seconds": "1", "batch": "16", "server_rate": "300", "server_latency_ms": "100",
    }  # fmt: skip
    answer = ara_in.post(address, sent)
    assert answer.status_code == 400
    assert 'id="id_seconds-error"' in answer.content.decode()


def test_without_balance_the_form_says_so(ara_in, project, version, protocol):
    address = reverse("trials:trial_new", args=[project.id])
    sent = {
        "id": str(new_id()), "protocol": protocol.digest, "version": str(version.id), "visibility": "private",
        "seconds": "3", "batch": "16", "server_rate": "300", "server_latency_ms": "100",
    }  # fmt: skip
    answer = ara_in.post(address, sent)
    assert answer.status_code == 400
    assert "No trial was asked for" in answer.content.decode()


def test_empty_states_say_what_to_do(ara_in, project, protocol):
    body = ara_in.get(reverse("trials:trial_new", args=[project.id])).content.decode()
    assert "no subject yet" in body
    assert reverse("trials:subject_new", args=[project.id]) in body


def test_the_trial_page_of_a_passed_trial(ara_in, owner, protocol, request_trial, true_record, finish):
    view = request_trial()
    finish(view, true_record(view, protocol))
    done = trials.trial(actor=owner, trial_id=view.id)
    body = ara_in.get(reverse("trials:trial", args=[view.id])).content.decode()
    for words in (
        "It passed.",
        "Accurate enough",
        "0.966 %",
        "SingleStream",
        "Offline",
        "Server",
        "VALID",
        "no NPU was measured",
        "not an MLPerf result",
        "latency-chart",
        "onnxruntime 1.31.1",
    ):
        assert words in body
    assert reverse("trials:evidence", args=[done.evidence_digest]) in body
    assert "hx-get" not in body
    assert "<script>" not in body
    assert " style=" not in body
    record = ara_in.get(reverse("trials:trial_record", args=[view.id]))
    assert record.headers["Content-Disposition"].startswith("attachment")


@pytest.mark.parametrize(
    ("language", "title"), [("en", "Latency limit (Server, milliseconds)"), ("ko", "지연 한도")]
)
def test_parameters_stand_under_the_titles_of_their_protocol(
    ara_in, project, version, request_trial, language, title
):
    ara_in.cookies["django_language"] = language
    view = request_trial()
    page = ara_in.get(reverse("trials:trial", args=[view.id])).content.decode()
    form = ara_in.get(reverse("trials:trial_new", args=[project.id])).content.decode()
    assert "server_latency_ms" not in page
    assert title in page
    assert title in form


def test_the_trial_page_of_a_failed_and_of_an_invalid_trial(ara_in, protocol, request_trial, true_record, finish):
    failed, stopped = request_trial(), request_trial()
    finding = {"party": "subject", "code": "crashed", "step": "accuracy", "detail": "SIGSEGV"}
    finish(failed, true_record(failed, protocol, finding=finding))
    finish(stopped, state="TIMED_OUT")
    assert "The subject crashed: SIGSEGV" in ara_in.get(reverse("trials:trial", args=[failed.id])).content.decode()
    body = ara_in.get(reverse("trials:trial", args=[stopped.id])).content.decode()
    assert "says nothing about the subject" in body
    assert "did not succeed" in body


def test_a_damaged_record_still_has_a_page(ara_in, request_trial, finish):
    view = request_trial()
    finish(view, data=b'{"scenarios":[{"runs":[{}]}]}')
    answer = ara_in.get(reverse("trials:trial", args=[view.id]))
    assert answer.status_code == 200
    assert "damaged or incomplete" in answer.content.decode() or "another trial" in answer.content.decode()


def test_the_status_part_refreshes_when_done(ara_in, protocol, request_trial, true_record, finish):
    view = request_trial()
    address = reverse("trials:trial_status", args=[view.id])
    part = ara_in.get(address, headers={"HX-Request": "true"})
    assert "<html" not in part.content.decode()
    assert ara_in.get(address)["Location"] == reverse("trials:trial", args=[view.id])
    finish(view, true_record(view, protocol))
    assert ara_in.get(address, headers={"HX-Request": "true"})["HX-Refresh"] == "true"


def test_chan_gets_nothing(sign_in, chan, project, subject, request_trial):
    view = request_trial()
    visitor = sign_in(chan)
    of_the_trial = ("trial", "trial_status", "trial_record", "trial_logs")
    closed = [("subject", subject.id), ("subject_new", project.id), ("trial_new", project.id)]
    for name, key in [*closed, *((name, view.id) for name in of_the_trial)]:
        assert visitor.get(reverse(f"trials:{name}", args=[key])).status_code == 404, name
    for name in ("trial_stop", "trial_judge"):
        assert visitor.post(reverse(f"trials:{name}", args=[view.id])).status_code == 404, name
    assert visitor.post(reverse("trials:version_new", args=[subject.id]), {"file": upload()}).status_code == 404


def test_pages_stay_within_thirty_queries_and_do_not_grow(
    ara_in, owner, subject, protocol, request_trial, true_record, finish
):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def counts(view):
        found = []
        for address in (
            reverse("trials:trial", args=[view.id]),
            reverse("trials:subject", args=[subject.id]),
            reverse("trials:trial_new", args=[view.project_id]),
        ):
            with CaptureQueriesContext(connection) as seen:
                assert ara_in.get(address).status_code == 200
            found.append(len(seen))
        return found

    view = request_trial()
    finish(view, true_record(view, protocol))
    counts(view)  # the first answers also write the session's row and keep what is the same for everybody
    first = counts(view)
    for number in range(4):
        trials.add_version(
            actor=owner, id=new_id(), subject_id=subject.id, filename="m", data=f"more {number}".encode()
        )
        finish(more := request_trial(), true_record(more, protocol))
    assert counts(view) == first
    assert max(first) <= QUERIES_MAX
