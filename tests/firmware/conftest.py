import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from l1distill.firmware.network.network import Network
from l1distill.firmware.readers.qkeras import from_qkeras
from tests.firmware.students import CASES, Case, build, on_grid, scores


class Student(NamedTuple):
    case: Case
    model: Any
    network: Network
    x: NDArray[np.float32]
    y: NDArray[np.float64]


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
