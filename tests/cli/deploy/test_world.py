"""The description of a deployment."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args

import celpy
import pytest
from celpy.adapter import json_to_cel
from sealtrain.rules import ledger, names, records, step_table
from sealtrain.rules.evidence import policy
from sealtrain.rules.settings import Settings

from cli.deploy.description import Grant, Parts, World
from cli.deploy.world import describe
from localcloud.identity.iam import predefined_roles

DIGEST = "sha256:" + "ab" * 32
SETTINGS = Settings(
    project="demo-project", project_number="100000000001", region="us-central1", approved_images=(DIGEST,)
)
PARTS = Parts(
    owner="user:owner@example.org",
    archive="functions-0.zip",
    workflows={"train": "main: {}", "tear_down": "main: {}"},
    environment={"SEALTRAIN_PROJECT": "demo-project"},
)


@pytest.fixture(scope="module")
def world() -> World:
    """The description for a plain deployment."""
    return describe(SETTINGS, PARTS)


def held_by(world: World, member: str) -> list[Grant]:
    """A member's grants."""
    return [grant for grant in world.grants if grant.member == member]


def permissions(world: World, role: str) -> set[str]:
    """A role's permissions: our own, or Google's. A role that is neither fails."""
    for resource in world.resources:
        if resource.name == role:
            return set(resource.body["includedPermissions"])
    return set(predefined_roles()[role])


def test_every_function_is_deployed_under_an_account_of_its_own(world: World) -> None:
    """One account per function, and no function runs as another."""
    accounts = {r.name.rpartition("/")[2] for r in world.resources if r.kind == "account"}
    used = [r.body["serviceConfig"]["serviceAccountEmail"] for r in world.resources if r.kind == "function"]
    assert len(used) == len(set(used)) == len(step_table.FUNCTIONS)
    assert set(used) <= accounts


@pytest.mark.parametrize("function", step_table.FUNCTIONS, ids=lambda row: row.name)
def test_a_function_holds_exactly_what_its_row_says(world: World, function: step_table.Function) -> None:
    """Neither more nor less than the step table grants."""
    member = f"serviceAccount:{names.service_account(SETTINGS, function.name)}"
    granted = set().union(*(permissions(world, grant.role) for grant in held_by(world, member)))
    assert granted == {p for line in function.grants for p in line.permissions}


@pytest.mark.parametrize("function", step_table.FUNCTIONS, ids=lambda row: row.name)
def test_only_its_invokers_call_a_function(world: World, function: step_table.Function) -> None:
    """The right to call stands on the one service."""
    on = f"/services/{names.hyphened(function.name)}"
    callers = {grant.member for grant in world.grants if grant.on.endswith(on)}
    assert callers == {
        f"serviceAccount:{names.service_account(SETTINGS, word)}" for word in function.invokers
    }


def test_every_grant_says_why(world: World) -> None:
    """A grant without a reason cannot be reviewed."""
    assert [grant for grant in world.grants if not grant.reason.strip()] == []


def test_nobody_is_everybody_and_no_role_is_basic(world: World) -> None:
    """No allUsers, no owner, editor or viewer, no role that changes IAM."""
    wide = re.compile(r"roles/(owner|editor|viewer|.*[aA]dmin)$|^all(Authenticated)?Users$")
    assert [g for g in world.grants if wide.search(g.role) or wide.search(g.member)] == []
    custom = {p for r in world.resources if r.kind == "role" for p in r.body["includedPermissions"]}
    assert [p for p in custom if p.endswith("setIamPolicy")] == []


def test_only_the_attested_members_decrypt_on_the_release_ring(world: World) -> None:
    """One grant per approved digest; nothing on the project or on a key gives it otherwise."""
    ring = names.key_ring(SETTINGS, "release")
    decrypt = [
        grant
        for grant in world.grants
        if "cloudkms.cryptoKeyVersions.useToDecrypt" in permissions(world, grant.role)
    ]
    on_release = [g for g in decrypt if g.on.startswith(ring) or g.on == "projects/demo-project"]
    assert [(g.on, g.member) for g in on_release] == [(ring, names.attested_member(SETTINGS, DIGEST))]


def test_the_owner_alone_opens_models_and_the_workload_only_seals_them(world: World) -> None:
    """The workload encrypts with the owner's key and cannot decrypt."""
    on_key = [grant for grant in world.grants if grant.on == names.owner_key(SETTINGS)]
    held: dict[str, set[str]] = {}
    for grant in on_key:
        held.setdefault(grant.member, set()).update(permissions(world, grant.role))
    assert held == {
        "user:owner@example.org": {
            "cloudkms.cryptoKeyVersions.useToDecrypt",
            "cloudkms.cryptoKeyVersions.useToEncrypt",
        },
        f"serviceAccount:{names.service_account(SETTINGS, 'workload')}": {
            "cloudkms.cryptoKeyVersions.useToEncrypt"
        },
    }


def test_nobody_deletes_or_overwrites_state_and_evidence(world: World) -> None:
    """Creating without deleting is what makes both write-once."""
    write_once = {f"projects/_/buckets/{b(SETTINGS)}" for b in (names.state_bucket, names.evidence_bucket)}
    held = {p for grant in world.grants if grant.on in write_once for p in permissions(world, grant.role)}
    assert held <= {"storage.objects.create", "storage.objects.get", "storage.objects.list"}


RUN = "r0123456789ab"
# Who creates which record of a run; nobody else may.
MAKER_OF = {
    **{names.claim(RUN): "admit_run", names.job(RUN): "admit_run", names.plan(RUN): "plan_capacity"},
    **{names.order(RUN): "seal_dataset", names.held(RUN, "sha256:ab"): "seal_dataset"},
    names.place_key(RUN): "seal_dataset",
    **{names.release(RUN): "submit_job", names.completion(RUN): "record_completion"},
    **{names.teardown(RUN): "tear_down", names.stopped(RUN): "tear_down"},
    "paused/2026-11/500.00.pause.json": "guard_budget",
}
WITNESS_OF = {
    **{names.token(RUN): "workload", names.receipt(RUN): "workload"},
    **{names.verdict(RUN): "verify_evidence", names.lost(RUN): "verify_evidence"},
    records.published(RUN): "publish_model",
    **{names.log_entry(RUN, "1x"): "record_attestation", names.alert(RUN, "1x"): "record_attestation"},
    **{names.judgement(RUN, 1): "record_attestation"},
    names.proof(RUN): "tear_down",
    **dict.fromkeys(
        (
            names.bundle(RUN),
            names.report(RUN, "json"),
            names.report(RUN, "html"),
            names.resources(RUN),
            names.closed(RUN),
            names.next_attempt(RUN, "r0123456789ac"),
        ),
        "close_run",
    ),
    ledger.object_name(RUN, "instance", "projects/p/zones/z/instances/m", "listed"): "start_vm",
    **{
        ledger.object_name(RUN, kind, f"projects/p/zones/z/{kind}s/m", phase): maker
        for kind, maker in {
            "key": "create_key",
            "bucket": "create_bucket",
            "reservation": "reserve_capacity",
            "template": "reserve_capacity",
            "group": "reserve_capacity",
            "request": "reserve_capacity",
            "instance": "start_vm",
        }.items()
        for phase in ("intent", "made", "refused")
    },
    **{
        ledger.object_name(RUN, kind, f"projects/p/zones/z/{kind}s/m", "gone"): "tear_down"
        for kind in get_args(ledger.Kind)
    },
    "reports/20261122T000000Z_20261123T000000Z.json": "report_compliance",
}


def may_create(world: World, bucket_name: str, name: str) -> set[str]:
    """The accounts whose grants allow them to create an object of this name, by the conditions' CEL."""
    full = f"projects/_/buckets/{bucket_name}/objects/{name}"
    found = set()
    for grant in world.grants:
        above = grant.on in {"projects/demo-project", f"projects/_/buckets/{bucket_name}"}
        creates = above and "storage.objects.create" in permissions(world, grant.role)
        if creates and (not grant.condition or holds(grant.condition, full)):
            found.add(grant.member)
    return found


def holds(condition: str, resource: str) -> bool:
    """What an IAM condition says of a resource."""
    facts = json_to_cel({"name": resource})
    return bool(compiled(condition).evaluate({"resource": facts}))


@lru_cache(maxsize=256)
def compiled(condition: str) -> Any:
    environment = celpy.Environment()
    return environment.program(environment.compile(condition))


@pytest.mark.parametrize(
    ("of", "owners"), [(names.state_bucket, MAKER_OF), (names.evidence_bucket, WITNESS_OF)]
)
def test_each_record_has_one_account_that_may_create_it(
    world: World, of: Callable[[Settings], str], owners: dict[str, str]
) -> None:
    """A verdict is verify_evidence's word, a proof tear_down's; no other account can put one there."""
    able = {name: may_create(world, of(SETTINGS), name) for name in owners}
    assert able == {
        name: {f"serviceAccount:{names.service_account(SETTINGS, word)}"} for name, word in owners.items()
    }


def test_a_machine_writes_where_nothing_is_listed(world: World) -> None:
    """Whatever it is called: below `shown/`, which no function lists; and it reads no key of a place."""
    workload = f"serviceAccount:{names.service_account(SETTINGS, 'workload')}"
    bucket = names.evidence_bucket(SETTINGS)
    for name in ("token.json", "ledger/x/evidence/token.json", "logs/token.json", "evidence/receipt.json"):
        assert workload not in may_create(world, bucket, f"runs/{RUN}/{name}")
    assert may_create(world, bucket, f"{names.shown_prefix(RUN)}00001-ab/token.json") == {workload}
    listed = re.compile(r"storage\.list\((?:[^()]|\([^()]*\))*shown")
    code = Path(names.__file__).parents[1].rglob("*.py")
    assert [file.name for file in code if listed.search(file.read_text())] == []
    own = f"projects/_/buckets/{names.state_bucket(SETTINGS)}/objects/{names.place_key(RUN)}"
    readers = [g for g in world.grants if g.member == workload and g.on == own.partition("/objects")[0]]
    assert readers
    assert not any(holds(grant.condition, own) for grant in readers)


def test_every_record_a_function_may_create_is_one_that_is_known(world: World) -> None:
    """The endings of the grants are those of the records above: none is left over."""
    endings = {e for row in step_table.FUNCTIONS for grant in row.grants for e in grant.endings}
    known = [*MAKER_OF, *WITNESS_OF]
    assert [ending for ending in endings if not any(name.endswith(ending) for name in known)] == []


def test_a_condition_is_within_the_platforms_limits(world: World) -> None:
    """IAM takes at most 12 logical operators in one condition."""
    assert max(len(re.findall(r"&&|\|\|", grant.condition)) for grant in world.grants) <= 12


def test_nobody_may_write_log_entries(world: World) -> None:
    """An alarm in the platform's log tears a run down: no account of ours writes one, least of all a VM's."""
    may = [
        grant for grant in world.grants if "logging.logEntries.create" in permissions(world, grant.role)
    ]
    assert may == []


def test_a_right_on_sealed_buckets_ends_at_their_prefix(world: World) -> None:
    """Storage rights on the project bear the prefix, but for making and listing buckets."""
    unconditional = {
        permission
        for grant in world.grants
        if grant.on == "projects/demo-project" and not grant.condition
        for permission in permissions(world, grant.role)
        if permission.startswith("storage.")
    }
    assert unconditional == {"storage.buckets.create", "storage.buckets.list"}


def test_every_bucket_is_private_and_under_our_key(world: World) -> None:
    """Uniform access, no public access, our own key; evidence under another one."""
    for resource in [r for r in world.resources if r.kind == "bucket"]:
        access, encryption = resource.body["iamConfiguration"], resource.body["encryption"]
        assert access["uniformBucketLevelAccess"] == {"enabled": True}
        assert access["publicAccessPrevention"] == "enforced"
        outlives = resource.name.endswith(("-evidence", "-access-logs"))
        ring = "evidence" if outlives else "storage"
        assert encryption["defaultKmsKeyName"].startswith(names.key_ring(SETTINGS, ring))


def test_the_inbox_keeps_no_copies_and_evidence_is_retained(world: World) -> None:
    """What an owner deletes is gone; what is evidence stays."""
    bodies = {r.name: r.body for r in world.resources if r.kind == "bucket"}
    inbox, evidence = bodies[names.inbox_bucket(SETTINGS)], bodies[names.evidence_bucket(SETTINGS)]
    assert inbox["softDeletePolicy"] == {"retentionDurationSeconds": "0"}
    assert inbox["versioning"] == {"enabled": False}
    assert int(evidence["retentionPolicy"]["retentionPeriod"]) >= 365 * 86_400


def test_every_topic_is_read_and_every_push_gives_up_into_the_dead_letters(world: World) -> None:
    """A topic that nobody reads loses its messages."""
    topics = {r.name for r in world.resources if r.kind == "topic"}
    subscriptions = [r.body for r in world.resources if r.kind == "subscription"]
    assert {body["topic"] for body in subscriptions} == topics
    pushes = [body for body in subscriptions if "pushConfig" in body]
    assert all(body["deadLetterPolicy"]["deadLetterTopic"].endswith("-dead-letters") for body in pushes)
    assert all(body["pushConfig"]["oidcToken"]["audience"] for body in pushes)


def test_a_push_has_as_long_as_its_function(world: World) -> None:
    """A delivery is not repeated while the function still works on it."""
    deadlines = {
        r.name: r.body["ackDeadlineSeconds"]
        for r in world.resources
        if r.kind == "subscription" and "pushConfig" in r.body
    }
    for row in step_table.LISTENERS:
        if row.trigger.startswith("topic:"):
            name = names.subscription(SETTINGS, row.trigger.removeprefix("topic:"))
            assert deadlines[name] >= row.timeout_s


def test_the_pool_has_the_policys_condition(world: World) -> None:
    """The condition is generated, never written twice."""
    provider = next(r for r in world.resources if r.kind == "provider")
    assert provider.body["attributeCondition"] == policy.to_cel(policy.load(), SETTINGS)
    assert provider.body["oidc"]["allowedAudiences"] == [names.sts_audience(SETTINGS)]


def test_account_ids_and_role_ids_fit_googles_limits(world: World) -> None:
    """With a name of nine characters, the longest that a deployment may have."""
    assert len(SETTINGS.deployment) == 9
    for resource in world.resources:
        short = resource.name.rpartition("/")[2]
        if resource.kind == "account":
            assert 6 <= len(short.partition("@")[0]) <= 30
        if resource.kind == "role":
            assert re.fullmatch(r"[a-zA-Z0-9_.]{3,64}", short)


def test_a_resource_stands_after_what_it_refers_to(world: World) -> None:
    """No name of a later resource occurs in an earlier one's body."""
    text = [str(resource.body) for resource in world.resources]
    for index, resource in enumerate(world.resources):
        if resource.kind in ("key", "topic"):
            assert not any(resource.name in earlier for earlier in text[:index])


def test_nothing_of_the_placeholders_is_left(world: World) -> None:
    """Every word of the file was filled: nothing of what Terraform was applied over, and no open word."""
    told = str([(r.name, r.body) for r in world.resources if r.kind != "workflow"]) + str(world.grants)
    words = r"\{(?:project|number|image|images|owner|root|trainer|archive)\}"
    left = re.findall(rf"placeholder|1{{12}}|{words}", told)
    assert left == []


def test_every_approved_image_has_a_grant_of_its_own() -> None:
    """Two images, two members on the release ring; none, none."""
    import msgspec

    digests = (DIGEST, "sha256:" + "cd" * 32)
    for approved in (digests, ()):
        settings = msgspec.structs.replace(SETTINGS, approved_images=approved)
        grants = describe(settings, PARTS).grants
        members = {g.member for g in grants if g.member.startswith("principalSet:")}
        assert members == {names.attested_member(settings, digest) for digest in approved}
