"""How an image's paths, program and environment become those of a process here."""

from __future__ import annotations

import http.client
import io
import json
import socket
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from localcloud.machine import agent, pull
from localcloud.machine.spec import SpecError, check_gpu, check_policy, parse
from localcloud.machine.workload import argv_of, environment_of
from tests.localcloud.machine.images import digest_of

IMAGE = {"tee-image-reference": "r"}
REPOSITORY = "us-docker.pkg.dev/p/images/x"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "app" / "lib").mkdir(parents=True)
    return tmp_path


def test_paths_of_the_image_are_found_where_it_lies(root: Path) -> None:
    """Existing ones, also in lists; others stay as they are."""
    config = {"Entrypoint": ["python3", "/app/main.py"], "Env": ["P=/app:/app/lib:/usr/x", "Q=a=b"]}
    (root / "app" / "main.py").touch()
    assert argv_of(config, ("--x", "/data"), root) == [sys.executable, f"{root}/app/main.py", "--x", "/data"]
    environment = environment_of(config, {"GIVEN": "1"}, root)
    assert environment["P"] == f"{root}/app:{root}/app/lib:/usr/x"
    assert (environment["Q"], environment["GIVEN"]) == ("a=b", "1")


def test_the_images_own_arguments_hold_unless_overridden(root: Path) -> None:
    """Cmd without tee-cmd; no program at all gives nothing."""
    config = {"Entrypoint": ["/bin/echo"], "Cmd": ["own"]}
    assert argv_of(config, (), root) == ["/bin/echo", "own"]
    assert argv_of(config, ("other",), root) == ["/bin/echo", "other"]
    assert argv_of({}, (), root) == []


@pytest.mark.parametrize(
    ("labels", "debug", "refused"),
    [
        ({"log_redirect": "always"}, False, False),
        ({"log_redirect": "debugonly"}, True, False),
        ({}, False, True),
        ({"log_redirect": "never"}, True, True),
        ({"log_redirect": "perhaps"}, True, True),
    ],
)
def test_redirecting_the_log_is_the_images_choice(labels: dict, debug: bool, refused: bool) -> None:
    """always, debugonly (the default) or never."""
    spec = parse({**IMAGE, "tee-container-log-redirect": "true"})
    named = {f"tee.launch_policy.{key}": value for key, value in labels.items()}
    if refused:
        with pytest.raises(SpecError, match="redirect"):
            check_policy(spec, named, debug=debug)
    else:
        check_policy(spec, named, debug=debug)


def test_an_image_may_allow_some_variables() -> None:
    """Only those that its label lists."""
    label = {"tee.launch_policy.allow_env_override": "A,B"}
    check_policy(parse({**IMAGE, "tee-env-A": "1"}), label, debug=False)
    with pytest.raises(SpecError, match="'C'"):
        check_policy(parse({**IMAGE, "tee-env-C": "1"}), label, debug=False)


@pytest.mark.parametrize(
    ("driver", "gpu", "machine", "message"),
    [
        ("false", "H100", "a3-highgpu-1g", "not set to true"),
        ("true", "", "a3-highgpu-1g", "no GPU is attached"),
        ("true", "H100", "a2-highgpu-1g", "unsupported machine type"),
    ],
)
def test_a_gpu_and_its_driver_go_together(driver: str, gpu: str, machine: str, message: str) -> None:
    """One without the other, or on a machine that cannot attest it, is refused."""
    spec = parse({**IMAGE, "tee-install-gpu-driver": driver})
    with pytest.raises(SpecError, match=message):
        check_gpu(spec, gpu, machine)


@pytest.mark.parametrize("command", ["7", "[1]", "{"])
def test_a_command_is_a_list_of_texts(command: str) -> None:
    """In JSON."""
    with pytest.raises(SpecError, match="tee-cmd"):
        parse({**IMAGE, "tee-cmd": command})


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "failed to parse"),
        (b"[]", "expected an object"),
        (b'{"token_type": "OIDC"}', "needs an audience"),
        (b'{"audience": "a", "token_type": "X"}', "token_type"),
        (b'{"audience": "a", "token_type": "OIDC", "nonces": [1]}', "nonces"),
    ],
)
def test_a_wrong_request_for_a_token_says_how(body: bytes, message: str) -> None:
    """What the workload asks of the launcher's socket."""
    with pytest.raises(agent.RequestError, match=message):
        agent.parse(body)


class _Registry:
    """Answers with these bytes, whatever is asked."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def fetch(self, _: str, __: str, use: Any) -> Any:
        return use(io.BytesIO(self._content))


def test_an_image_says_what_each_layer_unpacks_to(tmp_path: Path) -> None:
    """One whose configuration names more layers than it has is not pulled."""
    config = json.dumps({"rootfs": {"diff_ids": ["sha256:0"]}}).encode()
    named = {"digest": digest_of(config), "size": len(config)}
    manifest = json.dumps({"config": named, "layers": []}).encode()
    link: Any = SimpleNamespace(
        fetch=lambda path, _, use: use(io.BytesIO(config if "/blobs/" in path else manifest))
    )
    with pytest.raises(pull.PullError, match="0 layers, but the configuration names 1"):
        pull.pull(link, f"{REPOSITORY}:latest", tmp_path)


def test_the_launcher_s_socket_gives_the_default_token_and_nothing_else(tmp_path: Path) -> None:
    """GET is a token for the exchange; another path is not there."""
    attester: Any = SimpleNamespace(token=lambda *asked: repr(asked))
    serving = agent.Agent(tmp_path / "s", attester)
    try:
        answers = []
        for path in ("/v1/token", "/v2/token"):
            launcher = http.client.HTTPConnection("localhost")
            launcher.sock = socket.socket(socket.AF_UNIX)
            launcher.sock.connect(str(tmp_path / "s"))
            launcher.request("GET", path)
            answer = launcher.getresponse()
            answers.append((answer.status, answer.read().decode()))
            launcher.close()
    finally:
        serving.close()
    assert answers[0] == (200, repr((agent.DEFAULT_AUDIENCE, "OIDC", [])))
    assert answers[1][0] == 404


@pytest.mark.parametrize(
    ("reference", "content", "message"),
    [
        ("docker.io/x", b"", "image reference"),
        (f"{REPOSITORY}@sha256:{'0' * 64}", b"{}", "manifest: got bytes of"),
        (f"{REPOSITORY}:latest", b"[]", "not an image"),
        (f"{REPOSITORY}:latest", b'{"config": {"digest": "md5:0", "size": 1}, "layers": []}', "digest: got"),
    ],
)
def test_what_is_no_image_is_not_pulled(tmp_path: Path, reference: str, content: bytes, message: str) -> None:
    """A strange reference, other bytes than named, no manifest, a strange digest."""
    link: Any = _Registry(content)
    with pytest.raises(pull.PullError, match=message):
        pull.pull(link, reference, tmp_path)
