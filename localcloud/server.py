"""The HTTP servers: Google's API paths on one port, the platform's front door for functions on another.

Rules: two pools of threads, because a function that is being called calls the APIs in turn: sharing one
pool could lock up. Both listen on the loopback only. A server that breaks is told: nothing would be answered
any more, and whoever waits would not know why.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import Any
from urllib.parse import parse_qsl

import waitress.server

from localcloud.doors import DOORS, Answer, Call, Json, enter
from localcloud.doors.discovery import Method, methods
from localcloud.doors.errors import ApiError
from localcloud.doors.payload import parse_json
from localcloud.doors.planted import CutError, meet
from localcloud.doors.schema import check_body, check_parameters
from localcloud.identity.tokens import KEYBOARD, Caller
from localcloud.world.cloud import Cloud
from localcloud.world.lists import lagging

Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]
Wsgi = Callable[[Environ, StartResponse], Iterable[bytes]]
Special = Callable[[Cloud, Environ], "Answer | Json | None"]

# Paths that no discovery document describes (control, registry, callbacks): tried in order before the doors.
SPECIAL: list[tuple[str, Special]] = []


def special(prefix: str) -> Callable[[Special], Special]:
    """Register a function for every path that starts with `prefix`; it may return None to pass."""

    def register(function: Special) -> Special:
        SPECIAL.append((prefix, function))
        return function

    return register


class Router:
    """Finds the method that a path means."""

    def __init__(self) -> None:
        self._by_verb: dict[str, list[Method]] = {}
        for method_id in DOORS:
            for method in methods(method_id):
                self._by_verb.setdefault(method.http, []).append(method)

    def find(self, verb: str, path: str) -> tuple[Method, dict[str, str]] | None:
        """The method and its path parameters, or None."""
        for method in self._by_verb.get(verb, []):
            found = method.match(path)
            if found is not None:
                return method, found
        return None


class ApiApp:
    """The WSGI application behind the API port."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud, self._router = cloud, Router()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        try:
            # The person at the keyboard sends no token; their looking does not hold a leaping clock up.
            tokened = bool(environ.get("HTTP_AUTHORIZATION"))
            with self._cloud.clock.working() if tokened else nullcontext():
                answer = self._answer(environ)
        except ApiError as error:
            answer = Answer(error.code, content=json.dumps(error.body()).encode())
        except CutError:
            _cut(environ)
            answer = Answer(503)
        except Exception:
            sys.stderr.write(f"{environ.get('REQUEST_URI')}:\n{traceback.format_exc()}")
            answer = Answer(500, content=json.dumps(ApiError(500, "internal error").body()).encode())
        content = respond(answer, start_response)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else content

    def _answer(self, environ: Environ) -> Answer | Json:
        raw = str(environ["REQUEST_URI"])
        path, _, query = raw.partition("?")
        path = path.replace("//", "/")
        for prefix, function in SPECIAL:
            if path.startswith(prefix):
                answer = function(self._cloud, environ)
                if answer is not None:
                    return answer
        verb = str(environ["REQUEST_METHOD"])
        found = self._router.find(verb, path)
        if found is None:
            raise ApiError(501, f"the stand-in does not imitate {verb} {path}")
        return self._enter(environ, *found, raw, parse_qsl(query, keep_blank_values=True))

    def _enter(
        self,
        environ: Environ,
        method: Method,
        path: dict[str, str],
        raw: str,
        query: list[tuple[str, str]],
    ) -> Answer | Json:
        cloud = self._cloud
        caller = authenticate(cloud, environ)
        entry = cloud.calls.begin(cloud.clock.timestamp(), method.id, raw, caller.principal)
        try:
            answer = self._enter_as(caller, environ, method, path, raw, query)
            if isinstance(answer, dict):
                answer = lagging(cloud, method.id, answer)
        except ApiError as error:
            entry.status = error.code
            raise
        entry.status = answer.status if isinstance(answer, Answer) else 200
        return answer

    def _enter_as(
        self,
        caller: Caller,
        environ: Environ,
        method: Method,
        path: dict[str, str],
        raw: str,
        query: list[tuple[str, str]],
    ) -> Answer | Json:
        cloud = self._cloud
        params = check_parameters(method, path, query)
        body: Json = {}
        if method.request and not method.upload:
            body = read_body(environ)
            body = check_body(
                method.api, method.request, body, method=method.id, patch=method.http == "PATCH"
            )
        call = Call(
            method=method.id,
            params=params,
            body=body,
            caller=caller,
            headers=_headers(environ),
            stream=environ["wsgi.input"],
            length=int(environ.get("CONTENT_LENGTH") or 0),
            url=raw,
            http_method=method.http,
            upload=method.upload,
            media=method.download or params.get("alt") == "media" or ("alt", "media") in query,
        )
        fault = cloud.faults.take(method.id, {**body, **params})
        if fault is not None:
            return meet(cloud, fault, DOORS[method.id], call)
        return enter(cloud, DOORS[method.id], call)


def _cut(environ: Environ) -> None:
    """Close the caller's connection; what is answered afterwards goes nowhere."""
    channel = environ["waitress.client_disconnected"].__self__
    channel.socket.shutdown(socket.SHUT_RDWR)


def authenticate(cloud: Cloud, environ: Environ) -> Caller:
    """Who calls. No token at all is the person at the keyboard; a wrong one is refused."""
    header = environ.get("HTTP_AUTHORIZATION", "")
    if not header:
        return KEYBOARD
    caller = cloud.tokens.caller(header.removeprefix("Bearer ").strip())
    if caller is None:
        raise ApiError(401, "Request had invalid authentication credentials.")
    return caller


def read_body(environ: Environ) -> Any:
    """The JSON body; an empty one is {}."""
    return parse_json(environ["wsgi.input"].read())


def respond(answer: Answer | Json, start_response: StartResponse) -> Iterable[bytes]:
    """WSGI answer."""
    if isinstance(answer, dict):
        answer = Answer(content=json.dumps(answer).encode())
    headers = {"Content-Type": "application/json; charset=UTF-8", **answer.headers}
    content = b"" if answer.status == 304 else answer.content  # a 304 has no body
    if isinstance(content, bytes):
        headers["Content-Length"] = str(len(content))
        content = [content]
    start_response(f"{answer.status} ", list(headers.items()))
    return content


def _headers(environ: Environ) -> dict[str, str]:
    headers = {
        key[5:].replace("_", "-").lower(): value
        for key, value in environ.items()
        if key.startswith("HTTP_")
    }
    headers["content-type"] = environ.get("CONTENT_TYPE", "")
    return headers


class Server:
    """Both servers and the world behind them."""

    def __init__(self, cloud: Cloud, front: Wsgi, port: int = 0) -> None:
        self._cloud, self._stopping = cloud, False
        self.broken = False
        self._api = _listen(ApiApp(cloud), port, threads=48)
        self._front = _listen(front, 0, threads=96)
        cloud.endpoint = f"http://127.0.0.1:{self._api.effective_port}"
        cloud.front = f"http://127.0.0.1:{self._front.effective_port}"

    def start(self, on_break: Callable[[], object] = lambda: None) -> None:
        """Answer requests in threads of our own, then let the world begin to work.

        `on_break` is called when a server ends although nobody stopped it; `broken` is set then.
        """
        for server in (self._api, self._front):
            threading.Thread(target=self._serve, args=(server, on_break), daemon=True).start()
        self._cloud.start()

    def _serve(self, server: Any, on_break: Callable[[], object]) -> None:
        try:
            server.run()
        except Exception:
            # Its sockets are closed under it: that is how it ends.
            if not self._stopping:
                self.broken = True
                on_break()
                raise

    def stop(self) -> None:
        """Stop the world, then answering."""
        self._stopping = True
        self._cloud.stop()
        self._api.close()
        self._front.close()


def _listen(app: Wsgi, port: int, threads: int) -> Any:
    return waitress.server.create_server(
        app,
        host="127.0.0.1",
        port=port,
        threads=threads,
        ident="localcloud",
        connection_limit=1000,
        asyncore_use_poll=True,  # select() breaks at the 1,024th open file of the process
        max_request_body_size=64 << 30,
        channel_request_lookahead=0,
        # Objects come and go in chunks of megabytes: few large reads, and none by way of a temporary file.
        recv_bytes=256 * 1024,
        inbuf_overflow=32 << 20,
        outbuf_overflow=32 << 20,
    )
