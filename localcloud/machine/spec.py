"""The launch spec: what the instance's metadata asks of the launcher, held against the image's launch policy.

- Unknown `tee-` keys are refused, and so are known ones that this stand-in does not act on.
- What the operator overrides (arguments, environment, log redirection) the image's labels must allow.
Source: google/go-tpm-tools, launcher/: its metadata keys and launch-policy labels.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

_RESTARTS = ("Never", "Always", "OnFailure")
_REDIRECTS = ("false", "true", "cloud_logging", "serial")
_KNOWN = {
    "tee-image-reference",
    "tee-cmd",
    "tee-restart-policy",
    "tee-container-log-redirect",
    "tee-install-gpu-driver",
    "tee-disable-gca-refresh",
}
_NOT_HERE = {
    "tee-impersonate-service-accounts",
    "tee-signed-image-repos",
    "tee-mount",
    "tee-dev-shm-size-kb",
    "tee-added-capabilities",
    "tee-cgroup-ns",
    "tee-monitoring-memory-enable",
}
_ENV = "tee-env-"


class SpecError(Exception):
    """The metadata, or the image's policy, does not allow the launch."""


@dataclass(frozen=True)
class Spec:
    """A parsed launch spec."""

    image: str
    cmd: tuple[str, ...]
    cmd_given: bool
    env: Mapping[str, str]
    restart: str
    redirect: str
    gpu_driver: bool


def parse(attributes: Mapping[str, str]) -> Spec:
    """Read the instance's metadata. Raises SpecError naming the key."""
    for key in attributes:
        if key in _NOT_HERE:
            raise SpecError(f"{key}: not imitated by the stand-in")
        if key.startswith("tee-") and key not in _KNOWN and not key.startswith(_ENV):
            raise SpecError(f"{key}: unknown metadata key, expected one of {sorted(_KNOWN)} or {_ENV}NAME")
    if not attributes.get("tee-image-reference"):
        raise SpecError("tee-image-reference: is not specified in the metadata")
    return Spec(
        image=attributes["tee-image-reference"],
        cmd=_cmd(attributes.get("tee-cmd")),
        cmd_given="tee-cmd" in attributes,
        env={k.removeprefix(_ENV): v for k, v in attributes.items() if k.startswith(_ENV)},
        restart=_one_of("tee-restart-policy", attributes, _RESTARTS),
        redirect=_one_of("tee-container-log-redirect", attributes, _REDIRECTS),
        gpu_driver=_one_of("tee-install-gpu-driver", attributes, ("false", "true")) == "true",
    )


def _cmd(text: str | None) -> tuple[str, ...]:
    if text is None:
        return ()
    try:
        value = json.loads(text)
    except ValueError as error:
        raise SpecError(f"tee-cmd: got {text!r}, expected a JSON array of strings ({error})") from error
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise SpecError(f"tee-cmd: got {text!r}, expected a JSON array of strings")
    return tuple(value)


def _one_of(key: str, attributes: Mapping[str, str], allowed: tuple[str, ...]) -> str:
    value = attributes.get(key, allowed[0])
    found = next((word for word in allowed if word.lower() == value.lower()), None)
    if found is None:
        raise SpecError(f"{key}: got {value!r}, expected one of {allowed}")
    return found


def check_policy(spec: Spec, labels: Mapping[str, str], *, debug: bool) -> None:
    """Raise SpecError unless the image's launch policy allows what the spec overrides."""
    prefix = "tee.launch_policy."
    if spec.cmd_given and labels.get(prefix + "allow_cmd_override") != "true":
        raise SpecError(
            f"CMD is not allowed to be overridden on this image: label {prefix}allow_cmd_override"
        )
    allowed = {name.strip() for name in labels.get(prefix + "allow_env_override", "").split(",")}
    refused = sorted(set(spec.env) - allowed)
    if refused:
        raise SpecError(f"env vars {refused} are not allowed to be overridden on this image")
    policy = labels.get(prefix + "log_redirect", "debugonly")
    if policy not in ("always", "debugonly", "never"):
        raise SpecError(f"label {prefix}log_redirect: got {policy!r}, expected always, debugonly or never")
    if spec.redirect != "false" and (policy == "never" or (policy == "debugonly" and not debug)):
        raise SpecError(
            f"logging redirection is not allowed on this image: label {prefix}log_redirect={policy}"
        )


def check_gpu(spec: Spec, gpu: str, machine_type: str) -> None:
    """Raise SpecError unless a GPU is there exactly when its driver is asked for, and can attest."""
    if gpu and not spec.gpu_driver:
        raise SpecError("tee-install-gpu-driver: GPU is attached, tee-install-gpu-driver is not set to true")
    if spec.gpu_driver and not gpu:
        raise SpecError("tee-install-gpu-driver: no GPU is attached")
    if spec.gpu_driver and machine_type != "a3-highgpu-1g":
        raise SpecError(
            f"unsupported machine type {machine_type}: "
            "confidential GPU is only supported for H100[a3-highgpu-1g] and B200[a4-highgpu-8g]"
        )
