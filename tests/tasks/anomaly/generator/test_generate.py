"""The whole data set: complete, reproducible, resumable."""

import shutil
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from l1distill.core.workspace import file_sha256
from l1distill.simulation.jobs import job_path, progress_path
from l1distill.tasks.anomaly.event_files import read_events
from l1distill.tasks.anomaly.events import PROCESSES, SIGNALS
from l1distill.tasks.anomaly.generator.generate import generate, make_jobs
from l1distill.tasks.anomaly.generator.notes import (
    ABLATIONS,
    AblationStudy,
    ablation_findings,
    limitations,
)
from l1distill.tasks.anomaly.generator.plan import (
    plan_shards,
    plan_stocks,
    total_cost,
    total_events,
)
from l1distill.tasks.anomaly.generator.processes import mix_counts
from l1distill.tasks.anomaly.generator.settings import GeneratorSettings
from tests.tasks.anomaly.generator.conftest import TINY, Dataset, copy_stocks
from tests.tasks.inline import Inline

BACKGROUND_FILE = "background.h5"
FILES = sorted([BACKGROUND_FILE, "card.json", *(f"{signal}.h5" for signal in SIGNALS)])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_files_and_their_sizes(tiny: Dataset) -> None:
    assert sorted(path.name for path in tiny.folder.iterdir()) == FILES
    assert len(read_events(tiny.folder / BACKGROUND_FILE).objects) == TINY.background
    for signal in SIGNALS:
        assert len(read_events(tiny.folder / f"{signal}.h5").objects) == TINY.signal


def test_the_mix_is_the_published_one_and_shuffled(tiny: Dataset) -> None:
    process = read_events(tiny.folder / BACKGROUND_FILE).process
    assert process is not None
    counts = np.bincount(process, minlength=4)
    assert dict(zip(PROCESSES, counts.tolist(), strict=True)) == mix_counts(TINY.background)
    assert (np.diff(process.astype(int)) != 0).sum() > 10


def test_no_event_appears_twice(tiny: Dataset) -> None:
    files = [BACKGROUND_FILE, *(f"{signal}.h5" for signal in SIGNALS)]
    objects = np.concatenate([read_events(tiny.folder / name).objects for name in files])
    assert len(np.unique(objects.reshape(len(objects), -1), axis=0)) == len(objects)


def test_the_card_tells_what_is_there(tiny: Dataset) -> None:
    card = tiny.card
    counts = {name: file.events for name, file in card.files.items()}
    assert counts == {"background": 60} | dict.fromkeys(SIGNALS, 20)
    for name, file in card.files.items():
        assert file.sha256 == file_sha256(tiny.folder / f"{name}.h5")
    assert list(card.samples) == [name for name in PROCESSES if mix_counts(60)[name]] + [*SIGNALS]
    for entry in card.samples.values():
        assert entry.tried > entry.events
        assert 0 < entry.acceptance < 1
    assert card.settings["seed"] == TINY.seed
    assert "pythia8mc" in card.versions
    assert card.missing == limitations()
    assert any("QCD" in line for line in card.missing)


@pytest.mark.fault(
    stage="generate",
    fault="SIGKILL in the work, or while it is logged",
    outcome="run again it goes on with the shards that it has, to the same bytes",
)
def test_killed_run_resumes_to_the_same_bytes_on_other_workers(
    tiny: Dataset, stocks: Path, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    shards = copy_stocks(stocks, TINY, work)
    with pytest.raises(KeyboardInterrupt):
        generate(TINY, tmp_path / "out", Inline(stop_after=3), work=work)
    assert not (tmp_path / "out").exists()
    # what a SIGKILL leaves behind: notes of progress and half-written temporary files
    finished = {path.name for path in shards.glob("*.npz")}
    assert len(finished) == 6
    unfinished = next(shard for shard in plan_shards(TINY) if f"{shard.name}.npz" not in finished)
    (shards / f"{unfinished.name}.progress").write_text("9999")
    (shards / f".{unfinished.name}.npz.abc").write_bytes(b"half")

    progress: list[tuple[int, float]] = []
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        generate(TINY, tmp_path / "out", executor, lambda *done, **_: progress.append(done), work)
    assert contents(tmp_path / "out") == contents(tiny.folder)
    assert_adds_up(progress)


def test_only_missing_shards_are_made_again(tiny: Dataset, tmp_path: Path) -> None:
    shutil.copytree(tiny.work, tmp_path / "work")
    lost = next((tmp_path / "work" / "shards").glob("*/a_4l-00000.npz"))
    lost.unlink()
    executor = Inline()
    generate(TINY, tmp_path / "out", executor, work=tmp_path / "work")
    assert len(executor.names) == 1
    assert "a_4l" in executor.names[0]
    assert contents(tmp_path / "out") == contents(tiny.folder)


def test_another_seed_does_not_reuse_shards(tiny: Dataset, stocks: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny.work, tmp_path / "work")
    other = TINY.model_copy(update={"seed": 8})
    copy_stocks(stocks, other, tmp_path / "work")
    executor = Inline(stop_after=1)
    with pytest.raises(KeyboardInterrupt):
        generate(other, tmp_path / "out", executor, work=tmp_path / "work")
    folders = sorted((tmp_path / "work" / "shards").iterdir())
    assert len(folders) == 2
    same, new = sorted(folders, key=lambda folder: len(list(folder.iterdir())), reverse=True)
    (shard,) = (path for path in new.glob("*.npz") if not path.name.startswith("stock"))
    with np.load(shard) as one, np.load(same / shard.name) as two:
        assert not np.array_equal(one["objects"], two["objects"])


def assert_adds_up(progress: list[tuple[int, float]]) -> None:
    assert sum(events for events, _ in progress) == total_events(TINY) == 60 + 4 * 20
    assert sum(work for _, work in progress) == pytest.approx(total_cost(TINY))
    assert all(events >= 0 and work >= 0 for events, work in progress)


def test_progress_adds_up(tiny: Dataset) -> None:
    assert_adds_up(tiny.progress)


class HalfWayExecutor(Executor):
    """Acts workers that have all done half of their jobs, until they are told to finish."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._running: list[tuple[Future[None], Path]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        _, job, folder = args
        self.names.append(job.name)
        progress_path(folder, job).write_text("0.5")
        future: Future[None] = Future()
        future.set_running_or_notify_cancel()
        self._running.append((future, job_path(folder, job)))
        return future

    def finish(self) -> None:
        for future, path in self._running:
            path.touch()
            future.set_result(None)
        self._running.clear()


def test_stocks_and_parts_of_shards_count_as_work(tmp_path: Path) -> None:
    """Each stage is looked at when half of it is done, and when all of it is."""
    stocks, shards = plan_stocks(TINY), plan_shards(TINY)
    progress: list[tuple[int, float]] = []
    executor = HalfWayExecutor()

    def on_progress(*done: Any, **_: Any) -> None:
        progress.append(done)
        executor.finish()

    make_jobs(TINY, [stocks, shards], tmp_path, executor, on_progress)
    half_stocks, half_shards = (
        pytest.approx(sum(job.cost for job in jobs) / 2) for jobs in (stocks, shards)
    )
    assert [work for _, work in progress] == [
        half_stocks, half_stocks, half_shards, half_shards, 0.0
    ]  # fmt: skip
    # stocks are work without events; two of the shards have an odd number of events
    assert [events for events, _ in progress] == [0, 0, 69, 71, 0]
    assert_adds_up(progress)
    by_cost = sorted(stocks, key=lambda stock: -stock.cost)
    assert executor.names[: len(stocks)] == [stock.name for stock in by_cost]


def test_what_an_earlier_run_left_is_in_the_first_report(tiny: Dataset, tmp_path: Path) -> None:
    shutil.copytree(tiny.work, tmp_path / "work")
    progress: list[tuple[Any, ...]] = []
    generate(
        TINY, tmp_path / "out", Inline(), lambda *done, **more: progress.append((*done, more)),
        tmp_path / "work",
    )  # fmt: skip
    everything = (total_events(TINY), pytest.approx(total_cost(TINY)), {"earlier": True})
    assert progress == [everything, (0, 0.0, {"left_s": None})]


def test_the_card_has_the_ablations_where_they_hold(tiny: Dataset) -> None:
    study = AblationStudy.model_validate_json(ABLATIONS.read_bytes())
    assert study.settings["pileup"] == TINY.pileup == 20.0
    assert tiny.card.ablations == study.ablations
    assert len(tiny.card.findings) > 3


@pytest.mark.parametrize(
    "change",
    [{"pileup": 0.0}, {"mpi": "off"}, {"detector": {"jet_pt_min": 30.0}},
     {"filter": {"muon_pt_min": 25.0}}],
    ids=str,
)  # fmt: skip
def test_other_physics_has_no_ablations(change: dict[str, object]) -> None:
    assert ablation_findings(GeneratorSettings.model_validate(change)) == ([], [])


def test_size_and_seed_are_no_physics() -> None:
    other = GeneratorSettings(seed=99, background=7, signal=3, pool=50, shard=10)
    assert ablation_findings(other) == ablation_findings(GeneratorSettings())
    assert ablation_findings(other)[0]
