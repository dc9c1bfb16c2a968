"""An issuer's keys: read strictly, fetched seldom, never trusted when old."""

import base64
import json
from typing import Any

import pytest
from sealtrain.rules.evidence import key_sets, policy, token
from sealtrain.rules.evidence.findings import Refused

from tests.functions import authority


def jwk(name: str = "k1", key: str = "oidc", bits: int = 2048, **changes: Any) -> dict[str, Any]:
    numbers = authority.rsa_key(key, bits).public_key().public_numbers()

    def text(number: int) -> str:
        data = number.to_bytes((number.bit_length() + 7) // 8, "big")
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    made = {
        "kty": "RSA",
        "kid": name,
        "use": "sig",
        "alg": "RS256",
        "n": text(numbers.n),
        "e": text(numbers.e),
    }
    return {**made, **changes}


def key_set(*keys: Any) -> bytes:
    return json.dumps({"keys": list(keys)}).encode()


@pytest.mark.parametrize(
    "entry",
    [
        jwk(kty="EC"),
        jwk(kty="oct", k="c2VjcmV0"),
        jwk(use="enc"),
        jwk(key_ops=["sign"]),
        jwk(n="AQAB"),
        jwk(n="not base64!"),
        jwk(e=3),
        jwk(bits=1024, key="small"),
        jwk(kid=1),
        "text",
    ],
)
def test_only_keys_that_verify_are_taken(entry: Any) -> None:
    """Other kinds, uses and sizes of keys are passed over; a good one beside them is taken."""
    assert set(key_sets.parse(key_set(entry, jwk("good"))).keys) == {"good"}


def test_an_id_that_stands_twice_names_no_key() -> None:
    """Which of two keys is meant cannot be known."""
    assert key_sets.parse(key_set(jwk("a"), jwk("b"), jwk("a", key="other"))).keys.keys() == {"b"}


@pytest.mark.parametrize(
    "data", [b"", b"[]", b'{"keys": {}}', key_set(*[1] * 65), b" " * 65537, b'{"keys":[],"keys":[]}']
)
def test_what_is_no_key_set_is_refused(data: bytes) -> None:
    """Size, number of keys, and JSON are bounded and strict."""
    with pytest.raises(Refused):
        key_sets.parse(data)


class Issuer:
    """A key server that can be down, and a clock that tests move."""

    def __init__(self) -> None:
        self.now, self.asked, self.answer = 1000.0, 0, key_set(jwk("k1"))
        self.down = False
        self.cache = key_sets.KeyCache(self.fetch, lambda: self.now, "the issuer")

    def fetch(self) -> bytes:
        self.asked += 1
        if self.down:
            raise OSError("no route")
        return self.answer


def test_keys_are_fetched_once_an_hour() -> None:
    """Within the hour nothing is asked; after it, once."""
    issuer = Issuer()
    for _ in range(100):
        assert "k1" in issuer.cache.key_set("k1").keys
    assert issuer.asked == 1
    issuer.now += key_sets.KEPT_S + 1
    issuer.cache.key_set("k1")
    assert issuer.asked == 2


def test_a_flood_of_unknown_ids_costs_one_fetch_a_minute() -> None:
    """An unknown id may be a new key: it is looked for, but not more often than once a minute."""
    issuer = Issuer()
    issuer.cache.key_set("k1")
    issuer.now += key_sets.PAUSE_S
    for number in range(1000):
        assert f"made-up-{number}" not in issuer.cache.key_set(f"made-up-{number}").keys
    assert issuer.asked == 2
    issuer.answer = key_set(jwk("k1"), jwk("new", key="other"))
    issuer.now += key_sets.PAUSE_S
    assert "new" in issuer.cache.key_set("new").keys


def test_a_server_that_is_down_is_not_asked_in_a_loop() -> None:
    """Keys that are fresh enough go on being used; without any, nothing could be checked."""
    issuer = Issuer()
    issuer.cache.key_set("k1")
    issuer.down = True
    issuer.now += key_sets.KEPT_S - 1
    assert "k1" in issuer.cache.key_set("unknown").keys
    issuer.now += 2
    asked = issuer.asked
    for _ in range(10):
        with pytest.raises(Refused, match="keys_unavailable"):
            issuer.cache.key_set("k1")
    assert issuer.asked - asked <= 1
    issuer.down = False
    issuer.now += key_sets.PAUSE_S
    assert "k1" in issuer.cache.key_set("k1").keys


def oidc(body: dict[str, Any], key: str = "oidc", **header: Any) -> str:
    import jwt

    algorithm = header.pop("alg", "RS256")
    return jwt.encode(body, authority.rsa_key(key), algorithm=algorithm, headers={"kid": "k1", **header})


def reasons(text: str, **changes: Any) -> set[str]:
    keys = key_sets.parse(key_set(jwk("k1"), jwk("k2", key="other")))
    judgement = token.judge(text, authority.expectation(root_pem="", keys=keys, **changes))
    return {one.reason for one in judgement.findings}


def test_an_oidc_token_is_judged_like_a_pki_token() -> None:
    """Under the issuer's listed key it is met; under any other, or one that it brings, it is not."""
    good = authority.claims()
    assert reasons(oidc(good)) == set()
    assert reasons(oidc(good, kid="k2")) == {"signature"}
    assert reasons(oidc(good, kid="k3")) == {"key"}
    assert reasons(oidc(good, kid="../k1")) == {"key"}
    assert reasons(oidc(good, x5c=authority.x5c(authority.good_path()))) == {"key"}
    assert reasons(authority.issue(good)) == {"key"}
    assert reasons(oidc(good, jku="http://127.0.0.1/")) == {"key"}
    assert reasons(oidc({**good, "swname": "GCE"})) == {"swname"}


def test_intel_is_an_issuer_of_its_own() -> None:
    """Each profile takes its own issuer and algorithms; Intel's `jku` is ignored, never followed."""
    intel = policy.load().issuer("intel")
    theirs = authority.claims(iss=intel.iss)
    assert reasons(oidc(theirs, alg="PS384"), issuer="intel") == set()
    assert reasons(oidc(theirs, jku="http://127.0.0.1/"), issuer="intel") == set()
    assert reasons(oidc(theirs, key="other", jku="http://127.0.0.1/"), issuer="intel") == {"signature"}
    assert reasons(oidc(theirs), issuer="google") == {"issuer"}
    assert reasons(oidc(authority.claims()), issuer="intel") == {"issuer"}
    assert reasons(oidc(authority.claims(), alg="PS384"), issuer="google") == {"alg"}


def test_a_token_that_was_accepted_before_is_a_replay() -> None:
    """The same bytes are accepted once; another genuine token is another one."""
    text = oidc(authority.claims())
    digest = token.judge(text, authority.expectation()).token_digest
    assert reasons(text, seen=frozenset({digest})) == {"replay"}
    assert reasons(oidc(authority.claims(sub="again")), seen=frozenset({digest})) == set()
