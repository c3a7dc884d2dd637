import os
import signal
import subprocess
import sys
import textwrap

import psutil

from l1distill.executor.processes import local_processes


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
