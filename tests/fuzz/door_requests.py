"""Requests for the doors, drawn from Google's discovery documents: good ones, nearly good ones, hostile ones.

Everything comes from one seeded generator, so that a seed gives the same requests again (answers permitting:
names that answers tell are used in later requests).
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from localcloud.doors.discovery import Method, document, methods
from tests.localcloud.doors.good import GOOD
from tests.localcloud.doors.good_request import Good, filled

Json = dict[str, Any]
SHORT = "main:\n  steps:\n    - done:\n        return: 1\n"
_RARE = {  # these start processes or wait
    "compute.instances.insert": 0.05,
    "compute.instanceGroupManagerResizeRequests.insert": 0.1,
    "pubsub.projects.subscriptions.pull": 0.2,
    "cloudresourcemanager.projects.setIamPolicy": 0.0,  # the fuzzer would lock itself out
}
_TEXTS = (
    *"""good
../../etc/passwd
%2e%2e%2f
' OR 1=1 --
{}
[
projects/other/locations/us-central1
projects/-/x
-1
0
1e400
NaN
null
0x10
2026-02-30T00:00:00Z
9999-12-31T23:59:59Z
0001-01-01T00:00:00Z
2026-01-01T00:00:00
-5s
86400s
315576000000s
*/0 * * * *
SELECT
severity>=
labels.=
name eq (
gs://x
https://[
resource.name.startsWith("x")
request.time < timestamp("x")
1 / 0 == 1
a.b.c""".splitlines(),
    "",
    "a" * 300,
    "9" * 40,
    "\x00",
    "é\u202e✓\U0001f600",
    "\r\nX: y",
)
_NUMBERS = (0, -1, 1, 2**31 - 1, 2**31, -(2**31), 2**63, -(2**63) - 1, 10**400, 0.5, 1e308, -0.0, 65_536)
_ODD: tuple[Any, ...] = (
    None,
    True,
    [],
    {},
    [[]],
    [None],
    {"": ""},
    {"a": {"b": []}},
    [{}] * 30,
    1.5,
    "x",
    -7,
)
_ELSEWHERE = (
    "/v1/token",
    "/v2/",
    "/v2/demo-project/good/blobs/uploads/",
    "/_machine/id-token",
    "/_control/clock",
)
_HEADERS = {
    "Range": ("bytes=0-", "bytes=5-1", "bytes=-0", "bytes=--", "lines=1", "bytes=0-99999999999999999999"),
    "Content-Range": ("bytes */*", "bytes 0-0/1", "bytes 9-3/2", "bytes 0-9999999999/*", "x"),
    "X-Goog-Hash": ("crc32c=AAAAAA==", "md5=x", "crc32c"),
    "Content-Type": ("multipart/related", 'multipart/related; boundary="x"', "text/plain", "\xff"),
    "Authorization": ("Bearer x", "Basic eDp4", "Bearer " + "a." * 40, ""),
    "X-Upload-Content-Type": ("x" * 500,),
}


@dataclass
class Request:
    """One request, as bytes go out."""

    method: str
    verb: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Generator:
    """Draws requests. `learn` is given every answer."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._weights = [_RARE.get(good.method, 1.0) for good in GOOD]
        self._known: dict[str, str] = {}
        self._names: list[str] = ["good", "good-bucket"]

    def next(self) -> Request:
        """The next request."""
        draw = self._random
        good = draw.choices(GOOD, self._weights)[0]
        method = draw.choice([m for m in methods(good.method) if m.upload == (good.content is not None)])
        path = self._path(good, method)
        headers = {"Content-Type": "application/json"}
        body = self._body(good, method)
        if draw.random() < 0.1:
            name = draw.choice(list(_HEADERS))
            headers[name] = draw.choice(_HEADERS[name])
        verb = (
            method.http
            if draw.random() < 0.98
            else draw.choice(("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"))
        )
        return Request(good.method, verb, path, headers, body)

    def learn(self, request: Request, status: int, answer: Any) -> None:
        """Remember names that later requests may use."""
        if status != 200 or not isinstance(answer, dict):
            return
        for good in GOOD:
            if good.method == request.method:
                for word, place in good.learn.items():
                    if (value := _at(answer, place)) is not None:
                        self._known[word] = value
        for key in ("name", "id", "nextPageToken"):
            if isinstance(answer.get(key), str):
                self._names.append(answer[key].rpartition("/")[2])
        del self._names[:-50]

    def _path(self, good: Good, method: Method) -> str:
        draw = self._random
        path = good.path(self._known)
        if draw.random() < 0.02:
            path = draw.choice(_ELSEWHERE)
        if draw.random() < 0.25:
            other = draw.choice(self._names) if draw.random() < 0.7 else draw.choice(_TEXTS)
            path = path.replace("good", quote(other, safe=""), draw.choice((1, 1, 9)))
        extra = []
        for _ in range(draw.choice((0, 0, 1, 1, 2))):
            names = [n for n, spec in method.parameters.items() if spec.get("location") == "query"]
            name = draw.choice(names) if names and draw.random() < 0.95 else draw.choice(_TEXTS)
            spec = method.parameters.get(name, {})
            value = self._scalar(spec) if draw.random() < 0.7 else draw.choice((*_TEXTS, *map(str, _NUMBERS)))
            extra.append(f"{quote(name, safe='')}={quote(str(value), safe='')}")
        return path + ("&" if "?" in path else "?" if extra else "") + "&".join(extra)

    def _body(self, good: Good, method: Method) -> bytes:
        draw = self._random
        if good.content is not None:
            return good.content[: draw.randrange(len(good.content) + 1)]
        if draw.random() < 0.03:
            return draw.choice(
                (b"{", b"[" * 5000, b"\xff\xfe", b"nul", b'{"a":1,}', b"NaN", b'"x"', b"7", b" ")
            )
        if method.request is None:
            return b""
        how = draw.random()
        body: Any = filled(json.loads(json.dumps(good.body or {})), self._known)
        if "sourceContents" in body:
            body["sourceContents"] = SHORT
        if how < 0.15:
            body = self._object(method.api, {"$ref": method.request}, 0)
        elif how < 0.75:
            for _ in range(draw.choice((1, 1, 2, 3))):
                self._change(method.api, {"$ref": method.request}, body)
        return json.dumps(body).encode()

    def _change(self, api: str, spec: Json, body: Any) -> None:
        """Change one thing in an object, somewhere."""
        draw, spec = self._random, _whole(api, spec)
        properties = spec.get("properties", {})
        inside = [key for key, value in body.items() if isinstance(value, dict | list) and value]
        if inside and draw.random() < 0.6:
            key = draw.choice(inside)
            value, inner = body[key], _whole(api, properties.get(key, spec.get("additionalProperties", {})))
            if isinstance(value, list):
                index = draw.randrange(len(value))
                if not isinstance(value[index], dict) or draw.random() < 0.2:
                    value[index] = self._anything(api, inner.get("items", {}), 2)
                    return
                value, inner = value[index], inner.get("items", {})
            self._change(api, inner, value)
        elif body and draw.random() < 0.3:
            body.pop(draw.choice(list(body)))
        elif properties:
            key = draw.choice(list(properties))
            body[key] = self._anything(api, properties[key], 1)
        else:
            body[draw.choice(_TEXTS)] = self._odd()

    def _anything(self, api: str, spec: Json, depth: int) -> Any:
        draw = self._random
        if draw.random() < 0.8:
            return self._object(api, spec, depth)
        return self._odd()

    def _odd(self) -> Any:
        value = self._random.choice((*_ODD, *_TEXTS, *_NUMBERS))
        return json.loads(json.dumps(value))  # a fresh one: it may be changed again

    def _object(self, api: str, spec: Json, depth: int) -> Any:
        """A value that the schema allows."""
        draw, spec = self._random, _whole(api, spec)
        if spec.get("type") == "array":
            return [self._object(api, spec["items"], depth + 1) for _ in range(draw.choice((0, 1, 1, 2)))]
        if spec.get("type") != "object":
            return self._scalar(spec)
        if "additionalProperties" in spec:
            inner = spec["additionalProperties"]
            return {
                draw.choice(_TEXTS): self._object(api, inner, depth + 1) for _ in range(draw.randrange(3))
            }
        properties = spec.get("properties", {})
        count = min(len(properties), draw.randrange(6) if depth < 4 else 0)
        return {
            k: self._object(api, properties[k], depth + 1) for k in draw.sample(sorted(properties), count)
        }

    def _scalar(self, spec: Json) -> Any:  # noqa: PLR0911 - one line a format
        draw, form, kind = self._random, spec.get("format"), spec.get("type")
        if "enum" in spec:
            return draw.choice(spec["enum"])
        if kind == "boolean":
            return draw.random() < 0.5
        if kind in ("integer", "number") or form in ("int64", "uint64"):
            number = draw.choice((0, 1, 2, 10, 600, 3600, draw.randrange(-(2**31), 2**31)))
            return str(number) if kind == "string" else number
        if form == "byte":
            return draw.choice(("", "Z29vZA==", "eA", "-_-_"))
        if form in ("google-datetime", "date-time"):
            return draw.choice(
                ("2026-01-01T00:00:00Z", "2099-12-31T23:59:59.123456789+14:00", "0001-01-01T00:00:00Z")
            )
        if form == "google-duration":
            return draw.choice(("0s", "0.000000001s", "86400s", "-1s", "315576000000s"))
        return draw.choice((*self._names, *_TEXTS))


def _whole(api: str, spec: Json) -> Json:
    return document(api)["schemas"][spec["$ref"]] if "$ref" in spec else spec


def _at(answer: Any, place: str) -> str | None:
    for step in place.split("."):
        try:
            answer = answer[int(step)] if step.isdigit() else answer[step]
        except (KeyError, IndexError, TypeError):
            return None
    return str(answer)
