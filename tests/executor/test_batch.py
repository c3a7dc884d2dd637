"""Slurm and HTCondor: what is asked of them, and what comes of it."""

import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from l1distill.core.errors import ConfigError, ResourceError, ToolError
from l1distill.executor import HTCondorSettings, SlurmSettings, batch, open_executor
from l1distill.executor.batch import batch_cluster
from tests.executor.batch_system import BatchSystem

SLURM = SlurmSettings(
    kind="slurm",
    jobs=1,
    cores=1,
    memory="1GB",
    walltime="00:30:00",
    queue=None,
    account=None,
    directives=[],
    options={},
    wait_s=120,
)
HTCONDOR = HTCondorSettings(
    kind="htcondor",
    jobs=1,
    cores=1,
    memory="1GB",
    disk="1GB",
    directives=[],
    options={},
    wait_s=120,
)


def _worker_options(command: str) -> dict[str, str]:
    """The options of the command that starts a job's workers, by name."""
    assert re.search(r"\S+ -m distributed\.cli\.dask_worker tls://", command), command
    words = command.split()
    return {
        word: value
        for word, value in zip(words, [*words[1:], ""], strict=True)
        if word.startswith("--")
    }


def test_a_slurm_job_is_what_was_asked_for(tmp_path: Path) -> None:
    settings = SLURM.model_copy(
        update={
            "cores": 4,
            "memory": "8GiB",
            "walltime": "01:30:00",
            "queue": "short",
            "account": "trigger",
            "directives": ["--constraint=cpu"],
            "options": {"job_script_prologue": ["module load gcc"]},
        }
    )
    with batch_cluster(settings, tmp_path) as cluster:
        script = cluster.job_script().splitlines()
    directives = {line.removeprefix("#SBATCH ") for line in script if line.startswith("#SBATCH")}
    assert directives == {
        "-J dask-worker",
        f"-e {tmp_path}/jobs/dask-worker-%J.err",
        f"-o {tmp_path}/jobs/dask-worker-%J.out",
        "-p short",
        "-A trigger",
        "-n 1",
        "--cpus-per-task=4",
        "--mem=8G",
        "-t 01:30:00",
        "--constraint=cpu",
    }
    assert script[-2] == "module load gcc"
    options = _worker_options(script[-1])
    assert (options["--nworkers"], options["--nthreads"]) == ("4", "1")
    assert Path(options["--tls-key"]).parent == tmp_path


def test_a_condor_job_is_what_was_asked_for(tmp_path: Path) -> None:
    settings = HTCONDOR.model_copy(
        update={
            "cores": 4,
            "memory": "8GiB",
            "disk": "2GiB",
            "directives": ['+JobFlavour = "workday"', "requirements=(OpSys == LINUX)"],
        }
    )
    with batch_cluster(settings, tmp_path) as cluster:
        script = cluster.job_script()
    entries = dict(re.findall(r"^(\S+) = (.*)$", script, re.MULTILINE))
    assert entries["RequestCpus"] == "MY.DaskWorkerCores"
    assert entries["MY.DaskWorkerCores"] == "4"
    assert entries["RequestMemory"] == "floor(MY.DaskWorkerMemory / 1048576)"
    assert entries["MY.DaskWorkerMemory"] == str(8 * 2**30)
    assert entries["RequestDisk"] == "floor(MY.DaskWorkerDisk / 1024)"
    assert entries["MY.DaskWorkerDisk"] == str(2 * 2**30)
    assert entries["+JobFlavour"] == '"workday"'
    assert entries["requirements"] == "(OpSys == LINUX)"
    assert entries["LogDirectory"] == f"{tmp_path}/jobs"
    options = _worker_options(entries["Arguments"])
    assert (options["--nworkers"], options["--nthreads"]) == ("4", "1")


def test_making_jobs_leaves_ctrl_c_alone(tmp_path: Path) -> None:
    """The import of dask_jobqueue makes of it an exit with status 0."""
    script = textwrap.dedent("""
        import signal, sys
        from pathlib import Path
        from l1distill.executor.batch import batch_cluster
        from tests.executor.test_batch import SLURM
        with batch_cluster(SLURM, Path(sys.argv[1])):
            assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    """)
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True)


def test_an_option_that_dask_does_not_know(tmp_path: Path) -> None:
    settings = SLURM.model_copy(update={"options": {"color": "red"}})
    with pytest.raises(
        ConfigError,
        match=r"^executor=slurm: .*unexpected keyword argument 'colo.*executor\.options$",
    ):
        batch_cluster(settings, tmp_path)


@pytest.mark.parametrize(("settings", "program"), [(SLURM, "sbatch"), (HTCONDOR, "condor_submit")])
def test_a_machine_without_the_batch_system(
    settings: SlurmSettings | HTCondorSettings,
    program: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        pytest.raises(ToolError, match=f"^executor={settings.kind}: {program} is not on the PA"),
        open_executor(settings, tmp_path),
    ):
        pass


def test_a_job_that_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sbatch = tmp_path / "sbatch"
    sbatch.write_text("#!/bin/sh\necho 'sbatch: error: invalid partition: shrt' >&2\nexit 1\n")
    sbatch.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with (
        pytest.raises(ToolError, match=r"^executor=slurm: sbatch refuses the job: .*n: shrt$"),
        open_executor(SLURM, tmp_path / "work"),
    ):
        pass


def test_jobs_whose_workers_stay_away(batch_system: BatchSystem, tmp_path: Path) -> None:
    settings = SLURM.model_copy(
        update={"options": {"job_script_prologue": ["exit 1"]}, "wait_s": 1.0}
    )
    with (
        pytest.raises(
            ResourceError, match=r"^executor=slurm \(logs: .*/jobs\): no worker for 1 s;"
        ),
        open_executor(settings, tmp_path / "work"),
    ):
        pass
    assert set(batch_system.jobs()) == batch_system.cancelled() != set()


def test_a_job_that_ends_early_is_submitted_again(
    batch_system: BatchSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "LOST_AFTER_S", 1.0)
    monkeypatch.setattr(batch, "LOOK_EVERY_S", 0.2)
    settings = SLURM.model_copy(update={"cores": 2})
    with open_executor(settings, tmp_path / "work") as executor:
        begun, go = tmp_path / "begun", tmp_path / "go"
        future = executor.submit(_wait_for, begun, go)
        _wait_until_there(begun)
        (first,) = batch_system.jobs()
        batch_system.kill(first)
        begun.unlink()
        _wait_until_there(begun)
        go.touch()
        assert future.result() == "done"
        assert len(batch_system.jobs()) == 2
    assert batch_system.cancelled() == set(batch_system.jobs())
    batch_system.wait_until_idle()


def _wait_for(begun: Path, go: Path) -> str:
    begun.touch()
    _wait_until_there(go)
    return "done"


def _wait_until_there(path: Path) -> None:
    deadline = time.monotonic() + 300
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} does not appear"
        time.sleep(0.05)


def test_jobs_end_with_a_killed_parent(batch_system: BatchSystem, tmp_path: Path) -> None:
    script = textwrap.dedent("""
        import sys
        from pathlib import Path
        from l1distill.executor import open_executor
        from tests.executor.test_batch import SLURM, _wait_for
        work, begun, go = map(Path, sys.argv[1:])
        with open_executor(SLURM, work) as executor:
            executor.submit(_wait_for, begun, go).result()
    """)
    begun, go = tmp_path / "begun", tmp_path / "go"
    process = subprocess.Popen([sys.executable, "-c", script, tmp_path / "work", begun, go])
    _wait_until_there(begun)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert batch_system.processes()
    go.touch()  # a worker ends when it has done its task, and 30 s later at the latest
    batch_system.wait_until_idle()
    assert batch_system.cancelled() == set()
