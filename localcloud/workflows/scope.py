"""Which variable a name means, decided before anything runs.

Rules: a routine, the body of a `for`, an `except` clause and a parallel branch each open a scope; a
name is declared in the innermost scope that a write reaches unless a scope around it knows the name
already; across the edge of a parallel step a variable can be written only when that step shares it.
Each variable is a slot of a frame; a routine and a branch own a frame each, a loop or except clause
uses the frame around it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

# A frame is a list: the frame around it, the strand that runs in it, then the variables.
FIRST_SLOT = 2


@dataclass(frozen=True, slots=True)
class Binding:
    """Where a variable lives, seen from where it is used.

    `hops` counts the frames outwards, `shared` says that some parallel step between shares it (so other
    branches may write it), `writable` that every one of them does.
    """

    name: str
    hops: int
    slot: int
    shared: bool = False
    writable: bool = True


@dataclass(slots=True)
class Frame:
    """The layout of a frame: how many places its list needs."""

    size: int = FIRST_SLOT


@dataclass(slots=True)
class Scope:
    """The names one block declares."""

    outer: Scope | None = None
    frame: Frame = field(default_factory=Frame)
    # The variables a parallel step lets its branches write; None where no parallel edge lies.
    edge: frozenset[str] | None = None
    slots: dict[str, int] = field(default_factory=dict)

    def open_block(self, outer: Scope) -> None:
        """Place this scope inside another, in the same frame."""
        self.outer, self.frame = outer, outer.frame

    def open_branch(self, outer: Scope, shared: frozenset[str]) -> None:
        """Place this scope inside another, across the edge of a parallel step, with a frame of its own."""
        self.outer, self.frame, self.edge = outer, Frame(), shared

    def declare(self, name: str) -> None:
        """Give the name a slot here."""
        if name not in self.slots:
            self.slots[name] = self.frame.size
            self.frame.size += 1

    def lookup(self, name: str) -> Binding | None:
        """The variable the name means here, or None."""
        scope: Scope | None = self
        hops, shared, writable = 0, False, True
        while scope is not None:
            if name in scope.slots:
                return Binding(name, hops, scope.slots[name], shared, writable)
            if scope.edge is not None:
                hops += 1
                shared = shared or name in scope.edge
                writable = writable and name in scope.edge
            scope = scope.outer
        return None
