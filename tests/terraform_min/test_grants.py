"""Least privilege, proven: every grant of the plan is used by some journey on the stand-in.

- The stand-in enforces world.json, and a gate says that this is the plan's (test_lists.py).
- A grant that no journey uses is listed here with the reason that it stays, or it goes.
- Whether each permission inside a used role is needed, the stand-in cannot tell: it asks for a method's main
  permission. Custom roles hold only what one line of the step table says.
"""

from __future__ import annotations

import json
import re
from typing import Any

from sealtrain.rules.settings import Settings

from cli.deploy.description import Grant, Parts
from cli.deploy.stand_in import KEYBOARD
from cli.deploy.world import describe
from tests.journeys.used_grants import FILE

PARTS = Parts(owner=KEYBOARD, archive="", workflows={"train": "", "tear_down": ""}, environment={})

# What a grant is called here (see `called`), as a pattern -> why it stays although no journey uses it.
_STATE_OR_EVIDENCE = r"_/buckets/sealtrain-PROJECT-(state|evidence)"
IDLE: dict[str, str] = {
    r"agent (compute-system|gcp-sa-artifactregistry|gcp-sa-workflows) cloudkms\..*/cryptoKeys/storage": (
        "the stand-in encrypts no disk, image or workflow"
    ),
    r"agent gcp-sa-pubsub .*(dead-letters|-push)": "used when a message is given up",
    r"agent gs-project-accounts pubsub\.publisher on PROJECT": "Eventarc's own topic is not imitated",
    r"auditor .*": "an auditor is a person; no journey is one",
    r"build .*": "functions are not built on the stand-in",
    r"group:cloud-storage-analytics .*-access-logs": "the stand-in writes no access logs",
    r"push eventarc\.eventReceiver on PROJECT": "the stand-in delivers without Eventarc",
    r"seal-dataset .* on .*(-inbox if|/cryptoKeys/sealing)": "used by large or removed datasets",
    r"principalSet:.*/cryptoKeys/datasets": "used for datasets that their owner sealed",
    r"user:you .*": "used by `fetch`, which the command line's tests do",
    r"writer-of:.* pubsub\.publisher .*": "used under the name that Logging gives the sink",
    rf"[a-z-]+ sealtrain\.storage\.objects\.(get|list) on {_STATE_OR_EVIDENCE}( if)?": (
        "asked when a call is repeated or a record is not there yet: not forced for each function"
    ),
    r"create-bucket sealtrain\.storage\.buckets\.get on PROJECT if": "used when the step is repeated",
    r"seal-dataset sealtrain\.storage\.objects\.list on _/buckets/sealtrain-PROJECT-inbox": (
        "tells that an upload was replaced or removed while its run was under way"
    ),
    r"workload sealtrain\.storage\.objects\.get on .*-models": "used after a restart",
    r"record-attestation sealtrain\.storage\.objects\.create on .*-evidence if": "alerts: used on an alarm",
    r"record-attestation sealtrain\.(pubsub\.topics\.publish|verify_evidence\.ring\.release) on .*": (
        "used on an alarm of the platform's log; the listener's own test raises one"
    ),
    r"sweep sealtrain\..* on PROJECT.*": "used for a forgotten run",
    r"reserve-capacity .*": "used by shapes that need a reservation or a group",
}


def called(grant: Grant, settings: Settings) -> str:
    """`member role on [if]` in the words of the deployment."""
    member = re.sub(r"^serviceAccount:(sealtrain-)?|@.*$|/workloadIdentityPools/.*", "", grant.member)
    agent = grant.member.partition("@")[2].split(".")[0]
    who = f"agent {agent}" if member.startswith(("service-", "bq-")) else member
    on = grant.on.replace(settings.project, "PROJECT").rpartition("projects/")[2]
    return f"{who} {grant.role.rpartition('/')[2]} on {on}{' if' if grant.condition else ''}"


def idle() -> set[str]:
    """The grants that no world of the journeys used; those of several images count as one."""
    worlds: list[dict[str, Any]] = json.loads(FILE.read_text())["worlds"]
    assert worlds, f"no journey was run: {FILE} is empty"
    there: set[tuple[str, str]] = set()
    used: set[tuple[str, str]] = set()
    for told in worlds:
        settings = Settings.from_environ(told["settings"])
        seen = {(one["on"], one["role"], one["member"], one["condition"]) for one in told["grants"]}
        for grant in describe(settings, PARTS).grants:
            what = called(grant, settings), grant.condition
            there.add(what)
            if (grant.on, grant.role, grant.member, grant.condition) in seen:
                used.add(what)
    return {label for label, _ in there - used}


def test_every_grant_is_used_by_a_journey_or_stays_for_a_reason() -> None:
    """A right that nobody uses is one too many."""
    unexplained = [one for one in sorted(idle()) if not any(re.fullmatch(word, one) for word in IDLE)]
    assert unexplained == []


def test_no_reason_stays_for_a_grant_that_is_gone() -> None:
    """The list shrinks with the grants."""
    settings = Settings.from_environ(json.loads(FILE.read_text())["worlds"][0]["settings"])
    names = {called(grant, settings) for grant in describe(settings, PARTS).grants}
    assert [word for word in IDLE if not any(re.fullmatch(word, one) for one in names)] == []
