"""`sealtrain fetch RUN -o DIR`: the model, opened for its owner, with bundle, reports and public keys.

DIR then holds `model/` (if the run made one), `bundle.json`, `report.html`, `report.json`, `resources.json`
and `trust.json`. Fetching again writes the same files.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

import msgspec
from sealtrain.rules import names
from sealtrain.rules.bundle import Statement, open_statement
from sealtrain.rules.facts import Facts
from sealtrain.rules.settings import Settings

from cli import objects, place, run_records
from cli.api import Api
from cli.called import called
from cli.errors import CommandError
from cli.model import open_model
from cli.output import emit, note, plain, say
from cli.trust import FILE, Trust


def fetch(run: str, out: Path, as_json: bool) -> int:
    """Fetch it."""
    settings = place.find(os.environ, Path.cwd())
    written, _ = save(Api(settings), settings, run, out)
    if as_json:
        emit({"run": run, "folder": str(out), "files": written})
    else:
        for name in written:
            say(plain(str(out / name)))
        note(f"next: {called()} verify {shlex.quote(str(out / 'bundle.json'))}")
    return 0


def save(api: Api, settings: Settings, run: str, out: Path) -> tuple[list[str], Statement]:
    """Write everything into `out`; names of the files, and the bundle's statement."""
    progress = run_records.known_progress(api, settings, run)
    bucket = names.evidence_bucket(settings)
    records = {
        "bundle.json": names.bundle(run),
        "report.html": names.report(run, "html"),
        "report.json": names.report(run, "json"),
        "resources.json": names.resources(run),
    }
    found = {name: objects.read(api, bucket, record) for name, record in records.items()}
    bundle = found["bundle.json"]
    if bundle is None and progress.refusal is not None:
        raise CommandError(
            "the run was refused: nothing was made, so there is no bundle",
            field="run",
            got=run,
            remedy=f"`sealtrain status {run}` tells why",
        )
    if bundle is None:
        raise CommandError(
            "the run is not closed: it has no bundle yet",
            field="run",
            got=run,
            remedy=f"`sealtrain status {run}` tells what it waits for",
        )
    keys = public_keys(api, settings)
    statement = open_statement(bundle, keys.bundle_key_pem)
    out.mkdir(parents=True, exist_ok=True)
    for name, data in found.items():
        if data is not None:
            (out / name).write_bytes(data)
    (out / FILE).write_bytes(msgspec.json.format(msgspec.json.encode(keys)))
    written = [*(name for name, data in found.items() if data is not None), FILE]
    receipt = Facts(statement.predicate.evidence, keys.attestation_root_pem).receipt
    if receipt is not None and statement.predicate.outcome == "succeeded":
        opened = open_model(api, settings, run, receipt, out / "model")
        written += [f"model/{name}" for name in opened]
    return sorted(written), statement


def public_keys(api: Api, settings: Settings) -> Trust:
    """The keys that this deployment's bundles are checked with."""
    key = names.bundle_key(settings)
    versions = api.get("cloudkms", f"/v1/{key}/cryptoKeyVersions").get("cryptoKeyVersions", [])
    enabled: list[dict[str, Any]] = [version for version in versions if version.get("state") == "ENABLED"]
    if not enabled:
        raise CommandError("the bundle key has no version that works", field="key", got=key)
    newest = max(enabled, key=lambda version: int(str(version["name"]).rpartition("/")[2]))
    pem = str(api.get("cloudkms", f"/v1/{newest['name']}/publicKey")["pem"])
    return Trust(bundle_key_pem=pem, attestation_root_pem=_attestation_root(api, settings))


def _attestation_root(api: Api, settings: Settings) -> str:
    if settings.attestation_root:
        return settings.attestation_root
    if settings.endpoint:
        return api.send("GET", "control", "/_control/attestation-root").text
    raise CommandError(
        "the root of attestation tokens is not known",
        field="SEALTRAIN_ATTESTATION_ROOT",
        got="nothing",
        expected="the certificate that this deployment pins, in PEM",
        remedy="take it from the deployment's settings",
    )
