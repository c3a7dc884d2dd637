"""Dask on this machine, and Dask that runs already."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import Executor, wait
from pathlib import Path
from typing import NamedTuple

import dask
import psutil
import pytest
from distributed import LocalCluster

from l1distill.errors import InputError
from l1distill.executor import DaskLocalSettings, DaskSettings, clusters, open_executor

LOCAL = DaskLocalSettings(kind="dask_local", workers=2)


class Point(NamedTuple):
    x: int
    y: int


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def executor(work: Path) -> Iterator[Executor]:
    """A cluster on this machine that gives a task up when one worker was killed over it."""
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        open_executor(LOCAL, work) as executor,
    ):
        yield executor


def test_work_is_done_in_other_processes(executor: Executor) -> None:
    assert os.getpid() not in set(executor.map(_pid, range(4)))


def _pid(_: int) -> int:
    return os.getpid()


def test_arguments_arrive_as_they_are(executor: Executor) -> None:
    """Dask would look into tuples, take strings for keys, and make one task of two alike."""
    sent = (Point(1, 2), [Point(3, 4)], "decays", Path("a"))
    futures = [executor.submit(_echo, *sent) for _ in range(2)]
    for future in futures:
        (point, (other,), text, path), _ = future.result()
        assert (point, other, text, path) == (Point(1, 2), Point(3, 4), "decays", Path("a"))
        assert type(point) is type(other) is Point
    assert futures[0].result()[1] != futures[1].result()[1]


def _echo(*values: object) -> tuple[tuple[object, ...], bytes]:
    return values, os.urandom(8)


def test_waiting_failing_and_cancelling_are_those_of_futures(executor: Executor) -> None:
    blocked = [executor.submit(_wait_for, None) for _ in range(2)]
    queued = executor.submit(_pid, 0)
    assert wait(blocked, timeout=0.1).done == set()
    assert queued.cancel()
    assert all(future.cancel() for future in blocked)
    with pytest.raises(ZeroDivisionError, match="on a worker"):
        executor.submit(_fail).result()
