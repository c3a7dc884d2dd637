"""A file of random collisions in the layout of NanoAOD."""

from pathlib import Path

import pytest

from tests.tasks.anomaly.readers.files import Event, random_collisions, write_nanoaod


@pytest.fixture(scope="module")
def collisions() -> list[Event]:
    return random_collisions(400, seed=7)


@pytest.fixture(scope="module")
def path(collisions: list[Event], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_nanoaod(tmp_path_factory.mktemp("nano") / "b.root", collisions)
