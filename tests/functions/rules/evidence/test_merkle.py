"""RFC 6962 trees: every proof that is made holds, and no other does."""

import hashlib

from hypothesis import given, settings
from hypothesis import strategies as st
from sealtrain.rules.evidence import merkle


def split(size: int) -> int:
    return 1 << (size - 1).bit_length() - 1


def root(leaves: list[bytes]) -> bytes:
    """The definition of RFC 6962, section 2.1, word by word."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    at = split(len(leaves))
    return hashlib.sha256(b"\x01" + root(leaves[:at]) + root(leaves[at:])).digest()


def path(index: int, leaves: list[bytes]) -> list[bytes]:
    """The audit path, section 2.1.1."""
    if len(leaves) <= 1:
        return []
    at = split(len(leaves))
    if index < at:
        return [*path(index, leaves[:at]), root(leaves[at:])]
    return [*path(index - at, leaves[at:]), root(leaves[:at])]


def consistency(first: int, leaves: list[bytes], whole: bool = True) -> list[bytes]:
    """The consistency proof, section 2.1.2."""
    if first == len(leaves):
        return [] if whole else [root(leaves)]
    at = split(len(leaves))
    if first <= at:
        return [*consistency(first, leaves[:at], whole), root(leaves[at:])]
    return [*consistency(first - at, leaves[at:], False), root(leaves[:at])]


LEAVES = st.integers(1, 70).map(lambda size: [b"leaf %d" % number for number in range(size)])


@settings(max_examples=60, deadline=None)
@given(LEAVES, st.data())
def test_a_leaf_is_shown_at_its_place_alone(leaves: list[bytes], data: st.DataObject) -> None:
    """The path holds for this leaf, index, size and root, and for no neighbour of them."""
    index = data.draw(st.integers(0, len(leaves) - 1))
    proof, top = path(index, leaves), root(leaves)
    assert merkle.root(leaves) == top
    assert merkle.includes(leaves[index], index, len(leaves), proof, top)
    assert not merkle.includes(b"other", index, len(leaves), proof, top)
    assert not merkle.includes(leaves[index], index + 1, len(leaves), proof, top)
    assert not merkle.includes(leaves[index], index, len(leaves), [*proof, top], top)
    assert not merkle.includes(leaves[index], -1, len(leaves), proof, top)
    assert not merkle.includes(leaves[index], index, len(leaves), [one[:31] for one in proof], b"")
    if proof:
        assert not merkle.includes(leaves[index], index, len(leaves), proof[:-1], top)


@settings(max_examples=60, deadline=None)
@given(LEAVES, st.data())
def test_an_earlier_tree_is_the_beginning_of_a_later_one(leaves: list[bytes], data: st.DataObject) -> None:
    """The proof holds for both roots and sizes, and not for a tree that was rewritten."""
    first, second = data.draw(st.integers(1, len(leaves))), len(leaves)
    proof, before, after = consistency(first, leaves), root(leaves[:first]), root(leaves)
    assert merkle.consistent(first, second, before, after, proof)
    rewritten = root([b"rewritten", *leaves[1:first]])
    assert not merkle.consistent(first, second, rewritten, after, proof)
    assert not merkle.consistent(first, second, before, rewritten, proof)
    assert not merkle.consistent(second + 1, second, before, after, proof)
    assert not merkle.consistent(0, second, before, after, proof)
    assert not merkle.consistent(first, second, before, after, [*proof, before])
    if proof:
        assert not merkle.consistent(first, second, before, after, proof[1:])
