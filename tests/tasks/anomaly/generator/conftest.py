"""Small samples that the generator's tests share: made once, about a minute on one core."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from l1distill.data.card import Card
from l1distill.tasks.anomaly.generator.generate import generate
from l1distill.tasks.anomaly.generator.plan import Shard
from l1distill.tasks.anomaly.generator.settings import GeneratorSettings
from l1distill.tasks.anomaly.generator.shard import (
    ShardContent,
    make_shard,
    make_stock,
    read_shard,
    stocks,
)

TINY = GeneratorSettings(seed=7, background=60, signal=20, pool=400, shard=60)


class InlineExecutor(Executor):
    """Runs each task as it is submitted, in this process; may stop half-way."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.names: list[str] = []
        self._stop_after = stop_after

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if self._stop_after is not None and len(self.names) >= self._stop_after:
            raise KeyboardInterrupt
        self.names.append(str(args[1]))
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


class Dataset(NamedTuple):
    folder: Path
    work: Path
    card: Card
    executor: InlineExecutor
    progress: list[int]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The whole data set in the tiny profile, made in one go in one process."""
    folder = tmp_path_factory.mktemp("tiny")
    executor, progress = InlineExecutor(), []
    card = generate(TINY, folder / "out", executor, progress.append, folder / "work")
    return Dataset(folder / "out", folder / "work", card, executor, progress)


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., ShardContent]:
    """Makes events of one process; the same request is answered once."""
    folder = tmp_path_factory.mktemp("samples")
    settings = GeneratorSettings(seed=11, pool=400)
    for kind in stocks(settings):
        make_stock(settings, kind, folder)
    made: dict[tuple[str, int], ShardContent] = {}

    def make(name: str, events: int) -> ShardContent:
        if (name, events) not in made:
            shard = Shard(name, 0, events, seed=2024)
            make_shard(settings, shard, folder)
            made[name, events] = read_shard(folder, shard)
        return made[name, events]

    return make
