"""What all logged models do around their network: encode raw items, and shape what comes out."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from l1distill.data.encoding import Feature, InputEncoding
from l1distill.tracking.served.scorer import Scorer


class Sums(Scorer):
    """Answers with multiples of the sum of the features."""

    def __init__(self, outputs: int) -> None:
        features = [Feature(name="a", scale=2.0), Feature(name="b")]
        self._encoding = InputEncoding(shape=[1, 2], features=features)
        self._outputs = outputs

    def score(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        return inputs.sum(axis=1, keepdims=True) * np.arange(1, 1 + self._outputs, dtype=np.float32)


ITEMS: list[Any] = [[[4.0, 1.0]], [[-2.0, 0.5]]]


@pytest.mark.parametrize("items", [ITEMS, np.array(ITEMS), np.array(ITEMS, np.float32)])
def test_raw_items_are_encoded(items: Any) -> None:
    assert Sums(1).predict(None, items).tolist() == [3.0, -0.5]


def test_several_answers_stay_beside_one_another() -> None:
    assert Sums(3).predict(None, ITEMS).tolist() == [[3.0, 6.0, 9.0], [-0.5, -1.0, -1.5]]


def test_items_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(n, 1, 2\)"):
        Sums(1).predict(None, np.zeros((3, 2)))


@pytest.mark.parametrize(
    ("items", "reason"),
    [
        ([[[4.0, 1.0]], [[-2.0, 0.5]]], r"event 1: pT of a is -2 GeV; it must be finite and not n"),
        ([[[float("nan"), 1.0]]], "event 0: pT of a is nan GeV"),
        ([[[4.0, float("inf")]]], "event 0: eta of a is inf; it must be finite$"),
        ([[[4.0, 1.0]], [[1.0]]], "inhomogeneous"),
        ([[["a", "b"]]], "must be numbers"),
    ],
)
def test_what_no_detector_gives_is_refused(items: Any, reason: str) -> None:
    scorer = Sums(1)
    features = [Feature(name="pT of a", unit="GeV"), Feature(name="eta of a")]
    scorer._encoding = InputEncoding(shape=[1, 2], features=features)
    with pytest.raises(ValueError, match=reason):
        scorer.predict(None, items)
    assert scorer.predict(None, [[[0.0, -1.0]]]).tolist() == [-1.0]
