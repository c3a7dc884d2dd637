"""The same data set from other places: Dask on this machine, Slurm, and HTCondor (acted)."""

import shutil
import signal
from pathlib import Path

import psutil
import pytest

from l1distill.executor import (
    DaskLocalSettings,
    ExecutorSettings,
    HTCondorSettings,
    SlurmSettings,
    open_executor,
)
from l1distill.tasks.anomaly.generator.generate import generate
from l1distill.tasks.anomaly.generator.plan import total_cost, total_events
from tests.executor.batch_system import BatchSystem
from tests.slurm import slurm, submitted, wait_until_idle
from tests.tasks.anomaly.generator.conftest import TINY, Dataset

JOBS = {"jobs": 2, "cores": 1, "memory": "2GB", "options": {}, "wait_s": 300}
SLURM = SlurmSettings(
    kind="slurm", walltime="00:30:00", queue="short", account=None, directives=[], **JOBS
)
HTCONDOR = HTCondorSettings(kind="htcondor", disk="1GB", directives=[], **JOBS)


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def _workers() -> list[psutil.Process]:
    """The workers of a cluster on this machine: children of this process."""
    children = psutil.Process().children()
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


def test_workers_that_are_killed_half_way_change_nothing(tiny: Dataset, tmp_path: Path) -> None:
    """One is killed while it makes a pool, another while shards are made."""
    progress: list[tuple[int, float]] = []
    killed: list[psutil.Process] = []

    def on_progress(events: int, work: float, **_: object) -> None:
        progress.append((events, work))
        pools_done = sum(events for events, _ in progress) > 0
        if _workers() and (len(killed) < 1 or (len(killed) < 2 and pools_done)):
            victim = _workers()[-1]
            victim.send_signal(signal.SIGKILL)
            killed.append(victim)

    settings = DaskLocalSettings(kind="dask_local", workers=2)
    with open_executor(settings, tmp_path / "work") as executor:
        generate(TINY, tmp_path / "out", executor, on_progress, tmp_path / "work")
        assert not any(victim.is_running() for victim in killed)
        assert len(_workers()) >= 1
    assert len(set(killed)) == 2
    assert _workers() == []
    assert _contents(tmp_path / "out") == _contents(tiny.folder)
    assert sum(events for events, _ in progress) == total_events(TINY)
    assert sum(work for _, work in progress) == pytest.approx(total_cost(TINY))


def _make_what_is_missing(settings: ExecutorSettings, tiny: Dataset, folder: Path) -> None:
    work = folder / "work"
    shutil.copytree(tiny.work, work)
    missing = [path for path in work.glob("shards/*/*.npz") if not path.name.startswith("stock")]
    for path in missing[::3]:
        path.unlink()
    with open_executor(settings, work) as executor:
        generate(TINY, folder / "out", executor, work=work)
    assert _contents(folder / "out") == _contents(tiny.folder)
    assert len(missing[::3]) >= 3
    assert all(path.exists() for path in missing)


@pytest.mark.needs_program("slurmctld")
def test_slurm_jobs_make_what_is_missing(tiny: Dataset, tmp_path: Path) -> None:
    with slurm():
        _make_what_is_missing(SLURM, tiny, tmp_path)
        assert len(submitted()) == 2
        wait_until_idle()


def test_condor_jobs_make_what_is_missing(
    tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_system = BatchSystem(tmp_path / "batch_system")
    monkeypatch.setenv("PATH", str(batch_system.programs), prepend=":")
    _make_what_is_missing(HTCONDOR, tiny, tmp_path)
    assert len(batch_system.jobs()) == 2
    assert batch_system.cancelled() == set(batch_system.jobs())
    batch_system.wait_until_idle()
