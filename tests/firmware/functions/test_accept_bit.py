"""The accept bit beside a score; that every back end computes it is tested with the scores."""

import re

import numpy as np
import pytest

from l1distill.core.errors import ConfigError
from l1distill.firmware.network.network import evaluate
from l1distill.firmware.settings import ScoreSettings
from tests.firmware.functions.test_score_head import ACCEPT, encoder, events, scored, sum_mu2


def test_the_accept_bit_stands_beside_the_score() -> None:
    plain = encoder()
    network = scored(plain, **ACCEPT)
    x = events(network)
    score, accepted = evaluate(network, x).T
    assert np.array_equal(score, sum_mu2(plain, x))
    assert np.array_equal(accepted, score >= 3.3)
    assert 0.02 < accepted.mean() < 0.98


@pytest.mark.parametrize("accept", [-1.0, 1e6])
def test_an_accept_bit_that_never_changes_is_refused(accept: float) -> None:
    named = re.escape(f"score.accept={accept:g}: ")
    with pytest.raises(ConfigError, match=f"{named}.*choose one above"):
        scored(encoder(), kind="sum_mu2", accept=accept)


def test_an_accept_bit_goes_beside_a_score_alone() -> None:
    with pytest.raises(ValueError, match=r"score\.accept= goes beside the score"):
        ScoreSettings(threshold=1.0, accept=1.0)
    with pytest.raises(ConfigError, match=r"score\.accept: the network gives"):
        scored(encoder(), accept=1.0)
