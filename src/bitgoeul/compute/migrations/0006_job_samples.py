import django.db.models.deletion
from django.db import migrations, models

from bitgoeul.audit.append_only import append_only_operations


class Migration(migrations.Migration):
    dependencies = [("compute", "0005_metering")]

    operations = [
        migrations.CreateModel(
            name="JobSamples",
            fields=[
                (
                    "job",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="compute.job",
                    ),
                ),
                ("points", models.JSONField()),
            ],
            options={"abstract": False},
        ),
        *append_only_operations("compute_jobsamples"),
    ]
