"""The evidence log as a Merkle tree: signed tree heads, and proofs that an outsider checks.

The leaf of a position is its hash in the log's chain, 64 digits, so tree and chain cannot part. A process keeps
the root of each full CHUNK of leaves by the chain's hash at its end, which no other leaves have. A head is signed
with the centre's key and appended to ``var/heads/evidence-tree.jsonl``.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Sequence
from pathlib import Path

from django.conf import settings

from bitgoeul.kernel import merkle
from bitgoeul.kernel.errors import BadInput, Conflict, NotFound
from bitgoeul.kernel.heads import (
    HeadFault,
    SignedHead,
    append_head,
    check_heads,
    latest_signed_head,
)
from bitgoeul.kernel.signing import FileKey
from bitgoeul.kernel.text import N_

from .models import EvidenceLog
from .proofs import TREE, Consistency, Inclusion

CHUNK = 256
KEPT_MAX = 65_536
_kept: dict[str, bytes] = {}


def tree_path() -> Path:
    """Where the signed heads of the tree are kept, outside the database."""
    return Path(settings.HEADS) / f"{TREE}.jsonl"


def write_tree_head() -> SignedHead | None:
    """The head over the whole log, signed when it has grown or the key is new; None while nothing is in it.

    One process at a time, so heads only grow. Raises Conflict where the database is behind the last signed head.
    """
    path, keys = tree_path(), Path(settings.KEYS)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        size, known = EvidenceLog.objects.count(), latest_signed_head(path)
        if known is not None and known.sequence > size:
            raise Conflict(
                N_(
                    "The evidence log has {size} positions and {signed} were signed: "
                    "its database is an older one."
                ),
                size=size, signed=known.sequence,
            )  # fmt: skip
        if size == 0 or (known and (known.sequence, known.keyid) == (size, FileKey.load_or_create(keys).keyid)):
            return known
        append_head(path, keys=keys, chain=TREE, sequence=size, hash=merkle.root(_Tree(size).subtree, size).hex())
        return latest_signed_head(path)


def signed_head() -> SignedHead:
    """The newest signed head; raises NotFound while nothing is in the log."""
    head = write_tree_head()
    if head is None:
        raise NotFound(N_("Nothing is in the evidence log yet."))
    return head


def inclusion(sequence: int, previous: str, digest: str) -> Inclusion:
    """The proof that a position of the log is in the tree of the newest signed head."""
    head = signed_head()
    tree = _Tree(head.sequence)
    path = merkle.inclusion(tree.subtree, sequence - 1, head.sequence)
    return Inclusion(digest, sequence, previous, tuple(each.hex() for each in path), head)


def consistency(first: int) -> Consistency:
    """The proof that the newest signed tree begins with the tree of ``first`` positions; raises BadInput."""
    head = signed_head()
    if not 0 < first <= head.sequence:
        raise BadInput(N_("Give a size of the log from 1 to {limit}."), field="first", limit=head.sequence)
    tree = _Tree(head.sequence)
    path = merkle.consistency(tree.subtree, first, head.sequence)
    old = merkle.root(tree.subtree, first)
    return Consistency(first, old.hex(), tuple(each.hex() for each in path), head)


def head_faults() -> Iterator[HeadFault]:
    """Kept heads of the tree that the log as it is now does not have, all of it read and hashed anew."""
    leaves = _leaves(0, EvidenceLog.objects.count())
    tree = merkle.over(leaves)

    def root_at(size: int) -> str | None:
        return merkle.root(tree, size).hex() if 0 < size <= len(leaves) else None

    return check_heads(tree_path(), keys=Path(settings.KEYS), chain=TREE, hash_at=root_at)


class _Tree:
    """The tree of the first ``size`` positions: full chunks as kept, the rest as read."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._full = merkle.over(_full_chunks(size // CHUNK))
        self._parts: dict[int, merkle.Subtree] = {}

    def subtree(self, start: int, end: int) -> bytes:
        """See ``merkle.Subtree``."""
        if end - start >= CHUNK:
            return self._full(start // CHUNK, end // CHUNK)
        at = start // CHUNK * CHUNK
        if at not in self._parts:
            self._parts[at] = merkle.over(_leaves(at, min(at + CHUNK, self.size)))
        return self._parts[at](start - at, end - at)


def _full_chunks(count: int) -> list[bytes]:
    """The roots of the full chunks; those that are not known yet are read in one query."""
    rows = EvidenceLog.objects.filter(sequence__in=range(CHUNK, count * CHUNK + 1, CHUNK)).order_by("sequence")
    ends: Sequence[str] = list(rows.values_list("hash", flat=True)) if count else []
    unknown = [number for number, end in enumerate(ends) if end not in _kept]
    if unknown:
        if len(_kept) + len(unknown) > KEPT_MAX:
            _kept.clear()
            unknown = list(range(len(ends)))
        begin = unknown[0]
        tree = merkle.over(_leaves(begin * CHUNK, (unknown[-1] + 1) * CHUNK))
        for number in unknown:
            _kept[ends[number]] = tree((number - begin) * CHUNK, (number - begin + 1) * CHUNK)
    return [_kept[end] for end in ends]


def _leaves(start: int, end: int) -> list[bytes]:
    rows = EvidenceLog.objects.filter(sequence__gt=start, sequence__lte=end).order_by("sequence")
    hashes: Sequence[str] = list(rows.values_list("hash", flat=True))
    return [merkle.leaf_hash(each.encode()) for each in hashes]
