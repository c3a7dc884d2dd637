"""The anomaly score behind a network, in the layers of the network itself, and its threshold."""

import math
from typing import NamedTuple

import numpy as np

from l1distill.errors import InputError
from l1distill.firmware.fixed_point import FixedPoint, grid_of
from l1distill.firmware.layers import Dense, Layer, Quantise, Span, Square
from l1distill.firmware.network import Network, chain, spans
from l1distill.firmware.settings import ScoreSettings

COMPARED_BITS = 24
"""Most bits of a number that can be held against a threshold: alkaid holds it as a float32."""
_ONE = FixedPoint(False, 1, 0)
_BIT = FixedPoint(False, 1, 0, "TRN", "SAT")


class Scored(NamedTuple):
    """A network with its score."""

    network: Network
    output: str | None
    """What comes out, in words; None where nothing has been added."""


def with_score(network: Network, wanted: ScoreSettings) -> Scored:
    """Puts a score and a threshold behind a network.

    Args:
        network: an encoder that gives means and then logarithms of variances, for a score.
        wanted: which.

    Returns:
        The network with more layers, all of them exact, and what it gives.

    Raises:
        InputError: the score is none of this network's, or the threshold cannot be met or missed.
    """
    found, words = network, None
    if wanted.kind is not None:
        found = _then(network, _sum_of_squares(network, wanted.latent))
        words = "sum of the squares of the means of the latent space"
        if wanted.bits is not None:
            found = _then(found, _narrowed(spans(found)[-1], wanted.bits))
    if wanted.threshold is not None:
        what = words or "output"
        found = _then(found, _compared(spans(found)[-1], wanted.threshold))
        words = f"1 where {what} is at least {wanted.threshold:g}, else 0"
    return Scored(found, words)


def _then(network: Network, layers: tuple[Layer, ...]) -> Network:
    return chain(
        network.inputs,
        network.input_type,
        (*network.layers, *layers),
        network.input_exponents,
    )


def _sum_of_squares(network: Network, latent: int | None) -> tuple[Layer, ...]:
    means = latent or network.outputs // 2
    if latent is None and network.outputs == network.inputs:
        raise InputError(
            f"score.kind=sum_mu2: the network gives as many numbers as it takes, "
            f"{network.inputs}: a reconstruction has no means; take the encoder of a VAE"
        )
    if means > network.outputs or (latent is None and network.outputs % 2):
        raise InputError(
            f"score.kind=sum_mu2: the network gives {network.outputs} numbers, not means and as "
            "many variances; say with score.latent= how many of them, from the first, are means"
        )
    of_means = (np.arange(network.outputs) < means).astype(np.float64)[:, None]
    return Square("score_squares"), Dense("score_sum", of_means, np.zeros(1), _ONE, _ONE)


def _narrowed(score: Span, bits: int) -> tuple[Layer, ...]:
    """Rounds a score that is never negative; nothing where it is no wider."""
    exact = score.type
    if exact.bits <= bits:
        return ()
    return (Quantise("score_bits", FixedPoint(False, exact.integer, bits - exact.integer)),)


def _compared(score: Span, threshold: float) -> tuple[Layer, ...]:
    """Counts in steps from just below the threshold, and clips that to a bit."""
    if score.shape != (1,):
        raise InputError(
            f"score.threshold: the network gives {score.low.size} numbers; a threshold is for "
            "one, name a score.kind="
        )
    low, high = float(score.low[0]), float(score.high[0])
    if not low < threshold <= high:
        raise InputError(
            f"score.threshold={threshold:g}: what is compared lies between {low:g} and {high:g}; "
            "choose one above the lowest and at most the highest"
        )
    if score.type.bits > COMPARED_BITS:
        raise InputError(
            f"score.threshold: what is compared takes {score.type.bits} bits, more than the "
            f"{COMPARED_BITS} that a threshold can have; set score.bits={COMPARED_BITS} or fewer"
        )
    step = 2.0**-score.fraction
    bias = np.array([1.0 - math.ceil(threshold / step)])
    grid = FixedPoint(False, score.fraction + 1, -score.fraction)
    steps = Dense("threshold_steps", np.array([[1.0 / step]]), bias, grid, grid_of(bias))
    return steps, Quantise("threshold", _BIT)
