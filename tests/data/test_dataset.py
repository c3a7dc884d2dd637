"""Data sets of any task: here items of two numbers, with a label each."""

import re
from pathlib import Path

import numpy as np
import pytest

from l1distill.core.errors import DataError
from l1distill.core.workspace import file_sha256
from l1distill.data.card import Card, FileCard, write_card
from l1distill.data.dataset import Dataset, Items, open_dataset
from l1distill.data.splits import Split

COUNTS = {"far": (3, 4, 5), "near": (6, 2, 1), "nowhere": (0, 7, 0)}
"""Items that train, test and validate, for each sample; ``near`` is trained on."""


def items_of(name: str, seed: int = 0) -> np.ndarray:  # type: ignore[type-arg]
    """Items (n, 3): two numbers, and a label that says to which part the item belongs."""
    rng = np.random.default_rng([seed, *name.encode()])
    counts = COUNTS[name]
    return np.column_stack([rng.random((sum(counts), 2)), np.repeat([0, 1, 2], counts)])


def _read(path: Path) -> Items:
    try:
        table = np.load(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read") from error
    return Items(values=table[:, :2], columns={"label": table[:, 2]})


def _write(path: Path, table: np.ndarray) -> None:  # type: ignore[type-arg]
    with path.open("wb") as file:
        np.save(file, table)


def _dataset(folder: Path, seed: int = 0) -> Path:
    folder.mkdir()
    files = {}
    for name, counts in COUNTS.items():
        path = folder / f"{name}.h5"
        _write(path, items_of(name, seed))
        by_part = dict(zip(("train", "test", "validation"), counts, strict=True))
        files[name] = FileCard(**by_part, sha256=file_sha256(path))
    write_card(
        folder, Card(dataset="toy", settings={}, versions={}, files=files, checks={}, missing=[])
    )
    return folder


def _open(folder: Path) -> Dataset:
    return open_dataset(folder, _read, "near")


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return _open(_dataset(tmp_path / "data"))


def test_samples_come_training_sample_first(dataset: Dataset) -> None:
    """Wherever it stands in the card."""
    assert dataset.names == ["near", "far", "nowhere"]
    assert dataset.signals == ["far", "nowhere"]
    samples = dataset.samples()
    assert list(samples) == dataset.names
    for name, sample in samples.items():
        np.testing.assert_array_equal(sample.items.values, items_of(name)[:, :2])
    np.testing.assert_array_equal(dataset.training.items.values, items_of("near")[:, :2])


@pytest.mark.parametrize("name", COUNTS)
def test_values_and_columns_are_split_alike(dataset: Dataset, name: str) -> None:
    """The label says which part an item is to be in."""
    sample, expected = dataset.sample(name), items_of(name)
    for split, count in zip(Split, COUNTS[name], strict=True):
        rows = expected[:, 2] == split
        assert rows.sum() == count
        np.testing.assert_array_equal(sample.part(split), expected[rows, :2])
        np.testing.assert_array_equal(sample.columns(split)["label"], [split] * count)
        assert sample.part(split).base is not None, "a view, not a copy"


def test_models_are_evaluated_on_what_they_have_not_seen(dataset: Dataset) -> None:
    labels = {name: items_of(name)[:, 2][dataset.evaluation_rows(name)] for name in dataset.names}
    assert labels["near"].tolist() == [Split.TEST] * 2
    assert labels["far"].tolist() == [0] * 3 + [1] * 4 + [2] * 5, "all items: none was trained on"
    assert labels["nowhere"].tolist() == [Split.TEST] * 7
    assert dataset.evaluation_rows("near") == dataset.training.rows(Split.TEST)


def test_the_identity_is_that_of_the_content(tmp_path: Path) -> None:
    first = _open(_dataset(tmp_path / "a")).md5
    assert re.fullmatch(r"[0-9a-f]{32}", first)
    assert _open(_dataset(tmp_path / "b")).md5 == first
    assert _open(_dataset(tmp_path / "c", seed=1)).md5 != first


@pytest.mark.parametrize("change", ["content", "number"])
def test_a_file_that_is_not_the_cards_is_refused(tmp_path: Path, change: str) -> None:
    folder = _dataset(tmp_path / "data")
    table = items_of("far")
    _write(folder / "far.h5", table[:-1] if change == "number" else table + 1e-9)
    with pytest.raises(
        DataError, match=r"far\.h5: not the file that card\.json describes.*run generate again"
    ):
        _open(folder).samples()
    _open(folder).sample("near")


def test_a_card_that_counts_other_items_is_refused(tmp_path: Path) -> None:
    """The file is that of the card, but its parts would not be."""
    folder = _dataset(tmp_path / "data")
    card = _open(folder).card
    files = {**card.files, "far": card.files["far"].model_copy(update={"test": 3})}
    write_card(folder, card.model_copy(update={"files": files}))
    with pytest.raises(DataError, match=r"far\.h5: not the file"):
        _open(folder).sample("far")


def test_a_missing_file_is_named_by_its_reader(tmp_path: Path) -> None:
    folder = _dataset(tmp_path / "data")
    (folder / "far.h5").unlink()
    with pytest.raises(DataError, match=r"far\.h5: cannot be read"):
        _open(folder).samples()


def test_a_missing_data_set_says_what_makes_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such data set; run l1distill generate"):
        _open(tmp_path / "nowhere")


def test_a_data_set_without_the_training_sample_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="names no background; generate the data set again"):
        open_dataset(_dataset(tmp_path / "data"), _read, "background")


def test_an_unknown_sample_is_named(dataset: Dataset) -> None:
    with pytest.raises(DataError, match="no sample zprime; there are far, near, nowhere"):
        dataset.sample("zprime")
