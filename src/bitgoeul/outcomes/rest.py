"""The figures as open data."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpRequest
from ninja import Router, Schema

from bitgoeul.web.facade import Paged, PageNumber, page_of_items, paged, refusals

from . import queries
from .types import FigureView

router = Router(tags=["outcomes"])

Both = dict[str, str]


class ReportOut(Schema):
    """One report, as it was published; never to be added to anything."""

    value: str
    bound: str
    unit: Both
    as_of: str
    source: Both
    note: Both | None


class VerifiedOut(Schema):
    """The value verified here and the rule by which it is counted."""

    value: int
    unit: Both
    label: Both
    rule: Both
    rule_digest: str
    counted: str
    as_of: datetime | None


class FigureOut(Schema):
    """A figure in both registers; ``verified`` is null where no rule exists here, which is not zero."""

    code: str
    label: Both
    reported: list[ReportOut]
    verified: VerifiedOut | None


class ClaimOut(Schema):
    """One claim: this evidence counts; check it at ``/verify/<evidence_digest>/``."""

    evidence_digest: str
    rule_digest: str
    counted_at: datetime
    issued_at: datetime


class ClaimList(Paged):
    """One page of claims."""

    items: list[ClaimOut]


class FigureList(Paged):
    """One page of figures, in their order."""

    items: list[FigureOut]


def _figure(view: FigureView) -> FigureOut:
    verified = view.verified
    return FigureOut(
        code=view.code,
        label=view.label.model_dump(),
        reported=[ReportOut.model_validate(report.model_dump(mode="json")) for report in view.reports],
        verified=VerifiedOut(
            value=verified.value,
            unit=verified.unit.model_dump(),
            label=verified.label.model_dump(),
            rule=verified.rule.model_dump(),
            rule_digest=verified.rule_digest,
            counted=verified.counted.value,
            as_of=verified.as_of,
        )
        if verified
        else None,
    )


@router.get("/figures", response=FigureList, auth=None, summary="The public figures")
def list_figures(request: HttpRequest, page: PageNumber = 1) -> FigureList:
    """Every figure in both registers, side by side and never added. Open to everybody."""
    return paged(FigureList, page_of_items(queries.public_figures(), page), _figure)


@router.get("/figures/{code}", response={200: FigureOut, **refusals(404)}, auth=None, summary="One public figure")
def get_figure(request: HttpRequest, code: str) -> FigureOut:
    """One figure in both registers. Open to everybody."""
    return _figure(queries.figure(code))


@router.get(
    "/figures/{code}/claims", response={200: ClaimList, **refusals(404)}, auth=None, summary="What a figure counts"
)
def list_figure_claims(request: HttpRequest, code: str, page: PageNumber = 1) -> ClaimList:
    """The claims that count for a figure now, the newest first. Open to everybody."""
    queries.figure(code)
    found = queries.claims(figure_code=code, number=page)
    return paged(ClaimList, found, lambda one: ClaimOut.model_validate(one, from_attributes=True))
