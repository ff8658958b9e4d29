"""What can go wrong at set-up, said so that a newcomer knows what to do. Standard library only."""

from __future__ import annotations

import errno
import re
import shutil
from pathlib import Path

ROOM_NEEDED_MIB = 1500
DISK_FULL = re.compile(r"No space left on device|ENOSPC|Disk quota exceeded|os error 28|database or disk is full")
UNREACHABLE = re.compile(
    r"dns error|error sending request|Failed to fetch|Could not connect|tcp connect error|Connection refused"
    r"|Connection reset|NewConnectionError|ConnectTimeout|Max retries exceeded|ENOTFOUND|ECONNREFUSED|ECONNRESET"
    r"|Temporary failure in name resolution|EAI_AGAIN|ETIMEDOUT|ENETUNREACH|Network is unreachable"
    r"|network timeout|operation timed out|No matching distribution found",
    re.IGNORECASE,
)
CERTIFICATE = re.compile(
    r"CERTIFICATE_VERIFY_FAILED|invalid peer certificate|SELF_SIGNED_CERT|UNABLE_TO_(GET|VERIFY)"
)
WRONG_HASH = re.compile(r"Hash mismatch|DO NOT MATCH THE HASHES|EINTEGRITY", re.IGNORECASE)


class Trouble(Exception):
    """A refusal with its remedy; printed without a traceback."""

    def __init__(self, what: str, remedy: str, status: int = 2) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy
        self.status = status


def no_venv(version: tuple[int, int]) -> Trouble:
    """Debian and Ubuntu split the venv module off; name the package of this very Python."""
    major, minor = version
    return Trouble(
        f"Python {major}.{minor} is here, but its venv module is not.",
        f"sudo apt install python{major}.{minor}-venv\nThen run the same command again.",
    )


def disk_full(*paths: Path) -> Trouble:
    """One of ``paths`` is on a file system without room: the fullest is named. A path need not exist."""
    existing = [next(each for each in (path, *path.parents) if each.exists()) for path in paths]
    free, path = min((shutil.disk_usage(path).free // 2**20, path) for path in existing)
    return Trouble(
        f"The disk that holds {path} is full ({free} MiB free).",
        f"Make room: a first set-up needs about {ROOM_NEEDED_MIB} MiB. What is written to var/ can stand on\n"
        "another disk: BITGOEUL_HOME=/path/with/room ./run\n"
        "Then run the same command again; it continues where it stopped.",
    )


def unreachable(what: str) -> Trouble:
    """A package source did not answer."""
    return Trouble(
        f"{what} could not be fetched: the network or the package source does not answer.",
        "Set-up downloads once; later starts need no network. Check the connection. Behind a proxy set\n"
        "HTTPS_PROXY; with a mirror set UV_DEFAULT_INDEX, PIP_INDEX_URL and npm_config_registry.\n"
        "Then run the same command again; it continues where it stopped.",
    )


def explain(step: str, what: str, output: str, log: Path, home: Path) -> Trouble:
    """Turn a failed command's output into a refusal: disk, certificate, hash, network, or its last lines."""
    if DISK_FULL.search(output):
        return disk_full(home, Path(__file__))
    if CERTIFICATE.search(output):
        return Trouble(
            f"{what} could not be fetched: the certificate of the package source is not trusted.",
            "If your network inspects traffic, install its certificate in the system's store\n"
            "(/usr/local/share/ca-certificates, then sudo update-ca-certificates) and run the same command again.",
        )
    if WRONG_HASH.search(output):
        return Trouble(
            f"{what} did not match the hashes in the lock file, and nothing of it was installed.",
            "The package source or something on the way altered a file. Try another network or mirror.\n"
            f"Details: {log}",
        )
    if UNREACHABLE.search(output):
        return unreachable(what)
    last = "\n".join("    " + line for line in output.strip().splitlines()[-8:])
    return Trouble(f"{step} failed.\n{last}", f"The whole output is in {log}", status=1)


def is_disk_full(error: OSError) -> bool:
    """Whether the system says that there is no room."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)
