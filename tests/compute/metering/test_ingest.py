"""Accounting into the books: once, in any cut, running then final, corrected, late and refunded."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner
from django.db import OperationalError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from bitgoeul.accounts.facade import Actor
from bitgoeul.audit import facade as audit
from bitgoeul.compute import facade as compute
from bitgoeul.compute.metering import FIELDS, SITE_ZONE, Borders, LeftOut, Tally, policy
from bitgoeul.compute.models import DayUse, MeteredRecord
from bitgoeul.compute.ports import account_name
from bitgoeul.compute.services.charging import Bookings
from bitgoeul.compute.services.metering import record_of
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import BadInput, Conflict
from bitgoeul.ledger import facade as ledger
from bitgoeul.resources.models import Usage
from bitgoeul.site.cli import cli, usage

from .lines import HOUR, line, read

SYSTEM = Actor.system("test")
SEOUL = ZoneInfo(SITE_ZONE)
pytestmark = pytest.mark.django_db


@pytest.fixture
def ours(project):
    """Lines of Ara's project: ``ours(JobID="8")``."""
    return lambda **changes: line(**{"Account": account_name(project.number), **changes})


def take(*lines):
    records, _reader = read(*lines)
    return compute.ingest(actor=SYSTEM, cluster="moa", records=records)


def books():
    """Everything the ingest keeps, as it stands: days, charges, and what the ledger has of each source record."""
    newest = {row.source_key: (row.amount, row.revision) for row in Usage.objects.order_by("revision")}
    days = DayUse.objects.order_by("day", "resource")
    return (
        list(days.values_list("day", "project", "resource", *FIELDS)),
        {key: amount for key, (amount, _revision) in newest.items() if amount},
    )


def day_sums():
    """The sums by day under the names that a dry run has for them."""
    fields = {
        "cpu_hours": "amount",
        **{f"{name}_hours": name for name in ("node", "wall", "wait")},
        **{f"jobs_{name}": name for name in ("started", "ended", "submitted")},
    }
    rows = DayUse.objects.filter(resource="cpu")
    found = {
        (metric, row.day.isoformat()): getattr(row, field) for row in rows for metric, field in fields.items()
    }
    return {key: value for key, value in found.items() if value}


def day(name, resource="cpu"):
    row = DayUse.objects.filter(day=name, resource=resource).first()
    return (row.amount, row.charged) if row else (0, 0)


def test_a_record_is_charged_once_however_often_it_is_read(ours, cores, balance):
    done = take(ours(), ours())
    assert (done.new, done.entries, done.left_out) == (1, 1, {LeftOut.REPEATED: 1})
    kept = books()
    again = take(ours())
    assert (again.new, again.changed, again.unchanged, again.entries) == (0, 0, 1, 0)
    assert books() == kept
    assert balance(cores).used == 2 * HOUR
    assert day("2026-11-25") == (2 * HOUR, 2 * HOUR)
    assert ledger.verify().findings == audit.verify().findings == []


def test_running_use_accrues_and_the_final_figure_takes_its_place(ours, cores, balance):
    take(ours(State="RUNNING", End="Unknown", Elapsed="00:30:00"))
    assert balance(cores).used == HOUR
    take(ours(State="RUNNING", End="Unknown", Elapsed="00:45:00"))
    take(ours(State="RUNNING", End="Unknown", Elapsed="00:30:00"))
    assert balance(cores).used == HOUR * 3 // 2
    assert DayUse.objects.get(resource="cpu").ended == 0
    take(ours())
    late = take(ours(State="RUNNING", End="Unknown", Elapsed="00:50:00"))
    assert late.left_out == {LeftOut.REPEATED: 1}
    assert (balance(cores).used, day("2026-11-25")) == (2 * HOUR, (2 * HOUR, 2 * HOUR))
    assert [row.revision for row in Usage.objects.order_by("revision")] == [0, 1, 2]
    row = DayUse.objects.get(resource="cpu")
    assert (row.started, row.ended, row.submitted) == (1, 1, 1)


def test_a_changed_record_becomes_a_correction_entry(ours, cores, balance):
    take(ours())
    done = take(ours(End="2026-11-25T09:30:00", Elapsed="00:30:00"))
    assert (done.changed, done.entries, balance(cores).used) == (1, 1, HOUR)
    allocation = Usage.objects.first().allocation
    lines = ledger.statement(
        account_ids=[allocation.account_id, allocation.overrun_account_id],
        since=now() - timedelta(days=9999),
        until=now(),
    )
    assert "CORRECTION" in {entry.reason for entry in lines.lines}
    assert MeteredRecord.objects.get().revision == 1


def test_use_over_a_months_border_is_charged_to_both_months(ours, cores, balance):
    take(ours(Start="2026-10-31T14:00:00", End="2026-10-31T16:00:00", Elapsed="02:00:00"))
    uses = Usage.objects.order_by("ended_at")
    assert [row.amount for row in uses] == [2 * HOUR, 2 * HOUR]
    assert [row.ended_at.astimezone(SEOUL).strftime("%Y-%m") for row in uses] == ["2026-10", "2026-11"]
    assert (day("2026-10-31"), day("2026-11-01")) == ((2 * HOUR,) * 2,) * 2


def test_a_record_of_a_closed_month_enters_the_next_open_one_with_its_true_date(ours, cores, balance):
    take(ours(JobID="6", Start="2026-09-10T00:00:00", End="2026-09-10T01:00:00"))
    compute.close_month(actor=SYSTEM, month="2026-09")
    kept = day("2026-09-10")
    take(
        ours(JobID="6", Start="2026-09-10T00:00:00", End="2026-09-10T02:00:00", Elapsed="02:00:00"),
        ours(JobID="7", Start="2026-09-11T00:00:00", End="2026-09-11T01:00:00"),
    )
    assert day("2026-09-10") == kept
    assert day("2026-10-01") == (4 * HOUR, 4 * HOUR)
    assert balance(cores).used == 6 * HOUR
    late = Usage.objects.get(source_key__contains=":7:")
    assert late.ended_at.astimezone(SEOUL).date().isoformat() == "2026-10-01"
    assert late.detail["late_for"] == "2026-09"
    assert late.detail["ended_at"].startswith("2026-09-11T01:00:00")
    take(ours(JobID="7", Start="2026-09-11T00:00:00", End="2026-09-11T01:00:00"))
    assert balance(cores).used == 6 * HOUR


def test_a_month_is_closed_once_and_only_when_it_is_over():
    compute.close_month(actor=SYSTEM, month="2026-10")
    with pytest.raises(Conflict):
        compute.close_month(actor=SYSTEM, month="2026-10")
    for month in (now().strftime("%Y-%m"), "2026-13", "x", "2999-01"):
        with pytest.raises(BadInput):
            compute.close_month(actor=SYSTEM, month=month)


def test_a_refund_is_an_entry_and_holds_for_later_readings(ours, cores, balance):
    take(ours())
    (record,) = MeteredRecord.objects.all()
    compute.refund(actor=SYSTEM, record_id=record.pk, permille=250, reason="node was slow")
    assert (balance(cores).used, day("2026-11-25")) == (HOUR * 3 // 2, (2 * HOUR, HOUR * 3 // 2))
    take(ours(), ours(JobID="8"))
    assert balance(cores).used == HOUR * 7 // 2
    take(ours(End="2026-11-25T11:00:00", Elapsed="02:00:00"))
    assert balance(cores).used == 5 * HOUR
    with pytest.raises(BadInput):
        compute.refund(actor=SYSTEM, record_id=record.pk, permille=1001, reason="x")


def test_every_run_of_a_job_is_refunded_from_the_command_line(ours, cores, balance, monkeypatch):
    # Both are for a process of its own: they end the connection, and with it this test's transaction.
    monkeypatch.setattr(usage, "use_django_patiently", lambda: None)
    monkeypatch.setattr(usage, "refuse_other_schema", lambda _what: None)

    def refund(*words: str):
        return CliRunner().invoke(cli, ["usage", "refund", *words, "--reason", "node was slow", "--json"])

    take(ours(), ours(Start="2026-11-25T12:00:00", End="2026-11-25T13:00:00"), ours(JobID="8"))
    done = refund("moa", "7", "12.5")
    assert done.exit_code == 0, (done.output, done.exception)
    told = json.loads(done.stdout)
    assert (told["runs"], told["changed"], told["permille"]) == (2, 2, 125)
    assert balance(cores).used == 2 * HOUR * 2 * 875 // 1000 + 2 * HOUR
    assert json.loads(refund("moa", "7", "12.5").stdout)["changed"] == 0
    assert json.loads(refund("moa", "7", "0").stdout)["changed"] == 2
    assert balance(cores).used == 6 * HOUR
    for words in (("moa", "9", "10"), ("moa", "7", "0.25"), ("moa", "7", "101")):
        assert refund(*words).exit_code != 0
    assert balance(cores).used == 6 * HOUR


@pytest.mark.parametrize(
    ("state", "share"), [("FAILED", 1), ("TIMEOUT", 1), ("REQUEUED", 1), ("NODE_FAIL", 0), ("PREEMPTED", 0)]
)
def test_policy_says_who_pays_and_all_of_it_is_metered(ours, cores, balance, state, share):
    take(ours(State=state))
    assert (balance(cores).used, day("2026-11-25")) == (2 * HOUR * share, (2 * HOUR, 2 * HOUR * share))
    assert policy().rule(MeteredRecord.objects.get().state, 0).payer == ("project" if share else "centre")


def test_each_kind_of_device_is_charged_in_its_unit_and_fractions_too(ours, cores, grant, project):
    for unit in ("gpu_h100_ms", "npu_atom_ms", "npu_rngd_ms"):
        grant(unit)
    take(ours(AllocTRES="cpu=1,gres/gpu=2,gres/gpu:h100=2,gres/npu:atom=0.25,gres/npu:rngd=1,node=1"))
    from bitgoeul.resources import facade as resources

    used = {view.unit: view.used for view in resources.allocations(project_ids=[project.id])[project.id]}
    assert used == {"core_ms": HOUR, "gpu_h100_ms": 2 * HOUR, "npu_atom_ms": HOUR // 4, "npu_rngd_ms": HOUR}


def test_an_account_that_is_no_projects_is_metered_for_nobody_and_charged_once_it_is(
    ours, cores, balance, project
):
    done = take(line(Account="stranger"), ours(JobID="8", Account=project.number))
    assert (done.new, done.entries, done.left_out) == (2, 1, {LeftOut.UNKNOWN_ACCOUNT: 1})
    assert set(DayUse.objects.filter(resource="cpu").values_list("project", "charged")) == {
        (None, 0), (project.id, 2 * HOUR),
    }  # fmt: skip
    assert take(ours()).changed == 1
    assert balance(cores).used == 4 * HOUR
    assert take(ours()).unchanged == 1


def test_a_part_without_allocation_or_unit_is_named_and_charged_when_there_is_one(ours, cores, grant):
    text = "cpu=1,gres/gpu:h100=1,gres/gpu:old=1,node=1"
    done = take(ours(AllocTRES=text))
    assert done.left_out == {LeftOut.NO_ALLOCATION: 1, LeftOut.NO_UNIT: 1}
    assert day("2026-11-25", "gpu:h100") == (HOUR, 0)
    grant("gpu_h100_ms")
    done = take(ours(AllocTRES=text))
    assert (done.changed, done.entries) == (1, 1)
    assert day("2026-11-25", "gpu:h100") == (HOUR, HOUR)
    assert take(ours(AllocTRES=text)).unchanged == 1


def test_our_own_job_is_not_charged_twice_and_somebody_elses_id_frees_nobody(ours, submit, balance, cores):
    from bitgoeul.kernel.ids import new_id

    job = submit()
    done = take(
        ours(Comment=f"bitgoeul:{job.id}"),
        ours(JobID="8", Comment=f"bitgoeul:{new_id()}"),
        line(JobID="9", Account="stranger", Comment=f"bitgoeul:{job.id}"),
    )
    assert done.left_out == {LeftOut.OWN_JOB: 1, LeftOut.UNKNOWN_ACCOUNT: 1}
    assert balance(cores).used == 2 * HOUR


def test_a_comment_with_the_id_of_an_old_job_frees_no_other(ours, submit, balance, cores):
    from bitgoeul.compute.models import Job

    job = submit()
    Job.objects.filter(pk=job.id).update(state="SUCCEEDED", environment={"scheduler_number": "7"})
    comment = f"bitgoeul:{job.id}"
    done = take(ours(JobID="7", Comment=comment), ours(JobID="8", Comment=comment))
    assert done.left_out == {LeftOut.OWN_JOB: 1}
    assert balance(cores).used == 2 * HOUR


@pytest.mark.parametrize("told", [{"scheduler_number": "8"}, {}], ids=["it ran as 8", "it never ran"])
def test_none_of_a_jobs_numbers_is_charged_again(ours, submit, balance, cores, told):
    from bitgoeul.compute.models import Job

    job = submit()
    Job.objects.filter(pk=job.id).update(state="SUCCEEDED", environment={**told, "scheduler_numbers": "7,8"})
    comment = f"bitgoeul:{job.id}"
    done = take(*[ours(JobID=number, Comment=comment) for number in ("7", "8", "78")])
    assert done.left_out == {LeftOut.OWN_JOB: 2}
    assert balance(cores).used == 2 * HOUR


@pytest.mark.skipif("connection.vendor == 'sqlite'", reason="SQLite lets one transaction write at a time anyway")
def test_a_use_that_is_booked_while_its_month_is_closed_waits_for_that():
    ended_at = now().astimezone(SEOUL).replace(day=1, hour=12) - timedelta(days=3)
    told = []

    def book():
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '300ms'")
                Bookings().when(now())
                told.append("this month cannot be closed")
                Bookings().when(ended_at)
        except OperationalError:
            told.append("waits")
        finally:
            connection.close()

    compute.close_month(actor=SYSTEM, month=f"{ended_at:%Y-%m}")
    other = threading.Thread(target=book)
    other.start()
    other.join(30)
    assert told == ["this month cannot be closed", "waits"]
    assert Bookings().when(ended_at)[1]["late_for"] == f"{ended_at:%Y-%m}"


def test_a_job_of_a_sweep_is_known_by_its_place_and_its_number(ours, project, owner, balance, cores):
    from bitgoeul.compute.models import Job
    from bitgoeul.kernel.ids import new_id

    wanted = compute.JobRequest(argv=("true",), limits=compute.Limits(1, 64, 10, 16, 16))
    view = compute.submit_sweep(
        actor=owner, id=new_id(), project_id=project.id, name="x", request=wanted, points=compute.grid({"n": "12"})
    )
    Job.objects.update(state="SUCCEEDED", environment={"scheduler_number": "7"})
    own, forged = f"bitgoeul:{view.id}_1", f"bitgoeul:{view.id}_2"
    done = take(ours(JobID="7", Comment=own), ours(JobID="8", Comment=own), ours(JobID="9", Comment=forged))
    assert done.left_out[LeftOut.OWN_JOB] == 1
    assert balance(cores).used == 4 * HOUR, "another number, and a place that is none of ours, are charged"


def test_only_the_platform_takes_accounting_in(owner):
    with pytest.raises(BadInput):
        compute.ingest(actor=owner, cluster="moa", records=[])


class Cuts(TestCase):
    """Any cut of an export into windows that overlap, in any order, leaves the same books."""

    @settings(max_examples=12, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def test_any_cut_into_windows_leaves_the_same_books(self, data):
        base = 1_793_000_000
        jobs = data.draw(
            st.lists(st.tuples(st.integers(0, 10**7), st.integers(0, 40 * 86_400)), min_size=1, max_size=6)
        )
        lines = []
        for number, (start, length) in enumerate(jobs, 1):
            told = {"JobID": str(number), "Submit": str(base), "Start": str(base + start)}
            lines += [
                line(**told, State="RUNNING", End="Unknown", Elapsed=str(length // 2)),
                line(**told, End=str(base + start + length), Elapsed=str(length)),
            ]
        order = data.draw(st.permutations(lines))
        cut = data.draw(st.integers(0, len(order)))
        for part in (order[: cut + 1], order[cut:], order):
            take(*part)
        cores = sum(DayUse.objects.filter(resource="cpu").values_list("amount", flat=True))
        assert cores == sum(2000 * length for _, length in jobs)
        tally = Tally(Borders(SEOUL, "day"))
        for record in read(*lines)[0]:
            tally.add(record)
        assert day_sums() == {
            (each.metric, each.period): each.value
            for each in tally.figures()
            if each.value and each.metric != "jobs_running"
        }


def test_the_rows_tell_the_same_figures_as_the_export_in_any_zone(ours):
    take(ours(), ours(JobID="8", Start="2026-11-25T14:00:00", End="2026-11-25T16:00:00", Elapsed="02:00:00"))
    for name in ("UTC", "America/New_York"):
        tallies = [Tally(Borders(ZoneInfo(name), "day")) for _ in range(2)]
        for row in MeteredRecord.objects.all():
            tallies[0].add(record_of(row))
        for record in read(ours(), ours(JobID="8", Start="2026-11-25T14:00:00", End="2026-11-25T16:00:00",
                                        Elapsed="02:00:00"))[0]:  # fmt: skip
            tallies[1].add(record)
        assert list(tallies[0].figures()) == list(tallies[1].figures())
