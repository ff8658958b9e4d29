import django.db.models.deletion
from django.db import migrations, models

import bitgoeul.kernel.clock
import bitgoeul.kernel.ids
from bitgoeul.audit.append_only import append_only_operations


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Announced",
            fields=[
                ("evidence_digest", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("look_again", models.BooleanField(default=False)),
                ("looked_at", models.DateTimeField(default=bitgoeul.kernel.clock.now)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("look_again", True)),
                        fields=["looked_at"],
                        name="outcomes_announced_again",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="FigureVersion",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=bitgoeul.kernel.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("code", models.CharField(max_length=64)),
                ("number", models.PositiveIntegerField()),
                ("digest", models.CharField(max_length=64)),
                ("body", models.JSONField()),
                ("order", models.PositiveIntegerField()),
                ("loaded_by", models.CharField(max_length=80)),
                ("loaded_at", models.DateTimeField(default=bitgoeul.kernel.clock.now)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("code", "number"), name="outcomes_figure_version")
                ],
            },
        ),
        migrations.CreateModel(
            name="IndicatorVersion",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=bitgoeul.kernel.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("figure", models.CharField(max_length=64)),
                ("number", models.PositiveIntegerField()),
                ("digest", models.CharField(max_length=64)),
                ("body", models.JSONField()),
                ("loaded_by", models.CharField(max_length=80)),
                ("loaded_at", models.DateTimeField(default=bitgoeul.kernel.clock.now)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("figure", "number"), name="outcomes_indicator_version")
                ],
            },
        ),
        migrations.CreateModel(
            name="VerifiedClaim",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=bitgoeul.kernel.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("figure", models.CharField(max_length=64)),
                ("evidence_digest", models.CharField(max_length=64)),
                ("trial_id", models.UUIDField()),
                ("subject_digest", models.CharField(max_length=64)),
                ("subject_version_id", models.UUIDField()),
                ("project_id", models.UUIDField()),
                ("organisation_id", models.UUIDField()),
                ("issued_at", models.DateTimeField()),
                ("created_at", models.DateTimeField(default=bitgoeul.kernel.clock.now)),
            ],
            options={
                "indexes": [models.Index(fields=["evidence_digest"], name="outcomes_claim_evidence")],
                "constraints": [
                    models.UniqueConstraint(fields=("figure", "evidence_digest"), name="outcomes_claim_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="ClaimChange",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=bitgoeul.kernel.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("counted", models.BooleanField()),
                ("at", models.DateTimeField(default=bitgoeul.kernel.clock.now)),
                (
                    "indicator",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="outcomes.indicatorversion",
                    ),
                ),
                (
                    "claim",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="outcomes.verifiedclaim"
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("claim", "number"), name="outcomes_claim_change")],
            },
        ),
        *append_only_operations(
            "outcomes_figureversion",
            "outcomes_indicatorversion",
            "outcomes_verifiedclaim",
            "outcomes_claimchange",
        ),
    ]
