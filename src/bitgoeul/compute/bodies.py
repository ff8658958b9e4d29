"""What a job should run, as REST takes it."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from ninja import Field, Schema

from bitgoeul.web.facade import WHOLE_MAX

from .ports import Limits
from .types import JobRequest

Whole = Annotated[int, Field(ge=0, le=WHOLE_MAX)]


class LimitsBody(Schema):
    """What a job may use at most."""

    cores: Whole = 1
    memory_mib: Whole = 512
    wall_seconds: Whole = 60
    processes: Whole = 32
    file_mib: Whole = 64
    work_mib: Whole = 2048


class RequestBody(Schema):
    """What a job should run: the command as words, limits, inputs by content digest, promised outputs.

    ``after`` names jobs of the same project that must have succeeded before it starts, ``cluster`` the code of the
    cluster that shall run it: without one the first that takes jobs does.
    """

    argv: list[str]
    limits: LimitsBody = Field(default_factory=LimitsBody)
    inputs: dict[str, str] = Field(default_factory=dict)
    outputs: list[str] = Field(default_factory=list)
    devices: dict[str, Whole] = Field(default_factory=dict)
    env: dict[str, str] = Field(default_factory=dict)
    exclusive: bool = False
    after: list[UUID] = Field(default_factory=list)
    cluster: Annotated[str, Field(max_length=40)] = ""

    def as_request(self) -> JobRequest:
        """The same in the room's words."""
        return JobRequest(
            argv=tuple(self.argv),
            limits=Limits(**self.limits.model_dump()),
            inputs=self.inputs,
            outputs=tuple(self.outputs),
            devices=self.devices,
            env=self.env,
            exclusive=self.exclusive,
            after=tuple(self.after),
        )
