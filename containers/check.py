#!/usr/bin/env python3
"""Checks what can be checked of the container files without a container engine, and says what it skipped.

    containers/check.py                     the linters that are installed, and every server that is built, under the profile
    containers/check.py --programs DIR      servers from there; by default target/release, else target/debug
    containers/check.py --strict            a check that was skipped is a failure

Every server is started as the image's user, without capabilities, under containers/seccomp.json, and as process 1 of a
process namespace where root may make one. It must serve, pass the image's health check, end an answer that was under way
when SIGTERM came, and exit with code 0. Calls that the profile is to refuse are tried, with and without it.
"""

import argparse
import ctypes
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PROFILE = HERE / "seccomp.json"
CONFINED = [sys.executable, str(HERE / "confined.py")]
PATIENCE = 20.0

# How a server is started; without arguments where nothing is said.
RUNS = {
    "thread-per-core": [["--io", "glommio"], ["--io", "compio"], ["--io", "epoll"]],
    "fork-per-core": [[], ["--accept", "shared"], ["--accept", "handoff"]],
    "process-offload": [[], ["--per-request"]],
    "no-steal": [[], ["--balance", "least-loaded", "--pin"]],
}
# Those of them that cannot do without io_uring.
ON_RINGS = RUNS["thread-per-core"][:2]

# Tried in a process of its own: each must fail under the profile, and those marked must work without it.
REFUSED = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
CALLS = {
    "perf_event_open": (298, 0, 0, -1, -1, 0),
    "ptrace": (101, 0, 0, 0, 0),
    "bpf": (321, 0, 0, 0),
    "keyctl": (250, 0, -3, 0),
    "add_key": (248, 0, 0, 0, 0, 0),
    "unshare(CLONE_NEWUSER)": (272, 0x10000000),
    "unshare(CLONE_NEWNS)": (272, 0x20000),
    "mount": (165, 0, 0, 0, 0, 0),
    "userfaultfd": (323, 1),
    "personality": (135, 0xFFFFFFFF),
    "process_vm_readv": (310, 1, 0, 0, 0, 0, 0),
    "socket(AF_ALG)": (41, 38, 5, 0),
    "socket(AF_VSOCK)": (41, 40, 1, 0),
    "socket(AF_NETLINK)": (41, 16, 3, 0),
    "clone(CLONE_NEWUSER)": (56, 0x10000000 | 0x11, 0, 0, 0, 0),
}
for name, (number, *arguments) in CALLS.items():
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *(ctypes.c_long(a) for a in arguments))
    if name.startswith("clone") and result == 0:
        os._exit(0)
    print(name, "works" if result >= 0 else ctypes.get_errno(), flush=True)
"""
# These need no privilege: where the profile is not what refuses them, they work on a usual host.
WORK_WITHOUT = {"ptrace", "personality", "socket(AF_NETLINK)"}


class Findings:
    def __init__(self):
        self.failed = self.passed = self.skipped = 0

    def report(self, what, error=None):
        if error is None:
            self.passed += 1
            print(f"ok       {what}", flush=True)
        else:
            self.failed += 1
            print(f"FAILED   {what}: {error}", flush=True)

    def skip(self, what, why):
        self.skipped += 1
        print(f"skipped  {what}: {why}", flush=True)


def run(command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)


def lint(findings, what, command, needs=None):
    """A linter that is not there is skipped; `needs` is a command that tells."""
    program = shutil.which(command[0])
    if program is None or (needs and run(needs).returncode != 0):
        return findings.skip(what, f"`{' '.join((needs or command)[:2])}` is not installed")
    result = run(command, cwd=ROOT)
    said = (result.stdout + result.stderr).strip()
    return findings.report(what, None if result.returncode == 0 else said or f"exit code {result.returncode}")


def lint_nginx(findings):
    """nginx resolves the servers' names when it reads its configuration, and here they have no address."""
    text = (HERE / "nginx.conf").read_text(encoding="utf-8")
    names = re.findall(r"server (single-thread-\d):8080;", text)
    text = re.sub(r"server single-thread-(\d):8080;", r"server 127.0.0.1:1808\1;", text)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "nginx.conf"
        file.write_text(text.replace("/tmp/", f"{folder}/"), encoding="utf-8")
        lint(findings, "containers/nginx.conf (nginx -t)", ["nginx", "-e", "stderr", "-t", "-q", "-p", folder, "-c", str(file)])
    findings.report("nginx.conf names four servers", None if len(set(names)) == 4 else f"it names {names}")


def packages():
    """Those that the image has, in the order in which it builds them."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    return re.search(r'ARG PACKAGES="([^"]*)"', text).group(1).replace("\\\n", " ").split()


def children(pid):
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


class Server:
    """A server under the profile; process 1 of a namespace if `first`."""

    def __init__(self, command, first, profile=PROFILE):
        namespace = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"] if first else []
        command = [*namespace, *CONFINED, str(profile), *map(str, command), "--listen", "127.0.0.1:0"]
        self.first = first
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.errors, text=True)
        self.watch = threading.Timer(PATIENCE, self.process.kill)
        self.watch.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.watch.cancel()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.errors.close()

    def said(self):
        self.errors.seek(0)
        return " | ".join(self.errors.read().strip().splitlines()[-3:])

    def ready(self):
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        self.process.wait()
        raise RuntimeError(f"ended with code {self.process.returncode} before it was ready: {self.said()}")

    def terminate(self):
        target = children(self.process.pid)[0] if self.first else self.process.pid
        os.kill(target, signal.SIGTERM)

    def end(self):
        self.process.wait(PATIENCE)
        return self.process.returncode


def ask(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def expect(what, found, wanted):
    if found != wanted:
        raise RuntimeError(f"{what}: {found!r} instead of {wanted!r}")


def in_flight(port, answer):
    """Asks for a delayed answer and returns when the server has the request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.connect()

    def wait():
        try:
            connection.request("GET", "/delay?ms=700")
            answer.append(connection.getresponse().status)
        except (OSError, http.client.HTTPException) as error:
            answer.append(repr(error))
        finally:
            connection.close()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    deadline = time.monotonic() + PATIENCE
    pattern = re.compile(r"in_flight\S*(?:\{[^}]*\})? ([1-9]\d*)")
    while time.monotonic() < deadline and thread.is_alive():
        if pattern.search(ask(port, "/metrics")[1]):
            return thread
        time.sleep(0.01)
    raise RuntimeError("/metrics never showed the request that was under way")


def serve(program, arguments, first):
    with Server([program, *arguments], first) as server:
        ready = server.ready()
        port = int(ready["address"].rsplit(":", 1)[1])
        expect("its process", ready["pid"] == 1, first)
        expect("the answer to /simple", json.loads(ask(port, "/simple")[1])["payload"], 499500)
        null_server = ready["server"] == "ceiling"
        if not null_server:
            answer = json.loads(ask(port, "/complex?iterations=100000")[1])
            expect("the answer to /complex", answer["payload"], 4999950000)
        healthy = [*CONFINED, str(PROFILE), str(program.parent / "healthy")]
        expect("the health check", run([*healthy, str(port)]).returncode, 0)
        expect("the health check of a port where nobody listens", run([*healthy, "1"]).returncode, 1)
        answer = []
        thread = None if null_server else in_flight(port, answer)
        server.terminate()
        if thread:
            thread.join(PATIENCE)
            expect("the answer under way when SIGTERM came", answer, [200])
        expect("the exit code after SIGTERM", server.end(), 0)


def serve_all(findings, programs):
    may_unshare = os.geteuid() == 0 and run(["unshare", "--pid", "--fork", "--mount-proc", "true"]).returncode == 0
    if not may_unshare:
        findings.skip("servers as process 1", "only root may make a process namespace here")
    for package in packages():
        if package == "harness":
            continue
        program = next((folder / package for folder in programs if (folder / package).is_file()), None)
        if program is None:
            findings.skip(f"{package} under the profile", "it is not built")
            continue
        # Copied, as into an image: the image's user may not be allowed to look into this repository.
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            for file in [program, HERE / "healthy"]:
                shutil.copy2(file, folder)
            program = Path(folder) / package
            for arguments in RUNS.get(package, [[]]):
                name = " ".join([package, *arguments])
                for first in [False, True] if may_unshare else [False]:
                    what = f"{name} under the profile" + (", as process 1" if first else "")
                    try:
                        serve(program, arguments, first)
                        findings.report(what)
                    except (RuntimeError, OSError, ValueError, KeyError, IndexError, subprocess.SubprocessError) as error:
                        findings.report(what, error)
                if arguments in ON_RINGS:
                    without_rings(findings, name, program, arguments)


def without_rings(findings, name, program, arguments):
    """The profile without its rule for io_uring must keep either library from starting: so the filter is in force, and said so."""
    profile = json.loads(PROFILE.read_text(encoding="utf-8"))
    profile["syscalls"] = [rule for rule in profile["syscalls"] if "io_uring_setup" not in rule["names"]]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(profile, file)
        file.flush()
        os.chmod(file.name, 0o644)
        with Server([program, *arguments], False, file.name) as server:
            server.end()
            said = server.said()
            fits = server.process.returncode == 1 and "seccomp=containers/seccomp.json" in said
            findings.report(f"without the rule for io_uring, {name} says what it needs", None if fits else said)


def refused(findings):
    if os.uname().machine != "x86_64":
        return findings.skip("calls that the profile refuses", "their numbers are known here for x86-64 only")
    said = {}
    for name, command in {"with": [*CONFINED, str(PROFILE), "-"], "without": [sys.executable, "-"]}.items():
        result = run(command, input=REFUSED)
        said[name] = dict(line.rsplit(" ", 1) for line in result.stdout.splitlines())
        if result.returncode != 0 or not said[name]:
            return findings.report("calls that the profile refuses", result.stderr.strip())
    worked = {call: outcome for call, outcome in said["with"].items() if outcome != "1"}
    findings.report(f"{len(said['with'])} calls are refused with EPERM", f"{worked}" if worked else None)
    idle = {call for call in WORK_WITHOUT if said["without"].get(call) != "works"}
    return findings.report("the same work without the profile, where they need no privilege", f"{idle}" if idle else None)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=Path, action="append", help="a folder of built servers; may be repeated")
    parser.add_argument("--strict", action="store_true", help="a check that was skipped is a failure")
    arguments = parser.parse_args()
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    programs = arguments.programs or [target / "release", target / "debug"]

    findings = Findings()
    lint(findings, "Dockerfile (hadolint)", ["hadolint", "Dockerfile"])
    lint(findings, "Dockerfile (docker)", ["docker", "build", "--check", "."], needs=["docker", "buildx", "version"])
    lint(
        findings,
        "compose.yaml (docker)",
        ["docker", "compose", "--profile", "*", "config", "--quiet"],
        needs=["docker", "compose", "version"],
    )
    for script in ["healthy", "bench.sh"]:
        lint(findings, f"containers/{script} (bash)", ["bash", "-n", str(HERE / script)])
        lint(findings, f"containers/{script} (shellcheck)", ["shellcheck", str(HERE / script)])
    lint_nginx(findings)
    try:
        ctypes.CDLL("libseccomp.so.2")
    except OSError:
        findings.skip("servers under the profile", "libseccomp is not installed (apt-get install libseccomp2)")
    else:
        refused(findings)
        serve_all(findings, [folder.resolve() for folder in programs])
    print(f"{findings.passed} passed, {findings.failed} failed, {findings.skipped} skipped")
    sys.exit(1 if findings.failed or (arguments.strict and findings.skipped) else 0)


if __name__ == "__main__":
    main()
