"""System calls that this process may not make from now on, by a filter in the kernel.

`program` turns refusals into the filter's code for a processor, as a pure function; `install` hands it to the kernel,
for all threads of the process. Whatever is not refused is allowed: which calls the C library and OpenVINO make differs
between their versions, and a list of those would break with each.

Source: seccomp(2); include/uapi/linux/seccomp.h, filter.h and audit.h of the kernel; the numbers are those of
arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h.
"""

from __future__ import annotations

import ctypes
import enum
import errno
import os
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass

_SET_FILTER = 1
_TSYNC = 1  # flag: for all threads
_X32 = 0x4000_0000  # calls of x86-64's other ABI begin here
_ALLOW = 0x7FFF_0000
_ERROR = 0x0005_0000
# Offsets in struct seccomp_data
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
# Operations of the filter's machine: load a word, and jump or end.
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _IF_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06

_OWN = {
    # name: number on x86-64, number on the processors that came later
    "accept": (43, 202), "accept4": (288, 242), "acct": (163, 89), "add_key": (248, 217), "adjtimex": (159, 171),
    "bind": (49, 200), "bpf": (321, 280), "chmod": (90, None), "chown": (92, None), "chroot": (161, 51),
    "clock_adjtime": (305, 266), "clock_settime": (227, 112), "clone": (56, 220), "clone3": (435, 435),
    "connect": (42, 203), "creat": (85, None), "delete_module": (176, 106), "execve": (59, 221),
    "execveat": (322, 281), "fanotify_init": (300, 262), "fchmod": (91, 52), "fchmodat": (268, 53),
    "fchmodat2": (452, 452), "fchown": (93, 55), "fchownat": (260, 54), "fcntl": (72, 25), "finit_module": (313, 273),
    "fork": (57, None), "fremovexattr": (199, 16), "fsconfig": (431, 431), "fsetxattr": (190, 7),
    "fsmount": (432, 432), "fsopen": (430, 430), "fspick": (433, 433), "futimesat": (261, None),
    "init_module": (175, 105), "inotify_init": (253, None), "inotify_init1": (294, 26), "io_setup": (206, 0),
    "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "io_uring_setup": (425, 425), "ioctl": (16, 29),
    "ioperm": (173, None), "iopl": (172, None), "ioprio_set": (251, 30), "kcmp": (312, 272),
    "kexec_file_load": (320, 294), "kexec_load": (246, 104), "keyctl": (250, 219), "kill": (62, 129),
    "lchown": (94, None), "link": (86, None),
    "linkat": (265, 37), "listen": (50, 201), "lremovexattr": (198, 15), "lsetxattr": (189, 6), "mkdir": (83, None),
    "mkdirat": (258, 34), "mknod": (133, None), "mknodat": (259, 33), "modify_ldt": (154, None), "mount": (165, 40),
    "mount_setattr": (442, 442), "move_mount": (429, 429), "mq_open": (240, 180), "msgget": (68, 186),
    "name_to_handle_at": (303, 264), "open": (2, None), "open_by_handle_at": (304, 265), "open_tree": (428, 428),
    "openat": (257, 56), "openat2": (437, 437), "perf_event_open": (298, 241), "personality": (135, 92),
    "pidfd_getfd": (438, 438), "pidfd_open": (434, 434), "pidfd_send_signal": (424, 424), "pivot_root": (155, 41),
    "prlimit64": (302, 261), "process_madvise": (440, 440), "process_mrelease": (448, 448),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "ptrace": (101, 117), "quotactl": (179, 60),
    "quotactl_fd": (443, 443), "reboot": (169, 142), "removexattr": (197, 14), "rename": (82, None),
    "renameat": (264, 38), "renameat2": (316, 276), "request_key": (249, 218), "rmdir": (84, None),
    "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240), "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274), "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119), "semget": (64, 190), "setdomainname": (171, 162),
    "sethostname": (170, 161), "setns": (308, 268), "setpriority": (141, 140), "setrlimit": (160, 164),
    "settimeofday": (164, 170), "setxattr": (188, 5), "shmget": (29, 194), "socket": (41, 198),
    "socketpair": (53, 199), "swapoff": (168, 225), "swapon": (167, 224), "symlink": (88, None),
    "symlinkat": (266, 36), "syslog": (103, 116), "tgkill": (234, 131), "tkill": (200, 130), "truncate": (76, 45),
    "umount2": (166, 39), "unlink": (87, None), "unlinkat": (263, 35), "unshare": (272, 97),
    "userfaultfd": (323, 282), "utime": (132, None), "utimensat": (280, 88), "utimes": (235, None),
    "vfork": (58, None), "vhangup": (153, 58),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Processor:
    """What the filter needs to know of a processor; `column` is that of its numbers in the table."""

    audit: int
    column: int


PROCESSORS = {
    "x86_64": Processor(0xC000_003E, 0),
    "aarch64": Processor(0xC000_00B7, 1),
    "riscv64": Processor(0xC000_00F3, 1),
}


class Condition(enum.Enum):
    """Which calls are refused, by one argument: its lower half, but for NOT_ZERO."""

    ANY_BIT = enum.auto()  # that has a bit of the value
    NO_BIT = enum.auto()  # that has none of them
    OTHER = enum.auto()  # that is not the value
    EQUAL = enum.auto()
    NOT_ZERO = enum.auto()


@dataclass(frozen=True, slots=True)
class Refusal:
    """A system call that is refused, always or by one argument. Several of one call must have the same error."""

    call: str
    error: int = errno.EPERM
    condition: Condition | None = None
    argument: int = 0
    value: int = 0


def numbers(processor: Processor) -> dict[str, int]:
    """Return the numbers of the system calls that a processor has."""
    found = {name: own[processor.column] for name, own in _OWN.items()}
    return {name: number for name, number in found.items() if number is not None}


def own_processor() -> Processor | None:
    """Return this process's, None where no filter can be made: a program of 32 bits on a kernel of 64 included."""
    if struct.calcsize("P") != 8 or sys.byteorder != "little":
        return None
    return PROCESSORS.get(os.uname().machine)


def is_available() -> bool:
    """Tell whether the kernel takes filters. Source: SECCOMP_GET_ACTION_AVAIL in seccomp(2)."""
    action = ctypes.c_uint32(_ERROR)
    return not ctypes.CDLL(None, use_errno=True).syscall(_seccomp_number(), 2, 0, ctypes.byref(action))


def program(refusals: Sequence[Refusal], processor: Processor) -> bytes:
    """Return the filter that refuses these calls, and all of other ABIs than the processor's own."""
    own = numbers(processor)
    code = [
        _step(_LOAD, _ARCHITECTURE), _step(_IF_EQUAL, processor.audit, 1, 0), _step(_RETURN, _ERROR | errno.EPERM),
        _step(_LOAD, _NUMBER),
    ]  # fmt: skip
    if processor.column == 0:
        code += [_step(_IF_AT_LEAST, _X32, 0, 1), _step(_RETURN, _ERROR | errno.ENOSYS)]
    calls: dict[str, list[Refusal]] = {}
    for refusal in refusals:
        calls.setdefault(refusal.call, []).append(refusal)
    for call, tests in calls.items():
        if call in own:
            body = _body(tests)
            code += [_step(_IF_EQUAL, own[call], 0, len(body)), *body]
    return b"".join((*code, _step(_RETURN, _ALLOW)))


def _body(tests: Sequence[Refusal]) -> list[bytes]:
    """Return what decides about one call: every way through it ends there."""
    refused = _step(_RETURN, _ERROR | tests[0].error)
    if any(refusal.condition is None for refusal in tests):
        return [refused]
    body = []
    for refusal in tests:
        low = _ARGUMENTS + 8 * refusal.argument
        match refusal.condition:
            case Condition.ANY_BIT:
                body += [_step(_LOAD, low), _step(_IF_ANY_BIT, refusal.value, 0, 1), refused]
            case Condition.NO_BIT:
                body += [_step(_LOAD, low), _step(_IF_ANY_BIT, refusal.value, 1, 0), refused]
            case Condition.OTHER:
                body += [_step(_LOAD, low), _step(_IF_EQUAL, refusal.value, 1, 0), refused]
            case Condition.EQUAL:
                body += [_step(_LOAD, low), _step(_IF_EQUAL, refusal.value, 0, 1), refused]
            case Condition.NOT_ZERO:
                for half in (low, low + 4):
                    body += [_step(_LOAD, half), _step(_IF_EQUAL, 0, 1, 0), refused]
    return [*body, _step(_RETURN, _ALLOW)]


def _step(operation: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", operation, if_true, if_false, value)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


def install(code: bytes) -> None:
    """Have the kernel apply a filter to all threads of this process, and to all that it starts.

    Raises: OSError when it refuses.
    """
    found = _Program(len(code) // 8, code)
    result = ctypes.CDLL(None, use_errno=True).syscall(_seccomp_number(), _SET_FILTER, _TSYNC, ctypes.byref(found))
    if result:
        error = ctypes.get_errno() if result < 0 else errno.EBUSY  # else the number of a thread that has another filter
        raise OSError(error, f"seccomp: {os.strerror(error)}")


def _seccomp_number() -> int:
    return 317 if os.uname().machine == "x86_64" else 277
