"""What was charged in a month, row by row, for whoever reckons on outside; streamed, whatever there is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any

from django.db.models import BooleanField, Exists, ExpressionWrapper, OuterRef, Q
from django.db.models.fields.json import KT

from bitgoeul.documents import ParquetColumn
from bitgoeul.kernel.clock import SEOUL

from .models import Usage, UseDay
from .queries import with_change

AT_ONCE = 2_000
ACCOUNTED = "sacct:"
WHOSE = (
    ParquetColumn("project", "text", "number of the project"),
    ParquetColumn("organisation_kind", "text", "kind of the project's organisation"),
    ParquetColumn("programme", "text", "what the grant came from: a call, or staff; empty for neither"),
    ParquetColumn("allocation", "text", "id of the allocation"),
    ParquetColumn("resource", "text", "code of the resource in the catalogue"),
    ParquetColumn("unit", "text", "ledger unit; amounts are whole numbers at its scale"),
)
OF_A_RECORD: Sequence[ParquetColumn] = (
    ParquetColumn("record", "text", "identity of the use at its source"),
    ParquetColumn("revision", "integer", "0 as first charged; each correction is the next"),
    ParquetColumn("is_current", "yes_or_no", "whether no later revision has taken its place"),
    ParquetColumn("source", "text", "accounting: a cluster's own; portal: a job or trial of the platform"),
    *WHOSE,
    ParquetColumn("amount", "integer", "what the record charges in all as of this revision"),
    ParquetColumn("change", "integer", "what this revision changed; their sum over a month is its use"),
    ParquetColumn("started_at", "time", "when the use began"),
    ParquetColumn(
        "ended_at", "time", "when it ended, or for a closed month the beginning of the one it is booked in"
    ),
    ParquetColumn("recorded_at", "time", "when this revision was charged"),
    ParquetColumn("late_for", "text", "the closed month (2026-10) that the use is of", optional=True),
)
OF_A_DAY: Sequence[ParquetColumn] = (
    ParquetColumn("day", "day", "day in Asia/Seoul"),
    *WHOSE,
    ParquetColumn("amount", "integer", "what was charged for the day, corrections included; may be below zero"),
)
ALLOCATION = (
    "allocation__project__number", "allocation__project__organisation__kind", "allocation__origin_group",
    "allocation_id", "allocation__resource_id", "allocation__account__unit_id",
)  # fmt: skip


def usage_to_export(*, since: date, until: date) -> Iterator[Sequence[Any]]:
    """Every revision of a usage record that counts on a day from ``since`` up to ``until``, as OF_A_RECORD says.

    Unchecked, for the operator's own exports.
    """
    begin, end = (datetime(each.year, each.month, each.day, tzinfo=SEOUL) for each in (since, until))
    same = Usage.objects.filter(source_key=OuterRef("source_key"))
    rows = (
        with_change(Usage.objects.filter(ended_at__gte=begin, ended_at__lt=end))
        .annotate(
            is_current=~Exists(same.filter(revision=OuterRef("revision") + 1)),
            accounted=ExpressionWrapper(Q(source_key__startswith=ACCOUNTED), output_field=BooleanField()),
            late_for=KT("detail__late_for"),
        )
        .order_by("allocation_id", "ended_at", "pk")
    )
    own = ("source_key", "revision", "is_current", "accounted")
    rest = ("amount", "change", "started_at", "ended_at", "recorded_at", "late_for")
    for key, revision, current, accounted, *cells in rows.values_list(*own, *ALLOCATION, *rest).iterator(AT_ONCE):
        cells[3] = str(cells[3])
        yield key, revision, bool(current), "accounting" if accounted else "portal", *cells


def days_to_export(*, since: date, until: date) -> Iterator[Sequence[Any]]:
    """The sums by allocation and day from ``since`` up to ``until``, as OF_A_DAY says; unchecked."""
    rows = UseDay.objects.filter(day__gte=since, day__lt=until).order_by("allocation_id", "day")
    for day, *cells in rows.values_list("day", *ALLOCATION, "amount").iterator(AT_ONCE):
        cells[3] = str(cells[3])
        yield day, *cells
