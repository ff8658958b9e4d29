"""Subjects and their versions. A subject's bytes are stored and never parsed here."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Sum

from bitgoeul.accounts import facade as accounts
from bitgoeul.audit import facade as audit
from bitgoeul.content import facade as content
from bitgoeul.kernel.canonical import sha256_hex
from bitgoeul.kernel.errors import BadInput, Conflict, LimitReached
from bitgoeul.kernel.text import N_, Text

from .. import queries
from ..errors import NameTaken, SameVersion, SubjectFileRefused
from ..models import Subject, SubjectVersion
from ..types import SubjectKind, SubjectVersionView, SubjectView

SUBJECT_BYTES_MAX = 64 * 1024 * 1024
VERSIONS_MAX = 200
MEDIA_TYPE = "application/octet-stream"


def create_subject(*, actor: accounts.Actor, id: UUID, project_id: UUID, name: str, kind: str) -> SubjectView:
    """Bring a subject into a project; the same id with the same content again changes nothing."""
    project = accounts.project(actor=actor, project_id=project_id)
    accounts.require(actor=actor, verb="trials.create_subject", thing=project.thing)
    name = _line(name, 120, "name", needed=True)
    if kind not in set(map(str, SubjectKind)):
        raise BadInput(N_("There is no such kind of subject."), field="kind")
    known = Subject.objects.filter(pk=id).first()
    if known is not None:
        if (known.project_id, known.name, known.kind) != (project_id, name, kind):
            raise Conflict
        return queries.subject(actor=actor, subject_id=id)
    try:
        with transaction.atomic():
            Subject.objects.create(id=id, project_id=project_id, name=name, kind=kind, created_by=actor.id)
            audit.record(
                verb="trials.create_subject", subject_kind="subject", subject_id=str(id), actor=actor.id,
                after={"project": project_id, "name": name, "kind": kind},
            )  # fmt: skip
    except IntegrityError as error:
        raise NameTaken(field="name", remedy=Text(N_("Choose another name, or add a version to it."))) from error
    return queries.subject(actor=actor, subject_id=id)


@transaction.atomic
def bring_in(
    *,
    actor: accounts.Actor,
    id: UUID,
    project_id: UUID,
    name: str,
    kind: str,
    version_id: UUID,
    filename: str,
    data: bytes,
    note: str = "",
) -> SubjectVersionView:
    """A subject with its first version, both or neither: a refused file leaves no empty subject behind."""
    create_subject(actor=actor, id=id, project_id=project_id, name=name, kind=kind)
    return add_version(actor=actor, id=version_id, subject_id=id, filename=filename, data=data, note=note)


def add_version(
    *, actor: accounts.Actor, id: UUID, subject_id: UUID, filename: str, data: bytes, note: str = ""
) -> SubjectVersionView:
    """Keep a file as the subject's next version; the same id with the same file again changes nothing.

    Raises SubjectFileRefused (empty, above 64 MiB) and SameVersion when the file already is one of its versions.
    """
    thing = queries.subject_thing(subject_id)
    accounts.require(actor=actor, verb="trials.add_version", thing=thing)
    check_size(len(data))
    filename, note = _line(filename, 120, "file") or "model", _line(note, 400, "note")
    digest = sha256_hex(data)
    known = SubjectVersion.objects.filter(pk=id).first()
    if known is not None:
        if (known.subject_id, known.digest) != (subject_id, digest):
            raise Conflict
        return queries.version(actor=actor, version_id=id)
    _check_room(subject_id, len(data))
    content.put_bytes(data, media_type=MEDIA_TYPE, limit_bytes=SUBJECT_BYTES_MAX)
    try:
        with transaction.atomic():
            number = _next_number(subject_id)
            SubjectVersion.objects.create(
                id=id, subject_id=subject_id, number=number, digest=digest, size=len(data),
                filename=filename, note=note, created_by=actor.id,
            )  # fmt: skip
            audit.record(
                verb="trials.add_version", subject_kind="subject", subject_id=str(subject_id), actor=actor.id,
                after={"version": id, "number": number, "digest": digest, "size": len(data)},
            )  # fmt: skip
    except IntegrityError as error:
        raise SameVersion(field="file") from error
    return queries.version(actor=actor, version_id=id)


def _next_number(subject_id: UUID) -> int:
    # Locked, or two files at once would both become the same version and one be refused for the wrong reason.
    Subject.objects.select_for_update(no_key=True).get(pk=subject_id)
    last = (
        SubjectVersion.objects.filter(subject_id=subject_id).order_by("-number").values_list("number", flat=True)
    )
    number = (last.first() or 0) + 1
    if number > VERSIONS_MAX:
        raise SubjectFileRefused(
            N_("A subject has at most {limit} versions; bring in a new subject."), field="file", limit=VERSIONS_MAX
        )
    return number


def check_size(size: int) -> None:
    """Refuse a file of ``size`` bytes that no subject may have; raises SubjectFileRefused."""
    if not size:
        raise SubjectFileRefused(N_("The file is empty."), field="file")
    if size > SUBJECT_BYTES_MAX:
        raise SubjectFileRefused(
            N_("The file has {size} MiB; at most {limit} MiB are taken."),
            field="file", size=-(-size // 2**20), limit=SUBJECT_BYTES_MAX // 2**20,
        )  # fmt: skip


def _check_room(subject_id: UUID, size: int) -> None:
    """Refuse what would take the project's subjects beyond their room; two at once may go over it by one file."""
    project = Subject.objects.filter(pk=subject_id).values("project_id")
    kept = SubjectVersion.objects.filter(subject__project_id__in=project).aggregate(sum=Sum("size"))["sum"] or 0
    if kept + size > settings.PROJECT_STORAGE_BYTES:
        raise LimitReached(
            N_("The project's subjects have {kept} MiB; together they may have {limit} MiB."),
            field="file", kept=kept // 2**20, limit=settings.PROJECT_STORAGE_BYTES // 2**20,
            remedy=Text(N_("Hand in fewer or smaller versions, or ask the operator for more room.")),
        )  # fmt: skip


def _line(text: str, limit: int, field: str, *, needed: bool = False) -> str:
    """One line without surrounding or doubled blanks; BadInput when empty though needed, or too long."""
    line = " ".join(text.split())
    if needed and not line:
        raise BadInput(N_("Fill this in."), field=field)
    if len(line) > limit or not line.isprintable():
        raise BadInput(N_("At most {limit} printable characters."), field=field, limit=limit)
    return line
