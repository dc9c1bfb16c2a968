"""The filter language of log queries and sinks, as far as it is needed here.

Rules
- A comparison is PATH OP VALUE; OP is one of = != < <= > >= : =~ !~. A path starts with a field of
  LogEntry; parts that are not words stand in quotes. Text is compared without regard to case, `:`
  means "contains", `=~` searches.
- `timestamp` and `receiveTimestamp` compare as moments, `severity` by rank, numbers by value.
- NOT (or -) binds tightest, then OR, then AND; comparisons side by side are joined by AND. A
  missing field fits nothing. Bare words (search in all fields) are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any

from localcloud.doors.errors import invalid

Json = dict[str, Any]
Predicate = Callable[[Json], bool]

SEVERITIES = (
    "DEFAULT",
    "DEBUG",
    "INFO",
    "NOTICE",
    "WARNING",
    "ERROR",
    "CRITICAL",
    "ALERT",
    "EMERGENCY",
)
_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*")|(?P<op>!=|<=|>=|=~|!~|[=<>:])|(?P<paren>[()])|(?P<minus>-(?=[("a-zA-Z]))"""
    r"""|(?P<word>[^\s()=<>!:"~]+(?:(?<=\.)"(?:[^"\\]|\\.)*"[^\s()=<>!:"~]*)*))"""
)


@lru_cache(maxsize=256)
def compiled(text: str) -> Predicate:
    """The filter as a function of an entry. Raises 400 telling where it is not understood."""
    if not text.strip():
        return lambda _: True
    parser = _Parser(text)
    predicate = parser.conjunction()
    if parser.peek() is not None:
        raise parser.wrong("the end")
    return predicate


class _Parser:
    def __init__(self, text: str) -> None:
        self._text, self._tokens, at = text, list[tuple[str, str]](), 0
        while text[at:].strip():
            found = _TOKEN.match(text, at)
            if found is None:
                raise invalid(f"Unparseable filter: syntax error at column {at + 1} of {text!r}")
            self._tokens.append((str(found.lastgroup), found.group(str(found.lastgroup))))
            at = found.end()
        self._at = 0

    def peek(self) -> tuple[str, str] | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _next(self, *kinds: str) -> str:
        token = self.peek()
        if token is None or token[0] not in kinds:
            raise self.wrong(" or ".join(kinds))
        self._at += 1
        return token[1]

    def wrong(self, expected: str) -> Exception:
        got = self.peek()
        shown = "the end" if got is None else repr(got[1])
        return invalid(f"Unparseable filter: got {shown}, expected {expected} in {self._text!r}")

    def conjunction(self) -> Predicate:
        terms = [self._disjunction()]
        while (token := self.peek()) is not None and token != ("paren", ")"):
            if token == ("word", "AND"):
                self._at += 1
            terms.append(self._disjunction())
        return lambda entry: all(term(entry) for term in terms)

    def _disjunction(self) -> Predicate:
        terms = [self._unary()]
        while self.peek() == ("word", "OR"):
            self._at += 1
            terms.append(self._unary())
        return lambda entry: any(term(entry) for term in terms)

    def _unary(self) -> Predicate:
        if self.peek() in (("word", "NOT"), ("minus", "-")):
            self._at += 1
            inner = self._unary()
            return lambda entry: not inner(entry)
        if self.peek() == ("paren", "("):
            self._at += 1
            inner = self.conjunction()
            self._next("paren")  # where it ended: at ")", or too early
            return inner
        path, op = _path(self._next("word")), self._next("op")
        kind = "" if self.peek() is None else self._tokens[self._at][0]
        value = self._next("string", "word")
        return _comparison(path, op, _unquoted(value) if kind == "string" else value)


def _comparison(path: list[str], op: str, wanted: str) -> Predicate:
    if op in ("=~", "!~"):
        try:
            pattern = re.compile(wanted)
        except re.error as error:
            raise invalid(f"Unparseable filter: bad regular expression {wanted!r}: {error}") from error
        return lambda entry: any(
            (pattern.search(str(value)) is not None) == (op == "=~") for value in _values(entry, path)
        )
    left, right = _comparable(path, wanted)
    if op == ":":
        return lambda entry: any(
            wanted == "*" or wanted.casefold() in _text(value).casefold() for value in _values(entry, path)
        )
    return lambda entry: any(_holds(left(value), op, right) for value in _values(entry, path))


def _comparable(path: list[str], wanted: str) -> tuple[Callable[[Any], Any], Any]:
    if path[-1] in ("timestamp", "receiveTimestamp") and len(path) == 1:
        return _moment, _moment(wanted)
    if path == ["severity"]:
        if wanted.upper() not in SEVERITIES:
            raise invalid(f"Unparseable filter: severity {wanted!r}, expected one of {SEVERITIES}")
        return SEVERITIES.index, SEVERITIES.index(wanted.upper())
    return _scalar, _scalar(wanted)


def _holds(left: Any, op: str, right: Any) -> bool:
    if op in ("=", "!="):
        return bool((left == right) == (op == "="))
    if type(left) is not type(right):
        return False
    if op.startswith("<"):
        return bool(left < right or (op == "<=" and left == right))
    return bool(left > right or (op == ">=" and left == right))


def _values(entry: Json, path: list[str]) -> list[Any]:
    """What the path leads to: nothing, one value, or each element of a list."""
    found: Any = entry
    for part in path:
        if not isinstance(found, dict) or part not in found:
            return []
        found = found[part]
    return found if isinstance(found, list) else [found]


def _moment(text: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise invalid(f"Unparseable filter: {text!r} is not an RFC 3339 time") from error
    if moment.tzinfo is None:
        raise invalid(f"Unparseable filter: {text!r} has no time zone")
    return moment


def _scalar(value: Any) -> float | str:
    try:
        return float(_text(value))
    except ValueError:
        return _text(value).casefold()


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _path(word: str) -> list[str]:
    parts = re.findall(r'"((?:[^"\\]|\\.)*)"|([^."]+)', word)
    return [_unquoted(f'"{quoted}"') if quoted else plain for quoted, plain in parts]


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])
