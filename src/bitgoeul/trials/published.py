"""Keeping results that others published. They are third-party: never measured here, never a stage or a rank."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import islice
from typing import NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from bitgoeul.accounts import facade as accounts
from bitgoeul.audit import facade as audit
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.ids import derive
from bitgoeul.kernel.text import N_
from bitgoeul.published.mlperf import Result, benchmark_code, kind_of

from .models import PublishedImport, PublishedResult
from .published_types import Imported

BATCH = 500
SOURCE_MAX = 300
NAME_MAX = 160
RESULT_ID_MAX = 40
# Submitter and system as the tree names them, in their round and division, to MLCommons' id of the entry.
Entry = tuple[str, str, str, str]


class Retrieved(NamedTuple):
    """Where a tree comes from: an address with its revision, the day, and whether MLCommons reviewed it."""

    source: str
    on: date
    reviewed: bool


def keep_published(
    *,
    actor: accounts.Actor,
    id: UUID,
    results: Iterable[Result],
    retrieved: Retrieved,
    entries: Mapping[Entry, str] | None = None,
) -> Imported:
    """Keep results with where they were retrieved from, BATCH a transaction; the same tree again adds nothing.

    Of a place whose numbers changed the new reading counts and the old one stays. Raises BadInput for a field.
    """
    if not actor.is_system:
        raise BadInput(N_("Published results are taken in by the platform itself."))
    source = " ".join(retrieved.source.split())
    if not 8 <= len(source) <= SOURCE_MAX:
        raise BadInput(
            N_("Say where the tree was retrieved from, with its revision, in 8 to {limit} characters."),
            field="source", limit=SOURCE_MAX,
        )  # fmt: skip
    if retrieved.on > now().date():
        raise BadInput(N_("A tree cannot have been retrieved in the future."), field="retrieved")
    done, number, rest = Imported(0, 0, 0), 0, iter(results)
    while batch := list(islice(rest, BATCH)):
        origin = PublishedImport(
            id=derive("trials.published_import", id, number), source=source, retrieved_on=retrieved.on,
            reviewed=retrieved.reviewed, results=len(batch), actor=actor.id,
        )  # fmt: skip
        part = _keep(origin, batch, entries or {})
        done = Imported(*(one + other for one, other in zip(_counts(done), _counts(part), strict=True)))
        number += 1
    return done


def _counts(done: Imported) -> tuple[int, int, int]:
    return done.new, done.changed, done.unchanged


@transaction.atomic
def _keep(origin: PublishedImport, batch: Sequence[Result], entries: Mapping[Entry, str]) -> Imported:
    newest = {place_of(each): each for each in batch}
    known = _known(newest)
    rows = list(_rows(origin, newest, known, entries))
    if not rows:
        return Imported(0, 0, len(batch))
    origin.save(force_insert=True)
    PublishedResult.objects.bulk_create(rows)
    changed = sum(row.version > 1 for row in rows)
    done = Imported(len(rows) - changed, changed, len(batch) - len(rows))
    audit.record(
        verb="trials.import_published",
        subject_kind="published_import",
        subject_id=str(origin.pk),
        actor=origin.actor,
        after={
            "source": origin.source, "retrieved_on": origin.retrieved_on.isoformat(), "reviewed": origin.reviewed,
            "new": done.new, "changed": done.changed,
            "digest": hashlib.sha256("".join(sorted(row.digest for row in rows)).encode()).hexdigest(),
        },
    )  # fmt: skip
    return done


def _known(places: Iterable[str]) -> dict[str, tuple[int, str]]:
    """Version and digest of the reading that counts, by place."""
    found = PublishedResult.objects.filter(place__in=list(places))
    last = dict(found.values_list("place").annotate(Max("version")))
    return {
        place: (version, digest)
        for place, version, digest in found.values_list("place", "version", "digest")
        if last[place] == version
    }


def _rows(
    origin: PublishedImport,
    newest: Mapping[str, Result],
    known: Mapping[str, tuple[int, str]],
    entries: Mapping[Entry, str],
) -> Iterator[PublishedResult]:
    for place, result in newest.items():
        version, digest = known.get(place, (0, ""))
        entry = entries.get((result.round, result.division, result.submitter, result.system), "")
        stored = result.stored()
        said = json.dumps([stored, entry, origin.source, origin.reviewed])
        own = hashlib.sha256(said.encode()).hexdigest()
        if own == digest:
            continue
        _refuse_too_long(result)
        yield PublishedResult(
            id=derive("trials.published", place, version + 1), origin=origin, place=place, version=version + 1,
            digest=own, kind=kind_digest(result), round=result.round, submitter=result.submitter,
            system=result.system, accelerator=result.accelerator, benchmark=benchmark_code(result.benchmark),
            scenario=result.scenario, result_id=entry, row=stored,
        )  # fmt: skip


def _refuse_too_long(result: Result) -> None:
    for name, limit in (("round", 16), ("submitter", NAME_MAX), ("system", NAME_MAX), ("benchmark", 80),
                        ("scenario", 40)):  # fmt: skip
        if len(getattr(result, name)) > limit:
            raise BadInput(
                N_("The folder for “{name}” has a name of more than {limit} characters: {path}"),
                field="path", name=name, limit=limit, path=result.path,
            )  # fmt: skip


def place_of(result: Result) -> str:
    """SHA-256 of where a result stands in its tree: the folders from the round to the run."""
    names = (result.round, result.division, result.submitter, result.system, result.benchmark, result.scenario)
    run = result.path.rpartition("/")[2]
    return hashlib.sha256("\n".join((*names, run)).encode()).hexdigest()


def kind_digest(result: Result) -> str:
    """What results share that may be compared; see ``published.mlperf.kind_of``."""
    kind = kind_of(result)
    words = (kind.benchmark, kind.scenario, kind.era, kind.division, str(kind.power))
    return hashlib.sha256("\n".join(words).encode()).hexdigest()
