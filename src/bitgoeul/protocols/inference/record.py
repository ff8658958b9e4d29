"""The record's small arithmetic, for the harness that writes and the judge that reads it. Whole numbers only."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

SCHEMA = "bitgoeul.inference.record/1"

# Quarter octaves from 1 µs to about 16.8 s; bin 0 is below the first edge, the last one above the last.
EDGES_NS: tuple[int, ...] = tuple(round(1000 * 2 ** (step / 4)) for step in range(97))


def histogram(times_ns: Iterable[int]) -> list[int]:
    """Counts per bin of ``EDGES_NS``, one more bin than edges; bin i holds edges[i-1] ≤ t < edges[i]."""
    counts = [0] * (len(EDGES_NS) + 1)
    for time_ns in times_ns:
        counts[bisect_right(EDGES_NS, time_ns)] += 1
    return counts


def bitmap(flags: Sequence[bool]) -> str:
    """Flags as hex, eight to a byte, the first in the highest bit; unused low bits are zero."""
    packed = bytearray((len(flags) + 7) // 8)
    for position, flag in enumerate(flags):
        if flag:
            packed[position // 8] |= 0x80 >> (position % 8)
    return packed.hex()


def flags(text: str, count: int) -> list[bool]:
    """What ``bitmap`` packed; ValueError when the length or the unused bits do not fit ``count``."""
    packed = bytes.fromhex(text)
    if len(packed) != (count + 7) // 8:
        raise ValueError("the bitmap's length does not fit the number of samples")
    read = [bool(packed[i // 8] & (0x80 >> (i % 8))) for i in range(8 * len(packed))]
    if any(read[count:]):
        raise ValueError("the bitmap has bits beyond the last sample")
    return read[:count]


def percentile(sorted_values: Sequence[int], permille: int) -> int:
    """The nearest-rank percentile of sorted whole numbers."""
    if not sorted_values:
        raise ValueError("no values")
    rank = max(1, -(-permille * len(sorted_values) // 1000))
    return sorted_values[rank - 1]
