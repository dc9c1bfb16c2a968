"""The functions without a module: conversion, size, type, condition.

Source: Google's page "Expression helpers". Every argument is evaluated before the call, also of
`if` and `default`.
"""

from __future__ import annotations

import math

from .. import limits
from ..errors import type_error, value_error
from ..values import SCALARS, Value, scalar_text, type_name
from . import arguments
from .function import Library

library = Library()


@library.function("default")
def default(value: Value, default_value: Value) -> Value:
    """The value, or the default when it is null."""
    return default_value if value is None else value


@library.function("if")
def choose(condition: Value, if_true: Value, if_false: Value) -> Value:
    """One of two values; a null condition counts as false."""
    if condition is None:
        return if_false
    return if_true if arguments.boolean(condition, "the condition of if") else if_false


@library.function("int")
def to_integer(value: Value) -> Value:
    """An integer from a string or a number; a double loses its fraction."""
    if type(value) is int:
        return value
    if type(value) is float:
        if not math.isfinite(value):
            raise value_error(f"{value} is no integer")
        return _in_range(int(value))
    try:
        return _in_range(int(_digits(arguments.string(value, "the argument of int"))))
    except ValueError:
        raise value_error(f"cannot convert {value!r} to an integer") from None


def _digits(text: str) -> str:
    # Python also reads "1_000" and " 1 "; the language does not.
    if "_" in text or text != text.strip() or len(text) > 20:
        raise ValueError
    return text


def _in_range(number: int) -> int:
    if not limits.INTEGER_MIN <= number <= limits.INTEGER_MAX:
        raise value_error(f"{number} is beyond a 64-bit integer")
    return number


@library.function("double")
def to_double(value: Value) -> Value:
    """A double from a string or a number."""
    if type(value) in (int, float):
        return float(value)
    text = arguments.string(value, "the argument of double")
    try:
        number = float(text)
        # Python also reads "1_0", " 1 ", "inf" and "nan"; the language has no such numbers.
        if "_" in text or text != text.strip() or not math.isfinite(number):
            raise ValueError
        return number
    except ValueError:
        raise value_error(f"cannot convert {text!r} to a double") from None


@library.function("string")
def to_string(value: Value) -> Value:
    """A string from a string, number or boolean."""
    if type(value) is str:
        return value
    if type(value) in SCALARS:
        return scalar_text(value)
    raise type_error(f"cannot convert a {type_name(value)} to a string")


@library.function("len")
def length(value: Value) -> Value:
    """The number of elements, entries, characters or bytes."""
    if type(value) in (str, list, dict, bytes):
        return len(value)
    raise type_error(f"a {type_name(value)} has no length")


@library.function("keys")
def keys(map_: Value) -> Value:
    """The keys of a map, in the order they were set."""
    return list(arguments.mapping(map_, "the argument of keys"))


@library.function("get_type")
def get_type(value: Value) -> Value:
    """The name of the value's type."""
    return type_name(value)
