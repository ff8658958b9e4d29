"""The Merkle tree gives the roots and paths of RFC 6962, and no other proof holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitgoeul.kernel import merkle

# The inputs, roots and paths that implementations of Certificate Transparency test themselves by.
INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
LEAVES = [merkle.leaf_hash(bytes.fromhex(each)) for each in INPUTS]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
A = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
B = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
C = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
D = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
E = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
F = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
TREE = merkle.over(LEAVES)


def hexed(hashes):
    return [each.hex() for each in hashes]


def test_roots_are_the_reference():
    assert merkle.root(TREE, 0).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert [merkle.root(TREE, size).hex() for size in range(1, 9)] == ROOTS


@pytest.mark.parametrize(
    ("index", "size", "path"),
    [
        (0, 1, []),
        (0, 8, [A, B, C]),
        (5, 8, [D, E, ROOTS[3]]),
        (2, 3, [ROOTS[1]]),
        (1, 5, [ROOTS[0], B, D]),
    ],
)
def test_inclusion_paths_are_the_reference(index, size, path):
    assert hexed(merkle.inclusion(TREE, index, size)) == path


@pytest.mark.parametrize(
    ("first", "size", "path"), [(1, 1, []), (1, 8, [A, B, C]), (6, 8, [F, E, ROOTS[3]]), (2, 5, [B, D])]
)
def test_consistency_paths_are_the_reference(first, size, path):
    assert hexed(merkle.consistency(TREE, first, size)) == path


def leaves(count):
    return [merkle.leaf_hash(number.to_bytes(4, "big")) for number in range(count)]


@given(st.integers(1, 70), st.data())
def test_every_leaf_is_proven_at_its_place_and_at_no_other(size, data):
    many = leaves(size)
    tree, index = merkle.over(many), data.draw(st.integers(0, size - 1))
    path, whole = merkle.inclusion(tree, index, size), merkle.root(tree, size)
    assert merkle.root_from_inclusion(many[index], index, size, path) == whole
    for other in range(size):
        if other != index:
            assert merkle.root_from_inclusion(many[index], other, size, path) != whole
    assert merkle.root_from_inclusion(many[index], index, size, [*path, whole]) is None
    if path:
        assert merkle.root_from_inclusion(many[index], index, size, path[:-1]) != whole
        at = data.draw(st.integers(0, len(path) - 1))
        changed = [*path[:at], bytes(32), *path[at + 1 :]]
        assert merkle.root_from_inclusion(many[index], index, size, changed) != whole


@given(st.integers(1, 70), st.data())
def test_a_tree_proves_what_it_began_with_and_nothing_else(size, data):
    first = data.draw(st.integers(1, size))
    many = leaves(size)
    tree = merkle.over(many)
    old, new, path = merkle.root(tree, first), merkle.root(tree, size), merkle.consistency(tree, first, size)
    assert merkle.is_consistent(first, size, old, new, path)
    forged = merkle.over([merkle.leaf_hash(b"other"), *many[1:]])
    assert not merkle.is_consistent(first, size, merkle.root(forged, first), new, path)
    assert not merkle.is_consistent(first, size, old, new, [*path, old])
    if path:
        assert not merkle.is_consistent(first, size, old, new, path[:-1])
        assert not merkle.is_consistent(first, size, old, new, [bytes(32), *path[1:]])
    if first > 1:
        assert not merkle.is_consistent(first - 1, size, old, new, path)


def test_what_is_outside_the_tree_has_no_proof():
    for index, size in ((8, 8), (-1, 8), (0, 0)):
        with pytest.raises(ValueError, match="no leaf"):
            merkle.inclusion(TREE, index, size)
        assert merkle.root_from_inclusion(LEAVES[0], index, size, []) is None
    for first, size in ((0, 8), (9, 8)):
        with pytest.raises(ValueError, match="no earlier tree"):
            merkle.consistency(TREE, first, size)
        assert not merkle.is_consistent(first, size, LEAVES[0], LEAVES[0], [])
