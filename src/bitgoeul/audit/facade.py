"""What other rooms may ask of the audit room."""

from __future__ import annotations

from .append_only import AppendOnlyModel, append_only_operations, append_only_tables, missing_triggers
from .chain import seal, seal_all, verify, write_head
from .models import Event, StatefulModel, state_check, state_field
from .outbox import dispatch_once, stuck, subscribe, subscribers
from .queries import backlog, events_after, history, moves_of, request_behind, subjects_of
from .request import origin, request_context, request_id
from .services import advance, emit, erase_personal, plain, record, record_access, record_many
from .types import Backlog, EventDraft, EventView, Finding, MoveView, Report

__all__ = [
    "AppendOnlyModel",
    "Backlog",
    "Event",
    "EventDraft",
    "EventView",
    "Finding",
    "MoveView",
    "Report",
    "StatefulModel",
    "advance",
    "append_only_operations",
    "append_only_tables",
    "backlog",
    "dispatch_once",
    "emit",
    "erase_personal",
    "events_after",
    "history",
    "missing_triggers",
    "moves_of",
    "origin",
    "plain",
    "record",
    "record_access",
    "record_many",
    "request_behind",
    "request_context",
    "request_id",
    "seal",
    "seal_all",
    "state_check",
    "state_field",
    "stuck",
    "subjects_of",
    "subscribe",
    "subscribers",
    "verify",
    "write_head",
]
