"""The deployment's settings: one frozen object, built once from a mapping at the edge.

Rules:
- The environment is read nowhere else; `main` passes it here.
- Unset lists approve nothing: no approved image, no trusted root, no default trainer.
- `endpoint` unset means Google. Set, it must be a loopback address over http with a port and
  nothing else, so that an override cannot lead production astray.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from sealtrain.rules.canonical import is_digest
from sealtrain.rules.errors import SettingsError

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost"})

_PROJECT = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]")
_NUMBER = re.compile(r"[1-9][0-9]{0,18}")
_REGION = re.compile(r"[a-z]+-[a-z]+[0-9]+")
_SECONDS = re.compile(r"[1-9][0-9]{0,4}")
_DEPLOYMENT = re.compile(r"[a-z][a-z0-9-]{0,7}[a-z0-9]")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Where this deployment lives and what it trusts."""

    project: str
    project_number: str
    region: str
    deployment: str = "sealtrain"
    trainer: str = ""
    """Image reference, pinned by digest, for jobs that name none; empty: every job must name one."""
    approved_images: tuple[str, ...] = ()
    attestation_root: str = ""
    """PEM of the root certificate of attestation tokens."""
    attest_every_s: int = 3600
    """How often a machine that trains shows a fresh attestation token, in seconds."""
    endpoint: str | None = None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Settings:
        """Read SEALTRAIN_* variables. Raises SettingsError naming the variable."""
        digests = environ.get("SEALTRAIN_APPROVED_IMAGES", "").split(",")
        settings = cls(
            project=_matching(environ, "SEALTRAIN_PROJECT", _PROJECT, "a project id"),
            project_number=_matching(environ, "SEALTRAIN_PROJECT_NUMBER", _NUMBER, "a project number"),
            region=_matching(environ, "SEALTRAIN_REGION", _REGION, "a region, like us-central1"),
            deployment=_matching(
                environ,
                "SEALTRAIN_DEPLOYMENT",
                _DEPLOYMENT,
                "2 to 9 of a-z, 0-9, -, from a letter on, not ending in -",
                default="sealtrain",
            ),
            trainer=environ.get("SEALTRAIN_TRAINER", ""),
            approved_images=tuple(d.strip() for d in digests if d.strip()),
            attestation_root=environ.get("SEALTRAIN_ATTESTATION_ROOT", ""),
            attest_every_s=int(
                _matching(environ, "SEALTRAIN_ATTEST_EVERY_S", _SECONDS, "1 to 99999 seconds", default="3600")
            ),
            endpoint=environ.get("SEALTRAIN_ENDPOINT") or None,
        )
        for approved in settings.approved_images:
            if not is_digest(approved):
                raise _refused("SEALTRAIN_APPROVED_IMAGES", approved, "sha256: and 64 hex digits")
        if settings.endpoint is not None:
            check_loopback(settings.endpoint, "SEALTRAIN_ENDPOINT")
        return settings


def check_loopback(url: str, field: str) -> None:
    """Raise SettingsError unless url is http://127.0.0.1:PORT or http://localhost:PORT."""
    expected = "http://127.0.0.1:PORT or http://localhost:PORT"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _refused(field, url, expected) from error
    if f"http://{parts.hostname}:{port}" != url or parts.hostname not in LOOPBACK_HOSTS:
        raise _refused(field, url, expected)


def _matching(
    environ: Mapping[str, str],
    name: str,
    pattern: re.Pattern[str],
    expected: str,
    default: str | None = None,
) -> str:
    value = environ.get(name, default)
    if value is None or not pattern.fullmatch(value):
        raise _refused(name, value or "nothing", expected)
    return value


def _refused(name: str, got: str, expected: str) -> SettingsError:
    return SettingsError(
        f"the setting {name} cannot be used",
        field=name,
        got=got,
        expected=expected,
        remedy=f"set {name} in the environment",
    )
