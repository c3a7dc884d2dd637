"""Small samples that the generator's tests share: made once, whatever the number of workers."""

import pickle
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from l1distill.data.card import Card, read_card
from l1distill.simulation.jobs import job_path, package_versions
from l1distill.tasks.anomaly.generator.generate import generate
from l1distill.tasks.anomaly.generator.plan import Shard, fingerprint, plan_stocks
from l1distill.tasks.anomaly.generator.settings import GeneratorSettings
from l1distill.tasks.anomaly.generator.shard import (
    ShardContent,
    make_job,
    read_shard,
)
from tests.tasks.inline import Inline

TINY = GeneratorSettings(seed=11, background=60, signal=20, pool=400, shard=60)


@dataclass(frozen=True)
class Dataset:
    """A data set, the work folder that it was made in, and what was said on the way."""

    folder: Path
    work: Path
    card: Card
    progress: list[tuple[int, float]]


@pytest.fixture(scope="session")
def stocks(shared: Path) -> Path:
    """The folder with the stocks of ``TINY``, which depend on its seed and pool alone."""
    folder = shared / "stocks"
    with FileLock(shared / "stocks.lock"):
        if not folder.exists():
            part = shared / "stocks.part"
            part.mkdir()
            for stock in plan_stocks(TINY):
                make_job(TINY, stock, part)
            part.rename(folder)
    return folder


def copy_stocks(stocks: Path, settings: GeneratorSettings, work: Path) -> Path:
    """Puts stocks where a run with these settings looks for them; returns that folder."""
    folder = work / "shards" / fingerprint(settings, package_versions())
    shutil.copytree(stocks, folder)
    return folder


@pytest.fixture(scope="session")
def tiny(shared: Path, stocks: Path) -> Dataset:
    """The whole data set in the tiny profile, its shards made in one go in one process."""
    folder = shared / "tiny"
    with FileLock(shared / "tiny.lock"):
        if not folder.exists():
            part = shared / "tiny.part"
            progress: list[tuple[int, float]] = []

            def on_progress(events: int, work: float, **_: object) -> None:
                progress.append((events, work))

            copy_stocks(stocks, TINY, part / "work")
            generate(TINY, part / "out", Inline(), on_progress, part / "work")
            (part / "progress").write_bytes(pickle.dumps(progress))
            part.rename(folder)
    progress = pickle.loads((folder / "progress").read_bytes())
    return Dataset(folder / "out", folder / "work", read_card(folder / "out"), progress)


@pytest.fixture(scope="session")
def sample(shared: Path, stocks: Path) -> Callable[..., ShardContent]:
    """Makes events of one process; the same request is answered once."""

    def make(name: str, events: int) -> ShardContent:
        folder = shared / f"sample-{name}-{events}"
        shard = Shard(sample=name, number=0, events=events, seed=2024)
        with FileLock(shared / f"{folder.name}.lock"):
            if not job_path(folder, shard).exists():
                shutil.copytree(stocks, folder)
                make_job(TINY, shard, folder)
        return read_shard(folder, shard)

    return make
