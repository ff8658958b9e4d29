"""A small world of real rows for the suites that walk the whole portal: people, two companies, evidence.

It is built once a module through the rooms' own services, inside one transaction that is rolled back after it.
"""

from __future__ import annotations

import json
import re
import zipfile
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction

from bitgoeul.kernel.ids import new_id

TESTS = Path(__file__).resolve().parent
EXAMPLES = TESTS.parent / "examples" / "gwangju"
DATA = TESTS / "protocols" / "data"
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
SECRET = "가온칩"  # stands in every name of Ara's that an outsider must not read


def person(name: str, *roles: Any) -> Any:
    from bitgoeul.accounts import facade as accounts

    return accounts.create_user(
        actor=accounts.Actor.system("test"),
        id=new_id(),
        email=f"{name}@example.kr",
        display_name=f"{name.capitalize()} {SECRET}" if name in ("ara", "bora") else name.capitalize(),
        operator_roles=frozenset(roles),
    )


def _company(owner: Any, name: str, number: str) -> Any:
    from bitgoeul.accounts import facade as accounts

    return accounts.create_organisation(
        actor=accounts.actor_for(user_id=owner),
        id=new_id(),
        name=name,
        kind=accounts.OrganisationKind.START_UP,
        registration_number=number,
        is_example=True,
    )


def apply_for(owner: Any, organisation: Any, title: str, *, submit: bool = True) -> Any:
    from bitgoeul.accounts import facade as accounts
    from bitgoeul.programmes import facade as programmes

    return programmes.apply(
        actor=accounts.actor_for(user_id=owner),
        id=new_id(),
        call_code="quick-start",
        tier_code="first",
        organisation_id=organisation.id,
        title=title,
        answers=ANSWERS,
        fields=FIELDS,
        submit=submit,
    )


def _allocated(owner: Any, staff: Any, organisation: Any, title: str) -> Any:
    """An application all the way: handed in, selected, signed by both sides, with a project and allocations."""
    from bitgoeul.accounts import facade as accounts
    from bitgoeul.programmes import facade as programmes
    from bitgoeul.programmes.agreements import Side

    made = apply_for(owner, organisation, title)
    system = accounts.Actor.system("test")
    agreement = programmes.agreement(actor=system, agreement_id=made.agreement_id)
    for person, side in ((owner, Side.APPLICANT), (staff, Side.OPERATOR)):
        actor = accounts.actor_for(user_id=person)
        programmes.sign(actor=actor, agreement_id=agreement.id, side=side, digest=agreement.digest)
    return programmes.application(actor=system, application_id=made.id)


def _protocol() -> Any:
    """The protocol that the kept record was measured under; its files are named, for nothing runs here."""
    from bitgoeul.content.models import Blob
    from bitgoeul.kernel.canonical import digest
    from bitgoeul.trials import queries
    from bitgoeul.trials.models import ProtocolVersion

    shipped = TESTS.parent / "src" / "bitgoeul" / "protocols" / "inference" / "protocol.json"
    definition = json.loads((DATA / "definition.json").read_text(encoding="utf-8"))
    definition |= json.loads(shipped.read_text(encoding="utf-8"))
    for one in definition["assets"].values():
        Blob.objects.get_or_create(digest=one, defaults={"size": 1, "media_type": "application/octet-stream"})
    row, _ = ProtocolVersion.objects.get_or_create(
        digest=digest(definition),
        defaults={"code": "inference", "version": definition["version"], "definition": definition},
    )
    return queries.protocol(row.digest)


def _record(view: Any, protocol: Any) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((DATA / "record.json").read_text(encoding="utf-8"))
    definition = protocol.definition
    record.update(trial_id=str(view.id), attempt=view.attempt, parameters=dict(view.parameters))
    record["subject"]["digest"] = view.subject_digest
    record["protocol"] |= {"digest": protocol.digest, "version": definition["version"]}
    record["inputs"] = [{"name": name, "digest": one, "bytes": 1} for name, one in definition["assets"].items()]
    record["inputs"].append({"name": "subject.bin", "digest": view.subject_digest, "bytes": 1})
    expected = definition["expected"]["reference_predictions_digest"]
    record["canary"] = {"predictions_digest": expected, "expected_digest": expected}
    return record


def _finish(view: Any, protocol: Any) -> Any:
    """End a trial's job with a true record, as the follower would; only the job's view is stood in for."""
    from dataclasses import replace

    from bitgoeul.accounts.facade import Actor
    from bitgoeul.compute import facade as compute
    from bitgoeul.content import facade as content
    from bitgoeul.kernel.canonical import canonical_bytes
    from bitgoeul.trials import facade as trials

    data = canonical_bytes(_record(view, protocol))
    digest = content.put_bytes(data, media_type="application/json", limit_bytes=2**20).digest
    job = replace(
        compute.job_views([view.job_id])[view.job_id],
        state=compute.JobState.SUCCEEDED,
        artefacts={"record.json": digest, "logs.tar": digest},
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compute, "job_views", lambda _ids: {view.job_id: job})
        trials.job_finished(
            {"id": str(view.job_id), "state": "SUCCEEDED", "origin": {"kind": "trial", "id": str(view.id)}}
        )
    return trials.trial(actor=Actor.system("test"), trial_id=view.id)


def _sweep(owner: Any, project_id: Any) -> Any:
    """Three jobs that wait."""
    from bitgoeul.compute import facade as compute

    return compute.submit_sweep(
        actor=owner, id=new_id(), project_id=project_id, name=f"{SECRET} 학습률 (예시)",
        request=compute.JobRequest(("true", "{n}"), compute.Limits(1, 64, 1, 16, 16)),
        points=compute.grid({"n": ["1", "2", "3"]}),
    )  # fmt: skip


def _load_example() -> None:
    from bitgoeul.accounts.facade import Actor
    from bitgoeul.outcomes import facade as outcomes
    from bitgoeul.programmes import facade as programmes
    from bitgoeul.resources import facade as resources

    for room in (resources, programmes, outcomes):
        room.load_example(actor=Actor.system("test"), directory=EXAMPLES)


def _published() -> None:
    """Two results of others that may be compared."""
    from bitgoeul.published.mlperf import Flag
    from published_samples import keep, made

    keep(made(), made(system="two", flags=(Flag.PREVIEW,)))


def build() -> SimpleNamespace:
    from bitgoeul.accounts import facade as accounts
    from bitgoeul.kernel.clock import now
    from bitgoeul.outcomes import facade as outcomes
    from bitgoeul.programmes import facade as programmes
    from bitgoeul.resources import facade as resources
    from bitgoeul.trials import facade as trials
    from bitgoeul.trials.evidence_types import Audience

    _load_example()
    _published()
    roles = accounts.OperatorRole
    people = {name: person(name) for name in ("ara", "bora", "chan", "dami")}
    people |= {"staff": person("staff", roles.STAFF), "engineer": person("engineer", roles.ENGINEER)}
    people["auditor"] = person("auditor", roles.AUDITOR)
    ara, staff = people["ara"], people["staff"]
    company = _company(ara, f"{SECRET} (예시)", "000-00-70016")
    others = _company(people["chan"], "찬소프트 (예시)", "000-00-70020")
    buyer = _company(people["dami"], "다미조달 (예시)", "000-00-70035")
    application = _allocated(ara, staff, company, f"{SECRET} 과제 (예시)")
    elsewhere = _allocated(people["chan"], staff, others, "찬의 과제 (예시)")
    system = accounts.Actor.system("test")
    accounts.add_member(
        actor=system, project_id=application.project_id, user_id=people["bora"], role=accounts.ProjectRole.MEMBER
    )
    actor, protocol = accounts.actor_for(user_id=ara), _protocol()

    def subject_in(who: Any, project_id: Any, name: str) -> tuple[Any, Any]:
        subject = trials.create_subject(actor=who, id=new_id(), project_id=project_id, name=name, kind="onnx")
        version = trials.add_version(
            actor=who, id=new_id(), subject_id=subject.id, filename="digits.onnx", data=name.encode(), note=name
        )
        return subject, version

    def trial_of(version: Any, audience: Any) -> Any:
        return trials.request_trial(
            actor=actor, id=new_id(), subject_version_id=version.id, protocol_digest=protocol.digest,
            parameters={}, audience=audience,
        )  # fmt: skip

    subject, version = subject_in(actor, application.project_id, f"{SECRET} INT8 (예시)")
    other_subject, other_version = subject_in(
        accounts.actor_for(user_id=people["chan"]), elsewhere.project_id, "찬 모델 (예시)"
    )
    seen = trials.Visibility
    audiences = {
        "private": Audience(),
        "named": Audience(seen.NAMED, (buyer.id,)),
        "public": Audience(seen.PUBLIC),
        "embargo": Audience(seen.PUBLIC, (), now() + timedelta(days=30)),
    }
    finished = {name: _finish(trial_of(version, one), protocol) for name, one in audiences.items()}
    project = accounts.project(actor=system, project_id=application.project_id)
    selected = apply_for(ara, company, f"{SECRET} 다음 과제 (예시)")
    return SimpleNamespace(
        people=people,
        company=company,
        others=others,
        buyer=buyer,
        application=application,
        selected=selected,
        agreement_digest=programmes.agreement(actor=system, agreement_id=selected.agreement_id).digest,
        figure=outcomes.public_figures()[0].code,
        draft=apply_for(ara, company, f"{SECRET} 초안 (예시)", submit=False),
        project=project,
        other_project=accounts.project(actor=system, project_id=elsewhere.project_id),
        allocation=resources.allocations(project_ids=[project.id])[project.id][0],
        protocol=protocol,
        subject=subject,
        version=version,
        other_subject=other_subject,
        other_version=other_version,
        running=trial_of(version, Audience()),
        sweep=_sweep(actor, project.id),
        trials=finished,
        evidence={name: view.evidence_digest for name, view in finished.items()},
    )


def names_of(world: SimpleNamespace) -> dict[str, Any]:
    """What stands for the names in the paths."""
    from bitgoeul.trials import facade as trials

    return {
        "project": world.project.id,
        "subject": world.subject.id,
        "version": world.version.id,
        "trial": world.trials["private"].id,
        "running": world.running.id,
        "job": world.running.job_id,
        "sweep": world.sweep.id,
        "application": world.application.id,
        "selected": world.selected.id,
        "draft": world.draft.id,
        "agreement": world.selected.agreement_id,
        "digest": world.agreement_digest,
        "allocation": world.allocation.id,
        "company": world.company.id,
        "protocol": world.protocol.digest,
        "bora": world.people["bora"],
        "figure": world.figure,
        "token": new_id(),
        "published": trials.published_results().items[0].id,
        **world.evidence,
    }


REASON = "측정 장비에 잘못이 있었습니다."


def page_bodies(ids: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """By page and form, what a browser would send of a form that is filled in well."""
    audience = {"numbers": "", "embargo_until": "", "seen_version": "0"}
    return {
        "/organisations/new/": {"id": str(new_id()), "name": "새 기관", "kind": "SME", "registration_number": ""},
        "/account/": {"display_name": "새 이름", "locale": "ko"},
        "/account/tokens/": {"id": str(new_id()), "name": "t", "days": "1"},
        "/projects/{project}/jobs/new/": {
            "id": str(new_id()), "name": "작업", "command": "true", "script": "", "outputs": "", "cores": "1",
            "wall_seconds": "10", "memory_mib": "512", "processes": "32", "file_mib": "64", "work_mib": "2048",
        },
        "/projects/{project}/jobs/price/": {"cores": "1", "wall_seconds": "10"},
        "/projects/{project}/sweeps/new/": {
            "id": str(new_id()), "name": "스윕", "command": "true", "script": "", "outputs": "", "cores": "1",
            "wall_seconds": "1", "memory_mib": "512", "processes": "32", "file_mib": "64", "work_mib": "2048",
            "way": "grid", "parameters": "n = 1, 2",
        },
        "/projects/{project}/sweeps/price/": {
            "cores": "1", "wall_seconds": "1", "command": "true", "way": "grid", "parameters": "n = 1, 2",
        },
        "/prices/": {
            "id": str(new_id()), "unit": "core_ms", "krw": "50", "since": "2100-01-01", "source": REASON,
        },
        "/jobs/{job}/write-off/": {"reason": REASON},
        "/operators/": {"email": "dami@example.kr", "role": "ENGINEER"},
        "/organisations/{company}/": {"email": "dami@example.kr", "role": "MEMBER"},
        "/projects/{project}/members/": {"email": "dami@example.kr", "role": "VIEWER"},
        "/projects/{project}/subjects/new/": {
            "id": str(new_id()), "version_id": str(new_id()), "name": "새 모델", "kind": "onnx", "note": "",
            "file": SimpleUploadedFile("m.onnx", b"bytes"),
        },
        "/projects/{project}/trials/new/": {
            "id": str(new_id()), "protocol": ids["protocol"], "version": str(ids["version"]),
            "visibility": "private", "embargo_until": "", "seconds": "3", "batch": "16", "server_rate": "300",
            "server_latency_ms": "100",
        },
        "/subjects/{subject}/versions/new/": {
            "version_id": str(new_id()), "note": "", "file": SimpleUploadedFile("m.onnx", b"more bytes"),
        },
        "/evidence/{private}/ audience": {**audience, "visibility": "public"},
        "/evidence/{public}/ audience": {**audience, "visibility": "private"},
        "/evidence/{private}/ reason": {"reason": REASON},
        "/evidence/{public}/ reason": {"reason": REASON},
        "/start/1/": {"answer": "SME"},
        "/start/all/": dict(ANSWERS),
        "/calls/quick-start/apply/": {
            "id": str(new_id()), "title": "새 과제", "organisation": str(ids["company"]),
            "requested_cpu-core": "1", "requested_software-target": "1", **ANSWERS, **FIELDS,
        },
        "/applications/{selected}/withdraw/": {"reason": "다음에 합니다."},
        "/agreements/{agreement}/sign/ applicant": {"side": "applicant", "agree": "yes", "digest": ids["digest"]},
        "/agreements/{agreement}/sign/ operator": {"side": "operator", "agree": "yes", "digest": ids["digest"]},
    }  # fmt: skip


def rest_bodies(ids: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """By operation, a good body."""
    wish = {
        "id": str(new_id()), "subject_version_id": str(ids["version"]), "protocol_digest": ids["protocol"],
        "parameters": {"seconds": 3}, "visibility": "private", "organisations": [], "embargo_until": None,
    }  # fmt: skip
    return {
        "/api/v1/me": {"name": "새 이름", "language": "ko"},
        "/api/v1/organisations": {"id": str(new_id()), "name": "새 기관", "kind": "SME"},
        "/api/v1/operators": {"email": "dami@example.kr", "role": "ENGINEER"},
        "/api/v1/organisations/{company}/members": {"email": "dami@example.kr", "role": "MEMBER"},
        "/api/v1/projects/{project}/members": {"email": "dami@example.kr", "role": "VIEWER"},
        "/api/v1/projects/{project}/allocations": {
            "id": str(new_id()), "resource_code": "cpu-core", "amount": 1, "reason": REASON,
            "starts_at": "2026-01-01T00:00:00+09:00", "ends_at": "2100-01-01T00:00:00+09:00",
        },
        "/api/v1/allocations/{allocation}/suspend": {"reason": REASON},
        "/api/v1/allocations/{allocation}/resume": {"reason": REASON},
        "/api/v1/allocations/{allocation}/recall": {"reason": REASON},
        "/api/v1/prices": {
            "id": str(new_id()), "unit": "core_ms", "krw": 50, "amount": 3_600_000, "since": "2100-01-01",
            "source": REASON,
        },
        "/api/v1/jobs": {
            "id": str(new_id()), "project_id": str(ids["project"]), "name": "작업", "argv": ["true"],
            "limits": {"wall_seconds": 10}, "files": {"a.txt": "가"},
        },
        "/api/v1/jobs/estimate": {"argv": ["true"]},
        "/api/v1/projects/{project}/sweeps": {
            "id": str(new_id()), "name": "스윕", "parameters": {"n": [1, 2]},
            "request": {"argv": ["true", "{n}"], "limits": {"wall_seconds": 1}},
        },
        "/api/v1/jobs/{job}/write-off": {"reason": REASON},
        "/api/v1/applications/{selected}/withdraw": {"reason": "다음에 합니다."},
        "/api/v1/trials/{trial}/judgements": {"id": str(new_id())},
        "/api/v1/tokens": {"name": "t", "days": 1, "read_only": True},
        "/api/v1/plan": {"answers": dict(ANSWERS)},
        "/api/v1/applications": {
            "id": str(new_id()), "call": "quick-start", "tier": "first", "organisation_id": str(ids["company"]),
            "title": "새 과제", "answers": dict(ANSWERS), "fields": dict(FIELDS), "requested": {"cpu-core": 1},
        },
        "/api/v1/applications/{selected}/decide": {"selected": True, "reason": REASON},
        "/api/v1/agreements/{agreement}/sign applicant": {"side": "applicant", "digest": ids["digest"]},
        "/api/v1/agreements/{agreement}/sign operator": {"side": "operator", "digest": ids["digest"]},
        "/api/v1/projects/{project}/subjects": {"id": str(new_id()), "name": "새 모델", "kind": "onnx"},
        "/api/v1/subjects/{subject}/versions": {"file": SimpleUploadedFile("m.onnx", b"more bytes"), "note": ""},
        "/api/v1/trials": wish,
        "/api/v1/trials/estimate": wish,
        "/api/v1/evidence/{private}/visibility": {
            "visibility": "public", "organisations": [], "embargo_until": None, "seen_version": 0,
        },
        "/api/v1/evidence/{public}/visibility": {"visibility": "private"},
        "/api/v1/evidence/{private}/invalidation": {"reason": REASON},
        "/api/v1/evidence/{public}/invalidation": {"reason": REASON},
    }  # fmt: skip


def body_of(path: str, variant: str, ids: dict[str, Any]) -> dict[str, Any]:
    """What somebody who may would send to that address."""
    return {**page_bodies(ids), **rest_bodies(ids)}.get(f"{path} {variant}".strip(), {})


def call(
    client: Any, method: str, path: str, ids: dict[str, Any], variant: str = "", body: Any = None, **headers: Any
) -> Any:
    """Send it, read the answer whole as ``text_seen``, and take back whatever it wrote."""
    with transaction.atomic():
        address = path.format(**ids)
        body = body_of(path, variant, ids) if body is None else body
        if method == "GET":
            response = client.get(address, **headers)
        elif path.startswith("/api/") and not (isinstance(body, dict) and "file" in body):
            response = client.post(address, body, content_type="application/json", **headers)
        else:
            response = client.post(address, body, **headers)
        data = b"".join(response.streaming_content) if response.streaming else response.content
        response.text_seen = _readable(data)
        transaction.set_rollback(True)
    return response


def _readable(data: bytes) -> str:
    """The text of an answer; of a workbook, the text of its sheets."""
    if data.startswith(b"PK"):
        with zipfile.ZipFile(BytesIO(data)) as book:
            return "".join(book.read(name).decode() for name in book.namelist() if name.endswith(".xml"))
    return data.decode("utf-8", "replace")


def says_why(response: Any, path: str) -> bool:
    """True unless it is a refusal that does not say why."""
    if response.status_code < 400:
        return True
    if path.startswith("/api/"):
        try:
            told = json.loads(response.text_seen)
        except ValueError:
            return False
        return bool(told.get("code") and told.get("message"))
    return bool(re.search(r'이제 할 일|-error"|role="alert"', response.text_seen))
