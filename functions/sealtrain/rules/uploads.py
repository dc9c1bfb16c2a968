"""What an object in the inbox means, and which names are taken.

- `incoming/FILE` is a dataset of one file. `incoming/NAME/job.yaml`, put last, starts a run over
  everything else below `incoming/NAME/`. Anything else starts nothing.
- A bad name anywhere under `incoming/` starts a run too, so that its refusal is written where the
  owner finds it: at once, and not when a dataset of many objects has been uploaded for hours.
- A name is refused when a person, a shell, a page or a file system could take it for another:
  `..`, empty segments, control characters, direction marks, more than 512 bytes, look-alike
  spellings of one of our own words, or a name that is not in Unicode's composed form.
"""

from __future__ import annotations

import unicodedata

import msgspec

from sealtrain.rules import names
from sealtrain.rules.errors import RefusedError

INCOMING = "incoming/"
JOB_FILE = "job.yaml"
LONGEST_NAME_BYTES = 512
MOST_ATTEMPTS = 1000

_OWN_WORDS = frozenset({"incoming", "refused", JOB_FILE})
# Control, format (direction marks, zero-width), surrogate, private use, unassigned, separators.
_REFUSED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Letters of other scripts (and digits) that look like the letters of our words.
_LOOK_ALIKES = str.maketrans(
    {
        "\u0430": "a", "\u03b1": "a", "\u0435": "e", "\u0454": "e", "\u043e": "o", "\u03bf": "o",
        "0": "o", "\u0456": "i", "\u03b9": "i", "\u0131": "i", "1": "i", "\u0458": "j",
        "\u0441": "c", "\u03f2": "c", "\u0501": "d", "\u0578": "n", "\u0440": "p", "\u0455": "s",
        "\u0443": "y", "\u0261": "g", "\u217c": "l", "\u04cf": "l",
    }
)  # fmt: skip


class Upload(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The object that started a run, and which attempt at it this is (from 1)."""

    bucket: str
    object: str
    generation: str
    attempt: int


class Claim(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who runs the run: the execution that claimed it, and where to wake it."""

    upload: Upload
    execution: str
    callback_url: str
    claimed_at: str


def run_of(upload: Upload) -> names.RunId:
    """The run id of an upload and attempt."""
    return names.run_id(upload.bucket, upload.object, upload.generation, upload.attempt)


def earlier(upload: Upload) -> Upload | None:
    """The attempt before this one; None for the first."""
    return msgspec.structs.replace(upload, attempt=upload.attempt - 1) if upload.attempt > 1 else None


def later(upload: Upload) -> Upload:
    """The attempt after this one."""
    return msgspec.structs.replace(upload, attempt=upload.attempt + 1)


def starts_run(object_name: str) -> bool:
    """Whether an object of this name starts a run, be it only to be refused for its name."""
    if not object_name.startswith(INCOMING) or object_name.endswith("/"):
        return False
    try:
        check_object_name(object_name)
    except RefusedError:
        return True
    segments = object_name.split("/")
    if len(segments) == 2:
        return segments[1] != ""
    return len(segments) > 2 and segments[-1] == JOB_FILE


def dataset_prefix(object_name: str) -> str | None:
    """The prefix of the dataset's objects; None when the object is itself the dataset."""
    if "/" not in object_name.removeprefix(INCOMING):
        return None
    return object_name.removesuffix(JOB_FILE)


def check_object_name(object_name: str) -> None:
    """Raise RefusedError, naming the reason, for a name that must not be used."""
    size = len(object_name.encode("utf-8", "surrogatepass"))
    if size > LONGEST_NAME_BYTES:
        raise _refused(f"{size} bytes", f"at most {LONGEST_NAME_BYTES} bytes")
    for character in object_name:
        if unicodedata.category(character) in _REFUSED_CATEGORIES or character == "\\":
            shown = f"U+{ord(character):04X} in {object_name!a}"
            raise _refused(shown, "printable characters, no direction marks")
    if unicodedata.normalize("NFC", object_name) != object_name:
        raise _refused(f"{object_name!a}", "a name in composed form (NFC)")
    segments = object_name.split("/")
    if any(segment in {"", ".", ".."} for segment in segments):
        raise _refused(object_name, "no empty segment, no . and no ..")
    for segment in segments:
        if segment not in _OWN_WORDS and _skeleton(segment) in _OWN_WORDS:
            raise _refused(f"{segment!a}", "no look-alike of a word of ours")


def check_upload(upload: Upload, inbox: str) -> None:
    """Raise RefusedError when an upload is not one that may become a run."""
    if upload.bucket != inbox:
        raise RefusedError(
            "the upload is not in the inbox",
            code="bad_upload",
            field="bucket",
            got=upload.bucket,
            expected=inbox,
            remedy="put the data into the inbox",
        )
    if not starts_run(upload.object):
        raise RefusedError(
            "an object of this name starts no run",
            code="bad_upload",
            field="object",
            got=f"{upload.object!a}",
            expected="incoming/FILE or incoming/NAME/job.yaml",
            remedy="put the data under incoming/",
        )
    check_object_name(upload.object)
    if upload.object.count("/") > 2 or upload.object == INCOMING + JOB_FILE:
        raise RefusedError(
            "job.yaml stands at the wrong depth",
            code="bad_upload",
            field="object",
            got=upload.object,
            expected="incoming/NAME/job.yaml",
            remedy="put the data and then its job.yaml directly into one folder of incoming/",
        )


def source_changed(object_name: str, generation: str) -> RefusedError:
    """The refusal when an admitted generation is not what stands in the inbox any more."""
    return RefusedError(
        "the upload was replaced or removed since",
        code="source_changed",
        field=object_name,
        got="another generation, or none",
        expected=f"generation {generation}",
        remedy="nothing, if a newer upload followed: it has its own run",
    )


def _skeleton(segment: str) -> str:
    return unicodedata.normalize("NFKC", segment).casefold().translate(_LOOK_ALIKES).strip()


def _refused(got: str, expected: str) -> RefusedError:
    return RefusedError(
        "the object's name cannot be used",
        code="bad_object_name",
        field="object",
        got=got,
        expected=expected,
        remedy="upload the object under a plain name",
    )
