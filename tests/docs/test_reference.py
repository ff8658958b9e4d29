"""The reference pages name everything there is."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from bitgoeul.site.env import PREFIX, Env

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_every_setting_is_documented_and_nothing_else():
    text = (DOCS / "reference" / "settings.md").read_text(encoding="utf-8")
    documented = set(re.findall(rf"^\| `({PREFIX}[A-Z_]+)`", text, re.MULTILINE))
    assert documented == {PREFIX + name.upper() for name in Env.model_fields}


def test_links_between_pages_lead_somewhere():
    broken = [
        f"{page.relative_to(DOCS)} → {target}"
        for page in DOCS.rglob("*.md")
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert broken == []


@pytest.fixture
def reference():
    sys.path.insert(0, str(DOCS.parent / "tools"))
    import reference

    return reference


def test_the_page_of_states_is_what_the_code_does(reference):
    assert reference.PAGE.read_text(encoding="utf-8") == reference.page(), "run `make reference`"


def test_the_page_of_rights_is_what_the_code_allows(reference):
    assert reference.RIGHTS.read_text(encoding="utf-8") == reference.rights(), "run `make reference`"


def test_the_published_interface_changes_only_on_purpose(reference):
    assert reference.OPENAPI.read_text(encoding="utf-8") == reference.openapi(), (
        "run `make reference` and read the diff"
    )
