"""Slurm and HTCondor: what is asked of them."""

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from l1distill.core.errors import ConfigError, ToolError
from l1distill.executor import HTCondorSettings, SlurmSettings, open_executor
from l1distill.executor.batch import _refusal, batch_cluster

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


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            "sbatch: error: fetch_config: DNS SRV lookup failed\n"
            "sbatch: fatal: Could not establish a configuration source\n",
            "sbatch finds no cluster (sbatch: fatal: Could not establish a configuration source); "
            "run this where jobs are submitted, or choose another executor=",
        ),
        (
            "sbatch: error: invalid partition specified: gpu\n"
            "sbatch: error: Batch job submission failed\n",
            "sbatch refuses the job: sbatch: error: invalid partition specified: gpu; sbatch: "
            "error: Batch job submission failed",
        ),
    ],
)
def test_what_sbatch_says_is_one_line_with_a_way_out(said: str, words: str) -> None:
    """As Slurm 22.05 has it."""
    assert _refusal("sbatch", RuntimeError(f"exit 1\nstdout:\n\nstderr:\n{said}")) == words
