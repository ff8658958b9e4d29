"""`./run`: set up what is missing, then become the supervisor. Standard library only."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from setup import ROOT, VENV, Setup, home_from
from trouble import Trouble, disk_full, is_disk_full

EPILOG = "BITGOEUL_HOME moves everything that is written (default: var/ beside this file)."


def arguments() -> argparse.Namespace:
    """The command line of `./run`."""
    parser = argparse.ArgumentParser(prog="./run", description=__doc__.split(".")[0] + ".", epilog=EPILOG)
    parser.add_argument("--setup", action="store_true", help="only set up")
    parser.add_argument(
        "--journey",
        action="store_true",
        help="make one new attempt on a free port, then stop; exit 0 when all held",
    )
    parser.add_argument(
        "--json", action="store_true", help="with --journey: the result as JSON, last on standard output"
    )
    parser.add_argument("--port", type=int, default=None, help="the port of the portal (default 8000)")
    chosen = parser.parse_args()
    if chosen.json and not chosen.journey:
        parser.error("--json goes with --journey")
    if chosen.journey and chosen.port is not None:
        parser.error("--journey takes a free port by itself")
    return chosen


def next_command(chosen: argparse.Namespace) -> list[str]:
    """What this process turns into after set-up."""
    bitgoeul = str(VENV / "bin" / "bitgoeul")
    if chosen.journey:
        return [bitgoeul, "journey", *(["--json"] if chosen.json else [])]
    return [bitgoeul, "up", "--first-journey", *(["--port", str(chosen.port)] if chosen.port is not None else [])]


def unwritable(error: OSError, home: Path) -> Trouble:
    """The system refused a file of the home or of the clone; anything else stays an error of ours."""
    if error.filename is None:
        raise error
    return Trouble(
        f"{error.filename} cannot be used: {error.strerror}.",
        f"Set-up writes to {home} and to {ROOT}; both must be yours to write.\n"
        "Another place for the first: BITGOEUL_HOME=/path/you/own ./run",
    )


def main() -> int:
    """Set up, then exec; returns an exit status only for --setup and refusals."""
    chosen = arguments()
    home = home_from(os.environ)
    setup = Setup(home, out=sys.stderr if chosen.json else sys.stdout)
    try:
        setup.run()
    except Trouble as trouble:
        print(f"\n{trouble.what}\n{trouble.remedy}", file=sys.stderr)
        return trouble.status
    except OSError as error:
        trouble = disk_full(home, ROOT) if is_disk_full(error) else unwritable(error, home)
        print(f"\n{trouble.what}\n{trouble.remedy}", file=sys.stderr)
        return trouble.status
    except KeyboardInterrupt:
        print("\nStopped. The same command continues where this one stopped.", file=sys.stderr)
        return 130
    if chosen.setup:
        setup.say(f"Ready in {home}. Start it with {ROOT / 'run'}")
        return 0
    command = next_command(chosen)
    os.environ["BITGOEUL_HOME"] = str(home)
    os.execv(command[0], command)  # noqa: S606 - a shell would only stand between the signals and us


if __name__ == "__main__":
    sys.exit(main())
