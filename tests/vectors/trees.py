"""Cases of RFC 6962 trees: roots, inclusion and consistency proofs, each with its own expected answer."""

from __future__ import annotations

import json
from typing import Any

from sealtrain.rules.evidence import merkle

from tests.vectors.manifest import Case, Got


def proofs(case: Case) -> Got:
    """Check every entry; accepted only if each one answers as its entry says."""
    document = json.loads(case.files["proofs"])
    leaves = [bytes.fromhex(one) for one in document["leaves_hex"]]
    roots = {int(size): bytes.fromhex(one) for size, one in document["roots"].items()}
    wrong = [
        *_wrong_roots(leaves, roots),
        *_wrong_inclusions(document.get("inclusion", []), leaves, roots),
        *_wrong_consistencies(document.get("consistency", []), roots),
    ]
    preimage = document.get("second_preimage")
    if preimage:
        found = merkle.leaf_hash(bytes.fromhex(preimage["leaf_hex"])).hex()
        if found == preimage["must_not_equal"]:
            wrong.append("false accept: a leaf passes for a node")
    return Got("reject" if wrong else "accept", "entries differ" if wrong else "ok", wrong)


def _wrong_roots(leaves: list[bytes], roots: dict[int, bytes]) -> list[str]:
    return [
        f"false refusal: root of {size} leaves"
        for size, expected in roots.items()
        if size > len(leaves) or merkle.root(leaves[:size]) != expected
    ]


def _wrong_inclusions(
    entries: list[dict[str, Any]], leaves: list[bytes], roots: dict[int, bytes]
) -> list[str]:
    wrong = []
    for entry in entries:
        index, size = entry["index"], entry["size"]
        of = entry.get("leaf_index_of_data", index)
        leaf = leaves[of] if 0 <= of < len(leaves) else b""
        proof = [bytes.fromhex(one) for one in entry["proof"]]
        got = merkle.includes(leaf, index, size, proof, roots[size])
        wrong += _told(got, entry, f"inclusion of {index} in {size}")
    return wrong


def _wrong_consistencies(entries: list[dict[str, Any]], roots: dict[int, bytes]) -> list[str]:
    wrong = []
    for entry in entries:
        first, second = entry["first"], entry["second"]
        proof = [bytes.fromhex(one) for one in entry["proof"]]
        got = merkle.consistent(first, second, roots[first], roots[second], proof)
        wrong += _told(got, entry, f"consistency of {first} and {second}")
    return wrong


def _told(got: bool, entry: dict[str, Any], what: str) -> list[str]:
    if got == entry["ok"]:
        return []
    return [f"false {'accept' if got else 'refusal'}: {what} ({entry.get('why', 'good')})"]
