"""How a target's own process is spoken to: frames with a JSON head and raw bytes. Little endian.

A frame is ``head bytes u32, data bytes u64``, the head (JSON) and the data. A question's head is
``{"id": n, "do": "describe" | "load" | "infer" | "close" | an ability, …}``; its answer repeats the id and carries
what came of it, or ``refused``: one line. Values stand in the head as type and shape, their bytes in the data.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ml_dtypes
import numpy as np

from bitgoeul.trials.ports import Fault, SubjectFault, Value

SIZES = struct.Struct("<IQ")
HEAD_BYTES_MAX = 16 * 2**20
DATA_BYTES_MAX = 512 * 2**20
# Numeric types only: an object array would be unpickled, and so is never read.
_TYPES = {
    name: np.dtype(getattr(ml_dtypes, name, name))
    for name in (
        "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
        "float16", "float32", "float64", "complex64", "complex128", "bfloat16", "int2", "uint2", "int4", "uint4",
        "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu", "float4_e2m1fn",
    )
    if hasattr(np, name.rstrip("_")) or hasattr(ml_dtypes, name)
}  # fmt: skip


def frame(head: Mapping[str, Any], values: Sequence[Value] | None = None) -> bytes:
    """One frame as bytes; TypeError for a value that is no tensor, list or None."""
    chunks: list[bytes] = []
    told = dict(head)
    if values is not None:
        told["values"] = [_told(value, chunks) for value in values]
    packed = json.dumps(told, separators=(",", ":")).encode()
    return b"".join([SIZES.pack(len(packed), sum(map(len, chunks))), packed, *chunks])


def _told(value: Value, chunks: list[bytes]) -> Any:
    if value is None:
        return None
    if isinstance(value, (list, tuple)):
        return [_told(each, chunks) for each in value]
    array = np.asarray(value)
    shape = list(array.shape)
    if array.dtype.kind in "OUS":
        texts = [each.decode() if isinstance(each, bytes) else each for each in array.ravel().tolist()]
        if not all(isinstance(each, str) for each in texts):
            raise TypeError("a tensor of objects that are not texts")
        return {"texts": texts, "shape": shape}
    if array.dtype.name not in _TYPES:
        raise TypeError(f"a tensor of {array.dtype.name}")
    chunks.append(array.tobytes())
    told = {"type": array.dtype.name, "shape": shape}
    return {**told, "scalar": True} if isinstance(value, np.generic) else told


def read_frame(read: Callable[[int], bytes]) -> tuple[dict[str, Any], list[Value]]:
    """One frame from ``read(size)``, which gives exactly so many bytes; raises SubjectFault (MALFORMED)."""
    head_bytes, data_bytes = SIZES.unpack(read(SIZES.size))
    if head_bytes > HEAD_BYTES_MAX or data_bytes > DATA_BYTES_MAX:
        raise SubjectFault(Fault.MALFORMED, f"an answer of {head_bytes} + {data_bytes} bytes")
    packed, data = read(head_bytes), memoryview(read(data_bytes))
    try:
        head = json.loads(packed)
        values, rest = _values(head.pop("values", []), data)
        if rest:
            raise ValueError(f"{len(rest)} bytes too many")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SubjectFault(Fault.MALFORMED, f"an answer that cannot be read ({error})") from error
    return head, values


def _values(told: Sequence[Any], data: memoryview) -> tuple[list[Value], memoryview]:
    found = []
    for each in told:
        value, data = _value(each, data)
        found.append(value)
    return found, data


def _value(told: Any, data: memoryview) -> tuple[Value, memoryview]:
    if told is None:
        return None, data
    if isinstance(told, list):
        return _values(told, data)
    shape = [int(side) for side in told["shape"]]
    if "texts" in told:
        texts = np.array([str(each) for each in told["texts"]], dtype=object)
        return texts.reshape(shape), data
    kind = _TYPES[told["type"]]
    size = kind.itemsize
    for side in shape:
        size *= side
    if size < 0 or size > len(data):
        raise ValueError("fewer bytes than the shape says")
    # A copy is aligned and writable, which some runtimes take for granted.
    array = np.frombuffer(data[:size], dtype=kind).reshape(shape).copy()
    return (array[()] if told.get("scalar") else array), data[size:]
