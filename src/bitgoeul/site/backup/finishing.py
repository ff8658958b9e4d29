"""What a restore ends with: present migrations, the books, the chains, the contents and one signed evidence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.core.management import call_command

from bitgoeul.audit import facade as audit
from bitgoeul.content import facade as content
from bitgoeul.ledger import facade as ledger
from bitgoeul.trials import facade as trials

from ..schema import schema

SHOWN_MAX = 5


@dataclass(frozen=True)
class Step:
    """One thing verified; ``text`` says what was seen, or what is wrong."""

    step: str
    ok: bool
    text: str


def finish() -> Iterator[Step]:
    """Every step in order; the last is ``evidence``, so that a list without it was cut short."""
    before = len(schema().missing)
    if not schema().unknown:
        call_command("migrate", interactive=False, verbosity=0)
    fault = schema().fault
    yield Step("migrations", not fault, fault or f"current, {before} applied now")
    yield _report("ledger", ledger.verify())
    yield _report("audit", audit.verify() + trials.verify_log())
    absent = content.absent()
    yield Step("contents", not absent, _some(absent) or "all there")
    yield _evidence()


def _report(name: str, report: audit.Report) -> Step:
    found = [f"{finding.check} {finding.subject}" for finding in report.findings]
    return Step(
        name, report.ok, _some(found) or ", ".join(f"{key} {value}" for key, value in report.counts.items())
    )


def _some(found: list[str]) -> str:
    more = f" and {len(found) - SHOWN_MAX} more" if len(found) > SHOWN_MAX else ""
    return ", ".join(found[:SHOWN_MAX]) + more


def _evidence() -> Step:
    found = trials.check_newest()
    if found is None:
        return Step("evidence", True, "none was issued yet")
    digest, result = found
    return Step("evidence", result.valid, f"{digest[:12]} {result.failed.name if result.failed else 'valid'}")
