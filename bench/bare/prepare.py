"""Fill a database for ``bench/list_pages.py`` and tell the session and the addresses, as one JSON line.

python bench/bare/prepare.py bare HOME | ours HOME SHARE (0: it has its history; evidence is added)
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any


def session_of(user: Any, backend: str) -> str:
    from django.contrib.sessions.backends.db import SessionStore

    store = SessionStore()
    store["_auth_user_id"], store["_auth_user_backend"] = str(user.pk), backend
    store["_auth_user_hash"] = user.get_session_auth_hash()
    store.save()
    return str(store.session_key)


def bare(home: str) -> dict[str, str]:
    os.environ |= {"BARE_HOME": home, "DJANGO_SETTINGS_MODULE": "bare.settings"}
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import django

    django.setup()
    from django.contrib.auth.models import User
    from django.core.management import call_command

    from bare.models import Organisation, Project

    call_command("migrate", run_syncdb=True, verbosity=0)
    firms = [Organisation.objects.create(name=f"Firm {number}") for number in range(500)]
    Project.objects.bulk_create(
        Project(number=f"PRJ-{number:05d}", title=f"Project {number}", organisation=firms[number % 500],
                state="active" if number % 3 else "ended")
        for number in range(2_200)
    )  # fmt: skip
    user = User.objects.create_user("ara")
    return {"session": session_of(user, "django.contrib.auth.backends.ModelBackend"), "list": "/list/?page=3"}


def ours(home: str, share: int) -> dict[str, str]:
    os.environ |= {"BITGOEUL_HOME": home, "DJANGO_SETTINGS_MODULE": "bitgoeul.site.settings"}
    import django

    django.setup()
    from django.core.management import call_command

    from bitgoeul.accounts.facade import example_id
    from bitgoeul.accounts.models import User
    from bitgoeul.site.example import load
    from bitgoeul.trials import facade as trials

    if share:
        call_command("migrate", verbosity=0)
        for _step in load(full=True, share=share):
            pass
    if len(trials.latest_public(50)) < 50:
        publish()
    user, project = User.objects.get(pk=example_id("user", "history-1")), example_id("project", "history-1")
    return {
        "session": session_of(user, "django.contrib.auth.backends.ModelBackend"),
        "projects": "/home/",
        "jobs": f"/projects/{project}/jobs/?page=2",
        "catalogue": "/catalogue/?page=2",
        "evidence": "/verify/",
        "board": "/board/",
    }


def publish() -> None:
    """Sixty pieces of public evidence, of the projects that my home shows."""
    from bitgoeul.accounts import facade as accounts
    from bitgoeul.accounts.facade import example_id

    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
    import judged

    owner = accounts.actor_for(user_id=example_id("user", "history-1"))
    judged.publish([project.id for project in accounts.my_projects(owner, 1).items], 60)


if __name__ == "__main__":
    found = bare(sys.argv[2]) if sys.argv[1] == "bare" else ours(sys.argv[2], int(sys.argv[3]))
    print(json.dumps(found))
