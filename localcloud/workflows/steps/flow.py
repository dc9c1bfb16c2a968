"""Lists of steps, `switch`, `return`, `raise` and `next`."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import StackElement, WorkflowError, type_error
from ..evaluate import Evaluate, Slots
from ..host import StepEntry
from ..tree import Action, Condition, Raise, Return, Step, Steps, Switch
from ..values import encode_json, type_name
from .kinds import kind_of
from .signals import Run, Signal, jump, returning
from .site import Site

CompileAction = Callable[[Action, Site], Run]
_CANCELLATION_EVERY = 256


def compile_steps(steps: Steps, site: Site, compile_action: CompileAction) -> Run:
    """The code of a list of steps: one after another, until one gives a signal for somewhere else."""
    block = object()
    inside = site.labelled({step.name: jump(block, at) for at, step in enumerate(steps.steps)})
    runs = [_step(step, inside, compile_action) for step in steps.steps]
    places = [StackElement(site.routine, s.name, s.line, s.column) for s in steps.steps]
    kinds = [kind_of(step, site.names.routines) for step in steps.steps]
    recorded = [_recording(run, at, kind) for run, at, kind in zip(runs, places, kinds, strict=True)]
    length = len(runs)

    def run(frame: Slots) -> Signal | None:
        strand = frame[1]
        execution = strand.execution
        codes = recorded if execution.host.records_steps else runs
        count, limit = execution.count_step, execution.limits.steps
        index = 0
        while index < length:
            try:
                number = count()
                if number > limit:
                    raise strand.step_limit_met()
                if not number % _CANCELLATION_EVERY:
                    execution.host.check_cancelled()
                signal = codes[index](frame)
            except WorkflowError as error:
                error.place(places[index])
                raise
            if signal is None:
                index += 1
            elif signal.block is block:
                index = signal.index
            else:
                return signal
        return None

    return run


def _recording(run: Run, at: StackElement, kind: str) -> Run:
    """The step's code with its entries in the history."""

    def run_recorded(frame: Slots) -> Signal | None:
        strand = frame[1]
        host = strand.execution.host
        entry = StepEntry(strand.next_passing(), at.routine, at.step, kind, at.line)
        host.step_started(entry)
        try:
            signal = run(frame)
        except WorkflowError as error:
            host.step_ended(entry, error.value)
            raise
        host.step_ended(entry, None)
        return signal

    return run_recorded


def _step(step: Step, site: Site, compile_action: CompileAction) -> Run:
    following = None if step.next is None else site.signal(step.next)
    if step.action is None:
        return lambda _: following
    act = compile_action(step.action, site)
    return act if following is None else _then(act, following)


def _then(act: Run, following: Signal | None) -> Run:
    def run(frame: Slots) -> Signal | None:
        signal = act(frame)
        return following if signal is None else signal

    return run


def compile_switch(action: Switch, site: Site, compile_action: CompileAction) -> Run:
    """The code of a switch: the first condition that holds decides; none does nothing."""
    entries = [_condition(condition, site, compile_action) for condition in action.conditions]

    def run(frame: Slots) -> Signal | None:
        for when, act in entries:
            holds = when(frame)
            if type(holds) is not bool:
                raise type_error(f"a condition must be a boolean, got a {type_name(holds)}")
            if holds:
                return act(frame)
        return None

    return run


def _condition(condition: Condition, site: Site, compile_action: CompileAction) -> tuple[Evaluate, Run]:
    following = None if condition.next is None else site.signal(condition.next)
    if condition.body is None:
        return site.value(condition.when), lambda _: following
    return site.value(condition.when), _then(compile_action(condition.body, site), following)


def compile_return(action: Return, site: Site) -> Run:
    """The code of a return."""
    value = site.value(action.value)
    return lambda frame: returning(value(frame))


def compile_raise(action: Raise, site: Site) -> Run:
    """The code of a raise, which takes any value that an execution's error can show."""
    value = site.value(action.value)

    def run(frame: Slots) -> Signal | None:
        raised = value(frame)
        encode_json(raised)
        raise WorkflowError(raised)

    return run
