"""Private keys under a passphrase: scrypt and AES-256-GCM."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

MAGIC = b"bitgoeul-keys-1\n"
SALT, NONCE = 16, 12
LENGTH_MIN = 12


class BadPassphrase(Exception):
    """The passphrase cannot be used, or is not the one the keys were sealed with."""


def passphrase_in(path: Path) -> bytes:
    """The first line of a file; BadPassphrase when it is short, OSError when it cannot be read."""
    phrase = path.read_bytes().split(b"\n", 1)[0].strip()
    if len(phrase) < LENGTH_MIN:
        raise BadPassphrase(f"The passphrase in {path} has fewer than {LENGTH_MIN} characters.")
    return phrase


def _key(phrase: bytes, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, n=2**16, r=8, p=1).derive(phrase)


def seal(data: bytes, phrase: bytes) -> bytes:
    """``data`` so that only the passphrase opens it."""
    salt, nonce = os.urandom(SALT), os.urandom(NONCE)
    return MAGIC + salt + nonce + AESGCM(_key(phrase, salt)).encrypt(nonce, data, MAGIC)


def unseal(data: bytes, phrase: bytes) -> bytes:
    """What was sealed; BadPassphrase when the passphrase is another."""
    start = len(MAGIC)
    salt, nonce, rest = (
        data[start : start + SALT],
        data[start + SALT : start + SALT + NONCE],
        data[start + SALT + NONCE :],
    )
    try:
        return AESGCM(_key(phrase, salt)).decrypt(nonce, rest, MAGIC)
    except (InvalidTag, ValueError) as error:
        raise BadPassphrase("The passphrase does not open the keys of this backup.") from error
