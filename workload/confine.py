"""Become the trainer: give up every right this process has, then exec the command.

Run as a program of its own by `child.py`; it imports the standard library only.

- Limits: memory, CPU seconds, file size, processes, open files, no core dump.
- Linux on x86_64 and aarch64: all capabilities dropped, no_new_privs, and a seccomp filter under which
  there is no socket, no tracing or reading of other processes, no namespace, mount, kernel module, BPF,
  keyring or io_uring, and no way out of the process group. It dies with the workload. Where a step
  fails, nothing is run.
- A machine with an NVIDIA GPU: CUDA names its threads, and listens on a UNIX socket of packets. It gets both;
  connect and accept stay refused, so that nothing passes. Memory is limited by what is written (RLIMIT_DATA):
  the driver reserves far more addresses than it uses.
- Linux with Landlock (5.13 and later): of the file system it sees the system, its own places and no
  other: no launcher's socket, no token, no other process's entry in /proc. It signals only itself (6.12).
- What a system does not have, `missing()` names, and the workload logs it.
"""

import ctypes
import errno
import glob
import json
import os
import platform
import resource
import signal
import struct
import sys

REFUSED_EXIT = 97
"""Exit status when confinement failed, so that the trainer never ran."""

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_CHILD_SUBREAPER = 1, 4, 36
_PR_SET_SECCOMP, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 22, 24, 38
_CAPABILITY_V3 = 0x20080522
_KILL, _ALLOW, _ERRNO = 0x80000000, 0x7FFF0000, 0x00050000
_LOAD, _AND, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x45, 0x06
_AT_NUMBER, _AT_ARCH, _AT_FIRST_ARGUMENT, _AT_SECOND_ARGUMENT = 0, 4, 16, 24
_X32 = 0x40000000
_NEW_NAMESPACES = 0x7E020000  # CLONE_NEWNS, CGROUP, UTS, IPC, USER, PID and NET

# Numbers from the kernel's asm/unistd_64.h and asm-generic/unistd.h, in the order
# socket socketpair bind listen accept accept4 connect; ptrace process_vm_readv process_vm_writev
# kcmp perf_event_open; bpf userfaultfd; add_key request_key keyctl; mount umount2 pivot_root chroot;
# unshare setns; kexec_load kexec_file_load init_module finit_module delete_module;
# name_to_handle_at open_by_handle_at; setsid setpgid
_DENIED = {
    "x86_64": (41, 53, 49, 50, 43, 288, 42, 101, 310, 311, 312, 298, 321, 323, 248, 249, 250,
               165, 166, 155, 161, 272, 308, 246, 320, 175, 313, 176, 303, 304, 112, 109),
    "aarch64": (198, 199, 200, 201, 202, 242, 203, 117, 270, 271, 272, 241, 280, 282, 217, 218, 219,
                40, 39, 41, 51, 97, 268, 104, 294, 105, 273, 106, 264, 265, 157, 154),
}  # fmt: skip
# Since Linux 5.1 numbers are shared: io_uring_*; open_tree … fspick; pidfd_open pidfd_getfd;
# process_madvise; mount_setattr
_DENIED_EVERYWHERE = (425, 426, 427, 428, 429, 430, 431, 432, 433, 434, 438, 440, 442)
_UNIX, _PACKETS = 1, 5  # AF_UNIX, SOCK_SEQPACKET
_LISTENING = {"x86_64": (49, 50), "aarch64": (200, 201)}  # bind listen
_CLONE = {"x86_64": 56, "aarch64": 220}
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_RIGHTS = (0, 13, 14, 15, 15, 16)  # how many file rights version 0, 1, 2 … of Landlock knows
_READ_RIGHTS, _FILE_RIGHTS = 0b1101, 0b1100000000000111  # execute, read a file, list; what a file can have
_SYSTEM = ("/bin", "/etc", "/lib", "/lib64", "/opt", "/sbin", "/sys", "/usr")
_SYSTEM_FILES = ("/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/sys", "/proc/self")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", *glob.glob("/dev/nvidia*"))
_CLONE3 = 435
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def available() -> bool:
    """Whether this system can confine beyond plain limits."""
    return sys.platform == "linux" and platform.machine() in _DENIED


def missing() -> str:
    """Name what this system cannot do of the above; empty for nothing."""
    if not available():
        return "seccomp, Landlock"
    return "" if _landlock_version() > 0 else "Landlock"


def guard_this_process() -> None:
    """Close this process's memory to others of its user, and adopt the trainer's orphans, so that
    they can be waited for. Raises OSError.
    """
    if sys.platform == "linux":
        _checked(_libc().prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0))
        _checked(_libc().prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))


def apply_limits(memory_bytes: int, cpu_s: int, file_bytes: int, gpu: bool = False) -> None:
    """Lower this process's limits; one already lower stays."""
    wanted = {"DATA" if gpu else "AS": memory_bytes, "CPU": cpu_s, "FSIZE": file_bytes}
    for name, limit in (wanted | {"NPROC": 4096, "NOFILE": 1024, "CORE": 0}).items():
        kind = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(kind)[1]
        value = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(kind, (value, value))


def give_up_rights(workload: int, gpu: bool = False) -> None:
    """Drop capabilities, die with the workload (its pid), and install the filter. Raises OSError."""
    libc = _libc()
    for capability in range(64):
        libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    _checked(libc.capset(struct.pack("=II", _CAPABILITY_V3, 0), bytes(24)))
    _checked(libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))
    if os.getppid() != workload:  # it died before the line above: that signal will never come
        raise ProcessLookupError(f"the workload {workload} is gone")
    _checked(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    program = _filter(platform.machine(), gpu)
    code = ctypes.create_string_buffer(program)
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
    _checked(libc.prctl(_PR_SET_SECCOMP, 2, header, 0, 0))


def see_only(read: list[str], write: list[str]) -> None:
    """Close the file system but for the system's files and these places. Raises OSError."""
    libc, version = _libc(), _landlock_version()
    if version < 1:
        return
    rights = (1 << _RIGHTS[min(version, len(_RIGHTS) - 1)]) - 1
    scoped = 0b11 if version >= 6 else 0  # abstract sockets, signals
    handled = struct.pack("=QQQ", rights, 0, scoped)[: 24 if version >= 6 else 8]
    ruleset = libc.syscall(_LANDLOCK_CREATE, handled, len(handled), 0)
    _checked(min(ruleset, 0))
    reading = (*_SYSTEM, *_SYSTEM_FILES, *read)
    for path, allowed in [*((p, _READ_RIGHTS) for p in reading), *((p, rights) for p in (*_DEVICES, *write))]:
        if os.path.exists(path):
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
            kind = rights if os.path.isdir(path) else rights & _FILE_RIGHTS
            rule = struct.pack("=Qi", allowed & kind, place)
            _checked(libc.syscall(_LANDLOCK_ADD, ruleset, 1, rule, 0))
            os.close(place)
    _checked(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _checked(libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0))
    os.close(ruleset)


def _landlock_version() -> int:
    return int(_libc().syscall(_LANDLOCK_CREATE, None, 0, 1))


def _filter(machine: str, gpu: bool) -> bytes:
    """Assemble the BPF program: foreign architectures die, denied calls fail, the rest passes."""
    denied = [*_DENIED[machine], *_DENIED_EVERYWHERE]
    program = [
        (_LOAD, 0, 0, _AT_ARCH),
        (_EQUAL, 1, 0, _AUDIT_ARCH[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _AT_NUMBER),
        (_AT_LEAST, 0, 1, _X32),
        (_RETURN, 0, 0, _KILL),
        # The C library falls back to clone, whose flags can be seen.
        (_EQUAL, 0, 1, _CLONE3),
        (_RETURN, 0, 0, _ERRNO | errno.ENOSYS),
    ]
    if gpu:
        program += [
            (_EQUAL, 0, 7, denied[0]),
            (_LOAD, 0, 0, _AT_FIRST_ARGUMENT),
            (_EQUAL, 0, 3, _UNIX),
            (_LOAD, 0, 0, _AT_SECOND_ARGUMENT),
            (_AND, 0, 0, 0xF),
            (_EQUAL, 1, 0, _PACKETS),
            (_RETURN, 0, 0, _ERRNO | errno.EPERM),
            (_RETURN, 0, 0, _ALLOW),
        ]
        denied = [number for number in denied if number not in _LISTENING[machine]]
    for number in denied:
        program += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERRNO | errno.EPERM)]
    program += [
        (_EQUAL, 0, 3, _CLONE[machine]),
        (_LOAD, 0, 0, _AT_FIRST_ARGUMENT),
        (_ANY_BIT, 0, 1, _NEW_NAMESPACES),
        (_RETURN, 0, 0, _ERRNO | errno.EPERM),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *line) for line in program)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def main() -> None:
    """Take the workload's pid, limits and places as JSON and the command as the rest, and become it."""
    _, workload, limits, read, write, *command = sys.argv
    try:
        allowed = json.loads(limits)
        apply_limits(**allowed)
        if available():
            see_only(json.loads(read), json.loads(write))
            give_up_rights(int(workload), allowed["gpu"])
    except (OSError, ValueError, OverflowError) as error:
        print(f"confinement failed: {error}", file=sys.stderr)
        sys.exit(REFUSED_EXIT)
    os.execv(command[0], command)  # noqa: S606 (there is no shell, and must not be)


if __name__ == "__main__":
    main()
