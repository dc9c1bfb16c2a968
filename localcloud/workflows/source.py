"""The text of a workflow, YAML or JSON → values that know their line.

Rules: at most 128 KB; nested at most 150 deep; one document; no duplicate keys; no tags; booleans are
true/false only (YAML 1.1's yes, no, on, off are text), dates are text; the key of a map is text as
written.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import yaml

from . import limits
from .errors import DeploymentError, Refusal
from .values import whole_characters

# Aliases may repeat a node; a source that unfolds beyond this many is refused.
_NODES_AT_MOST = 50_000

Content: TypeAlias = "str | int | float | bool | list[Node] | dict[str, Node] | None"


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the source and where it stands; lines and columns count from 1."""

    content: Content
    line: int
    column: int
    key_lines: dict[str, int]


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML carries no types
    """PyYAML's safe loader with the scalar rules of YAML 1.2's core schema."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012
    _expression_line = -1

    def scan_plain(self) -> Any:
        """A plain scalar; inside [] or {} also one `${…}` a line, which YAML itself would refuse."""
        length = self._flow_expression() if self.flow_level else 0
        if not length:
            return super().scan_plain()
        start = self.get_mark()
        if self._expression_line == start.line:
            message = "two expressions in one list or map on a line: put them in quotes"
            raise yaml.scanner.ScannerError(None, None, message, start)
        self._expression_line = start.line
        text = self.prefix(length)
        self.forward(length)
        return yaml.ScalarToken(text, True, start, self.get_mark())

    def fetch_flow_collection_start(self, token_class: Any) -> None:
        """A `[` or `{`."""
        self._deeper()
        super().fetch_flow_collection_start(token_class)

    def add_indent(self, column: int) -> bool:
        """A block that may begin here."""
        self._deeper()
        return bool(super().add_indent(column))

    def _deeper(self) -> None:
        if self.flow_level + len(self.indents) > limits.SOURCE_NESTING:
            message = f"nested deeper than {limits.SOURCE_NESTING} levels"
            raise yaml.scanner.ScannerError(None, None, message, self.get_mark())

    def _flow_expression(self) -> int:
        """The length of the `${…}` that begins here, 0 when none does, it leaves the line or is too long."""
        length = 2 if self.prefix(2) == "${" else 0
        depth, quote = 1, ""
        while length and depth:
            character = self.peek(length)
            if character in "\0\r\n" or length > 2 * limits.EXPRESSION_CHARACTERS:
                return 0
            if quote:
                quote = "" if character == quote else quote
            elif character in "\"'":
                quote = character
            else:
                depth += {"{": 1, "}": -1}.get(character, 0)
            length += 1
        return length


_SCALARS = {
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    "int": (r"[-+]?[0-9]+", list("-+0123456789")),
    "float": (
        r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?",
        list("-+.0123456789"),
    ),
}
for _name, (_pattern, _first) in _SCALARS.items():
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(rf"^(?:{_pattern})$"), _first)


def read(text: str) -> Node:
    """The source as a tree of nodes; DeploymentError for what is neither YAML nor JSON."""
    if len(text.encode("utf-8", "replace")) > limits.SOURCE_BYTES:
        raise _refused(1, "source-size", f"the source exceeds {limits.SOURCE_BYTES} bytes")
    try:
        return _parsed(_without_tabs(text))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise _refused(line, "source-syntax", f"neither YAML nor JSON: {error.problem}") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise _refused(1, "source-syntax", f"neither YAML nor JSON: {error}") from None


def _parsed(text: str) -> Node:
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            raise _refused(1, "source-empty", "the source holds no workflow")
        return _Reader().node(root)
    finally:
        loader.dispose()


def _refused(line: int, rule: str, message: str) -> DeploymentError:
    return DeploymentError([Refusal(line, rule, message)])


def _without_tabs(text: str) -> str:
    """JSON may be indented with tabs, which YAML refuses; inside JSON's strings a raw tab cannot stand."""
    if text.lstrip()[:1] not in ("{", "[") or "\t" not in text:
        return text
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return text
    return text.replace("\t", " ")


class _Reader:
    def __init__(self) -> None:
        self._count = 0
        self._open: set[int] = set()

    def node(self, raw: yaml.Node) -> Node:
        line, column = raw.start_mark.line + 1, raw.start_mark.column + 1
        self._count += 1
        if self._count > _NODES_AT_MOST or id(raw) in self._open:
            raise _refused(line, "source-size", "aliases unfold without end")
        self._open.add(id(raw))
        key_lines: dict[str, int] = {}
        content: Content
        if isinstance(raw, yaml.MappingNode):
            content = dict(self._entries(raw, key_lines))
        elif isinstance(raw, yaml.SequenceNode):
            content = [self.node(item) for item in raw.value]
        else:
            content = _scalar(raw)
        self._open.discard(id(raw))
        return Node(content, line, column, key_lines)

    def _entries(self, raw: yaml.MappingNode, key_lines: dict[str, int]) -> Iterator[tuple[str, Node]]:
        for key, value in raw.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise _refused(line, "map-key", "the key of a map must be text")
            if key.value in key_lines:
                raise _refused(line, "duplicate-key", f'the key "{key.value}" stands twice')
            key_lines[key.value] = line
            yield key.value, self.node(value)


def _scalar(raw: yaml.Node) -> str | int | float | bool | None:
    text, kind = str(raw.value), raw.tag.removeprefix("tag:yaml.org,2002:")
    line = raw.start_mark.line + 1
    match kind:
        case "str":
            return whole_characters(text)
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int":
            return _integer(text, line)
        case "float":
            return _double(text, line)
    raise _refused(line, "source-tag", f"the tag {raw.tag} has no meaning here")


def _integer(text: str, line: int) -> int:
    if len(text) > 20 or not limits.INTEGER_MIN <= int(text) <= limits.INTEGER_MAX:
        raise _refused(line, "number-range", f"{text} is beyond a 64-bit integer")
    return int(text)


def _double(text: str, line: int) -> float:
    if not math.isfinite(float(text)):
        raise _refused(line, "number-range", f"{text} is beyond a double")
    return float(text)
