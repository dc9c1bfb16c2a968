"""Open the parts of files, in the same way for disk, Cloud Storage and memory.

- Every part has its place (dataset, path, number, count) as associated data, and what is opened must also
  have the sizes and digests that order or manifest state. A refusal names the file and the part, what was
  found there (another part, if it is one) and what was expected.
- A transfer that breaks starts its part again; a file that was left half opened goes on at its first part
  that is not whole. A part that is wrong is never tried again.
"""

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from io import SEEK_END
from typing import IO, NoReturn, Protocol

from sealtrain.rules.errors import NotFoundError
from sealtrain.rules.sealed import Part, SealedFile
from sealtrain.sealing.errors import NotOpenedError, SealingError
from sealtrain.sealing.key import DataKey
from sealtrain.sealing.lanes import PIECE_BYTES
from sealtrain.sealing.stream import Reader, Writer, associated_data, open_

_ATTEMPTS = 4
_REMEDY = "fetch it again; if it stays so, somebody changed it: seal the dataset again"


class SealedFiles(Protocol):
    """What order and manifest have in common: the id that parts are bound to, and the files."""

    @property
    def id(self) -> str:
        """The `dataset` of the parts' associated data."""
        ...

    @property
    def files(self) -> tuple[SealedFile, ...]:
        """The files with their parts."""
        ...


Fetch = Callable[[Part], AbstractContextManager[Reader]]


def open_part(
    reader: Reader, writer: Writer, key: DataKey, dataset: SealedFiles, file: SealedFile, number: int
) -> None:
    """Open one part of `file`, read until the reader's end.

    Raises SealingError naming it; then throw away what was written. What reader or writer raise passes.
    """
    place = associated_data(dataset.id, file.path, number, len(file.parts))
    part = file.parts[number]
    try:
        found = open_(reader, writer, key, place)
    except NotOpenedError as error:
        _refuse(dataset, file, number, error.sealed_size, error.sealed_sha256, error)
    if (found.sealed_size, found.sealed_sha256) != (part.sealed_size, part.sealed_sha256):
        _refuse(dataset, file, number, found.sealed_size, found.sealed_sha256, None)
    if (found.size, found.sha256) != (part.size, part.sha256):
        raise _error(
            file, number, f"{found.size} bytes, {found.sha256}", f"{part.size} bytes, {part.sha256}"
        )


def open_file(
    dataset: SealedFiles,
    file: SealedFile,
    fetch: Fetch,
    out: IO[bytes],
    key: DataKey,
    *,
    broken: tuple[type[Exception], ...] = (),
) -> None:
    """Open a whole file into `out` (readable, seekable), going on where an earlier opening was cut off.

    `fetch` gives a part's bytes, or raises NotFoundError; `broken` are the errors after which a transfer is
    worth another try. Raises SealingError naming file and part; then throw `out` away.
    """
    start, digest = _already_open(file, out)
    offset = sum(part.size for part in file.parts[:start])
    for number in range(start, len(file.parts)):
        digest = _open_again(dataset, file, number, fetch, out, key, offset, digest, broken)
        offset += file.parts[number].size
    out.truncate(offset)
    found = file.parts[0].sha256 if len(file.parts) == 1 else f"sha256:{digest.hexdigest()}"
    if found != file.sha256:
        raise SealingError(file.path, got=found, expected=file.sha256, remedy=_REMEDY)


def _open_again(
    dataset: SealedFiles,
    file: SealedFile,
    number: int,
    fetch: Fetch,
    out: IO[bytes],
    key: DataKey,
    offset: int,
    digest: "hashlib._Hash",
    broken: tuple[type[Exception], ...],
) -> "hashlib._Hash":
    """Open one part at its place in `out`, up to _ATTEMPTS times; give the file's digest so far."""
    for attempt in range(1, _ATTEMPTS + 1):
        out.seek(offset)
        out.truncate()
        hashed = _Hashed(out, digest.copy())
        # The only part of a file is the file: its digest is compared already.
        writer: Writer = hashed if len(file.parts) > 1 else out
        try:
            with fetch(file.parts[number]) as reader:
                open_part(reader, writer, key, dataset, file, number)
        except NotFoundError as error:
            expected = f"{file.parts[number].sealed_size} bytes, {file.parts[number].sealed_sha256}"
            raise _error(file, number, "no such object", expected) from error
        except broken:
            if attempt == _ATTEMPTS:
                raise
        else:
            return hashed.digest
    raise AssertionError("the last attempt returns or raises")


def _already_open(file: SealedFile, out: IO[bytes]) -> tuple[int, "hashlib._Hash"]:
    """How many parts stand whole in `out`, and the digest of them together."""
    whole = hashlib.sha256()
    size = out.seek(0, SEEK_END)
    out.seek(0)
    end = 0
    for number, part in enumerate(file.parts):
        end += part.size
        if end > size:
            return number, whole
        here, together = hashlib.sha256(), whole.copy()
        left = part.size
        while left > 0 and (chunk := out.read(min(PIECE_BYTES, left))):
            here.update(chunk)
            together.update(chunk)
            left -= len(chunk)
        if f"sha256:{here.hexdigest()}" != part.sha256:
            return number, whole
        whole = together
    # The end was not reached if an empty part is left to be opened.
    return (len(file.parts), whole) if file.size else (0, hashlib.sha256())


class _Hashed:
    """Passes bytes on and hashes them."""

    def __init__(self, writer: Writer, digest: "hashlib._Hash") -> None:
        self._writer = writer
        self.digest = digest

    def write(self, data: bytes, /) -> int | None:
        self.digest.update(data)
        return self._writer.write(data)


def _refuse(
    dataset: SealedFiles,
    file: SealedFile,
    number: int,
    size: int,
    sha256: str,
    cause: Exception | None,
) -> NoReturn:
    """Say which part was found in another's place, or that it is none of the dataset's."""
    part = file.parts[number]
    expected = f"{part.sealed_size} bytes, {part.sealed_sha256}"
    if (size, sha256) == (part.sealed_size, part.sealed_sha256):
        got = "the stated bytes, which were not sealed for this place with this key"
        raise _error(file, number, got, "what this dataset's key sealed for this place") from cause
    for other in dataset.files:
        for at, each in enumerate(other.parts):
            if each.sealed_sha256 == sha256:
                got = f"{_name(other, at)}"
                raise _error(file, number, got, expected) from cause
    raise _error(file, number, f"{size} bytes, {sha256}", expected) from cause


def _name(file: SealedFile, number: int) -> str:
    return f"part {number + 1} of {len(file.parts)} of {file.path} ({file.parts[number].object})"


def _error(file: SealedFile, number: int, got: str, expected: str) -> SealingError:
    return SealingError(_name(file, number), got=got, expected=expected, remedy=_REMEDY)
