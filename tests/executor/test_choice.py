import os
import signal
from pathlib import Path

import pytest

from l1distill.core.errors import ResourceError
from l1distill.executor import ProcessesSettings, open_executor


def test_a_killed_process_is_said_in_one_line(tmp_path: Path) -> None:
    settings = ProcessesSettings(kind="processes", workers=1)
    with (
        pytest.raises(ResourceError, match=r"^executor: a worker was killed, .* fewer executor\.w"),
        open_executor(settings, tmp_path) as executor,
    ):
        executor.submit(_kill_worker).result()


def _kill_worker() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
