"""What all tests share."""

import os
import shutil

import pytest


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
