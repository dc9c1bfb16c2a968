"""Parts and files in their place: whatever is moved, lost or changed is refused, and named."""

import hashlib
import io
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sealtrain.rules.sealed import Part, SealedFile
from sealtrain.sealing import SealingError, open_file
from sealtrain.sealing.session import Finished

from tests.functions.sealing.vault import Vault, sealed

FILES = {"a.csv": b"0123456789" * 3 + b"tail", "b/c.csv": b"9876543210" * 2, "empty": b""}
Names = tuple[str, ...]


def opened(dataset: Finished, vault: Vault, path: str, key: Any = None) -> bytes:
    file = next(file for file in dataset.files if file.path == path)
    out = io.BytesIO()
    open_file(dataset, file, vault.fetch, out, key or dataset.key)
    return out.getvalue()


def test_every_file_opens_to_its_bytes() -> None:
    """Several parts, one part, none to speak of: each file comes out as it went in."""
    vault = Vault()
    dataset = sealed(vault, FILES)
    assert [len(file.parts) for file in dataset.files] == [4, 2, 1]
    assert {path: opened(dataset, vault, path) for path in FILES} == FILES
    for file in dataset.files:
        assert file.sha256 == "sha256:" + hashlib.sha256(FILES[file.path]).hexdigest()


def swap(vault: Vault, a: Names) -> str:
    vault.objects[a[1]], vault.objects[a[2]] = vault.objects[a[2]], vault.objects[a[1]]
    return "part 3 of 4 of a.csv"


def repeat(vault: Vault, a: Names) -> str:
    vault.objects[a[1]] = vault.objects[a[0]]
    return "part 1 of 4 of a.csv"


def of_another_file(vault: Vault, a: Names) -> str:
    vault.objects[a[1]] = vault.objects[a[4]]
    return "part 1 of 2 of b/c.csv"


def truncate(vault: Vault, a: Names) -> str:
    vault.objects[a[1]] = vault.objects[a[1]][:-1]
    return f"{len(vault.objects[a[1]])} bytes"


def lengthen(vault: Vault, a: Names) -> str:
    vault.objects[a[1]] += b"x"
    return f"{len(vault.objects[a[1]])} bytes"


def empty(vault: Vault, a: Names) -> str:
    vault.objects[a[1]] = b""
    return "0 bytes"


def flip(vault: Vault, a: Names) -> str:
    damaged = bytearray(vault.objects[a[1]])
    damaged[len(damaged) // 2] ^= 1
    vault.objects[a[1]] = bytes(damaged)
    return "sha256:" + hashlib.sha256(damaged).hexdigest()


def of_another_dataset(vault: Vault, a: Names) -> str:
    other = Vault()
    dataset = sealed(other, {**FILES, "more": b"x"})
    vault.objects[a[1]] = other.objects[dataset.files[0].parts[1].object]
    return f"{len(vault.objects[a[1]])} bytes, sha256:"


@pytest.mark.parametrize(
    "tamper", [swap, repeat, of_another_file, truncate, lengthen, empty, flip, of_another_dataset]
)
def test_an_object_that_is_not_the_part_is_named(tamper: Callable[[Vault, Names], str]) -> None:
    """The refusal says which part of which file, what was found there, and what was expected."""
    vault = Vault()
    dataset = sealed(vault, FILES)
    names = tuple(part.object for file in dataset.files for part in file.parts)
    found = tamper(vault, names)
    with pytest.raises(SealingError) as caught:
        opened(dataset, vault, "a.csv")
    body = caught.value.body
    assert body.field == f"part 2 of 4 of a.csv ({names[1]})"
    assert found in str(body.got)
    assert dataset.files[0].parts[1].sealed_sha256 in str(body.expected)


def drop_part(file: SealedFile) -> SealedFile:
    parts = file.parts[:-1]
    return msgspec.structs.replace(file, parts=parts, size=sum(p.size for p in parts))


def reorder(file: SealedFile) -> SealedFile:
    return msgspec.structs.replace(file, parts=file.parts[::-1])


def repeat_part(file: SealedFile) -> SealedFile:
    return msgspec.structs.replace(file, parts=(*file.parts, file.parts[0]))


def rename(file: SealedFile) -> SealedFile:
    return msgspec.structs.replace(file, path="z.csv")


@pytest.mark.parametrize("change", [drop_part, reorder, repeat_part, rename])
def test_a_changed_manifest_opens_nothing(change: Callable[[SealedFile], SealedFile]) -> None:
    """Whoever rewrites the list of parts meets the associated data: path, number and count are sealed in."""
    vault = Vault()
    dataset = sealed(vault, FILES)
    file = change(dataset.files[0])
    with pytest.raises(SealingError, match=f"part 1 of {len(file.parts)} of {file.path}"):
        open_file(dataset, file, vault.fetch, io.BytesIO(), dataset.key)


def test_parts_moved_to_another_dataset_do_not_open() -> None:
    """The same file under another dataset's id is refused."""
    vault = Vault()
    dataset = sealed(vault, FILES)
    moved = msgspec.structs.replace(dataset, id="sha256:" + "0" * 64)
    with pytest.raises(SealingError, match=r"part 1 of 4 of a\.csv"):
        opened(moved, vault, "a.csv")


def test_a_digest_that_does_not_follow_from_the_parts_is_refused() -> None:
    """A file whose stated digest is not that of its bytes is refused by its name."""
    vault = Vault()
    dataset = sealed(vault, FILES)
    file = msgspec.structs.replace(dataset.files[0], sha256="sha256:" + "0" * 64)
    with pytest.raises(SealingError) as caught:
        open_file(dataset, file, vault.fetch, io.BytesIO(), dataset.key)
    assert caught.value.body.field == "a.csv"


@settings(max_examples=60, deadline=None)
@given(st.permutations(range(6)), st.data())
def test_only_the_parts_in_their_places_open(order: list[int], data: st.DataObject) -> None:
    """However the objects of a dataset are dealt out again, it opens only as it was sealed."""
    vault = Vault()
    dataset = sealed(vault, {path: FILES[path] for path in ("a.csv", "b/c.csv")})
    names = [part.object for file in dataset.files for part in file.parts]
    dealt = {name: vault.objects[names[at]] for name, at in zip(names, order, strict=True)}
    cut = data.draw(st.integers(0, 5))
    if data.draw(st.booleans()):
        dealt[names[cut]] = dealt[names[cut]][: data.draw(st.integers(0, 40))]
    same = dealt == vault.objects
    vault.objects = dealt
    if same:
        assert {path: opened(dataset, vault, path) for path in ("a.csv", "b/c.csv")}
        return
    with pytest.raises(SealingError, match=r"part \d of \d of (a|b/c)\.csv .*got.*expected"):
        print([opened(dataset, vault, path) for path in ("a.csv", "b/c.csv")])


class Line:
    """Gives parts over a line that breaks in the n-th part asked for, after some bytes."""

    def __init__(self, vault: Vault, breaks: set[int]) -> None:
        self.vault, self.breaks, self.asked = vault, breaks, [""]

    def __call__(self, part: Part) -> Any:
        self.asked.append(part.object)
        if len(self.asked) - 1 in self.breaks:
            raise ConnectionResetError("line down")
        return self.vault.fetch(part)


def test_a_broken_transfer_starts_its_part_again_and_no_other() -> None:
    """The part that broke is asked for again; parts before it are not."""
    vault = Vault()
    dataset = sealed(vault, FILES)
    file, out, line = dataset.files[0], io.BytesIO(), Line(vault, {2, 3})
    open_file(dataset, file, line, out, dataset.key, broken=(ConnectionResetError,))
    names = [part.object for part in file.parts]
    assert out.getvalue() == FILES["a.csv"]
    assert line.asked[1:] == [names[0], names[1], names[1], names[1], names[2], names[3]]


@pytest.mark.parametrize("left", [0, 7, 10, 19, 20, 33, 34])
def test_an_opening_that_was_cut_off_goes_on_at_its_part(left: int) -> None:
    """What stands whole is kept and not fetched again; half a part is opened anew."""
    vault = Vault()
    dataset = sealed(vault, FILES)
    file, line = dataset.files[0], Line(vault, set())
    out = io.BytesIO(FILES["a.csv"][:left])
    open_file(dataset, file, line, out, dataset.key)
    assert out.getvalue() == FILES["a.csv"]
    whole = 4 if left == 34 else left // 10
    assert line.asked[1:] == [part.object for part in file.parts[whole:]]


def test_what_another_left_behind_is_not_taken_for_the_files_bytes() -> None:
    """Bytes of another content, or beyond the file's end, are overwritten."""
    vault = Vault()
    dataset = sealed(vault, FILES)
    for stale in (b"x" * 20, FILES["a.csv"] + b"more"):
        out = io.BytesIO(stale)
        open_file(dataset, dataset.files[0], vault.fetch, out, dataset.key)
        assert out.getvalue() == FILES["a.csv"]
