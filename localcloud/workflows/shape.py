"""Values of the source → program tree.

Rules: the top is a list of steps (then it is the main workflow) or a map of routines with one
`main`; a routine has `steps` and may have `params`; `main` takes at most one parameter; a step has
one name and one action. A key that means nothing is refused.
"""

from __future__ import annotations

from . import limits
from .errors import DeploymentError, Refusal
from .shape_actions import ActionShaper
from .source import Node, read
from .template import value_of
from .tree import Param, Routine, Source


def shape(text: str) -> tuple[Source, list[Refusal]]:
    """The tree of a source and what its form alone makes a deployment refuse."""
    root = read(text)
    refusals: list[Refusal] = []
    shaper = _SourceShaper(refusals)
    if isinstance(root.content, list):
        routines = {"main": Routine("main", root.line, [], shaper.actions.steps(root))}
    elif isinstance(root.content, dict):
        routines = shaper.routines(root, root.content)
    else:
        raise DeploymentError([Refusal(root.line, "source-form", "expected steps or routines")])
    return Source(routines), refusals


class _SourceShaper:
    def __init__(self, refusals: list[Refusal]) -> None:
        self._refusals = refusals
        self.actions = ActionShaper(refusals)

    def _refuse(self, line: int, rule: str, message: str) -> None:
        self._refusals.append(Refusal(line, rule, message))

    def routines(self, root: Node, content: dict[str, Node]) -> dict[str, Routine]:
        if "main" not in content:
            self._refuse(root.line, "main-missing", 'expected a routine named "main"')
        found = {}
        for name, node in content.items():
            if isinstance(node.content, dict):
                found[name] = self._routine(name, root.key_lines[name], node, node.content)
            else:
                self._refuse(node.line, "routine-form", f'"{name}" must be a map with "steps"')
        return found

    def _routine(self, name: str, line: int, node: Node, content: dict[str, Node]) -> Routine:
        for key in content.keys() - {"params", "steps"}:
            self._refuse(
                node.key_lines[key],
                "unknown-key",
                f'routine "{name}" has the key "{key}"; it may have params and steps',
            )
        if "steps" not in content:
            self._refuse(line, "routine-form", f'routine "{name}" has no steps')
        params = self._params(name, content["params"]) if "params" in content else []
        steps = self.actions.steps(content.get("steps", Node([], line, 1, {})), "steps" in content)
        return Routine(name, line, params, steps)

    def _params(self, routine: str, node: Node) -> list[Param]:
        if not isinstance(node.content, list):
            self._refuse(node.line, "params-form", "params must be a list")
            return []
        at_most = 1 if routine == "main" else limits.PARAMS_PER_SUBWORKFLOW
        if len(node.content) > at_most:
            self._refuse(
                node.line,
                "params-count",
                f'routine "{routine}" has {len(node.content)} params, at most {at_most} are allowed',
            )
        params: list[Param] = []
        for item in node.content:
            self._param(item, params)
        return params

    def _param(self, node: Node, params: list[Param]) -> None:
        content = node.content
        if isinstance(content, str):
            param = Param(content, node.line, None)
        elif isinstance(content, dict) and len(content) == 1:
            ((name, default),) = content.items()
            param = Param(name, node.line, value_of(default, self._refusals))
        else:
            self._refuse(node.line, "params-form", "a parameter is a name or `name: default`")
            return
        if not self.actions.is_variable(param.name, node.line):
            return
        if any(other.name == param.name for other in params):
            self._refuse(node.line, "params-form", f'the parameter "{param.name}" stands twice')
        params.append(param)
