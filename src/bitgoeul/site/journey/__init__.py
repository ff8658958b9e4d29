"""The journey: one company's way from registration to a public figure, by its people, over HTTP alone.

This module runs steps, tells their progress and sums up; what the people do stands in ``steps``. It is its
own process, knows the platform only by its address, and imports no room that could do the work for it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import httpx

from bitgoeul.kernel.errors import DomainError
from bitgoeul.site.agent import PageFault

RESULT_KEYS = ("trial", "verdict", "evidence", "key", "charged", "refused")


class Broken(Exception):
    """Something of the journey did not hold; says what was expected and what was there."""


EXPECTED = (Broken, PageFault, DomainError, httpx.HTTPError)


@dataclass
class Told:
    """What one attempt found out so far; each key is filled by one step."""

    facts: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.facts[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self.facts[name] = value


@dataclass(frozen=True)
class Step:
    """One thing the people do: a stable name, a sentence for the terminal, and the deed.

    The deed returns what the terminal shall say of it.
    """

    name: str
    title: str
    act: Callable[[Told], str]


@dataclass
class Run:
    """One attempt."""

    steps: Sequence[Step]
    out: IO[str]
    told: Told = field(default_factory=Told)
    seconds: dict[str, float] = field(default_factory=dict)

    def go(self) -> bool:
        """Walk the steps in order; the first that does not hold ends the attempt."""
        for number, step in enumerate(self.steps, 1):
            self._say(f"  {number:>2}/{len(self.steps)}  {step.title} … ", end="")
            started = time.monotonic()
            try:
                note = step.act(self.told)
            except Exception as fault:  # noqa: BLE001 - whatever stops a step, `--json` ends with its object
                self.seconds[step.name] = round(time.monotonic() - started, 3)
                self._say(f"did not hold.\n         {str(fault) or type(fault).__name__}")
                if not isinstance(fault, EXPECTED):
                    traceback.print_exc()
                return False
            self.seconds[step.name] = round(time.monotonic() - started, 3)
            self._say(f"{note or 'done'} ({self.seconds[step.name]:.1f} s)")
        return True

    def _say(self, text: str, end: str = "\n") -> None:
        print(text, end=end, file=self.out, flush=True)

    def result(self, ok: bool) -> dict[str, Any]:
        """The one object that `--json` ends with."""
        found = {name: self.told.facts.get(name) for name in RESULT_KEYS}
        return {"ok": ok, **found, "seconds": self.seconds}


def result_path(home: Path) -> Path:
    """Where the last journey that held is noted."""
    return home / "journey" / "last.json"


def read_result(home: Path) -> dict[str, Any]:
    """The last result; empty before the first."""
    try:
        result: dict[str, Any] = json.loads(result_path(home).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return result


def has_run(home: Path) -> bool:
    """Whether this home has seen a journey that held."""
    return bool(read_result(home).get("ok"))


def keep_result(home: Path, result: Mapping[str, Any]) -> None:
    """Note a journey that held, in one step."""
    path = result_path(home)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    draft.replace(path)


def command_line(home: Path, *options: str) -> list[str]:
    """How the supervisor starts a journey; it adds ``--url``."""
    return [sys.executable, "-m", "bitgoeul.site.journey", "--home", str(home), *options]


def closing_lines(result: Mapping[str, Any], url: str, people: Sequence[str], *, stays: bool) -> list[str]:
    """What a newcomer does next: the address, the people, the evidence and how to check it."""
    program = shown(Path(sys.executable).with_name("bitgoeul"))
    evidence, key = shown(result["evidence"]), shown(result["key"])
    lines = [f"Evidence    {evidence}", f"Check it    {program} evidence verify {evidence} --key {key}"]
    if stays:
        lines = [
            f"Portal      {url}    (Ctrl-C stops everything)",
            f"Sign in     {url}/example/sign-in/    one click as {', '.join(people)}",
            *lines,
        ]
    return lines


def shown(path: Path | str) -> str:
    """A path as short as it can be typed from here."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def main(arguments: Sequence[str] | None = None) -> int:
    """Make one attempt; 0 only when all of it held."""
    from .steps import Journey, steps

    parser = argparse.ArgumentParser(prog="journey")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--stays", action="store_true")
    given = parser.parse_args(arguments)
    out = sys.stderr if given.json else sys.stdout
    journey = Journey(given.url, given.home)
    run = Run(steps(journey), out)
    started = time.monotonic()
    print("\nA company's way through the platform", file=out, flush=True)
    ok = run.go()
    if ok:
        ok = _finish(run, given, journey.people, time.monotonic() - started)
    if given.json:
        print(json.dumps(run.result(ok), ensure_ascii=False, default=str), flush=True)
    return 0 if ok else 1


def _finish(run: Run, given: argparse.Namespace, people: list[str], seconds: float) -> bool:
    """Note and tell a journey that held; False when it cannot be noted, for the next start would repeat it."""
    result = run.result(True)
    try:
        keep_result(given.home, {**result, "people": people})
        lines = closing_lines(result, given.url, people, stays=given.stays)
        print(f"\nAll of it held, in {seconds:.0f} s.\n", *lines, sep="\n", file=run.out, flush=True)
    except Exception:  # noqa: BLE001 - as above
        traceback.print_exc()
        return False
    return True
