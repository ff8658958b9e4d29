"""Accounts, users and limits at Slurm, from what projects may use: what is there, what differs, what mends it.

Owned is what this platform made: accounts whose organisation is ``bitgoeul``, with their users and limits, and the
QOS of that name. Nothing else is changed or removed; an account of the right name that is somebody else's is said
and left. A closed project keeps its account, for its use hangs on it, and may submit nothing.

The limit is ``GrpTRESMins``, the whole that a project may ever use: with ``AccountingStorageEnforce=safe`` a job
starts only if its whole requested time fits, and with ``PriorityDecayHalfLife=0`` use is never forgotten
(slurm.conf(5), sacctmgr(1)).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from bitgoeul.compute.ports import AccountWish, Drift, EngineRefused, account_name
from bitgoeul.kernel.text import N_, Text

from .commands import Commands
from .config import CORE, SlurmConfig

OWNER = "bitgoeul"
QOS = "bitgoeul"
QOS_FLAG = "DenyOnLimit"
MS_A_MINUTE = 60_000
CLOSED, OPEN = "0", ""
# What slurm.conf must say, for limits to hold and use to be a lifetime sum.
SETTINGS = {"PriorityDecayHalfLife": "00:00:00", "PriorityUsageResetPeriod": "NONE"}
ENFORCED = ("associations", "limits", "qos", "safe")


@dataclass
class Account:
    """An account as it is: who made it, its limits by TRES, whether it may submit, and its users."""

    owner: str
    minutes: dict[str, int] = field(default_factory=dict)
    submit: str = OPEN
    qos: str = ""
    users: set[str] = field(default_factory=set)


@dataclass
class Found:
    """What the cluster has."""

    cluster: str
    accounts: dict[str, Account]
    defaults: dict[str, str]
    qos_flags: str | None
    settings: Mapping[str, str]


@dataclass(frozen=True)
class Step:
    """One difference and the command that mends it; none where only the site can."""

    drift: Drift
    command: tuple[str, ...] = ()


def look(commands: Commands) -> Found:
    """Ask Slurm for everything that matters here, in five questions."""
    settings = {
        name.strip(): value.strip()
        for line in commands.run("scontrol", "show", "config").splitlines()
        for name, cut, value in [line.partition("=")]
        if cut
    }
    cluster = settings.get("ClusterName", "")
    owners = {line[0]: line[1] for line in _show(commands, "account", "format=Account,Organization")}
    accounts = {name: Account(owner) for name, owner in owners.items()}
    columns = "format=Account,User,GrpTRESMins,GrpSubmitJobs,QOS"
    for name, user, minutes, submit, qos in _show(commands, "assoc", f"cluster={cluster}", columns):
        account = accounts.setdefault(name, Account(""))
        if user:
            account.users.add(user)
        else:
            account.minutes, account.submit, account.qos = tres_minutes(minutes), submit, qos
    defaults = {line[0]: line[1] for line in _show(commands, "user", "format=User,DefaultAccount")}
    flags = {line[0]: line[1] for line in _show(commands, "qos", "format=Name,Flags")}
    return Found(cluster, accounts, defaults, flags.get(QOS), settings)


def _show(commands: Commands, what: str, *words: str) -> list[list[str]]:
    return commands.lines("sacctmgr", "-n", "-P", "show", what, *words)


def tres_minutes(text: str) -> dict[str, int]:
    """``cpu=100,gres/gpu:h100=10`` by TRES."""
    pairs = [part.partition("=") for part in text.split(",") if part]
    return {name: int(value) for name, _cut, value in pairs}


def wanted_minutes(wish: AccountWish, config: SlurmConfig) -> dict[str, int]:
    """Whole minutes of each TRES; a device that was not granted has none, which is a limit too."""
    names = {CORE: "cpu", **{device: f"gres/{gres}" for device, gres in config.devices.items()}}
    return {tres: wish.amounts.get(device, 0) // MS_A_MINUTE for device, tres in names.items()}


def plan(wishes: Sequence[AccountWish], found: Found, config: SlurmConfig) -> list[Step]:
    """Every difference with what mends it, in an order in which each step can be done. Pure."""
    steps = _settings(found) + _qos(found)
    wanted = {account_name(wish.project): wish for wish in wishes}
    for name, wish in sorted(wanted.items()):
        steps += _account(name, wish, found, config)
    for name, account in sorted(found.accounts.items()):
        if account.owner == OWNER and name not in wanted:
            steps += _close(name, account, found)
    return steps


def _settings(found: Found) -> list[Step]:
    steps = []
    for name, value in SETTINGS.items():
        there = found.settings.get(name, "")
        if there != value:
            steps.append(
                Step(Drift("", name, value, there, Text(N_("Set it in slurm.conf; the limits rest on it."))))
            )
    enforced = found.settings.get("AccountingStorageEnforce", "")
    lacking = [word for word in ENFORCED if word not in enforced.split(",")]
    if lacking:
        advice = Text(N_("Set it in slurm.conf and restart the controller; without it limits do not hold."))
        steps.append(Step(Drift("", "AccountingStorageEnforce", ",".join(ENFORCED), enforced, advice)))
    return steps


def _qos(found: Found) -> list[Step]:
    if found.qos_flags is None:
        add = ("add", "qos", QOS, "set", f"flags={QOS_FLAG}")
        return [Step(Drift("", "qos", QOS, "", Text(N_("Make the QOS."))), add)]
    if QOS_FLAG not in found.qos_flags.split(","):
        change = ("modify", "qos", QOS, "set", f"flags+={QOS_FLAG}")
        return [Step(Drift("", "qos", QOS_FLAG, found.qos_flags, Text(N_("Give the QOS its flag."))), change)]
    return []


def _account(name: str, wish: AccountWish, found: Found, config: SlurmConfig) -> list[Step]:
    minutes, submit = wanted_minutes(wish, config), OPEN if wish.open else CLOSED
    there = found.accounts.get(name)
    if there is None and not wish.open:
        return []
    where = ("where", f"name={name}", f"cluster={found.cluster}", "set")
    if there is None:
        limits = _written(minutes)
        add = ("add", "account", name, f"cluster={found.cluster}", f"organization={OWNER}", f"description={name}",
               f"qos={QOS}", f"defaultqos={QOS}", f"GrpTRESMins={limits}")  # fmt: skip
        steps = [Step(Drift(name, "account", limits, "", Text(N_("Make the account."))), add)]
        there = Account(OWNER, minutes)
    elif there.owner != OWNER:
        advice = Text(
            N_("The account is somebody else's and is left alone. Rename it or give it up at the cluster.")
        )
        return [Step(Drift(name, "account", OWNER, there.owner or "-", advice))]
    else:
        steps = []
    known = {tres: value for tres, value in there.minutes.items() if tres in minutes}
    if known != minutes:
        drift = Drift(name, "GrpTRESMins", _written(minutes), _written(known), Text(N_("Set the limit.")))
        steps.append(Step(drift, ("modify", "account", *where, f"GrpTRESMins={_written(minutes)}")))
    if there.submit != submit:
        advice = (
            Text(N_("Open the account.")) if wish.open else Text(N_("Close the account: nothing new may start."))
        )
        value = "-1" if wish.open else CLOSED
        steps.append(
            Step(
                Drift(name, "GrpSubmitJobs", submit or "-", there.submit or "-", advice),
                ("modify", "account", *where, f"GrpSubmitJobs={value}"),
            )
        )
    return steps + _users(name, set(wish.logins) if wish.open else set(), there, found)


def _close(name: str, account: Account, found: Found) -> list[Step]:
    """An account of ours for which there is no project any more: closed and without users, but kept."""
    steps = []
    if account.submit != CLOSED:
        change = (
            "modify",
            "account",
            "where",
            f"name={name}",
            f"cluster={found.cluster}",
            "set",
            "GrpSubmitJobs=0",
        )
        advice = Text(N_("Close the account: nothing new may start."))
        steps.append(Step(Drift(name, "GrpSubmitJobs", CLOSED, account.submit or "-", advice), change))
    return steps + _users(name, set(), account, found)


def _users(name: str, wanted: set[str], account: Account, found: Found) -> list[Step]:
    at = f"cluster={found.cluster}"
    steps = [
        Step(
            Drift(name, "user", user, "", Text(N_("Let the user in."))),
            ("add", "user", user, f"account={name}", at),
        )
        for user in sorted(wanted - account.users)
    ]
    for user in sorted(account.users - wanted):
        steps += _leave(user, name, account, found)
    return steps


def _leave(user: str, name: str, account: Account, found: Found) -> list[Step]:
    """Take a user out. Slurm refuses to take somebody out of their default account: that is changed before."""
    drift = Drift(name, "user", "", user, Text(N_("Take the user out.")))
    others = [other for other, one in sorted(found.accounts.items()) if other != name and user in one.users]
    account.users.discard(user)  # so that no later step names this account as the default
    at = (f"cluster={found.cluster}",)
    steps = []
    if found.defaults.get(user) == name and others:
        found.defaults[user] = others[0]
        change = ("modify", "user", "where", f"name={user}", *at, "set", f"defaultaccount={others[0]}")
        advice = Text(N_("Give the user another default account first."))
        steps.append(Step(Drift(name, "defaultaccount", others[0], name, advice), change))
    return [*steps, Step(drift, ("delete", "user", "where", f"name={user}", f"account={name}", *at))]


def _written(minutes: Mapping[str, int]) -> str:
    return ",".join(f"{tres}={value}" for tres, value in sorted(minutes.items()))


def mend(commands: Commands, steps: Sequence[Step]) -> list[Step]:
    """Do what can be done, in order; the steps, those that Slurm refused without their command and with its words.

    A user with a running job cannot be taken out, say: the next time will. Raises EngineUnavailable when Slurm is
    gone; done again it goes on.
    """
    done = []
    for step in steps:
        try:
            if step.command:
                commands.run("sacctmgr", "-i", "-Q", *step.command)
        except EngineRefused as error:
            advice = Text(N_("Slurm refuses for now: {said}"), {"said": str(error)})
            done.append(Step(replace(step.drift, advice=advice)))
        else:
            done.append(step)
    return done
