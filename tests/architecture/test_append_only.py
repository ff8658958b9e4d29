"""After all migrations every append-only table has its triggers, and they bite."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.apps import apps
from django.db import DatabaseError, connection, models, transaction

import databases
from bitgoeul.audit import facade as audit
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.ids import new_id

# A table that leaves this list can be changed afterwards: that is a decision, not a side effect.
TABLES = [
    "accounts_elevation",
    "accounts_elevationend",
    "audit_accessrecord",
    "audit_delivery",
    "audit_event",
    "audit_move",
    "audit_seal",
    "compute_closedmonth",
    "compute_jobafter",
    "compute_jobartefact",
    "compute_jobhold",
    "compute_jobsamples",
    "compute_sweep",
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
    "resources_price",
    "resources_usage",
    "trials_evidence",
    "trials_evidenceinvalidation",
    "trials_evidencelog",
    "trials_evidencevisibility",
    "trials_judgement",
    "trials_protocolversion",
    "trials_publishedimport",
    "trials_publishedresult",
    "trials_subject",
    "trials_subjectversion",
]


@pytest.mark.django_db
def test_triggers_agree_with_models():
    assert audit.append_only_tables() == TABLES
    assert audit.missing_triggers() == []


@pytest.mark.django_db
def test_a_lost_trigger_is_seen_by_verify():
    postgresql = connection.vendor == "postgresql"
    name = "audit_event_no_change" if postgresql else "audit_event_no_update"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER {name}" + (" ON audit_event" if postgresql else ""))
    report = audit.verify()
    assert [(f.check, f.subject) for f in report.findings] == [("append_only", name)]


# Columns whose checks name their values without choices.
KNOWN_VALUES = {"outcome": "PASSED", "visibility": "public"}


def value_for(field: models.Field) -> object:
    """Something that the column of ``field`` takes and its checks accept."""
    if field.name in KNOWN_VALUES:
        return KNOWN_VALUES[field.name]
    if field.remote_field:
        return value_for(field.target_field)
    if field.choices:
        return field.choices[0][0]
    if isinstance(field, models.UUIDField):
        return new_id()
    if isinstance(field, models.CharField | models.TextField):
        return new_id().hex[: field.max_length]
    if isinstance(field, models.JSONField):
        return {}
    if isinstance(field, models.DateTimeField | models.DateField):
        return now() + timedelta(seconds=field.creation_counter % 1000)
    return False if isinstance(field, models.BooleanField) else 1


def insert_row(model: type[models.Model]) -> None:
    """A row of its own; what it refers to need not be there, for the transaction is rolled back."""
    fields = {field.attname: value_for(field) for field in model._meta.concrete_fields if not field.null}
    made = model(**fields)
    models.Model.save_base(made, force_insert=True, raw=True)


@contextmanager
def undone():
    """A transaction that never commits: nothing checks what its rows refer to."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@contextmanager
def refused():
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        yield


@pytest.mark.django_db
@pytest.mark.parametrize("table", TABLES)
def test_rows_of_every_append_only_table_stay(table):
    (model,) = [each for each in apps.get_models() if each._meta.db_table == table]
    key = model._meta.concrete_fields[0].column
    statements = [f"UPDATE {table} SET {key} = {key}", f"DELETE FROM {table}"]
    if connection.vendor == "sqlite":
        statements += [f"{word} INTO {table} SELECT * FROM {table}" for word in ("REPLACE", "INSERT OR REPLACE")]
    else:
        keys = ", ".join(field.column for field in model._meta.pk_fields)
        copied = f"INSERT INTO {table} SELECT * FROM {table}"
        statements += [f"{copied} ON CONFLICT ({keys}) DO UPDATE SET {key} = excluded.{key}"]
    with undone():
        insert_row(model)
        there = model._base_manager.count()
        for statement in statements:
            with refused(), connection.cursor() as cursor:
                cursor.execute(statement)
        assert model._base_manager.count() == there


@pytest.mark.django_db
@pytest.mark.skipif(not databases.POSTGRESQL, reason="SQLite has no TRUNCATE")
@pytest.mark.parametrize("table", [*TABLES, "ledger_account", "compute_job"])
def test_truncate_is_refused_also_by_way_of_a_table_that_is_referred_to(table):
    with refused(), connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {table} CASCADE")
