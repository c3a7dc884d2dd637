"""A real Slurm on this machine, of two nodes, for tests: it needs no rights, and leaves nothing."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import wait_for
from tests.programs import program
from tests.servers import free_port

NODES = ("one", "two")
"""The nodes; a job goes to the one with fewer."""
_CONFIGURATION = f"""\
ClusterName=tests
SlurmctldHost={{host}}(127.0.0.1)
SlurmctldPort={{controller_port}}
SlurmUser={{user}}
SlurmdUser={{user}}
AuthType=auth/none
CredType=cred/none
StateSaveLocation={{folder}}/state
SlurmdSpoolDir={{folder}}/spool-%n
SlurmctldPidFile={{folder}}/slurmctld.pid
SlurmdPidFile={{folder}}/slurmd-%n.pid
SlurmctldLogFile={{folder}}/slurmctld.log
SlurmdLogFile={{folder}}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory,CR_LLN
SchedulerParameters=sched_min_interval=0,batch_sched_delay=0
ReturnToService=2
KillWait=5
SlurmdParameters=config_overrides
NodeName=DEFAULT CPUs=64 RealMemory=1000000
NodeName={NODES[0]} NodeHostname={{host}} NodeAddr=127.0.0.1 Port={{first_port}}
NodeName={NODES[1]} NodeHostname={{host}} NodeAddr=127.0.0.1 Port={{second_port}}
PartitionName=short Nodes={",".join(NODES)} Default=YES MaxTime=INFINITE State=UP
"""
"""More than the machine has, so that no job waits; users are believed, so that no daemon of munge
has to run; control groups are left alone."""


def squeue() -> list[int]:
    """Ids of the jobs that wait, run or end."""
    return sorted(map(int, _ask("squeue", "--noheader", "--format=%i").split()))


def submitted() -> list[int]:
    """Ids of all jobs that were ever submitted."""
    lines = _ask("scontrol", "--oneliner", "show", "job").splitlines()
    return sorted(int(line.split()[0].partition("=")[2]) for line in lines if "JobId=" in line)


def scancel(job: int) -> None:
    """Ends a job as its walltime or an operator does: SIGTERM, then SIGKILL."""
    _ask("scancel", str(job))


def wait_until_idle() -> None:
    """Returns when there is no job any more."""
    wait_for(lambda: not squeue())


def _ask(name: str, *arguments: str) -> str:
    done = subprocess.run([name, *arguments], capture_output=True, text=True, check=True)
    return done.stdout


@contextlib.contextmanager
def slurm() -> Iterator[None]:
    """Runs Slurm, and lets its programs find it by ``SLURM_CONF``; its jobs end with it."""
    folder = Path(tempfile.mkdtemp(prefix="l1distill-slurm-"))
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        for name in ("state", *(f"spool-{node}" for node in NODES)):
            (folder / name).mkdir()
        configuration = folder / "slurm.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                host=socket.gethostname().partition(".")[0],
                user=pwd.getpwuid(os.geteuid()).pw_name,
                folder=folder,
                controller_port=free_port(),
                first_port=free_port(),
                second_port=free_port(),
            )
        )
        stack.enter_context(pytest.MonkeyPatch.context()).setenv("SLURM_CONF", str(configuration))
        common = ["-D", "-f", configuration]
        daemons = {
            f"slurmd-{node}": stack.enter_context(
                _daemon(folder, "slurmd", *common, "-N", node, output=f"slurmd-{node}")
            )
            for node in NODES
        }
        daemons["slurmctld"] = stack.enter_context(_daemon(folder, "slurmctld", *common, "-i"))

        def is_idle() -> bool:
            for name, daemon in daemons.items():
                assert daemon.poll() is None, (folder / f"{name}.out").read_text()
            asked = ["sinfo", "--noheader", "--Node", "--format=%T"]
            answer = subprocess.run(asked, capture_output=True, text=True, check=False)
            return answer.stdout.split() == ["idle"] * len(NODES)

        wait_for(is_idle)
        stack.callback(_cancel_all)
        yield


def _cancel_all() -> None:
    for job in squeue():
        scancel(job)
    wait_until_idle()


@contextlib.contextmanager
def _daemon(
    folder: Path, name: str, *arguments: str | Path, output: str = ""
) -> "Iterator[subprocess.Popen[bytes]]":
    with (folder / f"{output or name}.out").open("w") as said:
        command = [program(name), *map(str, arguments)]
        daemon = subprocess.Popen(command, stdout=said, stderr=said, cwd=folder)
    try:
        yield daemon
    finally:
        daemon.terminate()
        daemon.wait()
