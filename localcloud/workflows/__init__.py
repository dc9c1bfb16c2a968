"""Google Cloud's Workflows language, run on one machine.

`compile_source` checks a source as a deployment would and compiles it; `run` executes the program
against a `Host` (everything outside) and a `Journal` (what has happened, so that a restart goes
on). The rules of the language and their sources stand in SEMANTICS.md.
"""

from __future__ import annotations

from .engine import Program, compile_source, run
from .errors import DeploymentError, ExecutionError, Refusal, StackElement
from .host import (
    Auth,
    Cancelled,
    ConnectionBroken,
    ConnectionRefused,
    CredentialsMissing,
    Host,
    HttpFailure,
    HttpRequest,
    HttpResponse,
    RequestTimedOut,
    StepEntry,
)
from .journal import Journal, JournalMismatchError, MemoryJournal
from .limits import Limits

__all__ = [
    "Auth",
    "Cancelled",
    "ConnectionBroken",
    "ConnectionRefused",
    "CredentialsMissing",
    "DeploymentError",
    "ExecutionError",
    "Host",
    "HttpFailure",
    "HttpRequest",
    "HttpResponse",
    "Journal",
    "JournalMismatchError",
    "Limits",
    "MemoryJournal",
    "Program",
    "Refusal",
    "RequestTimedOut",
    "StackElement",
    "StepEntry",
    "compile_source",
    "run",
]
