"""What the command line refuses or reports, and the exit code of each.

- An error is one line of what and one line of what to do.
- Exit codes: 0 done, 1 the answer is no (a run that failed, a bundle that does not hold), 2 the input cannot
  be used, 3 the cloud or the stand-in cannot be reached or refuses, 4 out of time, 130 interrupted.
"""

from __future__ import annotations

import errno
from typing import Any

import msgspec
from sealtrain.rules.errors import SealtrainError

from cli.output import plain

EXIT_NO = 1
EXIT_INPUT = 2
EXIT_CLOUD = 3
EXIT_TIME = 4
EXIT_INTERRUPTED = 130

EXIT_CODES = """Exit codes: 0 done; 1 the answer is no (run failed, bundle does not hold); 2 the input
cannot be used; 3 the cloud cannot be reached or refuses; 4 out of time; 130 interrupted."""


class CommandError(SealtrainError):
    """The input of a command cannot be used."""

    default_code = "bad_input"
    exit_code = EXIT_INPUT


class PlaceError(CommandError):
    """No deployment is known, it cannot be reached, or it refuses."""

    default_code = "no_deployment"
    exit_code = EXIT_CLOUD


class CloudError(PlaceError):
    """Google's API (or the stand-in) answered with an error; `status` is the HTTP status."""

    default_code = "api_error"

    def __init__(self, message: str, *, status: int, **more: Any) -> None:
        super().__init__(message, **more)
        self.status = status


class TimeoutReachedError(CommandError):
    """Something did not happen within its time."""

    default_code = "timeout"
    exit_code = EXIT_TIME


def of_system(error: OSError) -> CommandError:
    """An error of this machine (no space, no right to write), in our words."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return CommandError(
        "the disk is full" if full else "this machine refuses",
        code="disk_full" if full else "system_error",
        field=str(error.filename) if error.filename else None,
        got=error.strerror or str(error),
        remedy="free some space, then try again" if full else "check the folder and your rights in it",
    )


def exit_code(error: SealtrainError) -> int:
    """The exit code of an error; errors of the rules are about the input."""
    return int(getattr(error, "exit_code", EXIT_INPUT))


def as_json(error: SealtrainError) -> dict[str, Any]:
    """`{"error": {…}}` without the members that say nothing."""
    body = msgspec.to_builtins(error.body)
    return {"error": {key: value for key, value in body.items() if value is not None}}


def as_lines(error: SealtrainError) -> list[str]:
    """One line of what, and one of what to do where there is something to do."""
    body = error.body
    details = [
        f"{label} {value}"
        for label, value in (("field", body.field), ("got", body.got), ("expected", body.expected))
        if value is not None
    ]
    what = "sealtrain: " + body.message + (f" ({'; '.join(details)})" if details else "")
    return [_one_line(what), _one_line(f"  do: {body.remedy}")] if body.remedy else [_one_line(what)]


def _one_line(text: str) -> str:
    return plain(text.replace("\n", " "))
