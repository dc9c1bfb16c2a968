"""The actions that hold steps of their own: for, parallel, try.

Rules: `for` has value, steps and either in or range; `parallel` has either for or 2 to 10 branches;
its only exception policy is continueAll; `retry` is a ready policy or predicate, max_retries and
backoff.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from . import limits
from .source import Node
from .syntax import Const, Expr, ListOf
from .tree import Action, Body, Branch, Except, Loop, Parallel, Retry, Steps, Try

if TYPE_CHECKING:
    from .shape_actions import Deed

_DELAYS = frozenset({"initial_delay", "max_delay", "multiplier"})


class BlockShaper:
    """Reads the actions that hold steps; the simple ones stand in `ActionShaper`."""

    @abstractmethod
    def refuse(self, line: int, rule: str, message: str) -> None:
        """Note a refusal."""

    @abstractmethod
    def value(self, node: Node) -> Expr:
        """A value as an expression."""

    @abstractmethod
    def steps(self, node: Node, must_have: bool = True) -> Steps:
        """A list of steps."""

    @abstractmethod
    def is_variable(self, name: object, line: int) -> bool:
        """Whether the name may name a variable."""

    @abstractmethod
    def deed(
        self, what: str, node: Node, content: dict[str, Node], also: frozenset[str] = frozenset()
    ) -> Deed:
        """The one action among the keys."""

    def block(self, kind: str, content: dict[str, Node]) -> Action | None:
        """A for, parallel or try."""
        subject = content[kind]
        if kind == "try":
            return self._try(subject.line, content)
        if not isinstance(subject.content, dict):
            self.refuse(subject.line, f"{kind}-form", f"{kind} must be a map")
            return None
        if kind == "for":
            return self._loop(subject, subject.content)
        return self._parallel(subject, subject.content)

    def body(self, what: str, node: Node) -> Body:
        """A list of steps, or a map with one action."""
        if isinstance(node.content, list):
            return self.steps(node)
        if isinstance(node.content, dict):
            deed = self.deed(what, node, node.content)
            if deed.next is not None:
                self.refuse(deed.next.line, "next-form", f"{what} cannot have next; its step can")
            if deed.action is not None:
                return deed.action
        self.refuse(node.line, "body-form", f"{what} must hold steps or one action")
        return Steps(node.line, [])

    def _only(self, what: str, node: Node, content: dict[str, Node], *keys: str) -> None:
        for key in content.keys() - set(keys):
            message = f'{what} has the key "{key}"; it may have {", ".join(keys)}'
            self.refuse(node.key_lines[key], "unknown-key", message)

    def _loop(self, node: Node, content: dict[str, Node]) -> Loop | None:
        self._only("for", node, content, "value", "index", "in", "range", "steps")
        if ("in" in content) == ("range" in content) or "steps" not in content:
            self.refuse(node.line, "for-form", "for must have steps and either in or range")
            return None
        names: list[str | None] = []
        for key in ("value", "index"):
            name = content[key].content if key in content else None
            valid = key in content and self.is_variable(name, node.key_lines[key])
            names.append(name if valid and isinstance(name, str) else None)
        if "value" not in content:
            self.refuse(node.line, "for-form", 'for must have "value", the name of its variable')
        if names[0] is not None and names[0] == names[1]:
            self.refuse(node.line, "for-form", "value and index must differ")
        items = self.value(content["in"]) if "in" in content else None
        bounds = self._range(content["range"]) if "range" in content else None
        steps = self.steps(content["steps"])
        return Loop(node.line, names[0] or "_", names[1], items, bounds, steps)

    def _range(self, node: Node) -> Expr:
        bounds = self.value(node)
        length = 2
        if isinstance(bounds, ListOf):
            length = len(bounds.items)
        elif isinstance(bounds, Const):
            length = len(bounds.value) if isinstance(bounds.value, list) else 0
        if length != 2:
            self.refuse(node.line, "for-form", "range must be a list of two numbers: first and last")
        return bounds

    def _parallel(self, node: Node, content: dict[str, Node]) -> Parallel | None:
        self._only(
            "parallel", node, content,
            "shared", "concurrency_limit", "exception_policy", "branches", "for",
        )  # fmt: skip
        if ("branches" in content) == ("for" in content):
            self.refuse(node.line, "parallel-form", "parallel must have either branches or for")
            return None
        policy = content.get("exception_policy")
        if policy is not None and policy.content != "continueAll":
            self.refuse(
                policy.line,
                "exception-policy",
                f"the only exception policy is continueAll, got {policy.content!r}",
            )
        limit = content.get("concurrency_limit")
        loop = None
        if "for" in content:
            loop = self._parallel_loop(content["for"])
        return Parallel(
            node.line,
            self._shared(content["shared"]) if "shared" in content else [],
            self._concurrency(limit) if limit is not None else None,
            self._branches(content["branches"]) if "branches" in content else [],
            loop,
        )

    def _parallel_loop(self, node: Node) -> Loop | None:
        if isinstance(node.content, dict):
            return self._loop(node, node.content)
        self.refuse(node.line, "for-form", "for must be a map")
        return None

    def _concurrency(self, node: Node) -> Expr:
        limit = self.value(node)
        if isinstance(limit, Const) and (type(limit.value) is not int or limit.value < 1):
            self.refuse(
                node.line,
                "concurrency-limit",
                f"concurrency_limit must be a positive integer, got {limit.value!r}",
            )
        return limit

    def _shared(self, node: Node) -> list[str]:
        names: list[str] = []
        items = node.content if isinstance(node.content, list) else []
        if not isinstance(node.content, list):
            self.refuse(node.line, "shared-form", "shared must be a list of variables")
        for item in items:
            if self.is_variable(item.content, item.line) and isinstance(item.content, str):
                if item.content in names:
                    self.refuse(item.line, "shared-form", f'"{item.content}" stands twice')
                names.append(item.content)
        return names

    def _branches(self, node: Node) -> list[Branch]:
        items = node.content if isinstance(node.content, list) else []
        if not 2 <= len(items) <= limits.BRANCHES_PER_PARALLEL:
            self.refuse(
                node.line,
                "branches-count",
                f"parallel has {len(items)} branches, 2 to {limits.BRANCHES_PER_PARALLEL} are allowed",
            )
        branches: list[Branch] = []
        for item in items:
            if not isinstance(item.content, dict) or len(item.content) != 1:
                self.refuse(item.line, "branch-form", "a branch is a map of one name")
                continue
            ((name, body),) = item.content.items()
            if any(other.name == name for other in branches):
                self.refuse(item.line, "branch-form", f'the branch "{name}" stands twice')
            branches.append(Branch(name, item.line, self.body(f'the branch "{name}"', body)))
        return branches

    def _try(self, line: int, content: dict[str, Node]) -> Try:
        if "retry" not in content and "except" not in content:
            self.refuse(line, "try-form", "try must have retry or except")
        retry = self._retry(content["retry"]) if "retry" in content else None
        handler = self._except(content["except"]) if "except" in content else None
        return Try(self.body("try", content["try"]), retry, handler)

    def _retry(self, node: Node) -> Retry | None:
        if not isinstance(node.content, dict):
            return Retry(node.line, self.value(node), None, None, None, {})
        content = node.content
        self._only("retry", node, content, "predicate", "max_retries", "backoff")
        delays: dict[str, Expr] = {}
        ready = None
        backoff = content.get("backoff")
        if backoff is not None and isinstance(backoff.content, dict):
            self._only("backoff", backoff, backoff.content, *sorted(_DELAYS))
            delays = {key: self.value(item) for key, item in backoff.content.items() if key in _DELAYS}
        elif backoff is not None:
            ready = self.value(backoff)
        predicate, count = content.get("predicate"), content.get("max_retries")
        if predicate is None:
            self.refuse(node.line, "retry-form", "retry must have a predicate, or be a ready policy")
        return Retry(
            node.line,
            None,
            self.value(predicate) if predicate is not None else None,
            self.value(count) if count is not None else None,
            ready,
            delays,
        )

    def _except(self, node: Node) -> Except | None:
        if not isinstance(node.content, dict):
            self.refuse(node.line, "except-form", "except must be a map")
            return None
        content = dict(node.content)
        name = content.pop("as").content if "as" in content else None
        valid = name is not None and self.is_variable(name, node.key_lines["as"])
        body: Body = Steps(node.line, [])
        if content:
            body = self.body("except", Node(content, node.line, node.column, node.key_lines))
        return Except(node.line, name if valid and isinstance(name, str) else None, body)
