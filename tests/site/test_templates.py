"""What every page is made of: filters, tags, colours, and no inline script or style."""

from __future__ import annotations

import itertools
import re
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import pytest
from django.template import Context, Engine, Template
from django.test import RequestFactory
from django.utils import translation

from bitgoeul.kernel.machine import Machine, Move
from bitgoeul.kernel.text import Text
from bitgoeul.site import charts, formats
from bitgoeul.web.facade import Page

SOURCE = Path(__file__).resolve().parents[2] / "src" / "bitgoeul"
TEMPLATES = sorted(SOURCE.rglob("templates/**/*.html"))
STYLES = sorted((SOURCE / "site" / "static" / "site").glob("*.css"))
TOKENS = SOURCE / "site" / "static" / "vendor" / "krds" / "css" / "token" / "krds_tokens.css"


def render(source: str, **context: object) -> str:
    context.setdefault("request", RequestFactory().get("/somewhere/?a=1"))
    return Template(source).render(Context(context))


@pytest.mark.parametrize(
    ("amount", "unit", "korean", "english"),
    [
        (12_345, "core_ms", "12.3 코어·초", "12.3 core·s"),
        (0, "core_ms", "0 코어·초", "0 core·s"),
        (400, "core_ms", "0.4 코어·초", "0.4 core·s"),
        (3_600_000, "core_ms", "1 코어·시간", "1 core·h"),
        (3_600_000 * 50, "core_ms", "50 코어·시간", "50 core·h"),
        (3_600_000 * 12_345, "core_ms", "12,345 코어·시간", "12,345 core·h"),
        (7_182_300, "core_ms", "1.995 코어·시간", "1.995 core·h"),
        (5_400_000, "target_ms", "1.5 타깃·시간", "1.5 target·h"),
        (-12_345, "core_ms", "−12.3 코어·초", "−12.3 core·s"),
        (1_250_000, "krw", "1,250,000원", "KRW 1,250,000"),
        (2048, "mib_hour", "2 GiB·시간", "2 GiB·h"),
        (7, "unknown_unit", "7 unknown_unit", "7 unknown_unit"),
    ],
)
def test_amounts_are_sized_for_people(amount, unit, korean, english):
    with translation.override("ko"):
        assert render("{{ a|units:u }}", a=amount, u=unit) == korean
    with translation.override("en"):
        assert render("{{ a|units:u }}", a=amount, u=unit) == english


def test_a_rounded_amount_never_reads_more_than_one_step_off():
    for amount in (1, 49, 50, 999, 1_000, 99_949, 99_950, 3_599_999):
        shown = formats.decimal(amount, 1_000, 1).replace(",", "")
        assert abs(float(shown) * 1_000 - amount) <= 50


def test_times_are_shown_in_seoul():
    moment = datetime(2026, 11, 22, 5, 3, tzinfo=UTC)
    with translation.override("ko"):
        assert render("{{ t|kst }}|{{ t|kst_date }}", t=moment) == "2026-11-22 (일) 14:03|2026-11-22 (일)"
    with translation.override("en"):
        assert render("{{ t|kst }}", t=moment) == "2026-11-22 (Sun) 14:03"
    late = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
    assert render("{{ t|kst_date }}", t=late).startswith("2026-11-23")
    assert render("{{ t|kst }}", t=None) == "–"


def test_spans_and_days_left_read_as_words():
    with translation.override("ko"):
        assert formats.duration(312) == "5분 12초"
        assert formats.duration(90_000) == "1일 1시간"
        assert formats.duration(0) == "1초 미만"
        assert [formats.working_days(n) for n in (-1, 0, 14)] == ["마감", "오늘 마감", "영업일 14일 남음"]
    with translation.override("en"):
        assert formats.working_days(1) == "1 working day left"


class Light(StrEnum):
    RED = "red"
    GREEN = "green"


LIGHT = Machine(
    name="light",
    states=Light,
    initial=Light.RED,
    moves={"go": Move(frozenset({Light.RED}), Light.GREEN, Text("Go"))},
    labels={Light.GREEN: Text("Green light")},
    tones={Light.GREEN: "good"},
)


def test_a_state_is_a_word_a_colour_and_an_icon():
    html = render("{% state_badge m s %}", m=LIGHT, s="green")
    assert "Green light" in html
    assert "bg-light-success" in html
    assert "<path" in html
    assert "bg-light-gray" in render("{% state_badge m s %}", m=LIGHT, s=Light.RED)
    with pytest.raises(ValueError, match="blue"):
        render("{% state_badge m s %}", m=LIGHT, s="blue")


def test_verdicts_have_four_different_looks():
    with translation.override("ko"):
        looks = {v: render("{% verdict_badge v %}", v=v) for v in ("PASSED", "WARNED", "FAILED", "INVALID")}
    assert len({re.search(r"bg-light-\w+", html)[0] for html in looks.values()}) == 4
    assert "합격" in looks["PASSED"]
    assert "무효" in looks["INVALID"]


def test_texts_are_rendered_in_the_readers_language_and_escaped():
    class Both:
        def in_language(self, code):
            return "한글" if code == "ko" else "English"

    with translation.override("ko"):
        assert render("{{ t|text }}", t=Text("Passed")) == "합격"
        assert render("{{ t|text }}", t=Both()) == "한글"
    assert render("{{ t|text }}", t=Text("{name}", {"name": "<b>"})) == "&lt;b&gt;"
    assert render("{{ t|text }}", t=None) == ""


def test_a_balance_shows_its_three_parts_in_numbers_and_as_a_bar():
    with translation.override("en"):
        html = render("{% balance_bar 1000 2000 7000 'core_ms' %}")
    assert all(words in html for words in ("1 core·s", "2 core·s", "7 core·s"))
    assert 'width="100"' in html
    assert 'x="100" width="200"' in html
    assert 'width="6"' in render("{% balance_bar 1 0 999999 'core_ms' %}"), "what was used can be seen"
    assert "NaN" not in render("{% balance_bar 0 0 0 'core_ms' %}")


def test_a_chart_has_its_table_and_its_reading():
    data = {
        "kind": "bar",
        "labels": ["1", "2"],
        "series": [{"name": "p<99", "values": [1200, None]}],
        "unit": "µs",
    }
    html = render("{% chart d 'c1' 'Latency' reading='Most stay under 2 ms.' %}", d=data)
    assert 'id="c1-data" type="application/json"' in html
    assert "Most stay under 2 ms." in html
    assert '<td class="ar num">1,200</td>' in html
    assert "p&lt;99" in html
    assert "<p<99" not in html


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "pie"},
        {"series": [{"name": "a", "values": [1]}]},
        {"series": [{"name": "a", "values": [1, 2]}] * 7},
    ],
)
def test_a_chart_that_does_not_fit_is_refused(change):
    good = {"kind": "bar", "labels": ["1", "2"], "series": [{"name": "a", "values": [1, 2]}]}
    assert charts.checked(good)["kind"] == "bar"
    with pytest.raises(ValueError, match=r"chart|series|kind"):
        charts.checked({**good, **change})


def test_pages_of_a_list_keep_the_other_parts_of_the_address():
    html = render("{% pagination p %}", p=Page(["x"], 2, 1, 3))
    assert 'href="?a=1&amp;page=1"' in html
    assert 'href="?a=1&amp;page=3"' in html
    assert "krds-pagination" not in render("{% pagination p %}", p=Page(["x"], 1, 20, 1))


def test_a_field_ties_label_hint_and_error_to_its_control():
    from django import forms

    class Form(forms.Form):
        name = forms.CharField(label="Name", help_text="As registered")
        kind = forms.ChoiceField(label="Kind", choices=[("a", "A"), ("b", "B")], widget=forms.RadioSelect)

    html = render("{% field f.name %}{% field f.kind %}", f=Form({"kind": "a"}))
    assert 'aria-describedby="id_name-hint id_name-error"' in html
    assert 'id="id_name-error"' in html
    assert 'aria-invalid="true"' in html
    assert '<label for="id_name">' in html
    assert "<legend" in html
    assert html.count('type="radio"') == 2


def test_every_template_parses():
    engine = Engine.get_default()
    for path in TEMPLATES:
        engine.from_string(path.read_text(encoding="utf-8"))


INLINE = re.compile(
    r"<style|\sstyle=|\son[a-z]+=|hx-on|javascript:|<script(?![^>]*\bsrc=)(?![^>]*application/json)", re.I
)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_no_template_has_an_inline_script_or_style(path):
    if path.name.startswith("verifier"):
        pytest.skip("the one-file verifier is a download, not a page of the portal")
    markup = re.sub(r"\{%.*?%\}", "", path.read_text(encoding="utf-8"), flags=re.S)
    found = INLINE.findall(markup)
    assert found == []


def test_an_inline_script_would_be_seen():
    for bad in (
        "<script>x</script>",
        '<p style="x">',
        "<a onclick=x>",
        '<div hx-on:click="x">',
        '<a href="javascript:x">',
    ):
        assert INLINE.search(bad), bad
    assert not INLINE.search('<script defer src="x.js"></script>')


@pytest.mark.parametrize("path", STYLES, ids=lambda p: p.name)
def test_styles_take_every_colour_from_a_token(path):
    css = re.sub(r"/\*.*?\*/|url\([^)]*\)", "", path.read_text(encoding="utf-8"), flags=re.S)
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b(?=[^{]*[;}])|\brgba?\(|\bhsla?\(", css) == []


def test_styles_use_only_tokens_that_exist():
    if not TOKENS.exists():
        pytest.skip("the design system's files are not fetched")
    known = set(re.findall(r"(--krds-[\w-]+):", TOKENS.read_text(encoding="utf-8")))
    output = TOKENS.parents[1] / "component" / "output.css"
    known |= set(re.findall(r"(--krds-[\w-]+):", output.read_text(encoding="utf-8")))
    used = set(itertools.chain.from_iterable(re.findall(r"var\((--krds-[\w-]+)", p.read_text()) for p in STYLES))
    assert sorted(used - known) == []


# Machado, Oliveira and Fernandes (2009), severity 1.0.
SIGHTS = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def _linear(colour: str) -> list[float]:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]


def _lab(v: list[float]) -> tuple[float, float, float]:
    x = (0.4124 * v[0] + 0.3576 * v[1] + 0.1805 * v[2]) / 0.9505
    y = 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2]
    z = (0.0193 * v[0] + 0.1192 * v[1] + 0.9505 * v[2]) / 1.089
    fx, fy, fz = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def _seen(colour: str, sight: str) -> tuple[float, float, float]:
    v = _linear(colour)
    return _lab([min(1, max(0, sum(a * b for a, b in zip(row, v, strict=True)))) for row in SIGHTS[sight]])


def _palette() -> list[str]:
    css = (SOURCE / "site" / "static" / "site" / "site.css").read_text(encoding="utf-8")
    values = dict(re.findall(r"(--krds-[\w-]+):\s*(#[0-9a-f]{6})", TOKENS.read_text(encoding="utf-8")))
    return [values[name] for _, name in sorted(re.findall(r"--chart-(\d): var\((--krds-[\w-]+)\)", css))]


@pytest.mark.parametrize("sight", SIGHTS)
def test_chart_colours_are_told_apart_by_every_sight(sight):
    if not TOKENS.exists():
        pytest.skip("the design system's files are not fetched")
    palette = _palette()
    assert len(palette) == 5
    for a, b in itertools.combinations(palette, 2):
        distance = sum((p - q) ** 2 for p, q in zip(_seen(a, sight), _seen(b, sight), strict=True)) ** 0.5
        assert distance > 20, (sight, a, b, distance)
    for colour in palette:
        luminance = sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), _linear(colour), strict=True))
        assert 1.05 / (luminance + 0.05) >= 3, colour
