"""What may be a dataset: sizes, names, and for CSV the look of its first bytes.

- A CSV file is UTF-8 text with a header of at least two columns, and at least one row with as many
  fields as the header; judged from its first 64 KiB.
- The dataset fits a stated share of the machine's memory; no file is empty. A file that is to be sealed here
  is small enough to be hashed in one call of a function.
- What its owner sealed before upload is a folder with the manifest and exactly the parts that it names.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Callable, Iterable, Sequence

from sealtrain.rules.errors import RefusedError
from sealtrain.rules.job import Job, SourceObject
from sealtrain.rules.resources import ObjectInfo
from sealtrain.rules.sealed import SealedFile
from sealtrain.rules.shapes import DATASET_SHARE, Shape
from sealtrain.rules.table import Look, check_learnable, is_table
from sealtrain.rules.uploads import check_object_name

SNIFFED_BYTES = 64 * 1024
MOST_FILES = 4_000
MOST_NAMES_BYTES = 256 * 1024
"""With MOST_FILES, the bound on order and receipt, which list the files: records.RECORD_LIMIT_BYTES."""
LARGEST_FILE_BYTES = 32 * 1024**3
MANIFEST = "manifest.json"
_SEALED_BY = b'"sealed_by"'


def source_objects(found: Sequence[ObjectInfo], prefix: str | None) -> tuple[SourceObject, ...]:
    """The dataset's objects in order of name; `prefix` is None for a lone file.

    Raises RefusedError for a dataset without data, with an empty file, or with a bad name.
    """
    if not 0 < len(found) <= MOST_FILES:
        raise _refused(
            "dataset_missing" if not found else "dataset_too_large",
            "the dataset has no file, or too many",
            "dataset",
            f"{len(found)} objects",
            f"1 to {MOST_FILES} objects",
            "upload the data before its job.yaml" if not found else "pack the files into fewer ones",
        )
    long = sum(len(each.name.encode("utf-8", "surrogatepass")) for each in found)
    if long > MOST_NAMES_BYTES:
        raise _refused(
            "dataset_too_large",
            "the names of the dataset's files are too long together",
            "dataset",
            f"{long} bytes of names",
            f"at most {MOST_NAMES_BYTES} bytes",
            "pack the files into fewer ones, or shorten their names",
        )
    for each in found:
        check_object_name(each.name)
        if each.size == 0:
            raise _refused(
                "empty_dataset",
                "a file is empty",
                each.name,
                "0 bytes",
                "data",
                "upload a file that holds data",
            )
    return tuple(
        SourceObject(
            name=each.name,
            path=each.name.removeprefix(prefix) if prefix else each.name.rpartition("/")[2],
            generation=each.generation,
            size=each.size,
            crc32c=each.crc32c,
        )
        for each in sorted(found, key=lambda each: each.name)
    )


def check_fits(objects: Sequence[SourceObject], shape: Shape) -> None:
    """Raise RefusedError when the dataset is larger than its share of the machine's memory."""
    total = sum(each.size for each in objects)
    room = int(shape.memory_bytes * DATASET_SHARE)
    if total > room:
        raise _refused(
            "dataset_too_large",
            "the dataset does not fit the machine",
            "machine.shape",
            f"{total} bytes of data",
            f"at most {room} bytes on {shape.name} (a quarter of its memory)",
            "ask for a larger machine.shape",
        )


def check_hashable(objects: Sequence[SourceObject]) -> None:
    """Raise RefusedError for a file that one call of a function could not hash in its time."""
    for each in objects:
        if each.size > LARGEST_FILE_BYTES:
            raise _refused(
                "dataset_too_large",
                "a file is too large to be sealed by the service",
                each.name,
                f"{each.size} bytes",
                f"at most {LARGEST_FILE_BYTES} bytes",
                "split the file, or seal the dataset before upload (`sealtrain seal`)",
            )


def check_pinned(found: str, job: Job) -> None:
    """Raise RefusedError when the job pins another dataset than this id."""
    if job.dataset not in {"", found}:
        raise _refused(
            "dataset_not_pinned",
            "the dataset is not the one that the job pins",
            "dataset",
            found,
            job.dataset,
            "upload the pinned data, or correct job.yaml",
        )


def looks_sealed(manifest: bytes) -> bool:
    """Whether a file of the manifest's name says that it is one; other JSON is data like any other."""
    return _SEALED_BY in manifest


def check_parts(files: Iterable[SealedFile], objects: Sequence[SourceObject]) -> None:
    """Raise RefusedError unless the uploaded objects are exactly the parts, each of its size."""
    found = {each.path: each for each in objects}
    for file in files:
        for number, part in enumerate(file.parts):
            there = found.pop(part.object, None)
            if there is None or there.size != part.sealed_size:
                raise _refused(
                    "sealed_part_missing" if there is None else "sealed_part_changed",
                    "a part of the sealed dataset is not there, or not whole",
                    f"part {number + 1} of {len(file.parts)} of {file.path} ({part.object})",
                    "no such object" if there is None else f"{there.size} bytes",
                    f"{part.sealed_size} bytes",
                    "upload the whole sealed folder, and job.yaml last",
                )
    for path in sorted(found):
        raise _refused(
            "sealed_part_unknown",
            "an object beside the sealed dataset is none of its parts",
            path,
            "an object that the manifest does not name",
            f"{MANIFEST}, the parts that it names, and job.yaml",
            "upload the sealed folder under a name of its own",
        )


def check_look(files: Iterable[tuple[str, int, Callable[[], bytes]]], job: Job, own: bool) -> None:
    """Judge tables by their first bytes; `own`: by what the deployment's own trainer can learn from.

    Each file is its name, its size, and how to read its first SNIFFED_BYTES. Raises RefusedError.
    """
    wanted = (one for one in files if job.format == "csv" or (own and is_table(one[0])))
    looks = [check_csv(name, head(), size) for name, size, head in wanted]
    if own:
        check_learnable([look for look in looks if is_table(look.name)], job.arguments)


def check_csv(name: str, head: bytes, size: int) -> Look:
    """What the first bytes of a CSV file show. Raises RefusedError for what does not look like CSV."""
    if b"\x00" in head:
        raise _not_csv(name, "a NUL byte", "text")
    try:
        # A character cut at the end of what was read is no error.
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(head, final=len(head) == size)
    except UnicodeDecodeError as error:
        raise _not_csv(name, f"bytes that are not UTF-8 at {error.start}", "UTF-8 text") from error
    if len(head) < size:
        # The last line may be cut; it is judged only if it is all there is.
        text = text[: text.rfind("\n") + 1] or text
    try:
        rows = [row for row in csv.reader(io.StringIO(text), strict=True) if row]
    except csv.Error as error:
        raise _not_csv(name, str(error), "well-formed CSV") from error
    if len(rows) < 2 or len(rows[0]) < 2:
        got = f"{len(rows)} rows, {len(rows[0]) if rows else 0} columns"
        other = any(mark in field for mark in ";\t|" for row in rows[:1] for field in row)
        remedy = f"separate the fields by commas; {_OTHERWISE}" if other else f"upload CSV; {_OTHERWISE}"
        raise _not_csv(name, got, "a header of at least two columns, and at least one row", remedy)
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(rows[0]):
            got, remedy = f"{len(row)} fields in row {number}", f"correct row {number}; {_OTHERWISE}"
            raise _not_csv(name, got, f"{len(rows[0])} as in the header", remedy)
    header, *body = (tuple(row) for row in rows)
    return Look(name=name, header=header, rows=tuple(body), whole=len(head) == size)


_OTHERWISE = "where it is no CSV say `format: files` in job.yaml"


def _not_csv(
    name: str, got: str, expected: str, remedy: str = f"upload CSV; {_OTHERWISE}"
) -> RefusedError:
    return _refused("not_csv", "a file of a CSV job is not CSV", name, got, expected, remedy)


def _refused(code: str, message: str, field: str, got: str, expected: str, remedy: str) -> RefusedError:
    return RefusedError(message, code=code, field=field, got=got, expected=expected, remedy=remedy)
