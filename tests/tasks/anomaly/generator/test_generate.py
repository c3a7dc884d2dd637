"""The whole data set: complete, reproducible, resumable."""

import shutil
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from l1distill.core.workspace import file_sha256
from l1distill.data.card import read_card
from l1distill.tasks.anomaly.event_files import read_events
from l1distill.tasks.anomaly.events import PROCESSES, SIGNALS
from l1distill.tasks.anomaly.generator.generate import generate
from l1distill.tasks.anomaly.generator.plan import plan_shards
from l1distill.tasks.anomaly.generator.processes import mix_counts
from tests.tasks.anomaly.generator.conftest import TINY, Dataset, InlineExecutor

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
    card = read_card(tiny.folder)
    assert card == tiny.card
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
    assert any("QCD" in line for line in card.missing)


def test_progress_adds_up(tiny: Dataset) -> None:
    assert sum(tiny.progress) == TINY.background + 4 * TINY.signal


def test_killed_run_resumes_to_the_same_bytes_on_other_workers(
    tiny: Dataset, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    with pytest.raises(KeyboardInterrupt):
        generate(TINY, tmp_path / "out", InlineExecutor(stop_after=6), work=work)
    assert not (tmp_path / "out").exists()
    # what a SIGKILL leaves behind: notes of progress and half-written temporary files
    (shards,) = (work / "shards").iterdir()
    finished = {path.name for path in shards.glob("*.npz")}
    assert len(finished) == 6
    unfinished = next(shard for shard in plan_shards(TINY) if f"{shard.name}.npz" not in finished)
    (shards / f"{unfinished.name}.progress").write_text("9999")
    (shards / f".{unfinished.name}.npz.abc").write_bytes(b"half")

    progress: list[int] = []
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        generate(TINY, tmp_path / "out", executor, progress.append, work)
    assert contents(tmp_path / "out") == contents(tiny.folder)
    assert sum(progress) == TINY.background + 4 * TINY.signal


def test_only_missing_shards_are_made_again(tiny: Dataset, tmp_path: Path) -> None:
    shutil.copytree(tiny.work, tmp_path / "work")
    lost = next((tmp_path / "work" / "shards").glob("*/a_4l-00000.npz"))
    lost.unlink()
    executor = InlineExecutor()
    generate(TINY, tmp_path / "out", executor, work=tmp_path / "work")
    assert len(executor.names) == 1
    assert "a_4l" in executor.names[0]
    assert contents(tmp_path / "out") == contents(tiny.folder)


def test_another_seed_does_not_reuse_shards(tiny: Dataset, tmp_path: Path) -> None:
    shutil.copytree(tiny.work, tmp_path / "work")
    other = TINY.model_copy(update={"seed": 8})
    executor = InlineExecutor(stop_after=4)
    with pytest.raises(KeyboardInterrupt):
        generate(other, tmp_path / "out", executor, work=tmp_path / "work")
    folders = sorted((tmp_path / "work" / "shards").iterdir())
    assert len(folders) == 2
    same, new = sorted(folders, key=lambda folder: len(list(folder.iterdir())), reverse=True)
    (shard,) = (path for path in new.glob("*.npz") if not path.name.startswith("stock"))
    with np.load(shard) as one, np.load(same / shard.name) as two:
        assert not np.array_equal(one["objects"], two["objects"])
