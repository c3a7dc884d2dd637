"""What synthesis of a student takes from its data set, its encoding and its task."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from l1distill.artifacts.record import Record
from l1distill.core.errors import ConfigError
from l1distill.core.workspace import file_sha256
from l1distill.data.card import Card, FileCard, write_card
from l1distill.data.dataset import Dataset, Items, open_dataset
from l1distill.data.encoding import Feature, InputEncoding
from l1distill.distillation.targets import TargetTransform
from l1distill.stages.stage import Context
from l1distill.stages.synthesize import Settings
from l1distill.stages.synthesize_student import (
    choose_events,
    choose_whole_events,
    describe_student,
    threshold_at,
)
from l1distill.tasks.anomaly.task import TASK


def numbered_dataset(folder: Path) -> Dataset:
    """Items (1,) with a number each: those of the training sample below 100."""
    values = {"background": np.arange(17.0)[:, None], "signal": np.arange(100.0, 120.0)[:, None]}
    files = {}
    for name, counts in {"background": (10, 4, 3), "signal": (12, 6, 2)}.items():
        path = folder / f"{name}.h5"
        with path.open("wb") as file:
            np.save(file, values[name])
        parts = dict(zip(("train", "test", "validation"), counts, strict=True))
        files[name] = FileCard(**parts, sha256=file_sha256(path))
    write_card(
        folder, Card(dataset="toy", settings={}, versions={}, files=files, checks={}, missing=[])
    )
    return open_dataset(folder, lambda path: Items(values=np.load(path)), "background")


def test_the_card_says_what_the_encoding_and_the_task_know() -> None:
    features = [Feature(name="pT of MET", unit="GeV", scale=8.0), Feature(name="eta of MET")]
    record = Record(
        stage="student",
        parameters={},
        inputs={},
        dataset="toy",
        dataset_md5="5d",
        files={"student.h5": "abc123"},
        artifacts=[],
    )
    nothing: Any = None
    context = Context(
        task=TASK,
        run=nothing,
        folder=Path(),
        work=Path(),
        records={"student": record},
        hashes={},
        identity="",
    )
    metrics = {"saturated/background": 0.0123, "saturated_max": 0.5, "sparsity": 0.1}
    encoding = InputEncoding(shape=[2], features=features)
    target = TargetTransform(transform="log_standardized")
    card = describe_student(context, encoding, 77, metrics, target)
    for words in ("`abc123`", "data set `toy`, MD5 `5d`", "77 events of its data set"):
        assert words in card.summary
    assert [(each.name, each.unit, each.scale) for each in card.inputs] == [
        ("pT of MET", "GeV", 8.0),
        ("eta of MET", "", 1.0),
    ]
    ours = TASK.describe()
    assert card.summary.startswith(ours.summary)
    assert (card.title, card.outputs) == (ours.title, ours.outputs)
    *of_task, saturation = card.limitations
    assert tuple(of_task) == ours.limitations
    assert "1.2% in background; of a single input at most 50% (saturation.csv)" in saturation
    older = describe_student(context, encoding, 77, {}, target)
    assert older.limitations[-1].endswith("was not recorded.")
    decides = TargetTransform(transform="above", threshold=0.25)
    (output,) = describe_student(context, encoding, 77, {}, decides).outputs
    assert output.name == "logit of yes: is the teacher's answer above 0.25?"


def test_firmware_is_verified_on_events_of_every_sample_that_no_model_was_fitted_to(
    tmp_path: Path,
) -> None:
    """Each item is a number that says where it stands: 0 to 9 train, 10 to 13 test, ..."""
    dataset = numbered_dataset(tmp_path)
    allowed = {*range(10, 14), *range(100, 120)}
    everything = choose_events(dataset, 1000, seed=1)
    assert set(everything[:, 0].astype(int)) == allowed
    few = choose_events(dataset, 12, seed=1)
    assert len(np.unique(few)) == 12
    assert set(few[:, 0].astype(int)) <= allowed
    np.testing.assert_array_equal(few, choose_events(dataset, 12, seed=1))
    assert not np.array_equal(few, choose_events(dataset, 12, seed=2))


def test_copies_are_verified_on_whole_events_of_items(tmp_path: Path) -> None:
    whole = numbered_dataset(tmp_path)
    # two items an event: the training sample's first five events train, two test, and so on
    halves = {
        name: file.model_copy(
            update={"train": file.train // 2, "test": file.test // 2, "validation": 1}
        )
        for name, file in whole.card.files.items()
    }
    dataset = replace(
        whole,
        card=whole.card.model_copy(update={"files": halves}),
        read=lambda path: Items(values=whole.read(path).values[: 2 * halves[path.stem].events]),
        boundaries=lambda path: np.arange(0, 2 * halves[path.stem].events + 1, 2),
    )
    items, groups = choose_whole_events(dataset, 9, seed=1)
    assert groups == (2, 2, 2, 2, 2)
    numbers = items[:, 0].astype(int).reshape(-1, 2)
    assert (numbers[:, 1] == numbers[:, 0] + 1).all()
    assert set(numbers[:, 0]) <= {10, 12, *range(100, 120, 2)}
    every, groups = choose_whole_events(dataset, 1000, seed=1)
    assert len(every) == 2 * len(groups) == 2 * (2 + 10)


def test_the_threshold_of_the_accept_bit_is_that_of_the_evaluation() -> None:
    metrics = {"threshold_fpr1e-2": 2.5, "threshold_fpr1e-3": 3.5, "auc/a_4l": 0.9}
    assert threshold_at(0.001, metrics, Path("models/student")) == 3.5
    with pytest.raises(ConfigError, match=r"accept_at=0\.0001: .*there are 1e-2, 1e-3"):
        threshold_at(1e-4, metrics, Path("models/student"))
    with pytest.raises(ConfigError, match="too few test events"):
        threshold_at(1e-2, {"auc/a_4l": 0.9}, Path("models/student"))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"model": "net.h5", "output": Path("out")}, r"with model= give the threshold itself"),
        ({"score": {"accept": 1.0}}, "both name a threshold"),
    ],
)
def test_an_accept_bit_that_is_named_twice_or_in_vain_is_refused(
    keys: dict[str, Any], message: str
) -> None:
    common = {"task": {"name": "anomaly", "module": "m"}, "data": {"name": "d", "folder": "f"}}
    with pytest.raises(ValueError, match=message):
        Settings.model_validate({**common, "accept_at": 0.01, **keys})
