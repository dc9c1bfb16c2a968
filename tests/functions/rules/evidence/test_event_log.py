"""Event logs: a genuine log replays to its quote's registers, and nothing else does."""

import struct
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sealtrain.rules.evidence import event_log, policy, tdx
from sealtrain.rules.evidence.findings import Outcome, Refused

DATA = Path(__file__).parents[3] / "data" / "vectors"
LOG = (DATA / "eventlog" / "gcp-cos113.ccel.bin").read_bytes()
QUOTE = (DATA / "tdx" / "gcp-cos113.quote.bin").read_bytes()
FIRST = 32 + 33  # header and data of the specification event


def judged(log: bytes = LOG, quote: bytes = QUOTE, signatures_only: bool = True) -> Outcome:
    reference = tdx.Reference(
        at=datetime(2026, 6, 1, tzinfo=UTC), policy=policy.load(), signatures_only=signatures_only
    )
    return event_log.verify(log, quote, None, reference)


def reasons(outcome: Outcome) -> set[str]:
    return {one.reason for one in outcome.findings}


def test_the_genuine_log_replays_to_its_quote() -> None:
    """43 events of a Google machine give RTMR 0 to 3 of its quote."""
    assert judged().verdict == "met"
    assert len(event_log.parse(LOG)) == 43


def test_without_collateral_a_log_could_not_be_checked() -> None:
    """A log is worth what its quote is worth."""
    found = judged(signatures_only=False)
    assert (found.verdict, reasons(found)) == ("unchecked", {"collateral_missing"})


def test_log_of_another_machine_differs_in_named_registers() -> None:
    """A log that leads elsewhere is refused, register by register."""
    events = event_log.parse(LOG)
    last = max(at for at, one in enumerate(events) if one.register == 3)
    shorter = events[:last] + events[last + 1 :]
    assert event_log.replay(shorter)[:2] == event_log.replay(events)[:2]
    assert event_log.replay(shorter)[2] != event_log.replay(events)[2]
    other = judged(quote=(DATA / "tdx" / "v4-uptodate.quote.bin").read_bytes())
    assert reasons(other) == {"rtmr"}
    assert {one.field for one in other.findings} <= {"rtmr0", "rtmr1", "rtmr2", "rtmr3"}


@pytest.mark.parametrize("padding", [bytes(1000), b"\xff" * 1000])
def test_padding_ends_the_log(padding: bytes) -> None:
    """Zeros or 0xFF to the table's end are no events; anything after them is."""
    assert judged(LOG + padding).verdict == "met"
    assert judged(LOG + padding + b"x").verdict == "not_met"


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(LOG) - 1))
def test_a_cut_log_is_refused(end: int) -> None:
    """No beginning of the log passes for the whole."""
    assert judged(LOG[:end]).verdict == "not_met"


def spec(algorithms: list[tuple[int, int]], tail: bytes = b"\0", kind: int = 3) -> bytes:
    """A log that is only its first event."""
    inner = event_log.SIGNATURE + bytes(8) + struct.pack("<I", len(algorithms))
    inner += b"".join(struct.pack("<HH", *one) for one in algorithms) + tail
    return struct.pack("<II", 0, kind) + bytes(20) + struct.pack("<I", len(inner)) + inner


def event(register: int, digests: list[tuple[int, bytes]], data: bytes = b"") -> bytes:
    head = struct.pack("<III", register, 1, len(digests))
    body = b"".join(struct.pack("<H", name) + value for name, value in digests)
    return head + body + struct.pack("<I", len(data)) + data


GOOD = spec([(0x000C, 48)])


@pytest.mark.parametrize(
    "log",
    [
        b"",
        spec([]),
        spec([(0x000B, 32)]),
        spec([(0x000C, 20)]),
        spec([(0x000C, 48), (0x000C, 48)]),
        spec([(0x9999, 48)]),
        spec([(0x000C, 48)] * 9),
        spec([(0x000C, 48)], tail=b"\0more"),
        spec([(0x000C, 48)], tail=b"\xff"),
        spec([(0x000C, 48)], kind=1),
        GOOD + event(5, [(0x000C, b"1" * 48)], b"x"),
        GOOD + event(1, [], b"x"),
        GOOD + event(1, [(0x000B, b"1" * 32)], b"x"),
        GOOD + event(1, [(0x000C, b"1" * 48)] * 2, b"x"),
        GOOD + event(1, [(0x000C, b"1" * 48)], b"x")[:-5] + struct.pack("<I", 0xFFFFFFFF) + b"x",
    ],
)
def test_what_is_no_log_is_malformed(log: bytes) -> None:
    """Algorithms, registers, counts and lengths are what the first event says, and bounded."""
    with pytest.raises(Refused, match="malformed"):
        event_log.parse(log)


def test_size_and_number_of_events_are_bounded() -> None:
    """A log larger than a megabyte, or of ten thousand events and more, is not read."""
    one = event(0, [(0x000C, b"1" * 48)], b"x")
    with pytest.raises(Refused, match="too_large"):
        event_log.parse(GOOD + one * (event_log.LIMIT_EVENTS + 1))
    with pytest.raises(Refused, match="too_large"):
        event_log.parse(bytes(event_log.LIMIT_BYTES + 1))
