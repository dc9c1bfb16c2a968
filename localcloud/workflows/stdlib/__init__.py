"""The standard library, without connectors: every function by its full name."""

from __future__ import annotations

from . import collections, conversion, encoding, events, http, retry, system, text
from .function import Function

FUNCTIONS: dict[str, Function] = {
    name: function
    for library in (
        conversion.library,
        collections.list_library,
        collections.map_library,
        collections.math_library,
        encoding.base64_library,
        encoding.hash_library,
        encoding.json_library,
        events.library,
        http.library,
        retry.library,
        system.sys_library,
        system.time_library,
        system.uuid_library,
        text.library,
    )
    for name, function in library.functions.items()
}
MODULES = frozenset(name.split(".")[0] for name in FUNCTIONS if "." in name)
CONNECTORS = ("googleapis.", "experimental.", "gke.", "shell.")
