"""What every referee does alike: reads the order, checks the inputs, keeps the record and its logs."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bitgoeul.kernel.canonical import canonical_bytes, loads_strict
from bitgoeul.kernel.clock import now, rfc3339
from bitgoeul.kernel.errors import DomainError
from bitgoeul.protocols import environment
from bitgoeul.trials.ports import one_line

RECORD_FILE = "record.json"
LOGS_FILE = "logs.tar"
ORDER_BYTES_MAX = 1024 * 1024
SUBJECT, REFEREE = "subject", "harness"


class Stopped(Exception):
    """The trial ends here: whose doing it was, a stable code, the step and one line of detail."""

    def __init__(self, party: str, code: str, step: str, detail: str) -> None:
        super().__init__(f"{party} {code} in {step}: {detail}")
        self.finding = {"party": party, "code": code, "step": step, "detail": one_line(detail)}


@dataclass
class Trial:
    """One trial in progress: the order, the folder, and the record as it grows."""

    order: Mapping[str, Any]
    folder: Path
    started: float = field(default_factory=time.monotonic)
    events: list[dict[str, Any]] = field(default_factory=list)
    record: dict[str, Any] = field(default_factory=dict)
    logs: list[tuple[str, Path]] = field(default_factory=list)

    @property
    def definition(self) -> Mapping[str, Any]:
        """The protocol's data, as far as the harness is told."""
        told: Mapping[str, Any] = self.order["definition"]
        return told

    def note(self, kind: str, **details: Any) -> None:
        """Append an event; events are never changed."""
        at_ms = int((time.monotonic() - self.started) * 1000)
        self.events.append({"at_ms": at_ms, "kind": kind, **details})
        sys.stdout.write(f"{at_ms:>7} ms  {kind} {' '.join(f'{k}={v}' for k, v in details.items())}\n")
        sys.stdout.flush()


def conduct(
    order_file: Path, folder: Path, begin: Callable[[Trial], None], course: Callable[[Trial], None]
) -> int:
    """Run the ordered trial in ``folder``; 0 when a record was written, 2 when the order is no order."""
    try:
        order = loads_strict(order_file.read_bytes()[:ORDER_BYTES_MAX])
        trial = Trial(order, folder)
        begin(trial)
    except (DomainError, OSError, ValueError, KeyError, TypeError) as error:
        sys.stderr.write(f"{order_file}: not a trial order ({error})\n")
        return 2
    finding: dict[str, Any] | None = None
    try:
        course(trial)
    except Stopped as stopped:
        finding = stopped.finding
        trial.note("stopped", **finding)
    _finish(trial, finding)
    return 0


def heading(trial: Trial, schema: str, packages: tuple[str, ...], harness: str) -> dict[str, Any]:
    """How every record begins; ``harness`` is the module with the harness's own source."""
    order, definition = trial.order, trial.definition
    target = definition["targets"][order["subject"]["kind"]]
    return {
        "schema": schema,
        "trial_id": order["trial_id"],
        "attempt": order["attempt"],
        "protocol": {
            "code": definition["code"], "version": definition["version"], "digest": order["protocol_digest"],
        },
        "subject": {"kind": order["subject"]["kind"], "digest": order["subject"]["digest"]},
        "parameters": order["parameters"],
        "target": {"code": target["code"], "statement": target["statement"]},
        "notice": definition["notice"],
        "started_at": rfc3339(now()),
        "environment": {**environment.describe(packages, harness), "before": environment.load()},
    }  # fmt: skip


def check_inputs(trial: Trial) -> None:
    """Every input's digest against the order; a file that is not the ordered one stops the trial."""
    wanted = {trial.order["subject"]["file"]: trial.order["subject"]["digest"], **trial.definition["assets"]}
    found = []
    for name, digest in sorted(wanted.items()):
        path = trial.folder / name
        try:
            with path.open("rb") as stream:
                got = hashlib.file_digest(stream, "sha256").hexdigest()
            found.append({"name": name, "digest": got, "bytes": path.stat().st_size})
        except OSError as error:
            raise Stopped(REFEREE, "input_missing", "inputs", f"{name}: {error.strerror}") from error
        if got != digest:
            raise Stopped(REFEREE, "input_damaged", "inputs", f"{name} is not the ordered file")
    trial.record["inputs"] = found
    trial.note("inputs_checked", count=len(found))


def kill(child: subprocess.Popen[bytes]) -> int:
    """End the child's whole session: a subject's own program is in it."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        return child.wait()
    return child.wait()


def _finish(trial: Trial, finding: dict[str, Any] | None) -> None:
    """Write the logs and then the record, which names them; the record appears whole or not at all."""
    trial.record["logs"] = _pack_logs(trial)
    trial.record["environment"]["after"] = environment.load()
    trial.record["finding"] = finding
    trial.record["events"] = trial.events
    trial.record["ended_at"] = rfc3339(now())
    data = canonical_bytes(trial.record)
    limit = trial.definition["limits"]["record_bytes_max"]
    if len(data) > limit:
        raise RuntimeError(f"the record has {len(data)} bytes, the limit is {limit}")
    partial = trial.folder / (RECORD_FILE + ".partial")
    partial.write_bytes(data)
    partial.replace(trial.folder / RECORD_FILE)


def _pack_logs(trial: Trial) -> list[dict[str, Any]]:
    """LoadGen's own files in one tar; each listed with the digest of the whole, even if only its head is kept."""
    limit = trial.definition["limits"]["log_bytes_max"]
    listed = []
    with tarfile.open(trial.folder / LOGS_FILE, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, path in trial.logs:
            if not path.exists():
                continue
            with path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
                stream.seek(0)
                head = stream.read(limit)
            size = path.stat().st_size
            entry = tarfile.TarInfo(name)
            entry.size = len(head)
            tar.addfile(entry, io.BytesIO(head))
            listed.append({"name": name, "digest": digest, "bytes": size, "kept_bytes": len(head)})
    return listed
