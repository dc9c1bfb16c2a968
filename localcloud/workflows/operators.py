"""What the operators do with values of each type.

Rules (Google's pages "Data types" and "Expressions"): arithmetic takes integers and doubles, mixed
gives a double; `+` also joins strings, and a string with a number or boolean; `/` gives a double;
`and`, `or`, `not` take booleans only; `<` and its kin take two numbers or two strings; `in` looks
among the elements of a list or the keys of a map.
Open, our choice: an integer beyond 64 bits is a ValueError; `//` and `%` round towards minus
infinity.
"""

from __future__ import annotations

import operator
from collections.abc import Callable

from . import limits
from .errors import WorkflowError, problem, type_error, value_error
from .values import SCALARS, Value, equal, is_number, scalar_text, type_name

Apply = Callable[[Value, Value], Value]


def _unfit(sign: str, a: Value, b: Value) -> WorkflowError:
    return type_error(f"{type_name(a)} {sign} {type_name(b)} is not defined")


def ranged(number: Value) -> Value:
    """The number, which must fit its type: an integer in 64 bits."""
    if type(number) is int and not limits.INTEGER_MIN <= number <= limits.INTEGER_MAX:
        raise value_error("the result is beyond a 64-bit integer")
    return number


def add(a: Value, b: Value) -> Value:
    """`a + b`."""
    if is_number(a) and is_number(b):
        return ranged(a + b)
    if type(a) is str and type(b) is str:
        return a + b
    if type(a) is str and type(b) in SCALARS:
        return a + scalar_text(b)
    if type(a) in SCALARS and type(b) is str:
        return scalar_text(a) + b
    raise _unfit("+", a, b)


def _arithmetic(sign: str, apply: Apply) -> Apply:
    def compute(a: Value, b: Value) -> Value:
        if not (is_number(a) and is_number(b)):
            raise _unfit(sign, a, b)
        try:
            return ranged(apply(a, b))
        except ZeroDivisionError:
            raise problem("ZeroDivisionError", "division by zero", "ArithmeticError") from None

    return compute


def _comparison(sign: str, apply: Callable[[Value, Value], bool]) -> Apply:
    def compare(a: Value, b: Value) -> Value:
        if (is_number(a) and is_number(b)) or (type(a) is str and type(b) is str):
            return apply(a, b)
        raise _unfit(sign, a, b)

    return compare


def contains(item: Value, container: Value) -> Value:
    """`item in container`."""
    if type(container) is list:
        return any(equal(item, element) for element in container)
    if type(container) is dict:
        if type(item) is not str:
            raise type_error(f"the key of a map is a string, got a {type_name(item)}")
        return item in container
    raise type_error(f"The argument of 'in' must be a dict or an array; got: {type_name(container)}")


def negative(value: Value) -> Value:
    """`-value`."""
    if not is_number(value):
        raise type_error(f"-{type_name(value)} is not defined")
    return ranged(-value)


def boolean(value: Value, sign: str) -> bool:
    """The operand of `and`, `or`, `not`, which must be a boolean."""
    if type(value) is not bool:
        raise type_error(f"{sign} takes booleans, got a {type_name(value)}")
    return value


BINARY: dict[str, Apply] = {
    "+": add,
    "-": _arithmetic("-", operator.sub),
    "*": _arithmetic("*", operator.mul),
    "/": _arithmetic("/", operator.truediv),
    "//": _arithmetic("//", operator.floordiv),
    "%": _arithmetic("%", operator.mod),
    "<": _comparison("<", operator.lt),
    "<=": _comparison("<=", operator.le),
    ">": _comparison(">", operator.gt),
    ">=": _comparison(">=", operator.ge),
    "==": equal,
    "!=": lambda a, b: not equal(a, b),
    "in": contains,
}
