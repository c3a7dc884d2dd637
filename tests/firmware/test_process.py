"""Programs that really run, and are really killed."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from l1distill.core.errors import ToolError
from l1distill.firmware.process import Job, TimeLimit, run

TIME_LIMIT = TimeLimit(100.0, "firmware.limit")
SLEEPERS = ["sh", "-c", "sleep 300 & echo $$ $! > part; mv part pids; wait"]
"""A program with a child; ``pids`` names both."""
STAGE = """
    import sys, threading, time
    from pathlib import Path
    from l1distill.firmware.process import TimeLimit, Job

    def start():
        job = Job("sleepers", sys.argv[1:], Path.cwd(), TimeLimit(100.0, "firmware.limit"))
        jobs.append(job)

    jobs = []
    thread = threading.Thread(target=start)  # the job is to outlive it
    thread.start()
    thread.join()
    jobs[0].wait()
"""


def sleepers(folder: Path) -> list[psutil.Process]:
    deadline = time.monotonic() + 60
    while not (folder / "pids").is_file():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return [psutil.Process(int(pid)) for pid in (folder / "pids").read_text().split()]


def alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def gone(processes: list[psutil.Process]) -> bool:
    deadline = time.monotonic() + 30
    while any(map(alive, processes)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not any(map(alive, processes))


@pytest.mark.fault(
    stage="synthesize",
    fault="SIGKILL in the work, or while it is logged",
    outcome="compilers, simulators and yosys end with it",
)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_stage_leaves_nothing_behind(how: signal.Signals, tmp_path: Path) -> None:
    script = textwrap.dedent(STAGE)
    stage = subprocess.Popen(
        [sys.executable, "-c", script, *SLEEPERS],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path)},  # nobody is left to remove the log
    )
    try:
        left = sleepers(tmp_path)
        time.sleep(0.3)  # long enough for what would follow the thread's end
        assert all(map(alive, left))
    finally:
        stage.send_signal(how)
    assert stage.wait() == -how
    assert gone(left)


def test_what_a_program_leaves_behind_ends_with_the_job(tmp_path: Path) -> None:
    command = ["sh", "-c", "sleep 300 & echo $! > part; mv part pids"]
    with Job("careless", command, tmp_path, TIME_LIMIT) as job:
        job.wait()
        (left,) = sleepers(tmp_path)
        assert alive(left)
    assert gone([left])
    assert not job.log.exists()


def test_a_job_that_nobody_waits_for_is_stopped(tmp_path: Path) -> None:
    with Job("sleepers", SLEEPERS, tmp_path, TIME_LIMIT) as job:
        left = sleepers(tmp_path)
    assert job.ended
    assert gone(left)


def test_a_program_has_no_input_and_keeps_its_arguments(tmp_path: Path) -> None:
    script = 'cat > read; printf "%s," "$@" > said; ls -l /proc/self/fd > open 2>&1; exit 0'
    run("reader", ["sh", "-c", script, "sh", "a b", "", "*", "$HOME"], tmp_path, TIME_LIMIT)
    assert (tmp_path / "read").read_text() == ""
    assert (tmp_path / "said").read_text() == "a b,,*,$HOME,"
    assert "pipe:" not in (tmp_path / "open").read_text()  # the guard's end is the guard's alone


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["l1distill-no-such"], "tool: l1distill-no-such cannot be started: there is no such"),
        (["./missing"], r"tool: \./missing cannot be started: there is no such"),
        (["sh", "-c", "echo an error; echo more; exit 3"], r"tool: ended with status 3: an error"),
        (["sh", "-c", "kill -9 $$"], "tool: was killed by signal 9, as a machine does that is out"),
        (["sleep", "300"], "tool: stopped after 1 s; raise firmware.limit"),
    ],
)
def test_a_failure_is_one_line(command: list[str], says: str, tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=says) as error:
        run(
            "tool",
            command,
            tmp_path,
            TimeLimit(1.0, "firmware.limit") if "sleep" in command else TIME_LIMIT,
        )
    line = str(error.value)
    assert "\n" not in line
    if "(log: " in line:
        Path(line.split("(log: ")[1].rstrip(")")).unlink()
