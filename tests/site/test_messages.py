"""The message catalogues: found by planting what must be caught, then asked of the real tree."""

from __future__ import annotations

import re
import sys
from io import BytesIO
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "tools"))
import messages


@pytest.fixture
def tree(tmp_path):
    """A source tree with one room and an empty catalogue."""
    source = tmp_path / "bitgoeul"
    (source / "room" / "templates" / "room").mkdir(parents=True)
    (source / "room" / "locale" / "ko" / "LC_MESSAGES").mkdir(parents=True)
    return source


def catalogue(source, text):
    head = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n\n'
    path = source / "room" / "locale" / "ko" / "LC_MESSAGES" / "django.po"
    path.write_text(head + text, encoding="utf-8")
    return path


def test_texts_are_found_in_python_templates_and_refusals(tree):
    (tree / "room" / "views.py").write_text(
        "from x import N_, gettext as _\na = N_('From a mark')\nb = gettext_lazy('From a form')\n"
    )
    (tree / "room" / "templates" / "room" / "page.html").write_text(
        '{% translate "From a tag" %}'
        "{% blocktranslate count n=3 %}{{ n }} row{% plural %}{{ n }} rows{% endblocktranslate %}"
    )
    (tree / "room" / "errors.py").write_text(
        'class Full(LimitReached):\n    """The room is full."""\n\n\nclass Other:\n    """Not a text."""\n'
    )
    (tree / "room" / "base.py").write_text("class LimitReached(DomainError):\n    pass\n")
    found = messages.collect(tree)
    assert {msgid for _, msgid in found} == {
        "From a mark",
        "From a form",
        "From a tag",
        "%(n)s row",
        "The room is full.",
    }
    assert found[(None, "%(n)s row")].plural == "%(n)s rows"
    assert found[(None, "The room is full.")].rooms == {"room"}


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ("", "no Korean"),
        ('msgid "Left: {amount}"\nmsgstr ""\n', "no Korean"),
        ('#, fuzzy\nmsgid "Left: {amount}"\nmsgstr "남음: {amount}"\n', "no Korean"),
        ('msgid "Left: {amount}"\nmsgstr "남음: {amout}"\n', "other places"),
        ('msgid "Left: {amount}"\nmsgstr "남음"\n', "other places"),
    ],
)
def test_an_unfinished_or_broken_translation_is_named(tree, entry, complaint):
    (tree / "room" / "views.py").write_text("a = N_('Left: {amount}')\n")
    catalogue(tree, entry)
    lines = messages.problems(tree)
    assert any(line.startswith(complaint) and "room/views.py:1" in line for line in lines), lines


def test_a_finished_translation_passes_and_compiles(tree):
    (tree / "room" / "views.py").write_text("a = N_('Left: {amount}')\n")
    path = catalogue(tree, 'msgid "Left: {amount}"\nmsgstr "남음: {amount}"\n')
    assert messages.problems(tree) == []
    assert messages.compile_all(tree) == [path.with_suffix(".mo")]
    assert path.with_suffix(".mo").stat().st_size > 0


def test_a_translation_may_stand_in_another_room(tree):
    (tree / "kernel").mkdir()
    (tree / "kernel" / "text.py").write_text("a = N_('Shared')\n")
    catalogue(tree, 'msgid "Shared"\nmsgstr "공유"\n')
    assert messages.problems(tree) == []
    assert messages.collect(tree)[(None, "Shared")].rooms == {"site"}


def test_two_rooms_may_not_translate_one_text_differently(tree):
    (tree / "room" / "views.py").write_text("a = N_('Change')\n")
    catalogue(tree, 'msgid "Change"\nmsgstr "고치기"\n')
    other = tree / "other" / "locale" / "ko" / "LC_MESSAGES"
    other.mkdir(parents=True)
    (other / "django.po").write_text(
        'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n\nmsgid "Change"\nmsgstr "증감"\n',
        encoding="utf-8",
    )
    assert [line for line in messages.problems(tree) if line.startswith("two Koreans")] == [
        "two Koreans: 'Change' (고치기, 증감)"
    ]


def test_every_text_of_the_platform_has_its_korean():
    assert messages.problems() == []


def test_questions_of_the_portal_are_asked_in_one_register():
    asked = {
        str(message.id): str(message.string)
        for path in sorted(messages.SOURCE.glob("*/locale/ko/LC_MESSAGES/django.po"))
        for message in messages.read_po(BytesIO(path.read_bytes()))
        if isinstance(message.id, str) and message.id.endswith("?")
    }
    assert len(asked) > 50
    assert {id: text for id, text in asked.items() if re.search(r"[나가]\??$", text)} == {}
