"""Can this project take a deployment and run it? Looked at before anything is spent.

- Each check asks one API of Google's, and gives one line or a few.
- What an API does not answer (no right, or the stand-in does not imitate it) is a warning, never an ok.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sealtrain.rules import names, shapes
from sealtrain.rules.settings import Settings

from cli.api import Api, Json
from cli.called import called
from cli.deploy.world import describe_agents
from cli.doctor import keys, mending
from cli.doctor.line import Line, fail, ok, warn
from cli.errors import CloudError

# As in terraform_min/apis.tf; a test compares them.
APIS = (
    *("artifactregistry", "bigquery", "billingbudgets", "cloudbuild", "cloudfunctions", "cloudkms"),
    *("cloudresourcemanager", "cloudscheduler", "compute", "confidentialcomputing", "dns", "eventarc"),
    *("iam", "iamcredentials", "logging", "monitoring", "pubsub", "run", "storage", "sts"),
    *("workflowexecutions", "workflows"),
)
IMAGES = "confidential-space-images"
FAMILY = "confidential-space"
# Quota by name -> what it is for. Confidential A3 machines are had by flex-start or Spot: preemptible quota.
QUOTAS = {
    "N2D_CPUS": "n2d-standard machines",
    "PREEMPTIBLE_NVIDIA_H100_GPUS": "a3-highgpu-1g by flex-start or Spot",
}
_RESTRICTING = {
    "constraints/gcp.resourceLocations": "where anything may lie",
    "constraints/iam.allowedPolicyMemberDomains": "whom a grant may name",
    "constraints/compute.vmExternalIpAccess": "external addresses, which nothing here has",
    "constraints/iam.workloadIdentityPoolProviders": "which issuers a pool may trust",
}


def check(api: Api, settings: Settings) -> Iterator[Line]:
    """All lines, in the order in which they stop a deployment, each as soon as it is known."""
    checks: dict[str, Callable[[Api, Settings], Iterator[Line]]] = {
        "project": _project,
        "billing": _billing,
        "APIs": _apis,
        "service agents": _agents,
        "who can decrypt": _decrypt,
        "quotas": _quotas,
        "organisation policies": _policies,
        "image": _image,
        "residency": _residency,
        "capacity": _capacity,
    }
    for name, look in checks.items():
        try:
            yield from look(api, settings)
        except CloudError as error:
            yield warn(name, f"could not be seen: {error}", mending.to_see(name, error, settings))


def _project(api: Api, s: Settings) -> Iterator[Line]:
    found = api.get("cloudresourcemanager", f"/v3/projects/{s.project}")
    number = str(found["name"]).rpartition("/")[2]
    if found.get("state", "ACTIVE") != "ACTIVE":
        yield fail("project", f"{s.project} is {found['state']}", f"gcloud projects undelete {s.project}")
    elif number != s.project_number:
        told = f"{s.project} has the number {number}, the settings say {s.project_number}"
        yield fail("project", told, f"export SEALTRAIN_PROJECT_NUMBER={number}")
    else:
        yield ok("project", f"{s.project} ({number})")


def _billing(api: Api, s: Settings) -> Iterator[Line]:
    found = api.get("cloudbilling", f"/v1/projects/{s.project}/billingInfo")
    if found.get("billingEnabled"):
        yield ok("billing", str(found["billingAccountName"]))
    else:
        mend = f"gcloud billing projects link {s.project} --billing-account ACCOUNT"
        yield fail("billing", "no billing account is linked", mend)


def _apis(api: Api, s: Settings) -> Iterator[Line]:
    wanted = [f"{one}.googleapis.com" for one in APIS]
    names = [f"projects/{s.project}/services/{one}" for one in wanted]
    found = [
        one
        for start in range(0, len(names), 20)  # as many as one call takes
        for one in api.get(
            "serviceusage", f"/v1/projects/{s.project}/services:batchGet", names=names[start : start + 20]
        )["services"]
    ]
    off = [str(one["name"]).rpartition("/")[2] for one in found if one.get("state") != "ENABLED"]
    if off:
        mend = f"gcloud services enable {' '.join(off)} --project {s.project}"
        yield fail("APIs", f"off: {', '.join(off)}", mend)
    else:
        yield ok("APIs", f"{len(wanted)} are on")


def _agents(api: Api, s: Settings) -> Iterator[Line]:
    """Google's agents that use our key: the grant can only be made when they exist."""
    key, agents = describe_agents(s)
    policy = api.find("cloudkms", f"/v1/{key}:getIamPolicy")
    if policy is None:
        yield warn("service agents", "nothing is deployed yet: there is no storage key", mending.again(s))
        return
    granted = {member for binding in policy.get("bindings", []) for member in binding["members"]}
    for member in agents:
        if member in granted:
            yield ok("service agent", f"{member} may use the storage key")
        else:
            mend = f"{mending.make_agent(s, member)}; then {mending.again(s)}"
            yield fail("service agent", f"{member} may not use the storage key", mend)


def _decrypt(api: Api, s: Settings) -> Iterator[Line]:
    """Attested machines and nobody else; `doctor --keys` tells the rest."""
    if api.find("cloudkms", f"/v1/{names.key_ring(s, 'release')}") is None:
        yield warn("who can decrypt", "nothing is deployed yet: there is no release key", mending.again(s))
        return
    report, mend = keys.check(api, s), f"{called()} doctor --keys"
    others = ", ".join(sorted({one.member for one in report.unexpected}))
    wrong = [f"{others} can" if others else "", *report.pool, *(f"{one} cannot" for one in report.missing)]
    if any(wrong):
        yield fail("who can decrypt", "; ".join(filter(None, wrong)), mend)
    elif report.unread:
        yield warn("who can decrypt", f"not read: {', '.join(report.unread)}", mend)
    else:
        yield ok("who can decrypt", "attested machines of approved images, and nobody else")


def _quotas(api: Api, s: Settings) -> Iterator[Line]:
    region = api.get("compute", f"/compute/v1/projects/{s.project}/regions/{s.region}")
    held: dict[str, Json] = {str(one["metric"]): one for one in region.get("quotas", [])}
    for name, purpose in QUOTAS.items():
        limit, used = held.get(name, {}).get("limit", 0), held.get(name, {}).get("usage", 0)
        if limit > used:
            yield ok("quota", f"{name} in {s.region}: {used:g} of {limit:g} used ({purpose})")
        else:
            page = f"https://console.cloud.google.com/iam-admin/quotas?project={s.project}"
            mend = f"ask for {name} in {s.region}: {page}"
            yield warn("quota", f"{name} in {s.region}: {used:g} of {limit:g} used; no {purpose}", mend)


def _policies(api: Api, s: Settings) -> Iterator[Line]:
    for constraint, about in _RESTRICTING.items():
        short = constraint.removeprefix("constraints/")
        found = api.get("orgpolicy", f"/v2/projects/{s.project}/policies/{short}:getEffectivePolicy")
        rules = found.get("spec", {}).get("rules", [])
        if any(rule.get("denyAll") or rule.get("values") for rule in rules):
            mend = f"gcloud org-policies describe {short} --effective --project {s.project}"
            yield warn("organisation policy", f"{short} restricts {about}", mend)
        else:
            yield ok("organisation policy", f"{short} restricts nothing")


def _image(api: Api, _: Settings) -> Iterator[Line]:
    found = api.get("compute", f"/compute/v1/projects/{IMAGES}/global/images/family/{FAMILY}")
    features = {str(one["type"]) for one in found.get("guestOsFeatures", [])}
    missing = {"SEV_CAPABLE", "TDX_CAPABLE"} - features
    if missing:
        told = f"{found['name']} lacks {', '.join(sorted(missing))}"
        yield fail("image", told, f"gcloud compute images list --project {IMAGES} --no-standard-images")
    else:
        yield ok("image", f"{found['name']} runs under SEV and TDX")


def _residency(_: Api, s: Settings) -> Iterator[Line]:
    here = [name for name, shape in shapes.SHAPES.items() if shapes.zones_in(shape, s.region)]
    if here:
        gpu = "a3-highgpu-1g" in here
        yield ok(
            "residency",
            f"{len(here)} machines in {s.region}{', one with a GPU' if gpu else ', none with a GPU'}",
        )
    else:
        regions = sorted({z[:-2] for shape in shapes.SHAPES.values() for z in shape.zones})
        yield fail(
            "residency", f"no confidential machine in {s.region}", f"deploy in one of {', '.join(regions)}"
        )


def _capacity(api: Api, s: Settings) -> Iterator[Line]:
    """Google's own advice on where a Spot or flex-start machine is likely to be had."""
    body = {
        "distributionPolicy": {"targetShape": "ANY"},
        "instanceFlexibilityPolicy": {"instanceSelections": {"gpu": {"machineTypes": ["a3-highgpu-1g"]}}},
        "instanceProperties": {"scheduling": {"provisioningModel": "SPOT"}},
        "size": 1,
    }
    found = api.post("compute", f"/compute/v1/projects/{s.project}/regions/{s.region}/advice/capacity", body)
    likely = [one.get("scores", {}).get("obtainability") for one in found.get("recommendations", [])]
    best = max((one for one in likely if one is not None), default="unknown")
    told = f"a3-highgpu-1g in {s.region}: obtainability {best}"
    yield ok("capacity", told) if likely else warn("capacity", told, "plan for other regions, or for waiting")
