"""After all migrations every append-only table has its triggers, and they bite."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection, transaction

from bitgoeul.audit import facade as audit

# A table that leaves this list can be changed afterwards: that is a decision, not a side effect.
TABLES = [
    "accounts_elevation",
    "accounts_elevationend",
    "audit_accessrecord",
    "audit_delivery",
    "audit_event",
    "audit_move",
    "audit_seal",
    "compute_jobartefact",
    "compute_jobhold",
    "ledger_hold",
    "ledger_holdresolution",
    "ledger_posting",
    "ledger_transfer",
    "ledger_unit",
    "outcomes_claimchange",
    "outcomes_figureversion",
    "outcomes_indicatorversion",
    "outcomes_verifiedclaim",
    "programmes_agreement",
    "programmes_callversion",
    "programmes_decision",
    "programmes_signature",
    "resources_usage",
    "trials_evidence",
    "trials_evidenceinvalidation",
    "trials_evidencelog",
    "trials_evidencevisibility",
    "trials_judgement",
    "trials_protocolversion",
    "trials_subject",
    "trials_subjectversion",
]


@pytest.mark.django_db
def test_triggers_agree_with_models():
    assert audit.append_only_tables() == TABLES
    assert audit.missing_triggers() == []


@pytest.mark.django_db
def test_a_dropped_trigger_is_seen_by_verify():
    name = "audit_event_no_update"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER {name}" + ("" if connection.vendor == "sqlite" else " ON audit_event"))
    report = audit.verify()
    assert [(f.check, f.subject) for f in report.findings] == [("append_only", name)]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_event SET verb = 'other'",
        "DELETE FROM audit_event",
        "INSERT OR REPLACE INTO audit_event SELECT * FROM audit_event",
    ],
)
def test_append_only_rows_stay(statement):
    if connection.vendor != "sqlite" and "REPLACE" in statement:
        statement = "TRUNCATE audit_event CASCADE"
    audit.record(verb="test.made", subject_kind="test", subject_id="1", actor="system:test")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert audit.history("test", "1").total == 1
