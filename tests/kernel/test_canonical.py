from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from bitgoeul.kernel.canonical import (
    INTEGER_MAX,
    CanonicalError,
    UnreadableJson,
    canonical_bytes,
    digest,
    digest_checked,
    loads_strict,
    sha256_hex,
)

scalars = st.none() | st.booleans() | st.integers(-INTEGER_MAX, INTEGER_MAX) | st.text()
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(values)
def test_the_fast_encoder_spells_what_the_reference_does(value) -> None:
    assert canonical_bytes(value) == rfc8785.dumps(value)
    assert digest_checked(value) == digest(value)


class Colour(StrEnum):
    GREEN = "green"


def test_keys_are_sorted_by_utf16_as_the_rfc_shows() -> None:
    keys = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    ordered = canonical_bytes(dict.fromkeys(keys, 0)).decode()
    assert [ordered.index(f'"{key}"' if key != "\r" else '"\\r"') for key in
            ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]] == sorted(
        ordered.index(f'"{key}"' if key != "\r" else '"\\r"') for key in keys
    )  # fmt: skip


def test_strings_escape_only_what_the_rfc_names() -> None:
    assert canonical_bytes('\u20ac$\x0f\nA\'B"\\\\"/\x7f\u2028') == (
        '"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/\x7f\u2028"'.encode()
    )


def test_one_value_has_one_name() -> None:
    assert canonical_bytes({"b": [1, True, None], "a": "가"}) == '{"a":"가","b":[1,true,null]}'.encode()
    assert digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1}) == sha256_hex(b'{"a":2,"b":1}')


def test_mappings_tuples_and_enums_are_written_as_what_they_are() -> None:
    assert canonical_bytes(MappingProxyType({"c": (Colour.GREEN, 1)})) == b'{"c":["green",1]}'


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"a": [1, 0.5]}, "$.a[1]"),
        ({"a": {"b": 2**53}}, "$.a.b"),
        ([-(2**53)], "$[0]"),
        ({"a": {1: 2}}, "$.a"),
        ({"a": b"x"}, "$.a"),
        ({"a": "\ud800"}, "$.a"),
        ({"\udfff": 1}, "$"),
        (float("nan"), "$"),
    ],
)
def test_what_has_no_one_spelling_is_refused_and_located(value: object, path: str) -> None:
    with pytest.raises(CanonicalError) as caught:
        canonical_bytes(value)
    assert caught.value.path == path


def test_depth_is_bounded_when_writing_and_when_reading() -> None:
    deep: list[object] = []
    for _ in range(100):
        deep = [deep]
    with pytest.raises(CanonicalError):
        canonical_bytes(deep)
    with pytest.raises(UnreadableJson):
        loads_strict(b"[" * 100_000 + b"]" * 100_000)
    assert loads_strict(b'"' + b"[" * 1000 + b'\\"' + b"[" * 1000 + b'"') == "[" * 1000 + '"' + "[" * 1000


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[1] [2]", b"NaN", b"[Infinity]", b"\xff", b"\xef\xbb\xbf{}", b"{'a':1}", b"[1,]", b'"\n"',
     b'{"a":1,"a":2} x', b"\xc0\x80"],
)  # fmt: skip
def test_what_is_no_json_text_is_unreadable(data: bytes) -> None:
    with pytest.raises(UnreadableJson):
        loads_strict(data)


@pytest.mark.parametrize(
    "data",
    [b'{"a":1,"a":2}', b'{"a":{"b":1,"b":1}}', b"0.5", b"1.0", b"1e3", b"9007199254740992",
     b"1" + b"0" * 9999, b'"\\ud800"'],
)  # fmt: skip
def test_what_two_readers_understand_differently_is_refused(data: bytes) -> None:
    with pytest.raises(CanonicalError) as caught:
        loads_strict(data)
    assert not isinstance(caught.value, UnreadableJson)


def test_fractions_are_read_only_when_asked_for() -> None:
    assert loads_strict(b"[0.5, 1]", fractions=True) == [0.5, 1]
    with pytest.raises(UnreadableJson):
        loads_strict(b"[1]", bytes_max=2)


@given(values)
def test_reading_what_was_written_gives_the_value_and_the_same_bytes(value: object) -> None:
    data = canonical_bytes(value)
    assert loads_strict(data) == value
    assert canonical_bytes(loads_strict(data)) == data
