from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("compute", "0006_job_samples"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="dayuse",
            index=models.Index(
                condition=models.Q(("amount", models.F("charged")), _negated=True),
                fields=["day"],
                name="compute_day_use_free",
            ),
        ),
    ]
