"""The doctor on a deployment: well when it is, and each planted fault told with the command that mends it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from sealtrain.rules import names
from sealtrain.rules.settings import Settings

from cli import objects, run_records
from cli.api import Api
from cli.deploy.stand_in import MACHINE_ENV, Deployed, deploy
from cli.doctor import canary, deployed
from cli.doctor.line import Line
from cli.stand_in import StandIn


class Broken:
    """A deployment with every fault at once, and what the doctor says of it."""

    def __init__(self, api: Api, settings: Settings) -> None:
        self.api, self.settings = api, settings
        for plant, *_ in FAULTS.values():
            plant(api, settings)
        self.lines = deployed.check(api, settings)


def change_bucket(word: str, **body: Any) -> Callable[[Api, Settings], None]:
    """A bucket's settings changed by hand."""

    def plant(api: Api, s: Settings) -> None:
        api.call("PATCH", "storage", f"/storage/v1/b/sealtrain-{s.project}-{word}", body=body)

    return plant


def disable_key(api: Api, s: Settings) -> None:
    """The storage key's version switched off."""
    path = f"/v1/{names.storage_key(s)}/cryptoKeyVersions/1"
    api.call("PATCH", "cloudkms", path, body={"state": "DISABLED"}, params={"updateMask": "state"})


def slow_rotation(api: Api, s: Settings) -> None:
    """A key that rotates once a year."""
    key = f"/v1/{names.key_ring(s, 'evidence')}/cryptoKeys/storage"
    api.call(
        "PATCH",
        "cloudkms",
        key,
        body={"rotationPeriod": "31536000s"},
        params={"updateMask": "rotationPeriod"},
    )


def pause_sweep(api: Api, s: Settings) -> None:
    """Nobody looks for what outlives its run."""
    location = f"projects/{s.project}/locations/{s.region}"
    api.post("cloudscheduler", f"/v1/{location}/jobs/sealtrain-sweep-requests:pause")


def remove_report(api: Api, s: Settings) -> None:
    """The report's schedule removed."""
    location = f"projects/{s.project}/locations/{s.region}"
    api.call("DELETE", "cloudscheduler", f"/v1/{location}/jobs/sealtrain-report-requests")


def widen_pool(api: Api, s: Settings) -> None:
    """The pool takes any token of the issuer."""
    path = f"/v1/{names.pool(s)}/providers/{names.POOL_PROVIDER}"
    body = {"attributeCondition": 'assertion.swname == "CONFIDENTIAL_SPACE"'}
    api.call("PATCH", "iam", path, body=body, params={"updateMask": "attributeCondition"})


def remove_subscription(api: Api, s: Settings) -> None:
    """Completions reach nobody."""
    api.call("DELETE", "pubsub", f"/v1/{names.subscription(s, 'job-events')}")


def take_grant(api: Api, s: Settings) -> None:
    """The workload may not tell its end any more."""
    topic = names.topic(s, "job-events")
    api.post("pubsub", f"/v1/{topic}:setIamPolicy", {"policy": {"bindings": []}})


def open_function(api: Api, s: Settings) -> None:
    """Anybody may call a step."""
    service = f"projects/{s.project}/locations/{s.region}/services/submit-job"
    policy = api.get("run", f"/v2/{service}:getIamPolicy")
    bindings = [*policy["bindings"], {"role": "roles/run.invoker", "members": ["allUsers"]}]
    api.post("run", f"/v2/{service}:setIamPolicy", {"policy": {**policy, "bindings": bindings}})


def let_decrypt(api: Api, s: Settings) -> None:
    """A function may open data keys without attestation."""
    ring = names.key_ring(s, "release")
    policy = api.get("cloudkms", f"/v1/{ring}:getIamPolicy", **{"options.requestedPolicyVersion": 3})
    member = f"serviceAccount:{names.service_account(s, 'sweep')}"
    bindings = [*policy["bindings"], {"role": "roles/cloudkms.cryptoKeyDecrypter", "members": [member]}]
    api.post("cloudkms", f"/v1/{ring}:setIamPolicy", {"policy": {**policy, "bindings": bindings}})


def change_workflow(api: Api, s: Settings) -> None:
    """A workflow that does nothing."""
    body = {"sourceContents": "main:\n  steps:\n    - done:\n        return: nothing\n"}
    path = f"/v1/{names.workflow(s, 'tear_down')}"
    api.call("PATCH", "workflows", path, body=body, params={"updateMask": "sourceContents"})


# name: (what is done, the line that has to say it, what it has to say, the command that has to be told)
FAULTS: dict[str, tuple[Callable[[Api, Settings], None], str, str, str]] = {
    "public access possible": (
        change_bucket(
            "models",
            iamConfiguration={
                "publicAccessPrevention": "inherited",
                "uniformBucketLevelAccess": {"enabled": True},
            },
        ),
        "bucket sealtrain-demo-project-models",
        "iamConfiguration: got",
        "gcloud storage buckets update gs://sealtrain-demo-project-models --uniform-bucket-level-access "
        "--public-access-prevention",
    ),
    "no key of ours": (
        change_bucket("state", encryption=None),
        "bucket sealtrain-demo-project-state",
        "encryption: got None",
        "gcloud storage buckets update gs://sealtrain-demo-project-state --default-encryption-key projects/",
    ),
    "short retention": (
        change_bucket("evidence", retentionPolicy={"retentionPeriod": "60"}),
        "bucket sealtrain-demo-project-evidence",
        "retentionPolicy: got",
        "gcloud storage buckets update gs://sealtrain-demo-project-evidence --retention-period 31536000s",
    ),
    "copies in the inbox": (
        change_bucket("inbox", versioning={"enabled": True}),
        "bucket sealtrain-demo-project-inbox",
        "versioning: got {'enabled': True}",
        "gcloud storage buckets update gs://sealtrain-demo-project-inbox --no-versioning",
    ),
    "key switched off": (
        disable_key,
        "key storage",
        "is switched off",
        "gcloud kms keys versions enable 1 --key storage --keyring sealtrain-storage --location us-central1",
    ),
    "key that hardly rotates": (
        slow_rotation,
        "key storage",
        "rotationPeriod: got 31536000s, expected 2592000s",
        "gcloud kms keys update storage --keyring sealtrain-evidence --rotation-period 2592000s",
    ),
    "sweep paused": (
        pause_sweep,
        "job sealtrain-sweep-requests",
        "is switched off",
        "gcloud scheduler jobs resume sealtrain-sweep-requests --location us-central1",
    ),
    "schedule gone": (remove_report, "job sealtrain-report-requests", "does not exist", "sealtrain up"),
    "pool opened": (
        widen_pool,
        "provider attestation-verifier",
        "attributeCondition: got",
        "gcloud iam workload-identity-pools providers update-oidc attestation-verifier --location global "
        "--workload-identity-pool sealtrain-attested",
    ),
    "subscription gone": (
        remove_subscription,
        "subscription sealtrain-job-events-push",
        "does not exist",
        "sealtrain up",
    ),
    "grant taken away": (
        take_grant,
        "grant on projects/demo-project/topics/sealtrain-job-events",
        "tells that the training ended",
        "gcloud pubsub topics add-iam-policy-binding sealtrain-job-events --member "
        "serviceAccount:sealtrain-workload@demo-project.iam.gserviceaccount.com",
    ),
    "step open to everybody": (
        open_function,
        "grant on projects/demo-project/locations/us-central1/services/submit-job",
        "allUsers holds roles/run.invoker, which nothing describes",
        "gcloud run services remove-iam-policy-binding submit-job --region us-central1 --member allUsers",
    ),
    "decryption without attestation": (
        let_decrypt,
        "grant on projects/demo-project/locations/us-central1/keyRings/sealtrain-release",
        "holds roles/cloudkms.cryptoKeyDecrypter, which nothing describes",
        "gcloud kms keyrings remove-iam-policy-binding sealtrain-release --location us-central1",
    ),
    "another workflow": (change_workflow, "workflow tear_down", "sourceContents: got main:", "sealtrain up"),
}


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broken]:
    """A stand-in of its own, with all faults planted."""
    with StandIn(tmp_path_factory.mktemp("broken"), 0, MACHINE_ENV) as running:
        made = deploy(running.ready, running.state, ())
        yield Broken(Api(made.settings), made.settings)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found_with_what_mends_it(fault: str, broken: Broken) -> None:
    """The line fails, says what is wrong, and tells the command."""
    _, name, told, mend = FAULTS[fault]
    found = [line for line in broken.lines if line.name == name and told in line.told]
    assert [line.state for line in found] == ["fail"], [line for line in broken.lines if line.state != "ok"]
    assert found[0].mend.startswith(mend)


def test_nothing_else_is_told_than_what_was_planted(broken: Broken) -> None:
    """No false alarm among the faults."""
    expected = {(name, told) for _, name, told, _ in FAULTS.values()}
    bad = [line for line in broken.lines if line.state != "ok"]
    strangers = [line for line in bad if not any(line.name == n and t in line.told for n, t in expected)]
    # Without its subscription, the topic's dead letters have no grant either.
    assert [line for line in strangers if "sealtrain-job-events-push" not in line.name] == []


def test_a_sound_deployment_is_well(api: Api, deployed: Deployed) -> None:
    """Every line is ok, with how much was looked at."""
    from cli.doctor.deployed import check

    lines = check(api, deployed.settings)
    assert [line for line in lines if line.state != "ok"] == []
    assert Line("function", "ok", "18 as described") in lines


def test_the_canary_comes_back(api: Api, deployed: Deployed) -> None:
    """An upload is seen, judged and refused; no object of it stays, and it does not count as a run."""
    assert [line.state for line in canary.check(api, deployed.settings, within_s=60)] == ["ok"]
    for bucket in (names.inbox_bucket(deployed.settings), names.state_bucket(deployed.settings)):
        assert objects.listing(api, bucket, "") == []
    assert run_records.run_ids(api, deployed.settings) == []


def test_what_stays_of_a_canary_is_told(api: Api, deployed: Deployed) -> None:
    """Who may not remove its claim learns of it: the sweep would take it for a run that never ended."""
    fault = {"api": "storage.objects.delete", "answer": 403, "match": {"object": "claim.json"}}
    api.post("control", "/_control/faults", fault)
    came, stays = canary.check(api, deployed.settings, within_s=60)
    assert (came.state, stays.state) == ("ok", "warn")
    (claim,) = objects.listing(api, names.state_bucket(deployed.settings), "runs/")
    assert claim.name in stays.told
    assert requests.delete(stays.mend.removeprefix("curl -X DELETE "), timeout=30).ok
    assert run_records.run_ids(api, deployed.settings) == []


def test_a_canary_that_nobody_sees_is_told(broken: Broken) -> None:
    """The key is back, but the listener may not be called any more."""
    s = broken.settings
    path = f"/v1/{names.storage_key(s)}/cryptoKeyVersions/1"
    mask = {"updateMask": "state"}
    broken.api.call("PATCH", "cloudkms", path, body={"state": "ENABLED"}, params=mask)
    service = f"projects/{s.project}/locations/{s.region}/services/start-run"
    broken.api.post("run", f"/v2/{service}:setIamPolicy", {"policy": {"bindings": []}})
    (line,) = canary.check(broken.api, s, within_s=3)
    assert line.state == "fail"
    assert line.mend.startswith("sealtrain logs r")
