"""Tables of the ledger; balances are changed by ``services`` alone, everything else is only inserted."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from bitgoeul.audit.facade import AppendOnlyModel

from .types import Purpose, Reason, Resolution


class Unit(AppendOnlyModel):
    """A unit of account with its scale, fixed at birth."""

    code = models.CharField(primary_key=True, max_length=32)
    scale = models.PositiveIntegerField()

    def __str__(self) -> str:
        return self.code


class Account(models.Model):
    """A balance in one unit; ``covers`` names the account whose overrun this one carries."""

    id = models.UUIDField(primary_key=True)
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="+")
    owner_kind = models.CharField(max_length=32)
    owner_id = models.CharField(max_length=64)
    purpose = models.CharField(max_length=16, choices=[(p.value, p.value) for p in Purpose])
    limited = models.BooleanField()
    covers = models.OneToOneField("self", on_delete=models.PROTECT, null=True, related_name="+")
    opened_at = models.DateTimeField()
    credits = models.BigIntegerField(default=0)
    debits = models.BigIntegerField(default=0)
    held = models.BigIntegerField(default=0)
    overrun = models.BigIntegerField(default=0)

    class Meta:
        indexes = (models.Index(fields=["owner_kind", "owner_id"], name="ledger_account_owner"),)
        constraints = (
            models.CheckConstraint(
                condition=Q(credits__gte=0, debits__gte=0, held__gte=0, overrun__gte=0),
                name="ledger_account_no_negatives",
            ),
            models.CheckConstraint(
                condition=Q(limited=False) | Q(credits__gte=F("debits") + F("held")),
                name="ledger_account_floor",
            ),
        )

    def __str__(self) -> str:
        return f"{self.purpose} {self.unit_id} {self.id}"


class Posting(AppendOnlyModel):
    """Transfers made together; the primary key is the caller's idempotency key.

    ``batch`` names the audit event that covers the posting together with others; without one it has its own.
    ``request_digest`` is empty when the rows themselves say all that was asked for.
    """

    id = models.UUIDField(primary_key=True)
    batch = models.UUIDField(null=True)
    effective_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    actor = models.CharField(max_length=64)
    memo = models.CharField(max_length=200, blank=True)
    request_digest = models.CharField(max_length=64, blank=True)
    digest = models.CharField(max_length=64)

    class Meta:
        indexes = (models.Index(fields=["batch"], name="ledger_posting_batch", condition=Q(batch__isnull=False)),)

    def __str__(self) -> str:
        return f"posting {self.id}"


class Transfer(AppendOnlyModel):
    """An amount from the debit account to the credit account, for ever; ``line`` is its place in the posting."""

    pk = models.CompositePrimaryKey("posting_id", "line")
    # The primary key begins with it: an index of its own would be written for nothing.
    posting = models.ForeignKey(Posting, on_delete=models.PROTECT, related_name="+", db_index=False)
    line = models.PositiveSmallIntegerField()
    debit = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+", db_index=False)
    credit = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+", db_index=False)
    amount = models.BigIntegerField()
    reason = models.CharField(max_length=16, choices=[(r.value, r.value) for r in Reason])
    effective_at = models.DateTimeField()
    recorded_at = models.DateTimeField()

    class Meta:
        indexes = (
            models.Index(fields=["debit", "recorded_at"], name="ledger_transfer_debit"),
            models.Index(fields=["credit", "recorded_at"], name="ledger_transfer_credit"),
        )
        constraints = (
            models.CheckConstraint(condition=Q(amount__gt=0), name="ledger_transfer_positive"),
            models.CheckConstraint(condition=~Q(debit=F("credit")), name="ledger_transfer_two_accounts"),
        )

    def __str__(self) -> str:
        return f"{self.reason} {self.amount}"


class Hold(AppendOnlyModel):
    """An amount set aside; it stands until a HoldResolution names it."""

    id = models.UUIDField(primary_key=True)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    amount = models.BigIntegerField()
    expires_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    actor = models.CharField(max_length=64)
    memo = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = (models.CheckConstraint(condition=Q(amount__gt=0), name="ledger_hold_positive"),)

    def __str__(self) -> str:
        return f"hold {self.amount} on {self.account_id}"


class OpenHold(models.Model):
    """A hold that still stands; the row goes with its end, so that looking for due holds never reads old ones."""

    hold = models.OneToOneField(Hold, on_delete=models.PROTECT, primary_key=True, related_name="+")
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"open hold {self.hold_id}"


class HoldResolution(AppendOnlyModel):
    """The one end of a hold: the primary key is the hold's, so a second end is refused by the database."""

    hold = models.OneToOneField(Hold, on_delete=models.PROTECT, primary_key=True, related_name="+")
    kind = models.CharField(max_length=16, choices=[(r.value, r.value) for r in Resolution])
    settled = models.BigIntegerField(default=0)
    posting = models.ForeignKey(Posting, on_delete=models.PROTECT, null=True, related_name="+")
    recorded_at = models.DateTimeField()
    actor = models.CharField(max_length=64)
    reason = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = (models.CheckConstraint(condition=Q(settled__gte=0), name="ledger_resolution_no_negatives"),)

    def __str__(self) -> str:
        return f"{self.kind} {self.hold_id}"
