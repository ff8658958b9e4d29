"""The plug-in's platform side: definition, parameters, job. It never opens a subject's file."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from bitgoeul.kernel.canonical import canonical_bytes
from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.text import N_, Text
from bitgoeul.protocols.course import LOGS_FILE, RECORD_FILE
from bitgoeul.protocols.inference.intervals import lost_max
from bitgoeul.protocols.parameters import whole_numbers
from bitgoeul.trials.ports import JobPlan, Json, Order, Verdict

SUBJECT_FILE = "subject.bin"
TRIAL_FILE = "trial.json"

# Seconds around the timed scenarios: start of each child, canary, accuracy, floor, calibration.
EXPECTED_OVERHEAD_SECONDS = 8
WALL_OVERHEAD_SECONDS = 60


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def base_definition() -> dict[str, Any]:
    """The definition as shipped, without the digests of this installation's assets."""
    text = resources.files(__package__).joinpath("protocol.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


class InferenceProtocol:
    """Protocol ``inference``; see ``trials.ports.ProtocolPlugin`` for who calls what."""

    code = "inference"

    def asset_files(self, directory: Path) -> Mapping[str, Path]:
        """Sample library and reference model, built on first use."""
        from bitgoeul.protocols.inference import example_models

        built = example_models.build(directory)
        library = base_definition()["library"]
        return {library[part]: built[library[part]] for part in ("samples", "labels", "reference")}

    def definition(self, directory: Path) -> Json:
        """The shipped data with the digests of the assets and the reference's expected answers."""
        from bitgoeul.protocols.inference import example_models

        assets = self.asset_files(directory)
        expected = json.loads((directory / example_models.EXPECTED).read_text(encoding="utf-8"))
        return {
            **base_definition(),
            "assets": {name: file_digest(path) for name, path in sorted(assets.items())},
            "expected": {
                "reference_predictions_digest": expected["predictions_digest"],
                "reference_right": expected["right"],
            },
        }

    def check_parameters(self, definition: Json, raw: Json) -> Mapping[str, int]:
        """Whole numbers within the schema's bounds, defaults filled in; BadInput names the field."""
        return whole_numbers(definition, raw)

    def prepare(self, order: Order) -> JobPlan:
        """One job on one core of the software target, at most a few times the scenarios' length."""
        kinds = order.definition["targets"]
        if order.subject_kind not in kinds:
            raise BadInput(N_("This protocol does not take subjects of this kind."), field="subject")
        seconds, count = order.parameters["seconds"], len(order.definition["scenarios"])
        runs = order.definition["validity"]["runs_max"]
        target = kinds[order.subject_kind]
        if "entry" in target:  # version 1.0 named its targets by module
            raise BadInput(
                N_("This version of the protocol can no longer be measured."), field="protocol",
                remedy=Text(N_("Ask for a trial under its newest version.")),
            )  # fmt: skip
        return JobPlan(
            argv=(sys.executable, "-m", "bitgoeul.protocols.inference.harness", TRIAL_FILE),
            files={TRIAL_FILE: canonical_bytes(_trial(order)) + b"\n"},
            inputs={SUBJECT_FILE: order.subject_digest, **order.assets},
            outputs=(RECORD_FILE, LOGS_FILE),
            cores=1,
            memory_mib=order.definition["limits"]["memory_mib"],
            wall_seconds=WALL_OVERHEAD_SECONDS + 2 * count * (seconds + 2) + (runs - 1) * (seconds + 5),
            processes=64,
            file_mib=64,
            expected_seconds=EXPECTED_OVERHEAD_SECONDS + count * seconds + seconds // 2,
            devices={target["device"]: 1},
        )

    def judge(self, record: Json, definition: Json, attempts: int) -> Verdict:
        """See ``judge.judge``."""
        from bitgoeul.protocols.inference.judge import judge

        return judge(record, definition, attempts)


def _trial(order: Order) -> dict[str, Any]:
    """The harness's order paper: everything it may know, nothing about how it is judged afterwards."""
    told = {k: v for k, v in order.definition.items() if k not in ("acceptance", "warnings", "expected")}
    gate = lost_max(
        order.definition["library"]["count"],
        order.definition["expected"]["reference_right"],
        order.definition["acceptance"]["accuracy"],
    )
    return {
        "schema": "bitgoeul.inference.trial/1",
        "trial_id": order.trial_id,
        "attempt": order.attempt,
        "protocol_digest": order.protocol_digest,
        "definition": told,
        "parameters": dict(order.parameters),
        "subject": {"kind": order.subject_kind, "file": SUBJECT_FILE, "digest": order.subject_digest},
        "canary": order.definition["expected"],
        # What can no longer pass is not timed. How it is judged stays the judge's business.
        "timing_gate": {"lost_max": gate},
    }
