"""Commands that speak to the REST API, of this installation or of another."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from .output import Out, json_option

if TYPE_CHECKING:
    from bitgoeul.site.client import Client


def remote_options(function: Callable[..., Any]) -> Callable[..., Any]:
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


@click.command("sign-in")
@click.option("--email", default=None, help="The e-mail of your account; the password is asked for.")
@click.option("--as", "person", default=None, help="A named person of the example instead, on this machine only.")
@click.option("--token", "with_token", is_flag=True, help="Read a token from standard input instead.")
@click.option(
    "--days", type=click.IntRange(1, 365), default=30, show_default=True, help="How long it stays valid."
)
@remote_options
@json_option
def sign_in(
    email: str | None, person: str | None, with_token: bool, days: int, url: str | None, as_json: bool
) -> None:
    """Get a token for the other commands and keep it (mode 0600)."""
    from bitgoeul.site.client import Client, keep, kept_path
    from bitgoeul.site.env import load_env
    from bitgoeul.site.sign_in import token_by_password, token_by_person

    home = load_env().home
    address = client_for(url).url
    if with_token:
        token = click.get_text_stream("stdin").readline().strip()
    elif person:
        token = token_by_person(address, person, days)
    else:
        email = email or click.prompt("E-mail", err=True)
        password = click.prompt("Password", hide_input=True, err=True)
        code = partial(click.prompt, "Code of your authenticator", err=True)
        token = token_by_password(address, email, password, days, code)
    with Client(address, token) as client:
        name = client.call("GET", "/api/v1/me")["name"]
    keep(home, address, token)
    Out(as_json).row(
        {"url": address, "name": name}, f"Signed in to {address} as {name}; kept in {kept_path(home)}"
    )


COMMANDS: tuple[click.Command, ...] = (sign_in,)
