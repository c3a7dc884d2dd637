import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from l1distill.cli import main
from tests.in_process import own_environment, own_logging, own_signals


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it printed."""

    status: int
    out: str
    err: str


CommandLine = Callable[..., Done]


@pytest.fixture
def l1distill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[CommandLine]:
    """The command line in this process, in an empty working directory.

    What Hydra and the command line change for good is put back: environment, logging, signals.
    """
    monkeypatch.chdir(tmp_path)
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MLFLOW", "L1DISTILL"))
    }

    def run(*arguments: str) -> Done:
        capsys.readouterr()
        status = main(arguments)
        printed = capsys.readouterr()
        return Done(status, printed.out, printed.err)

    with own_environment(kept), own_signals(), own_logging():
        yield run
