"""docs/commands.md names what there is."""

from __future__ import annotations

from pathlib import Path

import typer.main

from cli.errors import EXIT_CODES
from cli.main import app

PAGE = (Path(__file__).parents[2] / "docs" / "commands.md").read_text()


def test_every_verb_and_every_option_is_on_the_page() -> None:
    """A list in two places is compared."""
    command = typer.main.get_command(app)
    verbs = command.commands  # type: ignore[attr-defined]
    missing = [verb for verb in verbs if f"| `{verb}" not in PAGE]
    for verb in verbs.values():
        for parameter in verb.params:
            if parameter.param_type_name == "option":
                missing += [
                    f"{verb.name} {opt}" for opt in parameter.opts if opt.startswith("--") and opt not in PAGE
                ]
    assert missing == []


def test_the_exit_codes_are_those_of_the_program() -> None:
    """Each code and its meaning."""
    for part in EXIT_CODES.replace("\n", " ").removeprefix("Exit codes: ").split(";"):
        code = part.split()[0]
        assert f" {code} " in PAGE.replace("\n", " ")
