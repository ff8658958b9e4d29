"""A ledger as it was before postings shared events, brought up to date; run in a process and a home of its own.

    python -m ledger.upgrade

Prints what the books say afterwards.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from uuid import UUID

import django

MOMENT = datetime(2026, 11, 20, 9, 30, 0, 5, tzinfo=UTC)
SUPPLY, ACCOUNT, USED, AWARD, USE = (UUID(int=n) for n in range(1, 6))


def main() -> None:
    django.setup()
    from django.core.management import call_command
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    for room, name in (("audit", "0001_initial"), ("ledger", "0002_open_holds")):
        call_command("migrate", room, name, verbosity=0)
    state = MigrationExecutor(connection).loader.project_state([("ledger", "0002_open_holds")])
    # The audit room writes with its newest code, so its tables are brought up to date first.
    call_command("migrate", "audit", verbosity=0)
    write(state.apps.get_model)
    call_command("migrate", verbosity=0)
    print(json.dumps(ask()))


def write(model) -> None:
    """One award and one use with digests of the first layout, each with an event of its own."""
    from bitgoeul.audit import facade as audit
    from bitgoeul.ledger import rules

    for pk, purpose, credits, debits in (
        (SUPPLY, "SUPPLY", 0, 100),
        (ACCOUNT, "ALLOCATION", 100, 30),
        (USED, "USED", 30, 0),
    ):
        model("ledger", "Account").objects.create(
            id=pk, unit_id="core_ms", owner_kind="test", owner_id="1", purpose=purpose,
            limited=purpose != "SUPPLY", opened_at=MOMENT, credits=credits, debits=debits,
        )  # fmt: skip
    for pk, asked, transfer in (
        (AWARD, rules.first_request_digest(award()), (SUPPLY, ACCOUNT, 100, rules.Reason.AWARD)),
        (USE, rules.first_settle_digest(use(), "use"), (ACCOUNT, USED, 30, rules.Reason.USE)),
    ):
        said = {
            "posting_id": pk,
            "effective_at": MOMENT,
            "recorded_at": MOMENT,
            "actor": "system:test",
            "memo": "",
        }
        digest = rules.first_posting_digest(**said, transfers=rules.in_order(transfer))
        row = model("ledger", "Posting").objects.create(
            id=pk,
            effective_at=MOMENT,
            recorded_at=MOMENT,
            actor="system:test",
            request_digest=asked,
            digest=digest,
        )
        debit, credit, amount, reason = transfer
        model("ledger", "Transfer").objects.create(
            id=UUID(int=pk.int + 100), posting=row, line=0, debit_id=debit, credit_id=credit, amount=amount,
            reason=str(reason), effective_at=MOMENT, recorded_at=MOMENT,
        )  # fmt: skip
        audit.record(
            verb="ledger.post",
            subject_kind="posting",
            subject_id=str(pk),
            actor="system:test",
            after={"digest": digest, "transfers": 1},
        )


def award(amount: int = 100):
    from bitgoeul.ledger import facade as ledger

    line = ledger.TransferLine(SUPPLY, ACCOUNT, amount)
    return ledger.PostingRequest(AWARD, [line], ledger.Reason.AWARD, MOMENT)


def use(amount: int = 30):
    from bitgoeul.ledger import facade as ledger

    return ledger.SettleRequest(USE, ACCOUNT, USED, amount, MOMENT)


def ask() -> dict[str, object]:
    """What the upgraded ledger says, and how it answers the ids that were posted before."""
    from bitgoeul.audit import facade as audit
    from bitgoeul.kernel.errors import Conflict
    from bitgoeul.ledger import facade as ledger
    from bitgoeul.ledger.models import Transfer

    def refused(call) -> bool:
        try:
            call()
        except Conflict:
            return True
        return False

    again = ledger.post_many(postings=[award()], actor="system:test")[0]
    settled = ledger.settle_many(lines=[use()], actor="system:test")[0]
    found = {
        "transfers": Transfer.objects.count(),
        "again": [transfer.amount for transfer in again.transfers],
        "settled": settled.from_free,
        "other award refused": refused(lambda: ledger.post_many(postings=[award(99)], actor="system:test")),
        "other use refused": refused(lambda: ledger.settle_many(lines=[use(29)], actor="system:test")),
        "missing triggers": audit.missing_triggers(),
        "findings": [finding.check for finding in [*ledger.verify().findings, *audit.verify().findings]],
    }
    from tampering import without_triggers

    without_triggers("ledger_transfer")
    Transfer.objects.filter(posting_id=AWARD).update(reason="REFUND")
    changed = {(finding.check, finding.subject) for finding in ledger.verify().findings}
    return {**found, "named": ("posting", str(AWARD)) in changed}


if __name__ == "__main__":
    main()
