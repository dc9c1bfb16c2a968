"""The Confidential Space launcher: pull, measure, attest, run, and say how it ended.

Exit codes and their words are the real launcher's (google/go-tpm-tools): 0 the workload ended well, 1 it
or the launcher failed, 4 a debug image stays up. Whatever happens, the end is told in the log before the VM
stops.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from localcloud.machine.agent import DEFAULT_AUDIENCE, Agent
from localcloud.machine.attest import Attester, Measured
from localcloud.machine.console import Console
from localcloud.machine.link import Link, LinkError
from localcloud.machine.pull import Image, PullError, pull
from localcloud.machine.spec import Spec, SpecError, check_gpu, check_policy, parse
from localcloud.machine.told import Told, run_folder
from localcloud.machine.unpack import UnpackError, unpack
from localcloud.machine.workload import Workload, argv_of, environment_of, inside

SUCCESS, FAILURE, HOLD = 0, 1, 4
_WORDS = {
    SUCCESS: "workload finished successfully, shutting down the VM",
    FAILURE: "workload or launcher error, shutting down the VM",
    HOLD: "VM remains running",
}
_RESTART_PAUSE_S = 1.0


class WorkloadError(Exception):
    """The workload ended with another code than 0."""


class Launcher:
    """One launch on one machine. `disk` is the machine's private folder."""

    def __init__(
        self, told: Told, link: Link, console: Console, disk: Path, metadata: str, grace_s: float
    ) -> None:
        self._told, self._link, self._console = told, link, console
        self._disk, self._metadata, self._grace_s = disk, metadata, grace_s
        self.stopping = threading.Event()

    def launch(self) -> int:
        """Do all of it. The launcher's exit code."""
        self._console.say("TEE container launcher initiating", build_version=self._told.confidential_space)
        run, code = run_folder(self._told.instance_id), FAILURE
        try:
            run.mkdir(mode=0o700)
            self._run(run)
            code = SUCCESS
        except (SpecError, PullError, UnpackError, LinkError, WorkloadError, OSError) as error:
            self._console.say(f"failed to run: {error}", severity="ERROR")
        finally:
            shutil.rmtree(run, ignore_errors=True)
        if self._told.confidential_space == "debug" and not self.stopping.is_set():
            code = HOLD
        self._console.say("TEE container launcher exiting", exit_code=code, exit_msg=_WORDS[code])
        return code

    def _run(self, run: Path) -> None:
        spec = parse(self._told.attributes)
        check_gpu(spec, self._told.gpu, self._told.machine_type)
        pulled = self._disk / "pulled"
        pulled.mkdir(exist_ok=True)
        image = pull(self._link, spec.image, pulled)
        check_policy(spec, _labels(image), debug=self._told.confidential_space == "debug")
        root = self._disk / "root"
        shutil.rmtree(root, ignore_errors=True)
        unpack(image.layers, image.diff_ids, root)
        shutil.rmtree(pulled)
        attester = Attester(self._told, self._link, _measured(spec, image))
        socket = run / "teeserver.sock"
        token = attester.token(DEFAULT_AUDIENCE, "OIDC", [])
        (run / "attestation_verifier_claims_token").write_text(token)
        agent = Agent(socket, attester)
        try:
            self._run_until_done(spec, image, root, self._given(spec, socket))
        finally:
            agent.close()

    def _given(self, spec: Spec, socket: Path) -> dict[str, str]:
        values = {"endpoint": self._link.endpoint(), "socket": str(socket)}
        template = {key: text.format(**values) for key, text in self._told.environment.items()}
        metadata = {"GCE_METADATA_HOST": self._metadata, "GCE_METADATA_IP": self._metadata}
        return {**spec.env, **template, **metadata, "HOSTNAME": self._told.short_name}

    def _run_until_done(self, spec: Spec, image: Image, root: Path, given: Mapping[str, str]) -> None:
        config = image.config.get("config") or {}
        argv = argv_of(config, spec.cmd, root)
        if not argv:
            raise SpecError("the image names no program: neither Entrypoint nor Cmd")
        working = Path(inside(config.get("WorkingDir") or "/", root))
        cwd = root if working == Path("/") else working
        while True:
            code = self._once(spec, argv, environment_of(config, given, root, self._told.time_folder), cwd)
            again = spec.restart == "Always" or (spec.restart == "OnFailure" and code != 0)
            if not again or self.stopping.wait(_RESTART_PAUSE_S):
                break
        if code != 0:
            raise WorkloadError(f"workload finished with a non-zero return code: {code}")

    def _once(self, spec: Spec, argv: list[str], env: dict[str, str], cwd: Path) -> int:
        self._console.say("workload task started", workload=spec.image)
        begun = time.monotonic()
        code = Workload(argv, env, cwd, self._output(spec)).wait(self.stopping, self._grace_s)
        seconds = round(time.monotonic() - begun, 3)
        self._console.say(
            "Workload completed", workload=spec.image, workload_execution_sec=seconds, workload_exit_code=code
        )
        return code

    def _output(self, spec: Spec) -> Callable[[str], None]:
        def line(text: str) -> None:
            if spec.redirect in ("true", "serial"):
                self._console.serial(text)
            if spec.redirect in ("true", "cloud_logging"):
                self._console.workload(text)

        return line


def _labels(image: Image) -> Mapping[str, str]:
    labels: Mapping[str, str] = (image.config.get("config") or {}).get("Labels") or {}
    return labels


def _measured(spec: Spec, image: Image) -> Measured:
    config = image.config.get("config") or {}
    env = dict(pair.partition("=")[::2] for pair in config.get("Env") or [])
    args = [*(config.get("Entrypoint") or []), *(spec.cmd or config.get("Cmd") or [])]
    return Measured(
        image_reference=spec.image,
        image_digest=image.digest,
        image_id=image.image_id,
        restart_policy=spec.restart,
        args=args,
        cmd_override=list(spec.cmd),
        env={**env, **spec.env},
        env_override=dict(spec.env),
    )
