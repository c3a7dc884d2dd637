"""The anomaly score behind a network, in the layers of the network itself, and its threshold."""

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from l1distill.core.errors import DataError
from l1distill.firmware.functions.piecewise_linear import add_hinges, fit_pieces
from l1distill.firmware.network.builder import Builder, select
from l1distill.firmware.network.fixed_point import BIT, ONE, FixedPoint, grid_of, smallest_type
from l1distill.firmware.network.layers import Add, Affine, Dense, Multiply, Quantize, Square
from l1distill.firmware.network.network import Network
from l1distill.firmware.settings import ScoreSettings
from l1distill.tasks.anomaly.reconstruction import square_error, square_error_of_objects
from l1distill.tasks.anomaly.standardization import Standardization

COMPARED_BITS = 24
"""Most bits of a number that can be held against a threshold: alkaid holds it as a float32."""
HIGHEST_LOG_VARIANCE = 16.0
"""Of which there is an exponential: it is 9 million."""
MOST_CODE_BITS = 11
"""Of a log-variance; those of more are rounded."""
EXPONENTIAL_PIECES = 32
TANH_PIECES = 12
PRECISION_BITS = 24
"""Of 1 over a variance."""


class Scored(NamedTuple):
    """A network with its score."""

    network: Network
    output: str | None
    """What comes out, in words; None where nothing has been added."""


class Score(NamedTuple):
    """What the layers that have been appended end in."""

    words: str
    highest: float | None = None
    """Where that is less than what the layers could give by themselves."""


def with_score(
    network: Network, wanted: ScoreSettings, standardization: Standardization | None = None
) -> Scored:
    """Puts a score and a threshold behind a network.

    Args:
        network: for a score of the latent space, an encoder that gives means and then logarithms
            of variances; for ``mse`` an autoencoder, that gives as many numbers as it takes.
        wanted: which.
        standardization: where the autoencoder is one of ours, which has standardized pT for a
            target; ``None`` where its inputs are the target.

    Returns:
        The network with more layers, all of them exact, and what it gives.

    Raises:
        DataError: the score is none of this network's, or the threshold cannot be met or missed.
    """
    builder, words = Builder.extending(network), None
    if wanted.kind is not None:
        found = _score(builder, network, wanted, standardization)
        words = found.words
        _narrow(builder, found.highest, wanted.bits)
    if wanted.threshold is not None:
        what = words or "output"
        _compare(builder, wanted.threshold)
        words = f"1 where {what} is at least {wanted.threshold:g}, else 0"
    return Scored(builder.network() if words else network, words)


def _score(
    builder: Builder,
    network: Network,
    wanted: ScoreSettings,
    standardization: Standardization | None,
) -> Score:
    if wanted.kind == "mse":
        if network.outputs != network.inputs:
            raise DataError(
                f"score.kind=mse: the network takes {network.inputs} numbers and gives "
                f"{network.outputs}, which is no reconstruction; take a whole autoencoder, or "
                "score.kind=kl, rz or sum_mu2 for an encoder"
            )
        if standardization is None:
            return Score(square_error(builder, network.input_units))
        units, pieces = network.input_units, wanted.pieces or TANH_PIECES
        return Score(square_error_of_objects(builder, units, standardization, pieces))
    means = _means(network, wanted)
    if wanted.kind == "sum_mu2":
        return _sum_of_squares(builder, means)
    pieces = wanted.pieces or EXPONENTIAL_PIECES
    if wanted.kind == "kl":
        return _divergence(builder, means, pieces)
    return _origin_z_score(builder, means, pieces)


def _means(network: Network, wanted: ScoreSettings) -> int:
    """Returns how many outputs, from the first, are means."""
    name, latent = f"score.kind={wanted.kind}", wanted.latent
    if latent is None and network.outputs == network.inputs:
        raise DataError(
            f"{name}: the network gives as many numbers as it takes, {network.inputs}: a "
            "reconstruction has no means; take the encoder of a VAE, or say with score.latent= how "
            "many of them are means"
        )
    if latent is None and network.outputs % 2:
        raise DataError(
            f"{name}: the network gives {network.outputs} numbers, not means and as many "
            "variances; say with score.latent= how many of them, from the first, are means"
        )
    means = latent or network.outputs // 2
    needed = means if wanted.kind == "sum_mu2" else 2 * means
    if needed > network.outputs:
        raise DataError(
            f"{name}: score.latent={means} takes {needed} numbers, the network gives "
            f"{network.outputs}; choose fewer"
        )
    return means


def _sum_of_squares(builder: Builder, means: int) -> Score:
    outputs = builder.value_ranges[-1].size
    of_means = (np.arange(outputs) < means).astype(np.float64)[:, None]
    builder.add(Square("score_squares"))
    builder.add(
        Dense("score_sum", kernel=of_means, bias=np.zeros(1), kernel_type=ONE, bias_type=ONE)
    )
    return Score("sum of the squares of the means of the latent space")


class _Latent(NamedTuple):
    """The two halves of an encoder's results."""

    squares: int
    """The tensor of the means, squared."""
    distance: int
    """The tensor of the squared distance of the log-variances from one of their ends."""
    logs: NDArray[np.float64]
    """(codes,) all log-variances that there are, from the lowest."""
    note: str
    """In words, how they have been rounded."""


def _latent(builder: Builder, means: int, from_above: bool) -> _Latent:
    """Appends the squares of means, and of log-variances' distance from their highest or lowest."""
    end, outputs = builder.last, builder.value_ranges[-1].size
    builder.add(select("score_means", range(means), outputs), end)
    squares = builder.add(Square("score_squares"))
    builder.add(select("score_log_variances", range(means, 2 * means), outputs), end)
    found, note = builder.value_ranges[-1].type, ""
    most_integer = int(math.log2(HIGHEST_LOG_VARIANCE))
    integer = min(found.integer, most_integer)
    fraction = min(found.fraction, MOST_CODE_BITS - 1 - integer)
    if (integer, fraction) != (found.integer, found.fraction):
        kind = FixedPoint(signed=True, integer=integer, fraction=fraction)
        builder.add(Quantize("score_rounded", type=kind))
        note = f", of log-variances as {kind.hls}"
    ends = builder.value_ranges[-1]
    low, high, step = float(ends.low.min()), float(ends.high.max()), 2.0**-ends.fraction
    sign, start = (-1.0, high) if from_above else (1.0, -low)
    scale, shift = np.full(means, sign), np.full(means, start)
    builder.add(
        Affine(
            "score_away",
            scale=scale,
            offset=shift,
            scale_type=grid_of(scale),
            offset_type=grid_of(shift),
        )
    )
    distance = builder.add(Square("score_distance"))
    return _Latent(squares, distance, np.arange(low, high + step, step), note)


def _divergence(builder: Builder, means: int, pieces: int) -> Score:
    """D_KL, half the sum of mu^2 and of exp(l) - l - 1 for each log-variance l.

    That function is made of pieces that are linear in the square of the distance to the lowest
    log-variance: so squares and hinges are all that it takes.
    """
    latent = _latent(builder, means, from_above=False)
    logs = latent.logs
    found = fit_pieces((logs - logs[0]) ** 2, np.exp(logs) - logs - 1, pieces)
    hinges = add_hinges(builder, "score", found, latent.distance)
    halves = np.full((means, 1), 0.5)
    weights = 0.5 * np.tile(found.slopes, means)[:, None]
    offset = np.array([0.5 * means * found.start])
    sums = builder.add(
        Dense(
            "score_of_means",
            kernel=halves,
            bias=np.zeros(1),
            kernel_type=grid_of(halves),
            bias_type=ONE,
        ),
        latent.squares,
    )
    builder.add(
        Dense(
            "score_pieces",
            kernel=weights,
            bias=offset,
            kernel_type=grid_of(weights),
            bias_type=grid_of(offset),
        ),
        hinges,
    )
    highest = float(builder.value_ranges[sums].high[0]) + means * found.highest / 2
    builder.add(Add("score_sum"), sums, builder.last)
    words = (
        f"D_KL of the latent space{latent.note}, off by at most {100 * found.error:.2g}% of itself "
        f"and {found.error * means / 2:.2g} before it is rounded"
    )
    return Score(words, highest)


def _origin_z_score(builder: Builder, means: int, pieces: int) -> Score:
    """R_z, the sum of mu^2 exp(-l) for each log-variance l (eq. 3 of Govorkova et al.)."""
    latent = _latent(builder, means, from_above=True)
    logs = latent.logs
    found = fit_pieces((logs - logs[-1])[::-1] ** 2, np.exp(-logs)[::-1], pieces)
    hinges = add_hinges(builder, "score", found, latent.distance)
    weights = np.kron(np.eye(means), found.slopes[:, None])
    start = np.full(means, found.start)
    builder.add(
        Dense(
            "score_pieces",
            kernel=weights,
            bias=start,
            kernel_type=grid_of(weights),
            bias_type=grid_of(start),
        ),
        hinges,
    )
    integer = smallest_type(0.0, found.highest, 0).integer
    kind = FixedPoint(signed=False, integer=integer, fraction=PRECISION_BITS - integer)
    inverse = builder.add(Quantize("score_precisions", type=kind))
    builder.add(Multiply("score_products"), latent.squares, inverse)
    ones = np.ones((means, 1))
    builder.add(Dense("score_sum", kernel=ones, bias=np.zeros(1), kernel_type=ONE, bias_type=ONE))
    words = (
        f"R_z of the latent space{latent.note}, each 1/sigma^2 off by at most "
        f"{100 * found.error:.2g}% of itself and {found.error + kind.step / 2:.2g}"
    )
    return Score(words, float((builder.value_ranges[latent.squares].high * found.highest).sum()))


def _narrow(builder: Builder, highest: float | None, bits: int | None) -> None:
    """Rounds and clips a score that is not negative, where that changes anything."""
    score = builder.value_ranges[-1]
    top = float(score.high[0]) if highest is None else highest
    kind = replace(smallest_type(0.0, top, score.fraction), rounding="TRN")
    if bits is None and kind.bare == score.type.bare:
        return
    most = bits or COMPARED_BITS
    if kind.bits > most:
        kind = FixedPoint(signed=False, integer=kind.integer, fraction=most - kind.integer)
    if kind.bare != score.type.bare:
        builder.add(Quantize("score_bits", type=kind))


def _compare(builder: Builder, threshold: float) -> None:
    """Counts in steps from just below the threshold, and clips that to a bit."""
    score = builder.value_ranges[-1]
    if score.shape != (1,):
        raise DataError(
            f"score.threshold: the network gives {score.low.size} numbers; a threshold is for "
            "one, name a score.kind="
        )
    low, high = float(score.low[0]), float(score.high[0])
    if not low < threshold <= high:
        raise DataError(
            f"score.threshold={threshold:g}: what is compared lies between {low:g} and {high:g}; "
            "choose one above the lowest and at most the highest"
        )
    if score.type.bits > COMPARED_BITS:
        raise DataError(
            f"score.threshold: what is compared takes {score.type.bits} bits, more than the "
            f"{COMPARED_BITS} that a threshold can have; set score.bits={COMPARED_BITS} or fewer"
        )
    step = 2.0**-score.fraction
    bias = np.array([1.0 - math.ceil(threshold / step)])
    grid = FixedPoint(signed=False, integer=score.fraction + 1, fraction=-score.fraction)
    steps = Dense(
        "threshold_steps",
        kernel=np.array([[1.0 / step]]),
        bias=bias,
        kernel_type=grid,
        bias_type=grid_of(bias),
    )
    builder.add(steps)
    builder.add(Quantize("threshold", type=BIT))
