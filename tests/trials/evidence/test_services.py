from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection, transaction
from django.db.utils import DatabaseError

from bitgoeul.accounts import facade as accounts
from bitgoeul.audit.models import Event, Message
from bitgoeul.content import facade as content
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import BadInput, Conflict, NotAllowed, NotFound, Unavailable
from bitgoeul.kernel.ids import new_id
from bitgoeul.kernel.signing import public_key
from bitgoeul.trials import evidence as services
from bitgoeul.trials import evidence_log as log
from bitgoeul.trials import evidence_queries as queries
from bitgoeul.trials.evidence_types import AlreadyInvalid, Audience, NoSuchEvidence, Visibility
from bitgoeul.trials.models import Evidence, EvidenceLog, EvidenceVisibility
from bitgoeul.trials.ports import Outcome
from bitgoeul.trials.verify import verify_evidence
from tampering import without_triggers
from trials.evidence import samples

pytestmark = pytest.mark.django_db
NOBODY = accounts.Actor.anonymous()


def test_issued_evidence_verifies_with_the_published_key(issue, owner, settings) -> None:
    view = issue()
    data = queries.evidence_file(actor=owner, digest=view.digest)
    key = public_key((Path(settings.KEYS) / "centre.pub").read_bytes())
    result = verify_evidence(data, [key])
    assert result.valid
    assert result.statement["predicate"]["log"] == {"sequence": 1, "previous": "0" * 64}
    assert (view.keyid, view.verdict, view.size) == (key.keyid, Outcome.PASSED, len(data))


def test_the_file_is_kept_for_good(issue) -> None:
    view = issue()
    kept = content.blobs([view.digest])[view.digest]
    assert kept.retain_until is not None
    assert kept.retain_until.year == 9999


def test_the_same_judgement_again_gives_the_same_evidence(judged) -> None:
    ready = judged()
    first = services.issue_evidence(**ready.__dict__, actor="system:judge")
    again = services.issue_evidence(**ready.__dict__, actor="system:judge")
    assert again == first
    assert (Evidence.objects.count(), EvidenceLog.objects.count(), EvidenceVisibility.objects.count()) == (1, 1, 1)
    other = replace(ready.facts, verdict=samples.verdict(Outcome.FAILED))
    with pytest.raises(Conflict):
        services.issue_evidence(**{**ready.__dict__, "facts": other}, actor="system:judge")


def test_issuing_tells_audit_and_outbox_in_the_same_transaction(judged, monkeypatch) -> None:
    ready = judged()

    def fail(**_values) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(services.audit, "emit", fail)
        with pytest.raises(RuntimeError):
            services.issue_evidence(**ready.__dict__, actor="system:judge")
    assert (Evidence.objects.count(), EvidenceLog.objects.count(), Event.objects.filter(
        verb="trials.issue_evidence").count()) == (0, 0, 0)  # fmt: skip
    view = services.issue_evidence(**ready.__dict__, actor="system:judge")
    message = Message.objects.get(topic="evidence.issued")
    assert message.key == view.digest
    assert message.payload == {
        "digest": view.digest,
        "trial_id": str(view.trial_id),
        "subject_version_id": str(view.subject_version_id),
        "verdict": "PASSED",
        "visibility": "private",
    }
    assert Event.objects.get(verb="trials.issue_evidence").subject_id == view.digest


def test_the_log_is_a_chain(issue) -> None:
    views = [issue() for _ in range(4)]
    assert [view.log_sequence for view in views] == [1, 2, 3, 4]
    assert [view.log_previous for view in views[1:]] == [view.log_hash for view in views[:-1]]
    report = log.verify_log()
    assert report.ok, report.findings
    assert report.counts == {"evidence": 4, "log_positions": 4}


def test_a_taken_position_is_tried_again_with_the_next(issue, judged, monkeypatch) -> None:
    issue()
    real, asked = services.next_position, []

    def stale():
        asked.append(1)
        return services.LogPosition(1, "0" * 64) if len(asked) < 3 else real()

    monkeypatch.setattr(services, "next_position", stale)
    view = services.issue_evidence(**judged().__dict__, actor="system:judge")
    assert (view.log_sequence, len(asked)) == (2, 3)
    monkeypatch.setattr(services, "next_position", lambda: services.LogPosition(1, "0" * 64))
    with pytest.raises(Unavailable):
        services.issue_evidence(**judged().__dict__, actor="system:judge")


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ("UPDATE trials_evidencelog SET previous = 'x' WHERE sequence = 2", "previous"),
        ("UPDATE trials_evidencelog SET hash = 'x' WHERE sequence = 3", "hash"),
        ("DELETE FROM trials_evidencelog WHERE sequence = 2", "sequence"),
        ("UPDATE trials_evidence SET outcome = 'FAILED'", "row"),
        ("UPDATE trials_evidence SET digest = 'f' || substr(digest, 2) WHERE digest NOT LIKE 'f%'", "file"),
    ],
)
def test_what_was_tampered_with_is_found(issue, change: str, check: str) -> None:
    for _ in range(3):
        issue()
    without_triggers("trials_evidence", "trials_evidencelog")
    with connection.cursor() as cursor:
        cursor.execute(change)
    found = {finding.check for finding in log.verify_log().findings}
    assert {check, "append_only"} <= found


def test_a_damaged_file_is_found(issue, settings) -> None:
    view = issue()
    path = content.path_of(view.digest)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(bytes(data))
    assert [finding.check.split(".")[0] for finding in log.verify_log().findings] == ["file"]


def test_removed_last_positions_are_found_by_the_signed_head(issue) -> None:
    for _ in range(3):
        issue()
    head = log.write_log_head()
    assert head is not None
    assert head.sequence == 3
    assert log.write_log_head() == head
    without_triggers("trials_evidencelog")
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM trials_evidencelog WHERE sequence = 3")
    assert {"heads", "coverage"} <= {finding.check for finding in log.verify_log().findings}


def test_the_head_is_written_after_the_commit(judged, django_capture_on_commit_callbacks) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        services.issue_evidence(**judged().__dict__, actor="system:judge")
        assert not log.heads_path().exists()
    assert json.loads(log.heads_path().read_text())["sequence"] == 1


@pytest.mark.parametrize("table", ["evidence", "evidencevisibility", "evidenceinvalidation", "evidencelog"])
def test_the_tables_refuse_changes(issue, staff, table: str) -> None:
    key = "sequence" if table == "evidencelog" else "id"
    view = issue()
    services.invalidate(actor=staff, digest=view.digest, reason="The meter was broken.")
    for change in (f"DELETE FROM trials_{table}", f"UPDATE trials_{table} SET {key} = {key}"):
        with (
            pytest.raises(DatabaseError, match="append-only"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(change)


def test_private_evidence_is_for_its_people_and_the_operator(issue, owner, bora, chan, staff, auditor) -> None:
    view = issue()
    for actor in (owner, bora, staff, auditor):
        assert queries.evidence(actor=actor, digest=view.digest).digest == view.digest
    for actor in (chan, NOBODY):
        refusals = []
        for digest in (view.digest, "0" * 64, "no digest", view.digest.upper()):
            with pytest.raises(NoSuchEvidence) as caught:
                queries.evidence_file(actor=actor, digest=digest)
            refusals.append(caught.value.to_json())
        assert all(refusal == refusals[0] for refusal in refusals)
    assert queries.public_evidence(view.digest) is None
    assert queries.latest_public() == []


def test_named_organisations_see_it_and_others_do_not(issue, owner, chan, person) -> None:
    system = accounts.Actor.system("test")
    buyer = person("dana")
    organisation = accounts.create_organisation(
        actor=buyer,
        id=new_id(),
        name="사는 곳 (예시)",
        kind=accounts.OrganisationKind.INSTITUTE,
        registration_number="",
        is_example=True,
    )
    buyer = accounts.actor_for(user_id=buyer.user_id)
    view = issue()
    named = Audience(Visibility.NAMED, (organisation.id,))
    services.change_visibility(actor=owner, digest=view.digest, audience=named)
    assert queries.evidence_file(actor=buyer, digest=view.digest)
    assert queries.visible_evidence(actor=chan, digest=view.digest) is None
    assert queries.public_evidence(view.digest) is None
    with pytest.raises(NotFound):
        services.publish(actor=buyer, digest=view.digest)
    later = replace(named, embargo_until=now() + timedelta(days=1))
    services.change_visibility(actor=owner, digest=view.digest, audience=later)
    assert queries.visible_evidence(actor=buyer, digest=view.digest) is None
    assert queries.visible_evidence(actor=system, digest=view.digest) is not None


def test_an_embargo_ends_by_itself(issue, owner, monkeypatch) -> None:
    view = issue(Visibility.PUBLIC, embargo_until=now() + timedelta(days=3))
    assert not view.public
    assert queries.public_evidence(view.digest) is None
    assert queries.visible_evidence(actor=NOBODY, digest=view.digest) is None
    later = now() + timedelta(days=3, seconds=1)
    monkeypatch.setattr(queries, "now", lambda: later)
    found = queries.public_evidence(view.digest)
    assert found is not None
    assert (found.public, found.counts) == (True, True)
    assert [one.digest for one in queries.latest_public()] == [view.digest]


def test_publish_withdraw_and_history(issue, owner, bora, chan, staff) -> None:
    view = issue()
    for actor, refusal in ((bora, NotAllowed), (staff, NotAllowed), (chan, NotFound)):
        with pytest.raises(refusal):
            services.publish(actor=actor, digest=view.digest)
    published = services.publish(actor=owner, digest=view.digest)
    assert published.public
    assert services.publish(actor=owner, digest=view.digest) == published
    assert queries.public_evidence(view.digest) == published
    with pytest.raises(NoSuchEvidence):
        services.publish(actor=NOBODY, digest="0" * 64)
    services.withdraw(actor=owner, digest=view.digest)
    assert queries.public_evidence(view.digest) is None
    history = queries.visibility_history(view)
    assert [one.visibility for one in history] == [Visibility.PRIVATE, Visibility.PUBLIC, Visibility.PRIVATE]
    assert [one.actor for one in history] == [owner.id, owner.id, "system:judge"]
    assert [m.key for m in Message.objects.filter(topic="evidence.visibility").order_by("created_at")] == [
        f"{view.digest}:1",
        f"{view.digest}:2",
    ]


def test_a_decision_on_an_old_state_is_refused(issue, owner) -> None:
    view = issue()
    services.publish(actor=owner, digest=view.digest)
    with pytest.raises(Conflict):
        services.change_visibility(
            actor=owner,
            digest=view.digest,
            audience=Audience(Visibility.PUBLIC, (), now() + timedelta(days=1)),
            seen_version=view.visibility_version,
        )
    # The version is unique in the database too: a change computed from a stale view loses.
    with pytest.raises(Conflict):
        services._record_change(view, Audience(Visibility.PUBLIC), owner.id)


@pytest.mark.parametrize("organisations", [(), (new_id(),), tuple(new_id() for _ in range(51))])
def test_named_needs_known_organisations(issue, owner, organisations) -> None:
    view = issue()
    with pytest.raises(BadInput) as caught:
        services.change_visibility(
            actor=owner, digest=view.digest, audience=Audience(Visibility.NAMED, organisations)
        )
    assert caught.value.field == "organisations"


def test_invalidated_evidence_stays_and_no_longer_counts(issue, owner, staff) -> None:
    view = issue(Visibility.PUBLIC)
    assert queries.public_evidence(view.digest).counts
    with pytest.raises(NotAllowed):
        services.invalidate(actor=owner, digest=view.digest, reason="I do not like it.")
    with pytest.raises(BadInput):
        services.invalidate(actor=staff, digest=view.digest, reason="  short ")
    gone = services.invalidate(actor=staff, digest=view.digest, reason="The meter was  broken.")
    assert (gone.invalidated_because, gone.counts, gone.public) == ("The meter was broken.", False, True)
    assert queries.latest_public() == []
    assert queries.evidence_file(actor=NOBODY, digest=view.digest)
    assert log.verify_log().ok
    assert Message.objects.get(topic="evidence.invalidated").payload["digest"] == view.digest
    with pytest.raises(AlreadyInvalid):
        services.invalidate(actor=staff, digest=view.digest, reason="The meter was broken again.")


def test_reading_in_bulk_takes_one_query(issue, django_assert_num_queries) -> None:
    views = [issue(Visibility.PUBLIC) for _ in range(5)]
    with django_assert_num_queries(1):
        assert len(queries.public_evidence_of([view.digest for view in views])) == 5
    with django_assert_num_queries(1):
        found = queries.evidence_of_trials([view.trial_id for view in views])
    assert [found[view.trial_id][0].digest for view in views] == [view.digest for view in views]
    with django_assert_num_queries(1):
        assert len(queries.evidence_of_versions([view.subject_version_id for view in views])) == 5
    with django_assert_num_queries(1):
        assert [one.digest for one in queries.latest_public(2)] == [views[4].digest, views[3].digest]


def test_a_project_lists_its_evidence_to_those_who_may_see_it(issue, owner, chan, project) -> None:
    view = issue()
    page = queries.project_evidence(actor=owner, project_id=project.id)
    assert [one.digest for one in page.items] == [view.digest]
    with pytest.raises(NotFound):
        queries.project_evidence(actor=chan, project_id=project.id)
