"""Set-up: what is skipped, what is refused, and that a refusal says what to do."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import setup as tool  # noqa: E402
import trouble  # noqa: E402


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A bare skeleton of a clone that set-up works on, with every command recorded and none run."""
    root = tmp_path / "clone"
    for name in ("tools", "requirements"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "package.json", "package-lock.json", ".npmrc"):
        shutil.copy(ROOT / name, root / name)
    (root / "src" / "bitgoeul" / "site" / "static").mkdir(parents=True)
    (root / "src" / "bitgoeul" / "site" / "a.py").write_text("A = 1\n")
    monkeypatch.setattr(tool, "ROOT", root)
    monkeypatch.setattr(tool, "VENV", root / ".venv")
    monkeypatch.setattr(tool, "PYTHON", root / ".venv" / "bin" / "python")
    monkeypatch.setattr(tool, "VENDOR", root / "src" / "bitgoeul" / "site" / "static" / "vendor")
    return root


class Recorded(tool.Setup):
    """Does what the commands would leave behind, without network."""

    def command(self, step, what, arguments, *, cwd=None, **environ):
        self.done = [*getattr(self, "done", []), step]
        if step == "Making .venv":
            touch(tool.PYTHON)
        if step == "Installing uv":
            touch(tool.VENV / "bin" / "uv")
        if step == "Installing bitgoeul":
            touch(tool.VENV / "bin" / "bitgoeul")
        if step == "Fetching the static assets":
            for package, entries in json.loads((tool.ROOT / "tools" / "assets.json").read_text()).items():
                for entry in entries:
                    touch(cwd / "node_modules" / package / entry["from"])
        if step == "Migrating the database":
            touch(self.home / "bitgoeul.sqlite3")
        if step == "Compiling the catalogues":
            for name in arguments[2:]:
                touch(Path(name).with_suffix(".mo"))


def touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")


def set_up(home, **options):
    recorded = Recorded(home, out=io.StringIO())
    recorded.run(**options)
    return getattr(recorded, "done", [])


FIRST = [
    "Making .venv",
    "Installing uv",
    "Installing the Python packages",
    "Installing bitgoeul",
    "Fetching the static assets",
    "Migrating the database",
    "Loading the example",
]


def test_a_second_set_up_repeats_nothing(clone, tmp_path):
    assert set_up(tmp_path / "home") == FIRST
    assert set_up(tmp_path / "home") == []


def test_only_what_changed_is_done_again(clone, tmp_path):
    set_up(tmp_path / "home")
    (clone / "src" / "bitgoeul" / "site" / "a.py").write_text("A = 2\n")
    assert set_up(tmp_path / "home") == ["Migrating the database", "Loading the example"]
    with (clone / "requirements" / "runtime.txt").open("a") as lock:
        lock.write("# changed\n")
    assert set_up(tmp_path / "home") == ["Installing the Python packages", "Installing bitgoeul"]
    (clone / "tools" / "assets.json").write_text('{"htmx.org": [{"from": "dist/htmx.min.js", "to": "htmx/h.js"}]}')
    assert set_up(tmp_path / "home") == ["Fetching the static assets"]
    assert [path.name for path in (tool.VENDOR / "htmx").iterdir()] == ["h.js"]
    catalogue = clone / "src" / "bitgoeul" / "site" / "locale" / "ko" / "LC_MESSAGES" / "django.po"
    touch(catalogue)
    assert set_up(tmp_path / "home") == ["Compiling the catalogues"]
    assert set_up(tmp_path / "home") == []


def test_another_home_gets_its_own_database_only(clone, tmp_path):
    set_up(tmp_path / "home")
    assert set_up(tmp_path / "other") == ["Migrating the database", "Loading the example"]


def test_production_loads_no_example(clone, tmp_path, monkeypatch):
    monkeypatch.setenv("BITGOEUL_MODE", "production")
    assert "Loading the example" not in set_up(tmp_path / "home")


def test_test_tools_stay_once_they_are_there(clone, tmp_path):
    set_up(tmp_path / "home", dev=True)
    touch(tool.VENV / "bin" / "pytest")
    assert set_up(tmp_path / "home") == []
    stamp = tool.read_stamp(tool.VENV / "bitgoeul-setup.json")
    assert stamp["tools"] == "dev"


def test_a_step_that_failed_is_done_again(clone, tmp_path):
    class Failing(Recorded):
        def command(self, step, what, arguments, **options):
            if step == "Loading the example":
                raise trouble.Trouble("planted", "none")
            super().command(step, what, arguments, **options)

    with pytest.raises(trouble.Trouble, match="planted"):
        Failing(tmp_path / "home", out=io.StringIO()).run()
    assert set_up(tmp_path / "home") == ["Migrating the database", "Loading the example"]


def test_an_asset_that_the_package_lacks_is_named(tmp_path):
    with pytest.raises(trouble.Trouble, match="The npm package x holds no y"):
        tool.copy_assets(tmp_path, tmp_path / "to", {"x": [{"from": "y", "to": "z"}]})


def test_the_home_does_not_depend_on_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert tool.home_from({}) == ROOT / "var"
    assert tool.home_from({"BITGOEUL_HOME": "here"}) == tmp_path / "here"


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("error: failed to write: No space left on device (os error 28)", "is full"),
        ("npm error code ENOSPC", "is full"),
        ("django.db.utils.OperationalError: database or disk is full", "is full"),
        ("error: Failed to fetch: `x`\n  Caused by: dns error: failed to lookup address", "network"),
        ("npm error code ENOTFOUND", "network"),
        ("ERROR: Could not find a version\nERROR: No matching distribution found for uv==1", "network"),
        ("SSL: CERTIFICATE_VERIFY_FAILED", "certificate"),
        ("invalid peer certificate: UnknownIssuer; error sending request", "certificate"),
        ("error: Hash mismatch for `click`", "hashes"),
        ("npm error code EINTEGRITY", "hashes"),
        ("Traceback\nValueError: nobody foresaw this", "nobody foresaw this"),
    ],
)
def test_a_failed_command_is_explained(output, said, tmp_path):
    found = trouble.explain("Doing it", "What it does", output, tmp_path / "setup.log", tmp_path)
    assert said in found.what
    assert found.remedy


def test_a_full_disk_is_said_before_it_is_filled(clone, tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 100 * 2**20})
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    with pytest.raises(trouble.Trouble, match="is full \\(100 MiB free\\)"):
        set_up(tmp_path / "home")
    assert not tool.VENV.exists()
    assert trouble.is_disk_full(OSError(errno.ENOSPC, "x"))
    assert not trouble.is_disk_full(OSError(errno.EACCES, "x"))


def test_a_missing_venv_module_is_answered_with_the_apt_line(clone, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    with pytest.raises(trouble.Trouble) as refused:
        set_up(tmp_path / "home")
    major, minor = sys.version_info[:2]
    assert f"sudo apt install python{major}.{minor}-venv" in refused.value.remedy


def test_a_wrong_python_is_answered_with_the_apt_line(tmp_path):
    old = tmp_path / "bin" / "python3"
    touch(old)
    old.write_text('#!/bin/sh\n[ "$1" = -V ] && echo Python 3.9.2 && exit 0\nexit 1\n')
    old.chmod(0o755)
    for name in ("sh", "dirname", "cut"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name))
    done = subprocess.run(
        [str(ROOT / "run")], env={"PATH": str(tmp_path / "bin")}, capture_output=True, text=True, timeout=20
    )
    assert done.returncode == 2
    assert "bitgoeul needs Python 3.11, 3.12 or 3.13; python3 is 3.9.2." in done.stderr
    assert "sudo apt install python3 python3-venv" in done.stderr


@pytest.mark.slow
def test_without_network_set_up_says_so_and_leaves_nothing_half_done(tmp_path):
    """A real clone of the launchers against an index that refuses every connection."""
    root = tmp_path / "clone"
    root.mkdir()
    for name in ("run", "tools", "requirements", "pyproject.toml", "package.json", "package-lock.json", ".npmrc"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, root / name)
    dead = "http://127.0.0.1:9"
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHON": sys.executable,
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_CACHE_DIR": "1",
        "PIP_INDEX_URL": dead,
        "UV_DEFAULT_INDEX": dead,
        "npm_config_registry": dead,
    }
    done = subprocess.run([str(root / "run"), "--setup"], env=environ, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "could not be fetched: the network or the package source does not answer." in done.stderr
    assert "Traceback" not in done.stderr
    assert not (root / ".venv" / "bitgoeul-setup.json").exists()


def test_lock_files_carry_hashes_and_name_no_host():
    lock = (ROOT / "package-lock.json").read_text()
    packages = json.loads(lock)["packages"]
    assert all("integrity" in package for name, package in packages.items() if name)
    assert "://" not in lock
    for name in ("runtime", "dev", "node"):
        text = (ROOT / "requirements" / f"{name}.txt").read_text()
        assert "://" not in text
        wanted = [line for line in text.splitlines() if re.match(r"^[a-z0-9_.-]+(\[.*\])?==", line)]
        assert len(wanted) >= 1
        assert all(line.endswith("\\") for line in wanted), "a package without a hash"


def test_every_runtime_package_has_the_same_version_in_the_test_environment():
    def versions(name):
        text = (ROOT / "requirements" / f"{name}.txt").read_text()
        return dict(re.findall(r"^([a-z0-9_.-]+)==([^ ;\\]+)", text, re.MULTILINE))

    runtime, dev = versions("runtime"), versions("dev")
    assert {name: dev.get(name) for name in runtime} == runtime


def test_the_lock_entry_of_uv_stands_alone():
    text = (
        "a==1 \\\n    --hash=sha256:1\nuv==2 \\\n    --hash=sha256:2 \\\n    --hash=sha256:3\n    # via x\nz==1\n"
    )
    assert tool.lock_entry(text, "uv") == "uv==2 \\\n    --hash=sha256:2 \\\n    --hash=sha256:3\n"
    with pytest.raises(trouble.Trouble, match="does not hold nothing"):
        tool.lock_entry(text, "nothing")


def test_the_digest_sees_names_and_contents(tmp_path):
    (tmp_path / "a").write_text("1")
    (tmp_path / "b").write_text("2")
    first = tool.digest_of([tmp_path / "a", tmp_path / "b"], base=tmp_path)
    (tmp_path / "a").write_text("2")
    (tmp_path / "b").write_text("1")
    assert tool.digest_of([tmp_path / "a", tmp_path / "b"], base=tmp_path) != first
    assert len(first) == hashlib.sha256().digest_size * 2
