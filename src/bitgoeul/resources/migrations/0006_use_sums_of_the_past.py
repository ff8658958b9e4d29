"""The sums of what was charged before there were sums."""

from django.db import migrations

# Korea's clocks have not changed since 1988: a day there is a day in UTC, nine hours earlier.
DAY = {
    "sqlite": "date(ended_at, '+9 hours')",
    "postgresql": "(ended_at AT TIME ZONE 'Asia/Seoul')::date",
}
MONTH = {
    "sqlite": "date(day, 'start of month')",
    "postgresql": "date_trunc('month', day)::date",
}


def add_up(apps, schema_editor):
    vendor = schema_editor.connection.vendor
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("UPDATE resources_allocation SET origin_group = origin_kind WHERE origin_group = ''")
        cursor.execute(
            "INSERT INTO resources_useday (allocation_id, day, amount)"  # noqa: S608  (expressions of ours)
            f" SELECT allocation_id, {DAY[vendor]}, SUM(change) FROM"
            " (SELECT allocation_id, ended_at, amount - COALESCE(LAG(amount) OVER"
            " (PARTITION BY source_key ORDER BY revision), 0) AS change FROM resources_usage) AS changes"
            " WHERE change <> 0 GROUP BY 1, 2"
        )
        cursor.execute(
            "INSERT INTO resources_usemonth (allocation_id, month, amount)"  # noqa: S608  (expressions of ours)
            f" SELECT allocation_id, {MONTH[vendor]}, SUM(amount) FROM resources_useday GROUP BY 1, 2"
        )


class Migration(migrations.Migration):
    dependencies = [
        ("resources", "0005_use_sums"),
    ]

    operations = [
        migrations.RunPython(add_up, migrations.RunPython.noop),
    ]
