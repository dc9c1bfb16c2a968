"""The names that Google's step entries give to kinds of steps (`StepEntry.stepType` of the
executions API).
"""

from __future__ import annotations

from collections.abc import Container

from ..tree import Assign, CallStep, Loop, Parallel, Raise, Return, Step, Steps, Switch, Try

_KINDS: dict[type, str] = {
    Assign: "STEP_ASSIGN",
    Loop: "STEP_FOR",
    Parallel: "STEP_PARALLEL_BRANCH",
    Raise: "STEP_RAISE",
    Return: "STEP_RETURN",
    Steps: "STEP_STEPS",
    Switch: "STEP_SWITCH",
    Try: "STEP_TRY_RETRY_EXCEPT",
}


def kind_of(step: Step, routines: Container[str]) -> str:
    """The kind of a step."""
    action = step.action
    if action is None:
        return "STEP_GOTO"
    if isinstance(action, CallStep):
        local = action.function in routines
        return "STEP_SUBWORKFLOW_CALL" if local else "STEP_STD_LIB_CALL"
    if isinstance(action, Parallel) and action.loop is not None:
        return "STEP_PARALLEL_FOR"
    return _KINDS[type(action)]
