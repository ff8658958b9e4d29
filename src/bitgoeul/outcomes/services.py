"""Every write of the outcomes room."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

from django.db import transaction

from bitgoeul.accounts import facade as accounts
from bitgoeul.accounts.types import Actor, Thing
from bitgoeul.audit import facade as audit
from bitgoeul.kernel.canonical import digest, loads_strict
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.ids import derive
from bitgoeul.kernel.text import N_

from . import queries, rules, sources
from .models import Announced, ClaimChange, FigureVersion, IndicatorVersion, VerifiedClaim
from .rules import BadFigures
from .types import EvidenceFacts, FigureData, IndicatorData

SYSTEM = Actor.system("outcomes")
BATCH = 200
# Versions of figures and indicators, and what counts under them.
COUNTING = "outcomes.counting"


@transaction.atomic
def load_figures(*, actor: Actor, data: Mapping[str, object]) -> int:
    """Publish reported figures; each changed figure becomes a new version. Returns how many changed."""
    accounts.require(actor=actor, verb="outcomes.load_figures", thing=Thing("installation", "figures"))
    audit.take_turn(COUNTING)
    file = rules.parse_figures(data)
    current = {row.code: row for row in queries.current_figures()}
    return sum(_load_figure(actor, figure, current.get(figure.code)) for figure in file.figures)


def _load_figure(actor: Actor, figure: FigureData, latest: FigureVersion | None) -> bool:
    body = figure.model_dump(mode="json")
    named = digest(body)
    if latest is not None and latest.digest == named:
        return False
    number = latest.number + 1 if latest else 1
    row = FigureVersion.objects.create(
        id=derive("outcomes.figure", figure.code, number),
        code=figure.code,
        number=number,
        digest=named,
        body=body,
        order=figure.order,
        loaded_by=actor.id,
    )
    audit.record(
        verb="figure.load",
        subject_kind="figure",
        subject_id=figure.code,
        actor=actor.id,
        after={"version": row.number, "digest": named},
    )
    return True


@transaction.atomic
def load_indicators(*, actor: Actor, data: Mapping[str, object]) -> int:
    """Publish indicators; under a changed rule every claim is looked at again. Returns how many changed."""
    accounts.require(actor=actor, verb="outcomes.load_figures", thing=Thing("installation", "indicators"))
    audit.take_turn(COUNTING)
    file = rules.parse_indicators(data)
    known = {row.code for row in queries.current_figures()}
    for indicator in file.indicators:
        if indicator.figure not in known:
            raise BadFigures(
                N_("The indicator belongs to “{figure}”, which is no figure."),
                field="indicators",
                figure=indicator.figure,
            )
    current = {row.figure: row for row in queries.current_indicators()}
    return sum(_load_indicator(actor, one, current.get(one.figure)) for one in file.indicators)


def _load_indicator(actor: Actor, indicator: IndicatorData, latest: IndicatorVersion | None) -> bool:
    named = rules.rule_digest(indicator)
    if latest is not None and latest.digest == named:
        return False
    number = latest.number + 1 if latest else 1
    row = IndicatorVersion.objects.create(
        id=derive("outcomes.indicator", indicator.figure, number),
        figure=indicator.figure,
        number=number,
        digest=named,
        body=indicator.model_dump(mode="json"),
        loaded_by=actor.id,
    )
    audit.record(
        verb="indicator.load",
        subject_kind="figure",
        subject_id=indicator.figure,
        actor=actor.id,
        after={"version": number, "rule_digest": named},
    )
    _recount(row, indicator)
    return True


def _recount(row: IndicatorVersion, indicator: IndicatorData) -> None:
    """Look at every piece of evidence under a new rule, a batch at a time."""
    digests = Announced.objects.order_by("pk").values_list("pk", flat=True).iterator(chunk_size=BATCH)
    for batch in _batches(digests):
        facts = sources.facts_of(batch)
        for evidence_digest in batch:
            _consider(row, indicator, evidence_digest, facts.get(evidence_digest))


def _batches(digests: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(digests)
    while batch := list(islice(rest, BATCH)):
        yield batch


@transaction.atomic
def evidence_changed(payload: Mapping[str, object]) -> None:
    """Handler of news about evidence: issued, or its visibility changed.

    The news only names the evidence (``payload["digest"]``); what holds is asked of the trials room now, so the
    order in which news arrives, and news that arrives twice, make no difference.
    """
    may_come = payload.get("visibility") == "public" and payload.get("verdict") == "PASSED"
    _look(str(payload["digest"]), embargo_possible=may_come)


@transaction.atomic
def evidence_invalidated(payload: Mapping[str, object]) -> None:
    """Handler of news that evidence must no longer be relied on; it never comes back."""
    _look(str(payload["digest"]), embargo_possible=False)


def _look(evidence_digest: str, *, embargo_possible: bool) -> bool:
    # In turn, or news that is older could write what it read before newer news was counted.
    audit.take_turn(COUNTING)
    facts = sources.facts_of([evidence_digest]).get(evidence_digest)
    again = facts is None and embargo_possible
    Announced.objects.update_or_create(
        evidence_digest=evidence_digest, defaults={"look_again": again, "looked_at": now()}
    )
    for row in queries.current_indicators():
        _consider(row, IndicatorData.model_validate(row.body), evidence_digest, facts)
    return facts is not None


def look_again(limit: int = 100) -> int:
    """Look at evidence under embargo, the longest not looked at first; nothing announces the end of an embargo.

    Called by the worker every few minutes. Returns how many pieces became public.
    """
    digests = list(
        Announced.objects.filter(look_again=True).order_by("looked_at").values_list("pk", flat=True)[:limit]
    )
    became = 0
    for evidence_digest in digests:
        with transaction.atomic():
            became += _look(evidence_digest, embargo_possible=True)
    return became


def _consider(
    row: IndicatorVersion, indicator: IndicatorData, evidence_digest: str, facts: EvidenceFacts | None
) -> None:
    """Write a change if the claim counts now and did not before, or the other way round."""
    claim = VerifiedClaim.objects.filter(figure=row.figure, evidence_digest=evidence_digest).first()
    last = ClaimChange.objects.filter(claim=claim).order_by("-number").first() if claim else None
    should = rules.counts(indicator.rule, facts)
    if should == (last.counted if last else False):
        return
    if claim is None:
        if facts is None:
            return
        claim = _claim(row.figure, facts)
    number = last.number + 1 if last else 1
    ClaimChange.objects.create(
        id=derive("outcomes.change", claim.id, number), claim=claim, number=number, counted=should, indicator=row
    )
    audit.record(
        verb="claim.count" if should else "claim.withdraw",
        subject_kind="figure",
        subject_id=row.figure,
        actor=SYSTEM.id,
        after={"evidence": evidence_digest, "rule_digest": row.digest},
    )
    audit.emit(
        topic="figure.changed",
        key=f"{claim.id}:{number}",
        payload={"figure": row.figure, "counted": should},
    )


def _claim(figure: str, facts: EvidenceFacts) -> VerifiedClaim:
    return VerifiedClaim.objects.create(
        id=derive("outcomes.claim", figure, facts.digest),
        figure=figure,
        evidence_digest=facts.digest,
        trial_id=facts.trial_id,
        subject_digest=facts.subject_digest,
        subject_version_id=facts.subject_version_id,
        project_id=facts.project_id,
        organisation_id=facts.organisation_id,
        issued_at=facts.issued_at,
    )


def load_example(*, actor: Actor, directory: Path) -> None:
    """Publish the example's reported figures and indicators; done again, nothing changes."""
    load_figures(actor=actor, data=_read(directory / "reported_figures.json"))
    load_indicators(actor=actor, data=_read(directory / "indicators.json"))


def _read(path: Path) -> Mapping[str, object]:
    data = loads_strict(path.read_bytes())
    if not isinstance(data, dict):
        raise BadFigures(N_("The file “{name}” holds no figures."), name=path.name)
    return data
