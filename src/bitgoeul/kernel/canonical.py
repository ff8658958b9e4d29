"""Canonical JSON: one value, one spelling in bytes (RFC 8785), and a reader that accepts nothing loose.

Whole numbers must lie within ±(2^53 − 1), the range every JSON reader agrees on; fractions are refused.
Larger numbers and amounts are written as decimal strings, times as RFC 3339.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

import rfc8785

from .errors import BadInput
from .text import N_, Text

INTEGER_MAX = 2**53 - 1
DEPTH_MAX = 64
BYTES_MAX = 16 * 1024 * 1024

_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_BEYOND_UTF16_UNITS = re.compile("[\U00010000-\U0010ffff]")
_BRACKETS = re.compile(r"[\[\]{}]")


class CanonicalError(BadInput):
    """The value has no canonical JSON form."""

    code = "not_canonical"

    @property
    def path(self) -> str:
        """Where in the value, as ``$.a[0].b``; ``$`` is the whole."""
        return self.field or "$"


class UnreadableJson(CanonicalError):
    """The bytes are not one JSON text in UTF-8."""

    code = "unreadable_json"


DEFAULT_TEXTS = (
    N_("The value has no canonical JSON form."),
    N_("The bytes are not one JSON text in UTF-8."),
)


def canonical_bytes(value: object, *, depth_max: int = DEPTH_MAX) -> bytes:
    """The RFC 8785 bytes of ``value``, without a final newline.

    Takes None, bool, int, str, lists, tuples and mappings with string keys; anything else, a fraction, a
    number beyond ±(2^53 − 1), a lone surrogate or a nesting deeper than ``depth_max`` raises CanonicalError.
    """
    return _spelled(_plain(value, "$", depth_max))


_encode = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, check_circular=False, sort_keys=True, separators=(",", ":")
).encode


def _spelled(plain: Any) -> bytes:
    """The RFC 8785 bytes of a checked value, by the standard library's encoder in C where it spells the same.

    It escapes the same characters and differs in one thing: keys are sorted by code point instead of UTF-16 unit,
    which is another order only when a character beyond U+FFFF is there.
    """
    text = _encode(plain)
    if text.isascii() or not _BEYOND_UTF16_UNITS.search(text):
        return text.encode()
    dumped: bytes = rfc8785.dumps(plain)
    return dumped


def sha256_hex(data: bytes) -> str:
    """The SHA-256 of ``data``, 64 lower-case hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def digest(value: object) -> str:
    """The name of a value: SHA-256 (hex) of its canonical bytes."""
    return sha256_hex(canonical_bytes(value))


def digest_checked(value: object) -> str:
    """``digest`` of a value that was checked before, as when it was written; half of the time goes into checking.

    What has no canonical form gives another digest or raises ValueError, never the digest of a value that has one.
    """
    return sha256_hex(_spelled(value))


def loads_strict(
    data: bytes, *, bytes_max: int = BYTES_MAX, depth_max: int = DEPTH_MAX, fractions: bool = False
) -> Any:
    """Read one JSON text, refusing everything two readers could understand differently.

    Raises UnreadableJson for what is no JSON text (not UTF-8, NaN, trailing data, above the limits) and
    CanonicalError for duplicate keys, lone surrogates, whole numbers beyond ±(2^53 − 1) and, unless
    ``fractions``, numbers with a point or an exponent.
    """
    text = _decode(data, bytes_max)
    _check_depth(text, depth_max)
    faults: list[CanonicalError] = []
    value = _parse(text, faults, fractions)
    if faults:
        raise faults[0]
    if not fractions:
        _plain(value, "$", depth_max)
    return value


def _decode(data: bytes, bytes_max: int) -> str:
    if len(data) > bytes_max:
        raise UnreadableJson(
            N_("The JSON text has {size} bytes; at most {limit} are read."), size=len(data), limit=bytes_max
        )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableJson(N_("Byte {position} is not UTF-8."), position=error.start) from error


def _check_depth(text: str, depth_max: int) -> None:
    """Count brackets before parsing: a deep nesting would otherwise end in the parser's recursion limit."""
    depth = 0
    for bracket in _BRACKETS.findall(_STRINGS.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > depth_max:
            raise UnreadableJson(N_("The JSON text is nested deeper than {limit} levels."), limit=depth_max)


def _parse(text: str, faults: list[CanonicalError], fractions: bool) -> Any:
    """Parse to the end and collect what is loose, so that a syntax error anywhere is reported as one."""

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(items)
        if len(result) != len(items):
            keys = [key for key, _ in items]
            repeated = next(key for key in keys if keys.count(key) > 1)
            faults.append(CanonicalError(N_("The key “{key}” appears twice."), key=repeated))
        return result

    def whole(digits: str) -> int:
        # Length first: converting a million digits takes minutes.
        if len(digits) > 17 or abs(int(digits)) > INTEGER_MAX:
            faults.append(CanonicalError(N_("The number {number} is too large."), number=digits[:24]))
            return 0
        return int(digits)

    def fraction(digits: str) -> float:
        if not fractions:
            faults.append(CanonicalError(N_("The number {number} is not a whole number."), number=digits[:24]))
            return 0.0
        return float(digits)

    def constant(name: str) -> NoReturn:
        raise UnreadableJson(N_("“{name}” is not JSON."), name=name)

    try:
        return json.loads(
            text, object_pairs_hook=pairs, parse_int=whole, parse_float=fraction, parse_constant=constant
        )
    except json.JSONDecodeError as error:
        raise UnreadableJson(
            N_("Not JSON at line {line}, column {column}."), line=error.lineno, column=error.colno
        ) from error


def _plain(value: object, path: str, depth_left: int) -> Any:
    """The value as plain dict, list and scalars, every part checked."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        if abs(value) > INTEGER_MAX:
            raise _refuse(path, N_("A whole number beyond ±(2^53 − 1); write it as a decimal string."))
        return int(value)
    if isinstance(value, str):
        return _plain_text(value, path)
    if isinstance(value, (list, tuple)):
        _spend(path, depth_left)
        return [_plain(item, f"{path}[{index}]", depth_left - 1) for index, item in enumerate(value)]
    if isinstance(value, Mapping):
        _spend(path, depth_left)
        return {
            _plain_key(key, path): _plain(item, f"{path}.{key}", depth_left - 1) for key, item in value.items()
        }
    if isinstance(value, float):
        raise _refuse(path, N_("A fraction; write it as a whole number of a smaller unit or as a string."))
    raise _refuse(path, N_("A {type} has no JSON form here."), type=type(value).__name__)


def _plain_text(value: str, path: str) -> str:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise _refuse(path, N_("A text with half of a surrogate pair.")) from error
    return str.__str__(value)


def _plain_key(key: object, path: str) -> str:
    if not isinstance(key, str):
        raise _refuse(path, N_("A key that is a {type}, not a text."), type=type(key).__name__)
    return _plain_text(key, path)


def _spend(path: str, depth_left: int) -> None:
    if depth_left <= 0:
        raise _refuse(path, N_("The value is nested too deeply."))


def _refuse(path: str, message: str, **params: str | int) -> CanonicalError:
    return CanonicalError(Text(message, params), field=path)
