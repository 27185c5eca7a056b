"""What a process gives up once it is set up, so that whoever takes it over gains no more than it needs.

`Needs` says what stays; everything else goes: files and TCP by `landlock`, system calls by `seccomp`, capabilities,
new privileges, core dumps (they would hold pictures), and descriptors beyond a number. `rules` and `refusals` turn
needs into what the kernel is told, as pure functions.

Landlock does not watch over a file's rights, owner and times, and older kernels not over TCP and signals; there the
filter of system calls stands in. What neither watches over: datagrams on a socket that is open already.

Source: prctl(2), capabilities(7), getrlimit(2); fs/coredump.c of the kernel.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import resource
import socket
import stat
import struct
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from camalert.system import landlock, seccomp
from camalert.system.landlock import EXECUTE, READ, READ_FILE, RESOLVE_SOCKET, TRUNCATE, WRITE, WRITE_FILE, Rule
from camalert.system.logsinks import SOCKET_PATH
from camalert.system.seccomp import Condition, Refusal

_NO_NEW_PRIVILEGES, _CAP_AMBIENT = 38, 47  # options of prctl
_IS_SET, _RAISE, _CLEAR_ALL = 1, 2, 4
_CAP_CHOWN, _CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH, _CAP_FOWNER = 0, 1, 2, 3
_CAP_NET_BIND_SERVICE = 10
_CAP_VERSION = 0x2008_0522
_CLONE_THREAD = 0x1_0000
_CLONE_NAMESPACES = 0x7E02_0000  # mount, cgroup, UTS, IPC, user, process and network namespaces
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C  # put keys into the terminal's input
_IOCTL_OWNER = (0x8901, 0x8902)  # FIOSETOWN, SIOCSPGRP
_FCNTL_OWNER = (8, 10, 15)  # F_SETOWN, F_SETSIG, F_SETOWN_EX
# A limit of this size keeps a core also from the program that /proc/sys/kernel/core_pattern names. `PR_SET_DUMPABLE`
# would too, and hide the process from the supervisor, which reads how much memory it has: see proc(5), hidepid.
_CORE_BYTES = 1

# What every process may read beside its program: the machine's shape, and what libraries look up.
_SYSTEM = (
    "/etc/ld.so.cache", "/etc/localtime", "/etc/mime.types", "/proc/self", "/proc/cpuinfo", "/proc/meminfo",
    "/proc/stat", "/proc/sys/vm/overcommit_memory", "/sys/devices/system", "/sys/fs/cgroup", "/dev/urandom",
)  # fmt: skip
_DISTRIBUTION = ("/usr", "/lib", "/lib64")
_NULL = "/dev/null"
# How names become addresses, and whom to trust there.
_NAMES = (
    "/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf", "/etc/services",
    "/etc/protocols", "/etc/ssl", "/etc/pki", "/run/systemd/resolve",
)  # fmt: skip

# --- system calls that are refused ------------------------------------------------------------------------------------

_NEVER = (
    "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "process_mrelease", "pidfd_getfd", "kcmp",
    "bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register", "keyctl",
    "add_key", "request_key", "unshare", "setns", "mount", "umount2", "pivot_root", "chroot", "open_tree",
    "move_mount", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr", "name_to_handle_at",
    "open_by_handle_at", "fanotify_init", "inotify_init", "inotify_init1", "io_setup", "quotactl", "quotactl_fd",
    "init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot", "swapon", "swapoff",
    "sethostname", "setdomainname", "acct", "syslog", "vhangup", "personality", "settimeofday", "clock_settime",
    "adjtimex", "clock_adjtime", "iopl", "ioperm", "modify_ldt", "shmget", "msgget", "semget", "mq_open", "mknod",
    "mknodat",
    # Paths that Landlock does not watch over, on no kernel or not on all of them.
    "chmod", "fchmodat", "fchmodat2", "chown", "lchown", "fchownat", "setxattr", "lsetxattr", "removexattr",
    "lremovexattr", "truncate", "utime", "utimes", "futimesat", "utimensat", "symlink", "symlinkat",
    "ioprio_set",  # whose turn it is at the disk
)  # fmt: skip
# Whether and when a process computes; 0 is the thread that asks, as libraries do that bind theirs to a processor.
_SCHEDULING = ("sched_setaffinity", "sched_setattr", "sched_setparam", "sched_setscheduler")
_STARTING = ("fork", "vfork", "execve", "execveat")
_LIMITING = ("setrlimit", "setpriority")
_SIGNALLING = ("tkill", "rt_sigqueueinfo", "pidfd_open", "pidfd_send_signal")
_SIGNALLING_OTHERS = ("kill", "tgkill", "rt_tgsigqueueinfo")  # their first argument says whom
_SERVING = ("listen", "accept", "accept4")
_CHANGING = (
    "creat", "mkdir", "mkdirat", "rmdir", "unlink", "unlinkat", "rename", "renameat", "renameat2", "link", "linkat",
    "fchmod", "fchown", "fsetxattr", "fremovexattr",
)  # fmt: skip
_OPEN_TO_CHANGE = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


@dataclass(frozen=True, slots=True)
class Needs:
    """What a process needs once it is set up, beside its program, its memory and what it has open by then.

    Attributes:
        reads: Files, and folders with all below them.
        writes: Folders in which it makes, changes and removes files; temporary files go to the first one.
        updates: Files that are there and that it writes into.
        moves: Whether it moves files from one of these folders to another.
        serves: Whether it takes connections on the sockets that it has.
        connects: Whether it opens connections itself, and looks names up.
        starts: Whether it starts its own interpreter again, and ends what it has started.
        binds: The ports that it binds itself, before.
        sockets: Files and folders of the sockets of this machine that it may connect to.
        files: How many descriptors it may have, 0 for as many as the service.
    """

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    updates: tuple[str, ...] = ()
    moves: bool = False
    serves: bool = False
    connects: bool = False
    starts: bool = False
    binds: tuple[int, ...] = ()
    sockets: tuple[str, ...] = ()
    files: int = 0

    @property
    def changes_files(self) -> bool:
        """Tell whether any file is opened for writing."""
        return bool(self.writes or self.updates or self.starts)


# Of a process that computes on what it is given: libraries, its channel, the log, and what a picture or a client takes.
DISPOSABLE = Needs(files=128)


@dataclass(frozen=True, slots=True)
class Support:
    """What the system offers: Landlock's ABI, 0 for none, and whether system calls can be refused."""

    landlock: int
    seccomp: bool

    @property
    def gap(self) -> str:
        """Say what is missing, "" when nothing is that matters."""
        missing = []
        if not self.landlock:
            missing.append("Landlock, so that each process can reach all files of the service's user")
        if not self.seccomp:
            missing.append("seccomp, so that each process can make every system call")
        if not missing:
            return ""
        return f"this kernel or its container has no {' and no '.join(missing)}; the service runs all the same"


def support() -> Support:
    """Ask the system."""
    return Support(landlock.version(), seccomp.own_processor() is not None and seccomp.is_available())


# --- needs as the kernel is told --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Program:
    """Where a running program lies: folders and files that are read, those that are only listed, and executed ones."""

    reads: tuple[str, ...]
    lists: tuple[str, ...] = ()
    executes: tuple[str, ...] = ()
    terminal: str = ""  # the device that the log goes to, which a new process opens for itself


def rules(needs: Needs, program: Program) -> list[Rule]:
    """Return what Landlock is to allow."""
    found = [Rule(path, READ) for path in (*_DISTRIBUTION, *_SYSTEM, *program.reads, *needs.reads)]
    found.append(Rule(_NULL, READ_FILE | WRITE_FILE))
    found += [Rule(path, RESOLVE_SOCKET) for path in (str(SOCKET_PATH), *needs.sockets)]
    if needs.connects:
        found += [Rule(path, READ) for path in _NAMES]
    found += [Rule(path, WRITE) for path in needs.writes]
    found += [Rule(path, READ_FILE | WRITE_FILE | TRUNCATE) for path in needs.updates]
    if needs.starts:
        found += [Rule(path, landlock.READ_FOLDER) for path in program.lists]
        found += [Rule(path, READ_FILE | EXECUTE) for path in program.executes]
        found.append(Rule("/proc", READ))  # what the new processes use; and theirs is another /proc/self
        if program.terminal:
            found.append(Rule(program.terminal, READ_FILE | WRITE_FILE))
    return found


def watches_files(needs: Needs, abi: int) -> bool:
    """Tell whether Landlock may watch over files: its first version lets nobody move one to another folder."""
    return abi >= (landlock.MOVING_ABI if needs.moves else 1)


def refusals(needs: Needs, pid: int) -> list[Refusal]:
    """Return the system calls that are refused to the process `pid`."""
    found = [Refusal(call) for call in _NEVER]
    # The C library falls back on what can be judged by its arguments.
    found += [Refusal("clone3", errno.ENOSYS), Refusal("openat2", errno.ENOSYS)]
    found += [Refusal("ioctl", condition=Condition.EQUAL, argument=1, value=value) for value in (_TIOCSTI, _TIOCLINUX)]
    # Somebody else would be signalled whenever a descriptor is ready.
    found += [Refusal("ioctl", condition=Condition.EQUAL, argument=1, value=value) for value in _IOCTL_OWNER]
    found += [Refusal("fcntl", condition=Condition.EQUAL, argument=1, value=value) for value in _FCNTL_OWNER]
    found.append(Refusal("clone", condition=Condition.ANY_BIT, value=_CLONE_NAMESPACES))
    found.append(Refusal("bind"))
    # Others of the same user could be stopped by what they may use.
    found += [Refusal(call, condition=Condition.NOT_ZERO) for call in (*_SCHEDULING, "prlimit64")]
    if not needs.serves:
        found += [Refusal(call) for call in _SERVING]
    if not needs.connects:
        found += [Refusal("connect"), Refusal("socket")]
    if needs.starts or needs.connects:  # who starts others, or wakes its own threads so
        found.append(Refusal("socketpair", condition=Condition.OTHER, value=socket.AF_UNIX))
    if needs.starts:
        found.append(Refusal("setpriority"))
    else:
        found += [Refusal(call) for call in (*_STARTING, *_LIMITING, *_SIGNALLING)]
        found += [] if needs.connects else [Refusal("socketpair")]
        found.append(Refusal("clone", condition=Condition.NO_BIT, value=_CLONE_THREAD))
        found.append(Refusal("prlimit64", condition=Condition.NOT_ZERO, argument=2))
        # Itself alone, as abort(3) does.
        found += [Refusal(call, condition=Condition.OTHER, value=pid) for call in _SIGNALLING_OTHERS]
    if not needs.writes:
        found += [Refusal(call) for call in _CHANGING]
    if not needs.changes_files:
        found.append(Refusal("open", condition=Condition.ANY_BIT, argument=1, value=_OPEN_TO_CHANGE))
        found.append(Refusal("openat", condition=Condition.ANY_BIT, argument=2, value=_OPEN_TO_CHANGE))
    return found


# --- giving it up -----------------------------------------------------------------------------------------------------


class Confinement:
    """The confinement of this process, once it is in force."""

    def __init__(self, needs: Needs) -> None:
        """Give up what is not needed, for good and for all threads to come.

        What the system cannot do is left out, and named in `failures`.
        """
        self.failures: list[str] = []
        self._folders = {folder: _identity(folder) for folder in needs.writes}
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_CAP_AMBIENT, _CLEAR_ALL, 0, 0, 0)
        _limit(resource.RLIMIT_CORE, _CORE_BYTES)
        if needs.files:
            _limit(resource.RLIMIT_NOFILE, needs.files)
        _drop_capabilities(libc, needs)
        libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        found = support()
        # A folder that is not there yet cannot be named to Landlock; once it is, `changed` has the process start anew.
        has_files = watches_files(needs, found.landlock) and all(self._folders.values())
        try:
            if found.landlock:
                landlock.restrict(
                    rules(needs, own_program()), found.landlock, has_files=has_files, may_connect=needs.connects
                )
            processor = seccomp.own_processor()
            if found.seccomp and processor is not None:
                seccomp.install(seccomp.program(refusals(needs, os.getpid()), processor))
        except OSError as error:
            self.failures.append(str(error))

    def changed(self, *, is_loss_counted: bool = False) -> str:
        """Return the first folder in whose place there is another one now, which is out of reach; "" for none.

        Args:
            is_loss_counted: Whether one that is gone counts too.
        """
        for folder, known in self._folders.items():
            found = _identity(folder)
            if found != known and (found is not None or is_loss_counted):
                return folder
        return ""


@contextlib.contextmanager
def without_capabilities(ports: Iterable[int] = ()) -> Iterator[None]:
    """Let a new process have no capabilities, unless it binds one of the ports that need one.

    Only what is passed on to programs without privileges is taken away, and given back afterwards: this process needs
    it for a reload.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    is_set = libc.prctl(_CAP_AMBIENT, _IS_SET, _CAP_NET_BIND_SERVICE, 0, 0) == 1
    if not is_set or any(0 < port < socket.IPPORT_RESERVED for port in ports):
        yield
        return
    libc.prctl(_CAP_AMBIENT, _CLEAR_ALL, 0, 0, 0)
    try:
        yield
    finally:
        libc.prctl(_CAP_AMBIENT, _RAISE, _CAP_NET_BIND_SERVICE, 0, 0)


def own_program() -> Program:
    """Return where this program lies."""
    return Program(
        reads=program_paths(sysconfig.get_paths(), (sys.prefix, sys.base_prefix), sys.modules),
        lists=tuple(path for path in sys.path if path),
        executes=(os.path.realpath(sys.executable), *_loader()),
        terminal=_terminal(),
    )


def program_paths(
    folders: Mapping[str, str], prefixes: Iterable[str], modules: Mapping[str, ModuleType | None]
) -> tuple[str, ...]:
    """Return the folders of Python, its libraries and the packages that are loaded from anywhere else.

    Of a checkout only the package itself: the database and the keys may lie beside it.
    """
    found = [path for path in prefixes if path not in ("", "/")]
    found += [folders[name] for name in ("stdlib", "platstdlib", "purelib", "platlib") if name in folders]
    for name, module in modules.items():
        file = getattr(module, "__file__", None)
        if file and "." not in name:
            folder = os.path.dirname(os.path.abspath(file))
            found.append(folder if os.path.basename(file).startswith("__init__.") else os.path.abspath(file))
    known = [path for path in dict.fromkeys(found) if not path.startswith("/usr/")]
    tops = {f"{path}/" for path in known}
    return tuple(path for path in known if not any(path.startswith(top) for top in tops))


def _loader() -> list[str]:
    """Return the dynamic loader, which an executed program needs. Source: proc(5), /proc/pid/maps."""
    names = {line.split(maxsplit=5)[-1] for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()}
    return [name for name in names if os.path.basename(name).startswith("ld") and ".so" in name]


def _terminal() -> str:
    try:
        found = os.fstat(2)
        return os.readlink("/proc/self/fd/2") if stat.S_ISCHR(found.st_mode) else ""
    except OSError:
        return ""


def _limit(what: int, most: int) -> None:
    """Lower a limit for good."""
    soft, hard = resource.getrlimit(what)
    least = [value for value in (most, soft, hard) if value != resource.RLIM_INFINITY]
    resource.setrlimit(what, (min(least), min(least)))


def _drop_capabilities(libc: ctypes.CDLL, needs: Needs) -> None:
    """Keep none; root keeps those on files, which Landlock watches over: it may run in folders of somebody else."""
    kept = 0
    if os.geteuid() == 0:
        kept = 1 << _CAP_DAC_READ_SEARCH
        if needs.writes:
            kept |= 1 << _CAP_DAC_OVERRIDE | 1 << _CAP_CHOWN | 1 << _CAP_FOWNER
    kept &= _permitted()
    head = struct.pack("=Ii", _CAP_VERSION, 0)
    # Refused by a unit's filter, where there are none but for those of a port.
    libc.capset(head, struct.pack("=6I", kept, kept, 0, 0, 0, 0))


def _permitted() -> int:
    """Return the capabilities of this process, as bits. Source: proc(5), /proc/pid/status."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8", errors="replace").splitlines()
    return next((int(line.split()[1], 16) for line in lines if line.startswith("CapPrm:")), 0)


def _identity(folder: str) -> tuple[int, int] | None:
    try:
        found = os.stat(folder)
    except OSError:
        return None
    return found.st_dev, found.st_ino
