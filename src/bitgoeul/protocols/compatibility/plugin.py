"""The plug-in's platform side: definition, parameters, job. It never opens a subject's file."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from bitgoeul.kernel.canonical import canonical_bytes
from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.text import N_
from bitgoeul.protocols.course import LOGS_FILE, RECORD_FILE
from bitgoeul.protocols.parameters import whole_numbers
from bitgoeul.trials.ports import JobPlan, Json, Order, Verdict

SUBJECT_FILE = "subject.bin"
TRIAL_FILE = "trial.json"


class CompatibilityProtocol:
    """Protocol ``compatibility``; see ``trials.ports.ProtocolPlugin`` for who calls what."""

    code = "compatibility"

    def asset_files(self, directory: Path) -> Mapping[str, Path]:
        """None: the suite comes with the package ``onnx``, whose exact version the definition names."""
        return {}

    def definition(self, directory: Path) -> Json:
        """The data as shipped."""
        text = resources.files(__package__).joinpath("protocol.json").read_text(encoding="utf-8")
        loaded: dict[str, Any] = json.loads(text)
        return loaded

    def check_parameters(self, definition: Json, raw: Json) -> Mapping[str, int]:
        """Whole numbers within the schema's bounds, defaults filled in; BadInput names the field."""
        return whole_numbers(definition, raw)

    def prepare(self, order: Order) -> JobPlan:
        """One job on one core; its limit is the suite's length and a number of cases that time out."""
        definition, limits = order.definition, order.definition["limits"]
        if order.subject_kind not in definition["targets"]:
            raise BadInput(N_("This protocol does not take subjects of this kind."), field="subject")
        return JobPlan(
            argv=(sys.executable, "-m", "bitgoeul.protocols.compatibility.harness", TRIAL_FILE),
            files={TRIAL_FILE: canonical_bytes(_trial(order)) + b"\n"},
            inputs={SUBJECT_FILE: order.subject_digest},
            outputs=(RECORD_FILE, LOGS_FILE),
            cores=1,
            memory_mib=limits["memory_mib"],
            wall_seconds=limits["wall_seconds"] + limits["hung_cases"] * order.parameters["case_seconds"],
            processes=128,
            file_mib=256,
            expected_seconds=limits["expected_seconds"],
            devices={definition["targets"][order.subject_kind]["device"]: 1},
        )

    def judge(self, record: Json, definition: Json, attempts: int) -> Verdict:
        """See ``judge.judge``."""
        from bitgoeul.protocols.compatibility.judge import judge

        return judge(record, definition, attempts)


def _trial(order: Order) -> dict[str, Any]:
    """The harness's order paper: everything it may know, nothing about how it is judged afterwards."""
    return {
        "schema": "bitgoeul.compatibility.trial/1",
        "trial_id": order.trial_id,
        "attempt": order.attempt,
        "protocol_digest": order.protocol_digest,
        "definition": {name: part for name, part in order.definition.items() if name != "acceptance"},
        "parameters": dict(order.parameters),
        "subject": {"kind": order.subject_kind, "file": SUBJECT_FILE, "digest": order.subject_digest},
    }
