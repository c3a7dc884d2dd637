import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from filelock import FileLock
from numpy.typing import NDArray

from l1distill.firmware.network.network import Network
from l1distill.firmware.readers.qkeras import from_qkeras
from tests.firmware.students import CASES, Case, build, on_grid, scores
from tests.precompiled import write_compiler


class Student(NamedTuple):
    case: Case
    model: Any
    network: Network
    x: NDArray[np.float32]
    y: NDArray[np.float64]


@pytest.fixture(scope="session", autouse=True)
def compiler(shared: Path) -> Iterator[None]:
    """A compiler that reads the headers of all C simulations once, for all processes."""
    folder = shared / "compiler"
    with FileLock(shared / "compiler.lock"):
        is_there = (folder / "g++").exists() or write_compiler(folder)
    with pytest.MonkeyPatch.context() as patch:
        if is_there:
            patch.setenv("PATH", str(folder), prepend=os.pathsep)
        yield


@pytest.fixture(scope="session")
def student() -> Callable[[str], Student]:
    """Builds the student of a named case, once."""

    @functools.cache
    def named(name: str) -> Student:
        case = CASES[name]
        model = build(case)
        x = on_grid(case)
        return Student(case, model, from_qkeras(model), x, scores(model, x))

    return named
