"""Log entries from the sink: whose they are, and whether they raise an alarm.

Rules enforced here:
- an entry belongs to the run that its resource's name derives; what the payload's text says about
  itself is not looked at, as a workload may write any text;
- an entry never proves an attestation; only a verified token does. An entry can raise an alarm:
  a failed boot integrity check, a debuggable launch, a machine that the ledger does not know. What the
  attestation service logs of a refusal names no machine, so it is about no run: verify_evidence judges
  the silence that follows;
- a key use is what KMS's own data access log says: method, key, principal, outcome.

Not handled here: verifying tokens (rules/evidence/token.py).
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote

import msgspec

from sealtrain.rules import canonical
from sealtrain.rules.errors import InvalidRequestError
from sealtrain.rules.evidence.findings import Finding
from sealtrain.rules.ledger import Entry
from sealtrain.rules.settings import Settings

INTEGRITY_LOG = "compute.googleapis.com/shielded_vm_integrity"
AUDIT_LOGS = ("cloudaudit.googleapis.com/activity", "cloudaudit.googleapis.com/data_access")
ATTESTATION_SERVICE = "confidentialcomputing.googleapis.com"
KEY_SERVICE = "cloudkms.googleapis.com"
RESOURCE_LABEL = "compute.googleapis.com/resource_name"

_SAFE_ID = re.compile(r"[A-Za-z0-9_*.-]{1,100}")
_RUN = r"(r[0-9a-f]{12})(?![0-9a-z])"


class LogEntry(msgspec.Struct, frozen=True):
    """What we read of an entry; Google's format has more fields."""

    insert_id: str = msgspec.field(name="insertId")
    log_name: str = msgspec.field(name="logName")
    timestamp: str
    labels: dict[str, str] = {}
    resource: dict[str, Any] = {}
    proto_payload: dict[str, Any] = msgspec.field(name="protoPayload", default_factory=dict)
    json_payload: dict[str, Any] = msgspec.field(name="jsonPayload", default_factory=dict)

    @property
    def log(self) -> str:
        """The log's id without project and URL escapes."""
        return unquote(self.log_name.partition("/logs/")[2])


class KeyUse(msgspec.Struct, frozen=True):
    """One call of KMS on a run's key, as KMS logged it."""

    insert_id: str
    time: str
    method: str
    principal: str
    allowed: bool


def parse(raw: bytes) -> LogEntry:
    """Read an entry. Raises InvalidRequestError when it is none."""
    try:
        canonical.loads(raw)  # strict: no repeated key, no NaN
        return msgspec.json.decode(raw, type=LogEntry)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequestError(
            "the message is not a log entry",
            field="message.data",
            got=error,
            expected="a LogEntry with insertId, logName and timestamp",
        ) from error


def object_id(entry: LogEntry, raw: bytes) -> str:
    """Give the entry's id as an object's name: its insert id, or a digest where that is odd."""
    if _SAFE_ID.fullmatch(entry.insert_id) and not set(entry.insert_id) <= {"."}:
        return entry.insert_id
    return canonical.digest(raw).replace(":", "-")


def run_of(entry: LogEntry, settings: Settings) -> str | None:
    """Give the run whose machine or key the entry is about, by the resource's derived name."""
    machine = re.compile(rf"(?:^|/){re.escape(settings.deployment)}-{_RUN}")
    key = re.compile(rf"/keyRings/{re.escape(settings.deployment)}-release/cryptoKeys/{_RUN}")
    labels = entry.resource.get("labels", {})
    payload = entry.proto_payload
    candidates = [
        # The attestation service logs the name that its caller gave, which may spell another run's machine.
        None if payload.get("serviceName") == ATTESTATION_SERVICE else payload.get("resourceName"),
        entry.labels.get(RESOURCE_LABEL),
        *(labels.get(name) for name in ("instance_name", "crypto_key_id", "name")),
    ]
    for text in candidates:
        if isinstance(text, str):
            found = key.search(text) or machine.search(text)
            if found:
                return found[1]
            if re.fullmatch(_RUN, text):
                return text
    return None


def alarms(entry: LogEntry) -> list[Finding]:
    """Give what this entry says went wrong with the machine's integrity."""
    if entry.log == INTEGRITY_LOG:
        return _integrity_alarms(entry.json_payload)
    return []


def key_use(entry: LogEntry) -> KeyUse | None:
    """Give the use of a key that a data access entry of KMS tells, or None."""
    payload = entry.proto_payload
    if entry.log not in AUDIT_LOGS or payload.get("serviceName") != KEY_SERVICE:
        return None
    identity = payload.get("authenticationInfo")
    if not isinstance(identity, Mapping):
        identity = {}
    principal = identity.get("principalSubject") or identity.get("principalEmail") or ""
    return KeyUse(
        insert_id=entry.insert_id,
        time=entry.timestamp,
        method=str(payload.get("methodName", "")).rsplit(".", 1)[-1],
        principal=str(principal),
        allowed=_status_code(entry) == 0,
    )


def unknown_machine(entry: LogEntry, entries: Iterable[Entry]) -> list[Finding]:
    """Give an alarm if the entry comes from a machine of this run's name that the ledger does not know.

    While a machine is being made, or waited for in a group, its id is not known yet: no alarm then.
    """
    labels = entry.resource.get("labels", {})
    shown = labels.get("instance_id") if isinstance(labels, dict) else None
    if entry.resource.get("type") != "gce_instance" or not isinstance(shown, str):
        return []
    told = list(entries)
    machines = [one for one in told if one.kind == "instance"]
    made = {str(one.detail.get("id", "")) for one in machines if one.phase in ("listed", "made")}
    pending = {one.name for one in machines} - {one.name for one in machines if one.phase != "intent"}
    waited_for = not made and any(one.kind in ("group", "request") for one in told)
    if shown in made or pending or waited_for:
        return []
    expected = f"one of {sorted(made)}" if made else "no machine: none was made for this run"
    return [_alarm("instance", "resource.labels.instance_id", shown, expected)]


def _integrity_alarms(payload: Mapping[str, Any]) -> list[Finding]:
    wanted = (
        ("earlyBootReportEvent", "policyEvaluationPassed"),
        ("lateBootReportEvent", "policyEvaluationPassed"),
        ("sevLaunchAttestationReportEvent", "integrityEvaluationPassed"),
    )
    found = [
        _alarm("integrity", f"{event}.{field}", payload[event].get(field), True)
        for event, field in wanted
        if isinstance(payload.get(event), dict) and payload[event].get(field) is not True
    ]
    launch = payload.get("sevLaunchAttestationReportEvent")
    policy = launch.get("sevPolicy", {}) if isinstance(launch, dict) else {}
    if isinstance(policy, dict) and policy.get("debugEnabled"):
        found.append(_alarm("debug", "sevPolicy.debugEnabled", True, False))
    return found


def _alarm(reason: str, field: str, got: object, expected: object) -> Finding:
    return Finding(
        reason=reason,
        field=field,
        got=str(got)[:200],
        expected=str(expected),
        sentence="The platform's own log says that the machine's integrity holds.",
    )


def _status_code(entry: LogEntry) -> int:
    status = entry.proto_payload.get("status")
    code = status.get("code", 0) if isinstance(status, dict) else 0
    return code if isinstance(code, int) else 2
