"""Which tier jobs get: the best that works here, found by running a job that tries to break out of it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from bitgoeul.compute.ports import Ending, JobSpec, Limits, Tier
from bitgoeul.kernel.clock import now, rfc3339
from bitgoeul.kernel.ids import new_id

from ..files import read_record, write_record
from ..jobdir import JobDir
from ..processes import identity_of
from ..slots import Grant
from . import bubblewrap, cgroups, landlock, places, probe_program, seccomp
from .enclosure import Isolation
from .seccomp import NotHere

PROBE_SECONDS = 20
PROBE_LIMITS = Limits(cores=1, memory_mib=96, wall_seconds=10, processes=8, file_mib=1, work_mib=4)
RECORD = "isolation.json"

_known: dict[tuple[str, ...], Isolation] = {}
_finding = threading.Lock()


def best(home: Path, wanted: str) -> Isolation:
    """The isolation for jobs of the engine over ``home``: the best when ``wanted`` is "auto", else that tier.

    A tier that does not work falls back to the next lower one, with the reason in ``why_not``; who asked for more
    compares. Found once a start of the platform; kept in ``isolation.json`` for restarts and for other processes.
    """
    key = (wanted, str(places.holds(home)), *_circumstances())
    with _finding:
        if key not in _known:
            _known[key] = _recorded(home, key) or find(home, wanted)
        if _recorded(home, key) is None:
            record = {"key": list(key), "isolation": _known[key].to_json(), "found_at": rfc3339(now())}
            write_record(home / RECORD, record)
        return _known[key]


def recorded(home: Path) -> Isolation | None:
    """What was found last for ``home``; None before the first job."""
    record = read_record(home / RECORD)
    return Isolation.from_json(record["isolation"]) if record else None


def _circumstances() -> tuple[str, ...]:
    """What a finding depends on; another boot, supervisor, user or bubblewrap asks for a new one."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    supervisor = os.environ.get("BITGOEUL_SUPERVISOR") or str(identity_of(os.getpid()))
    return boot, supervisor, str(os.getuid()), str(shutil.which("bwrap")), sys.prefix


def _recorded(home: Path, key: tuple[str, ...]) -> Isolation | None:
    record = read_record(home / RECORD)
    return Isolation.from_json(record["isolation"]) if record and tuple(record["key"]) == key else None


def find(home: Path, wanted: str) -> Isolation:
    """Try the tiers from ``wanted`` downwards; see `best`."""
    highest = Tier.CONTAINER if wanted == "auto" else Tier(wanted)
    why_not: dict[str, str] = {}
    for tier in sorted((t for t in Tier if t.rank <= highest.rank), key=lambda t: -t.rank):
        try:
            return _found(home, tier, why_not)
        except NotHere as error:
            why_not[str(tier)] = str(error)
    raise AssertionError("limits are always there")


def _found(home: Path, tier: Tier, why_not: Mapping[str, str]) -> Isolation:
    """``tier`` ready to use, or `NotHere`; a container whose cgroups fail is tried again without them."""
    isolation = BUILD[tier](home)
    if tier is Tier.LIMITS:
        return replace(isolation, why_not={**isolation.why_not, **why_not})
    if isolation.cgroups is not None:
        try:
            probe(home, isolation)
        except NotHere as error:
            isolation = replace(isolation, cgroups=None, why_not={"cgroups": str(error)})
            probe(home, isolation)
    else:
        probe(home, isolation)
    return replace(isolation, why_not={**isolation.why_not, **why_not})


def _limits(_home: Path) -> Isolation:
    return Isolation()


def _landlock(home: Path) -> Isolation:
    _refuse_open_home(home)
    try:
        landlock.version()
    except OSError as error:
        raise NotHere(f"Landlock: {error.strerror}") from error
    return Isolation(Tier.LANDLOCK, seccomp.program())


def _container(home: Path) -> Isolation:
    _refuse_open_home(home)
    path, disable_userns = bubblewrap.find()
    made = Isolation(Tier.CONTAINER, seccomp.program(), path, disable_userns)
    try:
        return replace(made, cgroups=cgroups.find(f"probe-{new_id()}"))
    except NotHere as error:
        return replace(made, why_not={"cgroups": str(error)})


def _refuse_open_home(home: Path) -> None:
    within = places.holds(home)
    if within is not None:
        raise NotHere(f"the engine's home lies in {within}, which every job may read")


BUILD: Mapping[Tier, Callable[[Path], Isolation]] = {
    Tier.LIMITS: _limits,
    Tier.LANDLOCK: _landlock,
    Tier.CONTAINER: _container,
}


# --- trying it


def probe(home: Path, isolation: Isolation) -> None:
    """Run a job under ``isolation`` that tries to break out; raises `NotHere` when something gave way."""
    place = home / "probe" / str(new_id())
    canary = place / "canary"
    try:
        for name in ("", "work", "tmp"):
            (place / name).mkdir(mode=0o700, parents=True)
        canary.write_text("nobody's business", encoding="ascii")
        (place / "work" / "probe.py").write_bytes(Path(probe_program.__file__).read_bytes())
        with socket.create_server(("127.0.0.1", 0)) as service:
            _run(place, isolation, service.getsockname()[1], canary)
        _judge(JobDir(place), isolation)
    except OSError as error:
        raise NotHere(f"the trial job could not run: {error}") from error
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _run(place: Path, isolation: Isolation, port: int, canary: Path) -> None:
    argv = ("python", "-I", "probe.py", str(canary), str(port), str(os.getpid()))
    spec = JobSpec(new_id(), "probe", argv, {}, {}, (), PROBE_LIMITS, {})
    job = JobDir(place)
    job.write("spec", {"spec": spec.to_json(), "submitted_at": rfc3339(now()), "order": 0}, durable=False)
    grant = Grant((0,), PROBE_LIMITS.memory_mib, {})
    launch = {"grant": grant.to_json(), "launches": 1, "isolation": isolation.to_json()}
    job.write("launch", launch, durable=False)
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-m", "bitgoeul.engines.local.wrapper", str(place)],
            cwd=place,
            env={"LANG": "C.UTF-8", "PATH": "/usr/local/bin:/usr/bin:/bin"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PROBE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NotHere(f"a trial job did not end within {PROBE_SECONDS} s") from error
    if done.returncode != 0:
        raise NotHere(f"a trial job could not run: {done.stderr.strip().splitlines()[-1:]}")


def _judge(job: JobDir, isolation: Isolation) -> None:
    end = job.read("exit") or {"ending": "", "params": {}}
    lines = _text(job.path / "stdout").splitlines()
    if lines[-1:] != ["tried"]:
        said = (end["params"].get("detail") or _text(job.path / "stderr")).strip().splitlines()
        raise NotHere(f"a trial job did not start: {said[-1] if said else end['ending']}")
    if (job.path / "canary.written").exists():
        raise NotHere("a file could be written in the home")
    if lines != ["tried"]:
        raise NotHere(", ".join(lines[:-1]))
    if end["ending"] != Ending.MEMORY_LIMIT:
        raise NotHere(f"the memory limit did not end a trial job ({end['ending']})")
    if isolation.cgroups is not None and not end.get("oom_kills"):
        raise NotHere("the memory limit of a cgroup had no effect")


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
