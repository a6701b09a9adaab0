#!/usr/bin/env python3
"""Starts a program as a container engine would: as an unprivileged user, without capabilities, under a seccomp profile.

    containers/confined.py containers/seccomp.json PROGRAM [ARGUMENT...]
    containers/confined.py containers/seccomp.json - < CODE.py

Reads the profile in the format of `--security-opt seccomp=FILE` and installs it with libseccomp, as engines do. The program
then runs in this very process, so that it is process 1 where this was (`unshare --pid --fork`). A `-` runs Python code from stdin
instead, in the same place: the user may not be allowed to execute this interpreter again. It knows the keys that
containers/seccomp.json uses and refuses others rather than skip a rule.
"""

import ctypes
import json
import os
import resource
import sys

ALLOW, ERRNO = 0x7FFF0000, 0x00050000
OPERATORS = {"SCMP_CMP_NE": 1, "SCMP_CMP_EQ": 4, "SCMP_CMP_MASKED_EQ": 7}
UNKNOWN = -1
EPERM = 1
# The user of the image.
USER = 10001
PR_SET_NO_NEW_PRIVS, PR_CAPBSET_DROP = 38, 24


class Comparison(ctypes.Structure):
    """`struct scmp_arg_cmp`."""

    _fields_ = [
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("value", ctypes.c_uint64),
        ("value_two", ctypes.c_uint64),
    ]


def action(name, errno):
    if name == "SCMP_ACT_ALLOW":
        return ALLOW
    if name == "SCMP_ACT_ERRNO":
        return ERRNO | errno
    raise SystemExit(f"{name} is no action that this knows")


def checked(result, what):
    if result < 0:
        raise SystemExit(f"cannot {what}: {os.strerror(-result)}")


def install(profile):
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_init.argtypes = [ctypes.c_uint32]
    library.seccomp_load.argtypes = [ctypes.c_void_p]
    library.seccomp_rule_add_array.argtypes = [
        ctypes.c_void_p,
        ctypes.c_uint32,
        ctypes.c_int,
        ctypes.c_uint,
        ctypes.POINTER(Comparison),
    ]
    unknown = set(profile) - {"defaultAction", "defaultErrnoRet", "architectures", "syscalls"}
    if unknown:
        raise SystemExit(f"the profile has keys that this does not know: {sorted(unknown)}")
    default = action(profile["defaultAction"], profile.get("defaultErrnoRet", EPERM))
    context = library.seccomp_init(default)
    for rule in profile["syscalls"]:
        unknown = set(rule) - {"comment", "names", "action", "errnoRet", "args"}
        if unknown:
            raise SystemExit(f"a rule has keys that this does not know: {sorted(unknown)}")
        does = action(rule["action"], rule.get("errnoRet", EPERM))
        comparisons = [
            Comparison(a["index"], OPERATORS[a["op"]], a["value"], a.get("valueTwo", 0)) for a in rule.get("args", [])
        ]
        array = (Comparison * len(comparisons))(*comparisons)
        for name in rule["names"]:
            number = library.seccomp_syscall_resolve_name(name.encode())
            # Unknown to this libseccomp, or (below it) a call that only other architectures have.
            if number == UNKNOWN:
                raise SystemExit(f"{name} is no system call that this libseccomp knows")
            if number >= 0:
                checked(library.seccomp_rule_add_array(context, does, number, len(comparisons), array), f"add {name}")
    checked(library.seccomp_load(context), "load the filter")


def give_up_privileges(libc):
    """What cap_drop, no-new-privileges and USER do."""
    if os.geteuid() == 0:
        for capability in range(64):
            libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
        os.setgroups([])
        os.setgid(USER)
        os.setuid(USER)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise SystemExit("cannot set no_new_privs")


def main():
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        profile = json.load(file)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    give_up_privileges(ctypes.CDLL(None))
    code = sys.stdin.read() if sys.argv[2] == "-" else None
    install(profile)
    if code is None:
        os.execvp(sys.argv[2], sys.argv[2:])
    exec(compile(code, "stdin", "exec"), {})


if __name__ == "__main__":
    main()
