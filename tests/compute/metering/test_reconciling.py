"""The roll-up against the books: each cause by itself, then all of them through real books."""

from __future__ import annotations

import json
from datetime import date

import pytest
from click.testing import CliRunner

from bitgoeul.accounts.facade import Actor
from bitgoeul.audit import facade as audit
from bitgoeul.compute import facade as compute
from bitgoeul.compute.metering import Booked, Cause, Comparison, PortalJob, salvaged
from bitgoeul.compute.metering.reconciling import held, part, supervised
from bitgoeul.compute.models import Cluster, DayUse, Job, MeteredRecord, Reconciliation
from bitgoeul.compute.ports import RolledUp, account_name
from bitgoeul.compute.services.charging import Bookings, moment
from bitgoeul.compute.services.metering import ingest
from bitgoeul.engines.local.engine import LocalEngine
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import BadInput, NotFound
from bitgoeul.kernel.ids import new_id
from bitgoeul.resources import facade as resources
from bitgoeul.site.cli import cli
from bitgoeul.site.cli import cluster as commands

from .lines import NAMES, export, line, one, read

OURS, HOUR_MS = "PRJ-1", 3_600_000
SYSTEM = Actor.system("test")
# 2026-11-25 09:00 to 10:00 UTC, the hour of the usual line.
START, END = 1_795_597_200, 1_795_600_800
WIDE = {"since": START - 9 * 3600, "until": END + 9 * 3600, "rolled": END + 9 * 3600}


@pytest.fixture(autouse=True)
def same_connection(monkeypatch):
    """Both are for a process of its own: they end the connection, and with it this test's transaction."""
    monkeypatch.setattr(commands, "use_django_patiently", lambda: None)
    monkeypatch.setattr(commands, "refuse_other_schema", lambda _what: None)


def comparison(**ends) -> Comparison:
    return Comparison(**{**WIDE, **ends})


def only(told: Comparison, account: str = OURS, resource: str = "cpu"):
    """The line of one account, and its causes with their amounts."""
    (line_,) = [each for each in told.lines() if (each.account, each.resource) == (account, resource)]
    return line_, {cause: each.amount for cause, each in line_.causes.items()}


def rolled_up(told: Comparison, record, account: str = OURS) -> None:
    """The cluster says what the record held up to where it has rolled up."""
    told.say(told.slurm, account, held(record, told.since, min(told.until, told.rolled)))


def charged(told: Comparison, record, account: str = OURS, permille: int = 1000, refunded: int = 0) -> Booked:
    """The books charge the record as they would."""
    amounts = {name: each * permille // 1000 * (1000 - refunded) // 1000
               for name, each in held(record, record.start, record.end).items()}  # fmt: skip
    amounts = amounts if account else {}
    told.say(told.used, account, held(record, told.since, told.until))
    told.say(told.charged, account, {n: part(record, a, told.since, told.until) for n, a in amounts.items()})
    return Booked(record, amounts, refunded)


@pytest.fixture
def usual():
    record = one()
    assert (record.start, record.end) == (START, END)
    return record


def test_what_all_sides_tell_alike_has_neither_cause_nor_rest(usual):
    told = comparison()
    rolled_up(told, usual)
    told.metered(OURS, usual, charged(told, usual), Cause.OLDER_READING)
    line_, causes = only(told)
    assert (line_.slurm, line_.charged, line_.unexplained, causes) == (2 * HOUR_MS, 2 * HOUR_MS, 0, {})


def test_what_is_not_rolled_up_yet_is_missing_at_the_cluster(usual):
    told = comparison(rolled=START + 600)
    rolled_up(told, usual)
    told.metered(OURS, usual, charged(told, usual), Cause.OLDER_READING)
    line_, causes = only(told)
    assert (causes, line_.unexplained) == ({Cause.NOT_ROLLED_UP: -2 * 3_000_000}, 0)


def test_a_running_job_accrued_to_different_instants(usual):
    told = comparison()
    before = one(End="Unknown", State="RUNNING", Elapsed="00:10:00")
    rolled_up(told, usual)
    told.metered(OURS, usual, charged(told, before), Cause.OLDER_READING)
    line_, causes = only(told)
    assert (causes, line_.unexplained) == ({Cause.OLDER_READING: 2 * 3_000_000}, 0)


@pytest.mark.parametrize("cause", [Cause.NOT_READ, Cause.RUNAWAY, Cause.LEFT_OUT])
def test_what_only_the_cluster_has_says_why(usual, cause):
    told = comparison()
    rolled_up(told, usual)
    told.metered(OURS, usual, None, cause)
    line_, causes = only(told)
    assert (causes, line_.unexplained) == ({cause: 2 * HOUR_MS}, 0)


@pytest.mark.parametrize("cause", [Cause.ONLY_IN_BOOKS, Cause.CHARGED_TWICE, Cause.OTHER_ACCOUNT])
def test_what_only_the_books_have_counts_against_them(usual, cause):
    told = comparison()
    told.only_booked(OURS, charged(told, usual), cause)
    line_, causes = only(told)
    assert (causes, line_.unexplained) == ({cause: -2 * HOUR_MS}, 0)


def test_suspended_time_over_a_border_explains_no_more_than_it_lasted():
    record = one(End="2026-11-25T12:00:00", Elapsed="01:00:00", Suspended="02:00:00")
    told = comparison(until=START + 3600, rolled=START + 3600)
    told.metered(OURS, record, charged(told, record), Cause.OLDER_READING)
    # Slurm knows that it was suspended in the later two hours; the books spread that evenly over all three.
    told.say(told.slurm, OURS, {"cpu": 2 * HOUR_MS})
    line_, causes = only(told)
    assert (causes, line_.unexplained) == ({Cause.SUSPENDED: 2 * HOUR_MS - 2 * HOUR_MS // 3}, 0)
    told.say(told.slurm, OURS, {"cpu": 5 * HOUR_MS})
    line_, causes = only(told)
    assert causes[Cause.SUSPENDED] == 4 * HOUR_MS
    assert line_.unexplained == 5 * HOUR_MS + 2 * HOUR_MS - 2 * HOUR_MS // 3 - 4 * HOUR_MS


def test_suspended_time_within_the_period_needs_no_cause():
    record = one(Elapsed="00:20:00", Suspended="00:40:00")
    told = comparison()
    rolled_up(told, record)
    told.metered(OURS, record, charged(told, record), Cause.OLDER_READING)
    assert only(told)[1] == {}


def test_a_foreign_account_is_charged_to_nobody(usual):
    told = comparison()
    rolled_up(told, usual, "")
    told.metered("", usual, charged(told, usual, ""), Cause.OLDER_READING)
    line_, causes = only(told, "")
    assert (causes, line_.unexplained, line_.used) == ({Cause.NO_PROJECT: 2 * HOUR_MS}, 0, 2 * HOUR_MS)


@pytest.mark.parametrize(
    ("changes", "booked", "refunded", "wanted"),
    [
        ({"State": "NODE_FAIL"}, {}, 0, {Cause.CENTRE_PAYS: 2 * HOUR_MS}),
        ({}, {"cpu": 1_440_000}, 800, {Cause.REFUNDED: 5_760_000}),
        ({}, {}, 0, {Cause.NO_ALLOCATION: 2 * HOUR_MS}),
        ({}, {"cpu": 2 * HOUR_MS - 5}, 0, {Cause.NO_ALLOCATION: 5}),
    ],
    ids=["the centre pays", "given back", "nothing granted", "a part not granted"],
)
def test_policy_says_who_pays(changes, booked, refunded, wanted):
    record, told = one(**changes), comparison()
    rolled_up(told, record)
    told.say(told.charged, OURS, booked)
    told.metered(OURS, record, Booked(record, booked, refunded), Cause.OLDER_READING)
    line_, causes = only(told)
    assert (causes, line_.unexplained) == (wanted, 0)


def test_more_than_it_pays_is_explained_by_nothing(usual):
    told = comparison()
    rolled_up(told, usual)
    told.say(told.charged, OURS, {"cpu": 2 * HOUR_MS + 9})
    told.metered(OURS, usual, Booked(usual, {"cpu": 2 * HOUR_MS + 9}), Cause.OLDER_READING)
    line_, causes = only(told)
    assert (causes, line_.unexplained) == ({}, -9)
    assert told.lines()[0] == line_, "what is unexplained comes first"


def test_a_device_without_a_unit():
    record, told = one(AllocTRES="cpu=2,gres/fpga:u50=1"), comparison()
    rolled_up(told, record)
    told.say(told.charged, OURS, {"cpu": 2 * HOUR_MS})
    told.metered(OURS, record, Booked(record, {"cpu": 2 * HOUR_MS}), Cause.OLDER_READING)
    assert only(told, resource="fpga:u50")[1] == {Cause.NO_UNIT: HOUR_MS}
    assert only(told)[1] == {}


# Portal jobs


def portal(**changes) -> PortalJob:
    """Two cores; the supervisor ran from a second after Slurm's start to half a second before its end."""
    usual = {
        "started_ms": START * 1000 + 1000, "ended_ms": END * 1000 - 500, "wall_ms": HOUR_MS - 1500, "cores": 2,
        "charged": {"cpu": 2 * (HOUR_MS - 1500)},
    }  # fmt: skip
    return PortalJob(**{**usual, **changes})


@pytest.mark.parametrize(
    ("changes", "job", "wanted"),
    [
        ({}, {}, {Cause.PORTAL_AROUND: 3000}),
        (
            {"End": "2026-11-25T11:00:00", "Elapsed": "02:00:00"}, {},
            {Cause.PORTAL_AROUND: 2000, Cause.PORTAL_SEEN_LATE: 2 * (HOUR_MS + 500)},
        ),
        (
            {"Elapsed": "00:50:00"}, {}, {Cause.PORTAL_AROUND: 3000, Cause.PORTAL_SUSPENDED: -2 * 600_000},
        ),
        ({}, {"wall_ms": HOUR_MS - 1504, "charged": {"cpu": 2 * (HOUR_MS - 1504)}},
         {Cause.PORTAL_AROUND: 3000, Cause.PORTAL_CLOCK: 8}),
        ({}, {"charged": {"cpu": 2 * 3_000_000}},
         {Cause.PORTAL_AROUND: 3000, Cause.PORTAL_OVER_LIMIT: 2 * (HOUR_MS - 1500 - 3_000_000)}),
        ({"AllocTRES": "cpu=4"}, {},
         {Cause.PORTAL_AROUND: 6000, Cause.PORTAL_ALLOTTED: 2 * (HOUR_MS - 1500)}),
        ({}, {"started_ms": None, "charged": {}}, {Cause.PORTAL_UNMEASURED: 2 * HOUR_MS}),
    ],
    ids=["around", "end seen late", "suspended", "clock", "over its limit", "another amount", "no record"],
)  # fmt: skip
def test_a_portal_jobs_supervisor_and_slurm_step_by_step(changes, job, wanted):
    record, told, seen = one(**changes), comparison(), portal(**job)
    rolled_up(told, record)
    told.say(told.charged, OURS, seen.charged)
    told.portal(OURS, record, seen)
    line_, causes = only(told)
    assert (causes, line_.unexplained) == (wanted, 0)
    steps = sum(amounts.get("cpu", 0) for _cause, amounts in supervised(record, seen))
    assert steps == record.allocated.cores_milli * record.elapsed - seen.charged.get("cpu", 0)


def test_a_portal_job_that_was_charged_no_whole_number_of_places_is_unexplained(usual):
    told, seen = comparison(), portal(charged={"cpu": 2 * (HOUR_MS - 1500), "npu:atom": 12_345})
    told.say(told.charged, OURS, seen.charged)
    told.portal(OURS, usual, seen)
    assert only(told, resource="npu:atom")[0].unexplained == -12_345


def test_a_portal_job_counts_whole_in_the_period_in_which_it_ends(usual):
    first = comparison(until=START + 600, rolled=START + 600)
    rolled_up(first, usual)
    first.portal(OURS, usual, portal())
    line_, causes = only(first)
    assert (causes, line_.unexplained) == ({Cause.PORTAL_BORDER: 2 * 600_000}, 0)
    second = comparison(since=START + 600)
    rolled_up(second, usual)
    second.say(second.charged, OURS, portal().charged)
    second.portal(OURS, usual, portal())
    line_, causes = only(second)
    assert (causes, line_.unexplained) == ({Cause.PORTAL_BORDER: -2 * 600_000, Cause.PORTAL_AROUND: 3000}, 0)


def test_a_portal_job_that_runs_and_one_that_the_cluster_forgot(usual):
    told = comparison()
    rolled_up(told, usual)
    told.portal(OURS, usual, None)
    assert only(told)[1] == {Cause.PORTAL_UNFINISHED: 2 * HOUR_MS}
    told = comparison()
    told.say(told.charged, OURS, {"cpu": 77})
    told.only_portal(OURS, {"cpu": 77})
    line_, causes = only(told)
    assert (causes, line_.unexplained) == ({Cause.PORTAL_ONLY: -77}, 0)


def test_of_a_line_that_is_left_out_what_it_tells_is_read():
    header, wrong = "|".join(NAMES), line(State="MELTED", Elapsed="soon")
    record = salvaged(header, wrong, "moa")
    assert (record.account, record.end - record.start, record.allocated.cores_milli) == (
        "bg-2026-0001",
        3600,
        2000,
    )
    for changes in (
        {"End": "never"},
        {"AllocTRES": "cpu=-1"},
        {"End": "2026-11-25T08:59:59"},
        {"Start": "Unknown"},
    ):
        assert salvaged(header, line(**changes), "moa") is None


# Through real books


class Summer(LocalEngine):
    """The local engine with an accounting and a roll-up of its own: what the test says."""

    told: list[str]
    lost: list[str]
    sums: dict[str, dict[str, int]]
    reserved: dict[str, dict[str, int]]

    def accounting(self, since, until):
        return iter(export(*self.told))

    def runaway(self):
        return iter(export(*self.lost))

    def rolled_up(self, since, until):
        return RolledUp(min(until, now()), self.sums, self.reserved, {"idle": {"cpu": 5}, "down": {}})


@pytest.fixture
def summer():
    from bitgoeul.compute import engines

    row = Cluster.objects.create(code="moa", title="모아", engine="local", config={}, device_units={})
    made = engines.engine_of(row)
    made.__class__ = Summer
    made.told, made.lost, made.sums, made.reserved = [], [], {}, {}
    return made


@pytest.fixture
def account(project):
    return account_name(project.number)


def look(since="2026-11-01", until="2026-12-01"):
    found = compute.reconcile(
        "moa", since=date.fromisoformat(since), until=date.fromisoformat(until), actor=SYSTEM
    )
    return {(each.account, each.resource): each for each in found.lines}, found


def amounts(line_) -> dict[str, int]:
    return {str(cause): each.amount for cause, each in line_.causes.items()}


@pytest.mark.django_db
def test_through_the_books_every_side_comes_together(summer, project, account, cores):
    plain, held_by_node = line(Account=account), line(Account=account, JobID="8", State="NODE_FAIL")
    theirs, unread = line(JobID="9", Account="institute"), line(JobID="10", Account=account)
    wrong = line(JobID="11", Account=account, State="MELTED")
    gone = line(JobID="12", Account=account)
    lost = line(JobID="13", Account=account, State="RUNNING", End="Unknown", Elapsed="00:10:00")
    records, _reader = read(plain, held_by_node, theirs, gone)
    ingest(actor=SYSTEM, cluster="moa", records=records)
    summer.told, summer.lost = [plain, held_by_node, theirs, unread, wrong], [lost]
    summer.sums = {account: {"cpu": 4 * 7200 + 1200, "mem": 99}, "institute": {"cpu": 7200}}
    summer.reserved = {account: {"cpu": 11}}
    lines, found = look()
    ours = lines[project.number, "cpu"]
    assert amounts(ours) == {
        "centre_pays": 2 * HOUR_MS, "not_read": 2 * HOUR_MS, "left_out": 2 * HOUR_MS, "runaway": 1_200_000,
        "only_in_books": -2 * HOUR_MS, "reserved": 11_000,
    }  # fmt: skip
    assert (ours.charged, ours.used, ours.unexplained) == (4 * HOUR_MS, 6 * HOUR_MS, 0)
    assert amounts(lines["", "cpu"]) == {"no_project": 2 * HOUR_MS}
    assert (found.records, dict(found.left_out), found.unexplained) == (6, {"unknown_state": 1}, 0)
    assert found.nobodys["idle"] == {"cpu": 5_000}


@pytest.mark.django_db
def test_what_is_kept_and_its_trail_are_one(summer, monkeypatch):
    look()
    before = Reconciliation.objects.get()
    (event,) = audit.history("cluster", "moa").items
    assert event.verb == "compute.reconcile"

    def breaks(**_event):
        raise OSError("the trail cannot be written")

    monkeypatch.setattr(audit, "record", breaks)
    with pytest.raises(OSError, match="trail"):
        look("2026-10-01", "2026-11-01")
    assert Reconciliation.objects.get().since == before.since


@pytest.mark.django_db
def test_what_was_changed_in_the_books_behind_their_back_is_unexplained(summer, project, account, cores):
    records, _reader = read(line(Account=account))
    ingest(actor=SYSTEM, cluster="moa", records=records)
    summer.told, summer.sums = [line(Account=account)], {account: {"cpu": 7200}}
    assert look()[1].unexplained == 0
    DayUse.objects.update(charged=1)
    lines, found = look()
    assert found.unexplained == 1
    assert lines[project.number, "cpu"].unexplained == 2 * HOUR_MS - 1
    done = CliRunner().invoke(cli, ["cluster", "reconcile", "moa", "--month", "2026-11"])
    assert done.exit_code == 1
    assert "7199.999  unexplained" in done.output


@pytest.mark.django_db
def test_late_for_a_closed_month_is_missing_in_one_and_more_in_the_other(summer, project, account, cores):
    october = {"Submit": "2026-10-20T08:00:00", "Start": "2026-10-20T09:00:00", "End": "2026-10-20T10:00:00"}
    intime, late = line(Account=account, **october), line(Account=account, JobID="8", **october)
    ingest(actor=SYSTEM, cluster="moa", records=read(intime)[0])
    compute.close_month(actor=SYSTEM, month="2026-10")
    ingest(actor=SYSTEM, cluster="moa", records=read(late)[0])
    summer.told, summer.sums = [intime, late], {account: {"cpu": 2 * 7200}}
    lines, found = look("2026-10-01", "2026-11-01")
    assert (amounts(lines[project.number, "cpu"]), found.unexplained) == ({"late": 2 * HOUR_MS}, 0)
    summer.told, summer.sums = [], {}
    lines, found = look()
    assert (amounts(lines[project.number, "cpu"]), found.unexplained) == ({"late": -2 * HOUR_MS}, 0)
    lines, found = look("2026-10-01", "2026-11-27")
    assert amounts(lines[project.number, "cpu"]) == {"only_in_books": -4 * HOUR_MS}, "both months hold all of it"
    assert found.unexplained == 0


@pytest.fixture
def ended(project, cores):
    """A portal job that ended then, in the hour of a usual line, and what the ledger has of it."""

    def go(start=START, **charge):
        job = new_id()
        Job.objects.create(
            id=job, cluster_id="moa", project_id=project.id, name="x", request={}, request_digest="",
            submitted_by="x", state="SUCCEEDED", started_at=moment(start + 1), ended_at=moment(start + 3599),
            charged={"core_ms": 7_196_000}, measured={"wall_ms": 3_598_000, "cores": 2},
            environment={"scheduler_number": "7"},
        )  # fmt: skip
        booked, late = Bookings().when(moment(start + 3599))
        line_ = resources.UseLine(
            cores.id, charge.get("amount", 7_196_000), f"moa:{job}:x:0:0", moment(start + 1), booked, detail=late
        )
        resources.settle_use(lines=[line_], actor=SYSTEM.id)
        return job

    return go


@pytest.mark.django_db
def test_a_portal_job_that_was_metered_too_is_charged_twice(summer, project, account, ended):
    told = line(Account=account, Comment=f"bitgoeul:{ended()}")
    ingest(actor=SYSTEM, cluster="moa", records=read(line(Account=account))[0])
    summer.told, summer.sums = [told], {account: {"cpu": 7200}}
    lines, found = look()
    assert found.unexplained == 0
    assert amounts(lines[project.number, "cpu"]) == {"charged_twice": -2 * HOUR_MS, "portal_around": 4_000}
    assert MeteredRecord.objects.count() == 1
    # And one that the cluster does not know.
    summer.told, summer.sums = [], {}
    lines, found = look()
    assert amounts(lines[project.number, "cpu"]) == {"only_in_books": -2 * HOUR_MS, "portal_only": -7_196_000}
    assert found.unexplained == 0


@pytest.mark.django_db
def test_a_portal_job_that_the_ledger_has_otherwise_than_its_own_row_is_unexplained(
    summer, project, account, ended
):
    told = line(Account=account, Comment=f"bitgoeul:{ended(amount=7_196_001)}")
    summer.told, summer.sums = [told], {account: {"cpu": 7200}}
    lines, found = look()
    assert found.unexplained == 1
    assert lines[project.number, "cpu"].unexplained == -1


@pytest.mark.django_db
def test_a_portal_job_charged_late_is_missing_in_its_month_and_more_in_the_next(summer, project, account, ended):
    compute.close_month(actor=SYSTEM, month="2026-10")
    times = {"Submit": "2026-10-20T08:00:00", "Start": "2026-10-20T09:00:00", "End": "2026-10-20T10:00:00"}
    job = ended(START - 36 * 86_400)
    summer.told, summer.sums = (
        [line(Account=account, Comment=f"bitgoeul:{job}", **times)],
        {account: {"cpu": 7200}},
    )
    lines, found = look("2026-10-01", "2026-11-01")
    assert amounts(lines[project.number, "cpu"]) == {"portal_around": 4_000, "late": 7_196_000}
    assert found.unexplained == 0
    summer.sums = {}
    lines, found = look()
    assert (amounts(lines[project.number, "cpu"]), found.unexplained) == ({"late": -7_196_000}, 0)


@pytest.mark.django_db
def test_what_cannot_be_compared_is_refused_in_words(summer, ours_is_plain):
    for changes in (
        {"since": "2026-11-02", "until": "2026-11-02"},
        {"since": "2030-01-01", "until": "2030-01-02"},
    ):
        with pytest.raises(BadInput):
            look(**changes)
    with pytest.raises(NotFound):
        compute.reconcile("none", since=date(2026, 11, 1), until=date(2026, 11, 2), actor=SYSTEM)
    with pytest.raises(BadInput):
        compute.reconcile("plain", since=date(2026, 11, 1), until=date(2026, 11, 2), actor=SYSTEM)
    for words in (
        ["--month", "2026-13"],
        ["--month", "2026-11", "--since", "2026-11-01"],
        ["--until", "2026-11-01"],
    ):
        done = CliRunner().invoke(cli, ["cluster", "reconcile", "moa", *words])
        assert done.exit_code != 0
    assert not Reconciliation.objects.exists()


@pytest.fixture
def ours_is_plain():
    return Cluster.objects.create(code="plain", title="x", engine="local", config={}, device_units={})


@pytest.mark.django_db
def test_as_json_a_line_each_and_what_it_was_made_of(summer, account, project, cores):
    ingest(actor=SYSTEM, cluster="moa", records=read(line(Account=account))[0])
    summer.told, summer.sums = [line(Account=account)], {account.upper(): {"cpu": 7200}}
    done = CliRunner().invoke(cli, ["cluster", "reconcile", "moa", "--month", "2026-11", "--json"])
    assert done.exit_code == 0, done.output
    rows = [json.loads(each) for each in done.stdout.splitlines()]
    assert rows[0] == {
        "account": project.number, "resource": "cpu", "slurm": 7_200_000, "used": 7_200_000, "charged": 7_200_000,
        "difference": 0, "causes": {}, "unexplained": 0,
    }  # fmt: skip
    assert (rows[1]["cluster"], rows[1]["lines"], rows[1]["unexplained"]) == ("moa", 1, 0)
