"""Keys, signatures and the DSSE envelope.

A key is named by the SHA-256 of its SubjectPublicKeyInfo (``keyid``). Two algorithms: Ed25519, and ECDSA on
P-256 with SHA-256 for sites bound to a national list. An ECDSA signature is 64 bytes, r then s, with s in the
lower half of the order (what browsers read, and the only spelling of its signature). What is signed is the
DSSE pre-authentication encoding (https://github.com/secure-systems-lab/dsse, protocol v1.0).
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from .canonical import sha256_hex
from .errors import BadInput, DomainError
from .text import N_, Text

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
SIGNATURES_MAX = 8
PRIVATE_SUFFIX = ".key"
PUBLIC_SUFFIX = ".pub"

PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey
PublicHalf = ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey


class Algorithm(StrEnum):
    """A signature algorithm by the name written into statements."""

    ED25519 = "ed25519"
    ECDSA_P256 = "ecdsa-p256-sha256"


class UnusableKey(BadInput):
    """The key cannot be used."""

    code = "unusable_key"


class BadEnvelope(BadInput):
    """The envelope is not a DSSE envelope."""

    code = "bad_envelope"


class BadBase64(BadEnvelope):
    """A part of the envelope is not base64 in its only spelling."""

    code = "bad_base64"


class KeyMismatch(DomainError):
    """The public key beside the private key is not its own."""

    code = "key_mismatch"
    status = 409


DEFAULT_TEXTS = (
    N_("The key cannot be used."),
    N_("The envelope is not a DSSE envelope."),
    N_("A part of the envelope is not base64 in its only spelling."),
    N_("The public key beside the private key is not its own."),
)


@dataclass(frozen=True)
class PublicKey:
    """The half that verifies; ``keyid`` is the SHA-256 (hex) of its SPKI in DER, ``pem`` its text form."""

    keyid: str
    algorithm: Algorithm
    pem: str
    half: PublicHalf

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Whether ``signature`` is this key's over ``message``; a malformed signature is simply not."""
        if len(signature) != 64:
            return False
        try:
            if isinstance(self.half, ed25519.Ed25519PublicKey):
                self.half.verify(signature, message)
            else:
                self.half.verify(_der(signature), message, ec.ECDSA(hashes.SHA256()))
        except (InvalidSignature, ValueError):
            return False
        return True


class Signer(Protocol):
    """Whoever signs: a key file now, a hardware token (PKCS#11) later.

    ``sign`` is called by one process at a time per document, may take seconds, and raises DomainError when
    the key is not available; the caller then leaves the document unsigned and tries again later.
    """

    @property
    def keyid(self) -> str:
        """The SHA-256 (hex) of the public key's SPKI."""

    @property
    def algorithm(self) -> Algorithm:
        """The algorithm of ``sign``."""

    @property
    def public(self) -> PublicKey:
        """The public half."""

    def sign(self, message: bytes) -> bytes:
        """The 64-byte signature over ``message``."""


@dataclass(frozen=True)
class FileKey:
    """A private key in a PEM file that only its owner may read."""

    private: PrivateKey
    public: PublicKey

    @property
    def keyid(self) -> str:
        """The SHA-256 (hex) of the public key's SPKI."""
        return self.public.keyid

    @property
    def algorithm(self) -> Algorithm:
        """The algorithm of ``sign``."""
        return self.public.algorithm

    def sign(self, message: bytes) -> bytes:
        """The 64-byte signature over ``message``."""
        if isinstance(self.private, ed25519.Ed25519PrivateKey):
            return self.private.sign(message)
        r, s = decode_dss_signature(self.private.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + min(s, P256_ORDER - s).to_bytes(32, "big")

    @classmethod
    def load(cls, directory: Path, name: str = "centre") -> FileKey:
        """Read ``<name>.key``; refuses one that is missing, readable by others, or beside another ``.pub``."""
        path = directory / f"{name}{PRIVATE_SUFFIX}"
        data = _read_private(path)
        try:
            private = serialization.load_pem_private_key(data, password=None)
        except (ValueError, TypeError) as error:
            raise UnusableKey(N_("{path} is not a private key in PEM."), path=str(path)) from error
        if not isinstance(private, (ed25519.Ed25519PrivateKey, ec.EllipticCurvePrivateKey)):
            raise UnusableKey(N_("{path} is neither an Ed25519 nor a P-256 key."), path=str(path))
        key = cls(private, _public(private.public_key()))
        _check_public(directory / f"{name}{PUBLIC_SUFFIX}", key.public)
        return key

    @classmethod
    def load_or_create(
        cls, directory: Path, name: str = "centre", algorithm: Algorithm = Algorithm.ED25519
    ) -> FileKey:
        """The key of ``directory``, made on first use; an existing key is never replaced.

        Two processes that come at once end with the same key: the file is complete before it gets its name,
        and a name that is taken cannot be taken again.
        """
        directory.mkdir(parents=True, exist_ok=True)
        private = directory / f"{name}{PRIVATE_SUFFIX}"
        if not private.exists():
            _publish(private, _new_private(algorithm), mode=0o600)
        key = cls.load(directory, name)
        public = directory / f"{name}{PUBLIC_SUFFIX}"
        if not public.exists():
            _publish(public, key.public.pem.encode("ascii"), mode=0o644)
            _check_public(public, key.public)
        return key


@dataclass(frozen=True)
class Signature:
    """One signature of an envelope: whose, and its bytes."""

    keyid: str
    sig: bytes


@dataclass(frozen=True)
class Envelope:
    """A DSSE envelope: signed bytes with their type, one or more signatures."""

    payload: bytes
    payload_type: str
    signatures: tuple[Signature, ...]

    @classmethod
    def seal(cls, payload: bytes, payload_type: str, signers: Sequence[Signer]) -> Envelope:
        """Sign ``payload`` by every signer, in the order of their key ids."""
        message = pae(payload_type, payload)
        ordered = sorted(signers, key=lambda signer: signer.keyid)
        return cls(payload, payload_type, tuple(Signature(s.keyid, s.sign(message)) for s in ordered))

    def to_json(self) -> dict[str, Any]:
        """The JSON form of the DSSE protocol, base64 in the standard alphabet with padding."""
        return {
            "payload": b64encode(self.payload),
            "payloadType": self.payload_type,
            "signatures": [{"keyid": one.keyid, "sig": b64encode(one.sig)} for one in self.signatures],
        }

    @classmethod
    def from_json(cls, data: object) -> Envelope:
        """Read the JSON form; raises BadEnvelope for a missing, extra or mistyped member or loose base64."""
        members = _exactly(data, {"payload": str, "payloadType": str, "signatures": list})
        found = members["signatures"]
        if not 1 <= len(found) <= SIGNATURES_MAX:
            raise BadEnvelope(N_("An envelope has 1 to {limit} signatures."), limit=SIGNATURES_MAX)
        pairs = [_exactly(one, {"keyid": str, "sig": str}) for one in found]
        return cls(
            b64decode(members["payload"]),
            members["payloadType"],
            tuple(Signature(pair["keyid"], b64decode(pair["sig"])) for pair in pairs),
        )


def public_key(pem: bytes | str) -> PublicKey:
    """Read a public key in PEM (SPKI); raises UnusableKey for anything but Ed25519 and P-256."""
    data = pem.encode("utf-8") if isinstance(pem, str) else pem
    try:
        half = serialization.load_pem_public_key(data)
    except (ValueError, TypeError) as error:
        raise UnusableKey(N_("This is not a public key in PEM.")) from error
    if not isinstance(half, (ed25519.Ed25519PublicKey, ec.EllipticCurvePublicKey)):
        raise UnusableKey(N_("The key is neither Ed25519 nor P-256."))
    return _public(half)


def pae(payload_type: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: the bytes that are signed."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def b64encode(data: bytes) -> str:
    """Standard base64 with padding."""
    return base64.b64encode(data).decode("ascii")


def b64decode(text: str) -> bytes:
    """Decode standard base64 in its only spelling; raises BadBase64 otherwise.

    Loose decoders ignore stray characters and the unused low bits of the last one: changed bytes would pass.
    """
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise BadBase64 from error
    if b64encode(data) != text:
        raise BadBase64
    return data


def _exactly(data: object, shape: Mapping[str, type]) -> dict[str, Any]:
    if not isinstance(data, dict) or set(data) != set(shape):
        raise BadEnvelope(N_("An envelope part needs exactly {members}."), members=", ".join(sorted(shape)))
    wrong = [name for name, kind in shape.items() if not isinstance(data[name], kind)]
    if wrong:
        raise BadEnvelope(N_("“{member}” of the envelope has the wrong type."), member=wrong[0])
    return data


def _der(signature: bytes) -> bytes:
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if s > P256_ORDER // 2:
        raise ValueError("the second spelling of an ECDSA signature")
    return encode_dss_signature(r, s)


def _public(half: PublicHalf) -> PublicKey:
    if isinstance(half, ec.EllipticCurvePublicKey) and not isinstance(half.curve, ec.SECP256R1):
        raise UnusableKey(N_("The curve of the key is {curve}; P-256 is needed."), curve=half.curve.name)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    spki = half.public_bytes(serialization.Encoding.DER, form)
    pem = half.public_bytes(serialization.Encoding.PEM, form).decode("ascii")
    edwards = isinstance(half, ed25519.Ed25519PublicKey)
    return PublicKey(sha256_hex(spki), Algorithm.ED25519 if edwards else Algorithm.ECDSA_P256, pem, half)


def _new_private(algorithm: Algorithm) -> bytes:
    private: PrivateKey = (
        ed25519.Ed25519PrivateKey.generate()
        if algorithm is Algorithm.ED25519
        else ec.generate_private_key(ec.SECP256R1())
    )
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _read_private(path: Path) -> bytes:
    try:
        mode = path.stat().st_mode
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise UnusableKey(N_("There is no key at {path}."), path=str(path)) from error
    except OSError as error:
        raise UnusableKey(N_("{path} cannot be read."), path=str(path)) from error
    if mode & 0o077:
        raise UnusableKey(
            N_("{path} can be read by others."),
            path=str(path),
            remedy=Text(N_("Run chmod 600 {path}; make a new key if others had access."), {"path": str(path)}),
        )
    return data


def _check_public(path: Path, expected: PublicKey) -> None:
    with suppress(FileNotFoundError):
        if public_key(path.read_bytes()).keyid != expected.keyid:
            raise KeyMismatch(
                remedy=Text(
                    N_("Put back the right pair, or remove {path} to have it written again."),
                    {"path": str(path)},
                )
            )


def _publish(path: Path, data: bytes, mode: int) -> None:
    """Give complete content a name that is still free; a name taken meanwhile stays as it is."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # link, unlike rename, fails on an existing name: the second process keeps the first one's key.
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
