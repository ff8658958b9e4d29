"""The catalogue, allocations and usage records."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from bitgoeul.audit.facade import AppendOnlyModel, StatefulModel, state_check, state_field
from bitgoeul.kernel.clock import now

from .states import ALLOCATION
from .types import Category, Sector, Way


class Centre(models.Model):
    """Who runs what the catalogue offers, and where it stands."""

    code = models.SlugField(primary_key=True, max_length=48)
    name_ko = models.CharField(max_length=120)
    name_en = models.CharField(max_length=120)
    place_ko = models.CharField(max_length=120)
    place_en = models.CharField(max_length=120)
    order = models.PositiveSmallIntegerField(default=0)
    is_planned = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.code


class Resource(models.Model):
    """Something the cluster offers, counted in one unit."""

    code = models.SlugField(primary_key=True, max_length=48)
    category = models.CharField(max_length=16)
    unit = models.ForeignKey("ledger.Unit", on_delete=models.PROTECT, related_name="+")
    supply = models.ForeignKey("ledger.Account", on_delete=models.PROTECT, related_name="+")
    name_ko = models.CharField(max_length=120)
    name_en = models.CharField(max_length=120)
    provider_ko = models.CharField(max_length=120)
    provider_en = models.CharField(max_length=120)
    location_ko = models.CharField(max_length=120, blank=True)
    location_en = models.CharField(max_length=120, blank=True)
    is_example = models.BooleanField(default=False)
    centre = models.ForeignKey("resources.Centre", on_delete=models.PROTECT, null=True, related_name="+")
    about_ko = models.CharField(max_length=400, blank=True, default="")
    about_en = models.CharField(max_length=400, blank=True, default="")
    sector = models.CharField(max_length=16, blank=True, default="")
    way = models.CharField(max_length=16, blank=True, default="")
    in_service_by = models.PositiveSmallIntegerField(null=True)
    grid_minutes = models.PositiveSmallIntegerField(null=True)
    quantity = models.PositiveIntegerField(default=1)
    is_planned = models.BooleanField(default=False)
    is_invented = models.BooleanField(default=False)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(category__in=sorted(map(str, Category))), name="resources_resource_category"
            ),
            models.CheckConstraint(
                condition=Q(sector__in=["", *sorted(map(str, Sector))]), name="resources_resource_sector"
            ),
            models.CheckConstraint(
                condition=Q(way__in=["", *sorted(map(str, Way))]), name="resources_resource_way"
            ),
        )
        indexes = (
            models.Index(fields=["category", "name_ko"], name="resources_resource_list"),
            models.Index(fields=["name_ko", "code"], name="resources_resource_name"),
        )

    def __str__(self) -> str:
        return self.code


class Allocation(StatefulModel):
    """What a project may use of a resource in a period; the amounts stand in the ledger."""

    machine = ALLOCATION
    id = models.UUIDField(primary_key=True)
    project = models.ForeignKey("accounts.Project", on_delete=models.PROTECT, related_name="+")
    resource = models.ForeignKey("resources.Resource", on_delete=models.PROTECT, related_name="+")
    account = models.ForeignKey("ledger.Account", on_delete=models.PROTECT, related_name="+")
    used_account = models.ForeignKey("ledger.Account", on_delete=models.PROTECT, related_name="+")
    overrun_account = models.ForeignKey("ledger.Account", on_delete=models.PROTECT, related_name="+")
    granted = models.BigIntegerField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    origin_kind = models.CharField(max_length=32)
    origin_id = models.CharField(max_length=64)
    origin_label = models.CharField(max_length=200, blank=True)
    origin_group = models.CharField(max_length=80, blank=True, default="")
    created_at = models.DateTimeField(default=now)
    state = state_field(ALLOCATION)

    class Meta:
        indexes = (
            models.Index(fields=["project", "created_at"], name="resources_alloc_project"),
            models.Index(fields=["state", "ends_at"], name="resources_alloc_due"),
        )
        constraints = (
            state_check(ALLOCATION, "resources_allocation_state"),
            models.CheckConstraint(condition=Q(granted__gt=0), name="resources_allocation_positive"),
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="resources_allocation_period"),
        )

    def __str__(self) -> str:
        return f"{self.resource_id} for {self.project_id}"


class Usage(AppendOnlyModel):
    """One revision of a usage record; the newest revision of a source key is what holds."""

    id = models.UUIDField(primary_key=True)
    source_key = models.CharField(max_length=200)
    revision = models.PositiveIntegerField(default=0)
    allocation = models.ForeignKey("resources.Allocation", on_delete=models.PROTECT, related_name="+")
    amount = models.BigIntegerField()
    posting_id = models.UUIDField()
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    recorded_at = models.DateTimeField(default=now)
    detail = models.JSONField(default=dict)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["source_key", "revision"], name="resources_usage_once"),
            models.CheckConstraint(condition=Q(amount__gte=0), name="resources_usage_no_negatives"),
        )
        indexes = (
            models.Index(fields=["allocation", "ended_at"], name="resources_usage_allocation"),
            models.Index(fields=["posting_id"], name="resources_usage_posting"),
        )

    def __str__(self) -> str:
        return f"{self.source_key}#{self.revision}"


class Price(AppendOnlyModel):
    """What an amount of a unit costs from a day on: ``krw`` for ``amount``, in the unit's ledger scale.

    A new price is a new row. For a day, the one that began last holds, and of two that began on the same day the
    one set last.
    """

    id = models.UUIDField(primary_key=True)
    unit = models.ForeignKey("ledger.Unit", on_delete=models.PROTECT, related_name="+")
    krw = models.BigIntegerField()
    amount = models.BigIntegerField()
    since = models.DateField()
    source = models.CharField(max_length=200)
    is_example = models.BooleanField(default=False)
    set_by = models.CharField(max_length=80)
    set_at = models.DateTimeField(default=now)

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(krw__gte=0, amount__gte=1), name="resources_price_amounts"),
        )
        indexes = (models.Index(fields=["unit", "-since", "-set_at"], name="resources_price_latest"),)

    def __str__(self) -> str:
        return f"{self.unit_id} from {self.since}: KRW {self.krw}"


class UseDay(models.Model):
    """What an allocation was charged for a day of the site's zone, corrections included; so it may be below zero.

    Kept by the transaction that settles a use: the sum over days is the sum of the usage records as they stand.
    """

    pk = models.CompositePrimaryKey("allocation_id", "day")
    allocation = models.ForeignKey(
        "resources.Allocation", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    day = models.DateField()
    amount = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.day} {self.amount}"


class UseMonth(models.Model):
    """The same by month, named by its first day: a report of months reads a row a month and allocation."""

    pk = models.CompositePrimaryKey("allocation_id", "month")
    allocation = models.ForeignKey(
        "resources.Allocation", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    month = models.DateField()
    amount = models.BigIntegerField()

    class Meta:
        indexes = (models.Index(fields=["month", "allocation"], name="resources_use_month"),)

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} {self.amount}"
