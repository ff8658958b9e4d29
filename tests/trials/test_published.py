"""Published results are kept as read, shown beside what was derived, and compared by MLCommons' rules alone."""

from __future__ import annotations

import io
import json
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import openpyxl
import pytest
from click.testing import CliRunner
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bitgoeul.accounts import facade as accounts
from bitgoeul.audit.models import Event
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import BadInput, NotFound, Unavailable
from bitgoeul.kernel.ids import new_id
from bitgoeul.published.mlperf import Flag, Power, read_tree
from bitgoeul.site.cli import cli
from bitgoeul.trials import facade as trials
from bitgoeul.trials import published_queries as queries
from bitgoeul.trials.models import PublishedResult
from published_samples import SYSTEM, keep, made
from submissions import Submission

pytestmark = pytest.mark.django_db
GENUINE = Path(__file__).resolve().parents[3] / "shared" / "data" / "mlperf"


def ids(**narrowed):
    return [str(view.id) for view in queries.published_results(**narrowed).items]


def test_the_same_again_adds_nothing_and_other_numbers_are_another_reading():
    assert keep(made(), made(system="other")).new == 2
    assert keep(made(), made(system="other")).unchanged == 2
    done = keep(made(value=2000.0))
    assert (done.new, done.changed, done.unchanged) == (0, 1, 0)
    (current,) = [view for view in queries.published_results().items if view.result.system == "chip"]
    assert (current.version, current.result.value) == (2, 2000.0)
    old = queries.readings(current)[1]
    assert (old.version, old.current, old.result.value) == (1, False, 1000.5)
    assert Event.objects.filter(verb="trials.import_published").count() == 2


def test_an_import_that_fails_half_way_is_finished_by_the_next(monkeypatch):
    monkeypatch.setattr("bitgoeul.trials.published.BATCH", 2)

    def broken():
        yield from (made(system=f"s{number}") for number in range(3))
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        _keep_from(broken())
    assert PublishedResult.objects.count() == 2
    done = keep(*(made(system=f"s{number}") for number in range(4)))
    assert (done.new, done.unchanged) == (2, 2)


def _keep_from(results, actor=SYSTEM):
    retrieved = trials.Retrieved("example.org/results, revision 1", date(2026, 9, 1), True)
    trials.keep_published(actor=actor, id=new_id(), results=results, retrieved=retrieved)


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"source": "there"}, "source"),
        ({"source": "x" * 301}, "source"),
        ({"on": (now() + timedelta(days=2)).date()}, "retrieved"),
    ],
)
def test_where_it_comes_from_is_asked(more, field):
    with pytest.raises(BadInput) as told:
        keep(made(), **more)
    assert told.value.field == field
    assert not PublishedResult.objects.exists()


def test_the_day_of_retrieval_is_the_citys(monkeypatch):
    early = datetime(2026, 11, 26, 15, 0, tzinfo=UTC)  # 00:00 of the 27th in Seoul
    monkeypatch.setattr("bitgoeul.trials.published.now", lambda: early)
    assert keep(made(), on=date(2026, 11, 27)).new == 1
    with pytest.raises(BadInput, match="future"):
        keep(made(), on=date(2026, 11, 28))
    monkeypatch.setattr("bitgoeul.trials.published.now", lambda: early - timedelta(seconds=1))
    with pytest.raises(BadInput, match="future"):
        keep(made(), on=date(2026, 11, 27))


def test_a_folder_of_an_endless_name_is_left_out_by_its_path_and_the_others_are_kept():
    done = keep(made(), made(system="s" * 161, path="/tree/where"), made(system="other"))
    assert (done.new, [str(text) for text in done.left_out]) == (
        2, ["The folder for “system” has a name of more than 160 characters: /tree/where"],
    )  # fmt: skip
    assert keep(made(round="v" + "1" * 16)).left_out
    assert {view.result.system for view in queries.published_results().items} == {"chip", "other"}


ENTRY = ("v3.0", "closed", "Gaon", "chip")


def test_the_same_numbers_keep_their_id_and_their_review_whatever_is_said_of_their_source():
    assert keep(made(), entries={ENTRY: "3.0-0007"}).new == 1
    for more in ({}, {"reviewed": False}, {"source": "example.org/mirror, revision 2"},
                 {"reviewed": False, "entries": {ENTRY: "3.0-0009"}}):  # fmt: skip
        assert keep(made(), **more).unchanged == 1, more
    (view,) = queries.published_results().items
    assert (view.version, view.result_id, view.reviewed) == (1, "3.0-0007", True)


def test_a_review_and_another_id_are_new_readings_and_other_numbers_keep_the_id():
    keep(made(), reviewed=False)
    assert keep(made(), reviewed=False, entries={ENTRY: "3.0-0007"}).changed == 1
    assert keep(made()).changed == 1
    assert keep(made(), entries={ENTRY: "3.0-0009"}).changed == 1
    assert keep(made(value=7.0), reviewed=False).changed == 1
    (view,) = queries.published_results().items
    assert (view.version, view.result_id, view.reviewed) == (5, "3.0-0009", False)
    assert [(each.result_id, each.reviewed) for each in queries.readings(view)][::-1][:3] == [
        ("", False), ("3.0-0007", False), ("3.0-0007", True),
    ]  # fmt: skip


def test_what_else_was_read_makes_no_new_reading():
    power = Power(266.9, 600)
    keep(made(flags=(Flag.SEVERAL,), power=power))
    assert keep(made(flags=(Flag.SEVERAL, Flag.DUPLICATE), power=power)).unchanged == 1
    assert keep(made(flags=(), power=power)).changed == 1


class Interrupted(dict):
    """Ids; looking one up takes in ``others`` first, as another import does between a look and a write."""

    def __init__(self, *others):
        super().__init__({ENTRY: ""})
        self.others = list(others)

    def get(self, entry, default=""):
        if self.others:
            keep(self.others.pop())
        return default


def test_two_imports_at_once_look_again_and_give_way_by_name_at_last():
    assert keep(made(), entries=Interrupted(made())).new == 1
    with pytest.raises(Unavailable, match="try again"):
        keep(made(value=2.0), entries=Interrupted(*(made(value=3.0) for _ in range(3))))
    assert PublishedResult.objects.count() == 1


def test_people_do_not_take_them_in(ara):
    with pytest.raises(BadInput):
        _keep_from([made()], accounts.actor_for(user_id=ara.user_id))


def test_compatible_rounds_stand_side_by_side_in_the_order_of_their_rounds():
    keep(made(round="v3.0"), made(round="v1.1", benchmark="resnet50", system="old", value=9.0))
    keep(made(round="v0.7", benchmark="resnet", system="older", value=99.0))
    found = queries.compare(ids())
    assert [view.result.round for view in found.results] == ["v0.7", "v1.1", "v3.0"]
    assert list(found.figures) == [99.0, 9.0, 1000.5]
    assert [str(each) for each in found.differences] == ["Rounds: v0.7 / v1.1 / v3.0."]


def test_an_inferred_result_is_compared_by_what_the_rules_infer():
    keep(made(), made(system="edge", log_scenario="SingleStream", inferred=True, value=4e6, unit="ns",
                      inferred_value=233.0, flags=(Flag.INFERRED,)))  # fmt: skip
    found = queries.compare(ids())
    assert (sorted(found.figures), found.unit) == ([233.0, 1000.5], "samples/s")
    assert any("inferred" in str(each) for each in found.differences)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"benchmark": "bert-99"}, "other work"),
        ({"scenario": "Server", "log_scenario": "Server"}, "other work"),
        ({"division": "open", "flags": (Flag.OPEN,)}, "divisions"),
        ({"flags": (Flag.POWER,), "power": Power(266.9, 600)}, "power"),
        ({"round": "v7.0"}, "compatible"),
        ({"flags": (Flag.INVALID,)}, "looked at first"),
        ({"flags": (Flag.DISAGREES,)}, "looked at first"),
        ({"value": None}, "no number"),
    ],
)
def test_what_the_rules_do_not_allow_is_refused_by_name(other, said):
    keep(made(), made(system="other", **other))
    with pytest.raises(BadInput, match=said):
        queries.compare(ids())


def test_streams_of_before_v2_are_not_compared_with_latencies_since():
    streams = {"scenario": "MultiStream", "log_scenario": "MultiStream"}
    keep(made(**streams, round="v1.1"), made(**streams, round="v2.0"), made(**streams, round="v2.1"))
    with pytest.raises(BadInput, match="compatible"):
        queries.compare(ids())
    assert len(queries.compare([*ids(round="v2.0"), *ids(round="v2.1")]).results) == 2


def test_a_reading_that_was_replaced_is_refused_by_name_on_page_and_interface(client):
    keep(made(), made(system="two"))
    old, two = ids()
    keep(made(value=7.0))
    pick = {"pick": [old, two]}
    told = client.get("/api/v1/published-results/comparison", pick)
    assert (told.status_code, "chip (v3.0) is not compared in this reading" in told.json()["message"]) == (
        400,
        True,
    )
    page = client.get("/published/compare/", pick, headers={"accept-language": "en"})
    assert (page.status_code, b"is not compared in this reading" in page.content) == (400, True)
    assert len(queries.compare(ids()).results) == 2


def test_what_was_measured_here_never_stands_beside_them():
    keep(made())
    with pytest.raises(BadInput, match="measured here"):
        queries.compare([*ids(), "ab" * 32])


def test_one_alone_too_many_unknown_and_nonsense_are_refused():
    keep(made())
    for wrong, error in ((ids(), BadInput), ([*ids(), "nonsense"], BadInput), ([*ids(), str(new_id())], NotFound),
                         ([str(new_id()) for _ in range(21)], BadInput)):  # fmt: skip
        with pytest.raises(error):
            queries.compare(wrong)


def test_a_result_shows_the_claim_beside_what_was_derived_and_its_footnote(client):
    keep(made(derived_value=998.25, flags=(Flag.DOES_NOT_ADD_UP,)), reviewed=False,
         entries={("v3.0", "closed", "Gaon", "chip"): "3.0-0007"})  # fmt: skip
    (one,) = ids()
    page = client.get(f"/published/{one}/", headers={"accept-language": "en"}).content.decode()
    for words in ("1,000.5 samples/s", "998.25 samples/s", "do not fit each other", "result id 3.0-0007",
                  "Result not verified by MLCommons Association.", "needs a look"):  # fmt: skip
        assert words in page
    assert "/published/compare/?work=" not in page  # it is not compared before somebody looked


def test_a_later_reading_is_pointed_at(client):
    keep(made())
    (first,) = ids()
    keep(made(value=7.0))
    page = client.get(f"/published/{first}/", headers={"accept-language": "en"}).content.decode()
    assert "A later reading" in page
    assert f"/published/{ids()[0]}/" in page


def test_the_compare_page_shows_one_group_and_refuses_a_mix_in_words(client):
    keep(made(), made(system="two", value=10.0), made(system="pod", accelerators=8, value=9000.0))
    page = client.get("/published/compare/", headers={"accept-language": "en"})
    said = page.content.decode()
    assert page.status_code == 200
    assert "2 systems, from 10.0 to 1,000.5 samples/s. Higher is better." in said  # of one accelerator each
    keep(made(system="power", flags=(Flag.POWER,), power=Power(100.0, 60)))
    mixed = client.get("/published/compare/", {"pick": ids()}, headers={"accept-language": "en"})
    assert mixed.status_code == 400
    assert "a run whose power is measured is set up for it" in mixed.content.decode()


def test_an_unreviewed_result_is_called_unverified_beside_every_figure(client):
    keep(made(), made(system="seen"))
    english = {"headers": {"accept-language": "en"}}
    pages = ("/published/", "/published/compare/", f"/published/{ids()[0]}/")
    assert not any("verified" in client.get(path, **english).content.decode() for path in pages)
    keep(made(system="own"), made(system="ours"), reviewed=False)
    own = next(view.id for view in queries.published_results().items if not view.reviewed)
    for path, times in (("/published/", 2), ("/published/compare/", 2), (f"/published/{own}/", 1)):
        page = client.get(path, **english).content.decode()
        assert page.count("(unverified)") == times, path
        assert "Result not verified by MLCommons Association." in page
    assert "(v3.0, unverified)" in client.get("/published/compare/", **english).content.decode()
    sheet = openpyxl.load_workbook(io.BytesIO(client.get("/published.xlsx", **english).content)).active
    assert [row[16] for row in sheet.iter_rows(min_row=2, values_only=True)].count("unverified") == 2


def test_of_more_results_than_can_be_chosen_from_the_newest_rounds_are_listed_and_it_is_said(client, monkeypatch):
    monkeypatch.setattr(queries, "CANDIDATES_MAX", 3)
    english = {"headers": {"accept-language": "en"}}
    keep(*(made(round=round, system=system) for round in ("v3.0", "v3.1") for system in ("b", "a")))
    offered = queries.candidates("resnet50", "Offline")
    (views,) = offered.groups.values()
    assert [(view.result.round, view.result.system) for view in views] == [
        ("v3.0", "a"),
        ("v3.1", "a"),
        ("v3.1", "b"),
    ]
    assert not offered.complete
    assert b"more than 3 results" in client.get("/published/compare/", **english).content
    monkeypatch.setattr(queries, "CANDIDATES_MAX", 4)
    assert queries.candidates("resnet50", "Offline").complete
    assert b"more than" not in client.get("/published/compare/", **english).content


def test_a_workbook_takes_so_many_results_and_no_more(client, monkeypatch):
    monkeypatch.setattr(queries, "EXPORT_MAX", 2)
    english = {"headers": {"accept-language": "en"}}
    keep(made(), made(system="two"), made(submitter="Other", system="three"))
    refused = client.get("/published.xlsx", **english)
    assert (refused.status_code, b"One workbook takes 2 results" in refused.content) == (409, True)
    page = client.get("/published/", **english).content.decode()
    assert "One workbook takes 2 results; narrow the list first." in page
    assert "/published.xlsx" not in page
    assert client.get("/published.xlsx?submitter=Gaon").status_code == 200
    assert "/published.xlsx" in client.get("/published/?submitter=Gaon").content.decode()


def test_pages_without_a_result_say_who_brings_them(client):
    for path in ("/published/", "/published/compare/"):
        assert b"bitgoeul evidence import" in client.get(path).content


def test_the_list_is_narrowed_by_page_workbook_and_interface_alike(client):
    keep(made(), made(submitter="Other", system="two"))
    page = client.get("/published/?submitter=Other").content.decode()
    assert "Other two" in page
    assert "Gaon chip" not in page
    sheet = openpyxl.load_workbook(io.BytesIO(client.get("/published.xlsx?submitter=Other").content)).active
    assert [row[2] for row in sheet.iter_rows(min_row=2, values_only=True)] == ["Other"]
    told = client.get("/api/v1/published-results?submitter=Other").json()
    assert [each["system"] for each in told["items"]] == ["two"]


def test_the_interface_compares_and_refuses_like_the_page(client):
    keep(made(), made(system="two", value=10.0))
    told = client.get("/api/v1/published-results/comparison", {"pick": ids()}).json()
    assert (told["benchmark"], told["unit"], len(told["results"])) == ("resnet50", "samples/s", 2)
    refused = client.get("/api/v1/published-results/comparison", {"pick": [*ids(), "ab" * 32]})
    assert (refused.status_code, "measured here" in refused.json()["message"]) == (400, True)
    one = client.get(f"/api/v1/published-results/{ids()[0]}").json()
    assert one["logged_value"] == 1000.5
    assert len(one["notes"]) == 2


def test_pages_do_not_ask_more_however_many_results_there_are(client):
    counts = {}
    for many in (3, 300):
        keep(*(made(system=f"s{number}", value=1.0 + number) for number in range(many)))
        (one, *_others) = ids()
        for path in ("/published/", "/published/compare/", f"/published/{one}/", "/published.xlsx"):
            with CaptureQueriesContext(connection) as asked:
                assert client.get(path).status_code == 200
            counts.setdefault(path.replace(one, "ID"), []).append(len(asked))
    assert all(few == many <= 10 for few, many in counts.values()), counts


@pytest.mark.skipif(not GENUINE.is_dir(), reason="needs the published results in ../shared/data/mlperf")
def test_genuine_results_are_kept_whole_and_chips_stand_beside_those_of_their_rounds():
    assert keep(*read_tree(GENUINE)).new == 133
    groups = queries.candidates("resnet50", "Offline").groups
    closed = next(views for kind, views in groups.items() if not kind.power)
    chips = {view.result.accelerator for view in closed}
    for name in ("FuriosaAI Warboy", "RBLN ATOM", "SAPEON X220-enterprise", "NVIDIA A2", "NVIDIA T4", "NVIDIA L4"):
        assert name in chips, chips
    powered = next(views for kind, views in groups.items() if kind.power)
    assert {view.result.power is not None for view in powered} == {True}
    atom = next(view for view in closed if view.result.accelerator == "RBLN ATOM")
    warboy = next(view for view in closed if view.result.accelerator == "FuriosaAI Warboy")
    found = queries.compare([str(atom.id), str(warboy.id)])
    assert sorted(round(each) for each in found.figures)[-1] == 7246
    with pytest.raises(BadInput, match="power"):
        queries.compare([str(atom.id), str(powered[0].id)])


@pytest.fixture
def command(monkeypatch):
    """`bitgoeul evidence import` on the database of this test."""
    monkeypatch.setattr("bitgoeul.site.cli.evidence.use_django_patiently", lambda: None)
    monkeypatch.setattr("bitgoeul.site.cli.evidence.refuse_other_schema", lambda what: None)
    return lambda *words: CliRunner().invoke(cli, ["evidence", "import", *map(str, words)])


def test_the_command_keeps_a_tree_with_its_ids_and_says_what_became_of_it(command, tmp_path):
    tree, ids_file = Submission(tmp_path / "tree").write().parents[7], tmp_path / "ids.csv"
    ids_file.write_text("v3.0,closed,Gaon,chip,3.0-0007\n")
    words = (tree, "--source", "example.org/results, revision 1", "--retrieved", "2026-09-01", "--json")
    done = command(*words, "--ids", ids_file)
    assert (done.exit_code, json.loads(done.stdout)) == (
        0, {"new": 1, "changed": 0, "unchanged": 0, "left_out": []},
    )  # fmt: skip
    (view,) = queries.published_results().items
    assert (view.result_id, view.reviewed, str(view.retrieved_on)) == ("3.0-0007", False, "2026-09-01")
    assert view.result.derived_value == pytest.approx(1000.5)
    assert json.loads(command(*words).stdout)["unchanged"] == 1
    assert queries.published_results().items[0].result_id == "3.0-0007"


def test_the_command_names_what_it_leaves_out_and_ends_with_1(command, tmp_path):
    tree = Submission(tmp_path / "tree").write().parents[7]
    system = next(tree.rglob("results")) / "chip"
    shutil.copytree(system, system.with_name("s" * 161))
    done = command(tree, "--source", "example.org/results", "--retrieved", "2026-09-01")
    assert (done.exit_code, PublishedResult.objects.count()) == (1, 1), done.output
    assert (
        f"LEFT OUT The folder for “system” has a name of more than 160 characters: {system.parent}" in done.output
    )
    assert "1 new, 0 changed, 0 as before, 1 left out" in done.output


def test_the_command_ends_with_1_when_something_it_kept_needs_a_look(command, tmp_path):
    tree = Submission(tmp_path / "tree")
    tree.said["Samples per second"] = "10005"
    path = tree.write().parents[7]
    done = command(path, "--source", "example.org/results, revision 1", "--retrieved", "2026-09-01")
    assert (done.exit_code, PublishedResult.objects.count()) == (1, 1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--retrieved"),
        (("--retrieved", "2026-09-01"), "--source"),
        (("--retrieved", "yesterday"), "--retrieved"),
        (("--retrieved", "2026-09-01", "--source", "example.org", "--ids", "gone.csv"), "--ids"),
    ],
)
def test_the_command_names_what_is_missing_and_keeps_nothing(command, tmp_path, words, said):
    done = command(Submission(tmp_path / "tree").write(), *words)
    assert (done.exit_code, said in done.output) == (2, True), done.output
    assert not PublishedResult.objects.exists()


def test_a_line_that_names_no_id_is_said_by_its_number(command, tmp_path):
    (tmp_path / "ids.csv").write_text("v3.0,closed,Gaon,chip,3.0-0007\nv3.0,closed,Gaon\n")
    more = ("--source", "example.org/results", "--retrieved", "2026-09-01", "--ids", tmp_path / "ids.csv")
    done = command(Submission(tmp_path / "tree").write(), *more)
    assert (done.exit_code, "line 2" in done.output) == (2, True)
