"""Verifications per second with the whole policy, beside the bare library on the same bytes in the same run.

    python bench/evidence.py [--rounds N]

- Tokens: parse, certificate path or key id, signature, times, audience, nonce and every clause, beside
  PyJWT's check of the signature alone (aim: 0.6 of it). One token is judged many times, as an issuer's
  certificates come back again and again; "fresh" tokens each differ in their nonce.
- TDX quotes with collateral, beside bare dcap-qvl on the same quote and collateral (aim: 0.9 of it). The
  collateral is read once on both sides, as it is the same for all machines of a kind.

One thread, in its own CPU time; ours and the bare check take turns, medians over the rounds. Only the
ratios count.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "functions")]

import dcap_qvl  # noqa: E402
import jwt  # noqa: E402
from sealtrain.rules.evidence import event_log, key_sets, policy, tdx, token  # noqa: E402

from tests.functions import authority  # noqa: E402
from tests.functions.rules.evidence.test_key_sets import jwk, key_set, oidc  # noqa: E402

VECTORS = ROOT / "tests" / "data" / "vectors"
THEN = datetime(2025, 6, 20, 12, tzinfo=UTC)
FRESH = 200


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    print("verifications per second, one thread", f"{'whole':>8} {'bare':>8} {'ratio':>6}", sep="  ")
    for name, ours, bare, count in (*tokens(), *quotes()):
        told(name, *side_by_side(ours, bare, count, rounds))


def tokens() -> list[tuple[str, Callable[[int], object], Callable[[int], object], int]]:
    """Whole judgement and bare signature, for both forms of a token."""
    bodies = [authority.claims(eat_nonce=["nonce-of-this-run-0001", f"nonce-{n:08d}"]) for n in range(FRESH)]
    pki, plain = [authority.issue(body) for body in bodies], [oidc(body) for body in bodies]
    keys = key_sets.parse(key_set(jwk("k1"), jwk("k2", key="other")))
    by_path, by_id = authority.expectation(), authority.expectation(root_pem="", keys=keys)
    leaf, listed = authority.rsa_key("leaf").public_key(), keys.keys["k1"]
    bare = jwt.PyJWS(algorithms=["RS256"])
    for texts, expected in ((pki, by_path), (plain, by_id)):
        assert all(token.judge(text, expected).met for text in texts)  # noqa: S101

    def whole(texts: list[str], expected: token.Expectation) -> Callable[[int], object]:
        return lambda turn: token.judge(texts[turn % FRESH], expected)

    def signature(texts: list[str], key: object) -> Callable[[int], object]:
        return lambda turn: bare.decode(texts[turn % FRESH], key, algorithms=["RS256"])  # type: ignore[arg-type]

    return [
        ("token, PKI form", whole(pki, by_path), signature(pki, leaf), 1000),
        ("token, OIDC form", whole(plain, by_id), signature(plain, listed), 1000),
    ]


def quotes() -> list[tuple[str, Callable[[int], object], Callable[[int], object], int]]:
    """A quote with its collateral; a quote's signatures alone; and an event log beside its quote."""
    quote = (VECTORS / "tdx" / "v4-uptodate.quote.bin").read_bytes()
    collateral = (VECTORS / "tdx" / "v4-uptodate.collateral.json").read_bytes()
    reference, now = tdx.Reference(at=THEN, policy=policy.load()), int(THEN.timestamp())
    assert tdx.verify(quote, collateral, reference).verdict == "met"  # noqa: S101

    read = dcap_qvl.QuoteCollateralV3.from_json(collateral.decode())

    def bare(_: int) -> object:
        return dcap_qvl.verify(quote, read, now)

    log = (VECTORS / "eventlog" / "gcp-cos113.ccel.bin").read_bytes()
    its_quote = (VECTORS / "tdx" / "gcp-cos113.quote.bin").read_bytes()
    later = tdx.Reference(at=datetime(2026, 6, 1, tzinfo=UTC), policy=policy.load(), signatures_only=True)
    return [
        ("TDX quote with collateral", lambda _: tdx.verify(quote, collateral, reference), bare, 200),
        (
            "event log beside its quote",
            lambda _: event_log.verify(log, its_quote, None, later),
            lambda _: tdx.verify(its_quote, None, later),
            300,
        ),
    ]


def side_by_side(
    ours: Callable[[int], object], bare: Callable[[int], object], count: int, rounds: int
) -> tuple[float, float, float]:
    """Medians per second of ours and of the bare check, and of their ratio round by round."""
    pairs = []
    for _ in range(rounds + 1):  # the first round warms up
        pairs.append((per_second(ours, count), per_second(bare, count)))
    measured = pairs[1:]
    return (
        median(one for one, _ in measured),
        median(two for _, two in measured),
        median(one / two for one, two in measured),
    )


def per_second(action: Callable[[int], object], count: int) -> float:
    """How often a second of CPU time the action is done."""
    started = time.process_time()
    for turn in range(count):
        action(turn)
    return count / (time.process_time() - started)


def told(name: str, ours: float, bare: float, ratio: float) -> None:
    """Print a line."""
    print(f"{name:36}  {ours:8.0f} {bare:8.0f} {ratio:6.2f}")


if __name__ == "__main__":
    main()
