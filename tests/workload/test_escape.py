"""A trainer that tries to get out, under the real confinement: what it cannot reach, and how it is ended."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from sealtrain.rules.order import OrderLimits

from workload import child, confine
from workload.errors import WorkloadError

LIMITS = OrderLimits(seconds=20, disk_bytes=50_000_000, memory_bytes=2**31)
Trainer = Callable[..., dict[str, str]]
pytestmark = pytest.mark.skipif(bool(confine.missing()), reason=f"not on this system: {confine.missing()}")


@pytest.fixture
def trainer(tmp_path: Path) -> Trainer:
    """Run a trainer that tries calls, given as source by name; gives what became of each."""

    def run(attempts: dict[str, str], limits: OrderLimits = LIMITS) -> dict[str, str]:
        app, data, work = (tmp_path / name for name in ("app", "data", "work"))
        for folder in (app / "trainer", data, work):
            folder.mkdir(parents=True)
        tries = f"tries = {attempts!r}\n"
        body = """
            import errno, json, os, signal, socket, subprocess, sys
            def told(source):
                try:
                    exec(source)
                except subprocess.CalledProcessError:
                    return "ended badly"
                except OSError as error:
                    return errno.errorcode.get(error.errno, "?")
                return "allowed"
            got = {name: told(source) for name, source in tries.items()}
            json.dump(got, open(sys.argv[4] + "/got.json", "w"))
        """
        (app / "trainer" / "__main__.py").write_text(tries + textwrap.dedent(body))
        out, _ = child.train(data, {}, work, limits, lambda: None, app)
        found: dict[str, str] = json.loads((out / "got.json").read_text())
        return found

    return run


def test_no_socket_of_any_family_opens(trainer: Trainer) -> None:
    """Not to the network, the launcher, the kernel, the hypervisor or a neighbour."""
    families = {str(int(family)): f"socket.socket({int(family)})" for family in socket.AddressFamily}
    assert {"1", "2", "10", "16", "40"} <= set(families)  # unix, inet, inet6, netlink, vsock
    assert set(trainer(families).values()) == {"EPERM"}


@pytest.fixture
def secrets() -> Iterator[dict[str, Path]]:
    """What lies on a machine beside the trainer: the launcher's folder, and another run's opened data."""
    with tempfile.TemporaryDirectory(prefix="neighbour-") as folder:
        token, data = Path(folder, "attestation_verifier_claims_token"), Path(folder, "data.csv")
        token.write_text("a token")
        data.write_text("salt")
        yield {"token": token, "data": data, "folder": Path(folder)}


def test_nothing_beside_its_own_folders_can_be_read(trainer: Trainer, secrets: dict[str, Path]) -> None:
    """Not a token, another run's data, a directory of others, the parent in /proc, or this machine's disk."""
    parent = f"/proc/{os.getpid()}"
    attempts = {
        "token": f"open({str(secrets['token'])!r})",
        "another run's data": f"open({str(secrets['data'])!r})",
        "a folder of others": f"os.listdir({str(secrets['folder'])!r})",
        "by a link": f"os.symlink({str(secrets['data'])!r}, sys.argv[4] + '/l'); open(sys.argv[4] + '/l')",
        "by a hard link": f"os.link({str(secrets['data'])!r}, sys.argv[4] + '/hard')",
        "temporary files": f"os.listdir({tempfile.gettempdir()!r})",
        **{name: f"open('{parent}/{name}', 'rb').read()" for name in ("environ", "maps", "mem", "cmdline")},
        "the parent's files": f"os.listdir('{parent}/fd')",
        "a folder above": "os.listdir(os.path.dirname(sys.argv[4]))",
    }
    got = trainer(attempts)
    assert {name for name, what in got.items() if what not in {"EACCES", "EPERM", "EXDEV"}} == set()


def test_nothing_outside_its_own_folders_can_be_written(trainer: Trainer, secrets: dict[str, Path]) -> None:
    """Neither its data, its program, the system nor other people's files; its own places can."""
    attempts = {
        "data": "open(sys.argv[2] + '/x', 'w')",
        "program": "open(os.path.abspath('trainer/__main__.py'), 'a')",
        "arguments": "open(sys.argv[6], 'a')",
        "beside": "open(os.path.dirname(sys.argv[4]) + '/x', 'w')",
        "others": f"open({str(secrets['data'])!r}, 'a')",
        "remove": f"os.remove({str(secrets['data'])!r})",
        "system": "open('/etc/x', 'w')",
        "temporary": f"open({tempfile.gettempdir()!r} + '/x', 'w')",
        "a device": "os.mknod(sys.argv[4] + '/disk', 0o60600, os.makedev(8, 0))",
    }
    assert set(trainer(attempts).values()) <= {"EACCES", "EPERM"}
    assert secrets["data"].read_text() == "salt"


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Confinement as on a machine with a GPU: CUDA needs a little more (seen under strace on an H100)."""
    monkeypatch.setattr(child, "GPU", Path("/dev/null"))


def test_beside_a_gpu_the_one_socket_that_opens_reaches_nobody(gpu: None, trainer: Trainer) -> None:
    """CUDA may listen on a UNIX socket of packets; it can not connect or accept, and no other kind opens."""
    packets = "socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(b"\0sealtrain-test-%d" % os.getpid())
        listening.listen()
        name = f"b'\\0sealtrain-test-{os.getpid()}'"
        kinds = {
            f"{int(family)} {int(kind)}": f"socket.socket({int(family)}, {int(kind)})"
            for family in socket.AddressFamily
            for kind in socket.SocketKind
            if kind.name in {"SOCK_STREAM", "SOCK_DGRAM", "SOCK_RAW", "SOCK_SEQPACKET"}
        }
        got = trainer(
            kinds
            | {
                "pair": "socket.socketpair()",
                "connect": f"{packets}).connect({name})",
                "listen": f"s = {packets} | 0o2000000); s.bind(b'\\0x-%d' % os.getpid()); s.listen()",
                "accept": f"s = {packets}); s.bind(b'\\0y-%d' % os.getpid()); s.listen(); s.accept()",
            }
        )
    assert {what for what, became in got.items() if became != "EPERM"} == {"1 5", "listen"}


def test_beside_a_gpu_threads_are_named_and_addresses_are_not_memory(gpu: None, trainer: Trainer) -> None:
    """CUDA names its threads through /proc and reserves addresses; what is written counts as memory."""
    attempts = {
        "name": "open(f'/proc/self/task/{os.getpid()}/comm', 'w').write('cuda')",
        "reserve": "import mmap; mmap.mmap(-1, 2**33, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, 0)",
        "take": "import mmap; mmap.mmap(-1, 2**32, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, 3)",
        "parent": f"open('/proc/{os.getpid()}/task/{os.getpid()}/comm', 'w')",
    }
    assert trainer(attempts) == {
        "name": "allowed",
        "reserve": "allowed",
        "take": "ENOMEM",
        "parent": "EACCES",
    }


def test_its_own_folders_can_be_written(trainer: Trainer) -> None:
    """Output, scratch and checkpoint are open, and a subprocess has them too."""
    places = {
        name: f"open({where} + '/x', 'w').write('x')"
        for name, where in {
            "out": "sys.argv[4]", "scratch": "os.environ['TMPDIR']", "checkpoint": "os.environ['CHECKPOINT']",
        }.items()
    }  # fmt: skip
    inner = "import os; open(os.environ['TMPDIR'] + '/y', 'w')"
    places["subprocess"] = f"subprocess.run([sys.executable, '-c', {inner!r}], check=True)"
    assert set(trainer(places).values()) == {"allowed"}


@pytest.mark.skipif(confine._landlock_version() < 6, reason="this kernel's Landlock knows no signals")
def test_other_processes_can_not_be_signalled(trainer: Trainer) -> None:
    """Its parent, and a stranger of the same user, are out of its reach (signal 0 asks without harm)."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        attempts = {"parent": "os.kill(os.getppid(), 0)", "stranger": f"os.kill({stranger.pid}, 0)"}
        got = trainer(attempts)
        stranger.communicate(b"\n")
    assert set(got.values()) == {"EPERM"}


def test_a_fork_bomb_is_ended(trainer: Trainer, tmp_path: Path) -> None:
    """More processes than allowed end the run, and all of them are gone with it."""
    with pytest.raises(WorkloadError) as caught:
        trainer({"bomb": "while True: os.fork() or signal.pause()"})
    assert caught.value.reason == "trainer_processes"
    mine = str(tmp_path / "app")
    left = [process for process in psutil.process_iter(["cwd"]) if process.info["cwd"] == mine]
    assert psutil.wait_procs(left, timeout=5)[1] == []


def test_memory_of_its_subprocesses_is_limited_as_well(trainer: Trainer) -> None:
    """A child of the trainer gets no more memory than the trainer."""
    grab = "bytearray(2**30)"
    attempts = {"grab": f"subprocess.run([sys.executable, '-c', {grab!r}]).check_returncode()"}
    limits = OrderLimits(seconds=20, disk_bytes=10**6, memory_bytes=2**29)
    assert trainer(attempts, limits) == {"grab": "ended badly"}
