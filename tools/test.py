"""`./test`: set up with the test tools, then every check. `--all` adds what needs Chromium.

Standard library only.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys

import checks as gates
from setup import PYTHON, ROOT, Setup, home_from
from trouble import Trouble, disk_full, is_disk_full

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PACKAGES = ("chromium", "fonts-nanum")
APT_SECONDS_MAX = 900


def browser() -> str | None:
    """The path of an installed Chromium."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def has_korean_font() -> bool:
    """Whether a page in Korean would show letters and not boxes."""
    if not shutil.which("fc-list"):
        return False
    listed = subprocess.run(["fc-list", ":lang=ko"], capture_output=True, text=True, timeout=60, check=False)
    return bool(listed.stdout.strip())


def install_browser() -> None:
    """Install Chromium and a Korean font as root; raises `Trouble` with the line to run otherwise."""
    if browser() and has_korean_font():
        return
    line = f"apt-get install --yes --no-install-recommends {' '.join(PACKAGES)}"
    if os.geteuid() != 0:
        raise Trouble(
            "The browser tests need Chromium and a Korean font, and installing them needs root.",
            f"sudo {line}\nThen run ./test --all again, or ./test without them.",
        )
    environ = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "-q"], line.split()):
        done = subprocess.run(command, env=environ, stdin=subprocess.DEVNULL, timeout=APT_SECONDS_MAX, check=False)
        if done.returncode:
            raise Trouble(f"{' '.join(command)} failed.", "Correct it, or run ./test without the browser.", 1)


def run(title: str, command: list[str]) -> bool:
    """Run one check with its own output; tells whether it passed."""
    print(f"\n== {title}", flush=True)
    return subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, check=False).returncode == 0


def checks(*, everything: bool, chosen: list[str]) -> int:
    """Run every check even after a failure, then say what failed and what was left out."""
    failed = [] if chosen else [name for name in gates.commands() if not gates.holds(name)]
    marks = [] if everything else ["-m", "not browser"]
    if not run("tests", [str(PYTHON), "-m", "pytest", "-q", *marks, *chosen]):
        failed.append("tests")
    print()
    if not everything:
        print("Left out: the browser tests (./test --all runs them).")
    if failed:
        print(f"Failed: {', '.join(failed)}.")
        return 1
    print("Passed.")
    return 0


def main() -> int:
    """Set up, check, answer with an exit status."""
    parser = argparse.ArgumentParser(prog="./test", description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true", help="also the browser tests; installs Chromium as root")
    parser.add_argument("chosen", nargs="*", help="only these tests (paths or pytest arguments after --)")
    given = parser.parse_args()
    home = home_from(os.environ)
    try:
        Setup(home).run(dev=True)
        if given.all:
            install_browser()
        return checks(everything=given.all, chosen=given.chosen)
    except Trouble as trouble:
        print(f"\n{trouble.what}\n{trouble.remedy}", file=sys.stderr)
        return trouble.status
    except OSError as error:
        if not is_disk_full(error):
            raise
        full = disk_full(home, ROOT)
        print(f"\n{full.what}\n{full.remedy}", file=sys.stderr)
        return full.status
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
