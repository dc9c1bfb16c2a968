"""`base64`, `hash` and `json`. Source: Google's pages "Module: base64", "Module: hash", "Module:
json".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from ..errors import value_error
from ..values import Value, decode_json, encode_json
from . import arguments
from .function import Library

base64_library = Library("base64")
hash_library = Library("hash")
json_library = Library("json")

_ALGORITHMS = ("MD5", "SHA1", "SHA224", "SHA256", "SHA384", "SHA512")


@base64_library.function("encode")
def base64_encode(data: Value, padding: Value = True) -> Value:
    """Bytes as base64 text, with or without its "=" padding."""
    text = base64.b64encode(arguments.octets(data, "data")).decode()
    return text if arguments.boolean(padding, "padding") else text.rstrip("=")


@base64_library.function("decode")
def base64_decode(data: Value, padding: Value = True) -> Value:
    """The bytes of base64 text; line ends in it do not count."""
    text = arguments.string(data, "data").replace("\r", "").replace("\n", "")
    if not arguments.boolean(padding, "padding"):
        if "=" in text:
            raise value_error('not base64 without padding: it holds "="')
        text += "=" * (-len(text) % 4)
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise value_error(f"not base64: {error}") from None


@hash_library.function("compute_checksum")
def compute_checksum(data: Value, algorithm: Value) -> Value:
    """The digest of bytes, as bytes."""
    return hashlib.new(_algorithm(algorithm), arguments.octets(data, "data")).digest()


@hash_library.function("compute_hmac")
def compute_hmac(key: Value, data: Value, algorithm: Value) -> Value:
    """The keyed digest of bytes, as bytes."""
    secret, message = arguments.octets(key, "key"), arguments.octets(data, "data")
    return hmac.new(secret, message, _algorithm(algorithm)).digest()


def _algorithm(name: Value) -> str:
    algorithm = arguments.string(name, "algorithm")
    if algorithm not in _ALGORITHMS:
        raise value_error(f"unknown algorithm {name!r}; known are {', '.join(_ALGORITHMS)}")
    return algorithm


@json_library.function("encode")
def json_encode(data: Value, indent: Value = None) -> Value:
    """The value as JSON, as bytes."""
    return json_encode_to_string(data, indent).encode("utf-8", "replace")


@json_library.function("encode_to_string")
def json_encode_to_string(data: Value, indent: Value = None) -> Value:
    """The value as JSON text; `indent` is a boolean or a map of prefix and indent."""
    if indent is None or indent is False:
        return encode_json(data)
    style = {} if indent is True else arguments.mapping(indent, "indent")
    unknown = style.keys() - {"prefix", "indent"}
    if unknown:
        raise value_error(f"indent has no {sorted(unknown)[0]!r}; it has prefix and indent")
    prefix = arguments.string(style.get("prefix", ""), "prefix")
    step = arguments.string(style.get("indent", "    "), "indent")
    return encode_json(data, step).replace("\n", "\n" + prefix)


@json_library.function("decode")
def json_decode(data: Value) -> Value:
    """The value of JSON bytes or text."""
    text = data.decode("utf-8", "replace") if type(data) is bytes else arguments.string(data, "data")
    return decode_json(text)
