"""The text of an agreement: rendered once, frozen by its SHA-256, the same bytes for page, file and signature."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum

from bitgoeul.kernel.canonical import sha256_hex
from bitgoeul.kernel.text import N_, Text

from .errors import BadCall
from .types import Agreement

PLACE = re.compile(r"\{([^{}]*)\}")
PLACES = frozenset(
    {
        "call_title", "tier_title", "organisation", "registration_number", "project_title", "resources",
        "duration_days", "fee", "applied_on", "sign_by", "application_id", "operator",
    }
)  # fmt: skip
"""The facts a template may name."""


class Side(StrEnum):
    """The two parties of an agreement."""

    APPLICANT = "applicant"
    OPERATOR = "operator"


SIDE_LABELS = {Side.APPLICANT: Text(N_("Applicant")), Side.OPERATOR: Text(N_("Operator"))}


def check_template(template: Agreement) -> None:
    """Refuse a template that names a fact an agreement does not have."""
    for name, text in (("text_ko", template.text_ko), ("text_en", template.text_en)):
        unknown = sorted(set(PLACE.findall(text)) - PLACES)
        if unknown:
            raise BadCall(
                N_("The agreement names a fact that does not exist: {names}."),
                field=f"agreement.{name}",
                names=", ".join(unknown),
                remedy=Text(N_("Use only: {names}."), {"names": ", ".join(sorted(PLACES))}),
            )


def render(template: Agreement, facts_ko: Mapping[str, str], facts_en: Mapping[str, str]) -> str:
    """The whole text: the Korean one that binds, a line, the English one that informs; one final newline.

    Facts are inserted once, so braces in what an applicant wrote stay as they are.
    """
    korean = _filled(template.text_ko, facts_ko)
    english = _filled(template.text_en, facts_en)
    rule = "-" * 72
    return (
        f"{template.title.ko}\n\n{korean}\n\n{rule}\n"
        f"{template.title.en} (for information; the Korean text binds)\n\n{english}\n"
    )


def _filled(text: str, facts: Mapping[str, str]) -> str:
    return PLACE.sub(lambda match: facts[match.group(1)], text.strip())


def digest_of(text: str) -> str:
    """The SHA-256 (hex) of the text in UTF-8: what both sides sign and ``sha256sum`` of the file shows."""
    return sha256_hex(text.encode())
