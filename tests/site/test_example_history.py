"""The full example: its counts, that it repeats itself, and that a load killed half way ends the same."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from django.conf import settings

import databases
from bitgoeul.accounts.facade import check_digit
from bitgoeul.compute.models import Job, JobHold
from bitgoeul.kernel.clock import parse_rfc3339
from bitgoeul.programmes import facade as programmes
from bitgoeul.resources.models import Allocation, Usage
from bitgoeul.site.example_history import CLUSTER, History

EXAMPLES = Path(settings.EXAMPLES)
UNTIL = parse_rfc3339("2026-11-01T00:00:00+09:00")
DATA = json.loads((EXAMPLES / "full" / "history.json").read_text(encoding="utf-8"))


def test_the_whole_has_the_reported_counts_and_marks_what_is_invented():
    history = History(DATA, UNTIL)
    assert (len(history.counts), sum(history.counts), min(history.counts) > 0) == (2_200, 100_000, True)
    organisations = list(history.organisations())
    assert len(organisations) + DATA["named_already"] == 512
    assert len({one.registration_number for one in organisations}) == len(organisations)
    assert len({one.name for one in organisations}) == len(organisations)
    for one in organisations:
        assert one.registration_number.startswith("00000")
        assert int(one.registration_number[9]) == check_digit(one.registration_number[:9])
        assert one.name.endswith("(예시)")
        assert one.is_example
    partners = list(history.partnerships())
    assert (len(partners), sum(one.opened_on is not None for one in partners)) == (299, 158)
    assert all(one.opened_on is None or one.opened_on >= one.signed_on for one in partners)


def test_a_project_is_the_same_each_time_and_stays_within_its_grant_and_its_year():
    history = History(DATA, UNTIL)
    for number in (0, 1, 500, 2_199):
        past = history.past(number)
        assert past == History(DATA, UNTIL).past(number)
        used = Counter(use[0] for job in past.jobs for use in job.uses for _each in range(use[2] // 1_000_000))
        for grant in past.grants:
            assert used[grant.id] * 1_000_000 <= grant.amount
        for job in past.jobs:
            assert past.grants[0].starts_at <= job.started_at < job.ended_at <= min(UNTIL, past.grants[0].ends_at)


@pytest.mark.django_db
def test_a_small_share_loads_with_clean_books_and_again_changes_nothing():
    from bitgoeul.accounts.facade import Actor
    from bitgoeul.audit import facade as audit
    from bitgoeul.compute.services import import_jobs
    from bitgoeul.kernel.errors import BadInput
    from bitgoeul.ledger import facade as ledger
    from bitgoeul.site.example import _history

    system = Actor.system("example")
    from bitgoeul.resources import facade as resources

    resources.load_example(system, EXAMPLES, full=True)
    steps = list(_history(system, EXAMPLES, 200))
    assert [step.part for step in steps] == ["organisations", "projects", "queue"]
    jobs = Job.objects.filter(cluster_id=CLUSTER)
    assert Usage.objects.count() == 500
    assert jobs.exclude(ended_at=None).count() == 500
    assert JobHold.objects.count() == jobs.filter(ended_at=None).count()
    assert {job.origin_label for job in jobs} == {"예시 이력"}
    assert programmes.partnership_counts() == programmes.partnership_counts().__class__(299, 158)
    assert ledger.verify().ok
    assert audit.verify().ok
    counts = (Allocation.objects.count(), audit.Event.objects.count())
    again = list(_history(system, EXAMPLES, 200))
    assert (Allocation.objects.count(), audit.Event.objects.count()) == counts
    assert again[-1].done == steps[-1].done
    with pytest.raises(BadInput):
        import_jobs(actor=Actor(id="user:x"), cluster=CLUSTER, jobs=[], label="x")


@pytest.mark.slow
def test_a_load_killed_half_way_goes_on_and_ends_the_same(tmp_path, template_home):
    from installation import command, copy_home, environment

    whole, killed = copy_home(template_home, tmp_path / "whole"), copy_home(template_home, tmp_path / "killed")
    arguments = ("example", "load", "--full", "--share", "40")
    assert command(whole, *arguments, timeout=400).returncode == 0
    child = subprocess.Popen(
        [sys.executable, "-m", "bitgoeul.site.cli", *arguments],
        env=environment(killed),
        stdout=subprocess.PIPE,
        text=True,
    )
    for line in child.stdout:
        if line.startswith("projects 50"):
            break
    child.send_signal(signal.SIGKILL)
    child.wait(timeout=30)
    assert command(killed, *arguments, timeout=400).returncode == 0
    assert shape(killed) == shape(whole)
    for check in ("ledger", "audit"):
        assert command(killed, check, "verify", timeout=200).returncode == 0


def shape(home):
    """Ids and amounts of everything that the load wrote; times depend on the moment of the first load."""
    with databases.opened(home) as book:
        return [
            sorted(book.execute(statement).fetchall())
            for statement in (
                "SELECT id, title, number FROM accounts_project",
                "SELECT id, granted FROM resources_allocation",
                "SELECT source_key LIKE '%', amount FROM resources_usage",
                "SELECT id, state FROM compute_job",
                "SELECT id, credits, debits, held FROM ledger_account",
            )
        ]
