"""Keeping results that others published. They are third-party: never measured here, never a stage or a rank."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef

from bitgoeul.accounts import facade as accounts
from bitgoeul.audit import facade as audit
from bitgoeul.kernel.clock import SEOUL, now
from bitgoeul.kernel.errors import BadInput, Unavailable
from bitgoeul.kernel.ids import derive
from bitgoeul.kernel.text import N_, Text
from bitgoeul.published.mlperf import Flag, Result, benchmark_code, kind_of

from .models import PublishedImport, PublishedResult
from .published_types import Imported

BATCH = 500
ATTEMPTS = 3
SOURCE_MAX = 300
NAME_MAX = 160
# How many characters of a folder's name are kept.
NAMES_MAX = {"round": 16, "submitter": NAME_MAX, "system": NAME_MAX, "benchmark": 80, "scenario": 40}
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

    Of a place whose numbers changed the new reading counts and the old one stays; see ``_says_more``. A result
    whose folder has too long a name is left out and named. Raises BadInput for a field, and Unavailable while
    other imports of the same results keep going before.
    """
    if not actor.is_system:
        raise BadInput(N_("Published results are taken in by the platform itself."))
    source = " ".join(retrieved.source.split())
    if not 8 <= len(source) <= SOURCE_MAX:
        raise BadInput(
            N_("Say where the tree was retrieved from, with its revision, in 8 to {limit} characters."),
            field="source", limit=SOURCE_MAX,
        )  # fmt: skip
    if retrieved.on > now().astimezone(SEOUL).date():
        raise BadInput(N_("A tree cannot have been retrieved in the future."), field="retrieved")
    done, number, rest = Imported(0, 0, 0), 0, iter(results)
    while read := list(islice(rest, BATCH)):
        too_long = {place: said for place, each in enumerate(read) if (said := _too_long(each))}
        batch = [each for place, each in enumerate(read) if place not in too_long]
        origin = PublishedImport(
            id=derive("trials.published_import", id, number), source=source, retrieved_on=retrieved.on,
            reviewed=retrieved.reviewed, results=len(batch), actor=actor.id,
        )  # fmt: skip
        done += _keep_though_another_does(origin, batch, entries or {})
        done += Imported(0, 0, 0, tuple(too_long.values()))
        number += 1
    return done


def _keep_though_another_does(
    origin: PublishedImport, batch: Sequence[Result], entries: Mapping[Entry, str]
) -> Imported:
    for _attempt in range(ATTEMPTS):
        try:
            return _keep(origin, batch, entries)
        except IntegrityError:
            continue  # Another import kept a reading of the same place first: look again.
    raise Unavailable(N_("Other imports take in the same results; try again when they are through."))


@transaction.atomic
def _keep(origin: PublishedImport, batch: Sequence[Result], entries: Mapping[Entry, str]) -> Imported:
    newest = {place_of(each): each for each in batch}
    rows = list(_rows(origin, newest, _known(newest), entries))
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


class _Known(NamedTuple):
    """The reading of a place that counts."""

    version: int
    row: Mapping[str, Any]
    result_id: str
    reviewed: bool


def _known(places: Iterable[str]) -> dict[str, _Known]:
    later = PublishedResult.objects.filter(place=OuterRef("place"), version__gt=OuterRef("version"))
    found = PublishedResult.objects.filter(~Exists(later), place__in=list(places))
    rows = found.values_list("place", "version", "row", "result_id", "origin__reviewed")
    return {place: _Known(*facts) for place, *facts in rows}


def _rows(
    origin: PublishedImport,
    newest: Mapping[str, Result],
    known: Mapping[str, _Known],
    entries: Mapping[Entry, str],
) -> Iterator[PublishedResult]:
    for place, result in newest.items():
        before = known.get(place)
        given = entries.get((result.round, result.division, result.submitter, result.system), "")
        entry = given or (before.result_id if before else "")
        stored = result.stored()
        if before and not _says_more(before, stored, entry, origin.reviewed):
            continue
        version = before.version + 1 if before else 1
        yield PublishedResult(
            id=derive("trials.published", place, version), origin=origin, place=place, version=version,
            digest=hashlib.sha256(json.dumps([_own(stored), entry]).encode()).hexdigest(),
            kind=kind_digest(result), round=result.round, submitter=result.submitter, system=result.system,
            accelerator=result.accelerator, benchmark=benchmark_code(result.benchmark),
            scenario=result.scenario, result_id=entry, row=stored,
        )  # fmt: skip


def _says_more(before: _Known, stored: Mapping[str, Any], entry: str, reviewed: bool) -> bool:
    """Whether it is a new reading: other numbers or remarks, another id, or the same ones reviewed since.

    The same ones from another source are none, and a tree that nobody reviewed takes nothing from a reviewed
    reading of the same numbers.
    """
    if _own(before.row) != _own(stored):
        return True
    if before.reviewed:
        return reviewed and entry != before.result_id
    return reviewed or entry != before.result_id


def _own(stored: Mapping[str, Any]) -> Mapping[str, Any]:
    """A stored row without the remark that depends on what else was read with it."""
    return {**stored, "flags": [flag for flag in stored["flags"] if flag != Flag.DUPLICATE]}


def _too_long(result: Result) -> Text | None:
    """Which folder has a longer name than is kept."""
    for name, limit in NAMES_MAX.items():
        if len(getattr(result, name)) > limit:
            text = N_("The folder for “{name}” has a name of more than {limit} characters: {path}")
            return Text(text, {"name": name, "limit": limit, "path": result.path})
    return None


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
