"""Keys by name, and keys in use by Google's own services (CMEK): may the service's agent use this key?

Rules
- The key must lie where the resource lies, and its purpose must be ENCRYPT_DECRYPT: 400.
- The agent must hold `cloudkms.cryptoKeyVersions.useToEncrypt` on the key: 403 (as for a missing key).
- Only an ENABLED version encrypts or decrypts.
"""

from __future__ import annotations

import re
from typing import Any

from localcloud.doors.errors import ApiError, failed_precondition, invalid, not_found
from localcloud.identity.tokens import Caller
from localcloud.world.cloud import Cloud

Json = dict[str, Any]

RING = "cloudkms.keyRing"
KEY = "cloudkms.cryptoKey"
VERSION = "cloudkms.cryptoKeyVersion"
RETIRED = "cloudkms.retiredResource"  # name: the deleted key's
_NAME = re.compile(r"projects/[^/]+/locations/([^/]+)/keyRings/[^/]+/cryptoKeys/[^/]+")
_TITLE = {RING: "KeyRing", KEY: "CryptoKey", VERSION: "CryptoKeyVersion"}


def existing(cloud: Cloud, kind: str, name: str) -> Json:
    """The ring, key or version of that name, or 404."""
    found = cloud.store.get(kind, name)
    if found is None:
        raise not_found(f"{_TITLE[kind]} {name}")
    return found


def check_grant(cloud: Cloud, key: str, email: str, location: str | None, service: str) -> None:
    """Raise ApiError unless the agent `email` may encrypt with `key` in `location` (None: anywhere)."""
    found = _NAME.fullmatch(key)
    if found is None:
        raise invalid(f"kmsKeyName: got {key!r}, expected projects/P/locations/L/keyRings/R/cryptoKeys/K")
    if location is not None and found.group(1).lower() != location.lower():
        raise invalid(
            f"Cloud KMS key {key} is in location {found.group(1)}, the resource is in {location}: "
            "they must be the same."
        )
    agent = Caller(f"serviceAccount:{email}", frozenset({f"serviceAccount:{email}"}))
    resource = cloud.store.get(KEY, key)
    may = cloud.iam.allowed(agent, "cloudkms.cryptoKeyVersions.useToEncrypt", key)
    if resource is None or not may:
        raise ApiError(
            403,
            f"Permission denied on Cloud KMS key. Please ensure that your {service} service account "
            f"({email}) has been authorized to use this key: {key}",
        )
    if resource["purpose"] != "ENCRYPT_DECRYPT":
        raise invalid(f"{key} has purpose {resource['purpose']}, expected ENCRYPT_DECRYPT")


def usable_version(cloud: Cloud, key: str) -> str:
    """The name of the key's primary version. Raises 400 FAILED_PRECONDITION if that is not ENABLED."""
    primary = (cloud.store.get(KEY, key) or {}).get("_primary")
    if primary is None:
        raise failed_precondition(f"{key} has no primary version.")
    check_still_usable(cloud, primary)
    return str(primary)


def check_still_usable(cloud: Cloud, version: str) -> None:
    """Raise 400 FAILED_PRECONDITION unless the key version is ENABLED."""
    state = (cloud.store.get(VERSION, version) or {}).get("state", "DESTROYED")
    if state != "ENABLED":
        raise failed_precondition(f"{version} is not enabled, current state is: {state}.")
