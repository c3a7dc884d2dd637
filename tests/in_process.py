"""Runs the command line in this process: what a test needs unless the process is its point.

A process of its own costs 6 to 12 CPU seconds for the imports of MLflow and TensorFlow alone.
"""

import contextlib
import io
import logging
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from l1distill.cli import main


def run_in_process(
    *arguments: str, folder: Path, environment: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Runs ``l1distill`` with these arguments in a folder and an environment.

    Its pictures are not arranged; those of a process are, and those of tests of the plots.

    Returns:
        Exit status and what was printed, as a process would leave them.
    """
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(folder),
        own_environment(environment),
        _own_tracking(),
        own_signals(),
        own_logging(),
        pictures_as_they_fall(),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        status = main(list(arguments))
    return subprocess.CompletedProcess(arguments, status, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def own_environment(environment: Mapping[str, str] | None) -> Iterator[None]:
    """Takes back what is changed in the environment, and begins with another if there is one."""
    before = dict(os.environ)
    try:
        if environment is not None:
            os.environ.clear()
            os.environ.update(environment)
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def _own_tracking() -> Iterator[None]:
    """Lets the environment say where runs go, not what this process was told before."""
    import mlflow

    uri = mlflow.get_tracking_uri() if mlflow.tracking.is_tracking_uri_set() else None
    chosen = os.environ.get("MLFLOW_TRACKING_URI")
    mlflow.set_tracking_uri(None)  # takes the variable out of the environment, too
    if chosen is not None:
        os.environ["MLFLOW_TRACKING_URI"] = chosen
    try:
        yield
    finally:
        mlflow.set_tracking_uri(uri)


@contextlib.contextmanager
def own_signals() -> Iterator[None]:
    """Takes back what the command line does at SIGTERM."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def own_logging() -> Iterator[None]:
    """Takes back what Hydra does to the root logger for good."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


def _leave(*_: object) -> None:
    pass


@contextlib.contextmanager
def pictures_as_they_fall() -> Iterator[None]:
    """Draws pictures without Matplotlib's arrangement of axes, a fifth of the time of a stage."""
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ConstrainedLayoutEngine, "execute", _leave)
        yield
