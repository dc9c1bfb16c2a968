"""The trainer child: its limits and what it may not do."""

import json
import os
import platform
import sys
import textwrap
from pathlib import Path

import psutil
import pytest
from sealtrain.rules.order import OrderLimits

from workload import child, confine
from workload.errors import WorkloadError

LIMITS = OrderLimits(seconds=20, disk_bytes=50_000_000, memory_bytes=2**31)
confined = pytest.mark.skipif(not confine.available(), reason="no confinement on this system")


@pytest.fixture
def trainer(tmp_path: Path):
    """Run a trainer given as source; gives its output directory and printed bytes."""

    def run(source: str, limits: OrderLimits = LIMITS, **arguments: object) -> tuple[Path, int]:
        app, data, work = (tmp_path / name for name in ("app", "data", "work"))
        for directory in (app / "trainer", data, work):
            directory.mkdir(parents=True)
        (data / "data.csv").write_text("a,b\n1,2\n")
        head = "import sys; data, out, arguments = sys.argv[2:7:2]\n"
        (app / "trainer" / "__main__.py").write_text(head + textwrap.dedent(source))
        return child.train(data, arguments, work, limits, lambda: None, app)

    return run


def is_gone(marker: str) -> bool:
    """Whether no living process has the marker on its command line, within two seconds."""
    found = [p for p in psutil.process_iter(["cmdline"]) if marker in str(p.info["cmdline"])]
    return not psutil.wait_procs(
        [p for p in found if p.is_running() and p.status() != psutil.STATUS_ZOMBIE], timeout=2
    )[1]


def attempt(call: str) -> str:
    """Source of a trainer that writes down the error its call raised."""
    return f"""
    import ctypes, errno, os, socket, subprocess
    try:
        {call}
        got = "allowed"
    except OSError as error:
        got = errno.errorcode.get(error.errno, "?")
    open(out + "/got", "w").write(got)
    """


def test_it_reads_data_and_arguments_and_writes_its_output(trainer) -> None:
    """A trainer sees the data directory and its arguments; what it prints is only counted."""
    out, printed_bytes = trainer(
        """
        import json, pathlib
        text = pathlib.Path(data, "data.csv").read_text() + json.load(open(arguments))["word"]
        open(out + "/got", "w").write(text)
        print("x" * 9)
        """,
        word="salt",
    )
    assert (out / "got").read_text() == "a,b\n1,2\nsalt"
    assert printed_bytes == 10


def test_it_inherits_nothing(trainer, monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of ours, no input and no open file of ours reaches the trainer."""
    monkeypatch.setenv("SEALTRAIN_SECRET", "salt")
    os.dup2(1, 200, inheritable=True)
    try:
        out, _ = trainer(
            """
            import json, os
            names, given = sorted(os.environ), sys.stdin.read()
            files = [number for number in range(3, 256) if os.path.exists(f"/dev/fd/{number}")]
            json.dump([names, given, files], open(out + "/got", "w"))
            """
        )
    finally:
        os.close(200)
    names, given, files = json.loads((out / "got").read_text())
    expected = {"CHECKPOINT", "HOME", "LANG", "PATH", "PYTHONDONTWRITEBYTECODE", "TMPDIR"}
    assert set(names) - {"LC_CTYPE", "LD_LIBRARY_PATH"} == expected  # the last beside a GPU's driver
    assert (given, files) == ("", [])


def test_a_trainer_that_exits_1_is_told_apart(trainer) -> None:
    """An exit status other than 0 ends the run with reason trainer_exit."""
    with pytest.raises(WorkloadError) as caught:
        trainer("print('secret'); sys.exit(1)")
    assert (caught.value.reason, caught.value.detail) == ("trainer_exit", "the trainer ended with 1")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (64, "arguments_refused"),
        (65, "data_refused"),
        (66, "target_refused"),
        (67, "columns_refused"),
        (68, "rows_refused"),
        (69, "gpu_missing"),
    ],
)
def test_a_trainer_may_say_by_its_exit_code_what_it_refuses(trainer, code: int, reason: str) -> None:
    """Six exit codes of the contract become words; what was printed stays unseen."""
    with pytest.raises(WorkloadError) as caught:
        trainer(f"print('secret'); sys.exit({code})")
    assert (caught.value.reason, caught.value.detail) == (reason, f"the trainer ended with {code}")


def test_a_trainer_that_hangs_is_ended_with_its_children(trainer) -> None:
    """At its time limit the whole process group is killed, though it ignores SIGTERM."""
    with pytest.raises(WorkloadError) as caught:
        trainer(
            """
            import signal, subprocess, time
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(61.5)"])
            time.sleep(60)
            """,
            OrderLimits(seconds=1, disk_bytes=10**6, memory_bytes=2**31),
        )
    assert caught.value.reason == "trainer_timeout"
    assert is_gone("61.5")


@pytest.mark.parametrize(
    "source",
    [
        "open(out + '/big', 'wb').write(bytes(3_000_000))",
        "[open(f'{out}/{n}', 'wb').write(bytes(300_000)) for n in range(10)]",
        "print('x' * 3_000_000)",
        "import time; [open(f'{out}/{n}', 'wb').write(bytes(300_000)) for n in range(10)]; time.sleep(60)",
    ],
    ids=["one file", "many files", "prints", "then hangs"],
)
def test_a_trainer_that_fills_its_disk_is_ended(trainer, source: str) -> None:
    """Writing more than the limit ends the run with reason trainer_disk."""
    with pytest.raises(WorkloadError) as caught:
        trainer(source, OrderLimits(seconds=20, disk_bytes=1_000_000, memory_bytes=2**31))
    assert caught.value.reason == "trainer_disk"


def test_a_trainer_that_takes_too_much_memory_fails(trainer) -> None:
    """Memory beyond the limit is not given."""
    with pytest.raises(WorkloadError) as caught:
        trainer("bytearray(2**30)", OrderLimits(20, 10**6, 2**29))
    assert caught.value.reason == "trainer_exit"


def test_what_a_finished_trainer_left_running_is_ended(trainer) -> None:
    """A process that outlives the trainer is killed before its output is looked at."""
    trainer(
        """
        import subprocess
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(62.5)"])
        """
    )
    assert is_gone("62.5")


@confined
@pytest.mark.parametrize(
    "call",
    [
        "socket.socket(socket.AF_INET)",
        "socket.socket(socket.AF_UNIX)",
        "socket.socketpair()",
        "os.setsid()",
        "os.setpgid(0, 0)",
        "os.pidfd_open(os.getppid())",
        "subprocess.Popen(['true'], start_new_session=True)",
    ],
)
def test_what_is_denied_is_denied(trainer, call: str) -> None:
    """No socket of any kind, no way out of the process group, no hold on another process."""
    out, _ = trainer(attempt(call))
    assert (out / "got").read_text() == "EPERM"


@confined
@pytest.mark.parametrize(
    ("number", "arguments", "expected"),
    [
        ({"x86_64": 101, "aarch64": 117}, "0, 0, 0, 0", "EPERM"),
        ({"x86_64": 310, "aarch64": 270}, "os.getppid(), 0, 0, 0, 0, 0", "EPERM"),
        ({"x86_64": 272, "aarch64": 97}, "0x10000000", "EPERM"),
        ({"x86_64": 321, "aarch64": 280}, "0, 0, 0", "EPERM"),
        ({"x86_64": 425, "aarch64": 425}, "8, 0", "EPERM"),
        ({"x86_64": 435, "aarch64": 435}, "0, 0", "ENOSYS"),
        ({"x86_64": 56, "aarch64": 220}, "0x10000000, 0, 0, 0, 0", "EPERM"),
    ],
    ids=["ptrace", "process_vm_readv", "unshare", "bpf", "io_uring", "clone3", "clone newuser"],
)
def test_denied_system_calls(trainer, number: dict[str, int], arguments: str, expected: str) -> None:
    """System calls that reach other processes, namespaces or the kernel fail."""
    call = f"ctypes.CDLL(None, use_errno=True).syscall({number[platform.machine()]}, {arguments})"
    out, _ = trainer(
        f"""
        import ctypes, errno, os
        result = {call}
        got = errno.errorcode[ctypes.get_errno()] if result == -1 else "allowed"
        open(out + "/got", "w").write(got)
        """
    )
    assert (out / "got").read_text() == expected


@confined
def test_the_child_has_no_capability_and_cannot_gain_one(trainer) -> None:
    """All capability sets are empty, no_new_privs is set and the filter stands, root or not."""
    out, _ = trainer("open(out + '/got', 'w').write(open('/proc/self/status').read())")
    status = dict(line.split(":\t", 1) for line in (out / "got").read_text().splitlines())
    assert {status[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Amb")} == {"0" * 16}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")


@confined
def test_a_process_that_hid_itself_cannot_be_read_by_the_child(trainer) -> None:
    """The workload's memory is closed to the trainer though both have the same user."""
    import subprocess

    hiding = (
        "import sys; sys.path.insert(0, sys.argv[1]); from workload import confine;"
        "confine.guard_this_process(); print('hidden', flush=True); sys.stdin.read()"
    )
    root = Path(confine.__file__).parent.parent
    with subprocess.Popen(
        [sys.executable, "-c", hiding, root], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as hidden:
        assert hidden.stdout is not None
        assert hidden.stdout.readline() == b"hidden\n"
        out, _ = trainer(attempt(f"open('/proc/{hidden.pid}/mem', 'rb')"))
        hidden.communicate(b"")
    assert (out / "got").read_text() in {"EPERM", "EACCES"}


@confined
def test_threads_and_processes_still_work(trainer) -> None:
    """What a trainer needs is allowed: threads, child processes, pipes."""
    out, _ = trainer(
        """
        import subprocess, threading
        thread = threading.Thread(target=print); thread.start(); thread.join()
        got = subprocess.run([sys.executable, "-c", "print(7)"], capture_output=True).stdout
        open(out + "/got", "wb").write(got)
        """
    )
    assert (out / "got").read_text() == "7\n"


def test_a_confinement_that_fails_runs_nothing(trainer) -> None:
    """When a limit cannot be set the trainer does not start and the reason says so."""
    with pytest.raises(WorkloadError) as caught:
        trainer("open(out + '/got', 'w')", OrderLimits(20, 10**6, 2**70))
    assert caught.value.reason == "confinement_failed"
