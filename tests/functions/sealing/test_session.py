"""Sealing in pieces of work that may be cut off anywhere."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sealtrain.rules.errors import UnavailableError
from sealtrain.rules.sealed import id_of
from sealtrain.sealing import SealingError, open_file
from sealtrain.sealing.session import Finished, Session

from tests.functions.sealing.vault import DiedError, Keys, Plain, Vault, sealed, session

FILES = {"a": b"0123456789" * 3 + b"tail", "b": b"", "c": b"9876543210" * 2}


def content(dataset: Finished, vault: Vault) -> dict[str, bytes]:
    found = {}
    for file in dataset.files:
        out = io.BytesIO()
        open_file(dataset, file, vault.fetch, out, dataset.key)
        found[file.path] = out.getvalue()
    return found


def test_a_small_dataset_leaves_no_record_and_no_key() -> None:
    """What fits one batch is sealed in one go; its key was never kept anywhere."""
    vault = Vault()
    dataset = sealed(vault, FILES, part_bytes=1000)
    assert vault.records == {}
    assert content(dataset, vault) == FILES
    assert dataset.id == id_of(dataset.files)


def test_one_piece_per_call_ends_with_the_same_dataset() -> None:
    """With no time at all each call does one piece, and the last gives the dataset."""
    vault, calls, found = Vault(), 0, None
    while found is None:
        found = session(vault, FILES, read_back=True).advance(lambda: False)
        calls += 1
    assert calls == 3 + 7 + 7
    assert content(found, vault) == FILES
    assert found.id == sealed(Vault(), FILES).id


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 12), st.booleans()), max_size=12), st.booleans())
def test_a_process_may_die_or_lose_its_line_at_any_write(
    deaths: list[tuple[int, bool]], read_back: bool
) -> None:
    """Whatever was cut off, the next process goes on, and the dataset opens to its bytes."""
    vault = Vault()
    for after, dies in deaths:
        vault.dies_at = vault.writes + after if dies else 0
        vault.breaks_at = 0 if dies else vault.writes + after
        try:
            session(vault, FILES, read_back=read_back).advance(lambda: True)
        except (DiedError, UnavailableError):
            continue
    vault.dies_at = vault.breaks_at = 0
    found = session(vault, FILES, read_back=read_back).advance(lambda: True)
    assert found is not None
    assert content(found, vault) == FILES


def test_a_broken_line_loses_only_its_own_part() -> None:
    """Parts that were sealed before the line broke are recorded, and not sealed again."""
    vault = Vault()
    vault.breaks_at = 4
    with pytest.raises(UnavailableError):
        session(vault, {"a": bytes(25), "b": bytes(9)}, part_bytes=10).advance(lambda: True)
    before = set(vault.objects)
    assert before
    found = session(vault, {"a": bytes(25), "b": bytes(9)}, part_bytes=10).advance(lambda: True)
    assert found is not None
    assert before <= {part.object for file in found.files for part in file.parts}


def test_two_processes_at_once_end_with_one_dataset() -> None:
    """The second takes the key and the parts that the first recorded."""
    vault = Vault()
    first, second = session(vault, FILES), session(vault, FILES)
    while (one := first.advance(lambda: False)) is None:
        two = second.advance(lambda: False)
        assert two is None or two.id
    again = session(vault, FILES).advance(lambda: True)
    assert again is not None
    assert one.files == again.files
    assert content(one, vault) == FILES


def test_a_file_that_changed_after_it_was_hashed_is_refused_by_name() -> None:
    """The sealed bytes are the hashed ones or none."""
    source, vault = Plain("a", b"0123456789" * 2), Vault()

    def change(_: str) -> None:
        source.data = b"0123456789" + b"changed!!!"

    changing = Session([source], vault, Keys(), prefix="data/", accept=change, part_bytes=10)
    with pytest.raises(SealingError, match="part 2 of 2 of a") as caught:
        changing.advance(lambda: True)
    assert "hashed" in str(caught.value.body.expected)


def test_a_dataset_that_is_not_accepted_is_never_sealed() -> None:
    """The id is told before the first part is written."""
    vault = Vault()

    def refuse(dataset: str) -> None:
        raise ValueError(dataset)

    with pytest.raises(ValueError, match="sha256:"):
        Session([Plain("a", b"x")], vault, Keys(), prefix="data/", accept=refuse).advance(lambda: True)
    assert vault.objects == {}


def test_reading_back_finds_a_part_that_was_lost_or_changed() -> None:
    """What was written is opened again and compared before the dataset counts as sealed."""
    vault = Vault()
    while len(vault.objects) < 7:
        assert session(vault, FILES, read_back=True).advance(lambda: False) is None
    name = next(iter(vault.objects))
    vault.objects[name] = vault.objects[name][:-1]
    with pytest.raises(SealingError, match=r"part 1 of 4 of a"):
        session(vault, FILES, read_back=True).advance(lambda: True)


def test_many_small_files_take_one_batch() -> None:
    """Many files cost no record each, and no time that grows with their square."""
    files = {f"{number:05d}": b"x" for number in range(2_000)}
    vault = Vault()
    found = sealed(vault, files, part_bytes=256 << 20)
    assert vault.records == {}
    assert len(found.files) == 2_000
