"""What happens to a run in its middle: preemption with a checkpoint, a crash, a fresh attestation."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sealtrain.rules import later, receipt

from tests.workload.conftest import Run
from tests.workload.fake_cloud import Fault, sha256
from tests.workload.told import EVIDENCE, failed, flip, trainers_of, unsigned

Make = Callable[..., Run]


def crash_with_data(run: Run) -> tuple[int, str]:
    """Run to the end with a workload whose check of the model raises an error that holds data."""
    (run.app / "sitecustomize.py").write_text(
        "import sys\n"
        "if 'workload' in sys.argv[0] or '-m' in sys.argv:\n"
        "    from workload import model\n"
        "    def accept(*_):\n"
        "        raise KeyError('salt of a patient') from ValueError('more salt')\n"
        "    model.accept = accept\n"
    )
    try:
        return run.finish()
    finally:
        (run.app / "sitecustomize.py").unlink()


def test_a_crash_of_the_workload_prints_no_data(make_run: Make) -> None:
    """An error nobody foresaw, with data in its text, is told by its type and place only."""
    run = make_run()
    printed = failed(run, "internal", crash_with_data(run))
    assert "KeyError at sitecustomize.py:5" in printed
    assert "salt" not in printed


def test_a_crash_that_cannot_be_told_prints_no_data_either(make_run: Make) -> None:
    """Nor does the last resort, when even the word about the crash cannot be published."""
    run = make_run()
    run.world.faults.append(Fault(":publish", 403, 99))
    code, printed = crash_with_data(run)
    assert code == 1
    assert json.loads(printed.splitlines()[-1])["event"] == "workload.crashed"
    assert "salt" not in printed
    assert "Traceback" not in printed


GOES_ON = """
import json, os, pathlib, signal, struct, sys
kept = pathlib.Path(os.environ["CHECKPOINT"], "inner", "salted-name")
def save(*_):
    kept.parent.mkdir(exist_ok=True)
    kept.write_text("salt" * 1000)
    (kept.parent / "link").symlink_to("/etc/passwd")
    sys.exit(1)
found = kept.read_text() if kept.exists() else ""
if not found:
    signal.signal(signal.SIGTERM, save)
    pathlib.Path(sys.argv[4], "ready").touch()
    signal.pause()
h = b'{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'
open(sys.argv[4] + "/m.safetensors", "wb").write(struct.pack("<Q", len(h)) + h + b"x")
open(sys.argv[4] + "/metrics.json", "w").write(json.dumps({"found": len(found)}))
"""
MANIFEST = "r0123456789ab/manifest.json"


def ready(run: Run) -> bool:
    """Whether the trainer waits to be preempted."""
    found = [Path(argv[argv.index("--out") + 1]) for argv in (p.info["cmdline"] for p in trainers_of(run))]
    return any((out / "ready").exists() for out in found)


def preempted(make_run: Make, trainer: str = GOES_ON) -> Run:
    """A run that was preempted while it trained."""
    run = make_run(trainer)
    run.freeze()
    run.release()
    code, printed = run.stop_when(lambda: ready(run))
    assert (code, unsigned(run)[0]["reason"]) == (1, "preempted"), printed
    return run


def next_attempt(make_run: Make, first: Run, **changes: Any) -> Run:
    """The order of another attempt, which goes on from what the first left."""
    run = make_run(GOES_ON)
    run.order["run"] = "r0123456789ac"
    run.order["evidence"]["prefix"] = "shown/r0123456789ac/"
    run.order["output"]["prefix"] = "r0123456789ac/"
    run.order["checkpoint"]["resume"] = {
        "run": "r0123456789ab",
        "manifest": MANIFEST,
        "sha256": sha256(first.world.objects["checkpoints", MANIFEST]),
    }
    run.order |= changes
    return run


def test_a_checkpoint_leaves_sealed_and_comes_back(make_run: Make) -> None:
    """SIGTERM reaches the trainer; what it writes then is sealed, without its names and without links, and
    stands in the same folder when the next attempt begins.
    """
    first = preempted(make_run)
    left = {name: data for (bucket, name), data in first.world.objects.items() if bucket == "checkpoints"}
    assert set(left) == {MANIFEST, "r0123456789ab/checkpoint.tar.part-00000"}
    assert not [data for data in left.values() if b"salt" in data or b"passwd" in data]
    assert unsigned(first)[0]["left_digest"] == sha256(left[MANIFEST])
    second = next_attempt(make_run, first)
    code, printed = second.finish()
    assert code == 0, printed
    token = second.record("evidence", "shown/r0123456789ac/token.json")
    envelope = second.world.objects["evidence", "shown/r0123456789ac/receipt.json"]
    assert receipt.parse(envelope, token["public_key_pem"]).metrics == {"found": 4000}


@pytest.mark.parametrize("what", ["manifest", "part", "arguments"])
def test_a_checkpoint_that_is_not_the_orders_is_refused(make_run: Make, what: str) -> None:
    """Another manifest, a changed part, or a checkpoint of another training: nothing is gone on from."""
    first = preempted(make_run)
    second = next_attempt(make_run, first, **({"arguments": {"x": 1}} if what == "arguments" else {}))
    if what == "manifest":
        first.world.objects["checkpoints", MANIFEST] += b" "
    if what == "part":
        flip(first, "r0123456789ab/checkpoint.tar.part-00000", "checkpoints")
    code, printed = second.finish()
    expected = "dataset_mismatch" if what == "part" else "checkpoint_refused"
    assert (code, second.world.messages[-1]["reason"]) == (1, expected), printed


def test_a_trainer_that_keeps_nothing_leaves_no_checkpoint(make_run: Make) -> None:
    """An empty folder is no checkpoint, and the run still says that it was preempted."""
    source = "import pathlib, sys, time\npathlib.Path(sys.argv[4], 'ready').touch()\ntime.sleep(60)\n"
    run = preempted(make_run, source)
    assert not [name for bucket, name in run.world.objects if bucket == "checkpoints"]
    assert unsigned(run)[0]["left_digest"] is None


def test_a_checkpoint_that_cannot_be_written_is_not_spoken_of(make_run: Make) -> None:
    """Who puts other bytes in its place cannot have the VM sign for them: its word names none."""
    run = make_run(GOES_ON)
    run.freeze()
    run.release()
    run.world.objects["checkpoints", MANIFEST] = b"another's"
    code, printed = run.stop_when(lambda: ready(run))
    assert code == 1
    assert "checkpoint.lost" in printed
    assert (unsigned(run)[0]["reason"], unsigned(run)[0]["left_digest"]) == ("preempted", None)


def trains(make_run: Make) -> Run:
    """A run that is to attest every second."""
    run = make_run(GOES_ON)
    run.order["evidence"]["renew_s"] = 1
    run.freeze()
    run.release()
    return run


def shown(run: Run, count: int) -> list[dict[str, Any]]:
    """Its first token and the later ones, where the functions look for them."""
    return [run.record(*run.place(number)) for number in range(count)]


def test_a_machine_that_trains_shows_itself_anew(make_run: Make) -> None:
    """At every interval a fresh token, same key and nonce, in the next place; a refusal in between is
    waited out, and the training goes on.
    """
    run = trains(make_run)
    run.world.faults.append(Fault(f"name={EVIDENCE}/00001-", 403))
    code, printed = run.stop_when(lambda: run.stands(2))
    tokens = shown(run, 3)
    assert code == 1, printed
    assert "workload.not_attested" in printed
    assert len({token["token"] for token in tokens}) == 3
    assert len({token["public_key_pem"] for token in tokens}) == 1
    asked = [asked for asked in run.world.asked_tokens if asked["token_type"] == "PKI"]
    assert len({str(one["nonces"]) for one in asked}) == 1


def test_a_token_whose_answer_was_lost_leaves_no_gap(make_run: Make) -> None:
    """It stands, so the next goes into the next place: who looks for them finds one after the other."""
    run = trains(make_run)
    run.world.faults.append(Fault("/00001-", 403, done=True))
    code, printed = run.stop_when(lambda: run.stands(3))
    assert code == 1, printed
    assert "workload.not_attested" in printed
    assert len({token["token"] for token in shown(run, 4)}) == 4


def test_no_place_can_be_taken_in_advance(make_run: Make) -> None:
    """Who knows the run and its order puts records where tokens were once looked for: the VM goes elsewhere.
    A place is told by the machine's key and the run's own; by what the order shows alone, it is another.
    """
    run = trains(make_run)
    for number in range(30):
        run.world.objects["evidence", f"{EVIDENCE}/{number:05d}/token.json"] = b"{}"
    code, printed = run.stop_when(lambda: run.stands(2))
    assert code == 1, printed
    assert "workload.not_attested" not in printed
    order_alone = later.public(run.order["evidence"]["places"])
    another = later.PlaceKey.new().key()
    guesses = {later.place(f"{EVIDENCE}/", another, order_alone, number) for number in range(3)}
    assert guesses.isdisjoint(name for _, name in run.world.objects)
