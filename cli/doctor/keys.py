"""Who can decrypt with the release keys; and, apart from them, who could give themselves the right.

The first list has to be exactly the attested principal set: one member per approved image, on the release
ring. An unconditional grant anywhere else would make the attestation worth nothing. That the set means
"attested" rests on the pool: its only provider has to be ours, with the policy's condition.

The second list is never empty, as somebody owns the project; it is told, so that it can be kept short:
- who may change an allow policy on a key, the ring, the project or above;
- who may let a Google service decrypt for them;
- who may change the pool, its providers, or a custom role;
- who may act as an account that is in either list, or make keys or tokens for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sealtrain.rules import names
from sealtrain.rules.evidence import policy
from sealtrain.rules.settings import Settings

from cli.api import Api
from cli.doctor.iam import Holder, Policies

DECRYPT = ("cloudkms.cryptoKeyVersions.useToDecrypt",)
THROUGH_A_SERVICE = ("cloudkms.cryptoKeyVersions.useToDecryptViaDelegation",)
CHANGE_POLICY = (
    "cloudkms.cryptoKeys.setIamPolicy",
    "cloudkms.keyRings.setIamPolicy",
    "resourcemanager.folders.setIamPolicy",
    "resourcemanager.organizations.setIamPolicy",
    "resourcemanager.projects.setIamPolicy",
)
CHANGE_POOL = (
    "iam.workloadIdentityPoolProviders.create",
    "iam.workloadIdentityPoolProviders.undelete",
    "iam.workloadIdentityPoolProviders.update",
    "iam.workloadIdentityPools.update",
)
CHANGE_ROLE = ("iam.roles.update", "iam.roles.undelete")
ACT_AS = (
    "iam.serviceAccountKeys.create",
    "iam.serviceAccounts.actAs",
    "iam.serviceAccounts.getAccessToken",
    "iam.serviceAccounts.implicitDelegation",
    "iam.serviceAccounts.setIamPolicy",
    "iam.serviceAccounts.signBlob",
    "iam.serviceAccounts.signJwt",
)


@dataclass
class Report:
    """What was found. `ok`: the first list is exactly the attested set, and everything could be read."""

    can_decrypt: list[Holder] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)
    could_come_to: list[tuple[str, Holder]] = field(default_factory=list)
    pool: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    ring: str = ""

    @property
    def unexpected(self) -> list[Holder]:
        """Who can decrypt and is not an attested member on the release ring."""
        return [
            one
            for one in self.can_decrypt
            if one.member not in self.expected or one.on != self.ring or one.condition
        ]

    @property
    def missing(self) -> list[str]:
        """Attested members without the right."""
        held = {one.member for one in self.can_decrypt if one.on == self.ring and not one.condition}
        return [one for one in self.expected if one not in held]

    @property
    def ok(self) -> bool:
        """Whether the release keys open for attested machines alone."""
        return not (self.unexpected or self.missing or self.pool or self.unread)


def check(api: Api, settings: Settings) -> Report:
    """Read every policy that reaches the release keys."""
    policies, ring = Policies(api), names.key_ring(settings, "release")
    above = policies.above(settings.project)
    keys = [str(one["name"]) for one in api.pages("cloudkms", f"/v1/{ring}/cryptoKeys", "cryptoKeys")]
    reach = [*keys, ring, *above]
    report = Report(
        can_decrypt=policies.holders(reach, DECRYPT),
        expected=[names.attested_member(settings, digest) for digest in settings.approved_images],
        ring=ring,
        pool=_pool_faults(api, settings),
    )
    ways = [
        ("decrypt through a Google service", policies.holders(reach, THROUGH_A_SERVICE)),
        ("change a policy", policies.holders(reach, CHANGE_POLICY)),
        ("change who counts as attested", policies.holders(above, CHANGE_POOL)),
        ("change a role", policies.holders(above, CHANGE_ROLE)),
    ]
    report.could_come_to = [(how, holder) for how, holders in ways for holder in holders]
    report.could_come_to += _impersonators(policies, settings, above, report)
    report.unread = policies.unread
    return report


def _impersonators(
    policies: Policies, settings: Settings, above: list[str], report: Report
) -> list[tuple[str, Holder]]:
    """Who may act as an account of either list; accounts found so are looked at in turn."""
    found: list[tuple[str, Holder]] = []
    waiting = [one.member for one in report.can_decrypt] + [one.member for _, one in report.could_come_to]
    looked_at: set[str] = set()
    while waiting:
        kind, _, email = waiting.pop().partition(":")
        if kind != "serviceAccount" or email in looked_at:
            continue
        looked_at.add(email)
        own = email.endswith(f"@{settings.project}.iam.gserviceaccount.com")
        account = f"projects/{settings.project if own else '-'}/serviceAccounts/{email}"
        holders = policies.holders([account, *above] if own else [account], ACT_AS)
        found += [(f"act as {email}", one) for one in holders]
        waiting += [one.member for one in holders]
    return found


def _pool_faults(api: Api, settings: Settings) -> list[str]:
    """What is wrong with the pool: who gets its members' names besides attested machines of ours."""
    rules, pool = policy.load(), names.pool(settings)
    wanted = {
        "attributeCondition": policy.to_cel(rules, settings),
        "attributeMapping": policy.attribute_mapping(),
        "oidc": {"issuerUri": rules.issuer("google").iss, "allowedAudiences": [names.sts_audience(settings)]},
    }
    there = {
        str(one["name"]).rpartition("/")[2]: one
        for one in api.pages("iam", f"/v1/{pool}/providers", "workloadIdentityPoolProviders")
        if one.get("state", "ACTIVE") == "ACTIVE"
    }
    ours = there.pop(names.POOL_PROVIDER, None)
    faults = [f"another provider: {name}" for name in sorted(there)]
    if ours is None:
        return [*faults, f"no provider {names.POOL_PROVIDER}"]
    # A provider with key set of its own (oidc.jwksJson) differs in `oidc`, as it has to.
    return faults + [
        f"{names.POOL_PROVIDER}: {part} is not that of policy version {rules.version}"
        for part, value in wanted.items()
        if ours.get(part) != value
    ]
