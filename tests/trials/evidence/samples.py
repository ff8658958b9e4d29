"""A small real evidence file and ways to spoil it, for the tests of both verifiers."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from bitgoeul.kernel.canonical import canonical_bytes, sha256_hex
from bitgoeul.kernel.signing import Envelope, FileKey, Signer
from bitgoeul.kernel.text import Label, Text
from bitgoeul.trials.ports import Outcome, Reason, Verdict
from bitgoeul.trials.statement import (
    GENESIS,
    PAYLOAD_TYPE,
    LogPosition,
    TrialFacts,
    build_statement,
    file_bytes,
)

SUBJECT = sha256_hex(b"a model")
PROTOCOL = sha256_hex(b"a protocol")
NOTES = (Label("KOLAS 공인성적서가 아님", "Not a KOLAS accredited test report"),)
Path = tuple[str | int, ...]


def verdict(outcome: Outcome = Outcome.PASSED) -> Verdict:
    return Verdict(
        outcome,
        (
            Reason("accuracy", True, Text("{lost} of {count} were lost.", {"lost": 1, "count": 899}), "1", "8"),
            Reason("latency", None, Text("Told only."), "24 µs", None),
        ),
    )


def record(**changes: Any) -> dict[str, Any]:
    return {
        "schema": "bitgoeul.inference.record/1",
        "subject": {"digest": SUBJECT, "kind": "onnx"},
        "protocol": {"digest": PROTOCOL, "code": "inference"},
        "parameters": {"target_qps": 50, "seed": 7},
        "environment": {"cpu": "한 CPU", "packages": {"onnxruntime": "1.31.1"}},
        "started_at": "2026-11-20T05:03:01.123456Z",
        "ended_at": "2026-11-20T05:03:19.000001Z",
        "scenarios": [{"name": "SingleStream", "histogram": [0, 3, 9007199254740991], "valid": True}],
        "faults": [],
        "note": None,
        "text": 'quote " slash \\ tab \t 가 \U0001f600 \ufb33',
        **changes,
    }


def facts(**changes: Any) -> TrialFacts:
    values: dict[str, Any] = {
        "trial_id": "019a0000-0000-7000-8000-000000000001",
        "attempt": 1,
        "subject_name": "digits-int8",
        "subject_digest": SUBJECT,
        "protocol_name": "inference",
        "protocol_version": "1.0",
        "protocol_digest": PROTOCOL,
        "verdict": verdict(),
        "issued_at": datetime(2026, 11, 20, 5, 3, 20, tzinfo=UTC),
        "centre": "빛고을 (예시)",
        "notes": NOTES,
    }
    return TrialFacts(**{**values, **changes})


def statement(
    key: Signer, content: Mapping[str, Any] | None = None, reviewer: Signer | None = None
) -> dict[str, Any]:
    signers = {"runner": key, **({"reviewer": reviewer} if reviewer else {})}
    return build_statement(facts(), content or record(), LogPosition(1, GENESIS), signers)


def seal(said: Mapping[str, Any], content: Mapping[str, Any], *keys: FileKey) -> bytes:
    """A file signed by ``keys`` over whatever is given, consistent or not."""
    envelope = Envelope.seal(canonical_bytes(said), PAYLOAD_TYPE, keys)
    return file_bytes({"envelope": envelope.to_json(), "record": content})


def evidence_file(key: FileKey) -> bytes:
    return seal(statement(key), record(), key)


def leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    """The path of every leaf, empty containers among them."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = False
    for name, inner in items:
        found = True
        yield from leaves(inner, (*path, name))
    if not found:
        yield path


def edited(value: Any, path: Path) -> Any:
    """A copy in which the leaf at ``path`` has another value of its kind."""
    result = copy.deepcopy(value)
    inner = result
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = _other(inner[path[-1]])
    return result


def without(value: Any, path: Path) -> Any:
    """A copy in which the leaf at ``path`` is gone."""
    result = copy.deepcopy(value)
    inner = result
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    return result


def _other(leaf: Any) -> Any:
    if leaf is None or isinstance(leaf, bool):
        return not leaf
    if isinstance(leaf, int):
        return leaf - 1
    if isinstance(leaf, str):
        return ("b" if leaf[:1] == "a" else "a") + leaf[1:]
    return [0]
