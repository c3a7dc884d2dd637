"""The anomaly score behind a network, in the layers of the network itself, and its threshold."""

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from l1distill.errors import InputError
from l1distill.firmware.fixed_point import FixedPoint, grid_of, smallest_type
from l1distill.firmware.layers import Affine, Dense, Layer, Quantise, Span, Square
from l1distill.firmware.network import Network, extend, spans
from l1distill.firmware.settings import ScoreSettings

COMPARED_BITS = 24
"""Most bits of a number that can be held against a threshold: alkaid holds it as a float32."""
HIGHEST_LOG_VARIANCE = 16.0
"""Of which there is an exponential: it is 9 million."""
MOST_CODE_BITS = 11
"""Of a log-variance."""
MOST_DIGITS = 20
"""Of the slopes of a function, behind the point."""
_ONE = FixedPoint(False, 1, 0)
_BIT = FixedPoint(False, 1, 0, "TRN", "SAT")


class Scored(NamedTuple):
    """A network with its score."""

    network: Network
    output: str | None
    """What comes out, in words; None where nothing has been added."""


class _Behind(NamedTuple):
    """Layers that end in a score."""

    layers: tuple[Layer, ...]
    words: str
    highest: float | None = None
    """Of the score, where that is less than what the layers could give by themselves."""


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
        means = _means(network, wanted)
        if wanted.kind == "sum_mu2":
            behind = _sum_of_squares(network, means)
        else:
            behind = _divergence(network, means, wanted.pieces)
        found, words = extend(network, behind.layers), behind.words
        found = extend(found, _narrowed(spans(found)[-1], behind.highest, wanted.bits))
    if wanted.threshold is not None:
        what = words or "output"
        found = extend(found, _compared(spans(found)[-1], wanted.threshold))
        words = f"1 where {what} is at least {wanted.threshold:g}, else 0"
    return Scored(found, words)


def _means(network: Network, wanted: ScoreSettings) -> int:
    """Returns how many outputs, from the first, are means."""
    name, latent = f"score.kind={wanted.kind}", wanted.latent
    if latent is None and network.outputs == network.inputs:
        raise InputError(
            f"{name}: the network gives as many numbers as it takes, {network.inputs}: a "
            "reconstruction has no means; take the encoder of a VAE, or say with score.latent= how "
            "many of them are means"
        )
    if latent is None and network.outputs % 2:
        raise InputError(
            f"{name}: the network gives {network.outputs} numbers, not means and as many "
            "variances; say with score.latent= how many of them, from the first, are means"
        )
    means = latent or network.outputs // 2
    needed = means if wanted.kind == "sum_mu2" else 2 * means
    if needed > network.outputs:
        raise InputError(
            f"{name}: score.latent={means} takes {needed} numbers, the network gives "
            f"{network.outputs}; choose fewer"
        )
    return means


def _sum_of_squares(network: Network, means: int) -> _Behind:
    of_means = (np.arange(network.outputs) < means).astype(np.float64)[:, None]
    layers = Square("score_squares"), Dense("score_sum", of_means, np.zeros(1), _ONE, _ONE)
    return _Behind(layers, "sum of the squares of the means of the latent space")


def _divergence(network: Network, means: int, pieces: int) -> _Behind:
    """D_KL, half the sum of mu^2 and of exp(l) - l - 1 for each log-variance l.

    That function is made of pieces that are linear in the square of the distance to the lowest
    log-variance: so squares and hinges are all that it takes.
    """
    ends = spans(network)[-1]
    variances = slice(means, 2 * means)
    low, high = float(ends.low[variances].min()), float(ends.high[variances].max())
    if high > HIGHEST_LOG_VARIANCE or (high - low) * 2.0**ends.fraction >= 2**MOST_CODE_BITS:
        raise InputError(
            f"score.kind=kl: log-variances from {low:g} to {high:g} in steps of "
            f"{2.0**-ends.fraction:g}; the exponential takes them up to {HIGHEST_LOG_VARIANCE:g} "
            f"and {MOST_CODE_BITS} bits; round them, or take sum_mu2"
        )
    distance = np.arange(0.0, high - low + 2.0**-ends.fraction, 2.0**-ends.fraction)
    logs = low + distance
    found = fit_pieces(distance**2, np.exp(logs) - logs - 1, pieces)
    number = len(found.knots)
    shift = np.zeros(network.outputs)
    shift[variances] = -low
    hinges = np.zeros((network.outputs, 1 + means * number))
    hinges[:means, 0] = 1.0
    for element in range(means):
        first = 1 + element * number
        hinges[means + element, first : first + number] = 1.0
    knots = -np.concatenate([[0.0], *[found.knots] * means])
    weights = 0.5 * np.concatenate([[1.0], *[found.slopes] * means])[:, None]
    offset = np.array([0.5 * means * found.start])
    moved = (
        Affine("score_distance", np.ones_like(shift), shift, _ONE, grid_of(shift)),
        Square("score_squares"),
        Dense("score_hinges", hinges, knots, _ONE, grid_of(knots)),
    )
    before = spans(extend(network, moved))[-1]
    positive = FixedPoint(False, before.type.integer, before.fraction, "TRN", "SAT")
    layers = (
        *moved,
        Quantise("score_positive", positive),
        Dense("score_sum", weights, offset, grid_of(weights), grid_of(offset)),
    )
    highest = float((ends.reach[:means] ** 2).sum()) + means * found.highest
    words = (
        f"D_KL of the latent space, off by at most {100 * found.error:.2g}% of itself and "
        f"{found.error * means / 2:.2g} before it is rounded"
    )
    return _Behind(layers, words, highest / 2)


class Pieces(NamedTuple):
    """``start + sum(slopes * max(0, v - knots))``."""

    knots: NDArray[np.float64]
    slopes: NDArray[np.float64]
    start: float
    highest: float
    """The largest value at the points that it was fitted at."""
    error: float
    """The largest difference there, over 1 plus the function."""


def fit_pieces(v: NDArray[np.float64], function: NDArray[np.float64], number: int) -> Pieces:
    """Fits straight pieces to a function that is never negative.

    Args:
        v: (points,) in rising order.
        function: (points,) its values.
        number: most pieces.

    Returns:
        The pieces, with constants in few bits that make the error at most a quarter larger.
    """
    ends = [0, len(v) - 1] if len(v) > 1 else [0]
    weight = 1 + function
    while len(ends) <= number:
        apart = np.abs(np.interp(v, v[ends], function[ends]) - function) / weight
        if not apart.max():
            break
        ends = sorted({*ends, int(apart.argmax())})
    apart = np.abs(np.interp(v, v[ends], function[ends]) - function) / weight
    allowed = max(1.25 * float(apart.max()), 2.0**-8)
    for fraction in range(MOST_DIGITS + 1):
        pieces = _rounded(v, function, ends, fraction)
        if pieces.error <= allowed:
            break
    return pieces


def _rounded(
    v: NDArray[np.float64], function: NDArray[np.float64], ends: list[int], fraction: int
) -> Pieces:
    """Rounds slopes one after the other, each making up for those before it."""
    unit = 2.0**fraction
    start = value = float(np.rint(function[0] * unit) / unit)
    slopes = []
    for left, right in pairwise(ends):
        run = v[right] - v[left]
        slopes.append(float(np.rint((function[right] - value) / run * unit) / unit))
        value += slopes[-1] * float(run)
    changes = np.diff(np.array(slopes), prepend=0.0)
    knots = v[ends[:-1]]
    fitted = start + np.maximum(v[:, None] - knots, 0.0) @ changes
    error = float((np.abs(fitted - function) / (1 + function)).max())
    return Pieces(knots, changes, start, float(fitted.max()), error)


def _narrowed(score: Span, highest: float | None, bits: int | None) -> tuple[Layer, ...]:
    """Rounds and clips a score that is not negative; nothing where that changes nothing."""
    top = float(score.high[0]) if highest is None else highest
    kind = smallest_type(0.0, top, score.fraction)._replace(rounding="TRN")
    if bits is None and kind.bare == score.type.bare:
        return ()
    most = bits or COMPARED_BITS
    if kind.bits > most:
        kind = FixedPoint(False, kind.integer, most - kind.integer)
    if kind.bare == score.type.bare:
        return ()
    return (Quantise("score_bits", kind),)


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
