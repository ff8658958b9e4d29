import django.db.models.deletion
from django.db import migrations, models

from bitgoeul.audit.append_only import append_only_operations


def list_open(apps, editor):
    """Fill the new table from the holds that still stand."""
    Hold, HoldResolution, OpenHold = (
        apps.get_model("ledger", name) for name in ("Hold", "HoldResolution", "OpenHold")
    )
    standing = Hold.objects.exclude(pk__in=HoldResolution.objects.values("hold_id"))
    OpenHold.objects.bulk_create(
        (OpenHold(hold_id=pk, expires_at=due) for pk, due in standing.values_list("pk", "expires_at")),
        batch_size=500,
    )


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="OpenHold",
            fields=[
                (
                    "hold",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="ledger.hold",
                    ),
                ),
                ("expires_at", models.DateTimeField(db_index=True)),
            ],
        ),
        migrations.AlterField(
            model_name="hold",
            name="expires_at",
            field=models.DateTimeField(),
        ),
        migrations.AlterField(
            model_name="holdresolution",
            name="hold",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT,
                primary_key=True,
                related_name="+",
                serialize=False,
                to="ledger.hold",
            ),
        ),
        migrations.RunPython(list_open, migrations.RunPython.noop),
        # Altering a table rebuilds it on SQLite, which drops its triggers without a word.
        *append_only_operations("ledger_hold", "ledger_holdresolution"),
    ]
