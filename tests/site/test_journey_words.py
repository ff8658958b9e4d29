"""What the journey tells at its end."""

from __future__ import annotations

import io
import json
import random

import pytest

from bitgoeul.site import journey
from bitgoeul.site.agent import PageFault
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
