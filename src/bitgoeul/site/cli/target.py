"""Targets from the command line: a new plug-in, the conformance kit, a stack's file; no server, no database."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from .output import FINDINGS, Out, bad_input, json_option

NAME_WIDTH = 13


@click.group()
def target() -> None:
    """Chips with their software, as their vendors plug them in."""


def options_option(function: click.decorators.FC) -> click.decorators.FC:
    """Give a command ``--option NAME=TEXT``, any number of times."""
    text = "An option of the target, for example provider=CPUExecutionProvider."
    return click.option("--option", "options", multiple=True, metavar="NAME=TEXT", help=text)(function)


@target.command("list")
@json_option
def list_(as_json: bool) -> None:
    """The installed targets."""
    from bitgoeul.targets import registry

    out = Out(as_json)
    for name in registry.names():
        where = "in the measuring process" if registry.in_process(name) else "in a process of its own"
        out.row({"target": name, "in_process": registry.in_process(name)}, f"{name:<{NAME_WIDTH}} {where}")


@target.command("new")
@click.argument("name")
@click.option("--directory", type=click.Path(path_type=Path), default=None, help="Default: bitgoeul-target-NAME.")
@json_option
def new(name: str, directory: Path | None, as_json: bool) -> None:
    """Write a working plug-in package NAME with its conformance test."""
    from bitgoeul.targets import scaffold

    try:
        folder = scaffold.write(name, directory)
    except OSError as error:
        raise bad_input(f"--directory: {error.filename} cannot be written: {error.strerror}") from None
    out = Out(as_json)
    out.row({"target": name, "directory": str(folder)}, f"{folder}/ is a working plug-in.")
    out.note(f"Next: pip install {folder}/, then: bitgoeul target check {name}")


@target.command("check")
@click.argument("name")
@options_option
@click.option("--seconds", type=click.IntRange(1, 3600), default=60, show_default=True, help="Limit of one check.")
@json_option
def check(name: str, options: tuple[str, ...], seconds: int, as_json: bool) -> None:
    """Run the conformance kit against the target NAME; exit 0 fit for trials, 1 not, 2 no such target.

    Every check runs in a child of its own that is ended at its limit.
    """
    from bitgoeul.targets import conformance

    _known(name)
    out = Out(as_json)
    found = conformance.findings(name, _options(options), seconds)
    for finding in found:
        needed = "" if finding.required else " (optional)"
        text = f"{finding.status:<7} {finding.check:<{NAME_WIDTH}} {finding.detail}{needed}"
        out.row(finding.to_json(), f"{text}\n{' ' * 22}{finding.remedy}" if finding.remedy else text)
    fit = conformance.fit(found)
    out.note(f"{name} is fit for trials." if fit else f"{name} is not fit for trials yet.")
    if not fit:
        raise click.exceptions.Exit(FINDINGS)


@target.command("stack")
@click.argument("name")
@options_option
@click.option(
    "--model",
    "models",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="A model of your own to try beside the suite.",
)
@click.option(
    "--to", "file", required=True, type=click.Path(dir_okay=False, path_type=Path), help="File to write."
)
@json_option
def stack(name: str, options: tuple[str, ...], models: tuple[Path, ...], file: Path, as_json: bool) -> None:
    """Write the file of a stack: the target NAME, its options, the versions installed here, models of your own.

    This file is what a trial's subject is.
    """
    from bitgoeul.kernel.canonical import sha256_hex
    from bitgoeul.targets import registry
    from bitgoeul.targets.stack import Stack, stack_file

    _known(name)
    versions = {package["name"]: package["version"] for package in registry.packages(name)}
    _check_models(models)
    try:
        data = stack_file(Stack(name, _options(options), versions), models)
        file.write_bytes(data)
    except OSError as error:
        raise bad_input(f"{error.filename}: {error.strerror}") from None
    row = {"target": name, "file": str(file), "bytes": len(data), "digest": sha256_hex(data)}
    Out(as_json).row(row, f"{file} ({len(data)} bytes, SHA-256 {row['digest']})")


def _known(name: str) -> None:
    from bitgoeul.targets import registry

    if name not in registry.names():
        raise bad_input(f"no target “{name}” is installed here; installed are: {', '.join(registry.names())}")


def _options(texts: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not name or not sign or name in found:
            raise bad_input(f"--option {text}: write each option once, as name=text")
        found[name] = value
    return found


def _check_models(models: Sequence[Path]) -> None:
    names = [model.name for model in models]
    for name in names:
        if names.count(name) > 1:
            raise bad_input(f"--model: two models are called {name}")


COMMANDS = (target,)
