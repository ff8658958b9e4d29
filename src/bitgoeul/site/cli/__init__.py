"""The command line `bitgoeul`: operators act on this installation, users speak to the REST API.

Exit status: 0 done, 1 findings, 2 bad input. With ``--json`` a command prints JSON Lines alone on standard output;
text for people goes to standard error then. Nothing heavy is imported before a command needs it.
"""

from __future__ import annotations

import signal
import sys
from importlib.metadata import version

import click

from bitgoeul.kernel.errors import DomainError

from . import cluster, evidence, looking, operator, safekeeping, sweep, target, telemetry, usage, user


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(version("bitgoeul"), prog_name="bitgoeul")
def cli() -> None:
    """Run a public AI cluster: allocations, jobs, trials, evidence and public figures."""


for group in (operator, cluster, safekeeping, user, sweep, looking, evidence, usage, target, telemetry):
    for command in group.COMMANDS:
        cli.add_command(command)


def main() -> None:
    """Entry point; turns refusals into a text, a remedy and exit status 2."""
    # `bitgoeul … | head` must end quietly, as every other program does.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        # Without standalone mode click hands the status of an Exit back instead of ending the process.
        status = cli.main(standalone_mode=False)
        sys.exit(status if isinstance(status, int) else 0)
    except click.ClickException as refusal:
        refusal.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except DomainError as refusal:
        click.echo(f"{refusal.text}" + (f"\n{refusal.remedy}" if refusal.remedy else ""), err=True)
        sys.exit(2)
