"""`python -m cli.package -o build/functions.zip`: the archive that the functions are deployed from.

- The same sources give the same bytes anywhere: sorted names, one fixed time and mode, no extra fields.
- In it: what `functions/` holds (main.py at its root) and the pinned `requirements.txt` beside it.
- Not in it: bytecode, caches, hidden files, editor leftovers. A link is refused: packers differ about links.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

from cli.errors import CommandError

ROOT = Path(__file__).resolve().parent.parent
_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest a zip can say
_MODE = 0o100644 << 16
_UNIX = 3


def archive(root: Path = ROOT) -> bytes:
    """The archive's bytes. Raises CommandError when a part is missing or cannot go in."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as bundle:
        for name, file in sorted(_members(root)):
            entry = zipfile.ZipInfo(name, _TIME)
            entry.create_system, entry.external_attr = _UNIX, _MODE
            # Stored, not deflated: the bytes then depend on no version of zlib.
            bundle.writestr(entry, file.read_bytes(), zipfile.ZIP_STORED)
    return target.getvalue()


def object_name(data: bytes) -> str:
    """Where the archive lies: its name holds its hash, so a changed source is another object."""
    return f"functions-{hashlib.sha256(data).hexdigest()[:20]}.zip"


def _members(root: Path) -> Iterator[tuple[str, Path]]:
    source, pinned = root / "functions", root / "requirements.txt"
    for needed in (source / "main.py", pinned):
        if not needed.is_file():
            raise CommandError(
                "the functions' archive cannot be built",
                field=str(needed.relative_to(root)),
                got="no such file",
                remedy="run this from a complete checkout",
            )
    yield "requirements.txt", pinned
    for file in source.rglob("*"):
        parts = file.relative_to(source).parts
        if any(part.startswith(".") or part == "__pycache__" for part in parts):
            continue
        if file.is_symlink():
            raise CommandError(
                "a link cannot go into the archive", field=str(file), remedy="use a plain file"
            )
        if file.is_file() and file.suffix != ".pyc" and not file.name.endswith("~"):
            yield "/".join(parts), file


def main() -> None:
    """Write the archive and print its digest."""
    parser = argparse.ArgumentParser(prog="python -m cli.package", description=__doc__.split("\n")[0])
    parser.add_argument("-o", "--output", type=Path, required=True, help="the zip file to write")
    target: Path = parser.parse_args().output
    data = archive()
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    print(f"sha256:{hashlib.sha256(data).hexdigest()}  {target}")


if __name__ == "__main__":
    main()
