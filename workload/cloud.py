"""The few Google calls of the workload, as plain REST.

- Objects are only created (`ifGenerationMatch=0`) and read; nothing is overwritten or deleted.
- CRC32C goes with each upload and is compared after it. Small answers are bounded in size.
- Connection errors, 429 and 5xx are retried 6 times in about 30 s.
- A local endpoint must be a loopback address; unset means Google.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any
from urllib.parse import quote

import google.auth.compute_engine
import google_crc32c
import requests
from google.auth.exceptions import RefreshError, TransportError
from google.auth.transport.requests import AuthorizedSession
from requests.adapters import HTTPAdapter
from sealtrain.sealing import Part, Reader
from urllib3 import Retry

from workload.errors import Reason, WorkloadError

_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost):\d{1,5}")
_RETRIES = Retry(
    total=6, backoff_factor=0.5, status_forcelist=(429, 500, 502, 503, 504), allowed_methods=None,
    raise_on_status=False, respect_retry_after_header=False, redirect=0,
)  # fmt: skip
_TIMEOUT_S = 120
_MAX_RECORD_BYTES = 64 * 1024 * 1024


class Cloud:
    """Google as this VM's own service account, and as the attested principal for a decrypt."""

    def __init__(self, endpoint: str | None) -> None:
        if endpoint is not None and not _LOOPBACK.fullmatch(endpoint):
            raise WorkloadError("internal", f"endpoint {endpoint!r} is not a loopback address")
        self._endpoint = endpoint
        authorized: Any = AuthorizedSession  # google-auth carries no types
        credentials: Any = google.auth.compute_engine.Credentials
        self._account: requests.Session = authorized(credentials())
        self._bare = requests.Session()
        for session in (self._account, self._bare):
            session.trust_env = False
            session.mount("http://", HTTPAdapter(max_retries=_RETRIES))
            session.mount("https://", HTTPAdapter(max_retries=_RETRIES))

    def read(self, bucket: str, name: str) -> bytes | None:
        """Give a small object's bytes, or None while it does not exist.

        To a caller that may not list, Cloud Storage says 403 where it would say 404.
        """
        with self._get(bucket, name, also=(403, 404), alt="media") as answer:
            if answer.status_code != 200:
                return None
            data: bytes = answer.raw.read(_MAX_RECORD_BYTES + 1)
        if len(data) > _MAX_RECORD_BYTES:
            raise WorkloadError("cloud_unavailable", f"{name} is larger than a record may be")
        return data

    @contextmanager
    def download(self, bucket: str, part: Part) -> Iterator[Reader]:
        """A sealed part's bytes. A broken transfer is the caller's."""
        with self._get(bucket, part.object, alt="media") as answer:
            yield answer.raw

    def create(self, bucket: str, name: str, body: bytes | IO[bytes], crc32c: str) -> None:
        """Create an object; the same bytes already there count as done, others do not."""
        query = f"uploadType=media&ifGenerationMatch=0&name={quote(name, safe='')}"
        path = f"/upload/storage/v1/b/{bucket}/o?{query}"
        headers = {"Content-Type": "application/octet-stream", "X-Goog-Hash": f"crc32c={crc32c}"}
        answer = self._send(self._account, "storage", path, also=(412,), data=body, headers=headers)
        if answer.status_code == 412:
            answer = self._get(bucket, name)
        if answer.json().get("crc32c") != crc32c:
            raise WorkloadError("cloud_unavailable", f"{name} exists with other bytes")

    def create_record(self, bucket: str, name: str, body: bytes) -> None:
        """Create a small object."""
        self.create(bucket, name, body, crc32c_of(body))

    def exchange(self, audience: str, attestation_token: str) -> str:
        """Trade an attestation token at STS for an access token of the attested principal."""
        kind = "urn:ietf:params:oauth:token-type:"
        asked = {
            "audience": audience,
            "grantType": "urn:ietf:params:oauth:grant-type:token-exchange",
            "requestedTokenType": f"{kind}access_token",
            "scope": "https://www.googleapis.com/auth/cloud-platform",
            "subjectToken": attestation_token,
            "subjectTokenType": f"{kind}jwt",
        }
        answer = self._send(self._bare, "sts", "/v1/token", "key_refused", json=asked)
        return str(answer.json()["access_token"])

    def decrypt(self, key: str, ciphertext: str, bound_to: str, access_token: str) -> bytes:
        """Unwrap with KMS as the attested principal; base64 in, bytes out."""
        asked = {"ciphertext": ciphertext, "additionalAuthenticatedData": _b64(bound_to.encode())}
        as_principal = {"Authorization": f"Bearer {access_token}"}
        path = f"/v1/{key}:decrypt"
        answer = self._send(self._bare, "cloudkms", path, "key_refused", json=asked, headers=as_principal)
        return b64decode(answer.json()["plaintext"])

    def encrypt(self, key: str, plaintext: bytes, bound_to: str) -> tuple[str, str]:
        """Wrap with a key: base64 ciphertext and the key version that made it."""
        bound = _b64(bound_to.encode())
        asked = {"plaintext": _b64(plaintext), "additionalAuthenticatedData": bound}
        wrapped = self._send(self._account, "cloudkms", f"/v1/{key}:encrypt", json=asked).json()
        return str(wrapped["ciphertext"]), str(wrapped["name"])

    def publish(self, topic: str, data: bytes) -> None:
        """Publish one message."""
        self._send(self._account, "pubsub", f"/v1/{topic}:publish", json={"messages": [{"data": _b64(data)}]})

    def _get(self, bucket: str, name: str, also: tuple[int, ...] = (), **query: str) -> requests.Response:
        path = f"/storage/v1/b/{bucket}/o/{quote(name, safe='')}"
        return self._send(self._account, "storage", path, also=also, verb="GET", params=query, stream=True)

    def _send(
        self,
        session: requests.Session,
        service: str,
        path: str,
        reason: Reason = "cloud_unavailable",
        also: tuple[int, ...] = (),
        verb: str = "POST",
        headers: dict[str, str] | None = None,
        **rest: Any,
    ) -> requests.Response:
        """Call one method. Raises WorkloadError unless the answer is 200 or one of `also`."""
        url = (self._endpoint or f"https://{service}.googleapis.com") + path
        headers = {"Accept-Encoding": "identity"} | (headers or {})
        try:
            answer = session.request(verb, url, timeout=_TIMEOUT_S, headers=headers, **rest)
        except (requests.RequestException, TransportError, RefreshError) as error:
            raise WorkloadError("cloud_unavailable", f"{service}: {type(error).__name__}") from error
        if answer.status_code not in {200, *also}:
            raise WorkloadError(reason, f"{service} {path.partition('?')[0]}: HTTP {answer.status_code}")
        return answer


def crc32c_of(data: bytes) -> str:
    """CRC32C in base64, as Cloud Storage writes it."""
    value: int = google_crc32c.value(data)
    return _b64(value.to_bytes(4, "big"))


def _b64(data: bytes) -> str:
    return b64encode(data).decode()
