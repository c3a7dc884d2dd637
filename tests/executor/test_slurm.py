"""A real Slurm: jobs that stay away, that end early, and that nobody waits for any more."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from l1distill.core.errors import ResourceError, ToolError
from l1distill.executor import batch, open_executor
from tests.executor.test_batch import SLURM
from tests.processes import wait_for
from tests.programs import program
from tests.slurm import NODES, scancel, slurm, squeue, submitted, wait_until_idle

pytestmark = [pytest.mark.needs_program("slurmctld"), pytest.mark.usefixtures("_slurm")]


@pytest.fixture(scope="module")
def _slurm() -> Iterator[None]:
    with slurm():
        yield


def test_jobs_are_spread_over_nodes(tmp_path: Path) -> None:
    settings = SLURM.model_copy(update={"jobs": 2})
    with open_executor(settings, tmp_path / "work") as executor:
        begun = [tmp_path / str(number) for number in range(2)]
        futures = [executor.submit(_node, begun, number) for number in range(2)]
        assert {future.result() for future in futures} == {*NODES}
    wait_until_idle()


def _node(begun: list[Path], number: int) -> str:
    """Returns where it is done, when all have begun."""
    begun[number].touch()
    wait_for(lambda: all(path.exists() for path in begun))
    return os.environ["SLURMD_NODENAME"]


def test_jobs_whose_workers_stay_away(tmp_path: Path) -> None:
    settings = SLURM.model_copy(
        update={"options": {"job_script_prologue": ["sleep 600"]}, "wait_s": 1.0}
    )
    with (
        pytest.raises(
            ResourceError, match=r"^executor=slurm \(logs: .*/jobs\): no worker for 1 s;"
        ),
        open_executor(settings, tmp_path / "work"),
    ):
        pass
    wait_until_idle()


def test_a_job_that_is_refused(tmp_path: Path) -> None:
    settings = SLURM.model_copy(update={"queue": "shrt"})
    with (
        pytest.raises(ToolError, match=r"^executor=slurm: sbatch refuses the job: .*invalid part"),
        open_executor(settings, tmp_path / "work"),
    ):
        pass


@pytest.mark.parametrize(("cores", "look_every_s"), [(1, 0.2), (2, 4.0)])
def test_a_job_that_ends_early_is_submitted_again(
    cores: int, look_every_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where Slurm is away at that moment, and where no look falls into the job's life."""
    monkeypatch.setattr(batch, "LOST_AFTER_S", 1.0)
    monkeypatch.setattr(batch, "LOOK_EVERY_S", look_every_s)
    settings = SLURM.model_copy(update={"cores": cores})
    work, begun, go, away, tried = (tmp_path / name for name in ("w", "begun", "go", "away", "t"))
    sbatch = tmp_path / "bin/sbatch"
    sbatch.parent.mkdir()
    sbatch.write_text(
        f"#!/bin/sh\n[ -e {away} ] && touch {tried} && exit 1\nexec {program('sbatch')} $*\n"
    )
    sbatch.chmod(0o755)
    monkeypatch.setenv("PATH", str(sbatch.parent), prepend=os.pathsep)
    with open_executor(settings, work) as executor:
        future = executor.submit(_wait_for, begun, go)
        wait_for(begun.exists)
        begun.unlink()
        (first,) = squeue()
        if cores == 1:
            away.touch()
        scancel(first)
        if cores == 1:
            wait_for(tried.exists)
            away.unlink()
        wait_for(begun.exists)
        assert submitted()[-1] > first
        go.touch()
        assert future.result() == "done"
    assert [path.name for path in work.iterdir()] == ["jobs"], "keys are left"
    wait_until_idle()


def _wait_for(begun: Path, go: Path) -> str:
    begun.touch()
    wait_for(go.exists)
    return "done"


def test_jobs_end_with_a_killed_parent(tmp_path: Path) -> None:
    script = textwrap.dedent("""
        import sys
        from pathlib import Path
        from l1distill.executor import open_executor
        from tests.executor.test_batch import SLURM
        from tests.executor.test_slurm import _wait_for
        work, begun, go = map(Path, sys.argv[1:])
        with open_executor(SLURM, work) as executor:
            executor.submit(_wait_for, begun, go).result()
    """)
    begun, go = tmp_path / "begun", tmp_path / "go"
    process = subprocess.Popen([sys.executable, "-c", script, tmp_path / "work", begun, go])
    wait_for(begun.exists)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert squeue()
    go.touch()  # a worker ends when it has done its task, and 30 s later at the latest
    wait_until_idle()
