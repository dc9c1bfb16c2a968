"""The control door (`/_control/…`): what a test or the person at the keyboard may ask of the stand-in itself.

- What there is to ask stands in `ACTIONS`, what a fault can be in world.faults; docs/stand-in.md lists both.
- A caller with a token (a function, a machine) is refused: no workload may move the clock. So is a script of
  a web page: a browser tells its origin.
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from localcloud.doors import DOORS, Answer, Json
from localcloud.doors.attestation_keys import attestation_keys
from localcloud.doors.console import console
from localcloud.doors.errors import ApiError, invalid
from localcloud.doors.planted import BOOT, GRANT
from localcloud.doors.reset import reset as reset_world
from localcloud.server import read_body, special
from localcloud.world.cloud import Cloud
from localcloud.world.faults import Fault
from localcloud.world.inventory import inventory

if TYPE_CHECKING:
    from localcloud.server import Environ


class Place(NamedTuple):
    """A place without a door of its own where a fault can be met, and the answers that it can meet."""

    told: str
    takes: Callable[[Any], bool]


class Action(NamedTuple):
    """What is done about a request; `body`: what a request may hold, as an example."""

    do: Callable[[Cloud, Json], Json | Answer]
    body: str

    @property
    def told(self) -> str:
        """What it does, in a sentence."""
        return str(self.do.__doc__)


PLACES = {
    BOOT: Place(
        "the zone has no room when a machine that was accepted starts: only `stockout`",
        lambda answer: answer == "stockout",
    ),
    GRANT: Place(
        "a flex-start request is not granted at its next look: only `stockout`",
        lambda answer: answer == "stockout",
    ),
    "sts.token": Place(
        "the exchange of an attestation token for an access token: only a status",
        lambda answer: isinstance(answer, int),
    ),
}
ACTIONS: dict[tuple[str, str], Action] = {}
Doing = TypeVar("Doing", bound=Callable[[Cloud, Json], Json | Answer])


@special("/_control/")
def control(cloud: Cloud, environ: Environ) -> Answer | Json:
    """Dispatch by verb and word."""
    if environ.get("HTTP_AUTHORIZATION"):
        raise ApiError(403, "The control door is for the person at the keyboard: send no token.")
    if environ.get("HTTP_ORIGIN"):
        raise ApiError(403, f"The control door is not for web pages, got Origin {environ['HTTP_ORIGIN']}.")
    key = (environ["REQUEST_METHOD"], environ["PATH_INFO"].removeprefix("/_control/"))
    action = ACTIONS.get(key)
    if action is None:
        known = ", ".join(f"{verb} {word}" for verb, word in sorted(ACTIONS))
        raise ApiError(404, f"got {key[0]} {key[1]}, expected one of: {known}")
    body = read_body(environ) if key[0] == "POST" else {}
    if not isinstance(body, dict):
        raise invalid(f"body: got {type(body).__name__}, expected an object")
    return action.do(cloud, body)


def _action(verb: str, word: str, body: str = "") -> Callable[[Doing], Doing]:
    def register(function: Doing) -> Doing:
        ACTIONS[verb, word] = Action(function, body)
        return function

    return register


@_action("GET", "health")
def health(cloud: Cloud, _: Json) -> Json:
    """Where everything answers."""
    return {"status": "ok", "endpoint": cloud.endpoint, "front": cloud.front, "project": cloud.project}


@_action("GET", "console")
def page(cloud: Cloud, _: Json) -> Answer:
    """The project at a glance, as a page for a browser."""
    return console(cloud)


@_action("GET", "inventory")
def resources(cloud: Cloud, _: Json) -> Json:
    """Every live resource, its labels, and whether it bills."""
    return {"resources": inventory(cloud)}


@_action("GET", "calls")
def calls(cloud: Cloud, _: Json) -> Json:
    """The API calls so far with their callers, oldest first."""
    return {"calls": cloud.calls.report()}


@_action("GET", "grants")
def grants(cloud: Cloud, _: Json) -> Json:
    """The bindings that were used since the start, each with the permissions that it gave."""
    return {"grants": cloud.iam.used()}


@_action("POST", "reset")
def reset(cloud: Cloud, _: Json) -> Json:
    """End every process and forget everything but the keys."""
    reset_world(cloud)
    return {}


@_action("GET", "clock")
def clock(cloud: Cloud, _: Json) -> Json:
    """What time it is here."""
    return {
        "now": cloud.clock.now(),
        "time": cloud.clock.timestamp(),
        "frozen": cloud.clock.frozen,
        "leaps": cloud.clock.leaps,
    }


@_action("POST", "clock", '{"advance": 3600, "freeze": true, "leap": false}')
def move_clock(cloud: Cloud, body: Json) -> Json:
    """Advance it, stop it or let it run, let it leap over time that nothing real fills."""
    seconds = body.get("advance", 0)
    if not _is_time(seconds):
        raise invalid(f"advance: got {seconds!r}, expected seconds, 0 or more")
    switches = {word: body[word] for word in ("freeze", "leap") if word in body}
    if not body or set(body) - {"advance", *switches}:
        raise invalid(f"body: got {sorted(body)}, expected some of advance, freeze, leap")
    for word, value in switches.items():
        if not isinstance(value, bool):
            raise invalid(f"{word}: got {value!r}, expected true or false")
    if switches.get("freeze"):
        cloud.clock.freeze()
    cloud.clock.advance(seconds)
    if switches.get("freeze") is False:
        cloud.clock.thaw()
    if "leap" in switches:
        cloud.clock.leap(switches["leap"])
    return clock(cloud, {})


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


@_action("GET", "weather")
def weather(cloud: Cloud, _: Json) -> Json:
    """How long things take and how often they go wrong, and what it is drawn from."""
    return {"name": cloud.weather.name, "seed": cloud.weather.seed, "exactly": cloud.weather.exactly}


@_action("POST", "weather", '{"name": "harsh", "seed": 7, "exactly": {"boot": 90}}')
def change_weather(cloud: Cloud, body: Json) -> Json:
    """Another weather from now on; in all but the plain gentle one the clock leaps."""
    name, seed, exactly = body.get("name"), body.get("seed", 0), body.get("exactly", {})
    good = isinstance(name, str) and type(seed) is int and isinstance(exactly, dict)
    if not good or set(body) - {"name", "seed", "exactly"} or not all(map(_is_time, exactly.values())):
        raise invalid(f"body: got {body}, expected name (text), seed (whole), exactly (seconds by kind)")
    try:
        cloud.weather.change(str(name), seed, exactly)
    except ValueError as error:
        raise invalid(str(error)) from error
    return weather(cloud, {})


@_action("GET", "faults")
def faults(cloud: Cloud, _: Json) -> Json:
    """What was planted, and how often it was met."""
    return {"faults": cloud.faults.report()}


@_action("POST", "faults", '{"api": "…", "answer": 503, "times": 2, "match": {"zone": "us-central1-a"}}')
def plant(cloud: Cloud, body: Json) -> Json:
    """Plant one fault; the answer tells how often each was met."""
    if set(body) - {"api", "answer", "times", "match"}:
        raise invalid(f"body: got {sorted(body)}, expected api, answer and, at will, times, match")
    api: Any = body.get("api")
    answer: Any = body.get("answer")
    if not isinstance(api, str) or api not in {*DOORS, *PLACES}:
        raise invalid(
            f"api: got {api!r}, expected the id of a method that is served{_such_as(api)} "
            f"(docs/stand-in.md lists them), or one of {sorted(PLACES)}"
        )
    if api in PLACES and not PLACES[api].takes(answer):
        raise invalid(f"answer: got {answer!r}, expected what can be met at {api}: {PLACES[api].told}")
    try:
        cloud.faults.plant(Fault(api, answer, body.get("times", 1), body.get("match", {})))
    except ValueError as error:
        raise invalid(str(error)) from error
    return faults(cloud, {})


def _such_as(api: object) -> str:
    """Those of the served ids that end in the most words of its end, the nearest first."""
    words = str(api).split(".")
    for start in range(len(words)):
        end = "." + ".".join(words[start:])
        alike = [one for one in DOORS if f".{one}".endswith(end)]
        if alike:
            return f", such as {', '.join(get_close_matches(str(api), alike, 3, cutoff=0))}"
    return ""


@_action("DELETE", "faults")
def clear(cloud: Cloud, _: Json) -> Json:
    """Forget all faults."""
    cloud.faults.clear()
    return faults(cloud, {})


@_action("GET", "attestation-root")
def attestation_root(cloud: Cloud, _: Json) -> Answer:
    """The certificate to which PKI attestation tokens lead (PEM)."""
    pem = attestation_keys(cloud).root_pem.encode()
    return Answer(headers={"Content-Type": "application/x-pem-file"}, content=pem)
