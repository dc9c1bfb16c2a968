"""The few Google calls of the workload, as plain REST.

- Objects are only created (`ifGenerationMatch=0`) and read; nothing is overwritten or deleted.
- CRC32C goes with each upload and is compared after it. Small answers are bounded in size.
- Connection errors, 429 and 5xx are retried 6 times in about 30 s.
- A local endpoint must be a loopback address; unset means Google.
"""

import re
import time
from base64 import b64decode, b64encode
from contextlib import suppress
from typing import IO, Any
from urllib.parse import quote

import google.auth.compute_engine
import google_crc32c
import requests
from google.auth.exceptions import RefreshError, TransportError
from google.auth.transport.requests import AuthorizedSession

from workload.errors import Reason, WorkloadError

_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost):\d{1,5}")
_PAUSES_S = (0.5, 1, 2, 4, 8, 15)
_TIMEOUT_S = 120
_MAX_RECORD_BYTES = 64 * 1024 * 1024
_BROKEN = (requests.ConnectionError, requests.Timeout, TransportError, RefreshError)


class Cloud:
    """Google as this VM's own service account, and as the attested principal for one decrypt."""

    def __init__(self, endpoint: str | None) -> None:
        if endpoint is not None and not _LOOPBACK.fullmatch(endpoint):
            raise WorkloadError("internal", f"endpoint {endpoint!r} is not a loopback address")
        self._endpoint = endpoint
        authorized: Any = AuthorizedSession  # google-auth carries no types
        credentials: Any = google.auth.compute_engine.Credentials
        self._account: requests.Session = authorized(credentials())
        self._bare = requests.Session()
        self._account.trust_env = self._bare.trust_env = False

    def read(self, bucket: str, name: str) -> bytes | None:
        """Give a small object's bytes, or None while it does not exist.

        To a caller that may not list, Cloud Storage says 403 where it would say 404.
        """
        with self._get(bucket, name, alt="media") as answer:
            if answer.status_code in {403, 404}:
                return None
            _expect_ok(answer, "cloud_unavailable", name)
            data: bytes = answer.raw.read(_MAX_RECORD_BYTES + 1)
        if len(data) > _MAX_RECORD_BYTES:
            raise WorkloadError("cloud_unavailable", f"{name} is larger than a record may be")
        return data

    def download(self, bucket: str, name: str) -> requests.Response:
        """Open a large object; read `.raw`, then close. A broken transfer is the caller's."""
        return _expect_ok(self._get(bucket, name, alt="media"), "cloud_unavailable", name)

    def create(self, bucket: str, name: str, body: bytes | IO[bytes], crc32c: str) -> None:
        """Create an object; the same bytes already there count as done, others do not."""
        query = f"uploadType=media&ifGenerationMatch=0&name={quote(name, safe='')}"
        path = f"/upload/storage/v1/b/{bucket}/o?{query}"
        headers = {"Content-Type": "application/octet-stream", "X-Goog-Hash": f"crc32c={crc32c}"}
        answer = self._send("POST", "storage", path, self._account, headers, data=body)
        if answer.status_code == 412:
            answer = self._get(bucket, name)
        if _expect_ok(answer, "cloud_unavailable", name).json().get("crc32c") != crc32c:
            raise WorkloadError("cloud_unavailable", f"{name} exists with other bytes")

    def create_record(self, bucket: str, name: str, body: bytes) -> None:
        """Create a small object."""
        self.create(bucket, name, body, crc32c_of(body))

    def exchange(self, audience: str, attestation_token: str) -> str:
        """Trade an attestation token at STS for an access token of the attested principal."""
        asked = {
            "audience": audience,
            "grantType": "urn:ietf:params:oauth:grant-type:token-exchange",
            "requestedTokenType": "urn:ietf:params:oauth:token-type:access_token",
            "scope": "https://www.googleapis.com/auth/cloud-platform",
            "subjectToken": attestation_token,
            "subjectTokenType": "urn:ietf:params:oauth:token-type:jwt",
        }
        answer = self._send("POST", "sts", "/v1/token", self._bare, json=asked)
        return str(_expect_ok(answer, "key_refused", "token exchange").json()["access_token"])

    def decrypt(self, key: str, ciphertext: str, bound_to: str, access_token: str) -> bytes:
        """Unwrap with KMS as the attested principal; base64 in, bytes out."""
        asked = {"ciphertext": ciphertext, "additionalAuthenticatedData": _b64(bound_to.encode())}
        as_principal = {"Authorization": f"Bearer {access_token}"}
        path = f"/v1/{key}:decrypt"
        answer = self._send("POST", "cloudkms", path, self._bare, as_principal, json=asked)
        return b64decode(_expect_ok(answer, "key_refused", "decrypt").json()["plaintext"])

    def encrypt(self, key: str, plaintext: bytes, bound_to: str) -> tuple[str, str]:
        """Wrap with the owner's key: base64 ciphertext and the key version that made it."""
        bound = _b64(bound_to.encode())
        asked = {"plaintext": _b64(plaintext), "additionalAuthenticatedData": bound}
        answer = self._send("POST", "cloudkms", f"/v1/{key}:encrypt", self._account, json=asked)
        wrapped = _expect_ok(answer, "cloud_unavailable", "encrypt").json()
        return str(wrapped["ciphertext"]), str(wrapped["name"])

    def publish(self, topic: str, data: bytes) -> None:
        """Publish one message."""
        asked = {"messages": [{"data": _b64(data)}]}
        answer = self._send("POST", "pubsub", f"/v1/{topic}:publish", self._account, json=asked)
        _expect_ok(answer, "cloud_unavailable", "publish")

    def _get(self, bucket: str, name: str, **query: str) -> requests.Response:
        path = f"/storage/v1/b/{bucket}/o/{quote(name, safe='')}"
        return self._send("GET", "storage", path, self._account, params=query, stream=True)

    def _send(
        self,
        method: str,
        service: str,
        path: str,
        session: requests.Session,
        headers: dict[str, str] | None = None,
        **rest: Any,
    ) -> requests.Response:
        url = (self._endpoint or f"https://{service}.googleapis.com") + path
        rest |= {"headers": {"Accept-Encoding": "identity"} | (headers or {})}
        for pause_s in _PAUSES_S:
            with suppress(*_BROKEN):
                answer = session.request(method, url, timeout=_TIMEOUT_S, **rest)
                if answer.status_code != 429 and answer.status_code < 500:
                    return answer
                answer.close()
            time.sleep(pause_s)
            if hasattr(rest.get("data"), "seek"):
                rest["data"].seek(0)
        try:
            return session.request(method, url, timeout=_TIMEOUT_S, **rest)
        except _BROKEN as error:
            detail = f"{service}: {type(error).__name__}"
            raise WorkloadError("cloud_unavailable", detail) from error


def crc32c_of(data: bytes) -> str:
    """CRC32C in base64, as Cloud Storage writes it."""
    value: int = google_crc32c.value(data)
    return _b64(value.to_bytes(4, "big"))


def _expect_ok(answer: requests.Response, reason: Reason, what: str) -> requests.Response:
    if answer.status_code != 200:
        raise WorkloadError(reason, f"{what}: HTTP {answer.status_code}")
    return answer


def _b64(data: bytes) -> str:
    return b64encode(data).decode()
