"""What all tests share."""

import os
import shutil
from pathlib import Path

import pytest

from l1distill.firmware.files import BUNDLE


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begins with the longest; leaves out tests of optional programs that are not installed.

    CI installs them all.
    """
    items.sort(key=lambda item: "e2e" not in item.path.parts)
    if os.environ.get("CI"):
        return
    missing = [
        item
        for item in items
        if any(not shutil.which(mark.args[0]) for mark in item.iter_markers("needs_program"))
    ]
    if missing:
        items[:] = [item for item in items if item not in missing]
        config.hook.pytest_deselected(items=missing)


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small bundle, not to be changed."""
    from tests.firmware.emulators import write_small_bundle

    return write_small_bundle(tmp_path_factory.mktemp("whole"))


@pytest.fixture
def bundle(whole: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copy(whole, tmp_path / BUNDLE))
