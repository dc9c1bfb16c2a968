"""Read job.yaml, strictly; the unknown is refused by name.

- YAML's plain part only: no tags, no aliases (so no bombs), no repeated keys; at most 64 KiB, 8
  levels and 2,000 values. Field names and types are those of `rules.job`.
- Arguments are values that JSON has exactly one spelling for, because they are hashed.
"""

from __future__ import annotations

import math
from typing import Any

import yaml

from sealtrain.rules.errors import RefusedError
from sealtrain.rules.job import Job
from sealtrain.rules.order import Scalar
from sealtrain.rules.parsing import convert

LARGEST_JOB_BYTES = 64 * 1024
DEEPEST = 8
MOST_VALUES = 2_000


def parse_job(data: bytes) -> Job:
    """job.yaml's bytes as a Job. Raises RefusedError naming the field."""
    if len(data) > LARGEST_JOB_BYTES:
        raise _refused("job.yaml", f"{len(data)} bytes", f"at most {LARGEST_JOB_BYTES} bytes")
    job = convert(_plain(data), Job, "job.yaml", refusal=_bad_job)
    for name, value in job.arguments.items():
        for each in (name, *(value if isinstance(value, list) else (value,))):
            _check_scalar(name, each)
    if job.source == "forget" and job.most_attempts > 1:
        expected = "1: the source is removed, so another attempt would find no data"
        raise _refused("limits.attempts", str(job.most_attempts), expected)
    return job


class _PlainLoader(yaml.SafeLoader):  # type: ignore[misc]  # the library has no types
    """YAML without aliases, tags and repeated keys, bounded in depth and number of values."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.depth = 0
        self.values = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        where = f"line {event.start_mark.line + 1}"
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _refused(where, "an anchor or alias", "each value written out")
        if getattr(event, "tag", None):
            raise _refused(where, f"the tag {event.tag}", "plain values without tags")
        self.values += 1
        self.depth += 1
        if self.depth > DEEPEST or self.values > MOST_VALUES:
            expected = f"at most {DEEPEST} levels and {MOST_VALUES} values"
            raise _refused(where, "a document deeper or larger than that", expected)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            where = f"line {key.start_mark.line + 1}"
            if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
                raise _refused(where, "a key that is not text", "field names")
            if key.value in seen:
                raise _refused(key.value, "the field twice", "each field once")
            seen.add(key.value)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return mapping


def _plain(data: bytes) -> Any:
    try:
        loader = _PlainLoader(data.decode())
        try:
            found = loader.get_single_data()
        finally:
            loader.dispose()
    except UnicodeDecodeError as error:
        raise _refused("job.yaml", f"bytes that are not UTF-8 ({error})", "UTF-8 text") from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise _refused("job.yaml", " ".join(str(error).split()), "plain YAML") from error
    return {} if found is None else found


def _check_scalar(name: str, value: Scalar) -> None:
    """Refuse what JSON has no one spelling for: it could not be hashed the same everywhere."""
    fits = True
    if isinstance(value, float):
        fits = math.isfinite(value)
    elif isinstance(value, int):
        fits = abs(value) < 2**53
    elif isinstance(value, str):
        fits = not any("\ud800" <= character <= "\udfff" for character in value)
    if not fits:
        expected = "finite numbers, whole ones below 2^53, and text in Unicode"
        raise _refused(f"arguments.{name!a}", f"{value!a}", expected)


def _bad_job(message: str, **details: Any) -> RefusedError:
    details.setdefault("remedy", "correct job.yaml and upload it again")
    return RefusedError(message, code="bad_job", **details)


def _refused(field: str, got: str, expected: str) -> RefusedError:
    return _bad_job("job.yaml cannot be used", field=field, got=got, expected=expected)
