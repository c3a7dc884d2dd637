"""Runs the programs that compile, simulate and synthesize, within bounds and without strays."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from l1distill.core.errors import ToolError


class TimeLimit(NamedTuple):
    """How long a tool may run, and which setting says so."""

    time_limit_s: float
    setting: str


_SHELL = "/bin/sh"
_GUARDED = 'exec 3<&0 </dev/null; { read -r end; kill -s KILL 0; } <&3 3<&- & exec "$@" 3<&-'
"""A shell that leaves a guard behind and becomes the program that it is given.

The guard reads from a pipe that nobody writes to: when its other end closes, because the job is
over or because we are dead, however that came, it kills the program's process group, itself
included. It needs nothing of an operating system but a shell, and no thread of ours.
"""


class Job:
    """A program that runs beside us, and never outlives the ``with`` block it belongs to.

    Nor does it outlive us, killed or not, and nor do its children. Its output goes to a log file,
    which is removed after a success and named by the error after a failure.
    """

    def __init__(self, what: str, command: Sequence[str], folder: Path, bounds: TimeLimit) -> None:
        """Starts ``command``.

        Args:
            what: the tool's name for messages.
            command: program and arguments.
            folder: where it runs.
            bounds: its time limit.

        Raises:
            ToolError: the program cannot be started.
        """
        self._what = what
        self._bounds = bounds
        self._expired = False
        _check_program(what, command[0], folder)
        handle, log = tempfile.mkstemp(prefix=f"l1distill-{what.split()[0]}-", suffix=".log")
        self.log = Path(log)
        try:
            # a session of its own: the limit must stop the tool's children as well
            self._process = subprocess.Popen(
                [_SHELL, "-c", _GUARDED, "sh", *command],
                cwd=folder,
                stdin=subprocess.PIPE,  # the guard's; the program's own is empty
                stdout=handle,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            self.log.unlink()
            raise ToolError(f"{what}: {_SHELL} cannot be started ({error.strerror})") from error
        finally:
            os.close(handle)
        # a clock of its own: nobody may be waiting when the time is up
        self._clock = threading.Timer(bounds.time_limit_s, self._expire)
        self._clock.daemon = True
        self._clock.start()

    def _expire(self) -> None:
        self._expired = not self.ended
        self._kill()

    def end(self) -> int:
        """Waits for the end and returns the status, negative for a signal.

        Raises:
            ToolError: the time limit passed.
        """
        status = self._process.wait()
        self._clock.cancel()
        if self._expired:
            limit = f"{self._bounds.time_limit_s:g} s"
            raise self.failure(f"stopped after {limit}; raise {self._bounds.setting}")
        return status

    def wait(self) -> None:
        """Waits for the end.

        Raises:
            ToolError: the time limit passed, or the program failed; the log's path is in the line.
        """
        status = self.end()
        if status != 0:
            how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
            if status == -signal.SIGKILL:
                how += ", as a machine does that is out of memory"
            said = self._telling_line()
            raise self.failure(how + (f": {said}" if said else ""))

    @property
    def ended(self) -> bool:
        """Whether the program is over."""
        return self._process.poll() is not None

    def failure(self, reason: str) -> ToolError:
        """Returns the error that names the tool, the reason and the log."""
        return ToolError(f"{self._what}: {reason} (log: {self.log})")

    @property
    def said(self) -> str:
        """What the program has written so far."""
        return self.log.read_text(encoding="utf-8", errors="replace").strip()

    def _telling_line(self) -> str:
        lines = self.said.splitlines()
        errors = [line for line in lines if "error" in line.lower()]
        return (errors[:1] or lines[-1:] or [""])[0].strip()[:300]

    def stop(self) -> None:
        """Ends the program and its children, if they still run."""
        self._clock.cancel()
        self._kill()
        self._process.wait()
        assert self._process.stdin is not None
        self._process.stdin.close()

    def _kill(self) -> None:
        if not self.ended:
            with contextlib.suppress(ProcessLookupError):  # it ended just now
                os.killpg(self._process.pid, signal.SIGKILL)

    def __enter__(self) -> Self:
        """Returns the job itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stops what still runs; keeps the log only for an error of this tool."""
        self.stop()
        if not (isinstance(error, ToolError) and str(self.log) in str(error)):
            self.log.unlink(missing_ok=True)


def _check_program(what: str, program: str, folder: Path) -> None:
    """Refuses what cannot be started; a shell would say so only in the log.

    Raises:
        ToolError: there is no such program.
    """
    path = str(folder / program) if "/" in program else program
    if shutil.which(path) is None:
        raise ToolError(f"{what}: {program} cannot be started: there is no such program")


def run(what: str, command: Sequence[str], folder: Path, bounds: TimeLimit) -> None:
    """Runs ``command`` to its end; see :class:`Job`."""
    with Job(what, command, folder, bounds) as job:
        job.wait()
