import os
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import psutil
import pytest

from l1distill.executor.processes import local_processes
from tests.processes import wait_for


def test_work_is_done_in_other_processes() -> None:
    with local_processes(2) as executor:
        assert os.getpid() not in set(executor.map(_pid, range(4)))


def _pid(_: int) -> int:
    return os.getpid()


def test_workers_end_with_a_killed_parent() -> None:
    script = textwrap.dedent("""
        import time
        from l1distill.executor.processes import local_processes
        if __name__ == "__main__":
            with local_processes(2) as executor:
                futures = [executor.submit(time.sleep, 600) for _ in range(2)]
                while not all(future.running() for future in futures):
                    time.sleep(0.1)
                time.sleep(1)
                print("busy", flush=True)
                futures[0].result()
    """)
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "busy\n"
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) >= 2
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    gone, alive = psutil.wait_procs(children, timeout=30)
    assert alive == [], "orphans"
    assert len(gone) == len(children)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_what_ends_a_whole_terminal_or_job_ends_workers_without_a_word(
    sent: signal.Signals,
) -> None:
    """Also while tasks wait, which are canceled: the pool of Python 3.11 stumbles over them."""
    script = textwrap.dedent("""
        import signal, sys, time
        from l1distill.executor.processes import local_processes
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        if __name__ == "__main__":
            try:
                with local_processes(2) as executor:
                    for number in executor.map(time.sleep, [0.0] + [600.0] * 40):
                        print("busy", flush=True)
            except KeyboardInterrupt:
                sys.exit(7)
    """)
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "busy\n"
    children = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, sent)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (7, "")
    _, alive = psutil.wait_procs(children, timeout=30)
    assert alive == [], "orphans"


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_tasks_close_what_they_have_open(sent: signal.Signals, tmp_path: Path) -> None:
    script = textwrap.dedent("""
        import sys
        from pathlib import Path
        from l1distill.executor.processes import local_processes
        from tests.executor.test_processes import _open
        if __name__ == "__main__":
            with local_processes(2) as executor:
                list(executor.map(_open, [Path(sys.argv[1]) / str(number) for number in range(8)]))
    """)
    command = [sys.executable, "-c", script, str(tmp_path)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    wait_for(lambda: len([*tmp_path.iterdir()]) == 2)
    children = psutil.Process(process.pid).children(recursive=True)
    if sent == signal.SIGINT:
        os.killpg(process.pid, sent)
    else:
        process.kill()
    process.wait()
    _, alive = psutil.wait_procs(children, timeout=30)
    assert alive == [], "orphans"
    assert [path.read_text() for path in tmp_path.iterdir()] == ["closed"] * 2


def _open(path: Path) -> None:
    path.touch()
    try:
        time.sleep(600)
    finally:
        time.sleep(0.1)
        path.write_text("closed")


def test_an_error_does_not_wait_for_the_other_workers() -> None:
    """Theirs is an hour's work."""
    with pytest.raises(ZeroDivisionError), local_processes(2) as executor:
        other = executor.submit(time.sleep, 3600)
        executor.submit(divmod, 1, 0).result()
    assert isinstance(other.exception(), BrokenProcessPool)
