"""What the journey tells at its end."""

from __future__ import annotations

import io
import json
import random
import subprocess
from types import SimpleNamespace

import httpx
import pytest

from bitgoeul.site import journey
from bitgoeul.site.agent import Page, PageFault
from bitgoeul.site.journey import steps
from bitgoeul.site.journey.steps import registration_number, without_common_ends


def test_names_are_what_differs_between_the_buttons():
    assert without_common_ends(["Sign in as Ara", "Sign in as Bora"]) == ["Ara", "Bora"]
    assert without_common_ends(["한가온 (예시) 로그인", "윤봄 (예시) 로그인"]) == ["한가온", "윤봄"]
    assert without_common_ends(["one"]) == ["one"]


@pytest.mark.parametrize("seed", range(20))
def test_a_registration_number_passes_its_own_check(seed):
    number = registration_number(random.Random(seed))
    assert number.startswith("000-00-"), "the form kept for examples"
    digits = [int(sign) for sign in number if sign != "-"]
    total = sum(digit * weight for digit, weight in zip(digits, (1, 3, 7, 1, 3, 7, 1, 3, 5), strict=False))
    assert (total + digits[8] * 5 // 10 + digits[9]) % 10 == 0


def run_of(*acts):
    return journey.Run([journey.Step(f"s{n}", f"Step {n}", act) for n, act in enumerate(acts)], io.StringIO())


def test_a_step_that_does_not_hold_ends_the_way_and_is_told():
    def refuse(_told):
        raise PageFault("GET /x/ answered 403: Only the owner.")

    after = []
    run = run_of(lambda told: told.facts.update(trial="t") or "yes", refuse, lambda _told: after.append(1) or "")
    assert run.go() is False
    assert after == []
    assert "2/3  Step 1 … did not hold.\n         GET /x/ answered 403: Only the owner." in run.out.getvalue()
    result = run.result(False)
    missing = dict.fromkeys(("verdict", "evidence", "key", "charged", "refused"))
    assert result == {"ok": False, "trial": "t", **missing, "seconds": result["seconds"]}
    assert list(result["seconds"]) == ["s0", "s1"]


@pytest.mark.parametrize(
    "fault",
    [subprocess.TimeoutExpired(["x"], 60), OSError(28, "No space left"), KeyError("outcome"), ValueError()],
)
def test_whatever_stops_a_step_json_ends_with_its_object(tmp_path, monkeypatch, capsys, fault):
    def break_down(_told):
        raise fault

    monkeypatch.setattr(steps, "steps", lambda _journey: [journey.Step("s0", "Step 0", break_down)])
    status = journey.main(["--home", str(tmp_path), "--url", "http://127.0.0.1:9", "--json"])
    said = capsys.readouterr()
    assert status == 1
    result = json.loads(said.out.splitlines()[-1])
    assert (result["ok"], list(result["seconds"])) == (False, ["s0"])
    assert "Traceback" in said.err
    assert type(fault).__name__ in said.err
    assert not journey.has_run(tmp_path)


def test_a_journey_that_cannot_be_noted_did_not_hold(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(steps, "steps", lambda _journey: [])
    (tmp_path / "journey").write_text("a file where the folder belongs")
    assert journey.main(["--home", str(tmp_path), "--url", "http://127.0.0.1:9", "--json"]) == 1
    said = capsys.readouterr()
    assert json.loads(said.out.splitlines()[-1])["ok"] is False
    assert "Traceback" in said.err


FRONT = """<a href="/figures/chip-trials/"><span>{value}</span> <span>건</span></a>
<a href="/figures/chip-trials/">rule → claim → digest</a><a href="/figures/">1 list</a>
<a href="/figures/none-yet/">what was reported</a><p>1 2 3 1,024</p>"""


@pytest.mark.parametrize(("value", "read"), [("0", 0), ("1", 1), ("1,024", 1024)])
def test_the_front_page_is_read_figure_by_figure(value, read):
    page = Page(httpx.Response(200, text=FRONT.format(value=value), request=httpx.Request("GET", "http://x/")))
    assert steps.values_on(page) == {"chip-trials": read}


def a_journey(api_value, shown_value):
    """An officer before a front page, and an API, that say these values of one figure."""
    made = object.__new__(steps.Journey)
    figure = {"code": "chip-trials", "verified": {"value": api_value}}
    made.api = SimpleNamespace(rows=lambda _path: [figure])
    answer = httpx.Response(200, text=FRONT.format(value=shown_value), request=httpx.Request("GET", "http://x/"))
    made.officer = SimpleNamespace(get=lambda _path: Page(answer))
    return made


def at_the_board(shown, values, before):
    """What the last look says when evidence counts for all figures, which went from ``before`` to ``values``."""
    made = object.__new__(steps.Journey)
    made.tag = "tag"
    figures = [{"code": code, "verified": {"value": value}} for code, value in values.items()]
    claims = [{"evidence_digest": "d"}]
    made.api = SimpleNamespace(rows=lambda path: claims if path.endswith("/claims") else figures)
    links = "".join(f'<a href="/figures/{code}/">{value} 건</a>' for code, value in shown.items())
    html = f"<p>숫자 인식 INT8 tag</p>{links}"
    answer = httpx.Response(200, text=html, request=httpx.Request("GET", "http://x/"))
    made.officer = SimpleNamespace(get=lambda _path: Page(answer))
    return made.board(journey.Told({"digest": "d", "figures": before}))


def test_the_board_needs_a_figure_that_moved_in_public():
    was = {"models": 1, "firms": 1}
    assert at_the_board({"firms": 2}, {"models": 1, "firms": 2}, was) == "firms: 1 → 2"
    with pytest.raises(journey.Broken, match="their values stay"):
        at_the_board({"models": 1, "firms": 1}, was, was)
    with pytest.raises(journey.Broken, match="the front page shows none"):
        at_the_board({"models": 1}, {"models": 1, "firms": 2}, was)


def test_looking_tells_the_true_values():
    told = journey.Told()
    assert a_journey(0, "0").look(told) == "verified here: chip-trials 0"
    assert told["figures"] == {"chip-trials": 0}
    assert a_journey(1024, "1,024").look(journey.Told()) == "verified here: chip-trials 1024"


def test_a_front_page_that_says_another_value_does_not_hold(monkeypatch):
    monkeypatch.setattr(steps, "NEWS_SECONDS_MAX", 0.0)
    with pytest.raises(journey.Broken, match="disagree"):
        a_journey(1, "0").look(journey.Told())


def test_only_a_journey_that_held_counts_as_seen(tmp_path):
    assert not journey.has_run(tmp_path)
    journey.keep_result(tmp_path, {"ok": True, "evidence": "e", "key": "k"})
    assert journey.has_run(tmp_path)
    journey.result_path(tmp_path).write_text("{damaged")
    assert not journey.has_run(tmp_path)


def test_the_closing_lines_say_how_to_check_and_who_one_can_be(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = {"evidence": str(tmp_path / "var" / "e.json"), "key": str(tmp_path / "var" / "k.pub")}
    lines = "\n".join(journey.closing_lines(result, "http://localhost:1", ["Ara", "Bora"], stays=True))
    assert "evidence verify var/e.json --key var/k.pub" in lines
    assert "http://localhost:1/example/sign-in/    one click as Ara, Bora" in lines
    assert json.dumps(lines)
