"""Searches of made-up items, begun and finished."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from l1distill.search.database import url_of
from l1distill.search.problem import Problem
from l1distill.search.store import Store
from l1distill.search.worker import work
from tests.search.searches import plan_of
from tests.search.test_trainer import EXPONENTS, examples


@pytest.fixture(scope="module")
def problem() -> Problem:
    signal = examples(40, 4, 1)
    background = examples(60, 3, 1)
    return Problem(
        train=examples(200, 1, 1),
        validation=examples(100, 2, 1),
        samples={
            "background": (background.features, background.targets),
            "signal": (2 * signal.features, signal.targets),
        },
        background="background",
        exponents=EXPONENTS,
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(url_of(tmp_path / "search.db"), "name")
    made.open({"strategy": "co"})
    yield made
    made.close()


@pytest.fixture(scope="module")
def finished(problem: Problem, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """What a worker found that was never disturbed, of ``plan_of()``; not to be changed."""
    made = Store(url_of(tmp_path_factory.mktemp("finished") / "search.db"), "finished")
    made.open({"strategy": "co"})
    work(made, plan_of(), problem)
    yield made
    made.close()
