"""Cloud KMS, one call per method.

Every payload carries its CRC32C, and every answer's is checked, as Google recommends: KMS confirms
that it received what was sent, and we that we received what it sent. A mismatch may be tried again.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from sealtrain.cloud.failures import ours
from sealtrain.cloud.patience import briefly
from sealtrain.rules.errors import NotFoundError, UnavailableError
from sealtrain.rules.resources import Encrypted, KeyInfo, KeySpec, KeyVersion
from sealtrain.rules.settings import Settings


class Kms:
    """Keys and key versions."""

    def __init__(self, settings: Settings, credentials: Any = None) -> None:
        import google_crc32c

        self._crc32c = google_crc32c.value
        self._credentials = credentials
        self._options = {"api_endpoint": settings.endpoint} if settings.endpoint else None

    # A call that needs no key does not pay for the import.
    @cached_property
    def _types(self) -> Any:
        from google.cloud import kms_v1

        return kms_v1

    @cached_property
    def _client(self) -> Any:
        return self._types.KeyManagementServiceClient(
            credentials=self._credentials, transport="rest", client_options=self._options
        )

    # --- keys ------------------------------------------------------------------------------

    def create_key(self, spec: KeySpec) -> KeyInfo:
        """Make a symmetric HSM key that is never rotated. Raises AlreadyExistsError."""
        types = self._types
        with ours(f"{spec.ring}/cryptoKeys/{spec.key_id}"):
            key = self._client.create_crypto_key(
                request={
                    "parent": spec.ring,
                    "crypto_key_id": spec.key_id,
                    "crypto_key": {
                        "purpose": types.CryptoKey.CryptoKeyPurpose.ENCRYPT_DECRYPT,
                        "version_template": {
                            "protection_level": types.ProtectionLevel.HSM,
                            "algorithm": (
                                types.CryptoKeyVersion.CryptoKeyVersionAlgorithm
                            ).GOOGLE_SYMMETRIC_ENCRYPTION,
                        },
                        "labels": spec.labels,
                        "destroy_scheduled_duration": {"seconds": spec.destroy_scheduled_s},
                    },
                },
                **briefly(),
            )
            return _key(key)

    def get_key(self, name: str) -> KeyInfo | None:
        """The key's description, or None."""
        try:
            with ours(name):
                return _key(self._client.get_crypto_key(name=name, **briefly()))
        except NotFoundError:
            return None

    def list_keys(self, ring: str) -> list[KeyInfo]:
        """The ring's keys."""
        with ours(ring):
            return [_key(k) for k in self._client.list_crypto_keys(parent=ring, **briefly())]

    def list_versions(self, key: str) -> list[KeyVersion]:
        """The key's versions. Raises NotFoundError."""
        with ours(key):
            found = self._client.list_crypto_key_versions(parent=key, **briefly())
            return [_version(v) for v in found]

    def disable_version(self, version: str) -> KeyVersion:
        """Disable a version: nothing can be decrypted with it until someone enables it."""
        disabled = self._types.CryptoKeyVersion.CryptoKeyVersionState.DISABLED
        with ours(version):
            return _version(
                self._client.update_crypto_key_version(
                    crypto_key_version={"name": version, "state": disabled},
                    update_mask={"paths": ["state"]},
                    **briefly(),
                )
            )

    def destroy_version(self, version: str) -> KeyVersion:
        """Schedule a version's destruction, after the key's own delay."""
        with ours(version):
            return _version(self._client.destroy_crypto_key_version(name=version, **briefly()))

    # --- use -------------------------------------------------------------------------------

    def encrypt(self, key: str, plaintext: bytes, aad: bytes) -> Encrypted:
        """Encrypt at most 64 KiB under the key's primary version, bound to `aad`."""
        with ours(key):
            answer = self._client.encrypt(
                request={
                    "name": key,
                    "plaintext": plaintext,
                    "plaintext_crc32c": self._crc32c(plaintext),
                    "additional_authenticated_data": aad,
                    "additional_authenticated_data_crc32c": self._crc32c(aad),
                },
                **briefly(),
            )
        self._check(
            key,
            answer.verified_plaintext_crc32c and answer.verified_additional_authenticated_data_crc32c,
            answer.ciphertext,
            answer.ciphertext_crc32c,
        )
        return Encrypted(ciphertext=bytes(answer.ciphertext), key_version=answer.name)

    def decrypt(self, key: str, ciphertext: bytes, aad: bytes) -> bytes:
        """Decrypt what `encrypt` gave, by whichever version of the key made it."""
        with ours(key):
            answer = self._client.decrypt(
                request={
                    "name": key,
                    "ciphertext": ciphertext,
                    "ciphertext_crc32c": self._crc32c(ciphertext),
                    "additional_authenticated_data": aad,
                    "additional_authenticated_data_crc32c": self._crc32c(aad),
                },
                **briefly(),
            )
        self._check(key, True, answer.plaintext, answer.plaintext_crc32c)
        return bytes(answer.plaintext)

    def sign(self, key_version: str, digest: bytes) -> bytes:
        """The DER signature of a SHA-256 digest (32 bytes) by an EC signing key version."""
        with ours(key_version):
            answer = self._client.asymmetric_sign(
                request={
                    "name": key_version,
                    "digest": {"sha256": digest},
                    "digest_crc32c": self._crc32c(digest),
                },
                **briefly(),
            )
        confirmed = answer.verified_digest_crc32c and answer.name == key_version
        self._check(key_version, confirmed, answer.signature, answer.signature_crc32c)
        return bytes(answer.signature)

    def public_key(self, key_version: str) -> str:
        """The version's public key as PEM."""
        with ours(key_version):
            answer = self._client.get_public_key(name=key_version, **briefly())
        pem: str = answer.pem
        self._check(key_version, answer.name == key_version, pem.encode(), answer.pem_crc32c)
        return pem

    def _check(self, what: str, confirmed: bool, payload: bytes, crc32c: int | None) -> None:
        if not confirmed or crc32c is None or self._crc32c(payload) != int(crc32c):
            raise UnavailableError(
                "bytes were damaged on the way to or from the key service",
                code="damaged_in_transit",
                field=what,
                remedy="ask again",
            )


def _key(key: Any) -> KeyInfo:
    rotation = key.rotation_period.total_seconds() if key.rotation_period else 0
    return KeyInfo(
        name=key.name,
        purpose=key.purpose.name,
        protection=key.version_template.protection_level.name,
        labels=dict(key.labels),
        rotation_s=int(rotation) or None,
        destroy_scheduled_s=int(key.destroy_scheduled_duration.total_seconds()),
        primary=key.primary.name or None,
        primary_state=key.primary.state.name if key.primary.name else None,
        created=key.create_time.isoformat() if key.create_time else "",
    )


def _version(version: Any) -> KeyVersion:
    at = version.destroy_event_time or version.destroy_time
    return KeyVersion(name=version.name, state=version.state.name, destroyed_at=at.isoformat() if at else "")
