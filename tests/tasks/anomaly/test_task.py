"""The anomaly task as stages see it."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from l1distill.core.errors import ConfigError
from l1distill.core.settings import Settings
from l1distill.data.card import Card, FileCard
from l1distill.data.dataset import Dataset, Items
from l1distill.tasks.anomaly.dataset import read_items
from l1distill.tasks.anomaly.events import Events
from l1distill.tasks.anomaly.generator.checks import check
from l1distill.tasks.anomaly.pictures import most_anomalous
from l1distill.tasks.anomaly.reconstruction import ObjectsErrorHead
from l1distill.tasks.anomaly.settings import AutoencoderSettings
from l1distill.tasks.anomaly.standardization import Standardization
from l1distill.tasks.anomaly.task import EXPECTATIONS, TASK
from l1distill.tasks.base import Task
from l1distill.tasks.records import Drawing


def _dataset(folder: Path, *signals: str) -> Dataset:
    """A data set that nothing is read from."""
    file = FileCard(train=50, test=40, validation=10, sha256=hashlib.sha256().hexdigest())
    files = dict.fromkeys(("background", *signals), file)
    card = Card(dataset="toy", settings={}, versions={}, files=files, checks={}, missing=[])
    return Dataset(
        folder=folder, card=card, md5="0" * 32, training_sample="background", read=read_items
    )


def test_it_is_what_the_protocol_asks_for() -> None:
    task: Task = TASK
    assert (task.name, task.handed_on(AutoencoderSettings())) == ("anomaly", "mse")
    assert all(issubclass(s, Settings) for s in (task.settings.data, task.settings.teacher))


def test_the_evaluation_ranks_by_the_worst_signal(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    answers = {
        "background": rng.normal(size=(40, 1)),
        "easy": rng.normal(2.0, 1.0, 100),
        "hard": rng.normal(0.5, 1.0, 100),
    }
    evaluation = TASK.evaluate(answers, _dataset(tmp_path, "easy", "hard"))
    assert evaluation.primary == "auc/hard"
    assert evaluation.headline == ("auc/easy", "auc/hard")
    assert set(evaluation.curves) == {"roc"}
    assert set(evaluation.curves["roc"]) == {"easy", "hard"}
    for name in ("easy", "hard"):
        scores = np.concatenate([answers["background"][:, 0], answers[name]])
        auc = roc_auc_score([0] * 40 + [1] * 100, scores)
        assert evaluation.metrics[f"auc/{name}"] == pytest.approx(auc)


def test_a_data_set_without_signals_can_be_evaluated(tmp_path: Path) -> None:
    evaluation = TASK.evaluate({"background": np.arange(40.0)}, _dataset(tmp_path))
    assert (dict(evaluation.metrics), evaluation.headline) == ({}, ())


@pytest.mark.parametrize(
    ("answers", "refused"),
    [
        (np.array([0.5, 2.0]), False),
        (np.array([0.5, 0.0]), True),
        (np.array([0.5, -1.0]), True),
        (np.array([[0.5], [2.0]]), True),
    ],
)
def test_scores_without_a_logarithm_are_refused(answers: np.ndarray, refused: bool) -> None:  # type: ignore[type-arg]
    reason = TASK.check_answers(answers, "mse")
    assert (reason is not None) == refused
    if not refused:
        assert TASK.fit_target(answers, "mse").transform == "log_standardized"


@pytest.mark.parametrize("model", ["teacher", "student"])
def test_a_trained_model_is_drawn(tmp_path: Path, model: str) -> None:
    rng = np.random.default_rng(0)
    dataset = _dataset(tmp_path, "zprime")
    objects = rng.exponential(30.0, (100, 19, 3))
    for name in dataset.names:
        (tmp_path / f"{name}.h5").touch()
    dataset = replace(dataset, read=lambda _: Items(values=objects))
    answers = {
        score: {
            "background": rng.lognormal(size=(40, 1)),
            "zprime": rng.lognormal(1.0, 1.0, (100, 1)),
        }
        for score in (("mse", "kl") if model == "teacher" else ("student",))
    }
    evaluations = {score: TASK.evaluate(by_name, dataset) for score, by_name in answers.items()}
    primary = next(iter(answers))
    drawing = Drawing(
        model=model,
        answers=answers,
        evaluations=evaluations,
        primary=primary,
        reference=None if model == "teacher" else evaluations[primary].curves,
    )
    pictures = TASK.draw_model(drawing, dataset, tmp_path)
    drawn = {path.name for path in (tmp_path / "plots").iterdir()}
    assert drawn == {"scores.png", "roc.png", "display.png"} | (
        {"roc_zprime.png"} if model == "teacher" else set()
    )
    assert [picture.path.name for picture in pictures] == {
        "teacher": ["scores.png", "display.png"],
        "student": ["roc.png", "scores.png", "display.png"],
    }[model]


def test_the_display_shows_the_highest_scores(tmp_path: Path) -> None:
    objects = np.arange(100 * 57.0).reshape(100, 19, 3)
    for name in ("background", "zprime"):
        (tmp_path / f"{name}.h5").touch()
    dataset = replace(_dataset(tmp_path, "zprime"), read=lambda _: Items(values=objects))
    background = np.zeros(40)
    background[[7, 31]] = 2.0, 3.0
    shown = most_anomalous({"background": background, "zprime": np.arange(100.0)}, dataset)
    assert len(shown) == 5
    # the test events of the background stand behind its fifty training events
    for event, row in ((shown[0], 81), (shown[1], 57), (shown[-1], 99)):
        np.testing.assert_array_equal(event.objects, objects[row])
    assert (shown[0].title, shown[-1].title) == ("background, score 3", "zprime, score 99")


def test_the_error_head_needs_the_constants_of_the_teacher(tmp_path: Path) -> None:
    assert TASK.error_head(tmp_path) is None
    constants = Standardization(pt_mean=[1.0] * 19, pt_std=[2.0] * 19)
    (name,) = TASK.constants()
    constants.write(tmp_path / name)
    assert TASK.error_head(tmp_path) == ObjectsErrorHead(standardization=constants)


def test_files_that_were_not_named_are_asked_for() -> None:
    data = {"name": "mine", "folder": "data", "files": {"reader": "own"}}
    with pytest.raises(ConfigError, match=r"data\.files\.folders: give"):
        TASK.check_sources(TASK.settings.data.model_validate(data))


def test_every_expectation_is_about_a_figure_that_is_made() -> None:
    rng = np.random.default_rng(0)
    objects = rng.exponential(30.0, (4000, 19, 3))
    objects[..., 1:] = rng.uniform(-2, 2, (4000, 19, 2))
    objects[rng.random((4000, 19)) < 0.5] = 0.0
    figures = check(Events(objects, rng.integers(0, 4, 4000).astype(np.int8)))
    assert TASK.data_notes().expectations == EXPECTATIONS
    assert set(EXPECTATIONS) <= set(figures)
