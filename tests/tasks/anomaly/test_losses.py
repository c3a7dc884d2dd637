import math

import numpy as np
import pytest

from l1distill.tasks.anomaly.losses import reconstruction_error


def _by_hand(target: np.ndarray, output: np.ndarray) -> float:
    """The paper's words, an object at a time."""
    total = 0.0
    for slot in range(19):
        pt, eta, phi, present = (float(value) for value in target[slot])
        if not present:
            continue
        total += (pt - output[slot, 0]) ** 2
        if 1 <= slot <= 4:
            total += (eta - 3.0 * math.tanh(output[slot, 1])) ** 2
        elif 5 <= slot <= 8:
            total += (eta - 2.1 * math.tanh(output[slot, 1])) ** 2
        elif slot >= 9:
            total += (eta - 4.0 * math.tanh(output[slot, 1])) ** 2
        total += (phi - math.pi * math.tanh(output[slot, 2])) ** 2
    return total / 57


@pytest.mark.parametrize("shape", [(19, 3), (19, 3, 1), (57,)])
def test_the_loss_is_that_of_the_paper(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(3)
    target = rng.normal(size=(6, 19, 4)).astype(np.float32)
    target[..., 3] = rng.random((6, 19)) < 0.5
    target[..., :3] *= target[..., 3:]
    output = rng.normal(size=(6, *shape)).astype(np.float32)
    ours = reconstruction_error(target, output).numpy()
    by_hand = [_by_hand(t, o.reshape(19, 3)) for t, o in zip(target, output, strict=True)]
    np.testing.assert_allclose(ours, by_hand, rtol=1e-5)


def test_padding_does_not_count_whatever_the_output() -> None:
    target = np.zeros((1, 19, 4), np.float32)
    output = np.full((1, 19, 3), 100.0, np.float32)
    assert reconstruction_error(target, output).numpy() == [0.0]
