"""How an image's paths, program and environment become those of a process here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from localcloud.machine.spec import SpecError, check_policy, parse
from localcloud.machine.workload import argv_of, environment_of

IMAGE = {"tee-image-reference": "r"}


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
