"""The whole workload against the in-test cloud."""

import base64
import csv
import hashlib
import io
import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from cryptography.hazmat.primitives import serialization
from sealtrain.rules import dsse, receipt
from sealtrain.sealing import DataKey, associated_data, open_, parse_manifest
from sklearn.datasets import load_breast_cancer

from tests.workload.conftest import Run
from tests.workload.fake_cloud import Fault, sha256
from tests.workload.told import EVIDENCE, failed, flip, trainers_of, unsigned
from workload.trainers.tabular.trainer.model import predict

Make = Callable[..., Run]


def patients() -> bytes:
    found = load_breast_cancer()
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([*found.feature_names, "diagnosis"])
    for row, kind in zip(found.data, found.target, strict=True):
        writer.writerow([*row, found.target_names[kind]])
    return text.getvalue().encode()


def opened_model(run: Run) -> dict[str, bytes]:
    """Open the model as its owner."""
    manifest = parse_manifest(run.world.objects["models", "r0123456789ab/manifest.json"])
    assert manifest.key is not None
    wrapped = base64.b64decode(manifest.key.wrapped)
    key = DataKey.parse(run.world.unwrap(wrapped, manifest.key.associated_data.encode()))
    files = {}
    for file in manifest.files:
        out = io.BytesIO()
        for number, part in enumerate(file.parts):
            place = associated_data(manifest.id, file.path, number, len(file.parts))
            open_(io.BytesIO(run.world.objects["models", part.object]), out, key, place)
        files[file.path] = out.getvalue()
    return files


def test_a_run_gives_a_sealed_model_and_a_signed_receipt(make_run: Make, tmp_path: Path) -> None:
    """Real data goes in; the owner's model, true digests and a receipt under the attested key come out."""
    data = patients()
    run = make_run("tabular", {"data.csv": data})
    code, printed = run.finish()
    assert code == 0, printed
    token = run.record("evidence", f"{EVIDENCE}/token.json")
    envelope = run.world.objects["evidence", f"{EVIDENCE}/receipt.json"]
    signed = receipt.parse(envelope, token["public_key_pem"])
    model = opened_model(run)["model.safetensors"]
    assert signed.order_digest == run.digest
    assert [(f.path, f.size, f.sha256) for f in signed.dataset.files] == [
        ("data.csv", len(data), sha256(data))
    ]
    assert [(f.name, f.sha256) for f in signed.model] == [("model.safetensors", sha256(model))]
    assert {o.object: o.sealed_sha256 for f in signed.model for o in f.objects} == {
        name: sha256(content)
        for (bucket, name), content in run.world.objects.items()
        if bucket == "models" and "/model/" in name
    }
    assert signed.metrics["accuracy"] > 0.95
    assert unsigned(run) == [
        {
            "run": "r0123456789ab",
            "state": "succeeded",
            "reason": "",
            "left_digest": sha256(envelope),
        }
    ]
    (tmp_path / "m").write_bytes(model)
    row = next(csv.DictReader(io.StringIO(data.decode())))
    assert predict(tmp_path / "m", [row]) == [row["diagnosis"]]


def test_two_tokens_bind_the_order_and_the_key(make_run: Make) -> None:
    """Evidence token: own audience, PKI, stored as issued. Exchange token: STS audience, never stored."""
    run = make_run()
    code, printed = run.finish()
    assert code == 0, printed
    token = run.record("evidence", f"{EVIDENCE}/token.json")
    public = serialization.load_pem_public_key(token["public_key_pem"].encode())
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    nonce = hashlib.sha256(f"{run.digest}\n".encode() + der).hexdigest()
    assert run.world.asked_tokens == [
        {"audience": "sealtrain-evidence", "token_type": "PKI", "nonces": [nonce]},
        {"audience": "//iam.googleapis.com/pool", "token_type": "OIDC", "nonces": [nonce]},
    ]
    evidence_token, exchange_token = run.world.issued
    assert token["token"] == evidence_token
    assert token["order_digest"] == run.digest
    assert run.world.exchanged[0]["subjectToken"] == exchange_token
    stored = b"".join(run.world.objects.values()) + printed.encode()
    assert exchange_token.encode() not in stored
    assert dsse.parse(run.world.objects["evidence", f"{EVIDENCE}/receipt.json"]).signatures


def test_only_the_orders_objects_are_read(make_run: Make) -> None:
    """The order, the release and exactly the order's parts; a file of many parts is one again."""
    content = bytes(range(256)) * 500
    run = make_run("minimal", {"a.bin": content})
    run.world.objects["sealed", "data/x/part-99999"] = b"not in the order"
    assert run.finish()[0] == 0
    parts = [part["object"] for part in run.order["dataset"]["files"][0]["parts"]]
    assert len(parts) == 4
    assert set(run.world.reads) == {"order.json", "runs/r/release.json", *parts}


def test_nothing_printed_or_stored_holds_data(make_run: Make) -> None:
    """What the trainer prints, and the data, are in no log line and in no object but sealed."""
    run = make_run(
        "import sys, pathlib\nprint(pathlib.Path(sys.argv[2], 'a.csv').read_text()); sys.exit(3)\n"
    )
    printed = failed(run, "trainer_exit")
    stored = b"".join(run.world.objects.values()) + b"".join(run.world.bodies)
    assert "salt" not in printed
    assert b"salt" not in stored
    assert "ended with 3" in printed


TRAINERS = {
    "trainer_exit": "raise SystemExit(1)\n",
    "trainer_timeout": "import time\ntime.sleep(60)\n",
    "trainer_disk": "import sys\nopen(sys.argv[4] + '/x', 'wb').write(bytes(2 * 10**7))\n",
    "model_missing": "import sys\nopen(sys.argv[4] + '/metrics.json', 'w').write('{}')\n",
    "model_refused": "import sys, pickle\n"
    "open(sys.argv[4] + '/metrics.json', 'w').write('{}')\n"
    "pickle.dump({}, open(sys.argv[4] + '/model.pkl', 'wb'))\n",
    "metrics_refused": 'import sys, struct\nh = b\'{"w":{"dtype":"U8","shape":[1],'
    '"data_offsets":[0,1]}}\'\n'
    "open(sys.argv[4] + '/m.safetensors', 'wb').write(struct.pack('<Q', len(h)) + h + b'x')\n",
}


@pytest.mark.parametrize("reason", TRAINERS)
def test_a_trainer_that_ends_badly_is_reported_by_reason(make_run: Make, reason: str) -> None:
    """Exit 1, hanging, a full disk, no model, a pickle, no metrics: each has its own word."""
    run = make_run(TRAINERS[reason])
    if reason == "trainer_timeout":
        run.order["limits"]["seconds"] = 3
    failed(run, reason)


def swap(run: Run) -> None:
    objects = run.world.objects
    one, two = ("sealed", "data/x/part-00000"), ("sealed", "data/x/part-00001")
    objects[one], objects[two] = objects[two], objects[one]


def other_digest(run: Run) -> None:
    run.order["dataset"]["files"][0]["parts"][0]["sha256"] = sha256(b"other")


@pytest.mark.parametrize(
    "tamper",
    [lambda run: flip(run, "data/x/part-00001"), swap, other_digest],
    ids=["a flipped byte", "two parts swapped", "a digest of other data"],
)
def test_data_that_is_not_the_orders_is_refused(make_run: Make, tamper: Callable[[Run], None]) -> None:
    """The trainer never sees data that differs from the order."""
    run = make_run("minimal", {"a.bin": bytes(100_000)})
    tamper(run)
    failed(run, "dataset_mismatch")


def test_a_changed_order_is_refused_before_attesting(make_run: Make) -> None:
    """An order whose bytes differ from the digest in the metadata gets no token at all."""
    run = make_run()
    run.freeze()
    run.world.objects["state", "order.json"] += b" "
    code, printed = run.finish()
    assert (code, run.world.asked_tokens, run.world.messages) == (1, [], [])
    assert "order_mismatch" in printed


@pytest.mark.parametrize(
    ("released", "reason"),
    [({"order_digest": "sha256:other"}, "release_mismatch"), ({"bound_to": "x"}, "key_refused")],
)
def test_a_key_of_another_order_is_refused(make_run: Make, released: dict[str, str], reason: str) -> None:
    """A hand-over for another order is refused by us, one bound to another order by KMS."""
    run = make_run()
    run.freeze()
    run.release(**released)
    failed(run, reason, run.finish(released=False))


def test_no_release_in_time_ends_the_run(make_run: Make) -> None:
    """Without a hand-over the workload gives up at its limit and no key was asked for."""
    run = make_run()
    run.order["limits"]["seconds"] = 1
    failed(run, "release_timeout", run.finish(released=False))
    assert run.world.exchanged == []


def test_it_waits_for_the_release(make_run: Make) -> None:
    """The key may come later than the evidence."""
    run = make_run()
    process = run.start()
    for _ in range(400):
        if ("evidence", f"{EVIDENCE}/token.json") in run.world.objects:
            break
        time.sleep(0.05)
    assert not run.world.exchanged
    run.release()
    printed, _ = process.communicate(timeout=30)
    assert process.returncode == 0, printed


def test_a_refused_exchange_is_told(make_run: Make) -> None:
    """When Google's token exchange refuses this VM, the reason is key_refused."""
    run = make_run()
    run.world.faults.append(Fault("/v1/token", 403))
    failed(run, "key_refused")


def test_passing_trouble_is_retried(make_run: Make) -> None:
    """503 and 429 along the way change nothing, and an upload that did arrive counts."""
    run = make_run()
    run.world.faults += [
        Fault("release.json", 503),
        Fault("part-00000", 503),
        Fault(":decrypt", 429),
        Fault("name=r0123456789ab", 503),
        Fault(":publish", 503),
    ]
    code, printed = run.finish()
    assert code == 0, printed
    assert [fault.times for fault in run.world.faults] == [0] * 5
    assert run.world.messages[0]["state"] == "succeeded"


def test_evidence_is_never_overwritten(make_run: Make) -> None:
    """A second workload for the same run finds evidence of the first and ends."""
    run = make_run()
    run.world.objects["evidence", f"{EVIDENCE}/token.json"] = b"{}"
    failed(run, "cloud_unavailable")
    assert run.world.objects["evidence", f"{EVIDENCE}/token.json"] == b"{}"


def test_preemption_while_waiting_is_reported(make_run: Make) -> None:
    """SIGTERM before the release ends the run as preempted."""
    run = make_run()
    stopped = run.stop_when(lambda: ("evidence", f"{EVIDENCE}/token.json") in run.world.objects)
    failed(run, "preempted", stopped)


def test_preemption_while_training_ends_the_trainer(make_run: Make) -> None:
    """SIGTERM while training kills the trainer and reports preempted."""
    run = make_run("import time\ntime.sleep(60)\n")
    run.freeze()
    run.release()
    stopped = run.stop_when(lambda: trainers_of(run) != [])
    failed(run, "preempted", stopped)
    assert trainers_of(run) == []


def test_the_trainer_dies_with_the_workload(make_run: Make) -> None:
    """Even SIGKILL to the workload leaves no trainer behind."""
    run = make_run("import time\ntime.sleep(60)\n")
    run.freeze()
    run.release()
    run.stop_when(lambda: trainers_of(run) != [], signal.SIGKILL)
    assert psutil.wait_procs(trainers_of(run), timeout=5)[1] == []


def test_what_outlives_the_trainer_is_gone_when_the_run_ends(make_run: Make) -> None:
    """Orphans of the trainer are killed and waited for, whoever their parent was."""
    run = make_run(
        "import subprocess, sys\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)', 'trainer'])\n"
    )
    failed(run, "model_missing")
    assert trainers_of(run) == []


def test_without_a_launcher_the_run_fails(make_run: Make) -> None:
    """No launcher, no token: the reason says so and no key is asked for."""
    run = make_run()
    run.cloud.environment["SEALTRAIN_LAUNCHER_SOCKET"] = "/nonexistent/socket"
    failed(run, "attestation_failed")


def test_an_endpoint_beyond_this_machine_is_refused(make_run: Make) -> None:
    """No setting can lead the workload to another host."""
    run = make_run()
    run.cloud.environment["SEALTRAIN_ENDPOINT"] = "http://169.254.169.254:80"
    code, printed = run.finish()
    assert code == 1
    assert json.loads(printed)["detail"].startswith("endpoint 'http://169")


def test_a_malicious_path_stays_inside(make_run: Make) -> None:
    """An order with a dataset path that climbs out of the directory is none: the run ends at once."""
    run = make_run("minimal", {"../../escape.csv": b"a,b\n"})
    code, printed = run.finish()
    assert (code, run.world.messages) == (1, [])
    assert "order_mismatch" in printed


def test_log_lines_are_json_with_event_and_run(make_run: Make) -> None:
    """Every line printed is one JSON object with severity, event and run."""
    run = make_run()
    lines: list[dict[str, Any]] = [json.loads(line) for line in run.finish()[1].splitlines()]
    assert [line["event"] for line in lines] == [
        "workload.attested",
        "dataset.opened",
        "trainer.finished",
        "model.sealed",
    ]
    assert {line["run"] for line in lines} == {"r0123456789ab"}
