"""Commands that act on this very installation: its processes, its database, its books."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from .django_side import use_django, use_django_patiently
from .output import FINDINGS, Out, bad_input, json_option

if TYPE_CHECKING:
    from bitgoeul.audit.types import Report

RESTART_SECONDS_MAX = 120.0


def refuse_other_schema(what: str) -> None:
    """End with one line while code and database do not fit."""
    from bitgoeul.site.schema import require_current

    require_current(what)


def refuse_unfit_for_public() -> None:
    """In production nothing starts while `check --deploy`, a process of its own, finds an error."""
    done = subprocess.run(
        [sys.executable, "-m", "bitgoeul.site.cli", "check", "--deploy"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    if done.returncode:
        raise bad_input(f"Not started: this installation is not fit for the public.\n{done.stdout}{done.stderr}")


@click.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), default=None, help="Port of the portal; 0 takes a free one."
)
@click.option("--first-journey", is_flag=True, help="Run the journey unless this home has seen it.")
@click.option("--lock-fd", type=int, default=None, hidden=True)
@click.option("--listen-fd", type=int, default=None, hidden=True)
def up(port: int | None, first_journey: bool, lock_fd: int | None, listen_fd: int | None) -> None:
    """Run web, worker and follower until Ctrl-C."""
    from bitgoeul.site import supervisor
    from bitgoeul.site.env import load_env
    from bitgoeul.site.journey import closing_lines, command_line, has_run, read_result

    env = load_env()
    if env.mode == "production" and lock_fd is None:
        refuse_unfit_for_public()
    tree = supervisor.Supervisor(env.home, env.host, env.port if port is None else port)
    tree.lock, tree.listening = lock_fd, listen_fd
    if has_run(env.home):
        result = read_result(env.home)
        tree.closing = lambda url: closing_lines(result, url, result.get("people", []), stays=True)
    elif first_journey:
        tree.journey = command_line(env.home, "--stays")
    _run(tree)


@click.command()
@json_option
def journey(as_json: bool) -> None:
    """Make one new attempt of the journey on a free port; exit 0 only when all of it held."""
    from bitgoeul.site import supervisor
    from bitgoeul.site.env import load_env
    from bitgoeul.site.journey import command_line

    env = load_env()
    command = command_line(env.home, *(["--json"] if as_json else []))
    state = supervisor.read_state(env.home)
    if state is not None and state["ready"]:
        os.execv(sys.executable, [*command, "--url", state["url"]])  # noqa: S606 - an argument list, no shell
    tree = supervisor.Supervisor(env.home, "127.0.0.1", 0, out=sys.stderr, journey=command, stay=False)
    _run(tree)


def _run(tree: Any) -> None:
    from bitgoeul.site.supervisor import Refused

    try:
        status = tree.run()
    except Refused as refusal:
        raise bad_input(str(refusal)) from None
    raise click.exceptions.Exit(status)


@click.command()
def restart() -> None:
    """Restart web, worker and follower with the code on disk; running jobs go on."""
    from bitgoeul.engines.local.processes import Identity, send
    from bitgoeul.site import supervisor
    from bitgoeul.site.env import load_env

    home = load_env().home
    before = supervisor.read_state(home)
    if before is None:
        raise bad_input(f"Nothing runs on {home}. Start it with ./run")
    use_django()
    refuse_other_schema("Nothing was restarted: the new code")
    send(Identity(before["pid"], before["start"]), signal.SIGUSR2)
    limit = time.monotonic() + RESTART_SECONDS_MAX
    while time.monotonic() < limit:
        now = supervisor.read_state(home)
        if now is not None and now["ready"] and now["since"] != before["since"]:
            click.echo(f"Ready again at {now['url']}.")
            return
        time.sleep(0.2)
    raise bad_input(f"Not ready again after {RESTART_SECONDS_MAX:g} s; the terminal of ./run says why.")


@click.command()
@click.option("--deploy", "for_public", is_flag=True, help="Also what an installation for the public must hold.")
@json_option
def check(for_public: bool, as_json: bool) -> None:
    """Check code and settings; exit 1 on an error. With --deploy, development secrets and settings are errors."""
    use_django()
    from django.core import checks as django_checks

    from bitgoeul.site.deploy_checks import examine

    out = Out(as_json)
    found = examine() if for_public else django_checks.run_checks()
    for message in found:
        kind = "ERROR" if message.is_serious() else "warn "
        data = {
            "id": message.id,
            "error": message.is_serious(),
            "text": str(message.msg),
            "remedy": message.hint or "",
        }
        out.row(
            data, f"{kind}  {message.id}: {message.msg}" + (f"\n       {message.hint}" if message.hint else "")
        )
    wrong = sum(message.is_serious() for message in found)
    out.row({"check": "deploy" if for_public else "code", "ok": not wrong, "errors": wrong},
            f"{wrong} error(s), {len(found) - wrong} warning(s)")  # fmt: skip
    raise click.exceptions.Exit(FINDINGS if wrong else 0)


@click.command()
@click.option("--code-only", is_flag=True, hidden=True, help="Only see whether the code loads.")
@json_option
def doctor(code_only: bool, as_json: bool) -> None:
    """Look for what is wrong with this installation and say what to do about it."""
    use_django()
    if code_only:
        from django.core.management import call_command

        call_command("check")
        refuse_other_schema("The new code")
        return
    from bitgoeul.site.doctor import examine

    out, wrong = Out(as_json), 0
    for finding in examine():
        wrong += not finding.ok
        more = [] if finding.ok else [finding.why, f"→ {finding.remedy}" if finding.remedy else ""]
        remedy = "".join(f"\n       {line}" for line in more if line)
        out.row(
            finding.to_json(), f"{'ok   ' if finding.ok else 'WRONG'}  {finding.check}: {finding.text}{remedy}"
        )
    raise click.exceptions.Exit(FINDINGS if wrong else 0)


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; exit 1 when a migration is missing.")
def migrate(check: bool) -> None:
    """Bring the database to the form that this code expects."""
    use_django_patiently()
    from django.core.management import call_command
    from django.db import OperationalError

    try:
        call_command("migrate", interactive=False, verbosity=1, check_unapplied=check)
    except OperationalError as error:
        raise bad_input(f"The database does not answer: {error}\nSee BITGOEUL_DATABASE_URL.") from None


@click.group()
def example() -> None:
    """The example that a first start loads: people, catalogue, calls, protocols, figures."""


@example.command("load")
@click.option(
    "--full", is_flag=True, help="Add a year of work: 512 organisations, 2,200 projects, 100,000 usages."
)
@click.option("--share", type=click.IntRange(1, 1000), default=1, hidden=True)
@json_option
def example_load(full: bool, share: int, as_json: bool) -> None:
    """Load the example; a second time changes nothing, and one that was stopped goes on."""
    use_django_patiently()
    from bitgoeul.site.example import load

    out = Out(as_json)
    for step in load(full=full, share=share):
        data = {
            "part": step.part,
            "seconds": step.seconds,
            "done": step.done,
            "total": step.total,
            "left": step.left,
        }
        count = f" {step.done:,} of {step.total:,}" if step.total > 1 else ""
        rest = f", about {step.left:.0f} s left" if step.left else ""
        out.row(data, f"{step.part}{count} ({step.seconds:.1f} s{rest})")


@click.group()
def ledger() -> None:
    """The books."""


@ledger.command("verify")
@json_option
def ledger_verify(as_json: bool) -> None:
    """Recompute every balance from its transfers."""
    use_django_patiently()
    from bitgoeul.ledger import facade

    _tell(facade.verify(), "ledger", as_json)


@click.group()
def audit() -> None:
    """The chain of what happened."""


@audit.command("verify")
@json_option
def audit_verify(as_json: bool) -> None:
    """Walk the chain of events and the log of evidence from their first links."""
    use_django_patiently()
    from bitgoeul.audit import facade
    from bitgoeul.trials import facade as trials

    _tell(facade.verify() + trials.verify_log(), "audit", as_json)


def _tell(report: Report, name: str, as_json: bool) -> None:
    """Every finding, then one closing row; exit status 1 when there is a finding."""
    out = Out(as_json)
    for finding in report.findings:
        data = {"check": finding.check, "subject": finding.subject, "text": str(finding.text)}
        out.row(data, f"{finding.check}: {finding.subject}: {finding.text}")
    counted = ", ".join(f"{key} {value}" for key, value in report.counts.items())
    verdict = "clean" if report.ok else f"{len(report.findings)} finding(s)"
    out.row({"verify": name, "ok": report.ok, "counts": dict(report.counts)}, f"{name}: {verdict} ({counted})")
    raise click.exceptions.Exit(0 if report.ok else FINDINGS)


@click.group()
def operator() -> None:
    """People who work for the operator; the pages do the rest once the first of them can sign in."""


@operator.command("add")
@click.argument("email")
@click.option("--role", type=click.Choice(["STAFF", "ENGINEER", "AUDITOR"]), default="STAFF", show_default=True)
@json_option
def operator_add(email: str, role: str, as_json: bool) -> None:
    """Give the person with EMAIL, who has signed up, a role; again changes nothing."""
    use_django()
    from bitgoeul.accounts import facade as accounts

    user_id = accounts.user_id_by_email(email)
    if user_id is None:
        raise bad_input(f"Nobody has signed up with {email}. Sign up at the pages first, then give the role here.")
    accounts.grant_role(
        actor=accounts.Actor.system("command-line"), user_id=user_id, role=accounts.OperatorRole(role)
    )
    Out(as_json).row(
        {"email": email, "role": role}, f"{email} has the role {role}; it works with a second factor."
    )


COMMANDS = (operator, up, journey, restart, check, doctor, migrate, example, ledger, audit)
