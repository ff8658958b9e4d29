"""One hand on the keyboard of a watched tab: no pointer, no script that focuses; every stop is looked at."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

STOPS_MAX = 160
SCRIPT = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
LOOK, ALL = (f"({SCRIPT.split(chr(10), 1)[1]})().{name}()" for name in ("look", "stops"))


@dataclass
class Hand:
    """Presses keys in a tab and keeps what was wrong with a focused element."""

    watched: Any
    wrong: list[str] = field(default_factory=list)

    @property
    def page(self) -> Any:
        """The tab's page, for reading it."""
        return self.watched.page

    def open(self, path: str) -> Hand:
        """Go to an address and keep how everything looks at rest."""
        self.watched.open(path)
        self.page.evaluate(LOOK)
        return self

    def press(self, *keys: str) -> Hand:
        """Press one key after the other."""
        for key in keys:
            self.page.keyboard.press(key)
        return self

    def look(self) -> dict[str, Any] | None:
        """The focused element, or None where the focus is on nothing; faults are kept."""
        found: dict[str, Any] | None = self.page.evaluate(LOOK)
        if found:
            self.wrong += [f"{self.page.url}: {found['html']} {one}" for one in found["wrong"]]
        return found

    def is_at(self, selector: str, text: str = "") -> bool:
        """Whether the focus is on what the selector says, with that text in it."""
        told = "([s, t]) => document.activeElement.matches(s) && document.activeElement.textContent.includes(t)"
        return bool(self.page.evaluate(told, [selector, text]))

    def to(self, selector: str, text: str = "", key: str = "Tab") -> Hand:
        """Press Tab until the focus is there; AssertionError when it never comes."""
        for _ in range(STOPS_MAX):
            self.press(key).look()
            if self.is_at(selector, text):
                return self
        raise AssertionError(f"{self.page.url}: the keyboard does not reach {selector} {text}")

    def type(self, text: str) -> Hand:
        """Write into the focused field, over what stands there."""
        self.press("Control+a")
        self.page.keyboard.type(text)
        return self

    def follow(self, key: str = "Enter") -> Hand:
        """Press what is focused and wait for the page that it leads to."""
        with self.page.expect_navigation():
            self.press(key)
        self.page.evaluate(LOOK)
        return self

    def check(self) -> None:
        """Nothing focused was out of sight or looked as if it were not focused."""
        assert not self.wrong, "\n".join(dict.fromkeys(self.wrong))


def round_trip(hand: Hand) -> list[str]:
    """Tab through the whole page and come out again; what the keyboard never reaches, and what keeps it."""
    reached: list[str] = []
    for _ in range(STOPS_MAX * 2):
        found = hand.press("Tab").look()
        key = f"radio {found['radio']}" if found and found["radio"] else str(found and found["id"])
        if reached and key == reached[-1]:
            continue  # a date has a stop for each of its parts
        if not found or key in reached:
            break
        reached.append(key)
    else:
        return [f"{hand.page.url}: no end after {len(reached)} stops"]
    if found and key != reached[0]:
        return [f"{hand.page.url}: comes back to {found['html']} and not to the first stop"]
    stops = dict(map(tuple, hand.page.evaluate(ALL)))
    missing = [html for key, html in stops.items() if key not in reached]
    return [f"{hand.page.url}: not reached: {json.dumps(one, ensure_ascii=False)}" for one in missing]
