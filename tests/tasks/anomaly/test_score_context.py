"""Trivial scores and reference triggers, on events written by hand."""

from pathlib import Path

import numpy as np
import pytest

from l1distill.data.card import Card, FileCard
from l1distill.data.dataset import Dataset, Items
from l1distill.tasks.anomaly.settings import AnomalyEvaluationSettings, ReferenceTriggers
from l1distill.tasks.anomaly.task import TASK
from l1distill.tasks.anomaly.trivial_scores import NAMES, Occupancy, trivial_scores
from l1distill.tasks.base import ScoringTask, Task
from tests.digits.task import TASK as DIGITS


def _event(met: float = 0.0, electrons=(), muons=(), jets=()) -> np.ndarray:  # type: ignore[no-untyped-def]
    event = np.zeros((19, 3), dtype=np.float32)
    event[0, 0] = met
    for start, momenta in ((1, electrons), (5, muons), (9, jets)):
        event[start : start + len(momenta), 0] = momenta
    return event


LEPTON = _event(met=10.0, electrons=[25.0])
DIJET = _event(met=30.0, muons=[40.0, 5.0], jets=[100.0, 50.0])
FOUR = _event(met=120.0, electrons=[20.0, 10.0], muons=[30.0, 4.0])


def test_every_score_is_counted_by_hand() -> None:
    training = np.stack([LEPTON] * 9 + [DIJET])
    scores = trivial_scores({"a_4l": np.stack([LEPTON, DIJET, FOUR])}, training)
    assert set(scores) == set(NAMES)
    by_hand = {
        "ht": [0.0, 150.0, 0.0],
        "sum_pt": [35.0, 225.0, 184.0],
        "leptons": [1.0, 2.0, 4.0],
        "objects": [1.0, 4.0, 4.0],
        "occupancy": -np.log([0.9, 0.1, 0.05]),  # the last is unseen: half an event of ten
    }
    for name, expected in by_hand.items():
        np.testing.assert_allclose(scores[name]["a_4l"], expected, err_msg=name)
    assert scores["occupancy_ht"]["a_4l"].argmax() == 1


def test_combinations_differ_in_every_kind_of_object() -> None:
    occupancy = Occupancy(np.stack([LEPTON, _event(muons=[25.0]), _event(jets=[25.0]), LEPTON]))
    full = _event(electrons=[9.0] * 4, muons=[9.0] * 4, jets=[9.0] * 10)
    events = np.stack([LEPTON, _event(muons=[1.0]), _event(jets=[1.0]), full])
    np.testing.assert_allclose(occupancy(events), -np.log([0.5, 0.25, 0.25, 0.125]))


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Five training events of the background, two for testing and one for validation."""
    items = {
        "background": np.stack([LEPTON] * 5 + [DIJET, FOUR, LEPTON]),
        "a_4l": np.stack([FOUR] * 8),
    }
    counts = FileCard(train=5, test=2, validation=1, sha256=_nothing(tmp_path, *items))
    card = Card(
        dataset="toy", settings={}, versions={}, files=dict.fromkeys(items, counts), checks={},
        missing=[],
    )  # fmt: skip
    return Dataset(
        folder=tmp_path, card=card, md5="0" * 32, training_sample="background",
        read=lambda path: Items(values=items[path.stem]),
    )  # fmt: skip


def _nothing(folder: Path, *names: str) -> str:
    for name in names:
        (folder / f"{name}.h5").touch()
    return "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # of no bytes


def test_the_context_is_about_the_evaluation_items(dataset: Dataset) -> None:
    context = TASK.score_context(AnomalyEvaluationSettings(), dataset)
    assert (context.background, context.input_rate_khz) == ("background", 0.5)
    assert context.trivial["ht"]["background"].tolist() == [150.0, 0.0]
    assert len(context.trivial["ht"]["a_4l"]) == 8
    # all of the training split have one lepton
    np.testing.assert_allclose(context.trivial["occupancy"]["background"], -np.log([0.1, 0.1]))
    decisions = {n: d["background"].tolist() for n, d in context.triggers.items()}
    assert decisions == {"lepton_pt": [True, False], "ht": [False] * 2, "met": [False, True]}
    taken = context.taken("background")
    assert taken is not None
    assert taken.all()
    assert "GeV" in context.observables["met"].label
    assert context.observables["met"].values["background"].tolist() == [30.0, 120.0]


def test_a_trigger_is_left_out_by_null(dataset: Dataset) -> None:
    triggers = ReferenceTriggers(lepton_pt_min_gev=None, met_min_gev=None)
    context = TASK.score_context(AnomalyEvaluationSettings(triggers=triggers), dataset)
    assert set(context.triggers) == {"ht"}
    none = ReferenceTriggers(lepton_pt_min_gev=None, ht_min_gev=None, met_min_gev=None)
    context = TASK.score_context(AnomalyEvaluationSettings(triggers=none), dataset)
    assert context.taken("background") is None


def test_a_task_without_scores_has_no_such_context() -> None:
    task: Task = TASK
    foreign: Task = DIGITS
    assert isinstance(task, ScoringTask)
    assert not isinstance(foreign, ScoringTask)
