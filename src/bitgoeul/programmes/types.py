"""What the room speaks in: calls as data, rules, plans and the views other rooms read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from bitgoeul.kernel.quantity import divide_half_up
from bitgoeul.kernel.text import Text

from .states import ApplicationState

Code = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
# Canonical JSON holds whole numbers only up to 2^53 − 1, and a call is named by its digest.
Amount = Annotated[int, Field(gt=0, le=2**53 - 1, strict=True)]
Scalar = str | int | bool
Facts = Mapping[str, Mapping[str, object]]


class Data(BaseModel):
    """A piece of a data file: unknown keys are refused and nothing can be changed after reading."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Words(Data):
    """A text that an officer wrote in both languages."""

    ko: Annotated[str, Field(min_length=1, max_length=4000)]
    en: Annotated[str, Field(min_length=1, max_length=4000)]

    def __str__(self) -> str:
        return self.en

    def in_language(self, code: str | None) -> str:
        """The Korean text for Korean readers and for nobody in particular, else the English one."""
        return self.ko if not code or code.startswith("ko") else self.en


Said = Text | Words


class Operator(StrEnum):
    """How a condition compares a fact with its value."""

    EQUAL = "equal"
    NOT_EQUAL = "not_equal"
    IN = "in"
    NOT_IN = "not_in"
    AT_MOST = "at_most"
    AT_LEAST = "at_least"
    PRESENT = "present"


class DecisionPath(StrEnum):
    """Who decides a tier."""

    RULE = "rule"
    STAFF = "staff"
    PANEL = "panel"


class Condition(Data):
    """One comparison of a fact (``field`` is ``group.name``) with a value."""

    field: Annotated[str, Field(pattern=r"^(answers|organisation|fields|requested)\.[a-z0-9_-]{1,64}$")]
    operator: Operator
    value: bool | int | str | tuple[bool | int | str, ...] = True

    @model_validator(mode="after")
    def _value_fits(self) -> Condition:
        many = isinstance(self.value, tuple)
        if many != (self.operator in {Operator.IN, Operator.NOT_IN}):
            raise ValueError("a list belongs to in and not_in, a single value to the others")
        number = isinstance(self.value, int) and not isinstance(self.value, bool)
        if self.operator in {Operator.AT_MOST, Operator.AT_LEAST} and not number:
            raise ValueError("at_most and at_least compare with a whole number")
        return self


class Rule(Condition):
    """A condition that decides, with the sentence for either end; ``{value}`` is filled with the fact."""

    code: Code
    passed: Words
    failed: Words


class Discount(Data):
    """A reduction of the fee when its condition holds; the best one counts, they are never added."""

    code: Code
    label: Words
    percent: Annotated[int, Field(ge=1, le=100, strict=True)]
    when: Condition


class Document(Data):
    """Something the applicant must have; ``have_when`` tells from the facts that it is there already."""

    code: Code
    label: Words
    remedy: Words
    have_when: Condition | None = None


class Shown(Data):
    """The size in which people ask for a resource: ``scale`` ledger amounts make one ``label`` (core-hour)."""

    label: Words
    scale: Amount

    def count(self, amount: int) -> str:
        """``amount`` in this size to three decimals, trailing zeros dropped: 5_400_000 of 3_600_000 is 1.5."""
        whole, rest = divmod(divide_half_up(amount * 1000, self.scale), 1000)
        return f"{whole:,}.{rest:03d}".rstrip("0").rstrip(".")


class TierResource(Data):
    """What a tier gives of one resource: at most ``cap``, ``default`` unless a fact asks for more or less.

    Amounts are whole ledger amounts of ``unit``, whole multiples of ``shown.scale``; with ``scales_with`` the
    suggestion is the fact times ``amount_per``, within the cap.
    """

    resource: Code
    unit: Code
    label: Words
    shown: Shown
    cap: Amount
    default: Amount
    scales_with: Literal["core_hours"] | None = None
    amount_per: Amount = 1

    @model_validator(mode="after")
    def _default_fits(self) -> TierResource:
        if self.default > self.cap:
            raise ValueError("the default may not be above the cap")
        if self.default % self.shown.scale or self.cap % self.shown.scale:
            raise ValueError("default and cap must be whole multiples of the size shown")
        return self


class Choice(Data):
    """One answer of a field with choices."""

    value: Code
    label: Words


class CallField(Data):
    """A field of the application form beyond the seven questions."""

    code: Code
    label: Words
    hint: Words | None = None
    kind: Literal["line", "text", "choice", "yes_no"]
    required: bool = True
    length_max: Annotated[int, Field(ge=1, le=4000)] = 200
    choices: tuple[Choice, ...] = ()

    @model_validator(mode="after")
    def _choices_fit(self) -> CallField:
        if (self.kind == "choice") != bool(self.choices):
            raise ValueError("a choice field needs choices, and only a choice field has them")
        return self


class Tier(Data):
    """One size of support within a call."""

    code: Code
    title: Words
    summary: Words
    decision: DecisionPath
    deadline: AwareDatetime | None = None
    duration_days: Annotated[int, Field(ge=1, le=1830, strict=True)]
    sign_within_working_days: Annotated[int, Field(ge=1, le=60, strict=True)]
    resources: Annotated[tuple[TierResource, ...], Field(min_length=1, max_length=20)]
    rules: Annotated[tuple[Rule, ...], Field(max_length=50)]
    documents: Annotated[tuple[Document, ...], Field(max_length=20)] = ()
    fee_krw: Annotated[int, Field(ge=0, le=10**12, strict=True)] = 0
    discounts: Annotated[tuple[Discount, ...], Field(max_length=20)] = ()


class CapWords(Data):
    """The sentences about a requested amount and its cap; ``{resource}`` and ``{cap}`` are filled in."""

    passed: Words
    failed: Words


class Agreement(Data):
    """The agreement template in both languages; the Korean text binds, the English one informs.

    Places are written ``{name}`` and filled from ``agreements.PLACES`` only.
    """

    title: Words
    text_ko: Annotated[str, Field(min_length=1, max_length=40_000)]
    text_en: Annotated[str, Field(min_length=1, max_length=40_000)]


class CallBody(Data):
    """A call as data: what is published, for whom, until when, and by which rules it is decided."""

    code: Code
    programme: Words
    title: Words
    summary: Words
    operator: Words
    opens_at: AwareDatetime
    closes_at: AwareDatetime
    tiers: Annotated[tuple[Tier, ...], Field(min_length=1, max_length=20)]
    fields: Annotated[tuple[CallField, ...], Field(max_length=40)]
    caps: CapWords
    agreement: Agreement

    @model_validator(mode="after")
    def _consistent(self) -> CallBody:
        if self.opens_at >= self.closes_at:
            raise ValueError("a call must open before it closes")
        for name, codes in (("tiers", [t.code for t in self.tiers]), ("fields", [f.code for f in self.fields])):
            if len(set(codes)) != len(codes):
                raise ValueError(f"two {name} have the same code")
        for tier in self.tiers:
            units = [line.resource for line in tier.resources]
            if len(set(units)) != len(units):
                raise ValueError(f"tier {tier.code} names a resource twice")
        return self

    def tier(self, code: str) -> Tier | None:
        """The tier with this code, or None."""
        return next((tier for tier in self.tiers if tier.code == code), None)


@dataclass(frozen=True)
class Reason:
    """What one rule said: ``passed`` is None when the fact is not known yet."""

    code: str
    passed: bool | None
    text: Said


@dataclass(frozen=True)
class Fee:
    """The fee of a tier in whole KRW, before and after the best discount."""

    list_krw: int
    percent: int
    due_krw: int
    discount: Words | None


@dataclass(frozen=True)
class ResourceAmount:
    """An amount of one resource in ledger amounts of ``unit``."""

    resource: str
    unit: str
    label: Words
    shown: Shown
    amount: int

    @property
    def count(self) -> str:
        """The amount in the size people ask for."""
        return self.shown.count(self.amount)


@dataclass(frozen=True)
class Step:
    """A dated step of a plan; ``day`` is the day by which it is done, in Seoul."""

    code: str
    label: Text
    day: date
    note: Text


@dataclass(frozen=True)
class Missing:
    """Something the applicant still lacks; ``link`` names the page that helps, if there is one."""

    code: str
    text: Said
    remedy: Said | None = None
    link: str | None = None


@dataclass(frozen=True)
class OpenCall:
    """A call as it stands: one version of its body and where its period is."""

    id: UUID
    version: int
    digest: str
    body: CallBody
    is_open: bool
    working_days_left: int


@dataclass(frozen=True)
class TierFit:
    """How well one tier fits the answers: ``fits`` is False when a rule refuses, None when a fact is missing."""

    call: OpenCall
    tier: Tier
    fits: bool | None
    enough: bool
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Plan:
    """What fits, what it gives, by when, and what is missing; ``best`` is None when nothing fits."""

    best: TierFit | None
    fits: tuple[TierFit, ...]
    resources: tuple[ResourceAmount, ...]
    fee: Fee | None
    documents: tuple[tuple[Document, bool | None], ...]
    steps: tuple[Step, ...]
    missing: tuple[Missing, ...]


@dataclass(frozen=True)
class DecisionView:
    """A decision as it was made: by whom, on which rules (their digest), for which reasons."""

    selected: bool
    path: DecisionPath
    reasons: tuple[Reason, ...]
    rules_digest: str
    decided_at: datetime


@dataclass(frozen=True)
class SignatureView:
    """One side's signature under an agreement's digest."""

    side: str
    actor: str
    name: str
    digest: str
    signed_at: datetime


@dataclass(frozen=True)
class AgreementView:
    """A frozen agreement: ``text`` is the file whose SHA-256 is ``digest``; ``signatures`` by side."""

    id: UUID
    application_id: UUID
    number: int
    title: Words
    text: str
    digest: str
    created_at: datetime
    sign_by: date
    signatures: Mapping[str, SignatureView]

    @property
    def complete(self) -> bool:
        """True when both sides have signed."""
        return len(self.signatures) == 2


@dataclass(frozen=True)
class ApplicationView:
    """An application as its page shows it."""

    id: UUID
    reference: str
    state: ApplicationState
    call: OpenCall
    tier: Tier
    organisation_id: UUID
    organisation_name: str
    applicant: str
    title: str
    answers: Mapping[str, Scalar]
    fields: Mapping[str, Scalar]
    requested: tuple[ResourceAmount, ...]
    created_at: datetime
    submitted_at: datetime | None
    allocated_at: datetime | None
    decision: DecisionView | None
    agreement_id: UUID | None
    project_id: UUID | None


@dataclass(frozen=True)
class TimeToFirstMinute:
    """The median time from submission to allocation in whole milliseconds, over ``count`` applications."""

    median_ms: int
    count: int
