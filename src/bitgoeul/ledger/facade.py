"""What other rooms may ask of the ledger."""

from __future__ import annotations

from .queries import accounts, open_holds, statement, statement_lines
from .rules import AccountInOverrun, HoldResolved, InsufficientBalance, UnknownAccount, UnknownHold
from .services import (
    clear_overruns,
    declare_units,
    expire_holds,
    give_back_many,
    hold_many,
    open_account,
    open_accounts,
    post_available,
    post_many,
    release_many,
    settle_many,
)
from .types import (
    AccountView,
    HoldRequest,
    HoldView,
    NewAccount,
    PostingRequest,
    PostingView,
    Purpose,
    Reason,
    Resolution,
    SettlementView,
    SettleRequest,
    Statement,
    StatementLine,
    TransferLine,
)
from .units import BY_CODE as UNITS
from .verification import verify

__all__ = [
    "UNITS",
    "AccountInOverrun",
    "AccountView",
    "HoldRequest",
    "HoldResolved",
    "HoldView",
    "InsufficientBalance",
    "NewAccount",
    "PostingRequest",
    "PostingView",
    "Purpose",
    "Reason",
    "Resolution",
    "SettleRequest",
    "SettlementView",
    "Statement",
    "StatementLine",
    "TransferLine",
    "UnknownAccount",
    "UnknownHold",
    "accounts",
    "clear_overruns",
    "declare_units",
    "expire_holds",
    "give_back_many",
    "hold_many",
    "open_account",
    "open_accounts",
    "open_holds",
    "post_available",
    "post_many",
    "release_many",
    "settle_many",
    "statement",
    "statement_lines",
    "verify",
]
