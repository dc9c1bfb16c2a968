"""A virtual machine from its instance's insert to its end, with really started processes."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import jwt
import pytest
import requests
from cryptography import x509

from tests.localcloud.conftest import World, eventually
from tests.localcloud.machine.instances import PROJECT, client, gpu_template, status
from tests.localcloud.machine.launching import (
    ASK,
    console,
    ended,
    image_of,
    launch,
    logged,
    prepare,
    told,
)

ZONE = "us-central1-a"
NONCE = "n" * 20
PKI = json.dumps({"audience": "evidence", "token_type": "PKI", "nonces": [NONCE]})
OIDC = json.dumps({"audience": "exchange", "token_type": "OIDC"})


@pytest.fixture(scope="module")
def ready(world: World) -> World:
    prepare(world)
    return world


def verified(world: World, token: str) -> dict:
    """Claims of a PKI token whose chain leads to the published root."""
    chain = [
        x509.load_der_x509_certificate(base64.b64decode(item))
        for item in jwt.get_unverified_header(token)["x5c"]
    ]
    root = x509.load_pem_x509_certificate(
        requests.get(f"{world.cloud.endpoint}/_control/attestation-root", timeout=10).content
    )
    for certificate, issuer in zip(chain, [*chain[1:], root], strict=True):
        certificate.verify_directly_issued_by(issuer)
    assert chain[-1] == root
    assert "SIMULATED" in root.subject.rfc4514_string()
    key = chain[0].public_key()
    return jwt.decode(token, key, ["RS256"], audience="evidence")  # type: ignore[arg-type]


def test_a_workload_attests_itself_and_ends(ready: World, tmp_path: Path) -> None:
    """The token says what was launched, by whom, where; then the machine stops."""
    file, reference = tmp_path / "told", image_of(ready, ASK)
    launch(ready, "attests", reference, [str(file), PKI])
    text = ended(ready, "attests")
    [[code, token]] = told(file)["answers"]
    assert code == 200, text
    claims = verified(ready, token)
    got = client(ready, "Instances").get(project=PROJECT, zone=ZONE, instance="attests")
    assert claims["iss"] == "https://confidentialcomputing.googleapis.com"
    assert claims["eat_nonce"] == NONCE
    assert (claims["hwmodel"], claims["swname"]) == ("GCP_AMD_SEV", "CONFIDENTIAL_SPACE")
    assert claims["dbgstat"] == "disabled-since-boot"
    assert claims["exp"] - claims["iat"] == 3600
    assert claims["google_service_accounts"] == ["workload@demo-project.iam.gserviceaccount.com"]
    container, machine = claims["submods"]["container"], claims["submods"]["gce"]
    assert container["image_digest"] == reference.partition("@")[2]
    assert container["image_reference"] == reference
    assert container["cmd_override"] == [str(file), PKI]
    assert container["restart_policy"] == "Never"
    assert machine["instance_id"] == str(got.id)
    assert (machine["zone"], machine["project_number"]) == (ZONE, "100000000001")
    assert claims["submods"]["confidential_space"]["support_attributes"] == ["LATEST", "STABLE", "USABLE"]


def test_the_workload_sees_only_what_it_was_given(ready: World, tmp_path: Path) -> None:
    """Its environment: the image's, the machine's socket and endpoint, its metadata server."""
    file = tmp_path / "told"
    launch(ready, "sees", image_of(ready, ASK), [str(file)])
    ended(ready, "sees")
    env = told(file)["env"]
    assert env["ENDPOINT"] == ready.cloud.endpoint
    assert env["FROM_IMAGE"] == "yes"
    assert env["PYTHONPATH"].endswith("/root/app")
    names = set(env) - {"LC_CTYPE"}  # Python's own
    assert names == {
        "HOME", "LANG", "PATH", "PYTHONPATH", "FROM_IMAGE", "LAUNCHER", "ENDPOINT",
        "GCE_METADATA_HOST", "GCE_METADATA_IP", "HOSTNAME",
    }  # fmt: skip


def test_the_launcher_tells_its_life_in_the_log(ready: World, tmp_path: Path) -> None:
    """Log id, resource and words are the launcher's; the workload's own output is there, too."""
    launch(ready, "logs", image_of(ready, ASK), [str(tmp_path / "told")])
    ended(ready, "logs")
    got = client(ready, "Instances").get(project=PROJECT, zone=ZONE, instance="logs")
    wanted = f'resource.labels.instance_id="{got.id}"'
    entries = eventually(lambda: len(found := logged(ready, wanted)) >= 5 and found)
    messages = [entry["jsonPayload"]["MESSAGE"] for entry in entries]
    assert {"TEE container launcher initiating", "asking", "Workload completed"} <= set(messages)
    last = next(e for e in entries if e["jsonPayload"]["MESSAGE"] == "TEE container launcher exiting")
    assert last["jsonPayload"]["exit_code"] == 0
    assert last["logName"].endswith("/logs/confidential-space-launcher")
    assert last["resource"]["type"] == "gce_instance"


def test_every_token_leaves_an_audit_entry(ready: World, tmp_path: Path) -> None:
    """Admin Activity of the attestation service, naming the machine's account."""
    launch(ready, "audited", image_of(ready, ASK), [str(tmp_path / "told"), PKI])
    ended(ready, "audited")
    entries = logged(ready, 'protoPayload.serviceName="confidentialcomputing.googleapis.com"')
    methods = {entry["protoPayload"]["methodName"].rpartition(".")[2] for entry in entries}
    assert methods == {"CreateChallenge", "VerifyAttestation"}
    principals = {entry["protoPayload"]["authenticationInfo"]["principalEmail"] for entry in entries}
    assert principals == {"workload@demo-project.iam.gserviceaccount.com"}


def test_a_gpu_machine_says_tdx_and_its_gpu(ready: World, tmp_path: Path) -> None:
    """a3-highgpu-1g: GCP_INTEL_TDX with a GPU in confidential mode."""
    file, properties = tmp_path / "told", gpu_template(ready)
    for key in ("labels", "network_interfaces", "service_accounts"):
        properties.pop(key)
    properties["machine_type"] = f"zones/{ZONE}/machineTypes/a3-highgpu-1g"
    extra = {"metadata": {"tee-install-gpu-driver": "true"}}
    launch(ready, "gpu", image_of(ready, ASK), [str(file), PKI], **properties, **extra)
    text = ended(ready, "gpu")
    assert file.exists(), text
    claims = verified(ready, told(file)["answers"][0][1])
    assert claims["hwmodel"] == "GCP_INTEL_TDX"
    assert claims["submods"]["nvidia_gpu"]["cc_mode"] == "ON"


def test_a_debug_image_says_so_and_stays_up(ready: World, tmp_path: Path) -> None:
    """dbgstat enabled, no support attributes; the machine stays up for inspection."""
    file = tmp_path / "told"
    debug = "projects/confidential-space-images/global/images/family/confidential-space-debug"
    disks = [{"boot": True, "initialize_params": {"source_image": debug}}]
    launch(ready, "debug", image_of(ready, ASK), [str(file), PKI], disks=disks)
    eventually(lambda: "exit_code=4" in console(ready, "debug"), 20)
    claims = verified(ready, told(file)["answers"][0][1])
    assert claims["dbgstat"] == "enabled"
    assert "support_attributes" not in claims["submods"]["confidential_space"]
    assert status(ready, "debug") == "RUNNING"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"token_type": "OIDC"}, "audience"),
        ({"audience": "a", "token_type": "SAML"}, "token_type"),
        ({"audience": "a", "token_type": "OIDC", "nonces": ["short"]}, "10 to 74"),
        ({"audience": "a", "token_type": "OIDC", "nonces": [NONCE] * 7}, "at most 6"),
        ({"audience": "a", "token_type": "OIDC", "nonce": [NONCE]}, "request"),
    ],
)
def test_a_bad_token_request_is_refused(ready: World, tmp_path: Path, body: dict, message: str) -> None:
    """400 with the reason; the workload goes on."""
    file = tmp_path / "told"
    name = f"bad-{abs(hash(message)) % 10**8}"
    launch(ready, name, image_of(ready, ASK), [str(file), json.dumps(body)])
    ended(ready, name)
    [[code, text]] = told(file)["answers"]
    assert code == 400
    assert message in text


def test_a_failing_workload_is_reported(ready: World) -> None:
    """A non-zero exit is the launcher's exit code 1, with its words."""
    launch(ready, "fails", image_of(ready, "raise SystemExit(7)\n"))
    text = ended(ready, "fails")
    assert "workload finished with a non-zero return code: 7" in text
    assert "exit_code=1" in text


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"tee-image-reference": None}, "tee-image-reference"),
        ({"tee-colour": "red"}, "tee-colour: unknown metadata key"),
        ({"tee-cmd": "not json"}, "tee-cmd"),
        ({"tee-env-A": "b"}, "not allowed to be overridden"),
        ({"tee-restart-policy": "Sometimes"}, "tee-restart-policy"),
        ({"tee-mount": "type=tmpfs"}, "not imitated"),
        ({"tee-install-gpu-driver": "true"}, "no GPU is attached"),
    ],
)
def test_bad_metadata_ends_the_machine(ready: World, metadata: dict, message: str) -> None:
    """The launcher says which key, and the machine stops."""
    name = f"meta-{abs(hash(message)) % 10**8}"
    launch(ready, name, image_of(ready, ASK), metadata=metadata)
    assert message in ended(ready, name)


def test_an_image_may_forbid_overrides(ready: World) -> None:
    """Without its label the operator's arguments are refused."""
    reference = image_of(ready, ASK, labels={"tee.launch_policy.log_redirect": "always"})
    launch(ready, "forbids", reference, ["x"])
    assert "CMD is not allowed to be overridden" in ended(ready, "forbids")


def test_an_absent_or_changed_image_never_runs(ready: World, tmp_path: Path) -> None:
    """A digest nobody pushed; a byte flipped in what lies in the registry: no token, no run."""
    absent = f"us-central1-docker.pkg.dev/{PROJECT}/images/tester@sha256:{'0' * 64}"
    launch(ready, "absent", absent, [str(tmp_path / "told")])
    assert "MANIFEST_UNKNOWN" in ended(ready, "absent")
    reference = image_of(ready, ASK + "# another\n", name="flipped")
    blobs = ready.cloud.root / "images"
    manifest = json.loads((blobs / _place(reference.partition("@sha256:")[2])).read_bytes())
    file = blobs / _place(manifest["layers"][0]["digest"].removeprefix("sha256:"))
    content = bytearray(file.read_bytes())
    content[-9] ^= 1
    file.write_bytes(content)
    launch(ready, "flipped", reference, [str(tmp_path / "told")])
    assert "blob: got bytes of" in ended(ready, "flipped")
    assert not (tmp_path / "told").exists()


def _place(digest: str) -> str:
    return f"{digest[:2]}/{digest}"
