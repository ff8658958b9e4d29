"""Processes by pid and start time, read from /proc; a zombie counts as dead."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024
MARKER = "BITGOEUL_JOB_ID"


@dataclass(frozen=True)
class Identity:
    """One process for all time of this boot: a pid alone is reused, a pid with its start time is not."""

    pid: int
    start: int

    def __str__(self) -> str:
        return f"{self.pid}:{self.start}"

    @classmethod
    def parse(cls, text: str) -> Identity:
        """Read ``pid:starttime``; raises ValueError."""
        pid, _, start = text.partition(":")
        return cls(int(pid), int(start))

    def alive(self) -> bool:
        """Whether this very process still runs."""
        return identity_of(self.pid) == self


@dataclass(frozen=True)
class Stat:
    """The few fields of ``/proc/<pid>/stat`` that matter here; see proc(5)."""

    pid: int
    state: str
    parent: int
    group: int
    session: int
    ticks: int
    start: int

    @property
    def dead(self) -> bool:
        """A zombie or a process being removed."""
        return self.state in "ZXx"


def read_stat(pid: int) -> Stat | None:
    """The process's fields, or None when it is gone."""
    try:
        text = (PROC / str(pid) / "stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name stands in parentheses and may itself hold spaces and parentheses.
    fields = text[text.rindex(b")") + 2 :].split()
    ticks = sum(map(int, fields[11:15]))
    parent, group, session = map(int, fields[1:4])
    return Stat(pid, fields[0].decode(), parent, group, session, ticks, int(fields[19]))


def identity_of(pid: int) -> Identity | None:
    """Pid and start time (clock ticks since boot) of a live process; None for none or a zombie."""
    stat = read_stat(pid)
    return None if stat is None or stat.dead else Identity(pid, stat.start)


def all_pids() -> list[int]:
    """Every process id there is now."""
    return [int(entry.name) for entry in os.scandir(PROC) if entry.name.isdigit()]


def descendants(root: int) -> list[Identity]:
    """Live processes below ``root``, by one scan of /proc; a setsid does not take a process out of it."""
    return [Identity(stat.pid, stat.start) for stat in _stats_below(root)]


def _stats_below(root: int) -> list[Stat]:
    children: dict[int, list[Stat]] = {}
    for pid in all_pids():
        stat = read_stat(pid)
        if stat is not None:
            children.setdefault(stat.parent, []).append(stat)
    found, todo = [], [root]
    while todo:
        below = children.get(todo.pop(), [])
        todo += [stat.pid for stat in below]
        found += [stat for stat in below if not stat.dead]
    return found


def kill_descendants(root: int) -> None:
    """SIGKILL everything below ``root``, which must not be in a process group of its descendants.

    Whole process groups first: one call ends a group at one moment, so that a fork bomb cannot outrun it.
    """
    below = _stats_below(root)
    for group in {stat.group for stat in below} - {os.getpgid(root)}:
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            continue
    for stat in below:
        send(Identity(stat.pid, stat.start), signal.SIGKILL)


def group_of(pid: int, among: Iterable[int]) -> list[Identity]:
    """Live processes of ``among`` in the process group of ``pid``."""
    leader = read_stat(pid)
    stats = [stat for stat in map(read_stat, among) if stat is not None and not stat.dead]
    return [Identity(stat.pid, stat.start) for stat in stats if leader and stat.group == leader.group]


def tree(root: int) -> list[int]:
    """Processes below ``root`` by the kernel's lists of children: cheap, may miss one that is being born.

    Good for watching; killing uses ``descendants`` until none is left.
    """
    found, todo = [], [root]
    while todo:
        below = list(_children(todo.pop()))
        found += below
        todo += below
    return found


def _children(pid: int) -> Iterator[int]:
    try:
        for thread in os.scandir(PROC / str(pid) / "task"):
            yield from map(int, (Path(thread.path) / "children").read_bytes().split())
    except (FileNotFoundError, ProcessLookupError):
        return


def anonymous_kib(pids: Iterable[int]) -> int:
    """Memory that processes hold themselves, without what they share with others, in KiB."""
    total = 0
    for pid in pids:
        try:
            _size, resident, shared = (PROC / str(pid) / "statm").read_bytes().split()[:3]
        except (FileNotFoundError, ProcessLookupError, ValueError):
            continue  # it ended while we looked
        total += (int(resident) - int(shared)) * PAGE_KIB
    return total


def cpu_ms(pids: Iterable[int]) -> int:
    """Processor time of live processes and of the children they have taken in, in milliseconds."""
    stats = [stat for stat in map(read_stat, pids) if stat is not None]
    return sum(stat.ticks for stat in stats) * 1000 // TICKS_PER_SECOND


def marked(job_id: str) -> list[Identity]:
    """Live processes that carry the job's marker in the environment they were started with."""
    wanted = f"{MARKER}={job_id}".encode()
    found = []
    for pid in all_pids():
        try:
            environment = (PROC / str(pid) / "environ").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # gone, or another user's and so not ours
        identity = identity_of(pid) if wanted in environment else None
        if identity is not None and pid != os.getpid():
            found.append(identity)
    return found


def in_session(leader: Identity) -> list[Identity]:
    """Live processes of the session that ``leader`` opened; none once its pid names another process."""
    now = read_stat(leader.pid)
    if now is not None and now.start != leader.start:
        return []
    stats = [stat for stat in map(read_stat, all_pids()) if stat is not None]
    return [Identity(each.pid, each.start) for each in stats if each.session == leader.pid and not each.dead]


def send(identity: Identity, number: signal.Signals) -> bool:
    """Signal this very process; False when it is gone. A reused pid is never hit."""
    try:
        handle = os.pidfd_open(identity.pid)
    except (ProcessLookupError, PermissionError):
        return False
    try:
        if not identity.alive():  # checked while the pidfd pins whichever process the pid now names
            return False
        signal.pidfd_send_signal(handle, number)
        return True
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)


def user_tasks() -> int:
    """How many threads the present user has on this machine; RLIMIT_NPROC counts all of them."""
    total, user = 0, os.getuid()
    for pid in all_pids():
        try:
            directory = PROC / str(pid)
            if directory.stat().st_uid == user:
                total += sum(1 for _thread in os.scandir(directory / "task"))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total
