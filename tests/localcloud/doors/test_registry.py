"""The registry, asked as a client of the OCI distribution protocol asks."""

from __future__ import annotations

import pytest
import requests

from tests.localcloud.conftest import World
from tests.localcloud.deploying import PARENT, account
from tests.localcloud.machine.images import OCI, Registry, digest_of, layer_of, push_image

IMAGE = "demo-project/images/tester"
REPOSITORY = f"{PARENT}/repositories/images"


@pytest.fixture(scope="module")
def ready(world: World) -> World:
    repositories = world.api("artifactregistry", "v1").projects().locations().repositories()
    repositories.create(parent=PARENT, repositoryId="images", body={"format": "DOCKER"}).execute()
    return world


def test_what_is_pushed_is_pulled(ready: World) -> None:
    """By tag and by digest, HEAD and GET, with the digest in the header."""
    digest = push_image(ready.cloud.endpoint, IMAGE, layer_of({"a": "1"}))
    base = f"{ready.cloud.endpoint}/v2/{IMAGE}"
    for reference in ("latest", digest):
        got = requests.get(f"{base}/manifests/{reference}", timeout=10)
        assert (got.status_code, got.headers["Docker-Content-Digest"]) == (200, digest)
        assert digest_of(got.content) == digest
        assert got.headers["Content-Type"] == OCI
    layer = got.json()["layers"][0]
    head = requests.head(f"{base}/blobs/{layer['digest']}", timeout=10)
    assert (head.status_code, head.headers["Content-Length"], head.content) == (200, str(layer["size"]), b"")
    blob = requests.get(f"{base}/blobs/{layer['digest']}", timeout=10)
    assert digest_of(blob.content) == layer["digest"]


def test_bytes_that_do_not_have_their_digest_are_refused(ready: World) -> None:
    """A blob under another's digest, a manifest under another's: DIGEST_INVALID."""
    registry = Registry(ready.cloud.endpoint, IMAGE)
    answer = registry.push_blob(b"content", digest_of(b"other"))
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "DIGEST_INVALID")
    registry.push_blob(b"{}")
    manifest = {"config": {"digest": digest_of(b"{}"), "size": 2}, "layers": []}
    answer = registry.push_manifest(manifest, digest_of(b"other"))
    assert answer.json()["errors"][0]["code"] == "DIGEST_INVALID"


def test_a_manifest_needs_its_blobs(ready: World) -> None:
    """MANIFEST_BLOB_UNKNOWN when a layer was never pushed; MANIFEST_INVALID for what is none."""
    registry = Registry(ready.cloud.endpoint, IMAGE)
    manifest = {"config": {"digest": digest_of(b"absent"), "size": 6}, "layers": []}
    assert registry.push_manifest(manifest, "t").json()["errors"][0]["code"] == "MANIFEST_BLOB_UNKNOWN"
    assert registry.push_manifest({"layers": 7}, "t").json()["errors"][0]["code"] == "MANIFEST_INVALID"


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (f"{IMAGE}/manifests/none", "MANIFEST_UNKNOWN"),
        (f"{IMAGE}/blobs/sha256:{'0' * 64}", "BLOB_UNKNOWN"),
        ("demo-project/none/x/manifests/latest", "NAME_UNKNOWN"),
        ("other-project/images/x/manifests/latest", "NAME_UNKNOWN"),
    ],
)
def test_what_is_not_there_is_not_found(ready: World, path: str, code: str) -> None:
    """404 with the protocol's own code."""
    answer = requests.get(f"{ready.cloud.endpoint}/v2/{path}", timeout=10)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, code)


def test_pulling_and_pushing_need_their_permissions(ready: World) -> None:
    """A reader may pull, not push; a stranger neither; a false token is 401."""
    push_image(ready.cloud.endpoint, IMAGE, layer_of({"a": "1"}))
    account(ready, "puller")
    token = ready.cloud.tokens.access_token(ready.member("puller"))
    registry = Registry(ready.cloud.endpoint, IMAGE, token)
    url = f"{registry.base}/manifests/latest"
    assert registry.session.get(url).status_code == 403
    ready.grant(REPOSITORY, "roles/artifactregistry.reader", ready.member("puller"))
    assert registry.session.get(url).status_code == 200
    basic = requests.get(url, auth=("oauth2accesstoken", token), timeout=10)
    assert basic.status_code == 200
    denied = registry.push_blob(b"x")
    assert (denied.status_code, denied.json()["errors"][0]["code"]) == (403, "DENIED")
    assert requests.get(url, headers={"Authorization": "Bearer x"}, timeout=10).status_code == 401


def test_an_image_goes_with_its_repository(ready: World) -> None:
    """After the repository's deletion nothing can be pulled."""
    repositories = ready.api("artifactregistry", "v1").projects().locations().repositories()
    repositories.create(parent=PARENT, repositoryId="brief", body={"format": "DOCKER"}).execute()
    push_image(ready.cloud.endpoint, "demo-project/brief/x", layer_of({"a": "1"}))
    repositories.delete(name=f"{PARENT}/repositories/brief").execute()
    answer = requests.get(f"{ready.cloud.endpoint}/v2/demo-project/brief/x/manifests/latest", timeout=10)
    assert answer.status_code == 404


UPLOADS, NONE, ZERO = f"{IMAGE}/blobs/uploads/", "0" * 32, f"sha256:{'0' * 64}"
FALSE = {"headers": {"Authorization": "Basic !"}}
NO_MANIFEST = {"Content-Type": "text/plain"}


@pytest.mark.parametrize(
    ("verb", "path", "sent", "code"),
    [
        ("DELETE", f"{IMAGE}/manifests/latest", {}, (405, "UNSUPPORTED")),
        ("PUT", f"{IMAGE}/manifests/x", {"headers": NO_MANIFEST, "data": b"{}"}, (400, "MANIFEST_INVALID")),
        ("PATCH", UPLOADS + NONE, {"data": b"x"}, (404, "BLOB_UPLOAD_UNKNOWN")),
        ("PUT", UPLOADS + "short", {"params": {"digest": ZERO}}, (404, "BLOB_UPLOAD_UNKNOWN")),
        ("PUT", UPLOADS + NONE, {}, (400, "DIGEST_INVALID")),
        ("GET", f"{IMAGE}/manifests/latest", {"auth": ("somebody", "x")}, (401, "UNAUTHORIZED")),
        (
            "GET",
            f"{IMAGE}/manifests/latest",
            FALSE,
            (401, "UNAUTHORIZED"),
        ),
    ],
)
def test_what_the_protocol_does_not_allow_is_refused(
    ready: World, verb: str, path: str, sent: dict, code: tuple[int, str]
) -> None:
    """A verb, a type, an upload, a digest and two kinds of credentials."""
    answer = requests.request(verb, f"{ready.cloud.endpoint}/v2/{path}", timeout=10, **sent)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == code


def test_a_blob_may_be_pushed_in_one_request(ready: World) -> None:
    """POST with its digest; a manifest of more than four megabytes is refused."""
    url = f"{ready.cloud.endpoint}/v2/{UPLOADS}"
    pushed = requests.post(url, params={"digest": digest_of(b"whole")}, data=b"whole", timeout=10)
    assert pushed.status_code == 201
    large = {"config": {"digest": digest_of(b"whole"), "size": 5}, "layers": [], "fill": "x" * (4 << 20)}
    assert Registry(ready.cloud.endpoint, IMAGE).push_manifest(large, "large").status_code == 413


def test_the_registry_says_that_it_is_one(world: World) -> None:
    """What clients ask before anything else."""
    answer = requests.get(f"{world.cloud.endpoint}/v2/", timeout=10)
    assert answer.headers["Docker-Distribution-API-Version"] == "registry/2.0"
