"""Turns: work of which only one transaction at a time may do any."""

from __future__ import annotations

from hashlib import sha256

from django.db import connection


def take_turn(work: str) -> None:
    """Wait until no other transaction has the turn for ``work``, and keep it until this transaction ends.

    For work that reads much and then writes what follows from it, where no single row could be locked: two that
    read at once would each miss what the other writes. Call it first, before anything is read. On SQLite the
    IMMEDIATE transaction is such a turn already. Waits as long as for any lock (``lock_timeout``).
    """
    if not connection.in_atomic_block:
        raise RuntimeError("a turn lasts until the transaction ends; take it inside one")
    if connection.vendor == "postgresql":
        key = int.from_bytes(sha256(work.encode()).digest()[:8], "big", signed=True)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [key])
