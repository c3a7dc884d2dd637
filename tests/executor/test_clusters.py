"""Dask on this machine, and Dask that runs already."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from concurrent.futures import Executor, wait
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import dask
import psutil
import pytest
from distributed import LocalCluster

from l1distill.core.errors import ConfigError, ResourceError
from l1distill.executor import (
    DaskLocalSettings,
    DaskSettings,
    clusters,
    open_executor,
    workers_of,
)

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
    with ExitStack() as stack:
        with dask.config.set({"distributed.scheduler.allowed-failures": 0}):  # for no other cluster
            executor = stack.enter_context(open_executor(LOCAL, work))
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


def test_waiting_failing_and_cancelling_are_those_of_futures(
    executor: Executor, tmp_path: Path
) -> None:
    running = [executor.submit(_wait_for, tmp_path / "go") for _ in range(2)]
    queued = executor.submit(_pid, 0)
    assert wait([*running, queued], timeout=0.1).done == set()
    assert queued.cancel()
    (tmp_path / "go").touch()
    assert wait(running).not_done == set()
    with pytest.raises(ZeroDivisionError, match="on a worker"):
        executor.submit(_fail).result()


def _wait_for(path: Path) -> None:
    while not path.exists():
        time.sleep(0.05)


def _fail() -> None:
    raise ZeroDivisionError("on a worker")


def test_what_is_submitted_first_is_begun_first(executor: Executor, tmp_path: Path) -> None:
    running = [executor.submit(_wait_for, tmp_path / "go") for _ in range(2)]
    log = tmp_path / "log"
    queued = [executor.submit(_note, log, number) for number in range(40)]
    (tmp_path / "go").touch()
    wait([*running, *queued])
    order = [int(line) for line in log.read_text().split()]
    assert sorted(order) == list(range(40))
    # a worker that stands still keeps two tasks, the one it runs and the next; no other may wait
    overtaken = [set(range(number)) - set(order[:at]) for at, number in enumerate(order)]
    assert max(len(waiting) for waiting in overtaken) <= 2


def _note(log: Path, number: int) -> None:
    with log.open("a") as file:
        file.write(f"{number}\n")


def test_workers_that_do_not_see_the_folder_do_not_work(
    executor: Executor, work: Path, tmp_path: Path
) -> None:
    (marker,) = work.iterdir()
    marker.rename(tmp_path / "elsewhere")
    try:
        with pytest.raises(ConfigError, match=rf"^{work}: not seen by the worker on .*output="):
            executor.submit(_pid, 0).result()
    finally:
        (tmp_path / "elsewhere").rename(marker)
    assert executor.submit(_pid, 0).result() > 0


def test_a_task_that_kills_workers_is_said_in_one_line(tmp_path: Path) -> None:
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        pytest.raises(ResourceError, match=r"^executor=dask_local: 1 workers were killed over the"),
        open_executor(LOCAL.model_copy(update={"workers": 1}), tmp_path) as executor,
    ):
        executor.submit(_kill_worker).result()


def _kill_worker() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture
def running_cluster() -> Iterator[LocalCluster]:
    """A scheduler that somebody else started, with a worker."""
    with LocalCluster(
        n_workers=1, processes=False, protocol="tcp", dashboard_address=":0", silence_logs=50
    ) as cluster:
        yield cluster


def test_a_scheduler_that_runs_already(running_cluster: LocalCluster, tmp_path: Path) -> None:
    settings = DaskSettings(kind="dask", address=running_cluster.scheduler_address, wait_s=60)
    with open_executor(settings, tmp_path / "work") as executor:
        assert executor.submit(_echo, 1).result()[0] == (1,)
        assert workers_of(settings, executor) == 1
    assert list((tmp_path / "work").iterdir()) == []
    assert len(running_cluster.scheduler.workers) == 1  # it is not ours to close


def test_a_scheduler_from_another_environment(
    running_cluster: LocalCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clusters, "__version__", "9.9")
    settings = DaskSettings(kind="dask", address=running_cluster.scheduler_address, wait_s=60)
    with (
        pytest.raises(ConfigError, match=r"^executor\.address=tcp.* must have l1distill 9\.9; sta"),
        open_executor(settings, tmp_path),
    ):
        pass


def test_a_scheduler_that_goes_away(running_cluster: LocalCluster, tmp_path: Path) -> None:
    settings = DaskSettings(kind="dask", address=running_cluster.scheduler_address, wait_s=60)
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
        pytest.raises(
            ResourceError, match=r"^executor=dask: the Dask scheduler is gone; run again"
        ),
        open_executor(settings, tmp_path) as executor,
    ):
        future = executor.submit(_wait_for, tmp_path / "go")
        running_cluster.close()
        try:
            future.result()
        finally:
            (tmp_path / "go").touch()


def test_no_scheduler_at_the_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "_ANSWER_WITHIN_S", 0.5)
    settings = DaskSettings(kind="dask", address="tcp://127.0.0.1:1", wait_s=60)
    with (
        pytest.raises(ResourceError, match=r"^executor\.address=tcp://127.0.0.1:1: no Dask sched"),
        open_executor(settings, tmp_path),
    ):
        pass


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_their_parent(sent: signal.Signals, tmp_path: Path) -> None:
    script = textwrap.dedent("""
        import logging, sys, time
        from pathlib import Path
        from l1distill.executor import DaskLocalSettings, open_executor
        if __name__ == "__main__":
            logging.basicConfig()  # as Hydra does
            settings = DaskLocalSettings(kind="dask_local", workers=1)
            with open_executor(settings, Path(sys.argv[1])) as executor:
                future = executor.submit(time.sleep, 600)
                time.sleep(1)
                print("busy", flush=True)
                future.result()
    """)
    program = tmp_path / "program.py"
    program.write_text(script)
    process = subprocess.Popen(
        [sys.executable, str(program), str(tmp_path / "work")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "busy\n"
    children = psutil.Process(process.pid).children(recursive=True)
    assert children
    os.killpg(process.pid, sent) if sent == signal.SIGINT else os.kill(process.pid, sent)
    _, stderr = process.communicate(timeout=60)
    gone, alive = psutil.wait_procs(children, timeout=60)
    assert alive == [], "orphans"
    assert len(gone) == len(children)
    if sent == signal.SIGINT:
        assert stderr.count("Traceback") == 1, stderr
        assert stderr.rstrip().endswith("KeyboardInterrupt")
        assert "INFO" not in stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["program.py", "work"]
