"""The control door."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from google.api_core.exceptions import NotFound

from tests.localcloud.conftest import World, eventually, start
from tests.localcloud.deploying import account, call, deploy
from tests.localcloud.machine.instances import client, insert, instance, wait

PROJECT = "projects/demo-project"


def ask(world: World, verb: str, word: str, body: object = None) -> requests.Response:
    return requests.request(verb, f"{world.cloud.endpoint}/_control/{word}", json=body, timeout=30)


def test_calls_are_recorded_in_order_with_caller_and_status(world: World) -> None:
    """Who called what, and what came of it; control itself is not recorded."""
    account(world, "watched")
    accounts = world.api("iam", "v1", "watched").projects().serviceAccounts()
    with pytest.raises(Exception, match="403"):
        accounts.list(name=PROJECT).execute()
    last = ask(world, "GET", "calls").json()["calls"][-1]
    assert last["method"] == "iam.projects.serviceAccounts.list"
    assert (last["status"], last["caller"]) == (403, world.member("watched"))
    assert last["resource"].startswith(f"/v1/{PROJECT}/serviceAccounts")


def test_the_clock_is_moved_stopped_and_let_run(world: World) -> None:
    """Only forward; a frozen clock stands; one that leaps says so."""
    before = ask(world, "GET", "clock").json()["now"]
    assert ask(world, "POST", "clock", {"advance": 100}).json()["now"] >= before + 100
    frozen = ask(world, "POST", "clock", {"freeze": True}).json()
    assert frozen["frozen"]
    assert ask(world, "GET", "clock").json()["now"] == frozen["now"]
    assert not ask(world, "POST", "clock", {"freeze": False}).json()["frozen"]
    for leaps in (True, False):
        assert ask(world, "POST", "clock", {"leap": leaps}).json()["leaps"] is leaps
    for wrong in ({"freeze": "yes"}, {"leap": 1}, {"advance": -1}, {"advance": "1"}, {"stop": True}, {}, []):
        assert ask(world, "POST", "clock", wrong).status_code == 400


def test_faults_are_planted_consumed_and_cleared(world: World) -> None:
    """As data; the report tells how often each was met."""
    fault = {"api": "iam.projects.serviceAccounts.list", "answer": 503, "times": 1}
    ask(world, "POST", "faults", fault)
    url = f"{world.cloud.endpoint}/v1/{PROJECT}/serviceAccounts"
    assert [requests.get(url, timeout=10).status_code for _ in range(2)] == [503, 200]
    assert ask(world, "GET", "faults").json()["faults"][0]["consumed"] == 1
    assert ask(world, "DELETE", "faults").json() == {"faults": []}


DECRYPT = "cloudkms.projects.locations.keyRings.cryptoKeys.decrypt"
LIST = "(docs/stand-in.md lists them), or one of ['compute.instances.boot'"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"answer": 200}, "answer: got 200, expected 400..599 or one of ('reset', "),
        ({"answer": []}, "answer: got [], expected 400..599"),
        ({"answer": None}, "answer: got None, expected 400..599"),
        ({"times": 0}, "times: got 0, expected 1 or more"),
        ({"match": {"name": 1}}, "match: got {'name': 1}, expected text by field"),
        ({"time": 2}, "body: got ['answer', 'api', 'time'], expected api, answer and, at will, times, match"),
        ({"consumed": 1}, "body: got ['answer', 'api', 'consumed'], expected api, answer and"),
        ({"api": "cloudkms.cryptoKeys.decrypt"}, f"is served, such as {DECRYPT} {LIST}"),
        ({"api": "decrypt"}, f"got 'decrypt', expected the id of a method that is served, such as {DECRYPT}"),
        ({"api": "storage.object.insert"}, "such as storage.objects.insert, "),
        ({"api": "iam.projects.serviceAccounts.fetch"}, f"the id of a method that is served {LIST}"),
        ({"api": None}, f"api: got None, expected the id of a method that is served {LIST}"),
        ({"api": "compute.instances.boot"}, "answer: got 503, expected what can be met at compute.instances"),
    ],
)
def test_a_fault_that_cannot_be_is_refused(changed: dict[str, object], told: str, world: World) -> None:
    """With the field, what was got, and what is expected; none is planted. None: the member is left out."""
    fault = {"api": "iam.projects.serviceAccounts.list", "answer": 503, **changed}
    body = {member: value for member, value in fault.items() if value is not None}
    refused = ask(world, "POST", "faults", body)
    assert refused.status_code == 400
    assert told in refused.json()["error"]["message"]
    assert ask(world, "GET", "faults").json() == {"faults": []}


def test_an_answer_is_lost_before_or_after_the_effect(world: World) -> None:
    """ "reset": the connection is cut and nothing happened. "after_effect": 503, and yet it happened."""
    url = f"{world.cloud.endpoint}/v1/{PROJECT}/serviceAccounts"
    api = "iam.projects.serviceAccounts.create"
    ask(world, "POST", "faults", {"api": api, "answer": "reset"})
    with pytest.raises(requests.ConnectionError):
        requests.post(url, json={"accountId": "never-made"}, timeout=10)
    ask(world, "POST", "faults", {"api": api, "answer": "after_effect"})
    assert requests.post(url, json={"accountId": "made-anyway"}, timeout=10).status_code == 503
    emails = [found["email"] for found in requests.get(url, timeout=10).json()["accounts"]]
    assert f"made-anyway@{world.cloud.project}.iam.gserviceaccount.com" in emails
    assert not [email for email in emails if email.startswith("never-made")]


def test_a_fault_may_be_narrowed_to_parameters_and_body_fields(world: World) -> None:
    """Only the call with those words meets it."""
    url = f"{world.cloud.endpoint}/v1/{PROJECT}/serviceAccounts"
    match = {"accountId": "unlucky", "serviceAccount.displayName": "One"}
    ask(
        world,
        "POST",
        "faults",
        {"api": "iam.projects.serviceAccounts.create", "answer": "quota", "match": match},
    )
    body = {"accountId": "unlucky-one", "serviceAccount": {"displayName": "One"}}
    assert requests.post(url, json={**body, "accountId": "lucky-one"}, timeout=10).status_code == 200
    refused = requests.post(url, json=body, timeout=10)
    assert refused.status_code == 403
    assert refused.json()["error"]["errors"][0]["reason"] == "quotaExceeded"
    assert requests.post(url, json=body, timeout=10).status_code == 200


def test_there_is_no_room(world: World) -> None:
    """ "stockout" on another call than an instance's: Google's 503, and nothing was made."""
    url = f"{world.cloud.endpoint}/compute/v1/{PROJECT}/zones/us-central1-a/reservations"
    ask(world, "POST", "faults", {"api": "compute.reservations.insert", "answer": "stockout"})
    shape = {"count": "1", "instanceProperties": {"machineType": "n2d-standard-2"}}
    refused = requests.post(url, json={"name": "roomless", "specificReservation": shape}, timeout=10)
    error = refused.json()["error"]
    assert (refused.status_code, error["status"]) == (503, "ZONE_RESOURCE_POOL_EXHAUSTED")
    assert requests.get(f"{url}/roomless", timeout=10).status_code == 404


def test_a_call_is_never_answered(world: World) -> None:
    """ "timeout": nothing happens, nothing is said; after a minute of the stand-in's time the line is cut."""
    url = f"{world.cloud.endpoint}/v1/{PROJECT}/serviceAccounts"
    ask(
        world,
        "POST",
        "faults",
        {"api": "iam.projects.serviceAccounts.create", "answer": "timeout", "times": 2},
    )
    with pytest.raises(requests.ReadTimeout):
        requests.post(url, json={"accountId": "unheard"}, timeout=0.3)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(requests.post, url, json={"accountId": "unheard"}, timeout=20)
        eventually(lambda: ask(world, "GET", "faults").json()["faults"][-1]["consumed"] == 2)
        ask(world, "POST", "clock", {"advance": 61})
        with pytest.raises(requests.ConnectionError):
            waiting.result()
    assert "unheard" not in requests.get(url, timeout=10).text


def test_a_call_is_carried_twice(world: World) -> None:
    """ "duplicate": one publish, two messages; a create whose second is refused answers as the first."""
    publisher, subscriber = world.publisher(), world.subscriber()
    topic, subscription = f"{PROJECT}/topics/twice", f"{PROJECT}/subscriptions/twice"
    publisher.create_topic(name=topic)
    subscriber.create_subscription(name=subscription, topic=topic)
    ask(world, "POST", "faults", {"api": "pubsub.projects.topics.publish", "answer": "duplicate"})
    publisher.publish(topic=topic, messages=[{"data": b"once"}])
    got = subscriber.pull(subscription=subscription, max_messages=10).received_messages
    assert [message.message.data for message in got] == [b"once", b"once"]
    ask(world, "POST", "faults", {"api": "storage.objects.insert", "answer": "duplicate"})
    bucket = world.storage().create_bucket("twice")
    bucket.blob("x").upload_from_string(b"once", if_generation_match=0)
    assert bucket.blob("x").download_as_bytes() == b"once"


def test_a_stockout_is_told_as_google_tells_it(world: World) -> None:
    """The insert begins an operation; that fails, and there is no instance."""
    ask(world, "POST", "faults", {"api": "compute.instances.insert", "answer": "stockout"})
    operation = wait(world, insert(world, instance(world, "out-of-stock")))
    assert operation.error.errors[0].code == "ZONE_RESOURCE_POOL_EXHAUSTED"
    assert operation.http_error_status_code == 503
    with pytest.raises(NotFound):
        client(world, "Instances").get(project="demo-project", zone="us-central1-a", instance="out-of-stock")


def test_the_stand_in_is_killed_between_effect_and_answer(tmp_path: Path) -> None:
    """ "kill": the caller sees a broken connection; what was done is there when the stand-in starts again."""
    stand_in, world = _started(tmp_path)
    fault = {"api": "iam.projects.serviceAccounts.create", "answer": "kill"}
    ask(world, "POST", "faults", fault)
    url = f"{world.cloud.endpoint}/v1/{PROJECT}/serviceAccounts"
    with pytest.raises(requests.ConnectionError):
        requests.post(url, json={"accountId": "last-words"}, timeout=10)
    assert stand_in.wait(10) == -signal.SIGKILL
    again = start(tmp_path / "state")
    try:
        accounts = (
            again.api("iam", "v1").projects().serviceAccounts().list(name=PROJECT).execute()["accounts"]
        )
        assert accounts[0]["email"].startswith("last-words@")
    finally:
        again.server.stop()


def test_no_token_may_use_it_and_no_other_word_exists(world: World) -> None:
    """403 for functions and machines; 404 lists what there is."""
    token = world.cloud.tokens.access_token(world.member("watched"))
    headers = {"Authorization": f"Bearer {token}"}
    url = f"{world.cloud.endpoint}/_control/clock"
    assert requests.post(url, json={"advance": 1}, headers=headers, timeout=10).status_code == 403
    answer = ask(world, "GET", "season")
    assert answer.status_code == 404
    assert "GET clock" in answer.text


def test_reset_forgets_everything_but_the_keys(tmp_path: Path) -> None:
    """Accounts, functions and their processes are gone; the attestation root is the same."""
    world = start(tmp_path)
    try:
        deploy(world, "hello", "def main(request):\n    import os\n    return str(os.getpid())\n")
        pid = int(call(world, "hello").text)
        root = ask(world, "GET", "attestation-root").text
        kinds = {r["kind"] for r in ask(world, "GET", "inventory").json()["resources"]}
        assert {"cloudfunctions.function", "storage.bucket"} <= kinds
        ask(world, "POST", "reset")
        assert ask(world, "GET", "inventory").json() == {"resources": []}
        eventually(lambda: not _alive(pid))
        assert call(world, "hello").status_code == 404
        assert ask(world, "GET", "attestation-root").text == root
        assert ask(world, "GET", "health").json()["status"] == "ok"
    finally:
        world.server.stop()


def test_what_is_made_again_after_a_reset_works_as_at_first(tmp_path: Path) -> None:
    """Numbers go on, and yet the first version of a key is its primary one: it encrypts."""
    world = start(tmp_path)
    try:
        for _ in range(2):
            place = f"{world.cloud.endpoint}/v1/{PROJECT}/locations/us-central1/keyRings"
            requests.post(place, params={"keyRingId": "ring"}, json={}, timeout=10).raise_for_status()
            keys = f"{place}/ring/cryptoKeys"
            body = {"purpose": "ENCRYPT_DECRYPT"}
            requests.post(keys, params={"cryptoKeyId": "k"}, json=body, timeout=10).raise_for_status()
            key = requests.get(f"{keys}/k", timeout=10).json()
            assert key["primary"]["state"] == "ENABLED"
            ask(world, "POST", "reset")
    finally:
        world.server.stop()


def test_functions_left_by_a_killed_stand_in_are_ended_at_the_next_start(tmp_path: Path) -> None:
    """kill -9: the process on record ends when the stand-in starts again; state is whole."""
    stand_in, world = _started(tmp_path)
    deploy(world, "left", "def main(request):\n    import os\n    return str(os.getpid())\n")  # type: ignore[arg-type]
    pid = int(call(world, "left").text)  # type: ignore[arg-type]
    os.kill(stand_in.pid, signal.SIGKILL)
    stand_in.wait()
    assert _alive(pid)
    again = start(tmp_path / "state")
    try:
        eventually(lambda: not _alive(pid))
        assert call(again, "left").status_code == 200
    finally:
        again.server.stop()


def _started(folder: Path) -> tuple[subprocess.Popen[bytes], World]:
    """A stand-in in a process of its own, on `folder`/state."""
    ready = folder / "ready.json"
    command = [sys.executable, "-m", "localcloud", "up", "--state", str(folder / "state")]
    stand_in = subprocess.Popen([*command, "--ready-file", str(ready)], stdout=subprocess.DEVNULL)
    addresses = json.loads(eventually(lambda: ready.exists() and ready.read_text(), 20))
    return stand_in, _At(addresses["endpoint"], addresses["front"])


class _At(World):
    """A world in another process: only its addresses are known."""

    def __init__(self, endpoint: str, front: str) -> None:
        store = type("Store", (), {"get": staticmethod(lambda *_: None)})
        clock = type("Clock", (), {"advance": staticmethod(lambda _: None)})
        where = {
            "endpoint": endpoint,
            "front": front,
            "project": "demo-project",
            "store": store,
            "clock": clock,
        }
        self.cloud = type("Cloud", (), where)  # type: ignore[assignment]


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
