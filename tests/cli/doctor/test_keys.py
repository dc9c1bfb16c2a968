"""`sealtrain doctor --keys` on a really deployed stand-in: the good state, and every way to spoil it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sealtrain.rules import names
from sealtrain.rules.settings import Settings

from cli.api import Api, Json
from cli.deploy.stand_in import Deployed
from cli.doctor import keys
from cli.doctor.iam import Policies
from cli.errors import CloudError
from cli.verbs import doctor_keys

STRANGER = "user:mallory@example.org"
DECRYPTER = "roles/cloudkms.cryptoKeyDecrypter"


@pytest.fixture
def settings(deployed: Deployed) -> Settings:
    return deployed.settings


@contextmanager
def granted(api: Api, service: str, on: str, role: str, member: str, **condition: str) -> Iterator[None]:
    """A binding more, for a while, by Google's API paths."""
    version = "v3" if service == "cloudresourcemanager" else "v1"
    path = f"/{version}/{on}"
    if service == "cloudkms":
        before = api.get(service, f"{path}:getIamPolicy", **{"options.requestedPolicyVersion": 3})
    else:
        before = api.post(service, f"{path}:getIamPolicy", {"options": {"requestedPolicyVersion": 3}})
    binding: Json = {"role": role, "members": [member]}
    if condition:
        binding["condition"] = condition
    bindings = [*before.get("bindings", []), binding]
    api.post(service, f"{path}:setIamPolicy", {"policy": {"version": 3, "bindings": bindings}})
    try:
        yield
    finally:
        policy = {"version": 3, "bindings": before.get("bindings", [])}
        api.post(service, f"{path}:setIamPolicy", {"policy": policy})


def test_a_fresh_deployment_opens_for_attested_machines_alone(api: Api, settings: Settings) -> None:
    """The first list is exactly one member per approved image, on the release ring."""
    report = keys.check(api, settings)
    assert report.ok, doctor_keys.lines(report)
    assert {one.member for one in report.can_decrypt} == {
        names.attested_member(settings, digest) for digest in settings.approved_images
    }
    assert settings.approved_images
    assert {one.on for one in report.can_decrypt} == {names.key_ring(settings, "release")}


def test_the_owner_stands_in_the_second_list_alone(api: Api, settings: Settings) -> None:
    """The person at the keyboard cannot decrypt, could change every policy, and is told so."""
    report = keys.check(api, settings)
    owners = {(how, one.member) for how, one in report.could_come_to}
    assert ("change a policy", "user:you@localhost") in owners
    assert ("change who counts as attested", "user:you@localhost") in owners
    assert ("change a role", "user:you@localhost") in owners
    assert {member for _, member in owners} == {"user:you@localhost"}


@pytest.mark.parametrize(
    ("where", "role"),
    [
        ("ring", DECRYPTER),
        ("ring", "roles/cloudkms.cryptoOperator"),
        ("project", "roles/cloudkms.cryptoKeyEncrypterDecrypter"),
        ("project", "roles/owner"),
    ],
)
def test_whoever_else_can_decrypt_is_found(api: Api, settings: Settings, where: str, role: str) -> None:
    """A grant on the ring or the project, by whatever role, is unexpected."""
    ring = names.key_ring(settings, "release")
    service, on = {
        "ring": ("cloudkms", ring),
        "project": ("cloudresourcemanager", f"projects/{settings.project}"),
    }[where]
    with granted(api, service, on, role, STRANGER):
        report = keys.check(api, settings)
    assert not report.ok
    assert [(one.member, one.on, one.role) for one in report.unexpected] == [(STRANGER, on, role)]
    assert "UNEXPECTED" in "\n".join(doctor_keys.lines(report))


def test_a_grant_on_one_key_is_found(api: Api, settings: Settings) -> None:
    """Keys of runs are looked at one by one."""
    ring = names.key_ring(settings, "release")
    api.call(
        "POST",
        "cloudkms",
        f"/v1/{ring}/cryptoKeys",
        body={"purpose": "ENCRYPT_DECRYPT"},
        params={"cryptoKeyId": "rdddddddddddd"},
    )
    with granted(api, "cloudkms", f"{ring}/cryptoKeys/rdddddddddddd", DECRYPTER, STRANGER):
        report = keys.check(api, settings)
    assert [one.on for one in report.unexpected] == [f"{ring}/cryptoKeys/rdddddddddddd"]


def test_a_condition_does_not_excuse_a_grant(api: Api, settings: Settings) -> None:
    """A binding that only sometimes holds can come to hold; for the attested set it takes away."""
    ring, attested = (
        names.key_ring(settings, "release"),
        names.attested_member(settings, "sha256:" + "9" * 64),
    )
    with granted(api, "cloudkms", ring, DECRYPTER, attested, title="t", expression="false"):
        assert [one.member for one in keys.check(api, settings).unexpected] == [attested]


def test_an_attested_member_without_the_right_is_missing(api: Api, settings: Settings) -> None:
    """An approved image whose machines could not open anything is told."""
    import msgspec

    more = msgspec.structs.replace(
        settings, approved_images=(*settings.approved_images, "sha256:" + "9" * 64)
    )
    report = keys.check(api, more)
    assert report.missing == [names.attested_member(more, "sha256:" + "9" * 64)]
    assert not report.ok


@pytest.mark.parametrize(
    ("service", "role", "how"),
    [
        ("cloudkms", "roles/cloudkms.admin", "change a policy"),
        ("cloudresourcemanager", "roles/resourcemanager.projectIamAdmin", "change a policy"),
        ("cloudresourcemanager", "roles/iam.workloadIdentityPoolAdmin", "change who counts as attested"),
        ("cloudresourcemanager", "roles/iam.roleAdmin", "change a role"),
    ],
)
def test_who_could_come_to_it_is_told_apart(
    api: Api, settings: Settings, service: str, role: str, how: str
) -> None:
    """Rights over policies, the pool and roles are no right to decrypt, and are listed."""
    on = names.key_ring(settings, "release") if service == "cloudkms" else f"projects/{settings.project}"
    with granted(api, service, on, role, STRANGER):
        report = keys.check(api, settings)
    assert report.ok
    assert (how, STRANGER) in {(way, one.member) for way, one in report.could_come_to}


def test_who_may_act_as_a_powerful_account_is_told(api: Api, settings: Settings) -> None:
    """Who may act as an account of the second list stands in it too, and so on."""
    ring = names.key_ring(settings, "release")
    workflow = names.service_account(settings, "workflow")
    push = names.service_account(settings, "push")
    accounts = f"projects/{settings.project}/serviceAccounts"
    creator, user = "roles/iam.serviceAccountTokenCreator", "roles/iam.serviceAccountUser"
    with (
        granted(api, "cloudkms", ring, "roles/cloudkms.admin", f"serviceAccount:{workflow}"),
        granted(api, "iam", f"{accounts}/{workflow}", creator, f"serviceAccount:{push}"),
        granted(api, "iam", f"{accounts}/{push}", user, STRANGER),
    ):
        found = {(how, one.member) for how, one in keys.check(api, settings).could_come_to}
    assert (f"act as {workflow}", f"serviceAccount:{push}") in found
    assert (f"act as {push}", STRANGER) in found


def test_a_changed_or_second_provider_is_found(api: Api, settings: Settings) -> None:
    """The set means attested only while the pool has our provider, with our condition, alone."""
    pool = names.pool(settings)
    provider = f"/v1/{pool}/providers/{names.POOL_PROVIDER}"
    before = api.get("iam", provider)
    lax = {"attributeCondition": "true"}
    api.call("PATCH", "iam", provider, body=lax, params={"updateMask": "attributeCondition"})
    try:
        assert any("attributeCondition" in fault for fault in keys.check(api, settings).pool)
    finally:
        body = {"attributeCondition": before["attributeCondition"]}
        api.call("PATCH", "iam", provider, body=body, params={"updateMask": "attributeCondition"})
    assert keys.check(api, settings).ok


PARENTS = {"/v3/projects/p": "folders/1", "/v3/folders/1": "organizations/2", "/v3/organizations/2": ""}
BINDINGS = {"/v3/folders/1:getIamPolicy": [{"role": "roles/unknown", "members": [STRANGER]}]}


class Refusing:
    """Google's answers for a project under a folder that the caller may not look into."""

    def get(self, service: str, path: str) -> Json:
        assert service == "cloudresourcemanager"
        return {"parent": PARENTS[path]}

    def post(self, service: str, path: str, body: Json) -> Json:
        assert (service, body) == ("cloudresourcemanager", {"options": {"requestedPolicyVersion": 3}})
        if path not in BINDINGS:
            raise CloudError("denied", status=403)
        return {"bindings": BINDINGS[path]}


def test_what_may_not_be_read_is_told_and_never_taken_for_empty() -> None:
    """Policies above the project count; one that is refused, and a role that is, are not read."""
    policies = Policies(Refusing())  # type: ignore[arg-type]
    above = policies.above("p")
    assert above == ["projects/p", "folders/1", "organizations/2"]
    policies._roles["roles/unknown"] = None
    [holder] = policies.holders(above[1:], keys.DECRYPT)
    assert (holder.member, holder.permissions) == (STRANGER, tuple(sorted(keys.DECRYPT)))
    assert policies.unread == ["policy of organizations/2"]
    assert not keys.Report(unread=policies.unread).ok


def test_the_verb_answers_by_exit_code(
    api: Api,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """0 with exactly the attested set, 1 otherwise; JSON says the same."""
    monkeypatch.setattr(doctor_keys.place, "find", lambda *_: settings)
    assert doctor_keys.doctor_keys(as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True
    with granted(api, "cloudkms", names.key_ring(settings, "release"), DECRYPTER, STRANGER):
        assert doctor_keys.doctor_keys(as_json=True) == 1
    told = json.loads(capsys.readouterr().out)
    assert [one["member"] for one in told["can_decrypt"] if not one["expected"]] == [STRANGER]
