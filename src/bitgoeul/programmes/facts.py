"""Facts from rows: what the rules see and what an agreement says."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from bitgoeul.accounts import facade as accounts
from bitgoeul.accounts.types import OrganisationView
from bitgoeul.kernel.clock import now

from . import rules
from .models import Application
from .planning import facts_of
from .types import CallBody, Fee, Scalar, Tier
from .workdays import seoul_day


def decision_facts(
    organisation: OrganisationView,
    answers: Mapping[str, Scalar],
    fields: Mapping[str, Scalar],
    requested: Mapping[str, int],
) -> dict[str, dict[str, object]]:
    """The facts of an application: the organisation's record counts, not what was answered about it."""
    return {
        **facts_of(answers),
        "organisation": {
            "kind": str(organisation.kind),
            "registered": bool(organisation.registration_number),
        },
        "fields": dict(fields),
        "requested": dict(requested),
    }


def agreement_facts(
    row: Application, body: CallBody, tier: Tier, organisation: OrganisationView, sign_by: date
) -> dict[str, dict[str, str]]:
    """The facts of ``agreements.PLACES`` in Korean and in English."""
    facts = decision_facts(organisation, row.answers, row.fields, row.requested)
    fee = rules.fee_of(tier, facts)
    amounts = rules.amounts_of(tier, row.requested)
    common = {
        "organisation": organisation.name,
        "registration_number": accounts.show_registration_number(organisation.registration_number) or "—",
        "project_title": row.title,
        "duration_days": str(tier.duration_days),
        "applied_on": seoul_day(row.submitted_at or now()).isoformat(),
        "sign_by": sign_by.isoformat(),
        "application_id": str(row.id),
    }
    return {
        language: {
            **common,
            "call_title": body.title.in_language(language),
            "tier_title": tier.title.in_language(language),
            "operator": body.operator.in_language(language),
            "fee": _fee(fee, language),
            "resources": "\n".join(
                f"  - {one.label.in_language(language)}: {one.count} {one.shown.label.in_language(language)}"
                for one in amounts
            ),
        }
        for language in ("ko", "en")
    }


def _fee(fee: Fee, language: str) -> str:
    korean = language == "ko"
    if not fee.list_krw:
        return "없음" if korean else "none"
    due = f"{fee.due_krw:,}원" if korean else f"KRW {fee.due_krw:,}"
    if not fee.discount:
        return due
    whole = f"{fee.list_krw:,}원" if korean else f"KRW {fee.list_krw:,}"
    reason = f"{fee.discount.in_language(language)} {fee.percent} %"
    return f"{due} ({whole}, {reason} 감면)" if korean else f"{due} ({whole} less {reason})"
