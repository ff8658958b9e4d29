from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models

import bitgoeul.kernel.clock


class Migration(migrations.Migration):
    dependencies = (("compute", "0009_sweeps"),)
    operations = (
        migrations.CreateModel(
            name="Reconciliation",
            fields=[
                (
                    "cluster",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="compute.cluster",
                    ),
                ),
                ("since", models.DateField()),
                ("until", models.DateField()),
                ("made_at", models.DateTimeField(default=bitgoeul.kernel.clock.now)),
                ("rolled_until", models.DateTimeField()),
                ("read_until", models.DateTimeField(null=True)),
                ("records", models.PositiveIntegerField()),
                ("count", models.PositiveIntegerField()),
                ("unexplained", models.PositiveIntegerField()),
                ("lines", models.JSONField(default=list)),
                ("nobodys", models.JSONField(default=dict)),
                ("left_out", models.JSONField(default=dict)),
            ],
        ),
    )
