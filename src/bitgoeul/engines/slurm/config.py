"""What a cluster's JSON object may say about its Slurm."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bitgoeul.compute.ports import Tier, account_name
from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.text import N_
from bitgoeul.telemetry import TelemetrySettings

CORE = "core"
# What Slurm takes as the name of an account, a partition or a resource.
NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
GRES = re.compile(r"[a-z0-9_]+(:[a-z0-9_.-]+)?")
# A job's memory for the wrapper beside the program's own.
WRAPPER_MIB = 96


@dataclass(frozen=True)
class RestConfig:
    """Where slurmrestd answers, in which of its versions, as whom; ``token_file`` empty: scontrol makes tokens."""

    url: str
    version: str
    user: str
    token_file: str = ""

    @classmethod
    def read(cls, data: object) -> RestConfig | None:
        """Check the setting; None where there is none. Raises BadInput."""
        if data is None:
            return None
        known = set(cls.__dataclass_fields__)
        texts = isinstance(data, Mapping) and all(isinstance(each, str) for each in data.values())
        if not (isinstance(data, Mapping) and texts and {"url", "version", "user"} <= set(data) <= known):
            raise BadInput(N_("“rest” must say url, version and user, and may name a token_file."), field="rest")
        return cls(**{str(name): str(value) for name, value in data.items()})


@dataclass(frozen=True)
class SlurmConfig:
    """Where Slurm is and how jobs are put to it.

    ``commands`` is the directory of Slurm's commands (empty: they are on the path) and ``conf`` its slurm.conf
    (empty: where Slurm looks itself). ``directory`` is shared by platform and nodes and holds the jobs; ``python``
    is an interpreter with this package, also on the nodes. ``partitions`` names the partition for each device, and
    for ``core``, where jobs without a device go. ``devices`` maps a device to Slurm's resource, as ``npu-atom`` to
    ``npu:atom``. Jobs go to ``account`` if it is set, else to the account of their project. ``login`` is the
    platform's own name at the cluster, and ``logins`` gives the name of each person who has one by e-mail. With
    ``rest`` jobs are handed over by slurmrestd instead of sbatch. ``telemetry`` says who measures a job's devices
    on its node.
    """

    partitions: Mapping[str, str]
    devices: Mapping[str, str] = field(default_factory=dict)
    commands: str = ""
    conf: str = ""
    directory: str = ""
    python: str = sys.executable
    account: str = ""
    isolation: Tier = Tier.LIMITS
    login: str = ""
    logins: Mapping[str, str] = field(default_factory=dict)
    rest: RestConfig | None = None
    telemetry: TelemetrySettings | None = None

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> SlurmConfig:
        """Check a cluster's JSON object; raises BadInput that names the setting."""
        unknown = sorted(set(data) - set(cls.__dataclass_fields__))
        if unknown:
            raise BadInput(
                N_("The Slurm engine has no setting “{name}”. It knows: {names}."),
                field=unknown[0],
                name=unknown[0],
                names=", ".join(cls.__dataclass_fields__),
            )
        partitions = _names("partitions", data.get("partitions", {}), NAME)
        devices = _names("devices", data.get("devices", {}), GRES)
        for name in (CORE, *devices):
            if name not in partitions:
                raise BadInput(
                    N_("“partitions” must say to which partition jobs with “{name}” go."),
                    field="partitions",
                    name=name,
                )
        return cls(
            partitions=partitions,
            devices=devices,
            commands=_directory("commands", data),
            conf=_text("conf", data),
            directory=_directory("directory", data),
            python=_text("python", data) or sys.executable,
            account=_text("account", data),
            isolation=_tier(data.get("isolation", Tier.LIMITS)),
            login=_text("login", data),
            rest=RestConfig.read(data.get("rest")),
            logins=_names("logins", data.get("logins", {}), NAME),
            telemetry=TelemetrySettings.read(data.get("telemetry")),
        )

    def account_of(self, project: str) -> str:
        """The account that a project's jobs are put to; raises BadInput without one."""
        if not (self.account or project):
            raise BadInput(
                N_("The job has no project, and the cluster no account for such jobs."), field="account"
            )
        return self.account or account_name(project)


def _names(setting: str, found: object, form: re.Pattern[str]) -> dict[str, str]:
    names = dict(found) if isinstance(found, Mapping) else None
    if names is None or not all(isinstance(each, str) and form.fullmatch(each) for each in names.values()):
        raise BadInput(N_("“{name}” must map names to names that Slurm knows."), field=setting, name=setting)
    return {str(name): str(value) for name, value in names.items()}


def _text(setting: str, data: Mapping[str, Any]) -> str:
    found = data.get(setting, "")
    if not isinstance(found, str):
        raise BadInput(N_("“{name}” must be a text."), field=setting, name=setting)
    return found


def _directory(setting: str, data: Mapping[str, Any]) -> str:
    found = _text(setting, data)
    if found and not Path(found).is_absolute():
        raise BadInput(N_("“{name}” must be an absolute path."), field=setting, name=setting)
    return found


def _tier(found: object) -> Tier:
    if found not in tuple(Tier):
        raise BadInput(
            N_("“{name}” must be one of: {names}."), field="isolation", name="isolation", names=", ".join(Tier)
        )
    return Tier(str(found))
