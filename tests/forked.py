"""Programs whose processes are forked from one that has imported TensorFlow, MLflow and DVC.

A process that begins with these imports takes six CPU seconds before it does anything; a forked one
takes some milliseconds, and has its own folder, environment, files, signals and exit status as any
other. Sources of l1distill are found where ``PYTHONPATH`` says: they differ from clone to clone.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import random
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import threading
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from filelock import FileLock

SERVED = ("l1distill", "dvc")
"""Modules that are run in forked processes."""
FRESH = ("fingerprint", "report")
"""Commands of l1distill that have processes of their own all the same: those that the tutorials,
which fork nothing, do not have."""
PRELOADED = (
    *("dvc.cli", "dvc.commands.repro", "dvc.repo.reproduce", "dvc.stage.run"),
    *("mlflow", "mlflow.pyfunc", "mlflow.data.meta_dataset"),
    *("mlflow.store.tracking.sqlalchemy_store", "mlflow.store.model_registry.sqlalchemy_store"),
    *("tensorflow", "keras", "qkeras", "tensorflow_model_optimization", "hls4ml", "alkaid"),
    *("hydra", "omegaconf", "pydantic", "h5py", "sklearn.metrics", "scipy.stats", "pandas"),
    "matplotlib.pyplot",
)
_started: list["subprocess.Popen[bytes]"] = []
_BYTES = 8
"""Of a number that is sent."""
_PROGRAM = """\
#!{python} -IS
import array, json, os, signal, socket, sys

program, *arguments = sys.argv
program = os.path.basename(program)
if program != "python":
    arguments = ["-m", program, *arguments]
command = "".join(arguments[2:3])
if arguments[:1] != ["-m"] or arguments[1] not in {served!r} or command in {fresh!r}:
    os.execv({python!r}, [{python!r}, *arguments])
request = json.dumps([arguments[1:], os.getcwd(), dict(os.environ)]).encode()
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, _: server.send(bytes([number])))
files = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))]
server.sendmsg([len(request).to_bytes({size}, "big")], files)
server.sendall(request)
answer = server.recv({size})
status = int.from_bytes(answer, "big", signed=True) if answer else -signal.SIGKILL
if status < 0:
    signal.signal(-status, signal.SIG_DFL)
    os.kill(os.getpid(), -status)
os._exit(status)
"""


def forked_programs(folder: Path) -> Path:
    """Returns a folder for the front of ``PATH``, and starts what its programs are forked from.

    The programs are ``python`` and ``dvc``.

    That serves all processes of the tests until the one ends that started them.

    Args:
        folder: is made for programs and a socket where it is not there.
    """
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            part = folder.with_name(f"{folder.name}.part")
            part.mkdir()
            program = _PROGRAM.format(
                python=sys.executable,
                served=SERVED,
                fresh=FRESH,
                address=str(folder / "socket"),
                size=_BYTES,
            )
            for name in ("python", "dvc"):
                (part / name).write_text(program)
                (part / name).chmod(0o755)
            _start(part / "socket")
            part.rename(folder)
    return folder


def _start(address: Path) -> None:
    owner = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
    environment = {name: text for name, text in os.environ.items() if "MLFLOW" not in name}
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "MLFLOW_LOGGING_LEVEL": "WARNING"}
    server = subprocess.Popen(
        [sys.executable, "-I", __file__, str(address), str(owner)],
        env=environment | quiet, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert server.stdout is not None
    assert server.stdout.readline() == b"ready\n"
    _started.append(server)


def serve(address: str, owner: int) -> None:
    """Forks a process for each request, until a process ends."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in PRELOADED:
            importlib.import_module(module)
    gc.collect()
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as listener, selectors.DefaultSelector() as selector:
        listener.bind(address)
        listener.listen()
        print("ready", flush=True)
        owner_ends = os.pidfd_open(owner)
        selector.register(owner_ends, selectors.EVENT_READ)
        selector.register(listener, selectors.EVENT_READ)
        processes: dict[int, socket.socket] = {}
        """The connection to whoever waits for it, by process."""
        while True:
            for key, _ in selector.select():
                if key.fileobj == owner_ends:
                    for pid in processes:
                        os.kill(pid, signal.SIGKILL)
                    return
                if key.fileobj is listener:
                    connection, _ = listener.accept()
                    pid = _fork(connection, [selector, listener, *processes.values()])
                    processes[pid] = connection
                    selector.register(connection, selectors.EVENT_READ, pid)
                    selector.register(os.pidfd_open(pid), selectors.EVENT_READ, pid)
                elif isinstance(key.fileobj, int):
                    _, status = os.waitpid(key.data, 0)
                    selector.unregister(key.fileobj)
                    os.close(key.fileobj)
                    with processes.pop(key.data) as connection, contextlib.suppress(OSError):
                        if connection.fileno() in selector.get_map():
                            selector.unregister(connection)
                        code = os.waitstatus_to_exitcode(status)
                        connection.sendall(code.to_bytes(_BYTES, "big", signed=True))
                elif key.data in processes:
                    sent = processes[key.data].recv(1)
                    os.kill(key.data, sent[0] if sent else signal.SIGKILL)
                    if not sent:  # who waits for it was killed
                        selector.unregister(key.fileobj)


def _fork(connection: socket.socket, ours: Sequence[object]) -> int:
    """Forks the process that a connection asks for."""
    length, files, _, _ = socket.recv_fds(connection, _BYTES, 3)
    request = b""
    while len(request) < int.from_bytes(length, "big"):
        request += connection.recv(1 << 16)
    if pid := os.fork():
        for file in files:
            os.close(file)
        return pid
    try:
        for one in (connection, *ours):
            one.close()  # type: ignore[attr-defined]
        _become(files, *json.loads(request))
    finally:
        os._exit(70)


def _become(
    files: Sequence[int], arguments: list[str], folder: str, environment: dict[str, str]
) -> NoReturn:
    """Runs a module in this process as Python would with ``-m``, and ends."""
    module = arguments[0]
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = sys.__stdout__ = os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.__stderr__ = os.fdopen(2, "w", 1, errors="backslashreplace", closefd=False)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:0] = [folder, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    sys.argv = arguments
    importlib.invalidate_caches()
    random.seed()
    status: object = 0
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as leaving:
        status = leaving.code
    except BaseException:
        traceback.print_exc()
        status = 1
    if not (status is None or isinstance(status, int)):
        print(status, file=sys.stderr)
        status = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(int(status or 0))


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
