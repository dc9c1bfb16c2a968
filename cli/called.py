"""How this command was called, so that what it prints can be pasted: `sealtrain` is not on every PATH.

Only for lines on this terminal. What goes to other people (bundle, report, a refusal in the inbox) says
`sealtrain`; where such a text is shown here, `pasteable` names the command as it is called here.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

NAME = "sealtrain"


def called() -> str:
    """`sealtrain` if the shell finds this program by that name, else its path, short if it is below here."""
    program = Path(sys.argv[0])
    if program.name != NAME or not program.exists():  # under a test, or `python -m cli.main`
        return NAME
    found = shutil.which(NAME)
    if found is not None and os.path.samefile(found, program):
        return NAME
    here = os.path.relpath(program)
    return shlex.quote(str(program.absolute()) if here.startswith("..") else here)


def pasteable(text: str) -> str:
    """A text that names commands as `sealtrain …` in backticks, each as it is called here."""
    named = f"`{NAME} "
    return text.replace(named, f"`{called()} ") if named in text else text
