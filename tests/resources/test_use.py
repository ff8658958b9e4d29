"""What was used: sums that follow every settlement, what comes of an allocation, and who may see it."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Max, Sum

from bitgoeul.accounts import facade as accounts
from bitgoeul.accounts.facade import Actor
from bitgoeul.kernel.clock import SEOUL, now
from bitgoeul.kernel.errors import NotAllowed
from bitgoeul.kernel.ids import new_id
from bitgoeul.resources import facade as resources
from bitgoeul.resources.facade import Ahead, UseBy, UseWanted
from bitgoeul.resources.forecast import Pace, forecast, is_idle
from bitgoeul.resources.models import Usage, UseDay, UseMonth

pytestmark = pytest.mark.django_db
SYSTEM = Actor.system("test")
HOUR = 3_600_000
TODAY = now().astimezone(SEOUL).date()


@pytest.fixture
def catalogue(db):
    resources.load_example(SYSTEM, Path(settings.EXAMPLES))


@pytest.fixture
def grant(project, catalogue):
    """Give the project some of a resource, from so many days ago until so many days ahead."""

    def give(amount=1_000 * HOUR, ago=100, ahead=100, code="cpu-core", origin=None, project_id=project.id):
        return resources.grant(
            actor=SYSTEM, id=new_id(), project_id=project_id, resource_code=code, amount=amount,
            starts_at=now() - timedelta(days=ago), ends_at=now() + timedelta(days=ahead),
            origin=origin or resources.Origin("agreement", "1", "협약", "call:quick-start"),
        )  # fmt: skip

    return give


def at(day, hour=12):
    return datetime(day.year, day.month, day.day, hour, tzinfo=SEOUL)


def use(allocation, amount, ended, key=None):
    line = resources.UseLine(allocation.id, amount, key or f"k:{new_id()}", ended - timedelta(minutes=1), ended)
    resources.settle_use(lines=[line], actor="system:test")


def sums(model, field):
    return dict(model.objects.order_by(field).values_list(field, "amount"))


def month(day):
    return day.replace(day=1)


def test_each_settlement_is_in_the_sums_once_with_its_corrections(grant):
    one = grant()
    use(one, 10 * HOUR, at(date(2026, 10, 31), 23), "a")
    use(one, 5 * HOUR, at(date(2026, 11, 1), 0), "b")
    use(one, 10 * HOUR, at(date(2026, 10, 31), 23), "a")
    use(one, 4 * HOUR, at(date(2026, 11, 2)), "a")
    assert sums(UseDay, "day") == {
        date(2026, 10, 31): 10 * HOUR, date(2026, 11, 1): 5 * HOUR, date(2026, 11, 2): -6 * HOUR,
    }  # fmt: skip
    assert sums(UseMonth, "month") == {date(2026, 10, 1): 10 * HOUR, date(2026, 11, 1): -HOUR}
    newest = Usage.objects.values("source_key").annotate(last=Max("revision"))
    stands = sum(Usage.objects.get(source_key=each["source_key"], revision=each["last"]).amount for each in newest)
    assert UseDay.objects.aggregate(total=Sum("amount"))["total"] == stands == 9 * HOUR


def test_a_refused_settlement_leaves_the_sums_as_they_were(grant):
    one, other = grant(), grant()
    use(one, HOUR, at(TODAY), "a")
    with pytest.raises(resources_conflict()):
        use(other, HOUR, at(TODAY), "a")
    assert sums(UseDay, "day") == {TODAY: HOUR}


def resources_conflict():
    from bitgoeul.kernel.errors import Conflict

    return Conflict


def test_the_migration_of_the_past_gives_the_same_sums(grant):
    one = grant()
    for number in range(12):
        use(one, number * HOUR + 7, at(date(2026, 1 + number % 3, 28), number), f"k{number % 5}")
    before = sums(UseDay, "day"), sums(UseMonth, "month")
    assert before[0]
    UseDay.objects.all().delete()
    UseMonth.objects.all().delete()
    module = MigrationExecutor(connection).loader.disk_migrations[("resources", "0006_use_sums_of_the_past")]
    with _editor() as editor:
        module.operations[0].code(None, editor)
    assert (sums(UseDay, "day"), sums(UseMonth, "month")) == before


class _editor:
    """What a data migration is given, as far as it needs: the connection."""

    def __enter__(self):
        self.connection = connection
        return self

    def __exit__(self, *_error):
        pass


def test_use_is_summed_by_programme_kind_device_and_project(grant, auditor, chan):
    cores = grant()
    npus = grant(code="npu-atom", origin=resources.Origin("staff", "2", "직접"))
    theirs = accounts.create_organisation(
        actor=chan, id=new_id(), name="찬대학 (예시)", kind=accounts.OrganisationKind.UNIVERSITY,
        registration_number="", is_example=True,
    )  # fmt: skip
    other = accounts.create_project(
        actor=SYSTEM, id=new_id(), organisation_id=theirs.id, title="다른 과제", owner_user_id=chan.user_id
    )
    far = grant(project_id=other.id)
    use(cores, 3 * HOUR, at(date(2026, 9, 3)))
    use(cores, 4 * HOUR, at(date(2026, 10, 3)))
    use(npus, 1 * HOUR, at(date(2026, 10, 3)))
    use(far, 9 * HOUR, at(date(2026, 10, 3)))
    use(far, 99 * HOUR, at(date(2026, 11, 3)))

    def found(by, **more):
        wanted = UseWanted(date(2026, 9, 1), date(2026, 10, 1), by, **more)
        rows = resources.use_rows(actor=auditor, wanted=wanted).items
        exported = list(resources.use_to_export(actor=auditor, wanted=wanted))
        assert {(row.key, row.unit, row.total) for row in exported} == {(r.key, r.unit, r.total) for r in rows}
        assert all(row.total == sum(row.months.values()) for row in rows)
        return [(row.key, row.unit, row.total // HOUR) for row in rows]

    assert found(UseBy.PROGRAMME) == [("call:quick-start", "core_ms", 16), ("staff", "npu_atom_ms", 1)]
    assert found(UseBy.KIND) == [
        ("UNIVERSITY", "core_ms", 9), ("START_UP", "core_ms", 7), ("START_UP", "npu_atom_ms", 1)
    ]  # fmt: skip
    assert found(UseBy.DEVICE) == [("", "core_ms", 16), ("", "npu_atom_ms", 1)]
    assert found(UseBy.PROJECT, unit="core_ms") == [
        (str(other.id), "core_ms", 9), (str(cores.project_id), "core_ms", 7)
    ]  # fmt: skip
    assert found(UseBy.PROJECT, programme="call:quick-start", kind="UNIVERSITY") == [(str(other.id), "core_ms", 9)]
    totals = resources.use_totals(actor=auditor, wanted=UseWanted(date(2026, 9, 1), date(2026, 12, 1)))
    assert [(row.unit, row.total // HOUR) for row in totals] == [("core_ms", 115), ("npu_atom_ms", 1)]


def test_use_of_everybody_is_for_the_operators_people(ara, staff, engineer, auditor):
    wanted = UseWanted(date(2026, 9, 1), date(2026, 10, 1))
    for who in (staff, engineer, auditor):
        assert resources.use_rows(actor=who, wanted=wanted).total == 0
        assert resources.outlook_page(actor=who).total == 0
    for read in (
        lambda: resources.use_rows(actor=ara, wanted=wanted),
        lambda: resources.use_totals(actor=ara, wanted=wanted),
        lambda: list(resources.use_to_export(actor=ara, wanted=wanted)),
        lambda: resources.outlook_page(actor=ara),
        lambda: list(resources.outlooks_to_export(actor=ara)),
    ):
        with pytest.raises(NotAllowed):
            read()


DAY = timedelta(days=1)


def ahead(left, recent, used_days=20, granted=1_000, age=200, remaining=100):
    return forecast(
        granted=granted, left=left, pace=Pace(recent, used_days), starts=TODAY - age * DAY,
        ends=TODAY + remaining * DAY, today=TODAY,
    )  # fmt: skip


def test_the_mean_of_28_days_goes_on():
    assert ahead(500, 280).runs_out_on == TODAY + 50 * DAY
    assert ahead(500, 280).ahead is Ahead.RUNS_OUT
    assert ahead(1_000, 280).ahead is Ahead.LASTS
    assert ahead(1_199, 280).left_at_end == 199
    assert ahead(1_199, 280).ahead is Ahead.LASTS
    assert ahead(1_200, 280).ahead is Ahead.LEFT_OVER
    # Fourteen days old: the mean is of the days that there were.
    assert ahead(500, 140, age=14).runs_out_on == TODAY + 50 * DAY


@pytest.mark.parametrize("case", [{"age": 13}, {"used_days": 4}, {"recent": 0}, {"recent": -5}])
def test_too_little_gives_no_forecast_instead_of_a_made_up_one(case):
    said = ahead(**{"left": 500, "recent": 280, **case})
    assert (said.ahead, said.runs_out_on, said.left_at_end) == (Ahead.UNKNOWN, None, None)


def test_nothing_left_is_spent_and_nothing_used_for_thirty_days_is_idle():
    assert ahead(0, 280).ahead is Ahead.SPENT
    start = TODAY - 40 * DAY
    assert is_idle(pace=Pace(last_use=None), starts=start, today=TODAY)
    assert is_idle(pace=Pace(last_use=TODAY - 30 * DAY), starts=start, today=TODAY)
    assert not is_idle(pace=Pace(last_use=TODAY - 29 * DAY), starts=start, today=TODAY)
    assert not is_idle(pace=Pace(last_use=None), starts=TODAY - 29 * DAY, today=TODAY)


def test_the_database_chooses_what_the_rule_says(grant, auditor):
    dice = random.Random(20261126)
    for _each in range(60):
        age = dice.choice((1, 13, 14, 27, 28, 29, 30, 31, 120))
        one = grant(dice.randint(50, 400) * HOUR, age, dice.randint(1, 90))
        for _use in range(dice.choice((0, 1, 4, 5, 9, 25))):
            day = TODAY - timedelta(days=dice.randint(0, min(age, 60)))
            use(one, dice.randint(1, 15 * HOUR), at(day, 0))
    every = {each.view.id: each for each in resources.outlooks_to_export(actor=auditor)}
    assert len(every) == 60
    said = {
        "out": {pk for pk, each in every.items() if each.forecast.ahead is Ahead.RUNS_OUT},
        "left": {pk for pk, each in every.items() if each.forecast.ahead is Ahead.LEFT_OVER},
        "idle": {pk for pk, each in every.items() if each.idle},
    }
    for flag, ids in said.items():
        chosen = {each.view.id for each in resources.outlooks_to_export(actor=auditor, flag=flag)}
        assert chosen == ids, flag
        assert len(ids) > 3, flag
    first = [each.forecast.runs_out_on for each in resources.outlooks_to_export(actor=auditor, order="out")]
    dates = [day for day in first if day]
    assert first[: len(dates)] == sorted(dates)
    page = resources.outlook_page(actor=auditor, flag="out", order="ends")
    assert [each.ends for each in page.items] == sorted(each.ends for each in page.items)
    # The project's own page says the same of the same allocations.
    views = [each.view for each in every.values()]
    own = resources.outlooks(views)
    assert {pk: (each.forecast, each.idle, each.pace) for pk, each in own.items()} == {
        pk: (each.forecast, each.idle, each.pace) for pk, each in every.items()
    }
    for pk, each in own.items():
        assert (each.points[-1][1] if each.points else 0) == every[pk].view.used
