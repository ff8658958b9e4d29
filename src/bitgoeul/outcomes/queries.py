"""Reading figures: bulk, in a fixed number of queries however many claims there are."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict

from django.db.models import Count, Exists, Max, OuterRef, QuerySet

from bitgoeul.kernel.errors import NotFound
from bitgoeul.kernel.text import N_, Text
from bitgoeul.web.facade import Page, page_of

from .models import ClaimChange, FigureVersion, IndicatorVersion
from .types import ClaimView, Counted, FigureData, FigureView, IndicatorData, VerifiedValue

FIGURES_MAX = 500


class Counts(TypedDict):
    """What the counted claims of one figure come to."""

    evidence: int
    subject: int
    subject_version: int
    project: int
    organisation: int
    at: datetime | None


NOTHING: Counts = {
    "evidence": 0,
    "subject": 0,
    "subject_version": 0,
    "project": 0,
    "organisation": 0,
    "at": None,
}


def current_figures() -> QuerySet[FigureVersion]:
    """Figures as they stand, in their order."""
    newer = FigureVersion.objects.filter(code=OuterRef("code"), number__gt=OuterRef("number"))
    return FigureVersion.objects.filter(~Exists(newer)).order_by("order", "code")


def current_indicators() -> QuerySet[IndicatorVersion]:
    """The rules in force."""
    newer = IndicatorVersion.objects.filter(figure=OuterRef("figure"), number__gt=OuterRef("number"))
    return IndicatorVersion.objects.filter(~Exists(newer)).order_by("figure")


def last_changes() -> QuerySet[ClaimChange]:
    """Of each claim the change that holds."""
    newer = ClaimChange.objects.filter(claim=OuterRef("claim"), number__gt=OuterRef("number"))
    return ClaimChange.objects.filter(~Exists(newer))


def _counts() -> dict[str, Counts]:
    rows = (
        last_changes()
        .filter(counted=True)
        .values("claim__figure")
        .annotate(
            evidence=Count("id"),
            subject=Count("claim__subject_digest", distinct=True),
            subject_version=Count("claim__subject_version_id", distinct=True),
            project=Count("claim__project_id", distinct=True),
            organisation=Count("claim__organisation_id", distinct=True),
        )
    )
    # Also a change that took a claim away is news of the figure.
    changed = dict(
        ClaimChange.objects.values("claim__figure").annotate(at=Max("at")).values_list("claim__figure", "at")
    )
    found: dict[str, Counts] = {figure: {**NOTHING, "at": at} for figure, at in changed.items()}
    for row in rows:
        figure = row["claim__figure"]
        found[figure] = {
            "evidence": row["evidence"],
            "subject": row["subject"],
            "subject_version": row["subject_version"],
            "project": row["project"],
            "organisation": row["organisation"],
            "at": found[figure]["at"],
        }
    return found


def public_figures(*, front: bool = False) -> list[FigureView]:
    """Every figure in both registers, in order, in four queries; with ``front`` only those of the front page."""
    indicators = {row.figure: row for row in current_indicators()}
    counts = _counts()
    views = [
        _view(FigureData.model_validate(row.body), indicators.get(row.code), counts.get(row.code, NOTHING))
        for row in current_figures()[:FIGURES_MAX]
    ]
    return [view for view in views if view.front] if front else views


def figure(code: str) -> FigureView:
    """One figure in both registers; raises NotFound."""
    found = next((view for view in public_figures() if view.code == code), None)
    if found is None:
        raise NotFound(N_("There is no figure “{code}”."), code=code, remedy=Text(N_("See the list of figures.")))
    return found


def _view(data: FigureData, row: IndicatorVersion | None, counts: Counts) -> FigureView:
    return FigureView(data.code, data.label, data.front, data.reports, _verified(row, counts) if row else None)


def _verified(row: IndicatorVersion, counts: Counts) -> VerifiedValue:
    indicator = IndicatorData.model_validate(row.body)
    counted = indicator.rule.distinct
    values = {
        Counted.EVIDENCE: counts["evidence"],
        Counted.SUBJECT: counts["subject"],
        Counted.SUBJECT_VERSION: counts["subject_version"],
        Counted.PROJECT: counts["project"],
        Counted.ORGANISATION: counts["organisation"],
    }
    return VerifiedValue(
        value=values[counted],
        unit=indicator.unit,
        label=indicator.label,
        rule=indicator.rule_text,
        rule_digest=row.digest,
        counted=counted,
        as_of=counts["at"],
    )


def claims(*, figure_code: str, number: int = 1) -> Page[ClaimView]:
    """One page of the claims that count for a figure now, the newest first.

    Claims that ceased to count are left out: their evidence may be private, and its digest would tell of it.
    """
    rows = (
        last_changes()
        .filter(counted=True, claim__figure=figure_code)
        .select_related("claim", "indicator")
        .order_by("-at", "-id")
    )
    return page_of(rows, number).map(
        lambda row: ClaimView(row.claim.evidence_digest, row.indicator.digest, row.at, row.claim.issued_at)
    )


def withdrawn_count(*, figure_code: str) -> int:
    """How many claims counted once and do not any more."""
    return last_changes().filter(counted=False, claim__figure=figure_code).count()
