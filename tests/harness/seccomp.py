# SPDX-License-Identifier: GPL-2.0-or-later
"""The system calls that a process may make, read from the kernel: its filter is fetched with
ptrace(2) and run on every call's number. Needs root."""
import contextlib
import ctypes
import os
import struct

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
LIBC.ptrace.restype = ctypes.c_long
LIBSECCOMP = ctypes.CDLL("libseccomp.so.2")
LIBSECCOMP.seccomp_syscall_resolve_num_arch.restype = ctypes.c_void_p

PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_SECCOMP_GET_FILTER = 17, 0x4206, 0x4207, 0x420c
AUDIT_ARCH_X86_64 = 0xc000003e
SECCOMP_RET_ACTION_FULL, SECCOMP_RET_ALLOW = 0xffff0000, 0x7fff0000
CALLS = range(0, 600)


def _ptrace(request, pid, address=None, data=None):
    result = LIBC.ptrace(request, pid, address, data)
    if result < 0:
        raise OSError(ctypes.get_errno(), "ptrace: " + os.strerror(ctypes.get_errno()))
    return result


@contextlib.contextmanager
def _stopped(pid):
    _ptrace(PTRACE_SEIZE, pid)
    _ptrace(PTRACE_INTERRUPT, pid)
    os.waitpid(pid, 0x40000000)  # __WALL
    try:
        yield
    finally:
        _ptrace(PTRACE_DETACH, pid)


def filters(pid):
    """The programs that are loaded: lists of (code, jt, jf, k)."""
    found = []
    with _stopped(pid):
        while True:
            try:
                count = _ptrace(PTRACE_SECCOMP_GET_FILTER, pid, len(found))
            except FileNotFoundError:
                return found
            code = ctypes.create_string_buffer(8 * count)
            _ptrace(PTRACE_SECCOMP_GET_FILTER, pid, len(found), ctypes.addressof(code))
            found.append(list(struct.iter_unpack("=HBBI", code.raw)))


def _load(data, k):
    return struct.unpack_from("=I", data, k)[0]


JUMPS = {0x15: lambda a, k: a == k, 0x25: lambda a, k: a > k, 0x35: lambda a, k: a >= k,
         0x45: lambda a, k: a & k != 0}


def verdict(program, number, arguments=()):
    """What the program returns for a call (classic BPF, the part that libseccomp writes)."""
    arguments = list(arguments) + [0] * (6 - len(arguments))
    data = struct.pack("=iIQ6Q", number, AUDIT_ARCH_X86_64, 0, *arguments)
    at, accumulator = 0, 0
    while True:
        code, yes, no, k = program[at]
        at += 1
        if code == 0x20:
            accumulator = _load(data, k)
        elif code in JUMPS:
            at += yes if JUMPS[code](accumulator, k) else no
        elif code == 0x05:
            at += k
        elif code == 0x54:
            accumulator &= k
        elif code == 0x06:
            return k
        else:
            raise ValueError(f"no such BPF instruction here: {code:#x}")


def may(programs, number, arguments=()):
    return all(verdict(p, number, arguments) & SECCOMP_RET_ACTION_FULL == SECCOMP_RET_ALLOW
               for p in programs)


def number(name):
    return LIBSECCOMP.seccomp_syscall_resolve_name(name.encode())


def name_of(call):
    text = LIBSECCOMP.seccomp_syscall_resolve_num_arch(AUDIT_ARCH_X86_64, call)
    return ctypes.string_at(text).decode() if text else None


def allowed(programs):
    """The names of the calls that they let pass, with some arguments at least."""
    assert programs, "no filter is loaded"
    return {name for name, call in ((name_of(n), n) for n in CALLS)
            if name and may(programs, call)}
