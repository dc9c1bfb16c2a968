"""The language on the command line.

    python -m localcloud.workflows run FILE [--data JSON] [--env JSON]
    python -m localcloud.workflows check FILE...

`run` prints the result as JSON and exits 0; a failed execution prints {"error": …} on standard
error and exits 1. A file that a deployment would refuse: each reason with its line, and exit 2.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import DeploymentError, ExecutionError, MemoryJournal, Program, compile_source, limits, run
from .errors import WorkflowError
from .local_host import LocalHost
from .values import decode_json, encode_json

_FAILED, _REFUSED = 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m localcloud.workflows", description="Google Cloud Workflows on one machine."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    run_parser = commands.add_parser("run", help="run a workflow and print its result")
    run_parser.add_argument("file", type=Path)
    run_parser.add_argument("--data", type=_json, default=None, help="the argument, as JSON")
    run_parser.add_argument("--env", type=_environment, default={}, help="variables, as JSON")
    check_parser = commands.add_parser("check", help="say what a deployment would refuse")
    check_parser.add_argument("files", type=Path, nargs="+")
    given = parser.parse_args(arguments)
    if given.command == "check":
        return _check(given.files)
    return _run(given.file, given.data, given.env)


def _json(text: str) -> Any:
    if len(text.encode("utf-8", "surrogateescape")) > limits.ARGUMENT_BYTES:
        raise argparse.ArgumentTypeError(f"exceeds {limits.ARGUMENT_BYTES} bytes")
    try:
        return decode_json(text)
    except WorkflowError as error:
        raise argparse.ArgumentTypeError(error.value["message"]) from None


def _environment(text: str) -> dict[str, str]:
    value = _json(text)
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError("must be a JSON map")
    return {name: str(item) for name, item in value.items()}


def _check(files: Sequence[Path]) -> int:
    status = 0
    for file in files:
        if _compiled(file) is None:
            status = _REFUSED
        else:
            sys.stdout.write(f"{file}: ok\n")
    return status


def _run(file: Path, data: Any, env: dict[str, str]) -> int:
    program = _compiled(file)
    if program is None:
        return _REFUSED
    try:
        value = run(program, data, LocalHost(file.name.split(".")[0], env), MemoryJournal())
    except ExecutionError as error:
        sys.stderr.write(json.dumps({"error": _shown(error)}, ensure_ascii=False) + "\n")
        return _FAILED
    sys.stdout.write(encode_json(value, "  ") + "\n")
    return 0


def _shown(error: ExecutionError) -> dict[str, Any]:
    """Google's shape, and beside it the raised value and the fields that errors mostly have."""
    shown = {**error.as_google(), "value": error.value}
    if isinstance(error.value, dict):
        fields = ("code", "message", "tags")
        shown.update({name: error.value[name] for name in fields if name in error.value})
    else:
        shown["message"] = error.value
    return shown


def _compiled(file: Path) -> Program | None:
    """The program of a file; None when it would not deploy, and why is told on standard error."""
    try:
        with file.open("rb") as source:
            octets = source.read(limits.SOURCE_BYTES + 1)
        # What is too long is refused as such, even where it was cut within a character.
        whole = len(octets) <= limits.SOURCE_BYTES
        return compile_source(octets.decode("utf-8", "strict" if whole else "replace"))
    except (OSError, UnicodeError) as error:
        sys.stderr.write(f"{file}: cannot be read: {error}\n")
    except DeploymentError as error:
        for refusal in error.refusals:
            sys.stderr.write(f"{file}:{refusal.line}: {refusal.rule}: {refusal.message}\n")
    return None


if __name__ == "__main__":
    sys.exit(main())
