import django.db.models.deletion
from django.db import migrations, models

import bitgoeul.kernel.clock
import bitgoeul.kernel.ids
from bitgoeul.audit.append_only import append_only_operations


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Application",
            fields=[
                ("version", models.PositiveIntegerField(default=0)),
                (
                    "id",
                    models.UUIDField(
                        default=bitgoeul.kernel.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("state", models.CharField(db_index=True, default="DRAFT", max_length=24)),
                ("tier", models.CharField(max_length=64)),
                ("applicant", models.CharField(max_length=80)),
                ("title", models.CharField(max_length=120)),
                ("answers", models.JSONField(default=dict)),
                ("fields", models.JSONField(default=dict)),
                ("requested", models.JSONField(default=dict)),
                ("created_at", models.DateTimeField(default=bitgoeul.kernel.clock.now)),
                ("submitted_at", models.DateTimeField(null=True)),
                ("allocated_at", models.DateTimeField(null=True)),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.organisation"
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.project",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Agreement",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=bitgoeul.kernel.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("number", models.PositiveIntegerField(default=1)),
                ("text", models.TextField()),
                ("digest", models.CharField(max_length=64)),
                ("sign_by", models.DateField()),
                ("created_at", models.DateTimeField(default=bitgoeul.kernel.clock.now)),
                (
                    "application",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="programmes.application"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="CallVersion",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=bitgoeul.kernel.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("code", models.CharField(max_length=64)),
                ("number", models.PositiveIntegerField()),
                ("digest", models.CharField(max_length=64, unique=True)),
                ("source_digest", models.CharField(max_length=64)),
                ("body", models.JSONField()),
                ("opens_at", models.DateTimeField()),
                ("closes_at", models.DateTimeField()),
                ("loaded_at", models.DateTimeField(default=bitgoeul.kernel.clock.now)),
                ("loaded_by", models.CharField(max_length=80)),
            ],
            options={
                "indexes": [models.Index(fields=["closes_at"], name="programmes_call_closes")],
                "constraints": [
                    models.UniqueConstraint(fields=("code", "number"), name="programmes_call_version")
                ],
            },
        ),
        migrations.AddField(
            model_name="application",
            name="call",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="programmes.callversion"
            ),
        ),
        migrations.CreateModel(
            name="Decision",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=bitgoeul.kernel.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("number", models.PositiveIntegerField(default=1)),
                ("path", models.CharField(max_length=16)),
                ("selected", models.BooleanField()),
                ("reasons", models.JSONField()),
                ("facts", models.JSONField()),
                ("rules_digest", models.CharField(max_length=64)),
                ("decided_by", models.CharField(max_length=80)),
                ("decided_at", models.DateTimeField(default=bitgoeul.kernel.clock.now)),
                (
                    "application",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="programmes.application"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Signature",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=bitgoeul.kernel.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("side", models.CharField(max_length=16)),
                ("actor", models.CharField(max_length=80)),
                ("digest", models.CharField(max_length=64)),
                ("shown", models.JSONField()),
                ("signed_at", models.DateTimeField(default=bitgoeul.kernel.clock.now)),
                (
                    "agreement",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="programmes.agreement"
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="agreement",
            index=models.Index(fields=["sign_by"], name="programmes_agreement_sign_by"),
        ),
        migrations.AddConstraint(
            model_name="agreement",
            constraint=models.UniqueConstraint(
                fields=("application", "number"), name="programmes_agreement_number"
            ),
        ),
        migrations.AddIndex(
            model_name="application",
            index=models.Index(fields=["organisation", "-created_at"], name="programmes_application_org"),
        ),
        migrations.AddIndex(
            model_name="application",
            index=models.Index(
                condition=models.Q(("allocated_at__isnull", False)),
                fields=["submitted_at", "allocated_at"],
                name="programmes_application_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="application",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "state__in",
                        ["AGREED", "ALLOCATED", "DRAFT", "REJECTED", "SELECTED", "SUBMITTED", "WITHDRAWN"],
                    )
                ),
                name="programmes_application_state",
            ),
        ),
        migrations.AddConstraint(
            model_name="decision",
            constraint=models.UniqueConstraint(
                fields=("application", "number"), name="programmes_decision_number"
            ),
        ),
        migrations.AddConstraint(
            model_name="signature",
            constraint=models.UniqueConstraint(fields=("agreement", "side"), name="programmes_signature_once"),
        ),
        *append_only_operations(
            "programmes_callversion",
            "programmes_decision",
            "programmes_agreement",
            "programmes_signature",
        ),
    ]
