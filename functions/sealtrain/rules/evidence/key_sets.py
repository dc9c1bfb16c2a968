"""The public keys of a token issuer (JWKS): read strictly, and kept with bounded refresh.

Rules enforced here:
- a key set is bounded in bytes and keys; only RSA keys from 2048 bits on that may verify signatures
  are taken, others in the set are passed over; a key id that stands twice names no key;
- where keys are fetched is configuration (policy.toml), never a token's `jku`;
- a set is used for an hour at most; an unknown key id asks for a new set at most once a minute,
  whoever asks: a flood of made-up ids costs one fetch a minute;
- a fetch that fails is not repeated for a minute either, and a set that is too old is not used:
  then evidence "could not be checked", which is never an acceptance.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric import rsa

from sealtrain.rules.evidence import strict
from sealtrain.rules.evidence.certificates import SIMULATED
from sealtrain.rules.evidence.findings import Refused

LIMIT_BYTES = 65536
LIMIT_KEYS = 64
KEY_BITS_MIN = 2048
KEY_BITS_MAX = 8192
KEPT_S = 3600.0
PAUSE_S = 60.0


class KeySet(msgspec.Struct, frozen=True):
    """An issuer's keys by id, and whose word they are."""

    keys: Mapping[str, rsa.RSAPublicKey]
    vouched_by: str = SIMULATED


def parse(data: bytes, vouched_by: str = SIMULATED) -> KeySet:
    """Read a key set. Raises Refused."""
    strict.bounded(data, LIMIT_BYTES, "keys")
    listed = strict.json_object(data, "keys").get("keys")
    if not isinstance(listed, list) or len(listed) > LIMIT_KEYS:
        raise Refused("keys_unusable", "keys", type(listed).__name__, f"a list of at most {LIMIT_KEYS} keys")
    found: dict[str, rsa.RSAPublicKey] = {}
    ids: set[str] = set()
    for entry in listed:
        name = entry.get("kid") if isinstance(entry, dict) else None
        if not isinstance(name, str) or not name:
            continue
        key = _rsa_key(entry)
        if name in ids:
            found.pop(name, None)
        elif key is not None:
            found[name] = key
        ids.add(name)
    return KeySet(keys=found, vouched_by=vouched_by)


class KeyCache:
    """One issuer's keys. `fetch` gives the bytes or raises OSError; `clock` gives seconds, growing."""

    def __init__(self, fetch: Callable[[], bytes], clock: Callable[[], float], vouched_by: str) -> None:
        self._fetch = fetch
        self._clock = clock
        self._vouched_by = vouched_by
        self._held: KeySet | None = None
        self._fetched = 0.0
        self._asked: float | None = None
        self._lock = threading.Lock()

    def key_set(self, wanted: str) -> KeySet:
        """Give the keys, fresh enough, having looked for `wanted`. Raises Refused("keys_unavailable")."""
        with self._lock:
            now = self._clock()
            old = self._held is None or now - self._fetched > KEPT_S
            if (old or (self._held and wanted not in self._held.keys)) and self._may_ask(now):
                self._ask(now)
            if self._held is None or now - self._fetched > KEPT_S:
                raise Refused(
                    "keys_unavailable", "keys", "no answer from the issuer", "the issuer's current keys"
                )
            return self._held

    def _may_ask(self, now: float) -> bool:
        return self._asked is None or now - self._asked >= PAUSE_S

    def _ask(self, now: float) -> None:
        self._asked = now
        try:
            self._held = parse(self._fetch(), self._vouched_by)
        except (OSError, Refused):
            return  # what is held stays in use until it is too old; then key_set refuses
        self._fetched = now


def _rsa_key(entry: Mapping[str, Any]) -> rsa.RSAPublicKey | None:
    operations = entry.get("key_ops", ["verify"])
    if entry.get("kty") != "RSA" or entry.get("use", "sig") != "sig" or "verify" not in operations:
        return None
    try:
        modulus, exponent = (
            int.from_bytes(strict.base64url(entry[part], f"keys.{part}"), "big") for part in ("n", "e")
        )
        if not KEY_BITS_MIN <= modulus.bit_length() <= KEY_BITS_MAX:
            return None
        return rsa.RSAPublicNumbers(exponent, modulus).public_key()
    except (Refused, KeyError, AttributeError, ValueError, TypeError):
        return None
