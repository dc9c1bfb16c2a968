"""Merkle trees as in RFC 6962 (certificate transparency), over SHA-256: roots and proofs.

Rules enforced here:
- a leaf is hashed after a zero byte, a node after a one, so that no leaf passes for a node;
- proofs have exactly the length that index and sizes demand; indexes lie inside the tree.
"""

import hashlib
from collections.abc import Sequence

DIGEST_BYTES = 32


def leaf_hash(leaf: bytes) -> bytes:
    """Hash a leaf."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """Give the tree's root; of no leaves, the hash of nothing."""
    if not leaves:
        return hashlib.sha256().digest()
    level = [leaf_hash(leaf) for leaf in leaves]
    # Pairs from the left, an odd last node carried up: the same tree as RFC 6962's recursive split.
    while len(level) > 1:
        pairs = [_node(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
        level = pairs + level[len(pairs) * 2 :]
    return level[0]


def includes(leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected: bytes) -> bool:
    """Whether a proof shows that `leaf` stands at `index` in the tree of `size` leaves with this root."""
    if not 0 <= index < size or not _digests([*proof, expected]):
        return False
    node, last, found = index, size - 1, leaf_hash(leaf)
    for one in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            found = _node(one, found)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found = _node(found, one)
        node, last = node >> 1, last >> 1
    return last == 0 and found == expected


def consistent(
    first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Whether a proof shows that the tree of `first` leaves is the beginning of that of `second`."""
    if not 0 < first <= second or not _digests([*proof, first_root, second_root]):
        return False
    if first == second:
        return not proof and first_root == second_root
    nodes = list(proof)
    if first & (first - 1) == 0:
        nodes.insert(0, first_root)
    if not nodes:
        return False
    node, last = first - 1, second - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = nodes[0]
    for one in nodes[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old, new = _node(one, old), _node(one, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = _node(new, one)
        node, last = node >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def _digests(values: Sequence[bytes]) -> bool:
    return all(len(one) == DIGEST_BYTES for one in values)
