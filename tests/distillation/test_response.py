import numpy as np
import pytest
from l1distill.distillation.response import SoftTarget


def test_the_training_split_is_centred_and_scaled() -> None:
    scores = np.random.default_rng(0).lognormal(1.0, 2.0, 5_000)
    target = SoftTarget.fit(scores)
    values = target(scores)
    assert values.mean() == pytest.approx(0.0, abs=1e-5)
    assert values.std() == pytest.approx(1.0, abs=1e-5)
    assert (np.argsort(values) == np.argsort(scores)).mean() > 0.99, "the order is the teacher's"


@pytest.mark.parametrize("scores", [[1.0, 0.0], [1.0, np.nan], [2.0, 2.0]])
def test_scores_that_teach_nothing_are_refused(scores: list[float]) -> None:
    with pytest.raises(ValueError, match="score"):
        SoftTarget.fit(np.array(scores))
