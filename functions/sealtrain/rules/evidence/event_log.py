"""Replay a TCG event log to the runtime measurement registers (RTMRs) of an Intel TDX quote.

Format: TCG PC Client Platform Firmware Profile, crypto-agile log, as the CCEL table carries it. The
first event (old format, SHA-1 sized) lists the digest algorithms and their sizes; events follow, each
with register number, type, digests and data. Rules enforced here:
- the log and every length in it are bounded; the algorithms are those of the first event, SHA-384
  among them; each event carries each algorithm once, in any order;
- register 1 to 4 of the log is RTMR 0 to 3; 0 is MRTD, which no event extends; others do not exist;
- an event of type EV_NO_ACTION extends nothing;
- the log ends at its last byte, or where only zeros or only 0xFF follow (the table's padding).

A replay that gives a verified quote's RTMRs proves the digests and their order. It does not prove that
an event's data is what was hashed: where a rule looks at data it has to hash it itself.
"""

import hashlib
import struct
from typing import NamedTuple

from sealtrain.rules import canonical
from sealtrain.rules.evidence import strict, tdx_quote
from sealtrain.rules.evidence.findings import Finding, Outcome, Refused, verdict_of
from sealtrain.rules.evidence.tdx import Reference
from sealtrain.rules.evidence.tdx import verify as verify_quote

VERIFIER = "sealtrain.rules.evidence.event_log 1"
LIMIT_BYTES = 1 << 20
LIMIT_EVENTS = 10_000
SIGNATURE = b"Spec ID Event03\0"
NO_ACTION = 3
SHA384 = 0x000C
SIZES = {0x0004: 20, 0x000B: 32, SHA384: 48, 0x000D: 64, 0x0012: 32}
SHA1_BYTES = 20
REGISTERS = 4


class Event(NamedTuple):
    """One event: register 1 to 4 (0: MRTD), type, SHA-384 digest, data."""

    register: int
    kind: int
    digest: bytes
    data: bytes


class _Log:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0
        filler = data[-1:] if data[-1:] in (b"\0", b"\xff") else b""
        self.content = len(data.rstrip(filler)) if filler else len(data)

    def take(self, count: int, what: str) -> bytes:
        if count > len(self.data) - self.at:
            left = len(self.data) - self.at
            raise Refused("malformed", f"event_log.{what}", f"{left} bytes at {self.at}", f"{count} bytes")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, form: str, what: str) -> int:
        (value,) = struct.unpack("<" + form, self.take(struct.calcsize("<" + form), what))
        return int(value)

    def ended(self) -> bool:
        return self.at >= self.content


def parse(data: bytes) -> list[Event]:
    """Read a log. Raises Refused."""
    strict.bounded(data, LIMIT_BYTES, "event_log")
    log = _Log(data)
    sizes = _algorithms(log)
    events: list[Event] = []
    while not log.ended():
        if len(events) >= LIMIT_EVENTS:
            raise Refused("too_large", "event_log", "more events", f"at most {LIMIT_EVENTS} events")
        events.append(_event(log, sizes))
    return events


def replay(events: list[Event]) -> tuple[bytes, ...]:
    """Give the four registers that the events extend, in order."""
    registers = [bytes(48)] * REGISTERS
    for event in events:
        if event.kind != NO_ACTION and event.register:
            extended = registers[event.register - 1] + event.digest
            registers[event.register - 1] = hashlib.sha384(extended).digest()
    return tuple(registers)


def verify(log: bytes, quote: bytes, collateral: bytes | None, reference: Reference) -> Outcome:
    """Verify the quote, then that the log replays to its registers; never raises for what they hold."""
    about = verify_quote(quote, collateral, reference)
    findings: tuple[Finding, ...] = about.findings
    try:
        got = replay(parse(log))
        if about.verdict != "not_met":
            findings = (*findings, *_differences(got, tdx_quote.parse(quote).measurements.rtmr))
    except Refused as refusal:
        findings = (*findings, refusal.finding)
    return Outcome(
        verdict=verdict_of(findings),
        findings=findings,
        evidence_digest=canonical.digest(log),
        verifier=VERIFIER,
        policy_version=about.policy_version,
        facts={**about.facts, "quote_digest": about.evidence_digest},
        unjudged=about.unjudged,
    )


def _differences(got: tuple[bytes, ...], expected: tuple[bytes, ...]) -> list[Finding]:
    sentence = "The event log tells all that was measured into the quote's registers."
    return [
        Refused("rtmr", f"rtmr{number}", mine.hex(), theirs.hex(), sentence).finding
        for number, (mine, theirs) in enumerate(zip(got, expected, strict=True))
        if mine != theirs
    ]


def _algorithms(log: _Log) -> dict[int, int]:
    """Read the first event; give the digest size of each algorithm."""
    _, kind = log.number("I", "register"), log.number("I", "type")
    log.take(SHA1_BYTES, "digest")
    inner = _Log(log.take(log.number("I", "size"), "specification"))
    if kind != NO_ACTION or inner.take(len(SIGNATURE), "signature") != SIGNATURE:
        raise Refused("malformed", "event_log", "another first event", "a specification event, version 3")
    inner.take(8, "specification")  # platform class, versions, size of a native integer
    count = inner.number("I", "algorithms")
    if not 1 <= count <= len(SIZES):
        raise Refused("malformed", "event_log.algorithms", count, f"1 to {len(SIZES)}")
    sizes: dict[int, int] = {}
    for _ in range(count):
        name, size = inner.number("H", "algorithm"), inner.number("H", "algorithm_size")
        if SIZES.get(name) != size or name in sizes:
            raise Refused("malformed", "event_log.algorithms", f"{name:#06x}: {size}", "a known digest, once")
        sizes[name] = size
    inner.take(inner.number("B", "vendor_size"), "vendor")
    if inner.at != len(inner.data):
        raise Refused("malformed", "event_log.specification", "bytes more", "nothing after the vendor's part")
    if SHA384 not in sizes:
        raise Refused("malformed", "event_log.algorithms", sorted(sizes), "SHA-384 among them")
    return sizes


def _event(log: _Log, sizes: dict[int, int]) -> Event:
    register, kind, count = (log.number("I", word) for word in ("register", "type", "digests"))
    if register > REGISTERS:
        raise Refused("malformed", "event_log.register", register, f"at most {REGISTERS}")
    if count != len(sizes):
        raise Refused("malformed", "event_log.digests", count, len(sizes))
    digests: dict[int, bytes] = {}
    for _ in range(count):
        name = log.number("H", "algorithm")
        if name not in sizes or name in digests:
            raise Refused("malformed", "event_log.algorithm", f"{name:#06x}", "each listed algorithm once")
        digests[name] = log.take(sizes[name], "digest")
    data = log.take(log.number("I", "size"), "data")
    return Event(register, kind, digests[SHA384], data)
