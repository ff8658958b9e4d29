"""What other rooms may ask of the audit room."""

from __future__ import annotations

from .append_only import AppendOnlyModel, append_only_operations, append_only_tables, missing_triggers
from .bulk import as_uuid, insert_rows, run_among, stored_json, stored_time
from .chain import head_findings, seal, seal_all, verify, write_head
from .many import advance_many
from .models import Event, StatefulModel, state_check, state_field
from .outbox import dispatch_once, stuck, subscribe, subscribers
from .queries import (
    backlog,
    events_after,
    history,
    moves_of,
    newest_event_at,
    request_behind,
    requests_behind,
    subjects_of,
    subjects_with,
    told_of,
)
from .request import origin, request_context, request_id
from .services import advance, emit, emit_many, erase_personal, plain, record, record_access, record_many
from .trail import personal_values, trail, trail_to_export
from .turns import take_turn
from .types import Backlog, EventDraft, EventView, Finding, MoveView, News, Report, TrailLine

__all__ = [
    "AppendOnlyModel",
    "Backlog",
    "Event",
    "EventDraft",
    "EventView",
    "Finding",
    "MoveView",
    "News",
    "Report",
    "StatefulModel",
    "TrailLine",
    "advance",
    "advance_many",
    "append_only_operations",
    "append_only_tables",
    "as_uuid",
    "backlog",
    "dispatch_once",
    "emit",
    "emit_many",
    "erase_personal",
    "events_after",
    "head_findings",
    "history",
    "insert_rows",
    "missing_triggers",
    "moves_of",
    "newest_event_at",
    "origin",
    "personal_values",
    "plain",
    "record",
    "record_access",
    "record_many",
    "request_behind",
    "request_context",
    "request_id",
    "requests_behind",
    "run_among",
    "seal",
    "seal_all",
    "state_check",
    "state_field",
    "stored_json",
    "stored_time",
    "stuck",
    "subjects_of",
    "subjects_with",
    "subscribe",
    "subscribers",
    "take_turn",
    "told_of",
    "trail",
    "trail_to_export",
    "verify",
    "write_head",
]
