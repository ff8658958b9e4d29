from __future__ import annotations

import json
import random
import re
import time
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from in_toto_attestation.v1.statement import Statement

from bitgoeul.kernel.canonical import canonical_bytes, sha256_hex
from bitgoeul.kernel.signing import Algorithm, Envelope, FileKey, b64decode, b64encode
from bitgoeul.trials.statement import PAYLOAD_TYPE, RecordNotUsable, file_bytes
from bitgoeul.trials.verify import CHECKS, PREDICATE, Verification, verify_evidence
from trials.evidence import samples


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> FileKey:
    return FileKey.load_or_create(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def reviewer(tmp_path_factory: pytest.TempPathFactory) -> FileKey:
    return FileKey.load_or_create(tmp_path_factory.mktemp("reviewer"))


@pytest.fixture(scope="module")
def data(key: FileKey) -> bytes:
    return samples.evidence_file(key)


def failed(result: Verification) -> str | None:
    return result.failed.name if result.failed else None


def check(data: bytes, *keys: FileKey, **options: Any) -> str | None:
    return failed(verify_evidence(data, [one.public for one in keys], **options))


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_a_file_as_it_was_issued_is_valid(tmp_path: Path, algorithm: Algorithm) -> None:
    key = FileKey.load_or_create(tmp_path, algorithm=algorithm)
    result = verify_evidence(samples.evidence_file(key), [key.public])
    assert (result.valid, result.exit_status, result.failed) == (True, 0, None)
    assert [one.name for one in result.checks] == [one.name for one in CHECKS]
    assert result.record == samples.record()
    assert result.statement is not None
    assert result.statement["predicate"]["verdict"]["outcome"] == "PASSED"


def test_every_changed_removed_or_added_byte_is_refused(key: FileKey, data: bytes) -> None:
    chance = random.Random(7)
    started = time.monotonic()
    for place in range(len(data) + 1):
        added = data[:place] + bytes([chance.randrange(256)]) + data[place:]
        spaced = data[:place] + b" " + data[place:]
        variants = [added, spaced]
        if place < len(data):
            other = (data[place] + chance.randrange(1, 256)) % 256
            variants += [data[:place] + bytes([other]) + data[place + 1 :], data[:place] + data[place + 1 :]]
        for variant in variants:
            result = verify_evidence(variant, [key.public])
            assert result.failed is not None, (place, variant[place : place + 1])
            assert result.exit_status == 1
            assert result.statement is None
    assert time.monotonic() - started < 120


def test_every_flipped_bit_of_a_sample_of_bytes_is_refused(key: FileKey, data: bytes) -> None:
    start = data.index(b'"sig"')
    places = {*range(start, start + 110), *range(0, len(data), 17), len(data) - 1}
    for place in places:
        for bit in range(8):
            changed = bytearray(data)
            changed[place] ^= 1 << bit
            assert check(bytes(changed), key) is not None, (place, bit)


def test_every_edited_or_removed_field_is_refused_by_its_check(key: FileKey, data: bytes) -> None:
    content = json.loads(data)
    expected = {"payload": {"base64", "signature"}, "payloadType": {"envelope"}, "signatures": {"keyid"}}
    for path in samples.leaves(content):
        change = file_bytes(samples.edited(content, path))
        removed = file_bytes(samples.without(content, path))
        if path[0] == "record":
            assert check(change, key) == check(removed, key) == "record_digest", path
        elif path[-1] == "sig":
            assert check(change, key) in {"signature", "base64"}
            assert check(removed, key) == "envelope"
        else:
            assert check(change, key) in expected[str(path[1])], path
            assert check(removed, key) == "envelope", path


def test_every_edited_field_of_the_statement_breaks_the_signature(key: FileKey, data: bytes) -> None:
    content = json.loads(data)
    said = json.loads(b64decode(content["envelope"]["payload"]))
    for path in samples.leaves(said):
        content["envelope"]["payload"] = b64encode(canonical_bytes(samples.edited(said, path)))
        assert check(file_bytes(content), key) == "signature", path


SIGNED_NONSENSE = [
    ("statement", lambda said: {**said, "_type": "https://in-toto.io/Statement/v0.1"}),
    ("statement", lambda said: {**said, "predicateType": "https://example.org/other"}),
    ("statement", lambda said: {**said, "extra": 1}),
    ("statement", lambda said: _predicate(said, attempt=True)),
    ("statement", lambda said: {k: v for k, v in said.items() if k != "subject"}),
    ("statement", lambda said: _predicate(said, notes=["KOLAS 공인성적서가 아님"])),
    ("statement", lambda said: _predicate(said, notes=[{"ko": "공인 아님"}])),
    ("signers", lambda said: _predicate(said, signers=[])),
    ("signers", lambda said: _predicate(said, signers=[{**said["predicate"]["signers"][0], "keyid": "0" * 64}])),
    ("signers", lambda said: _predicate(said, signers=[{**said["predicate"]["signers"][0], "algorithm": "rsa"}])),
    ("record_digest", lambda said: _predicate(said, record={"sha256": "0" * 64, "size": 1})),
    ("subject", lambda said: {**said, "subject": [{"name": "x", "digest": {"sha256": "0" * 64}}]}),
    ("subject", lambda said: {**said, "subject": said["subject"] * 2}),
    ("protocol", lambda said: _predicate(said, protocol={**said["predicate"]["protocol"], "sha256": "0" * 64})),
    ("parameters", lambda said: _predicate(said, parameters={"target_qps": 51, "seed": 7})),
    ("environment", lambda said: _predicate(said, environment={"sha256": "0" * 64})),
    ("times", lambda said: _predicate(said, ended_at="2026-11-20T05:03:00.000000Z")),
    ("times", lambda said: _predicate(said, started_at="2026-11-20T05:03:01.123457Z")),
    ("times", lambda said: _predicate(said, issued_at="2026-11-20 05:03:20.000000Z")),
    ("times", lambda said: _predicate(said, issued_at="٢026-11-20T05:03:20.000000Z")),
    ("verdict", lambda said: _predicate(said, verdict={"outcome": "APPROVED", "reasons": []})),
    ("verdict", lambda said: _predicate(said, verdict={"outcome": "PASSED", "reasons": [{"check": 1}]})),
    ("verdict", lambda said: _predicate(said, verdict={"outcome": "PASSED"})),
]


def _predicate(said: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**said, "predicate": {**said["predicate"], **changes}}


@pytest.mark.parametrize(("name", "change"), SIGNED_NONSENSE)
def test_a_valid_signature_over_a_wrong_statement_is_refused(name: str, change: Any, key: FileKey) -> None:
    said = change(samples.statement(key))
    assert check(samples.seal(said, samples.record(), key), key) == name


def test_a_statement_in_a_second_spelling_is_refused(key: FileKey) -> None:
    payload = json.dumps(samples.statement(key)).encode()
    envelope = Envelope.seal(payload, PAYLOAD_TYPE, [key])
    assert check(file_bytes({"envelope": envelope.to_json(), "record": samples.record()}), key) == "statement"


def test_true_is_not_one(key: FileKey) -> None:
    content = samples.record(parameters={"seed": True})
    said = _predicate(samples.statement(key, content), parameters={"seed": 1})
    assert check(samples.seal(said, content, key), key) == "parameters"


def test_another_key_is_refused_by_name(key: FileKey, reviewer: FileKey, data: bytes) -> None:
    assert check(data, reviewer) == "keyid"
    assert check(data) == "keyid"
    assert check(data, reviewer, key) is None


def test_a_reviewer_signs_beside_the_runner(key: FileKey, reviewer: FileKey, data: bytes) -> None:
    both = samples.seal(samples.statement(key, reviewer=reviewer), samples.record(), key, reviewer)
    assert check(both, key, reviewer, roles=("runner", "reviewer")) is None
    assert check(both, key) == "keyid"
    assert check(data, key, roles=("runner", "reviewer")) == "signers"
    content = json.loads(both)
    for one in (0, 1):
        assert check(file_bytes(samples.without(content, ("envelope", "signatures", one))), key, reviewer) == (
            "signers"
        )
    content["envelope"]["signatures"].reverse()
    assert check(file_bytes(content), key, reviewer) == "envelope"


@pytest.mark.parametrize(
    ("content", "name", "status"),
    [
        (b"", "size", 2),
        (b"hello", "readable", 2),
        (b"x" * (1024 * 1024 + 1), "size", 2),
        (b"[" * 100_000, "readable", 2),
        (b'{"envelope":', "readable", 1),
        (b"{}\n", "envelope", 1),
        (b"[]\n", "envelope", 1),
        (b'{"a":1,"a":2}\n', "canonical", 1),
        (b"0.5\n", "canonical", 1),
        (b'{"envelope":{},"record":{}}\n', "envelope", 1),
    ],
)
def test_what_is_no_evidence_is_refused_or_unreadable(
    content: bytes, name: str, status: int, key: FileKey
) -> None:
    result = verify_evidence(content, [key.public])
    assert (failed(result), result.exit_status) == (name, status)


def test_a_record_above_the_limit_is_refused_even_when_signed(key: FileKey) -> None:
    large = samples.record(padding="x" * 256 * 1024)
    with pytest.raises(RecordNotUsable):
        samples.statement(key, large)
    small = samples.statement(key)
    data = canonical_bytes(large)
    said = _predicate(small, record={"sha256": sha256_hex(data), "size": len(data)})
    assert check(samples.seal(said, large, key), key) == "record_size"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"subject": {"digest": "0" * 64}}, "subject"),
        ({"protocol": {"digest": "0" * 64}}, "protocol"),
        ({"environment": None}, "environment"),
        ({"started_at": None}, "started_at"),
    ],
)
def test_a_record_that_does_not_fit_is_not_stated(change: dict[str, Any], field: str, key: FileKey) -> None:
    with pytest.raises(RecordNotUsable) as caught:
        samples.statement(key, samples.record(**change))
    assert caught.value.field == field


def test_the_statement_is_what_in_toto_calls_one(key: FileKey) -> None:
    said = samples.statement(key)
    theirs = Statement.copy_from_pb(Statement([], "", {}).pb)
    json_format.ParseDict(said, theirs.pb)
    theirs.validate()
    assert theirs.pb.subject[0].digest["sha256"] == samples.SUBJECT
    assert theirs.pb.predicate_type == said["predicateType"]


def test_the_answer_for_machines_names_the_check(key: FileKey, data: bytes) -> None:
    answer = verify_evidence(data.replace(b'"seed":7', b'"seed":8'), [key.public]).to_json()
    assert (answer["valid"], answer["failed"], answer["statement"]) == (False, "record_digest", None)
    assert answer["message"] == "The record differs from the one that was signed for."
    assert json.loads(json.dumps(answer)) == answer


def test_the_reference_lists_every_check_and_every_member_in_order() -> None:
    text = (Path(__file__).parents[3] / "docs/reference/evidence-format.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| ", text.split("## The checks")[1].split("## Checking")[0], re.MULTILINE)
    assert rows == [check.name for check in CHECKS]
    described = set(re.findall(r"`(\w+)`", text.split("| predicate member")[1].split("## The checks")[0]))
    assert set(PREDICATE) <= described
