"""HTCondor as far as dask-jobqueue knows it: its jobs run on this machine.

Debian has a real Slurm, but no HTCondor. Run as a program, this is ``condor_submit`` or
``condor_rm``.
"""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil

PROGRAMS = ("condor_submit", "condor_rm")


class BatchSystem:
    """The programs, in a folder for the PATH, and what they were asked to do.

    Attributes:
        programs: where they are.
        spool: one file a job, ``<id>.sh``, with what was submitted.
    """

    def __init__(self, folder: Path) -> None:
        self.programs, self.spool = folder / "bin", folder / "spool"
        self.programs.mkdir(parents=True)
        self.spool.mkdir()
        for name in PROGRAMS:
            program = self.programs / name
            command = shlex.join([sys.executable, __file__, str(self.spool), name])
            program.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
            program.chmod(0o755)

    def jobs(self) -> list[int]:
        """Ids of the jobs that were submitted, in the order of submission."""
        files = sorted(self.spool.glob("*.pid"), key=lambda path: path.stat().st_mtime_ns)
        return [int(path.stem) for path in files]

    def cancelled(self) -> set[int]:
        return {int(path.stem) for path in self.spool.glob("*.cancelled")}

    def processes(self) -> list[psutil.Process]:
        """All processes of all jobs that run now."""
        sessions = {int(path.read_text()) for path in self.spool.glob("*.pid")}
        running = []
        for process in psutil.process_iter():
            with suppress(ProcessLookupError, psutil.Error):
                alive = process.status() != psutil.STATUS_ZOMBIE
                if alive and os.getsid(process.pid) in sessions:
                    running.append(process)
        return running

    def wait_until_idle(self) -> None:
        """Returns when no job runs any more."""
        deadline = time.monotonic() + 120
        while running := self.processes():
            assert time.monotonic() < deadline, running
            time.sleep(0.1)


def _submit(spool: Path, command: list[str], script: Path) -> int:
    job = os.getpid()
    (spool / f"{job}.sh").write_text(script.read_text())
    with (spool / f"{job}.out").open("w") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    (spool / f"{job}.pid").write_text(str(process.pid))
    return job


def _cancel(spool: Path, job: int) -> None:
    (spool / f"{job}.cancelled").touch()
    with suppress(ProcessLookupError):
        os.killpg(int((spool / f"{job}.pid").read_text()), signal.SIGTERM)


def _condor_command(description: str) -> list[str]:
    """What the job of a submit file runs; HTCondor doubles quotes inside of quotes."""
    entries = dict(re.findall(r"^(\w+) = (.*)$", description, re.MULTILINE))
    arguments = entries["Arguments"].removeprefix('"').removesuffix('"').replace('""', '"')
    return [entries["Executable"], *shlex.split(arguments)]


def main(spool: Path, program: str, argument: str) -> None:
    if program == "condor_submit":
        script = Path(argument)
        job = _submit(spool, _condor_command(script.read_text()), script)
        print(f"Submitting job(s).\n1 job(s) submitted to cluster {job}.")
    else:
        _cancel(spool, int(argument.partition(".")[0]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[-1])
