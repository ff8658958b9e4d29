"""A Merkle tree over a log that only grows: roots, inclusion and consistency proofs as in RFC 6962, section 2.1.

Hashes are SHA-256, 32 bytes. A leaf is hashed behind a byte 0, a pair of nodes behind a byte 1, so that no leaf
can pass for a node. A tree is asked through ``Subtree``, so that its owner may keep what never changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256

# The root of the leaves from start to before end: as many as a power of two, from one of its multiples on.
Subtree = Callable[[int, int], bytes]
EMPTY = sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two nodes."""
    return sha256(b"\x01" + left + right).digest()


def over(leaves: Sequence[bytes]) -> Subtree:
    """A tree over leaf hashes, or over the roots of equal subtrees; each of its nodes is hashed once."""
    known: dict[tuple[int, int], bytes] = {}

    def subtree(start: int, end: int) -> bytes:
        if end - start == 1:
            return leaves[start]
        if (start, end) not in known:
            middle = (start + end) // 2
            known[start, end] = node_hash(subtree(start, middle), subtree(middle, end))
        return known[start, end]

    return subtree


def root(subtree: Subtree, size: int) -> bytes:
    """The root of the first ``size`` leaves; of none it is ``EMPTY``."""
    return _root(subtree, 0, size) if size else EMPTY


def _root(subtree: Subtree, start: int, end: int) -> bytes:
    """MTH of RFC 6962, 2.1: ``start`` is always such that the left part is complete."""
    split = _split(end - start)
    if split == end - start:
        return subtree(start, end)
    return node_hash(subtree(start, start + split), _root(subtree, start + split, end))


def inclusion(subtree: Subtree, index: int, size: int) -> list[bytes]:
    """PATH of 2.1.1: from the leaf ``index`` (from 0) up, what its neighbours are. ValueError outside the tree."""
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} among {size}")
    found: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start - 1)
        if index < middle:
            found.append(_root(subtree, middle, end))
            end = middle
        else:
            found.append(_root(subtree, start, middle))
            start = middle
    return found[::-1]


def root_from_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that a path leads to from a leaf's hash; None where it fits no such place (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return None
    node, last, found = index, size - 1, leaf
    for step in path:
        if last == 0:
            return None
        if node % 2 or node == last:
            found = node_hash(step, found)
            while not node % 2 and node:
                node, last = node >> 1, last >> 1
        else:
            found = node_hash(found, step)
        node, last = node >> 1, last >> 1
    return found if last == 0 else None


def consistency(subtree: Subtree, first: int, size: int) -> list[bytes]:
    """PROOF of 2.1.2: that the first ``first`` leaves are still those of an earlier tree. ValueError outside."""
    if not 0 < first <= size:
        raise ValueError(f"no earlier tree of {first} leaves in one of {size}")
    found: list[bytes] = []
    start, end, known = 0, size, True
    while first != end:
        middle = start + _split(end - start - 1)
        if first <= middle:
            found.append(_root(subtree, middle, end))
            end = middle
        else:
            found.append(_root(subtree, start, middle))
            start, known = middle, False
    if not known:
        found.append(_root(subtree, start, end))
    return found[::-1]


def is_consistent(first: int, second: int, first_root: bytes, second_root: bytes, path: Sequence[bytes]) -> bool:
    """Whether a tree of ``second`` leaves begins with that of ``first`` (RFC 9162, 2.1.4.2)."""
    if not 0 < first <= second:
        return False
    if first == second:
        return not path and first_root == second_root
    steps = list(path)
    if first & (first - 1) == 0:
        steps.insert(0, first_root)
    if not steps:
        return False
    node, last = first - 1, second - 1
    while node % 2:
        node, last = node >> 1, last >> 1
    old = new = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if node % 2 or node == last:
            old, new = node_hash(step, old), node_hash(step, new)
            while not node % 2 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, step)
        node, last = node >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root


def _split(count: int) -> int:
    """The largest power of two that is no more than ``count``."""
    return 1 << (count.bit_length() - 1)
