"""Loading the rooms, for the commands that need them."""

from __future__ import annotations

import os


def use_django() -> None:
    """Load settings and rooms; only commands that need the database do."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bitgoeul.site.settings")
    import django

    django.setup()


def use_django_patiently() -> None:
    """As ``use_django``, without the limits that pages and loops have on a PostgreSQL server."""
    use_django()
    from django.db import connection

    from bitgoeul.site.database import be_patient

    be_patient(connection.settings_dict)
