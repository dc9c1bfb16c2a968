"""`try` with `retry` and `except`.

Rules: a failed try is repeated while the predicate says yes and retries are left, after a delay
that grows by the multiplier up to its maximum; then `except` takes over, with the raised value in
its variable; an exhausted resource is never caught.
Open, our choice: absent numbers are those of the default policy; an error in the predicate ends the
retries and is what `except` catches.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import WorkflowError, type_error, value_error
from ..evaluate import Evaluate, Slots, constant
from ..stdlib import FUNCTIONS
from ..stdlib.retry import DEFAULT_BACKOFF, DEFAULT_MAX_RETRIES, POLICIES
from ..syntax import dotted
from ..tree import Except, Retry, Try
from ..values import Value, is_number, type_name
from .flow import CompileAction
from .signals import Run, Signal
from .site import Site

Handle = Callable[[Slots, Value], Signal | None]


def compile_try(action: Try, site: Site, compile_action: CompileAction) -> Run:
    """The code of a try step."""
    body = compile_action(action.body, site)
    if action.retry is not None:
        body = _retried(body, _policy(action.retry, site))
    if action.handler is None:
        return body
    handle = _handler(action.handler, site, compile_action)

    def run(frame: Slots) -> Signal | None:
        try:
            return body(frame)
        except WorkflowError as error:
            if not error.catchable:
                raise
            raised = error.value
        return handle(frame, raised)

    return run


def _handler(handler: Except, site: Site, compile_action: CompileAction) -> Handle:
    body = compile_action(handler.body, site.inside(handler.scope))
    slots = handler.scope.slots
    own = tuple(slots.values())
    slot = None if handler.name is None else slots[handler.name]

    def handle(frame: Slots, raised: Value) -> Signal | None:
        for variable in own:
            frame[variable] = None
        if slot is not None:
            frame[slot] = raised
        return body(frame)

    return handle


@dataclass(frozen=True, slots=True)
class _Policy:
    """When and how often to try again; each number is evaluated at the first failure."""

    predicate: Callable[[Slots, Value], Value]
    max_retries: Evaluate
    delays: dict[str, Evaluate]

    def wants(self, frame: Slots, raised: Value) -> bool:
        """Whether the predicate asks for another try."""
        verdict = self.predicate(frame, raised)
        if type(verdict) is not bool:
            raise type_error(f"a predicate must give a boolean, got a {type_name(verdict)}")
        return verdict

    def retries(self, frame: Slots) -> int:
        """How many tries may follow the first."""
        retries = self.max_retries(frame)
        if type(retries) is not int:
            raise type_error(f"max_retries must be an integer, got a {type_name(retries)}")
        return retries

    def number(self, frame: Slots, name: str) -> float:
        """One of the three numbers of the backoff."""
        value = self.delays[name](frame)
        if not is_number(value):
            raise type_error(f"{name} must be a number, got a {type_name(value)}")
        if value < 0:
            raise value_error(f"{name} must not be negative, got {value}")
        return float(value)


def _retried(body: Run, policy: _Policy) -> Run:
    def run(frame: Slots) -> Signal | None:
        tries = 0
        delay = 0.0
        while True:
            try:
                return body(frame)
            except WorkflowError as error:
                if not error.catchable or tries >= policy.retries(frame):
                    raise
                if not policy.wants(frame, error.value):
                    raise
            grown = policy.number(frame, "initial_delay" if not tries else "multiplier")
            delay = min(grown if not tries else delay * grown, policy.number(frame, "max_delay"))
            frame[1].sleep(delay)
            tries += 1

    return run


def _policy(retry: Retry, site: Site) -> _Policy:
    delays = {key: constant(value) for key, value in DEFAULT_BACKOFF.items()}
    delays.update({key: site.value(expr) for key, expr in retry.delays.items()})
    count = constant(DEFAULT_MAX_RETRIES) if retry.max_retries is None else site.value(retry.max_retries)
    return _Policy(_predicate(_predicate_name(retry), site), count, delays)


def _predicate_name(retry: Retry) -> str:
    if retry.policy is not None:
        return POLICIES[dotted(retry.policy) or ""]
    assert retry.predicate is not None  # noqa: S101  # the shape has one or the other
    return dotted(retry.predicate) or ""


def _predicate(name: str, site: Site) -> Callable[[Slots, Value], Value]:
    if name in site.names.routines:
        routine = site.names.routines[name]
        return lambda frame, raised: routine.call(frame[1], [raised])
    function = FUNCTIONS[name]
    return lambda frame, raised: function.run(frame[1], [raised])
