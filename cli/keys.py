"""The owner's key in Cloud KMS: wraps and unwraps data keys, as the person who calls.

Every payload goes with its CRC32C and every answer's is checked, as Google recommends.
"""

from __future__ import annotations

import base64

import google_crc32c
from sealtrain.sealing import DataKey, Manifest, SealingError, WrappedKey

from cli.api import Api, Json
from cli.errors import CloudError, CommandError


class OwnersKey:
    """One key; without a name, only what names its own key can be unwrapped."""

    def __init__(self, api: Api, name: str = "") -> None:
        self._api, self._name = api, name

    def wrap(self, secret: bytes, associated_data: str) -> WrappedKey:
        """Encrypt under the key's primary version."""
        body = _with_sums(plaintext=secret, additionalAuthenticatedData=associated_data.encode())
        answer = self._call(self._name, "encrypt", body, "useToEncrypt")
        confirmed = ("verifiedPlaintextCrc32c", "verifiedAdditionalAuthenticatedDataCrc32c")
        _check(self._name, answer, "ciphertext", all(answer.get(one) for one in confirmed))
        return WrappedKey(
            kms_key=self._name,
            key_version=str(answer["name"]),
            wrapped=str(answer["ciphertext"]),
            associated_data=associated_data,
        )

    def unwrap(self, wrapped: WrappedKey) -> bytes:
        """Decrypt, by whichever version encrypted."""
        body = _with_sums(
            ciphertext=base64.b64decode(wrapped.wrapped),
            additionalAuthenticatedData=wrapped.associated_data.encode(),
        )
        answer = self._call(wrapped.kms_key, "decrypt", body, "useToDecrypt")
        return _check(wrapped.kms_key, answer, "plaintext", confirmed=True)

    def _call(self, key: str, verb: str, body: Json, permission: str) -> Json:
        try:
            return self._api.call("POST", "cloudkms", f"/v1/{key}:{verb}", body=body, again=True)
        except CloudError as error:
            if error.status == 403:
                raise CommandError(
                    f"you may not {verb} with this key",
                    code="not_the_owner",
                    field="key",
                    got=key,
                    expected=f"cloudkms.cryptoKeyVersions.{permission}, which the key's owner grants",
                    remedy="ask the owner, or name a key of your own",
                ) from error
            if error.status in {400, 404}:
                raise SealingError(
                    "key", got=str(error), expected=f"a key that can {verb} this", remedy="name the right key"
                ) from error
            raise


def wrapped_key(manifest: Manifest) -> WrappedKey:
    """The manifest's key. Raises SealingError if it has none."""
    if manifest.key is None:
        remedy = "it cannot be opened"
        raise SealingError("manifest key", got="nothing", expected="a wrapped key", remedy=remedy)
    return manifest.key


def data_key(api: Api, manifest: Manifest, owners: str = "") -> DataKey:
    """The manifest's data key, unwrapped for the caller; if `owners` names a key, then by no other.

    Raises CommandError or SealingError.
    """
    wrapped = wrapped_key(manifest)
    if owners and wrapped.kms_key != owners:
        raise CommandError(
            "the manifest names another key than the owner's",
            field="kms_key",
            got=wrapped.kms_key,
            expected=owners,
            remedy="treat it as tampering: look at who wrote to the models bucket",
        )
    return DataKey.parse(OwnersKey(api).unwrap(wrapped))


def _with_sums(**payloads: bytes) -> Json:
    body: Json = {}
    for field, data in payloads.items():
        body[field] = base64.b64encode(data).decode()
        body[f"{field}Crc32c"] = str(google_crc32c.value(data))
    return body


def _check(key: str, answer: Json, field: str, confirmed: bool) -> bytes:
    data = base64.b64decode(answer.get(field, ""))
    if not confirmed or answer.get(f"{field}Crc32c") != str(google_crc32c.value(data)):
        raise CommandError(
            "bytes were damaged on the way to or from the key service",
            code="damaged_in_transit",
            field=key,
            remedy="try again",
        )
    return data
