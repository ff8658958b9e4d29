"""Commands that speak to the REST API, of this installation or of another."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from bitgoeul.site.client import Client

F = TypeVar("F", bound=Callable[..., Any])


def remote_options(function: F) -> F:
    """Give a command ``--url``."""
    return click.option(
        "--url", default=None, help="Address of the platform; where you signed in, else this machine."
    )(function)


def client_for(url: str | None) -> Client:
    """A client of the named platform, else of the one signed in to, else of the one that runs on this home."""
    from bitgoeul.site import supervisor
    from bitgoeul.site.client import Client, kept
    from bitgoeul.site.env import load_env

    env = load_env()
    known = kept(env.home)
    running = supervisor.read_state(env.home) or {}
    chosen = url or known.get("url") or running.get("url") or f"http://localhost:{env.port}"
    # A token goes to the platform that gave it and to no other.
    return Client(chosen, known.get("token", "") if chosen == known.get("url") else "")


COMMANDS: tuple[click.Command, ...] = ()
