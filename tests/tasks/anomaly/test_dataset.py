import re
from pathlib import Path

import numpy as np
import pytest

from l1distill.core.errors import DataError
from l1distill.core.workspace import file_sha256
from l1distill.data.card import Card, FileCard, write_card
from l1distill.data.splits import FRACTIONS, Split, assign
from l1distill.tasks.anomaly.dataset import PROCESS, open_dataset, read_items
from l1distill.tasks.anomaly.event_files import write_events
from l1distill.tasks.anomaly.events import SIGNALS, Events


def _dataset(folder: Path, seed: int = 0) -> Path:
    folder.mkdir()
    rng = np.random.default_rng(seed)
    files = {}
    for name in ("background", *SIGNALS):
        path = folder / f"{name}.h5"
        counts = write_events(path, Events(rng.exponential(30.0, (400, 19, 3))))
        files[name] = FileCard(**counts, sha256=file_sha256(path))
    write_card(
        folder,
        Card(dataset="anomaly", settings={}, versions={}, files=files, checks={}, missing=[]),
    )
    return folder


def test_samples_come_background_first(tmp_path: Path) -> None:
    dataset = open_dataset(_dataset(tmp_path / "data"))
    samples = dataset.samples()
    assert list(samples) == ["background", *SIGNALS]
    assert {sample.items.values.shape for sample in samples.values()} == {(400, 19, 3)}
    assert (dataset.training_sample, dataset.signals) == ("background", list(SIGNALS))


def test_the_identity_is_that_of_the_content(tmp_path: Path) -> None:
    first = open_dataset(_dataset(tmp_path / "a")).md5
    assert re.fullmatch(r"[0-9a-f]{32}", first)
    assert open_dataset(_dataset(tmp_path / "b")).md5 == first
    assert open_dataset(_dataset(tmp_path / "c", seed=1)).md5 != first


def test_a_file_that_is_not_the_cards_is_refused(tmp_path: Path) -> None:
    folder = _dataset(tmp_path / "data")
    rng = np.random.default_rng(9)
    write_events(folder / "a_4l.h5", Events(rng.exponential(30.0, (400, 19, 3))))
    with pytest.raises(
        DataError, match=r"a_4l\.h5: not the file that card\.json describes.*run generate again"
    ):
        open_dataset(folder).samples()


def test_a_missing_data_set_says_what_makes_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such data set; run l1distill generate"):
        open_dataset(tmp_path / "nowhere")


def test_parts_are_what_the_hash_of_each_event_says(tmp_path: Path) -> None:
    sample = open_dataset(_dataset(tmp_path / "data")).sample("background")
    for split in Split:
        part = sample.part(split)
        assert (assign(part) == split).all()
        assert abs(len(part) - 400 * FRACTIONS[split]) < 40
    assert sum(len(sample.part(split)) for split in Split) == 400
    seen = np.concatenate([sample.part(split) for split in Split])
    assert len(np.unique(seen.reshape(400, -1), axis=0)) == 400, "no event is in two parts"


def test_the_process_of_each_event_is_a_column(tmp_path: Path) -> None:
    """The process is written into each event, so that what belongs together can be told."""
    objects = np.random.default_rng(0).exponential(30.0, (400, 19, 3)).astype(np.float32)
    process = np.arange(400, dtype=np.int8) % 5
    objects[:, 0, 0] = process
    write_events(tmp_path / "background.h5", Events(objects, process))
    items = read_items(tmp_path / "background.h5")
    np.testing.assert_array_equal(items.columns[PROCESS], items.values[:, 0, 0])
    assert sorted(items.columns[PROCESS]) == sorted(process)
    write_events(tmp_path / "a_4l.h5", Events(objects))
    assert dict(read_items(tmp_path / "a_4l.h5").columns) == {}


def test_a_part_is_a_view_of_the_file(tmp_path: Path) -> None:
    part = open_dataset(_dataset(tmp_path / "data")).sample("a_4l").part(Split.TEST)
    assert isinstance(part.base, np.memmap)
    assert not part.flags.writeable


def test_an_unknown_sample_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no sample zprime; there are background, lq_btau"):
        open_dataset(_dataset(tmp_path / "data")).sample("zprime")
