"""Steps and their actions: values of the source → program tree.

Rules: a step has exactly one of assign, call, for, parallel, raise, return, steps, switch, try (or
only `next`), and beside it only the keys that belong to it; at most 50 assignments a step and 50
conditions a switch; end, break and continue name no step.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from . import limits
from .errors import Refusal
from .lexer import RESERVED
from .shape_blocks import BlockShaper
from .source import Node
from .syntax import Const, Expr, Index, Member, Name
from .template import parsed, value_of
from .tree import (
    Action,
    Assign,
    Assignment,
    CallStep,
    Condition,
    Next,
    Raise,
    Return,
    Step,
    Steps,
    Switch,
)

BESIDE: dict[str, frozenset[str]] = {
    "assign": frozenset(),
    "call": frozenset({"args", "result"}),
    "for": frozenset(),
    "parallel": frozenset(),
    "raise": frozenset(),
    "return": frozenset(),
    "steps": frozenset(),
    "switch": frozenset(),
    "try": frozenset({"retry", "except"}),
}
JUMPS = frozenset({"end", "break", "continue"})
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Deed(NamedTuple):
    """What a step, a condition or a body does, and where it goes on."""

    action: Action | None
    next: Next | None


class ActionShaper(BlockShaper):
    """Reads steps; everything refused goes to one list, and reading goes on."""

    def __init__(self, refusals: list[Refusal]) -> None:
        self.refusals = refusals

    def refuse(self, line: int, rule: str, message: str) -> None:
        self.refusals.append(Refusal(line, rule, message))

    def value(self, node: Node) -> Expr:
        return value_of(node, self.refusals)

    def is_variable(self, name: object, line: int) -> bool:
        """Whether the name may name a variable; if not, it is refused."""
        if isinstance(name, str) and _VARIABLE.fullmatch(name) and name not in RESERVED:
            return True
        self.refuse(
            line,
            "variable-name",
            f"{name!r} cannot name a variable: letters, digits and _, no digit first, no reserved word",
        )
        return False

    def steps(self, node: Node, must_have: bool = True) -> Steps:
        """A list of steps, each a map of one name."""
        if not isinstance(node.content, list) or (must_have and not node.content):
            self.refuse(node.line, "steps-form", "steps must be a list of at least one step")
            return Steps(node.line, [])
        found: list[Step] = []
        for item in node.content:
            if not isinstance(item.content, dict) or len(item.content) != 1:
                self.refuse(item.line, "step-form", "a step is a map of one name")
                continue
            ((name, body),) = item.content.items()
            if name in JUMPS:
                self.refuse(item.line, "step-name", f'"{name}" is reserved and names no step')
            found.append(self._step(name, item, body))
        return Steps(node.line, found)

    def _step(self, name: str, item: Node, body: Node) -> Step:
        if not isinstance(body.content, dict):
            self.refuse(body.line, "step-form", f'the step "{name}" must be a map')
            return Step(name, item.line, item.column, None, None)
        deed = self.deed(f'the step "{name}"', body, body.content)
        if deed.action is None and deed.next is None:
            self.refuse(body.line, "step-form", f'the step "{name}" does nothing')
        return Step(name, item.line, item.column, deed.action, deed.next)

    def deed(
        self, what: str, node: Node, content: dict[str, Node], also: frozenset[str] = frozenset()
    ) -> Deed:
        """The one action among the keys; `also` names keys the caller reads itself."""
        kinds = [key for key in content if key in BESIDE]
        allowed = also | {"next"} | frozenset(kinds[:1])
        if kinds:
            allowed |= BESIDE[kinds[0]]
        for key in content.keys() - allowed:
            rule = "step-actions" if key in BESIDE else "unknown-key"
            beside = f'beside "{kinds[0]}"' if kinds else "without an action"
            self.refuse(node.key_lines[key], rule, f'{what} has the key "{key}" {beside}')
        following = self._next(content["next"]) if "next" in content else None
        action = self._action(kinds[0], content) if kinds else None
        return Deed(action, following)

    def _next(self, node: Node) -> Next | None:
        if isinstance(node.content, str):
            return Next(node.line, node.content)
        self.refuse(node.line, "next-form", "next must name a step")
        return None

    def _action(  # noqa: PLR0911  # one arm per action
        self, kind: str, content: dict[str, Node]
    ) -> Action | None:
        subject = content[kind]
        match kind:
            case "assign":
                return self._assign(subject)
            case "call":
                return self._call(subject, content)
            case "switch":
                return self._switch(subject)
            case "raise":
                return Raise(subject.line, self.value(subject))
            case "return":
                return Return(subject.line, self.value(subject))
            case "steps":
                return self.steps(subject)
            case _:
                return self.block(kind, content)

    def _assign(self, node: Node) -> Assign:
        assignments: list[Assignment] = []
        items = node.content if isinstance(node.content, list) else []
        if not items:
            self.refuse(node.line, "assign-form", "assign must be a list of assignments")
        if len(items) > limits.ASSIGNMENTS_PER_STEP:
            self.refuse(
                node.line,
                "assign-count",
                f"{len(items)} assignments in a step, at most {limits.ASSIGNMENTS_PER_STEP}",
            )
        for item in items:
            if not isinstance(item.content, dict) or len(item.content) != 1:
                self.refuse(item.line, "assign-form", "an assignment is a map of one variable")
                continue
            ((target, value),) = item.content.items()
            if (place := self._target(target, item.line)) is not None:
                assignments.append(Assignment(item.line, place, self.value(value)))
        return Assign(assignments)

    def _target(self, text: str, line: int) -> Expr | None:
        before = len(self.refusals)
        target = parsed(text, line, self.refusals)
        root = target
        while isinstance(root, Member | Index):
            root = root.owner
        if len(self.refusals) > before:
            return None
        if isinstance(root, Name):
            return target
        self.refuse(line, "assign-target", f"{text!r} is no variable, key or index to assign")
        return None

    def _call(self, node: Node, content: dict[str, Node]) -> CallStep | None:
        if not isinstance(node.content, str):
            self.refuse(node.line, "call-form", "call must name a function or subworkflow")
            return None
        args = content.get("args", Node(None, node.line, node.column, {}))
        if not isinstance(args.content, dict | list | None):
            self.refuse(args.line, "args-form", "args must be a map of names or a list in order")
        result = content.get("result")
        name = result.content if result is not None else None
        if result is not None and not self.is_variable(name, result.line):
            name = None
        return CallStep(
            node.line,
            node.content,
            self._args(args),
            args.key_lines,
            name if isinstance(name, str) else None,
        )

    def _args(self, node: Node) -> dict[str, Expr] | list[Expr]:
        if isinstance(node.content, list):
            return [self.value(item) for item in node.content]
        given = node.content if isinstance(node.content, dict) else {}
        return {key: self.value(item) for key, item in given.items()}

    def _switch(self, node: Node) -> Switch:
        items = node.content if isinstance(node.content, list) else []
        if not items:
            self.refuse(node.line, "switch-form", "switch must be a list of conditions")
        if len(items) > limits.CONDITIONS_PER_SWITCH:
            self.refuse(
                node.line,
                "switch-count",
                f"{len(items)} conditions in a switch, at most {limits.CONDITIONS_PER_SWITCH}",
            )
        return Switch([entry for item in items if (entry := self._condition(item)) is not None])

    def _condition(self, node: Node) -> Condition | None:
        if not isinstance(node.content, dict) or "condition" not in node.content:
            self.refuse(node.line, "switch-form", 'an entry of switch must have "condition"')
            return None
        when = self.value(node.content["condition"])
        if isinstance(when, Const) and not isinstance(when.value, bool):
            self.refuse(node.line, "switch-condition", "a condition is an expression or a boolean")
        deed = self.deed("the condition", node, node.content, frozenset({"condition"}))
        return Condition(node.line, when, deed.action, deed.next)
