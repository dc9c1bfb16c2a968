"""What the cloud rooms take and give, as plain types: no Google type leaves `cloud`.

Sizes in bytes, times RFC 3339 UTC, generations as text (as Google gives them).
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class ObjectInfo(msgspec.Struct, frozen=True):
    """One object as it stands. `crc32c` is base64, as Cloud Storage writes it."""

    bucket: str
    name: str
    generation: str
    size: int
    crc32c: str
    created: str
    content_type: str | None = None
    metadata: dict[str, str] = msgspec.field(default_factory=dict)


class BucketSpec(msgspec.Struct, frozen=True):
    """A bucket to make: CMEK, uniform access, no public access, no soft delete, no versions."""

    name: str
    location: str
    kms_key: str
    labels: dict[str, str]


class BucketInfo(msgspec.Struct, frozen=True):
    """A bucket as it stands."""

    name: str
    location: str
    kms_key: str | None
    labels: dict[str, str]
    uniform_access: bool
    public_access_prevention: str
    soft_delete_s: int
    versioning: bool
    created: str


class KeySpec(msgspec.Struct, frozen=True):
    """A symmetric HSM key to make, never rotated: one key serves one run."""

    ring: str
    key_id: str
    labels: dict[str, str]
    destroy_scheduled_s: int


class KeyInfo(msgspec.Struct, frozen=True):
    """A key as it stands; `purpose`, `protection` and `primary_state` are the API's words."""

    name: str
    purpose: str
    protection: str
    labels: dict[str, str]
    rotation_s: int | None
    destroy_scheduled_s: int
    primary: str | None
    primary_state: str | None
    created: str


class KeyVersion(msgspec.Struct, frozen=True):
    """A key version: its full name, its state (ENABLED, DESTROY_SCHEDULED, …), and when it is destroyed.

    `destroyed_at` is RFC 3339, or empty while no destruction is scheduled.
    """

    name: str
    state: str
    destroyed_at: str = ""


class Encrypted(msgspec.Struct, frozen=True):
    """What KMS gave for a plaintext, and the version that did it."""

    ciphertext: bytes
    key_version: str


class Operation(msgspec.Struct, frozen=True):
    """A Compute operation; `zone` is None for a global one. Errors are raised, never held."""

    name: str
    zone: str | None
    done: bool


MachineKind = Literal["instance", "template", "group", "request", "reservation"]


class Resource(msgspec.Struct, frozen=True):
    """A Compute resource: what all have in common, and `body`, the whole of it in REST form.

    `id` is the numeric id as text; `zone` and `status` are empty where a kind has none.
    """

    kind: MachineKind
    id: str
    name: str
    zone: str
    status: str
    created: str
    labels: dict[str, str]
    body: dict[str, Any]


class Execution(msgspec.Struct, frozen=True):
    """A workflow execution: `state` is the API's word; `result` and `error` are JSON text."""

    name: str
    state: str
    result: str | None = None
    error: str | None = None
