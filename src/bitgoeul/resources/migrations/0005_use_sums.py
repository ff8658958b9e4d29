import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("resources", "0004_prices"),
    ]

    operations = [
        migrations.AddField(
            model_name="allocation",
            name="origin_group",
            field=models.CharField(blank=True, default="", max_length=80),
        ),
        migrations.CreateModel(
            name="UseDay",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "allocation_id", "day", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("day", models.DateField()),
                ("amount", models.BigIntegerField()),
                (
                    "allocation",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="resources.allocation",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="UseMonth",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "allocation_id", "month", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("month", models.DateField()),
                ("amount", models.BigIntegerField()),
                (
                    "allocation",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="resources.allocation",
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="usemonth",
            index=models.Index(fields=["month", "allocation"], name="resources_use_month"),
        ),
    ]
