"""Allocations that were granted before by an agreement are summed under the call that led to it."""

from django.db import migrations


def name_the_call(apps, schema_editor):
    agreements = apps.get_model("programmes", "Agreement")
    allocations = apps.get_model("resources", "Allocation")
    for pk, code in agreements.objects.values_list("pk", "application__call__code").iterator():
        allocations.objects.filter(origin_kind="agreement", origin_id=str(pk)).update(origin_group=f"call:{code}")


class Migration(migrations.Migration):
    dependencies = [
        ("programmes", "0003_search"),
        ("resources", "0006_use_sums_of_the_past"),
    ]

    operations = [
        migrations.RunPython(name_the_call, migrations.RunPython.noop),
    ]
