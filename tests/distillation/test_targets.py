from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from l1distill.distillation.targets import TargetTransform


def test_the_training_split_is_centered_and_scaled() -> None:
    scores = np.random.default_rng(0).lognormal(1.0, 2.0, 5_000)
    target = TargetTransform.fit_log(scores)
    values = target(scores)
    assert (values.shape, values.dtype) == ((5_000, 1), np.float32)
    assert values.mean() == pytest.approx(0.0, abs=1e-5)
    assert values.std() == pytest.approx(1.0, abs=1e-5)
    order = np.argsort(values[:, 0])
    assert (order == np.argsort(scores)).mean() > 0.99, "the order is the teacher's"


def test_other_splits_are_measured_with_the_constants_of_the_training_split() -> None:
    """Scores e^(mean + std z) have the target z, whatever the other scores are."""
    target = TargetTransform(transform="log_standardized", mean=2.0, std=0.5)
    z = np.array([-3.0, 0.0, 0.25, 40.0])
    np.testing.assert_allclose(target(np.exp(2.0 + 0.5 * z))[:, 0], z, atol=1e-6)
    assert target(np.exp([2.0])) == 0.0


@pytest.mark.parametrize("scores", [[1.0, 0.0], [1.0, np.nan], [2.0, 2.0], [1.0, -1.0]])
def test_scores_that_teach_nothing_are_refused(scores: list[float]) -> None:
    with pytest.raises(ValueError, match="score"):
        TargetTransform.fit_log(np.array(scores))


@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 3)])
def test_identity_hands_answers_on(shape: tuple[int, ...]) -> None:
    """Weights and logits may be zero or negative, and several may belong to an item."""
    answers = np.random.default_rng(0).normal(size=shape)
    answers[0] = 0.0
    targets = TargetTransform(transform="identity")(answers)
    assert targets.dtype == np.float32
    np.testing.assert_array_equal(targets, answers.astype(np.float32).reshape(4, -1))


def test_it_reads_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "soft_target.json"
    target = TargetTransform.fit_log(np.random.default_rng(0).lognormal(size=100))
    target.write(path)
    assert TargetTransform.read(path) == target


def test_an_unknown_transform_is_refused() -> None:
    with pytest.raises(ValidationError, match="log_standardized"):
        TargetTransform.model_validate({"transform": "square_root"})
