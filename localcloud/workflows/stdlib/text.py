"""`text`. Source: Google's page "Module: text".

Rules: regular expressions are RE2's; of the matches that begin at one place the longest counts;
indexes count code points.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus, unquote_plus

import re2

from ..errors import type_error, value_error
from ..values import Value, type_name
from . import arguments
from .function import Library

library = Library("text")

# Codecs of Python that are no charsets of IANA.
_NO_CHARSETS = frozenset({"idna", "punycode", "raw_unicode_escape", "undefined", "unicode_escape"})


@library.function("encode")
def encode(text: Value, charset: Value = "UTF-8") -> Value:
    """The bytes of a text."""
    written = arguments.string(text, "text")
    try:
        return written.encode(_charset(charset))
    except UnicodeError:
        raise value_error(f"the text cannot be written in {charset}") from None


@library.function("decode")
def decode(data: Value, charset: Value = "UTF-8") -> Value:
    """The text of bytes; what does not decode becomes U+FFFD."""
    return arguments.octets(data, "data").decode(_charset(charset), "replace")


def _charset(name: Value) -> str:
    charset = arguments.string(name, "charset")
    try:
        codec = codecs.lookup(charset).name
        "".encode(codec)  # a LookupError for a codec that is not one of text
    except (LookupError, ValueError):
        codec = ""
    if not codec or codec.replace("-", "_") in _NO_CHARSETS:
        raise value_error(f"unknown charset {name!r}")
    return codec


@library.function("find_all")
def find_all(source: Value, substr: Value) -> Value:
    """Where the substring begins, each occurrence, from the left without overlap."""
    text, part = arguments.string(source, "source"), arguments.string(substr, "substr")
    return [match.start() for match in re.finditer(re.escape(part), text)]


@library.function("find_all_regex")
def find_all_regex(source: Value, regexp: Value) -> Value:
    """Each match with its index."""
    matches = _pattern(regexp).finditer(arguments.string(source, "source"))
    return [{"index": match.start(), "match": match.group()} for match in matches]


@library.function("match_regex")
def match_regex(source: Value, regexp: Value) -> Value:
    """Whether the expression matches anywhere in the text."""
    return _pattern(regexp).search(arguments.string(source, "source")) is not None


@library.function("replace_all")
def replace_all(source: Value, substr: Value, repl: Value) -> Value:
    """The text with each occurrence of the substring replaced."""
    text, part = arguments.string(source, "source"), arguments.string(substr, "substr")
    return text.replace(part, arguments.string(repl, "repl"))


@library.function("replace_all_regex")
def replace_all_regex(source: Value, regexp: Value, repl: Value) -> Value:
    """The text with each match replaced; the replacement is taken as it stands."""
    replacement = arguments.string(repl, "repl")
    return _pattern(regexp).sub(lambda _: replacement, arguments.string(source, "source"))


@library.function("split")
def split(source: Value, separator: Value) -> Value:
    """The parts between the separators; the characters when the separator is empty."""
    text, between = arguments.string(source, "source"), arguments.string(separator, "separator")
    return text.split(between) if between else list(text)


@library.function("substring")
def substring(source: Value, start: Value, end: Value) -> Value:
    """The characters from start to before end; negative counts from the end, both are clamped."""
    text = arguments.string(source, "source")
    return text[arguments.integer(start, "start") : arguments.integer(end, "end")]


@library.function("to_lower")
def to_lower(source: Value) -> Value:
    """The text in lower case."""
    return arguments.string(source, "source").lower()


@library.function("to_upper")
def to_upper(source: Value) -> Value:
    """The text in upper case."""
    return arguments.string(source, "source").upper()


@library.function("url_encode")
def url_encode(source: Value) -> Value:
    """The text percent-encoded, a space as %20."""
    return quote(_utf8(source), safe="")


@library.function("url_encode_plus")
def url_encode_plus(source: Value) -> Value:
    """The text percent-encoded, a space as +."""
    return quote_plus(_utf8(source), safe="")


@library.function("url_decode")
def url_decode(source: Value) -> Value:
    """The text without its percent-encoding; + is a space."""
    text = arguments.string(source, "source")
    if re.search("%(?![0-9a-fA-F]{2})", text):
        raise value_error("a % without two hexadecimal digits")
    try:
        return unquote_plus(text, errors="strict")
    except UnicodeError:
        raise value_error("the text does not decode to UTF-8") from None


def _utf8(source: Value) -> bytes:
    return arguments.string(source, "source").encode("utf-8", "replace")


def _pattern(regexp: Value) -> Any:
    if type(regexp) is not str:
        raise type_error(f"regexp must be a string, got a {type_name(regexp)}")
    return _compiled(regexp)


@lru_cache(maxsize=256)
def _compiled(regexp: str) -> Any:
    options = re2.Options()
    options.longest_match = True
    options.log_errors = False
    try:
        return re2.compile(regexp, options)
    except re2.error as error:
        raise value_error(f"not a regular expression of RE2: {regexp!r}: {error}") from None
