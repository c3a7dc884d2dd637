"""What the tests of executors share."""

from pathlib import Path

import pytest

from tests.executor.batch_system import BatchSystem


@pytest.fixture
def batch_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BatchSystem:
    """Slurm and HTCondor are on the PATH, and run their jobs here."""
    system = BatchSystem(tmp_path / "batch_system")
    monkeypatch.setenv("PATH", str(system.programs), prepend=":")
    return system
