"""What Slurm's own hourly roll-up says, by account: ``sreport``, its columns asked for by name.

Tried with Slurm 22.05. ``Planned`` was called ``Reserved`` before 21.08 and is not asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from bitgoeul.compute.ports import RolledUp
from bitgoeul.kernel.clock import now

from .accounting import STAMP
from .commands import Commands

HOUR = timedelta(hours=1)
# sreport: everything, in seconds, without a header and without what nobody asked for.
REPORT = ("-n", "-P", "-Q", "-T", "ALL", "-t", "Seconds")
# By the columns of the report; what is planned for a job that waits is idle for the books.
NOBODYS = ("idle", "down", "planned_down")
Seconds = dict[str, int]


def rolled_up(commands: Commands, since: datetime, until: datetime) -> RolledUp:
    """See ``ports.UseReporter``. Both moments are full hours; what is later than now is not asked for."""
    reached = _reached(commands, since, min(until, _hour(now())))
    if reached <= since:
        return RolledUp(since, {}, {}, {})
    lines = _report(commands, "AccountUtilizationByUser", since, reached, "Cluster,Account,Login,TresName,Used")
    whole: dict[str, Seconds] = {}
    accounts: dict[str, Seconds] = {}
    cluster = next((line[0] for line in lines), "")
    for _cluster, account, login, name, seconds in lines:
        _add((accounts if login else whole).setdefault(account, {}), name, int(seconds))
    return RolledUp(
        until=reached,
        accounts={account: used for account, used in accounts.items() if used},
        reserved=_reserved(whole, accounts, _parents(commands, cluster)) if cluster else {},
        nobodys=_nobodys(commands, since, reached),
    )


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _reached(commands: Commands, since: datetime, until: datetime) -> datetime:
    """Up to which hour the roll-up has come: no command says so, but an hour that is done is reported.

    Looks back in growing steps and then between the last two, so a roll-up that is done costs one question.
    """

    def done(end: datetime) -> bool:
        return bool(_report(commands, "Utilization", end - HOUR, end, "TresName,Reported"))

    if until <= since or done(until):
        return max(since, until)
    missing, step = until, HOUR
    while (found := missing - step) > since and not done(found):
        missing, step = found, step * 2
    found = max(found, since)
    while missing - found > HOUR:
        middle = found + (missing - found) // HOUR // 2 * HOUR
        found, missing = (middle, missing) if done(middle) else (found, middle)
    return found


def _report(
    commands: Commands, name: str, since: datetime, until: datetime, columns: str
) -> Sequence[Sequence[str]]:
    begin, end = (each.astimezone(UTC).strftime(STAMP) for each in (since, until))
    words = ("cluster", name, f"start={begin}", f"end={end}", f"format={columns}")
    return commands.lines("sreport", *REPORT, *words)


def _add(found: Seconds, name: str, seconds: int) -> None:
    if seconds:
        found[name] = found.get(name, 0) + seconds


def _parents(commands: Commands, cluster: str) -> Mapping[str, str]:
    """The parent of each account, those that were taken away too."""
    lines = commands.lines(
        "sacctmgr",
        "-n",
        "-P",
        "show",
        "assoc",
        "withdeleted",
        f"cluster={cluster}",
        "format=Account,User,ParentName",
    )
    return {account: parent for account, user, parent, *_rest in lines if not user}


def _reserved(
    whole: Mapping[str, Seconds], accounts: Mapping[str, Seconds], parents: Mapping[str, str]
) -> dict[str, Seconds]:
    """What stands with an account and with nobody in it nor below it: the unused time of its reservations.

    An account's line has its own, its people's and that of the accounts below it.
    """
    below: dict[str, list[str]] = {}
    for account, parent in parents.items():
        below.setdefault(parent, []).append(account)
    found: dict[str, Seconds] = {}
    for account, seconds in whole.items():
        others = [accounts.get(account, {}), *(whole.get(each, {}) for each in below.get(account, ()))]
        own = {name: amount - _sum(others, name) for name, amount in seconds.items()}
        if any(own.values()):
            found[account] = {name: amount for name, amount in own.items() if amount}
    return found


def _sum(many: Iterable[Seconds], name: str) -> int:
    return sum(each.get(name, 0) for each in many)


def _nobodys(commands: Commands, since: datetime, until: datetime) -> dict[str, Seconds]:
    found: dict[str, Seconds] = {kind: {} for kind in NOBODYS}
    for name, *figures in _report(commands, "Utilization", since, until, "TresName,Idle,Down,PlannedDown"):
        for kind, seconds in zip(NOBODYS, figures, strict=True):
            _add(found[kind], name, int(seconds))
    return found
