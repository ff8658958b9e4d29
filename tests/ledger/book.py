"""A small ledger for tests: a supply and one allocation's three accounts in core_ms."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from bitgoeul.kernel.clock import now
from bitgoeul.kernel.ids import new_id
from bitgoeul.ledger import facade as ledger
from bitgoeul.ledger.facade import Purpose, Reason

ACTOR = "system:test"


@dataclass(frozen=True)
class Book:
    """The ids of the accounts."""

    supply: UUID
    account: UUID
    used: UUID
    overrun: UUID

    def view(self) -> ledger.AccountView:
        return ledger.accounts([self.account])[self.account]

    def award(self, amount: int, id: UUID | None = None) -> ledger.PostingView:
        line = ledger.TransferLine(self.supply, self.account, amount)
        request = ledger.PostingRequest(id or new_id(), [line], Reason.AWARD, now())
        return ledger.post_many(postings=[request], actor=ACTOR)[0]

    def hold(self, amount: int, id: UUID | None = None, minutes: int = 10) -> ledger.HoldView:
        request = ledger.HoldRequest(id or new_id(), self.account, amount, now() + timedelta(minutes=minutes))
        return ledger.hold_many(holds=[request], actor=ACTOR)[0]

    def use(
        self, amount: int, hold_id: UUID | None = None, id: UUID | None = None, at=None
    ) -> ledger.SettlementView:
        return ledger.settle_many(lines=[self.request(amount, hold_id, id, at)], actor=ACTOR)[0]

    def request(self, amount: int, hold_id: UUID | None = None, id: UUID | None = None, at=None):
        return ledger.SettleRequest(id or new_id(), self.account, self.used, amount, at or now(), hold_id)


def open_book(unit: str = "core_ms") -> Book:
    ids = [new_id() for _ in range(4)]
    shapes = [
        (Purpose.SUPPLY, False, None),
        (Purpose.ALLOCATION, True, None),
        (Purpose.USED, False, None),
        (Purpose.OVERRUN, False, ids[1]),
    ]
    for account_id, (purpose, limited, covers) in zip(ids, shapes, strict=True):
        ledger.open_account(
            id=account_id,
            unit=unit,
            owner_kind="test",
            owner_id="1",
            purpose=purpose,
            limited=limited,
            covers=covers,
            actor=ACTOR,
        )
    return Book(*ids)
