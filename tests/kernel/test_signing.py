from __future__ import annotations

import multiprocessing
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from bitgoeul.kernel.canonical import sha256_hex
from bitgoeul.kernel.signing import (
    P256_ORDER,
    Algorithm,
    BadBase64,
    BadEnvelope,
    Envelope,
    FileKey,
    KeyMismatch,
    UnusableKey,
    b64decode,
    pae,
    public_key,
)

both = pytest.mark.parametrize("algorithm", list(Algorithm))


def _create(directory: str, queue: multiprocessing.Queue[str]) -> None:
    queue.put(FileKey.load_or_create(Path(directory)).keyid)


@both
def test_a_key_is_made_once_and_then_read(tmp_path: Path, algorithm: Algorithm) -> None:
    first = FileKey.load_or_create(tmp_path / "keys", algorithm=algorithm)
    again = FileKey.load_or_create(tmp_path / "keys", algorithm=Algorithm.ED25519)
    assert (again.keyid, again.algorithm) == (first.keyid, algorithm)
    assert stat.S_IMODE((tmp_path / "keys/centre.key").stat().st_mode) == 0o600
    assert sorted(path.name for path in (tmp_path / "keys").iterdir()) == ["centre.key", "centre.pub"]
    assert again.public.verify(b"message", first.sign(b"message"))


def test_the_keyid_is_the_digest_of_the_spki(tmp_path: Path) -> None:
    key = FileKey.load_or_create(tmp_path)
    half = serialization.load_pem_public_key((tmp_path / "centre.pub").read_bytes())
    spki = half.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert key.keyid == sha256_hex(spki) == public_key((tmp_path / "centre.pub").read_text()).keyid


def test_processes_that_come_at_once_share_one_key(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    queue: multiprocessing.Queue[str] = context.Queue()
    workers = [context.Process(target=_create, args=(str(tmp_path), queue)) for _ in range(8)]
    for worker in workers:
        worker.start()
    found = {queue.get(timeout=30) for _ in workers}
    for worker in workers:
        worker.join(30)
    assert len(found) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["centre.key", "centre.pub"]


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    FileKey.load_or_create(tmp_path)
    (tmp_path / "centre.key").chmod(0o640)
    with pytest.raises(UnusableKey) as caught:
        FileKey.load_or_create(tmp_path)
    assert "chmod 600" in str(caught.value.remedy)


def test_a_foreign_public_key_is_noticed_and_not_overwritten(tmp_path: Path) -> None:
    FileKey.load_or_create(tmp_path)
    other = FileKey.load_or_create(tmp_path / "other")
    (tmp_path / "centre.pub").write_text(other.public.pem)
    with pytest.raises(KeyMismatch):
        FileKey.load_or_create(tmp_path)
    assert (tmp_path / "centre.pub").read_text() == other.public.pem


def test_a_damaged_private_key_is_never_replaced(tmp_path: Path) -> None:
    FileKey.load_or_create(tmp_path)
    (tmp_path / "centre.key").write_bytes(b"damaged")
    with pytest.raises(UnusableKey):
        FileKey.load_or_create(tmp_path)
    assert (tmp_path / "centre.key").read_bytes() == b"damaged"


def test_other_kinds_of_key_are_refused() -> None:
    for private in (rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP384R1())):
        pem = private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        with pytest.raises(UnusableKey):
            public_key(pem)
    with pytest.raises(UnusableKey):
        public_key(b"not a key")


def test_the_pre_authentication_encoding_is_the_one_of_the_protocol() -> None:
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


@both
def test_every_changed_bit_of_a_signature_is_refused(tmp_path: Path, algorithm: Algorithm) -> None:
    key = FileKey.load_or_create(tmp_path, algorithm=algorithm)
    signature = key.sign(b"message")
    assert not key.public.verify(b"messagE", signature)
    assert not key.public.verify(b"message", signature + b"\0")
    for bit in range(512):
        changed = bytearray(signature)
        changed[bit // 8] ^= 1 << bit % 8
        assert not key.public.verify(b"message", bytes(changed))


def test_an_ecdsa_signature_has_one_spelling(tmp_path: Path) -> None:
    key = FileKey.load_or_create(tmp_path, algorithm=Algorithm.ECDSA_P256)
    for _ in range(20):
        signature = key.sign(b"message")
        s = int.from_bytes(signature[32:], "big")
        assert s <= P256_ORDER // 2
        assert key.public.verify(b"message", signature)
        assert not key.public.verify(b"message", signature[:32] + (P256_ORDER - s).to_bytes(32, "big"))


def test_an_envelope_carries_several_signatures_in_the_order_of_their_keys(tmp_path: Path) -> None:
    runner, reviewer = FileKey.load_or_create(tmp_path / "a"), FileKey.load_or_create(tmp_path / "b")
    envelope = Envelope.seal(b"payload", "text/plain", [runner, reviewer])
    read = Envelope.from_json(envelope.to_json())
    assert read == envelope == Envelope.seal(b"payload", "text/plain", [reviewer, runner])
    assert [one.keyid for one in read.signatures] == sorted([runner.keyid, reviewer.keyid])


@pytest.mark.parametrize("text", ["YQ", "YR==", "YQ==\n", "Y Q==", "YQ=", "가", "_-==", "YQ==YQ=="])
def test_base64_has_one_spelling(text: str) -> None:
    with pytest.raises(BadBase64):
        b64decode(text)


@pytest.mark.parametrize(
    "change",
    [
        {"payload": 1},
        {"extra": 1},
        {"signatures": []},
        {"signatures": [{"keyid": "x"}]},
        {"payloadType": None},
    ],
)
def test_an_envelope_has_exactly_its_members(tmp_path: Path, change: dict[str, object]) -> None:
    data = Envelope.seal(b"payload", "text/plain", [FileKey.load_or_create(tmp_path)]).to_json()
    with pytest.raises(BadEnvelope):
        Envelope.from_json({**data, **change})
