"""Postings covered together, and transfers named by their posting and line alone.

A primary key of two columns cannot be put on a table that is there, so transfers are copied into a new one.
"""

import django.db.models.deletion
from django.db import migrations, models

from bitgoeul.audit.append_only import append_only_operations

COPY = """
INSERT INTO ledger_transfer (posting_id, line, debit_id, credit_id, amount, reason, effective_at, recorded_at)
SELECT posting_id, line, debit_id, credit_id, amount, reason, effective_at, recorded_at
FROM ledger_formertransfer ORDER BY recorded_at, posting_id, line
"""


def checks_now(apps, editor):
    """Do the deferred checks: PostgreSQL alters no table while one of its checks waits."""
    if editor.connection.vendor == "postgresql":
        editor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def account(**options):
    return models.ForeignKey(
        db_index=False,
        on_delete=django.db.models.deletion.PROTECT,
        related_name="+",
        to="ledger.account",
        **options,
    )


class Migration(migrations.Migration):
    dependencies = [("ledger", "0002_open_holds")]

    operations = [
        migrations.RunPython(checks_now, migrations.RunPython.noop),
        migrations.AddField("posting", "batch", models.UUIDField(null=True)),
        migrations.AlterField("posting", "recorded_at", models.DateTimeField()),
        migrations.AlterField("posting", "request_digest", models.CharField(blank=True, max_length=64)),
        migrations.AddIndex(
            "posting",
            models.Index(
                condition=models.Q(("batch__isnull", False)), fields=["batch"], name="ledger_posting_batch"
            ),
        ),
        # Names of indexes and checks are free again before the new table takes them.
        migrations.RemoveIndex("transfer", "ledger_transfer_debit"),
        migrations.RemoveIndex("transfer", "ledger_transfer_credit"),
        migrations.RemoveConstraint("transfer", "ledger_transfer_line"),
        migrations.RemoveConstraint("transfer", "ledger_transfer_positive"),
        migrations.RemoveConstraint("transfer", "ledger_transfer_two_accounts"),
        migrations.RenameModel("Transfer", "FormerTransfer"),
        migrations.CreateModel(
            name="Transfer",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "posting_id", "line", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "posting",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="ledger.posting",
                    ),
                ),
                ("line", models.PositiveSmallIntegerField()),
                ("debit", account()),
                ("credit", account()),
                ("amount", models.BigIntegerField()),
                (
                    "reason",
                    models.CharField(
                        choices=[
                            (name, name)
                            for name in (
                                "AWARD",
                                "TRANCHE",
                                "RECALL",
                                "REALLOCATE",
                                "EXPIRY",
                                "REFUND",
                                "USE",
                                "OVERRUN",
                                "OVERRUN_CLEARED",
                                "CORRECTION",
                            )
                        ],
                        max_length=16,
                    ),
                ),
                ("effective_at", models.DateTimeField()),
                ("recorded_at", models.DateTimeField()),
            ],
            options={"abstract": False},
        ),
        migrations.RunSQL(COPY, migrations.RunSQL.noop),
        migrations.RunPython(checks_now, migrations.RunPython.noop),
        migrations.DeleteModel("FormerTransfer"),
        migrations.AddIndex(
            "transfer", models.Index(fields=["debit", "recorded_at"], name="ledger_transfer_debit")
        ),
        migrations.AddIndex(
            "transfer", models.Index(fields=["credit", "recorded_at"], name="ledger_transfer_credit")
        ),
        migrations.AddConstraint(
            "transfer",
            models.CheckConstraint(condition=models.Q(("amount__gt", 0)), name="ledger_transfer_positive"),
        ),
        migrations.AddConstraint(
            "transfer",
            models.CheckConstraint(
                condition=models.Q(("debit", models.F("credit")), _negated=True),
                name="ledger_transfer_two_accounts",
            ),
        ),
        # Altering a table rebuilds it on SQLite, which drops its triggers without a word.
        *append_only_operations("ledger_posting", "ledger_transfer"),
    ]
