"""Pack what a closed network needs into one tar: the code, the locked wheels, the static files, checksums.

python tools/bundle.py [FOLDER]     writes FOLDER/bitgoeul-COMMIT-pyXY-MACHINE.tar (FOLDER: build)

On the other side `./run --setup` finds the folder ``wheels`` and asks no network. Standard library only; needs the
network, and the same Python and machine as the other side.
"""

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from setup import ASSET_INPUTS, PYTHON, ROOT, VENDOR, digest_of, read_stamp
from trouble import Trouble

SECONDS_MAX = 1800


def run(*arguments: str) -> str:
    """A command's output; `Trouble` when it fails."""
    done = subprocess.run(
        arguments,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    if done.returncode:
        raise Trouble(
            f"{' '.join(arguments[:4])} failed.\n{done.stderr[-2000:]}", "Correct it and run it again.", 1
        )
    return done.stdout


def code(folder: Path) -> None:
    """What is committed, and nothing else of this clone."""
    archive = folder.with_suffix(".code.tar")
    run("git", "archive", "--output", str(archive), "HEAD")
    with tarfile.open(archive) as tar:
        # Python before 3.11.4 has no filters; the archive is git's own.
        tar.extraction_filter = getattr(tarfile, "data_filter", None)
        tar.extractall(folder)  # noqa: S202 - what git itself packed from this repository
    archive.unlink()


def assets(folder: Path) -> None:
    """The static files that set-up fetched here, with the stamp that tells set-up to fetch nothing."""
    if read_stamp(VENDOR / "setup.json") != {"inputs": digest_of(ROOT / name for name in ASSET_INPUTS)}:
        raise Trouble("The static files are not those of the lock file.", "./run --setup, then again.")
    shutil.copytree(VENDOR, folder / VENDOR.relative_to(ROOT))


def wheels(folder: Path) -> None:
    """Every wheel of the lock file for this Python and machine, by hash."""
    lock = str(ROOT / "requirements" / "runtime.txt")
    options = ["--no-deps", "--require-hashes", "--only-binary=:all:", "--disable-pip-version-check", "-q"]
    run(str(PYTHON), "-m", "pip", "download", *options, "--dest", str(folder / "wheels"), "-r", lock)


def checksums(folder: Path) -> None:
    """``SHA256SUMS`` over every file, as `sha256sum -c` reads it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n" for path in files]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


def main() -> int:
    """Write the bundle; tells where it is."""
    target = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build").resolve()
    target.mkdir(parents=True, exist_ok=True)
    commit = run("git", "rev-parse", "--short=12", "HEAD").strip()
    version = f"{sys.version_info.major}{sys.version_info.minor}"
    name = f"bitgoeul-{commit}-py{version}-{platform.machine()}"
    with tempfile.TemporaryDirectory(dir=target, prefix="bundle-") as work:
        folder = Path(work) / name
        for step in (code, assets, wheels, checksums):
            print(f"  {step.__name__} …", flush=True)
            step(folder)
        draft = Path(work) / "bundle.tar"
        with tarfile.open(draft, "w") as tar:
            tar.add(folder, name)
        draft.rename(target / f"{name}.tar")
    print(target / f"{name}.tar")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Trouble as trouble:
        print(f"\n{trouble.what}\n{trouble.remedy}", file=sys.stderr)
        sys.exit(trouble.status)
