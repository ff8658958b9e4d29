"""Korean and English on every page: the switch keeps the address, and English pages have no Korean but data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote

import pytest
from django.apps import apps
from django.conf import settings
from django.db.models import CharField, JSONField, TextField

from portal_pages import addresses, is_page
from portal_world import call

KOREAN = re.compile(r"[가-힣]+")
PEOPLE = ("anonymous", "ara", "staff", "engineer")
# The portal's own name, and the words of the switch itself.
OWN_WORDS = {"빛고을", "한국어", "언어"}


class Shown(HTMLParser):
    """What a page says, without what is marked as Korean on purpose; attributes that are read aloud count."""

    VOID = frozenset({"meta", "link", "input", "br", "img", "hr", "path", "circle", "rect", "source", "wbr"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.skipping: list[str] = []
        self.said: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if not self.skipping:
            self.said += [values.get(name) or "" for name in ("title", "aria-label", "placeholder", "alt")]
        own = tag != "html" and values.get("lang") == "ko"
        if tag not in self.VOID and (self.skipping or own or tag in ("script", "textarea")):
            self.skipping.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.skipping and self.skipping[-1] == tag:
            self.skipping.pop()

    def handle_data(self, data: str) -> None:
        if not self.skipping:
            self.said.append(data)


def korean_of(value: Any) -> set[str]:
    """The Korean words in a stored value, but for those that stand there in English too."""
    if isinstance(value, str):
        return set(KOREAN.findall(value))
    if isinstance(value, dict):
        kept = {name: one for name, one in value.items() if not (name == "ko" and "en" in value)}
        return set().union(*map(korean_of, kept.values()))
    if isinstance(value, list):
        return set().union(*map(korean_of, value))
    return set()


def data_words() -> set[str]:
    """Every Korean word that somebody typed or that the installation is set to say."""
    words: set[str] = OWN_WORDS | korean_of(settings.ENV.model_dump(mode="json"))
    for model in apps.get_models():
        names = {one.attname for one in model._meta.concrete_fields}
        kept = [
            one.attname
            for one in model._meta.concrete_fields
            if isinstance(one, CharField | TextField | JSONField)
            and one.attname.removesuffix("_ko") + "_en" not in names
        ]
        for row in model._base_manager.values_list(*kept) if kept else ():
            words.update(*map(korean_of, row))
    return words


def pages(client: Any, ids: Any, query: str = "") -> Iterator[tuple[str, str]]:
    """Every page that this person may open: its address and what it says."""
    for path in addresses(ids):
        asked = f"{path}{'&' if '?' in path else '?'}{query}" if query else path
        answer = call(client, "GET", asked, {}, body={})
        if is_page(answer.status_code, answer.get("Content-Type", "")):
            yield asked, answer.text_seen


@pytest.mark.parametrize("person", PEOPLE)
def test_english_pages_are_english(enter, ids, person):
    client = enter(person, headers={"accept-language": "en"})
    allowed, wrong, seen = data_words(), [], 0
    for path, html in pages(client, ids):
        seen += 1
        asked = korean_of(unquote(path))  # what the reader searched for stands on the answer
        if found := set(KOREAN.findall(" ".join(Shown(html).said))) - allowed - asked:
            wrong.append(f"{path}: {' '.join(sorted(found))}")
        if '<html lang="en">' not in html:
            wrong.append(f"{path}: does not say that it is English")
    assert not wrong, "\n".join(wrong)
    assert seen > 15


@pytest.mark.parametrize("person", PEOPLE)
def test_the_switch_leads_back_to_the_very_page(enter, ids, person):
    """Address and question are kept, on every page and however the question is written."""
    wrong, client = [], enter(person)
    for asked, html in pages(client, ids, "x=%EA%B0%80+1&y=a%26b"):
        offered = re.search(r'name="next" value="([^"]+)"', html)
        back = unescape(offered[1]) if offered else ""
        switched = client.post("/language/", {"language": "ko", "next": back})
        if (back, switched["Location"]) != (asked, asked):
            wrong.append(f"{asked}: {back} → {switched['Location']}")
    assert not wrong, "\n".join(wrong)
