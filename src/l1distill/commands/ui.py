"""``l1distill ui``: open the runs of the experiment in MLflow's user interface.

MLflow's own ``mlflow ui`` starts four workers and a runner of jobs, and opens the traces of
language models; this starts one worker and opens the runs.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote

from l1distill.core.errors import ConfigError, DataError, ToolError
from l1distill.tracking.settings import TrackingSettings

_DESCRIPTION = """\
Starts MLflow's server on the tracking store, prints the address of the experiment's runs and opens
it in a browser. The store is that of MLFLOW_TRACKING_URI, or mlflow.db here; if it is a server
already, only the address is printed. Ends with Ctrl-C.
"""
DEFAULT_STORE = "sqlite:///mlflow.db"
HOST = "127.0.0.1"
START_TIME_LIMIT_S = 180.0
"""How long the server may take to answer; it imports for ten seconds on an idle machine."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message}; see {self.prog} --help")


def run(arguments: Sequence[str]) -> None:
    """Start the server and open the runs, until it is interrupted.

    Args:
        arguments: those behind the command's name.

    Raises:
        ConfigError: an argument is wrong, or the port is taken.
        DataError: there is no store yet.
        ToolError: the server does not start.
        SystemExit: help was asked for.
    """
    options = _parser().parse_args(arguments)
    store = os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_STORE
    if store.startswith(("http://", "https://")):
        _show(runs_page(store.rstrip("/"), options.experiment), options.browser)
        return
    file = Path(store.removeprefix("sqlite:///"))
    if store.startswith("sqlite:///") and not file.is_file():
        raise DataError(f"{file}: no such file; run a stage first, or set MLFLOW_TRACKING_URI")
    _check_port(options.port)
    address = f"http://{HOST}:{options.port}"
    print(f"ui: starting MLflow on {store}", file=sys.stderr, flush=True)
    server = subprocess.Popen(
        server_command(store, options.port),
        env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(server, address)
        _show(runs_page(address, options.experiment), options.browser)
        server.wait()
    finally:
        server.terminate()
        server.wait()


def server_command(store: str, port: int) -> list[str]:
    """Return the command that serves a store with one worker."""
    options = ["--backend-store-uri", store, "--host", HOST, "--port", str(port), "--workers", "1"]
    return [sys.executable, "-m", "mlflow", "server", *options]


def runs_page(address: str, experiment: str) -> str:
    """Return the address of an experiment's runs; that of the server if there is no such one.

    Args:
        address: of a tracking server that answers.
        experiment: its name.
    """
    query = f"api/2.0/mlflow/experiments/get-by-name?experiment_name={quote(experiment)}"
    try:
        with urllib.request.urlopen(f"{address}/{query}", timeout=30) as answer:
            number = json.load(answer)["experiment"]["experiment_id"]
    except (OSError, ValueError, KeyError):
        return address
    # without the last part MLflow opens what it calls GenAI: traces, of which there are none
    return f"{address}/#/experiments/{number}/runs?workflowType=machine_learning"


def _show(address: str, browser: bool) -> None:
    print(address, flush=True)
    if browser:
        webbrowser.open(address)


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as error:
            raise ConfigError(f"--port {port}: cannot be used ({error}); take another") from error


def _wait_for(server: "subprocess.Popen[bytes]", address: str) -> None:
    deadline = time.monotonic() + START_TIME_LIMIT_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            command = " ".join(map(str, server.args)) if isinstance(server.args, list) else ""
            raise ToolError(f"MLflow's server ended with status {server.returncode}; try {command}")
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise ToolError(f"MLflow's server does not answer within {START_TIME_LIMIT_S:g} s")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="l1distill ui",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=5000, help="default: %(default)d")
    parser.add_argument(
        "--experiment",
        default=os.environ.get("MLFLOW_EXPERIMENT_NAME", TrackingSettings().experiment),
        help="default: %(default)s",
    )
    parser.add_argument(
        "--no-browser", dest="browser", action="store_false", help="only print the address"
    )
    return parser
