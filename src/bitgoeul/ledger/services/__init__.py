"""Every write of the ledger."""

from __future__ import annotations

from .accounts import declare_units, open_account, open_accounts
from .holds import expire_holds, hold_many, release_many
from .postings import post_available, post_many
from .settlement import clear_overruns, give_back_many, settle_many

__all__ = [
    "clear_overruns",
    "declare_units",
    "expire_holds",
    "give_back_many",
    "hold_many",
    "open_account",
    "open_accounts",
    "post_available",
    "post_many",
    "release_many",
    "settle_many",
]
