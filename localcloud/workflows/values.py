"""The values of the language: null, boolean, integer (64 bit), double, string, bytes, list, map.

Rules: values never change in place, so an assignment copies by sharing; a boolean equals no number;
an integer equals the double of the same size; JSON is written compact, keys sorted, as Google's own
payloads are.
"""

from __future__ import annotations

import json
import re
from typing import Any

from . import limits
from .errors import index_error, key_error, type_error, value_error

Value = Any

TYPE_NAMES: dict[type, str] = {
    bool: "boolean",
    int: "integer",
    float: "double",
    str: "string",
    bytes: "bytes",
    list: "list",
    dict: "map",
    type(None): "null",
}


def type_name(value: Value) -> str:
    """The language's name for the type of a value."""
    return TYPE_NAMES.get(type(value), "function")


def is_number(value: Value) -> bool:
    """Integer or double; a boolean is no number."""
    return type(value) is int or type(value) is float


def equal(a: Value, b: Value) -> bool:
    """The `==` of the language, deep; values of different types differ, except integer and double."""
    if type(a) is not type(b):
        return is_number(a) and is_number(b) and bool(a == b)
    if type(a) is list:
        return len(a) == len(b) and all(equal(x, y) for x, y in zip(a, b, strict=True))
    if type(a) is dict:
        return a.keys() == b.keys() and all(equal(value, b[key]) for key, value in a.items())
    return bool(a == b)


def size_of(value: Value) -> int:
    """About how many bytes a value holds: text by its length, a scalar 8, containers their content."""
    kind = type(value)
    if kind is str or kind is bytes:
        return len(value)
    if kind is list:
        return sum([size_of(item) for item in value])
    if kind is dict:
        return sum([len(key) + size_of(item) for key, item in value.items()])
    return 8


def encode_json(value: Value, indent: str | None = None) -> str:
    """The value as JSON text; ValueError for what JSON cannot write: bytes, a double without end."""
    separators = (",", ":") if indent is None else (",", ": ")
    try:
        return json.dumps(
            value,
            sort_keys=True,
            separators=separators,
            indent=indent,
            ensure_ascii=False,
            allow_nan=False,
        )
    except TypeError:
        raise value_error("a value that holds bytes cannot be encoded as JSON") from None
    except (ValueError, RecursionError) as error:
        raise value_error(f"cannot be encoded as JSON: {error}") from None


def whole_characters(text: str) -> str:
    """The text with U+FFFD for each half of a character that stands alone; two that fit are joined."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _no_constant(name: str) -> Value:
    raise ValueError(f"{name} is no JSON")


def _integer(digits: str) -> int | float:
    number = int(digits) if len(digits) < 25 else float(digits)
    inside = limits.INTEGER_MIN <= number <= limits.INTEGER_MAX
    return number if inside else float(digits)


# The escape of half a character; only a text with one can hold such a half.
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def _whole(value: Value) -> Value:
    if type(value) is str:
        return whole_characters(value)
    if type(value) is list:
        return [_whole(item) for item in value]
    if type(value) is dict:
        return {whole_characters(key): _whole(item) for key, item in value.items()}
    return value


_DECODER = json.JSONDecoder(parse_int=_integer, parse_constant=_no_constant)


def decode_json(text: str) -> Value:
    """The value of a JSON text; an integer beyond 64 bits becomes a double. ValueError for no JSON."""
    try:
        value = _DECODER.decode(text)
        return _whole(value) if _SURROGATE.search(text) else value
    except (ValueError, RecursionError) as error:
        raise value_error(f"not JSON: {error}") from None


SCALARS = frozenset({bool, int, float})


def scalar_text(value: bool | int | float) -> str:
    """A boolean, integer or double as text; a double in the shortest form that reads back the same."""
    if type(value) is bool:
        return "true" if value else "false"
    return repr(value)


def member(container: Value, key: str) -> Value:
    """`container.key`."""
    if type(container) is not dict:
        raise type_error(f'cannot read the key "{key}" of a {type_name(container)}')
    try:
        return container[key]
    except KeyError:
        raise key_error(key) from None


def element(container: Value, key: Value) -> Value:
    """`container[key]`: a map by string, a list by integer from 0."""
    if type(container) is list:
        _check_index(container, key)
        return container[key]
    if type(container) is dict:
        if type(key) is not str:
            raise type_error(f"the key of a map must be a string, got a {type_name(key)}")
        return member(container, key)
    raise type_error(f"cannot index a {type_name(container)}")


def _check_index(container: list[Value], index: Value) -> None:
    if type(index) is not int:
        raise type_error(f"the index of a list must be an integer, got a {type_name(index)}")
    if not 0 <= index < len(container):
        raise index_error(index, len(container))


def replaced(container: Value, path: list[Value], value: Value) -> Value:
    """The container with the value at the path; only what lies on the path is copied.

    The last key of a map may be new; every other step of the path must exist.
    """
    key = path[0]
    if type(container) is dict and type(key) is not str:
        raise type_error(f"the key of a map must be a string, got a {type_name(key)}")
    if len(path) > 1:
        value = replaced(element(container, key), path[1:], value)
    elif type(container) is list:
        _check_index(container, key)
    elif type(container) is not dict:
        raise type_error(f"cannot assign into a {type_name(container)}")
    copy = container.copy()
    copy[key] = value
    return copy
