"""`./test`: set up with the test tools, then every check. `--all` adds Chromium, PostgreSQL and Slurm.

Standard library only.
"""

from __future__ import annotations

import argparse
import ctypes.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import checks as gates
import postgres
import slurm_testbed
from setup import PYTHON, ROOT, Setup, home_from
from trouble import Trouble, disk_full, is_disk_full

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PACKAGES = ("chromium", "fonts-nanum")
ISOLATION_PACKAGES = ("bubblewrap", "libseccomp2")
APT_SECONDS_MAX = 900
# Nothing below these asks a database: on PostgreSQL they would only say the same once more.
WITHOUT_DATABASE = (
    "tests/documents", "tests/engines", "tests/kernel", "tests/protocols", "tests/published", "tests/targets",
    "tests/telemetry", "tests/site/test_messages.py", "tests/site/test_setup.py", "tests/site/test_templates.py",
    "tests/trials/evidence/test_browser_verifier.py", "tests/trials/evidence/test_verify.py",
)  # fmt: skip
# Reads the query plans of SQLite, and multiplies the example by SQLite's own SQL; the tutorial is of the default.
ONLY_SQLITE = ("tests/scale", "tests/docs")
# On every core, the tests of one file on the same.
SHARED = ("-n", "auto", "--dist", "loadfile")
# Once is enough for these, on PostgreSQL, beside the two suites. They look at pages as they are drawn, or need a
# cluster of eleven daemons; what the rooms do behind them is tested on both.
ONCE = ("tests/slurm", "tests/browser", "tests/trials/evidence/test_in_chromium.py")


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
    if not browser() or not has_korean_font():
        install("The browser tests need Chromium and a Korean font", PACKAGES)


def install_postgresql() -> None:
    """Install Debian's PostgreSQL as root; raises `Trouble` with the line to run otherwise.

    The package starts a cluster of the system when it can; the tests never use or touch it.
    """
    if postgres.programs() is None:
        install(f"The tests on PostgreSQL need PostgreSQL {postgres.VERSION_MIN} or later", (postgres.PACKAGE,))
        postgres.need_programs()


def install_isolation() -> None:
    """Install what the higher tiers of isolation need, whose tests are skipped without it."""
    if not shutil.which("bwrap") or not ctypes.util.find_library("seccomp"):
        install("The tests of isolated jobs need bubblewrap and libseccomp2", ISOLATION_PACKAGES)


def install(why: str, packages: tuple[str, ...]) -> None:
    """Install Debian packages as root; raises `Trouble` otherwise."""
    line = f"apt-get install --yes --no-install-recommends {' '.join(packages)}"
    if os.geteuid() != 0:
        raise Trouble(
            f"{why}, and installing needs root.",
            f"sudo {line}\nThen run ./test --all again, or ./test without it.",
        )
    environ = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "-q"], line.split()):
        done = subprocess.run(command, env=environ, stdin=subprocess.DEVNULL, timeout=APT_SECONDS_MAX, check=False)
        if done.returncode:
            raise Trouble(f"{' '.join(command)} failed.", "Correct it, or run ./test without --all.", 1)


def run(title: str, command: list[str]) -> bool:
    """Run one check with its own output; tells whether it passed."""
    print(f"\n== {title}", flush=True)
    return subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, check=False).returncode == 0


def pytest(*arguments: str) -> list[str]:
    """The command that runs tests and says why one was skipped."""
    return [str(PYTHON), "-m", "pytest", "-q", "-rs", *arguments]


def ignoring(*paths: str) -> list[str]:
    """The arguments that leave tests out."""
    return [f"--ignore={path}" for path in paths]


@contextmanager
def beside(name: str, arguments: list[str]) -> Iterator[Callable[[], bool]]:
    """Tests at the same time on a PostgreSQL server of their own, which is gone afterwards.

    Yields what waits for their end, prints their output and tells whether they passed.
    """
    output = ROOT / "build" / f"test-{name.replace(' ', '-')}.txt"
    output.parent.mkdir(exist_ok=True)
    with postgres.throwaway() as server, output.open("w", encoding="utf-8") as file:
        environ = os.environ | {postgres.URL_VARIABLE: server.url()}
        suite = subprocess.Popen(
            pytest(*arguments), cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, stdout=file, stderr=file
        )

        def passed() -> bool:
            status = suite.wait()
            print(f"\n== {name}\n{output.read_text(encoding='utf-8', errors='replace')}", flush=True)
            return status == 0

        try:
            yield passed
        finally:
            suite.terminate()
            suite.wait()


def suites(*, everything: bool, chosen: list[str]) -> list[str]:
    """Run the suite on SQLite, with ``everything`` on PostgreSQL beside it; names those that failed."""
    os.environ.pop(postgres.URL_VARIABLE, None)
    if not everything:
        shared = () if chosen else SHARED
        held = run("tests on SQLite", pytest("-m", "not browser and not slurm", *shared, *chosen))
        return [] if held else ["tests on SQLite"]
    print("\nWhat runs on PostgreSQL runs beside the suite on SQLite; its output follows at the end.", flush=True)
    others = {"tests on PostgreSQL": chosen or ignoring(*WITHOUT_DATABASE, *ONLY_SQLITE, *ONCE)}
    if not chosen:
        others["Slurm and drawn pages"] = list(ONCE)
    with ExitStack() as stack:
        waiting = {name: stack.enter_context(beside(name, arguments)) for name, arguments in others.items()}
        held = {"tests on SQLite": run("tests on SQLite", pytest(*(chosen or ignoring(*ONCE))))}
        held |= {name: passed() for name, passed in waiting.items()}
    return [name for name, passed in held.items() if not passed]


def checks(*, everything: bool, chosen: list[str]) -> int:
    """Run every check even after a failure, then say what failed and what was left out."""
    failed = [] if chosen else [name for name in gates.commands() if not gates.holds(name)]
    failed += suites(everything=everything, chosen=chosen)
    print()
    if not everything:
        print("Left out: the browser tests, Slurm, and everything on PostgreSQL (./test --all runs them).")
    elif not chosen:
        print(f"Left out on PostgreSQL, as they use no database: {', '.join(WITHOUT_DATABASE)}.")
        print(f"Left out on PostgreSQL, as they are about SQLite: {', '.join(ONLY_SQLITE)}.")
        print(f"Run once, on PostgreSQL: {', '.join(ONCE)}.")
    if failed:
        print(f"Failed: {', '.join(failed)}.")
        return 1
    print("Passed.")
    return 0


def main() -> int:
    """Set up, check, answer with an exit status."""
    parser = argparse.ArgumentParser(prog="./test", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--all", action="store_true", help="also browser, PostgreSQL and Slurm; installs them as root"
    )
    parser.add_argument("chosen", nargs="*", help="only these tests (paths or pytest arguments after --)")
    given = parser.parse_args()
    home = home_from(os.environ)
    postgres.clean_up_when_ended()
    try:
        Setup(home).run(dev=True)
        if given.all:
            install_browser()
            install_postgresql()
            install_isolation()
            slurm_testbed.install()
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
