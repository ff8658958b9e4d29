"""Proofs about the evidence log, as files, and their checks. Pure: no database, no network, no Django."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bitgoeul.kernel import merkle
from bitgoeul.kernel.canonical import digest as digest_of
from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.heads import SignedHead
from bitgoeul.kernel.signing import PublicKey
from bitgoeul.kernel.text import N_, Text

TREE = "evidence-tree"
INCLUSION, CONSISTENCY = "bitgoeul.evidence-inclusion/1", "bitgoeul.evidence-consistency/1"
PATH_MAX = 128
HEX = frozenset("0123456789abcdef")


class NotAProof(BadInput):
    """The file is not a proof about an evidence log."""

    code = "not_a_proof"


DEFAULT_TEXTS = (N_("The file is not a proof about an evidence log."),)


def link(sequence: int, previous: str, evidence_digest: str) -> str:
    """The hash of one position: over sequence, previous hash and the file's digest."""
    return digest_of({"sequence": sequence, "previous": previous, "evidence": evidence_digest})


@dataclass(frozen=True)
class Inclusion:
    """That a position of the log is in the tree of a signed head; hashes are hex, ``path`` from the leaf up."""

    evidence: str
    sequence: int
    previous: str
    path: tuple[str, ...]
    head: SignedHead

    def to_json(self) -> dict[str, Any]:
        """The proof as a file has it."""
        return {
            "schema": INCLUSION, "evidence": self.evidence, "sequence": self.sequence, "previous": self.previous,
            "path": list(self.path), "head": self.head.to_json(),
        }  # fmt: skip


@dataclass(frozen=True)
class Consistency:
    """That the tree of a signed head begins with that of ``first`` positions, whose root was ``first_root``."""

    first: int
    first_root: str
    path: tuple[str, ...]
    head: SignedHead

    def to_json(self) -> dict[str, Any]:
        """The proof as a file has it."""
        return {
            "schema": CONSISTENCY, "first": self.first, "first_root": self.first_root, "path": list(self.path),
            "head": self.head.to_json(),
        }  # fmt: skip


@dataclass(frozen=True)
class Checked:
    """One check of a proof: its stable name, whether it held, and a sentence."""

    name: str
    passed: bool
    text: Text


def read(data: object) -> Inclusion | Consistency:
    """A proof from its JSON; raises NotAProof."""
    if not isinstance(data, dict):
        raise NotAProof
    try:
        head = SignedHead.from_json(data["head"])
        path = tuple(data["path"])
        if len(path) > PATH_MAX or not all(map(_is_hash, path)):
            raise NotAProof
        if data["schema"] == INCLUSION:
            _check(_is_hash(data["evidence"]), _is_hash(data["previous"]), _is_count(data["sequence"]))
            return Inclusion(data["evidence"], data["sequence"], data["previous"], path, head)
        if data["schema"] == CONSISTENCY:
            _check(_is_count(data["first"]), _is_hash(data["first_root"]))
            return Consistency(data["first"], data["first_root"], path, head)
    except (KeyError, TypeError, ValueError) as error:
        raise NotAProof from error
    raise NotAProof


def _check(*right: bool) -> None:
    if not all(right):
        raise NotAProof


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and len(value) == 64 and HEX.issuperset(value)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**53


def check_head(head: SignedHead, keys: Sequence[PublicKey]) -> Checked:
    """Whether the head is of an evidence log's tree and signed by one of the keys."""
    signed = any(key.keyid == head.keyid and key.verify(head.signed_bytes(), head.signature) for key in keys)
    if head.chain == TREE and signed:
        return Checked("head", True, Text(N_("The head of the log is signed with the key given.")))
    return Checked("head", False, Text(N_("The head of the log is not signed with the key given.")))


def check_inclusion(proof: Inclusion, keys: Sequence[PublicKey]) -> Iterator[Checked]:
    """The checks of an inclusion proof."""
    yield check_head(proof.head, keys)
    leaf = merkle.leaf_hash(link(proof.sequence, proof.previous, proof.evidence).encode())
    path = [bytes.fromhex(each) for each in proof.path]
    found = merkle.root_from_inclusion(leaf, proof.sequence - 1, proof.head.sequence, path)
    if found is not None and found.hex() == proof.head.hash:
        yield Checked("inclusion", True, Text(N_("The evidence is in the log at the place it names.")))
    else:
        yield Checked("inclusion", False, Text(N_("The path does not lead from the evidence to the signed head.")))


def check_evidence(proof: Inclusion, evidence_digest: str, log: Mapping[str, Any]) -> Checked:
    """Whether the proof is about this file: its digest, and the place that its signed statement names."""
    if (proof.evidence, proof.sequence, proof.previous) == (
        evidence_digest, log.get("sequence"), log.get("previous"),
    ):  # fmt: skip
        return Checked("evidence", True, Text(N_("The proof is about this evidence.")))
    return Checked("evidence", False, Text(N_("The proof is about other evidence.")))


def check_consistency(proof: Consistency, keys: Sequence[PublicKey], known: SignedHead) -> Iterator[Checked]:
    """The checks of a consistency proof against ``known``, the head that somebody kept from earlier.

    Without one the proof says nothing: a log that was written anew begins with itself.
    """
    yield check_head(proof.head, keys)
    yield check_head(known, keys)
    same = (known.sequence, known.hash) == (proof.first, proof.first_root)
    yield Checked(
        "known", same,
        Text(N_("The proof begins with the head that was kept."))
        if same else Text(N_("The proof does not begin with the head that was kept.")),
    )  # fmt: skip
    path = [bytes.fromhex(each) for each in proof.path]
    roots = bytes.fromhex(proof.first_root), bytes.fromhex(proof.head.hash)
    if merkle.is_consistent(proof.first, proof.head.sequence, *roots, path):
        yield Checked("consistency", True, Text(N_("The log has only grown since: nothing in it was changed.")))
    else:
        yield Checked("consistency", False, Text(N_("The log is not the earlier one with more behind it.")))
