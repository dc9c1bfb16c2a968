"""`list`, `map` and `math`. Source: Google's pages "Module: list", "Module: map", "Module: math"."""

from __future__ import annotations

from typing import Any

from .. import limits
from ..errors import value_error
from ..values import Value
from . import arguments
from .function import Library

list_library = Library("list")
map_library = Library("map")
math_library = Library("math")


@list_library.function("concat")
def concat(objs: Value, val: Value) -> Value:
    """A copy of the list with one more element at its end; a list is one element too."""
    return [*arguments.elements(objs, "objs"), val]


@list_library.function("prepend")
def prepend(objs: Value, val: Value) -> Value:
    """A copy of the list with one more element at its beginning."""
    return [val, *arguments.elements(objs, "objs")]


@map_library.function("get")
def get(map_: Value, keys: Value) -> Value:
    """The value under a key, or down a list of keys; null where a key is missing or no map stands."""
    path = keys if type(keys) is list else [keys]
    value = map_
    for key in path:
        arguments.string(key, "a key")
        value = value.get(key) if type(value) is dict else None
    return value


@map_library.function("delete")
def delete(map_: Value, key: Value) -> Value:
    """A copy of the map without the key; a missing key changes nothing."""
    kept = dict(arguments.mapping(map_, "map"))
    kept.pop(arguments.string(key, "key"), None)
    return kept


@map_library.function("merge")
def merge(first: Value, second: Value) -> Value:
    """Both maps in one; the second wins where both have a key."""
    return {**arguments.mapping(first, "first"), **arguments.mapping(second, "second")}


@map_library.function("merge_nested")
def merge_nested(first: Value, second: Value) -> Value:
    """Both maps in one, and so the maps that stand under one key in both."""
    return _merged(arguments.mapping(first, "first"), arguments.mapping(second, "second"))


def _merged(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    merged = dict(first)
    for key, value in second.items():
        under = first.get(key)
        both = type(under) is dict and type(value) is dict
        merged[key] = _merged(under, value) if both and under is not None else value
    return merged


@math_library.function("abs")
def absolute(x: Value) -> Value:
    """The absolute value."""
    magnitude = abs(arguments.number(x, "x"))
    if type(magnitude) is int and magnitude > limits.INTEGER_MAX:
        raise value_error(f"{magnitude} is beyond a 64-bit integer")
    return magnitude


@math_library.function("max")
def maximum(x: Value, y: Value) -> Value:
    """The larger of two numbers."""
    return max(arguments.number(x, "x"), arguments.number(y, "y"))


@math_library.function("min")
def minimum(x: Value, y: Value) -> Value:
    """The smaller of two numbers."""
    return min(arguments.number(x, "x"), arguments.number(y, "y"))
