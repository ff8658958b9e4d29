"""Stages as data: which evidence a gate asks for. Pure; the table is ``stages.json``.

A subject stands at the last stage whose own requirements, and those of every stage before it, are met by facts
that its evidence carries: valid, recent and passed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from importlib import resources
from typing import Any

from bitgoeul.kernel.text import N_, Text

from .types import Requirement, StageStanding

NO_STAGE = ""
NO_STAGE_LABEL = Text(N_("No stage yet"))
SERVER = "Server"


@dataclass(frozen=True)
class PassedEvidence:
    """What a stage may rest on: one valid, passed piece of evidence and the trial under it."""

    subject_version: str
    protocol_code: str
    parameters: Mapping[str, int]
    issued_at: datetime
    device_serial: str = ""
    reviewed: bool = False
    field: bool = False


@cache
def table() -> Mapping[str, Any]:
    """The stage table as shipped."""
    text = resources.files(__package__).joinpath("stages.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def facts(
    evidence: Iterable[PassedEvidence], at: datetime, stages: Mapping[str, Any] | None = None
) -> dict[str, int]:
    """The numbers that gates look at, from evidence that is recent at ``at``."""
    oldest = at - timedelta(days=(stages or table())["evidence_days_max"])
    recent = [piece for piece in evidence if piece.issued_at >= oldest]
    inference = [piece for piece in recent if piece.protocol_code == "inference"]
    passed: dict[str, int] = {}
    for piece in inference:
        passed[piece.subject_version] = passed.get(piece.subject_version, 0) + 1
    return {
        "inference_passed": min(1, len(inference)),
        "passed_trials": max(passed.values(), default=0),
        "server_seconds": max((piece.parameters.get("seconds", 0) for piece in inference), default=0),
        "device_serials": len({piece.device_serial for piece in recent if piece.device_serial}),
        "reviewer_signatures": sum(piece.reviewed for piece in recent),
        "field_evidence": sum(piece.field for piece in recent),
    }


def standing(known: Mapping[str, int], stages: Mapping[str, Any] | None = None) -> StageStanding:
    """Where a subject with these facts stands, and what the next stage asks for."""
    reached: Mapping[str, Any] | None = None
    for stage in (stages or table())["stages"]:
        requirements = [
            Requirement(rule["code"], Text(rule["text"]), known.get(rule["fact"], 0) >= rule["min"])
            for rule in stage["requires"]
        ]
        if not all(requirement.met for requirement in requirements):
            return StageStanding(
                stage=reached["code"] if reached else NO_STAGE,
                label=Text(reached["label"]) if reached else NO_STAGE_LABEL,
                next_stage=stage["code"],
                next_label=Text(stage["label"]),
                requirements=requirements,
            )
        reached = stage
    if reached is None:
        raise ValueError("the stage table is empty")
    return StageStanding(reached["code"], Text(reached["label"]), None, None)


# The table's words, marked for translation.
TEXTS = (
    N_("Demonstration"),
    N_("Verification"),
    N_("Mass production"),
    N_("Market"),
    N_("A passed trial under the protocol “inference”, with valid evidence"),
    N_("A passed Server run of 600 seconds or more"),
    N_("Three passed trials of one version"),
    N_("The device's serial number and firmware; a software target has none"),
    N_("The reviewer's signature on the evidence"),
    N_("The same result on five devices from the line"),
    N_("Evidence from a buyer's own place of use"),
)
