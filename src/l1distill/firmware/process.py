"""External programs (compilers, simulators, yosys); their time limit, their log and their end."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from l1distill.core.errors import ToolError


class ProgramError(ToolError):
    """A program failed, was killed, or was stopped at its time limit; its log is kept."""

    def __init__(self, reason: str, log: Path) -> None:
        """Keep the reason, which names the program, apart from the path of the log."""
        super().__init__(f"{reason} (log: {log})")
        self.reason = reason
        self.log = log


class ExitStatusError(ProgramError):
    """A program ran to its end and returned an exit status other than 0."""


@dataclass(frozen=True)
class TimeLimit:
    """How long a program may run, and the setting that its error message names."""

    seconds: float
    setting: str


_SHELL = "/bin/sh"
_GUARDED = 'exec 3<&0 </dev/null; { read -r end; kill -s KILL 0; } <&3 3<&- & exec "$@" 3<&-'
"""Shell script that starts a guard process and then becomes the program that it is given.

The guard reads from a pipe that nobody writes to. When the other end closes, because the job is
over or because this process died in whatever way, the guard kills the program's process group,
itself included. It needs nothing but a shell from the operating system, and no thread of ours.
"""


class Job:
    """A program in the background that ends at the latest with its ``with`` block.

    It also ends, with all its children, when this process ends or is killed. Its output goes to a
    log file, which is removed after a success and named by the error after a failure.
    """

    def __init__(
        self, tool: str, command: Sequence[str], folder: Path, time_limit: TimeLimit
    ) -> None:
        """Start ``command``.

        Args:
            tool: name of the tool in messages.
            command: program and arguments.
            folder: the working directory.
            time_limit: after which it is killed.

        Raises:
            ToolError: the program cannot be started.
        """
        self._tool = tool
        self._time_limit = time_limit
        self._expired = False
        _check_program(tool, command[0], folder)
        handle, log = tempfile.mkstemp(prefix=f"l1distill-{tool.split()[0]}-", suffix=".log")
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
            raise ToolError(f"{tool}: {_SHELL} cannot be started ({error.strerror})") from error
        finally:
            os.close(handle)
        # a clock of its own: nobody may be waiting when the time is up
        self._clock = threading.Timer(time_limit.seconds, self._expire)
        self._clock.daemon = True
        self._clock.start()

    def _expire(self) -> None:
        self._expired = not self.ended
        self._kill()

    def end(self) -> int:
        """Wait for the end and return the exit status, negative for a signal.

        Raises:
            ProgramError: the time limit passed.
        """
        status = self._process.wait()
        self._clock.cancel()
        if self._expired:
            limit = f"{self._time_limit.seconds:g} s"
            raise self.failure(f"stopped after {limit}; raise {self._time_limit.setting}")
        return status

    def wait(self) -> None:
        """Wait for the end.

        Raises:
            ExitStatusError: the program failed; the message names the log.
            ProgramError: the time limit passed, or the program was killed.
        """
        status = self.end()
        if status == 0:
            return
        line = self._error_line()
        reason = f": {line}" if line else ""
        if status > 0:
            message = f"{self._tool}: ended with status {status}{reason}"
            raise ExitStatusError(message, self.log)
        memory = ", as a machine does that is out of memory" if status == -signal.SIGKILL else ""
        raise self.failure(f"was killed by signal {-status}{memory}{reason}")

    @property
    def ended(self) -> bool:
        """Whether the program has ended."""
        return self._process.poll() is not None

    def failure(self, reason: str) -> ProgramError:
        """Return the error that names the tool, the reason and the log."""
        return ProgramError(f"{self._tool}: {reason}", self.log)

    @property
    def output(self) -> str:
        """The text that the program has written so far."""
        return self.log.read_text(encoding="utf-8", errors="replace").strip()

    def _error_line(self) -> str:
        lines = self.output.splitlines()
        errors = [line for line in lines if "error" in line.lower()]
        return (errors[:1] or lines[-1:] or [""])[0].strip()[:300]

    def stop(self) -> None:
        """Kill the program and its children, if they still run."""
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
        """Return the job itself."""
        return self

    def __exit__(
        self,
        error_class: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the program if it still runs; keep the log only for an error of this tool."""
        self.stop()
        if not (isinstance(error, ProgramError) and error.log == self.log):
            self.log.unlink(missing_ok=True)


def _check_program(tool: str, program: str, folder: Path) -> None:
    """Refuse a program that cannot be started; a shell would say so only in the log.

    Raises:
        ToolError: there is no such program.
    """
    path = str(folder / program) if "/" in program else program
    if shutil.which(path) is None:
        raise ToolError(f"{tool}: {program} cannot be started: there is no such program")


def run(tool: str, command: Sequence[str], folder: Path, time_limit: TimeLimit) -> None:
    """Run ``command`` to its end; see :meth:`Job.wait` for the errors raised."""
    with Job(tool, command, folder, time_limit) as job:
        job.wait()
