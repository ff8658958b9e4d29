"""The browser's verifier and ours answer alike: same outcome, same failed check, same list of checks."""

from __future__ import annotations

import base64
import json
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import bitgoeul.trials
from bitgoeul.kernel.canonical import canonical_bytes, sha256_hex
from bitgoeul.kernel.signing import Algorithm, FileKey, b64encode
from bitgoeul.trials.statement import RECORD_BYTES_MAX, file_bytes
from bitgoeul.trials.verify import CHECKS, verify_evidence
from trials.evidence import samples

SCRIPT = Path(bitgoeul.trials.__file__).parent / "static/trials/verify.js"
NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(
    NODE is None, reason="node is not installed, so the browser's verifier cannot be run here"
)
Case = tuple[bytes, list[FileKey], list[str]]


def in_the_browser(cases: list[Case], script: Path = SCRIPT) -> list[dict[str, Any]]:
    work = {
        "script": str(script),
        "cases": [
            {
                "data": base64.b64encode(data).decode(),
                "keys": [key.public.pem for key in keys],
                "roles": roles,
            }
            for data, keys, roles in cases
        ],
    }
    done = subprocess.run(
        [str(NODE), str(Path(__file__).with_name("run_verify.js"))],
        input=json.dumps(work).encode(),
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


def compare(cases: list[Case]) -> dict[str | None, int]:
    """Both verifiers on every case; returns how often each check refused."""
    refused: dict[str | None, int] = {}
    for (data, keys, roles), theirs in zip(cases, in_the_browser(cases), strict=True):
        ours = verify_evidence(data, [key.public for key in keys], roles=roles)
        name = ours.failed.name if ours.failed else None
        expected = {
            "outcome": "valid" if ours.valid else "refused",
            "failed": name,
            "checks": [{"name": one.name, "passed": one.passed} for one in ours.checks],
        }
        assert theirs == expected, data[:200]
        refused[name] = refused.get(name, 0) + 1
    return refused


@pytest.fixture(scope="module", params=list(Algorithm))
def key(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FileKey:
    return FileKey.load_or_create(tmp_path_factory.mktemp("keys"), algorithm=request.param)


@pytest.fixture(scope="module")
def reviewer(tmp_path_factory: pytest.TempPathFactory) -> FileKey:
    return FileKey.load_or_create(tmp_path_factory.mktemp("reviewer"))


def byte_changes(data: bytes, seed: int = 3) -> list[bytes]:
    chance = random.Random(seed)
    changes = []
    for place in range(0, len(data), 3):
        other = (data[place] + chance.randrange(1, 256)) % 256
        changes.append(data[:place] + bytes([other]) + data[place + 1 :])
        changes.append(data[:place] + data[place + 1 :])
        changes.append(data[:place] + bytes([chance.choice(b' 0"\\{}[],:aZ\xff')]) + data[place:])
    return changes


def field_changes(data: bytes) -> list[bytes]:
    content = json.loads(data)
    paths = list(samples.leaves(content))
    return [file_bytes(change(content, path)) for path in paths for change in (samples.edited, samples.without)]


NO_EVIDENCE = [
    b"",
    b"hello",
    b"x" * (1024 * 1024 + 1),
    b"[" * 100_000,
    b"{}\n",
    b"[]\n",
    b"null\n",
    b"0.5\n",
    b"-0\n",
    b"1e3\n",
    b'{"a":1,"a":2}\n',
    b'{"a":1,"a":2',
    b'"\\ud800"\n',
    b'{"__proto__":{"a":1},"b":9007199254740993}\n',
    b'{"envelope":{},"record":{}}\n',
    b"\xef\xbb\xbf{}\n",
    b"NaN\n",
    b"[1,]\n",
    b"\xed\xa0\x80",
    b"[01]\n",
    b"[" * 64 + b"]" * 64 + b"\n",
    b"[" * 65 + b"]" * 65 + b"\n",
    b"1" + b"0" * 9999 + b"\n",
    b'"\x7f"\n',
    b'"\x01"\n',
    '{"\\u20ac":1,"\U0001f600":2,"\ufb33":3}\n'.encode(),
    '{"\U0001f600":2,"\ufb33":3}\n'.encode(),
    b'{"10":1,"9":2}\n',
    b'{"9":2,"10":1}\n',
    '"\u2028"\n'.encode(),
]


def test_both_accept_what_was_issued(key: FileKey, reviewer: FileKey) -> None:
    both = samples.seal(samples.statement(key, reviewer=reviewer), samples.record(), key, reviewer)
    names = {"__proto__": {"a": 1}, "constructor": [1], "9": 1, "10": 2, "\U0001f600": 1, "\ufb33": 2}
    proto = samples.record(**names)
    odd = samples.seal(samples.statement(key, proto), proto, key)
    cases: list[Case] = [
        (samples.evidence_file(key), [key], ["runner"]),
        (both, [key, reviewer], ["runner", "reviewer"]),
        (odd, [key], ["runner"]),
    ]
    assert compare(cases) == {None: 3}


def test_both_refuse_changed_bytes_by_the_same_check(key: FileKey) -> None:
    data = samples.evidence_file(key)
    refused = compare([(one, [key], ["runner"]) for one in byte_changes(data)])
    assert None not in refused
    assert {"readable", "canonical", "base64", "keyid", "signature", "record_digest"} <= set(refused)


def test_both_refuse_changed_fields_by_the_same_check(key: FileKey) -> None:
    refused = compare([(one, [key], ["runner"]) for one in field_changes(samples.evidence_file(key))])
    assert None not in refused
    assert {"envelope", "keyid", "signature", "record_digest"} <= set(refused)


def test_both_refuse_what_is_no_evidence_by_the_same_check(key: FileKey) -> None:
    refused = compare([(one, [key], ["runner"]) for one in NO_EVIDENCE])
    assert set(refused) == {"size", "readable", "canonical", "envelope"}


def test_both_refuse_signed_nonsense_by_the_same_check(key: FileKey, reviewer: FileKey) -> None:
    said = samples.statement(key)
    cases: list[Case] = []
    for path in samples.leaves(said):
        for change in (samples.edited, samples.without):
            cases.append((samples.seal(change(said, path), samples.record(), key), [key], ["runner"]))
    large = samples.record(padding="x" * RECORD_BYTES_MAX)
    size = canonical_bytes(large)
    said["predicate"]["record"] = {"sha256": sha256_hex(size), "size": len(size)}
    cases += [
        (samples.seal(said, large, key), [key], ["runner"]),
        (samples.evidence_file(key), [reviewer], ["runner"]),
        (samples.evidence_file(key), [], ["runner"]),
        (samples.evidence_file(key), [key], ["runner", "reviewer"]),
    ]
    refused = compare(cases)
    late = {check.name for check in CHECKS[7:]}
    assert late <= set(refused)


def test_a_loose_spelling_inside_base64_is_refused_by_both(key: FileKey) -> None:
    content = json.loads(samples.evidence_file(key))
    payload = content["envelope"]["payload"]
    cases = []
    for loose in (payload + "\n", payload[:-4] + "YR==", payload.replace("+", "-", 1) + "=", " " + payload, "가"):
        content["envelope"]["payload"] = loose
        cases.append((file_bytes(content), [key], ["runner"]))
    content["envelope"]["payload"] = b64encode(b"other")
    cases.append((file_bytes(content), [key], ["runner"]))
    assert compare(cases) == {"base64": 5, "signature": 1}


def test_a_browser_that_cannot_check_says_so_and_does_not_refuse(key: FileKey, tmp_path: Path) -> None:
    source = SCRIPT.read_text()
    missing = tmp_path / "missing.js"
    missing.write_text('Object.defineProperty(globalThis, "crypto", {value: {}});\n' + source)
    no_algorithm = tmp_path / "no_algorithm.js"
    no_algorithm.write_text(
        "const unknown = async () => { throw Object.assign(new Error(), {name: 'NotSupportedError'}); };\n"
        'Object.defineProperty(globalThis, "crypto", {value: {subtle: {importKey: unknown, '
        "digest: crypto.subtle.digest.bind(crypto.subtle)}}});\n" + source
    )
    cases: list[Case] = [(samples.evidence_file(key), [key], ["runner"])]
    for script in (missing, no_algorithm):
        answer = in_the_browser(cases, script)[0]
        assert (answer["outcome"], answer["failed"]) == ("cannot", None)
