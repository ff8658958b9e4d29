"""Two faces of every command: text for people, JSON Lines for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import click

FINDINGS = 1
BAD_INPUT = 2


def json_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the switch ``--json`` (parameter ``as_json``)."""
    return click.option(
        "--json", "as_json", is_flag=True, help="JSON Lines on standard output, text on standard error."
    )(function)


class Out:
    """Where a command says things: ``row`` for each result, ``note`` for what only people need."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json

    def row(self, data: Mapping[str, Any], text: str) -> None:
        """One result."""
        click.echo(json.dumps(data, ensure_ascii=False, default=str) if self.as_json else text)

    def note(self, text: str) -> None:
        """A remark; never mixed into JSON."""
        click.echo(text, err=self.as_json)


class BadInput(click.ClickException):
    """A refusal before anything was done."""

    exit_code = BAD_INPUT


def bad_input(text: str) -> BadInput:
    """A refusal before anything was done; exit status 2."""
    return BadInput(text)
