#!/usr/bin/env python3
"""Sends generated requests to a real server and holds every answer to openapi.yaml.

    contract.py [--if-possible] [SERVER [ARGUMENT...]]

Builds SERVER (work-stealing unless told otherwise), starts it with the ARGUMENTs on a free port, runs schemathesis with
all of its checks against the description that the server gives of itself, and ends the server, whatever happens.

Requests are the same in every run, and so are the versions of everything that makes them (requirements.txt). They take
under a minute, because hooks.py folds long operations into short ones. The tools are installed into target/contract;
with --if-possible, where they cannot be, that is said and nothing is checked.

Exit codes: 0 every answer is as described, 1 one is not, or the server failed, 2 the tools are missing or the server is
not one, 130 interrupted.
"""

import ctypes
import hashlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
# The oldest Python that schemathesis runs on.
OLDEST_PYTHON = (3, 11)
REQUESTS_PER_OPERATION = 100
# Deadlines, in seconds.
READY_WITHIN = 20
CHECKED_WITHIN = 300
INSTALLED_WITHIN = 180
# The server's own drain takes up to 10 s.
ENDED_WITHIN = 15
# What pip says where it reaches nobody.
UNREACHABLE = ("Failed to establish a new connection", "Temporary failure", "timed out", "Max retries exceeded", "ProxyError")


class Missing(Exception):
    """The tools are not there, and cannot be installed."""


class NoServer(Exception):
    """There is no such server."""


class Failed(Exception):
    """The server did not do what it must."""


def target_folder():
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()


def environment():
    """The folder of a virtual environment with exactly what requirements.txt lists; made if it is not there."""
    if sys.version_info < OLDEST_PYTHON:
        raise Missing(f"python3 is {sys.version.split()[0]}; schemathesis needs 3.11 or later")
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError as error:
        raise Missing(f"python3 has no {error.name}; on Debian and Ubuntu: apt install python3-venv") from error
    requirements = HERE / "requirements.txt"
    wanted = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    folder = target_folder() / "contract"
    # Written last, so that an installation that broke off is not taken for one.
    stamp = folder / "installed"
    if stamp.is_file() and stamp.read_text() == wanted:
        return folder
    print(f"installing schemathesis into {folder}", file=sys.stderr)
    shutil.rmtree(folder, ignore_errors=True)
    pip = [folder / "bin/python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--retries", "2"]
    try:
        for command in (
            [sys.executable, "-m", "venv", folder],
            [*pip, "--require-hashes", "--only-binary=:all:", "-r", requirements],
        ):
            done = subprocess.run(command, timeout=INSTALLED_WITHIN, stderr=subprocess.PIPE, text=True)
            sys.stderr.write(done.stderr)
            if done.returncode != 0:
                # A list that cannot be installed is a fault of this project; a network that is not there is none.
                reason = Missing if any(word in done.stderr for word in UNREACHABLE) else Failed
                raise reason(f"cannot install schemathesis: {command[0]} ended with {done.returncode}")
    except (OSError, subprocess.SubprocessError) as error:
        raise Missing(f"cannot install schemathesis: {error}") from error
    stamp.write_text(wanted)
    return folder


def built(server):
    cargo = os.environ.get("CARGO", "cargo")
    done = subprocess.run([cargo, "build", "--locked", "--package", server], cwd=ROOT)
    if done.returncode != 0:
        raise NoServer(f"cannot build {server}; give the name of a server's package")
    program = target_folder() / "debug" / server
    if not program.is_file():
        raise NoServer(f"the package {server} has no program of its name; give the name of a server's package")
    return program


def end_with_parent():
    """A server must not outlive a script that was killed: PR_SET_PDEATHSIG (prctl(2)) is 1."""
    ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGTERM)


def start(program, arguments):
    command = [program, "--listen", "127.0.0.1:0", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, preexec_fn=end_with_parent)


def address_of(server):
    """Waits for the ready line, one JSON object on stdout."""
    line, deadline = b"", time.monotonic() + READY_WITHIN
    while not line.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([server.stdout], [], [], left)[0]:
            raise Failed(f"the server printed no ready line within {READY_WITHIN} s")
        read = os.read(server.stdout.fileno(), 4096)
        if not read:
            raise Failed("the server ended before it was ready; what it said is above")
        line += read
    return json.loads(line)["address"]


def end(server):
    """Drains the server; whether it ended well by itself."""
    if server.poll() is not None:
        print(f"error: the server ended before it was told to, with {server.returncode}", file=sys.stderr)
        return False
    server.terminate()
    try:
        server.wait(ENDED_WITHIN)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    if server.returncode != 0:
        print(f"error: the server ended with {server.returncode} when it was told to drain", file=sys.stderr)
    return server.returncode == 0


def check(folder, address):
    """Whether every answer was as described."""
    command = [
        folder / "bin/schemathesis", "run", f"http://{address}/openapi.yaml",
        "--checks", "all", "--mode", "all", "--continue-on-failure",
        "--max-examples", str(REQUESTS_PER_OPERATION), "--generation-deterministic",
        # More than one worker runs into a fault of Python 3.11's own parser, which hypothesis calls.
        "--workers", "1", "--request-timeout", "10",
    ]  # fmt: skip
    variables = {**os.environ, "SCHEMATHESIS_HOOKS": str(HERE / "hooks.py"), "NO_PROXY": "127.0.0.1"}
    # Nothing is left beside the sources.
    variables["PYTHONDONTWRITEBYTECODE"] = "1"
    try:
        # schemathesis leaves its notes in the working directory.
        return subprocess.run(command, cwd=folder, env=variables, timeout=CHECKED_WITHIN).returncode == 0
    except subprocess.TimeoutExpired:
        print(f"error: not finished within {CHECKED_WITHIN} s", file=sys.stderr)
        return False


def interrupted(*_):
    raise KeyboardInterrupt


def main(arguments):
    if arguments and arguments[0] in ("-h", "--help"):
        print(__doc__)
        return 0
    if_possible = arguments[:1] == ["--if-possible"]
    name, *rest = arguments[if_possible:] or ["work-stealing"]
    signal.signal(signal.SIGTERM, interrupted)
    try:
        folder, program = environment(), built(name)
        server = start(program, rest)
        as_described = ended_well = False
        try:
            as_described = check(folder, address_of(server))
        finally:
            ended_well = end(server)
        return 0 if as_described and ended_well else 1
    except Missing as error:
        print(f"{'not checked' if if_possible else 'error'}: {error}", file=sys.stderr)
        return 0 if if_possible else 2
    except (NoServer, Failed) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, NoServer) else 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
